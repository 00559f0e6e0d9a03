/*
 * What the C tests share: a host program with its own SQLite, run in a process and a directory of its own.
 *
 * Nothing in here knows the library; see jobs.h for that. Every function reports trouble and ends the process: a test
 * goes on only while everything is as expected.
 */
#ifndef LB_TEST_HOST_H
#define LB_TEST_HOST_H

/* This header comes first in every file: pipe2, nftw, environ and gettid are GNU and Linux. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* The exit codes of a scenario. */
enum { PROMISE_KEPT = 0, TROUBLE = 1, HAZARD_STRUCK = 10 };

/* Against hanging only: nothing is expected to take a noticeable part of it, but for what runs under Valgrind. */
#ifndef LB_TEST_DEADLINE_SECONDS
#define LB_TEST_DEADLINE_SECONDS 120
#endif
enum { DEADLINE_SECONDS = LB_TEST_DEADLINE_SECONDS };

/* Where reports go; a scenario that closes its standard descriptors moves it away first. */
static int host_report_fd = STDERR_FILENO;

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            dprintf(host_report_fd, "%s:%d: not so: %s (errno %d)\n", __FILE__, __LINE__, #condition, errno); \
            _exit(TROUBLE);                                                                                  \
        }                                                                                                    \
    } while (0)

/* Like CHECK, for what the library promises about locks and descriptors: the exit code tells that the hazard struck. */
#define PROMISE(condition)                                                                          \
    do {                                                                                            \
        if (!(condition)) {                                                                         \
            dprintf(host_report_fd, "%s:%d: the hazard: not %s\n", __FILE__, __LINE__, #condition); \
            _exit(HAZARD_STRUCK);                                                                   \
        }                                                                                           \
    } while (0)

/* Polls a condition, which must come true before the deadline. */
#define WAIT_FOR(condition)                          \
    do {                                             \
        uint64_t wait_for_start_ = now_ms();         \
        while (!(condition)) {                       \
            CHECK(before_deadline(wait_for_start_)); \
            one_millisecond();                       \
        }                                            \
    } while (0)

static inline uint64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static inline bool before_deadline(uint64_t start_ms) { return now_ms() - start_ms < DEADLINE_SECONDS * 1000; }

static inline void one_millisecond(void) {
    struct timespec pause = {0, 1000000};
    nanosleep(&pause, NULL);
}

static inline pid_t thread_id(void) { return (pid_t)syscall(SYS_gettid); }

/* ---- files ---- */

typedef struct {
    char s[PATH_MAX];
} host_path;

static inline host_path path_in(const char *directory, const char *name) {
    host_path path;
    int length = snprintf(path.s, sizeof path.s, "%s/%s", directory, name);
    CHECK(length > 0 && (size_t)length < sizeof path.s);
    return path;
}

static inline host_path new_directory(const char *parent, const char *name) {
    host_path path = path_in(parent, name);
    CHECK(mkdir(path.s, 0700) == 0);
    return path;
}

static inline host_path own_program(void) {
    host_path path;
    ssize_t length = readlink("/proc/self/exe", path.s, sizeof path.s - 1);
    CHECK(length > 0);
    path.s[length] = '\0';
    return path;
}

static inline bool exists(const char *path) {
    struct stat unused;
    return lstat(path, &unused) == 0;
}

/* The entries of a directory, `.` and `..` left out; the name of the last one seen goes to `name` unless NULL. */
static inline int count_entries(const char *directory, char name[NAME_MAX + 1]) {
    DIR *stream = opendir(directory);
    CHECK(stream != NULL);
    int count = 0;
    for (struct dirent *entry; (entry = readdir(stream)) != NULL;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        if (name != NULL) snprintf(name, NAME_MAX + 1, "%s", entry->d_name);
        count++;
    }
    closedir(stream);
    return count;
}

static inline void write_file(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    CHECK(fd >= 0);
    CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    CHECK(close(fd) == 0);
}

/* The whole of a file, with a NUL after it, to be freed by the caller. */
static inline char *read_file(const char *path, size_t *out_size) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0);
    struct stat info;
    CHECK(fstat(fd, &info) == 0);
    size_t size = (size_t)info.st_size, done = 0;
    char *bytes = malloc(size + 1);
    CHECK(bytes != NULL);
    while (done < size) {
        ssize_t got = read(fd, bytes + done, size - done);
        CHECK(got > 0);
        done += (size_t)got;
    }
    bytes[size] = '\0';
    CHECK(close(fd) == 0);
    if (out_size != NULL) *out_size = size;
    return bytes;
}

static inline bool file_holds(const char *path, const char *text) {
    char *bytes = read_file(path, NULL);
    bool same = strcmp(bytes, text) == 0;
    free(bytes);
    return same;
}

/* ---- the host's SQLite ---- */

static inline int host_try(sqlite3 *db, const char *sql) { return sqlite3_exec(db, sql, NULL, NULL, NULL); }

static inline void host_exec(sqlite3 *db, const char *sql) {
    if (host_try(db, sql) == SQLITE_OK) return;
    dprintf(host_report_fd, "%s: %s\n", sql, sqlite3_errmsg(db));
    _exit(TROUBLE);
}

/* The first column of the first row, as text of at most `size` bytes. */
static inline void host_text(sqlite3 *db, const char *sql, char *out, size_t size) {
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK || sqlite3_step(statement) != SQLITE_ROW) {
        dprintf(host_report_fd, "%s: %s\n", sql, sqlite3_errmsg(db));
        _exit(TROUBLE);
    }
    snprintf(out, size, "%s", (const char *)sqlite3_column_text(statement, 0));
    sqlite3_finalize(statement);
}

static inline long host_int(sqlite3 *db, const char *sql) {
    char text[32];
    host_text(db, sql, text, sizeof text);
    return strtol(text, NULL, 10);
}

static inline sqlite3 *host_open(const char *path) {
    sqlite3 *db = NULL;
    CHECK(sqlite3_open(path, &db) == SQLITE_OK);
    return db;
}

/* Rows of one kibibyte that do not compress, the same in every run: a xorshift generator with a fixed seed. */
static inline void fill(sqlite3 *db, int rows) {
    sqlite3_stmt *insert = NULL;
    uint64_t state = 88172645463325252u, blob[128];
    host_exec(db, "BEGIN");
    CHECK(sqlite3_prepare_v2(db, "INSERT INTO t(payload) VALUES(?)", -1, &insert, NULL) == SQLITE_OK);
    for (int row = 0; row < rows; row++) {
        for (size_t i = 0; i < sizeof blob / sizeof *blob; i++) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            blob[i] = state;
        }
        CHECK(sqlite3_bind_blob(insert, 1, blob, sizeof blob, SQLITE_STATIC) == SQLITE_OK);
        CHECK(sqlite3_step(insert) == SQLITE_DONE);
        CHECK(sqlite3_reset(insert) == SQLITE_OK);
    }
    CHECK(sqlite3_finalize(insert) == SQLITE_OK);
    host_exec(db, "COMMIT");
}

/* A new database with `rows` rows in the table t, open in the host. */
static inline sqlite3 *host_create(const char *path, const char *journal_mode, int rows) {
    char sql[64], mode[32];
    sqlite3 *db = host_open(path);
    snprintf(sql, sizeof sql, "PRAGMA journal_mode=%s", journal_mode);
    host_text(db, sql, mode, sizeof mode);
    CHECK(strcasecmp(mode, journal_mode) == 0);
    host_exec(db, "CREATE TABLE t(id INTEGER PRIMARY KEY, payload BLOB)");
    fill(db, rows);
    return db;
}

/* A plain image with that many rows, whole. */
static inline bool is_sound_copy(const char *path, long rows) {
    char verdict[64];
    sqlite3 *db = host_open(path);
    host_text(db, "PRAGMA integrity_check", verdict, sizeof verdict);
    bool sound = strcmp(verdict, "ok") == 0 && host_int(db, "SELECT count(*) FROM t") == rows;
    CHECK(sqlite3_close(db) == SQLITE_OK);
    return sound;
}

/* ---- descriptors and threads ---- */

enum { MOST_DESCRIPTORS = 128, MOST_TASKS = 256 };

typedef struct {
    int count;
    struct {
        int number;
        char target[256];
    } entries[MOST_DESCRIPTORS];
} descriptor_table;

/* The descriptors of one thread of this process with what they lead to, by number; 0 is the calling thread. */
static inline void read_descriptors(pid_t tid, descriptor_table *table) {
    char directory[64];
    snprintf(directory, sizeof directory, "/proc/self/task/%d/fd", (int)(tid != 0 ? tid : thread_id()));
    memset(table, 0, sizeof *table);
    DIR *stream = opendir(directory);
    if (stream == NULL) return; /* the thread has ended meanwhile */
    for (struct dirent *entry; (entry = readdir(stream)) != NULL;) {
        char target[256];
        if (entry->d_name[0] == '.') continue;
        int number = atoi(entry->d_name);
        if (tid == 0 && number == dirfd(stream)) continue;
        ssize_t length = readlinkat(dirfd(stream), entry->d_name, target, sizeof target - 1);
        if (length < 0) continue;
        target[length] = '\0';
        CHECK(table->count < MOST_DESCRIPTORS);
        int at = table->count++;
        for (; at > 0 && table->entries[at - 1].number > number; at--) table->entries[at] = table->entries[at - 1];
        table->entries[at].number = number;
        memcpy(table->entries[at].target, target, sizeof target);
    }
    closedir(stream);
}

static inline bool same_descriptors(const descriptor_table *one, const descriptor_table *other) {
    bool same = one->count == other->count;
    for (int i = 0; same && i < one->count; i++)
        same = one->entries[i].number == other->entries[i].number &&
               strcmp(one->entries[i].target, other->entries[i].target) == 0;
    if (same) return true;
    for (int i = 0; i < one->count; i++)
        dprintf(host_report_fd, "  was %d -> %s\n", one->entries[i].number, one->entries[i].target);
    for (int i = 0; i < other->count; i++)
        dprintf(host_report_fd, "  is  %d -> %s\n", other->entries[i].number, other->entries[i].target);
    return false;
}

typedef struct {
    int count;
    pid_t tids[MOST_TASKS];
} task_list;

static inline task_list tasks(void) {
    task_list list = {0};
    DIR *stream = opendir("/proc/self/task");
    CHECK(stream != NULL);
    for (struct dirent *entry; (entry = readdir(stream)) != NULL;) {
        if (entry->d_name[0] == '.') continue;
        CHECK(list.count < MOST_TASKS);
        list.tids[list.count++] = (pid_t)atoi(entry->d_name);
    }
    closedir(stream);
    return list;
}

static inline bool has_task(const task_list *list, pid_t tid) {
    for (int i = 0; i < list->count; i++)
        if (list->tids[i] == tid) return true;
    return false;
}

/*
 * A descriptor by which the host's table is known: opened after the library's first use, under a number that nothing
 * else reaches, it is seen by exactly those threads that share the host's table.
 */
static inline int open_mark(void) {
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0);
    int mark = fcntl(fd, F_DUPFD_CLOEXEC, 500);
    CHECK(mark >= 500);
    CHECK(close(fd) == 0);
    return mark;
}

static inline bool lives_in_host_table(pid_t tid, int mark) {
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/fd/%d", (int)tid, mark);
    return exists(path);
}

/* ---- processes ---- */

/* Waits for a child; returns its exit code, or 128 and the number of the signal that killed it. */
static inline int wait_for_child(pid_t child) {
    int status = 0;
    while (waitpid(child, &status, 0) < 0) CHECK(errno == EINTR);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Runs another program to its end; what it prints goes to `out`. */
static inline int run_program(char *const arguments[], char *out, size_t size) {
    int ends[2];
    pid_t child;
    posix_spawn_file_actions_t actions;
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    CHECK(posix_spawn_file_actions_init(&actions) == 0);
    CHECK(posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO) == 0);
    CHECK(posix_spawn(&child, arguments[0], &actions, NULL, arguments, environ) == 0);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    size_t done = 0;
    for (ssize_t got; done + 1 < size && (got = read(ends[0], out + done, size - 1 - done)) > 0;) done += (size_t)got;
    out[done] = '\0';
    close(ends[0]);
    return wait_for_child(child);
}

/* ---- a scenario: a function run in a process and a directory of its own ---- */

typedef struct {
    const char *name;
    void (*run)(const char *directory);
} scenario;

static inline int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *walk) {
    (void)info, (void)kind, (void)walk;
    return remove(path);
}

/* Whether the child has ended before the deadline; it is not reaped, so that its number stays taken. */
static inline bool ended_in_time(pid_t child) {
    for (uint64_t start = now_ms(); before_deadline(start); one_millisecond()) {
        siginfo_t info = {0};
        if (waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == child) return true;
    }
    return false;
}

/*
 * Runs a scenario. Whatever becomes of it, its processes are ended and its directory is removed. The process that runs
 * it has not used the library before.
 */
static inline int run_scenario(void (*run)(const char *directory)) {
    const char *temporary = getenv("TMPDIR");
    host_path directory = path_in(temporary != NULL && *temporary != '\0' ? temporary : "/tmp", "lb_host_XXXXXX");
    CHECK(mkdtemp(directory.s) != NULL);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        CHECK(setpgid(0, 0) == 0);
        run(directory.s);
        exit(PROMISE_KEPT);
    }
    bool in_time = ended_in_time(child);
    kill(child, SIGKILL);
    kill(-child, SIGKILL);
    int code = wait_for_child(child);
    nftw(directory.s, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    if (!in_time) dprintf(host_report_fd, "hangs: not done after %d s\n", (int)DEADLINE_SECONDS);
    if (code > 128) dprintf(host_report_fd, "killed by signal %d (%s)\n", code - 128, strsignal(code - 128));
    return code;
}

/* For a library whose protection was switched off: now the hazard is the success. */
static inline int judge_expecting_hazard(int code) {
    if (code == HAZARD_STRUCK) return 0;
    if (code != PROMISE_KEPT) return code;
    fprintf(stderr, "the hazard did not strike: this test would not notice it\n");
    return TROUBLE;
}

/* The body of a main function whose first argument names the scenario. */
static inline int run_named_scenario(const char *name, const scenario *table, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(table[i].name, name) == 0) return run_scenario(table[i].run) == PROMISE_KEPT ? 0 : 1;
    fprintf(stderr, "no scenario is called %s\n", name);
    return 2;
}

#endif
