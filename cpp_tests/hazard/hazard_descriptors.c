/*
 * The host's descriptors are the host's: a hundred backups neither add one, nor take one, nor keep one alive.
 *
 *   hazard_descriptors SCENARIO [--expect-hazard]
 *
 * Exit codes as in hazard_rows.c. Two scenarios have no --expect-hazard twin. hundred-backups: when a job has ended,
 * its descriptors are closed in whichever table they were; in-mid-job shows them. closed-at-once: a library that shares
 * the host's table has no copies of the host's descriptors; it is the private table that could keep them.
 */
#include "support/jobs.h"

#include <poll.h>
#include <sys/file.h>
#include <sys/socket.h>

enum { BACKUPS = 100, PAIRS = 4, FILES = 4 };

typedef struct {
    int pipes[PAIRS][2];   /* read end, write end */
    int sockets[PAIRS][2]; /* both ends alike */
    int files[FILES];      /* each with a flock, which lives as long as the open file description */
    host_path file_names[FILES];
} belongings;

static belongings acquire(const char *directory) {
    belongings own;
    for (int i = 0; i < PAIRS; i++) CHECK(pipe2(own.pipes[i], O_CLOEXEC) == 0);
    for (int i = 0; i < PAIRS; i++) CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, own.sockets[i]) == 0);
    for (int i = 0; i < FILES; i++) {
        char name[16];
        snprintf(name, sizeof name, "file-%d", i);
        own.file_names[i] = path_in(directory, name);
        own.files[i] = open(own.file_names[i].s, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        CHECK(own.files[i] >= 0);
        CHECK(flock(own.files[i], LOCK_EX | LOCK_NB) == 0);
    }
    return own;
}

static bool passes(int from, int to, char sent) {
    char received = 0;
    return write(from, &sent, 1) == 1 && read(to, &received, 1) == 1 && received == sent;
}

static void all_work(const belongings *own, int round) {
    char byte = (char)('a' + round % 26), back = 0;
    for (int i = 0; i < PAIRS; i++) {
        PROMISE(passes(own->pipes[i][1], own->pipes[i][0], byte));
        PROMISE(passes(own->sockets[i][0], own->sockets[i][1], byte));
        PROMISE(passes(own->sockets[i][1], own->sockets[i][0], byte));
    }
    for (int i = 0; i < FILES; i++) {
        PROMISE(pwrite(own->files[i], &byte, 1, round) == 1);
        PROMISE(pread(own->files[i], &back, 1, round) == 1 && back == byte);
    }
}

/* No waiting: whoever else held the other end would keep it open. */
static bool at_end_of_file(int fd) {
    struct pollfd look = {fd, POLLIN, 0};
    char byte;
    return poll(&look, 1, 0) == 1 && (look.revents & POLLHUP) != 0 && read(fd, &byte, 1) == 0;
}

static bool lock_is_gone(const char *path) {
    int fd = open(path, O_RDWR | O_CLOEXEC);
    CHECK(fd >= 0);
    bool gone = flock(fd, LOCK_EX | LOCK_NB) == 0;
    CHECK(close(fd) == 0);
    return gone;
}

static void close_one_by_one(const belongings *own) {
    for (int i = 0; i < PAIRS; i++) {
        CHECK(close(own->pipes[i][1]) == 0);
        PROMISE(at_end_of_file(own->pipes[i][0]));
        CHECK(close(own->pipes[i][0]) == 0);
        CHECK(close(own->sockets[i][0]) == 0);
        PROMISE(at_end_of_file(own->sockets[i][1]));
        CHECK(close(own->sockets[i][1]) == 0);
    }
    for (int i = 0; i < FILES; i++) {
        CHECK(close(own->files[i]) == 0);
        PROMISE(lock_is_gone(own->file_names[i].s));
    }
}

static bool table_is(const descriptor_table *before) {
    descriptor_table now;
    read_descriptors(0, &now);
    return same_descriptors(before, &now);
}

/* Images and archives in turn; one in ten is cancelled, and one fails because its name has been taken meanwhile. */
static void back_up(const char *source, const char *backups, int round) {
    char name[32];
    snprintf(name, sizeof name, "%d%s", round, round % 2 == 0 ? ".db" : ".db.zst");
    host_path destination = path_in(backups, name);
    lb_backup_options options = slow_options();
    lb_job *job;
    switch (round % 10) {
        case 2:
            job = start_held(source, destination.s, options);
            CHECK_STATUS(lb_backup_cancel(job), LB_STATUS_OK);
            JOIN(job, LB_STATUS_CANCELLED);
            break;
        case 7:
            job = start_held(source, destination.s, options);
            write_file(destination.s, "");
            CHECK_STATUS(lb_backup_set_rate(job, 0), LB_STATUS_OK);
            JOIN(job, LB_STATUS_ALREADY_EXISTS);
            break;
        default:
            job = start_backup(source, destination.s, NULL);
            JOIN(job, LB_STATUS_OK);
    }
}

static void table_is_as_before(const char *directory) {
    host_path source = path_in(directory, "game.db"), backups = new_directory(directory, "backups");
    sqlite3 *db = host_create(source.s, "WAL", 2048);
    belongings own = acquire(directory);
    descriptor_table before;
    read_descriptors(0, &before);
    for (int round = 0; round < BACKUPS; round++) {
        back_up(source.s, backups.s, round);
        all_work(&own, round);
    }
    PROMISE(table_is(&before));
    close_one_by_one(&own);
    CHECK(sqlite3_close(db) == SQLITE_OK);
}

/* Also while a job has its own descriptors open. The fourth pair cannot be held: see hazard_rows.c. */
static void table_is_as_before_in_mid_job(const char *directory) {
    static const char *const modes[] = {"WAL", "WAL", "DELETE"};
    static const char *const names[] = {"copy.db", "copy.db.zst", "copy.db.zst"};
    for (int i = 0; i < 3; i++) {
        char name[16];
        snprintf(name, sizeof name, "game-%d", i);
        host_path home = new_directory(directory, name), source = path_in(home.s, "game.db");
        host_path destination = path_in(home.s, names[i]);
        sqlite3 *db = host_create(source.s, modes[i], ROWS_TO_HOLD);
        descriptor_table before;
        read_descriptors(0, &before);
        lb_job *job = start_held(source.s, destination.s, slow_options());
        PROMISE(table_is(&before));
        CHECK_STATUS(lb_backup_set_rate(job, 0), LB_STATUS_OK);
        JOIN(job, LB_STATUS_OK);
        PROMISE(table_is(&before));
        CHECK(sqlite3_close(db) == SQLITE_OK);
    }
}

/* Whether the same text can only mean the same open file. */
static bool is_unique(const char *target) {
    return (*target == '/' && strcmp(target, "/dev/null") != 0) || strncmp(target, "pipe:", 5) == 0 ||
           strncmp(target, "socket:", 7) == 0;
}

static bool is_among(const descriptor_table *table, const char *target) {
    for (int i = 0; i < table->count; i++)
        if (table->entries[i].number > STDERR_FILENO && strcmp(table->entries[i].target, target) == 0) return true;
    return false;
}

/* No thread of the I/O side holds what the host has open, standard error excepted, which it shares on purpose. */
static void library_holds_none_of(const descriptor_table *host_side) {
    int mark = open_mark(), isolated = 0;
    task_list all = tasks();
    for (int t = 0; t < all.count; t++) {
        descriptor_table table;
        if (lives_in_host_table(all.tids[t], mark)) continue;
        isolated++;
        read_descriptors(all.tids[t], &table);
        for (int i = 0; i < table.count; i++)
            if (table.entries[i].number != STDERR_FILENO && is_unique(table.entries[i].target))
                PROMISE(!is_among(host_side, table.entries[i].target));
    }
    CHECK(isolated > 0);
    CHECK(close(mark) == 0);
}

/*
 * What the host closes is closed: everything was open before the library's first use, when the private table is made;
 * the standard input and output too, which the I/O side replaces by /dev/null.
 */
static void closed_at_once(const char *directory) {
    host_path source = path_in(directory, "game.db"), destination = path_in(directory, "copy.db.zst");
    sqlite3 *db = host_create(source.s, "DELETE", ROWS_TO_HOLD);
    CHECK(sqlite3_close(db) == SQLITE_OK); /* the library will open the same path: not the host's descriptor */
    int input[2], output[2];
    belongings own = acquire(directory);
    CHECK(pipe2(input, O_CLOEXEC) == 0 && pipe2(output, O_CLOEXEC) == 0);
    CHECK(dup2(input[0], STDIN_FILENO) == 0 && dup2(output[1], STDOUT_FILENO) == 1);
    CHECK(close(input[0]) == 0 && close(output[1]) == 0);

    descriptor_table host_side;
    read_descriptors(0, &host_side);
    lb_job *job = start_held(source.s, destination.s, slow_options());
    library_holds_none_of(&host_side);
    all_work(&own, 0);
    close_one_by_one(&own);
    CHECK(close(STDOUT_FILENO) == 0);
    PROMISE(at_end_of_file(output[0]));
    struct pollfd look = {input[1], POLLOUT, 0};
    CHECK(close(STDIN_FILENO) == 0);
    PROMISE(poll(&look, 1, 0) == 1 && (look.revents & POLLERR) != 0); /* pipe(7): no reader is left */
    CHECK_STATUS(lb_backup_cancel(job), LB_STATUS_OK);
    JOIN(job, LB_STATUS_CANCELLED);
}

int main(int argc, char **argv) {
    static const scenario table[] = {
        {"hundred-backups", table_is_as_before},
        {"in-mid-job", table_is_as_before_in_mid_job},
        {"closed-at-once", closed_at_once},
    };
    bool expect_hazard = argc == 3 && strcmp(argv[2], "--expect-hazard") == 0;
    for (size_t i = 0; argc == 2 + expect_hazard && i < sizeof table / sizeof *table; i++) {
        if (strcmp(table[i].name, argv[1]) != 0) continue;
        int code = run_scenario(table[i].run);
        return expect_hazard ? judge_expecting_hazard(code) : code;
    }
    fprintf(stderr, "usage: %s SCENARIO [--expect-hazard]\n", argv[0]);
    return 2;
}
