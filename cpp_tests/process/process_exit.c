/*
 * A host that ends with a job running ends as it wanted to: with its own exit code, at once, leaving nothing.
 *
 *   process_exit WAY
 *   process_exit --leave WAY SOURCE DESTINATION held|locked    the host that ends
 *   process_exit --nothing                                     what it becomes by exec: exits with the same code
 */
#include "support/jobs.h"

#include <pthread.h>

enum { OWN_CODE = 7 };

/* ---- the host that ends ---- */

static void exit_from_callback(lb_job *job, const lb_progress *progress, void *unused) {
    (void)job, (void)unused;
    if (progress->bytes_done > 0 || progress->retries > 0) exit(OWN_CODE);
}

static void *exit_from_thread(void *unused) {
    (void)unused;
    exit(OWN_CODE);
}

static void shut_down_at_exit(void) { CHECK_STATUS(lb_shutdown(UINT32_MAX), LB_STATUS_OK); }

static sqlite3 *volatile host_db; /* open to the end; volatile, so that it is kept where a leak checker looks */

/* With the host's own lock in its way, if `locked`: a copy that cannot be held (see hazard_rows.c) can be kept waiting. */
static lb_job *start_unfinished(const char *source, const char *destination, lb_progress_fn callback, bool locked) {
    lb_backup_options options = slow_options();
    options.busy_timeout_ms = UINT32_MAX;
    options.on_progress = callback;
    options.progress_interval_ms = 1;
    if (locked) {
        host_db = host_open(source);
        host_exec(host_db, "BEGIN EXCLUSIVE");
    }
    return start_backup(source, destination, &options);
}

static int leave(const char *way, const char *source, const char *destination, bool locked) {
    if (strcmp(way, "exit-in-callback") == 0) {
        lb_job *job = start_unfinished(source, destination, exit_from_callback, locked);
        lb_backup_wait(job, UINT32_MAX);
        return TROUBLE;
    }
    if (strcmp(way, "exit-with-shutdown") == 0) CHECK(atexit(shut_down_at_exit) == 0);
    lb_job *job = start_unfinished(source, destination, NULL, locked);
    if (locked)
        WAIT_FOR(progress_of(job).retries > 0);
    else
        hold_in_the_middle(job);
    if (strcmp(way, "return") == 0) return OWN_CODE;
    if (strcmp(way, "exit") == 0 || strcmp(way, "exit-with-shutdown") == 0) exit(OWN_CODE);
    if (strcmp(way, "_exit") == 0) _exit(OWN_CODE);
    if (strcmp(way, "quick_exit") == 0) quick_exit(OWN_CODE);
    if (strcmp(way, "exit-in-thread") == 0) {
        pthread_t thread;
        CHECK(pthread_create(&thread, NULL, exit_from_thread, NULL) == 0);
        pthread_join(thread, NULL);
    }
    if (strcmp(way, "exec") == 0) {
        host_path program = own_program();
        execl(program.s, program.s, "--nothing", (char *)NULL);
    }
    return TROUBLE;
}

/* ---- what is seen from outside ---- */

/* Without O_TMPFILE (open(2)) a process that just stops leaves a hidden file, which the next job sweeps. */
static bool has_nameless_files(const char *directory) {
    int fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0) return false;
    close(fd);
    return true;
}

static bool nothing_is_left(const char *directory) {
    char name[NAME_MAX + 1] = "";
    int count = count_entries(directory, name);
    if (count == 0) return true;
    dprintf(host_report_fd, "left: %s\n", name);
    return !has_nameless_files(directory) && count == 1 && strncmp(name, ".lb_backup-", 11) == 0;
}

static const char *chosen_way;

static void leave_with_a_job_running(const char *directory) {
    static const char *const modes[] = {"WAL", "DELETE"}, *const names[] = {"copy.db", "copy.db.zst"};
    host_path program = own_program();
    for (int i = 0; i < 4; i++) {
        char name[16], said[256];
        snprintf(name, sizeof name, "%d", i);
        host_path home = new_directory(directory, name), backups = new_directory(home.s, "backups");
        host_path source = path_in(home.s, "game.db"), destination = path_in(backups.s, names[i % 2]);
        sqlite3 *db = host_create(source.s, modes[i / 2], ROWS_TO_HOLD);
        CHECK(sqlite3_close(db) == SQLITE_OK);
        char *state = i == 2 ? "locked" : "held";
        char *arguments[] = {program.s, "--leave", (char *)chosen_way, source.s, destination.s, state, NULL};
        int code = run_program(arguments, said, sizeof said);
        if (code != OWN_CODE) dprintf(host_report_fd, "%s, %s: exit code %d\n", modes[i / 2], names[i % 2], code);
        CHECK(code == OWN_CODE);
        CHECK(nothing_is_left(backups.s));
        CHECK(is_sound_copy(source.s, ROWS_TO_HOLD));
    }
}

int main(int argc, char **argv) {
    if (argc == 6 && strcmp(argv[1], "--leave") == 0)
        return leave(argv[2], argv[3], argv[4], strcmp(argv[5], "locked") == 0);
    if (argc == 2 && strcmp(argv[1], "--nothing") == 0) return OWN_CODE;
    if (argc != 2) return 2;
    chosen_way = argv[1];
    return run_scenario(leave_with_a_job_running) == PROMISE_KEPT ? 0 : 1;
}
