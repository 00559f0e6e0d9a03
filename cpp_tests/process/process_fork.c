/*
 * fork(2) copies one thread and no other: a child of a process that has used the library cannot use it, is told so by
 * every call, and harms nothing.
 *
 *   process_fork SCENARIO
 *   process_fork --use-afresh SOURCE DESTINATION    what a child executes
 */
#include "support/jobs.h"

#include <pthread.h>
#include <stdatomic.h>

/*
 * LeakSanitizer asks this at exit, where there is one. In a child, what the threads that are not there had allocated
 * has no owner: not a leak, but fork(2).
 */
static bool is_child;
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void) { return is_child; }

typedef struct {
    host_path source, destination;
} places;

static places new_places(const char *directory) {
    places p = {path_in(directory, "game.db"), path_in(directory, "copy.db")};
    sqlite3 *db = host_create(p.source.s, "WAL", ROWS_TO_HOLD);
    CHECK(sqlite3_close(db) == SQLITE_OK);
    return p;
}

static void every_call_says_wrong_process(const char *source, lb_job *job) {
    lb_job *new_job = (lb_job *)(uintptr_t)0x1234;
    lb_progress progress = {0};
    lb_result result = {0};
    lb_config config = {0};
    lb_error error = {0};
    size_t count = 0;
    progress.struct_size = sizeof progress;
    result.struct_size = sizeof result;
    config.struct_size = sizeof config;
    error.struct_size = sizeof error;
    CHECK_STATUS(lb_backup_start(source, "never.db", NULL, &new_job, &error), LB_STATUS_WRONG_PROCESS);
    CHECK(new_job == NULL);
    CHECK(error.status == LB_STATUS_WRONG_PROCESS && error.message[0] != '\0');
    lb_archive_info info = {0};
    info.struct_size = sizeof info;
    CHECK_STATUS(lb_restore_start(source, "never.db", NULL, &new_job, &error), LB_STATUS_WRONG_PROCESS);
    CHECK_STATUS(lb_verify_start(source, NULL, &new_job, &error), LB_STATUS_WRONG_PROCESS);
    CHECK(new_job == NULL);
    CHECK_STATUS(lb_backup_inspect(source, &info, &error), LB_STATUS_WRONG_PROCESS);
    CHECK_STATUS(lb_backup_progress(job, &progress), LB_STATUS_WRONG_PROCESS);
    CHECK_STATUS(lb_backup_cancel(job), LB_STATUS_WRONG_PROCESS);
    CHECK_STATUS(lb_backup_wait(job, UINT32_MAX), LB_STATUS_WRONG_PROCESS);
    CHECK_STATUS(lb_backup_set_rate(job, 1), LB_STATUS_WRONG_PROCESS);
    CHECK_STATUS(lb_backup_jobs(NULL, 0, &count), LB_STATUS_WRONG_PROCESS);
    CHECK_STATUS(lb_backup_join(job, &result), LB_STATUS_WRONG_PROCESS);
    CHECK_STATUS(lb_backup_release(job), LB_STATUS_WRONG_PROCESS);
    CHECK_STATUS(lb_configure(&config, NULL), LB_STATUS_WRONG_PROCESS);
    CHECK_STATUS(lb_shutdown(UINT32_MAX), LB_STATUS_WRONG_PROCESS);
    CHECK(lb_version() != NULL && lb_abi_version() == LB_ABI_VERSION);
    CHECK(strstr(lb_status_message(LB_STATUS_WRONG_PROCESS), "forked") != NULL);
}

/* Forks a child that tries every call and leaves: by _exit, or by exit with all that exit runs. */
static pid_t fork_child(const char *source, lb_job *job, bool by_exit) {
    pid_t child = fork();
    CHECK(child >= 0);
    if (child != 0) return child;
    is_child = true;
    every_call_says_wrong_process(source, job);
    if (by_exit) exit(PROMISE_KEPT);
    _exit(PROMISE_KEPT);
}

static void let_go_and_check(lb_job *job, const char *destination) {
    CHECK(progress_of(job).state == LB_JOB_STATE_RUNNING);
    CHECK_STATUS(lb_backup_set_rate(job, 0), LB_STATUS_OK);
    JOIN(job, LB_STATUS_OK);
    CHECK(is_sound_copy(destination, ROWS_TO_HOLD));
}

static void child_gets_wrong_process(const char *directory) {
    places p = new_places(directory);
    lb_job *job = start_held(p.source.s, p.destination.s, slow_options());
    CHECK(wait_for_child(fork_child(p.source.s, job, false)) == PROMISE_KEPT);
    CHECK(wait_for_child(fork_child(p.source.s, job, true)) == PROMISE_KEPT);
    let_go_and_check(job, p.destination.s);
}

static void grandchild_gets_wrong_process(const char *directory) {
    places p = new_places(directory);
    lb_job *job = start_held(p.source.s, p.destination.s, slow_options());
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) _exit(wait_for_child(fork_child(p.source.s, job, true)));
    CHECK(wait_for_child(child) == PROMISE_KEPT);
    let_go_and_check(job, p.destination.s);
}

static int use_afresh(const char *source, const char *destination) {
    lb_job *job = start_backup(source, destination, NULL);
    JOIN(job, LB_STATUS_OK);
    return is_sound_copy(destination, ROWS_TO_HOLD) ? 0 : TROUBLE;
}

static void child_may_exec(const char *directory) {
    places p = new_places(directory);
    host_path program = own_program(), other = path_in(directory, "other.db");
    lb_job *job = start_held(p.source.s, p.destination.s, slow_options());
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        execl(program.s, program.s, "--use-afresh", p.source.s, other.s, (char *)NULL);
        _exit(TROUBLE);
    }
    CHECK(wait_for_child(child) == 0);
    let_go_and_check(job, p.destination.s);
}

/* A prefork server: nothing was used before the fork, so parent and child are two ordinary users. */
static void forked_before_first_use(const char *directory) {
    places p = new_places(directory);
    host_path other = path_in(directory, "other.db");
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) exit(use_afresh(p.source.s, other.s));
    CHECK(use_afresh(p.source.s, p.destination.s) == 0);
    CHECK(wait_for_child(child) == 0);
}

static atomic_bool finished;

typedef struct {
    host_path source, home;
} busy_place;

/* Keeps every lock of the library in use. */
static void *start_and_join(void *argument) {
    const busy_place *place = argument;
    for (int i = 0; !atomic_load(&finished); i++) {
        char name[32];
        snprintf(name, sizeof name, "%d.db", i);
        host_path destination = path_in(place->home.s, name);
        lb_job *job = start_backup(place->source.s, destination.s, NULL);
        JOIN(job, LB_STATUS_OK);
        CHECK(unlink(destination.s) == 0);
    }
    return NULL;
}

enum { FORKS = 100, BUSY_THREADS = 2 };

/* A child inherits every mutex as it was: locked for ever, if a thread that is not there held it. */
static void forks_at_any_moment_do_not_hang(const char *directory) {
    places p = new_places(directory);
    busy_place place[BUSY_THREADS];
    pthread_t threads[BUSY_THREADS];
    lb_job *job = start_held(p.source.s, p.destination.s, slow_options());
    host_path small = path_in(directory, "small.db");
    CHECK(sqlite3_close(host_create(small.s, "WAL", 16)) == SQLITE_OK);
    for (int i = 0; i < BUSY_THREADS; i++) {
        char name[16];
        snprintf(name, sizeof name, "busy-%d", i);
        place[i] = (busy_place){small, new_directory(directory, name)};
        CHECK(pthread_create(&threads[i], NULL, start_and_join, &place[i]) == 0);
    }
    for (int i = 0; i < FORKS; i++) CHECK(wait_for_child(fork_child(p.source.s, job, i % 2 == 0)) == PROMISE_KEPT);
    atomic_store(&finished, true);
    for (int i = 0; i < BUSY_THREADS; i++) CHECK(pthread_join(threads[i], NULL) == 0);
    let_go_and_check(job, p.destination.s);
}

int main(int argc, char **argv) {
    static const scenario table[] = {
        {"child-gets-wrong-process", child_gets_wrong_process},
        {"grandchild-gets-wrong-process", grandchild_gets_wrong_process},
        {"child-may-exec", child_may_exec},
        {"forked-before-first-use", forked_before_first_use},
        {"forks-at-any-moment-do-not-hang", forks_at_any_moment_do_not_hang},
    };
    if (argc == 4 && strcmp(argv[1], "--use-afresh") == 0) return use_afresh(argv[2], argv[3]);
    return run_named_scenario(argc > 1 ? argv[1] : "", table, sizeof table / sizeof *table);
}
