/*
 * A host with an allocator of its own that writes a log, as profilers do: on whatever thread it is called, to the number
 * that the log has in the host's descriptor table. None of these messages may get into a database or a backup.
 *
 *   linking_stray [--expect-hazard]
 */
#include "support/jobs.h"

enum { ROWS = 200, FIRST_NUMBER = 3, LAST_NUMBER = 14 };

static int log_number;             /* the one that this round is about */
static int allocators_log = -1;
static const char message[] = "allocated\n";

void *__libc_malloc(size_t size);

void *malloc(size_t size) {
    if (allocators_log >= 0 && write(allocators_log, message, sizeof message - 1) < 0) {
        /* Nothing that an allocator could do about it. */
    }
    return __libc_malloc(size);
}

/* The log under its number; whatever had that goes elsewhere, and all lower ones are in use, too. */
static void open_log(const char *path) {
    const int log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    CHECK(log >= 0);
    int number = log;
    while (number < log_number) CHECK((number = dup(log)) >= 0);
    CHECK(log == log_number || dup2(log, log_number) == log_number);
    allocators_log = log_number;
}

static bool holds_only_messages(const char *path) {
    size_t size;
    const int log = allocators_log;
    allocators_log = -1;
    char *text = read_file(path, &size);
    bool whole = size > 0;
    for (size_t at = 0; at < size; at += sizeof message - 1)
        whole = whole && strncmp(text + at, message, sizeof message - 1) == 0;
    free(text);
    allocators_log = log;
    return whole;
}

#define JOIN_PROMISED(job)                                                                        \
    do {                                                                                          \
        lb_result result_ = {0};                                                                  \
        result_.struct_size = sizeof result_;                                                     \
        if (lb_backup_join((job), &result_) != LB_STATUS_OK) {                                    \
            dprintf(host_report_fd, "with the log as number %d: %s\n", log_number, result_.message); \
            _exit(HAZARD_STRUCK);                                                                 \
        }                                                                                         \
    } while (0)

static void nothing_but_the_log_gets_the_messages(const char *directory) {
    host_path source = path_in(directory, "game.db"), log = path_in(directory, "log");
    host_path image = path_in(directory, "copy.db"), archive = path_in(directory, "copy.db.zst");
    open_log(log.s);
    sqlite3 *db = host_create(source.s, "WAL", ROWS);

    lb_backup_options options = backup_options();
    options.existing = LB_EXISTING_REPLACE;
    for (int round = 0; round < 2; round++) {
        JOIN_PROMISED(start_backup(source.s, image.s, &options));
        JOIN_PROMISED(start_backup(source.s, archive.s, &options));
    }
    lb_restore_options restore = {.struct_size = sizeof restore, .existing = LB_EXISTING_REPLACE};
    lb_job *job = NULL;
    CHECK_STATUS(lb_restore_start(archive.s, source.s, &restore, &job, NULL), LB_STATUS_OK);
    JOIN_PROMISED(job);

    CHECK(sqlite3_close(db) == SQLITE_OK);
    allocators_log = -1;
    char verdict[64];
    sqlite3_stmt *check = NULL;
    CHECK(sqlite3_open(source.s, &db) == SQLITE_OK);
    PROMISE(sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &check, NULL) == SQLITE_OK);
    PROMISE(sqlite3_step(check) == SQLITE_ROW);
    snprintf(verdict, sizeof verdict, "%s", (const char *)sqlite3_column_text(check, 0));
    PROMISE(strcmp(verdict, "ok") == 0);
    sqlite3_finalize(check);
    CHECK(sqlite3_close(db) == SQLITE_OK);
    PROMISE(is_sound_copy(image.s, ROWS));
    CHECK(holds_only_messages(log.s));
}

int main(int argc, char **argv) {
    int code = PROMISE_KEPT;
    for (log_number = FIRST_NUMBER; log_number <= LAST_NUMBER && code == PROMISE_KEPT; log_number++)
        code = run_scenario(nothing_but_the_log_gets_the_messages);
    if (argc > 1 && strcmp(argv[1], "--expect-hazard") == 0) return judge_expecting_hazard(code);
    return code == PROMISE_KEPT ? 0 : 1;
}
