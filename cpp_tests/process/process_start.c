/*
 * A start that fails: the system refuses the library a priority, which it logs, and then a thread; or the thread alone.
 *
 *   process_start SCENARIO
 *
 * This program's setpriority and pthread_create come before the C library's.
 */
#include "support/jobs.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>

enum {
    CALLBACK_THREAD = 1,
    REFUSED_THREAD = 5 /* one of the pool: the callback thread, the root and others are there */
};

static atomic_bool armed, is_logging, may_return;
/* The callback thread does not begin before it may return, and nothing is logged. */
static atomic_bool holds_thread;
static atomic_int threads;
static atomic_int asked_in_log = -1;

int setpriority(__priority_which_t which, id_t who, int priority) {
    (void)which, (void)who, (void)priority;
    errno = EPERM;
    return -1;
}

static struct {
    void *(*body)(void *);
    void *argument;
} held;

static void *held_body(void *nothing) {
    (void)nothing;
    WAIT_FOR(atomic_load(&may_return));
    return held.body(held.argument);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*body)(void *), void *argument) {
    int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    *(void **)&real = dlsym(RTLD_NEXT, "pthread_create");
    int number = atomic_load(&armed) ? atomic_fetch_add(&threads, 1) + 1 : 0;
    if (number == CALLBACK_THREAD && atomic_load(&holds_thread)) {
        held.body = body;
        held.argument = argument;
        return real(thread, attributes, held_body, NULL);
    }
    if (number == REFUSED_THREAD) {
        WAIT_FOR(atomic_load(&is_logging) || atomic_load(&holds_thread));
        return EAGAIN;
    }
    return real(thread, attributes, body, argument);
}

static void on_log(uint32_t level, const char *message, void *nowhere) {
    lb_archive_info info = {0};
    info.struct_size = sizeof info;
    (void)level, (void)message;
    if (atomic_exchange(&is_logging, true)) return;
    atomic_store(&asked_in_log, (int)lb_backup_inspect(nowhere, &info, NULL));
}

/* A new database, and a start of its backup that fails, with this configuration. */
static void fail_a_start(const char *source, const char *destination, const lb_config *config) {
    sqlite3 *db = host_create(source, "WAL", 10);
    lb_job *job = NULL;
    CHECK(sqlite3_close(db) == SQLITE_OK);
    CHECK_STATUS(lb_configure(config, NULL), LB_STATUS_OK);
    atomic_store(&armed, true);
    CHECK_STATUS(lb_backup_start(source, destination, NULL, &job, NULL), LB_STATUS_OUT_OF_MEMORY);
    CHECK(job == NULL && !exists(destination));
}

/* The log function may call anything, also what waits for the start that is logged. */
static void that_fails_does_not_wait_for_the_log_function(const char *directory) {
    host_path nowhere = path_in(directory, "nowhere.db");
    host_path source = path_in(directory, "game.db"), destination = path_in(directory, "new.db");
    lb_config config = {0};
    config.struct_size = sizeof config;
    config.on_log = on_log;
    config.user_data = nowhere.s;
    int threads_before = tasks().count;
    fail_a_start(source.s, destination.s, &config);
    WAIT_FOR(atomic_load(&asked_in_log) == LB_STATUS_NOT_FOUND);

    JOIN(start_backup(source.s, destination.s, NULL), LB_STATUS_OK);
    CHECK(is_sound_copy(destination.s, 10));
    CHECK_STATUS(lb_shutdown(UINT32_MAX), LB_STATUS_OK);
    WAIT_FOR(tasks().count == threads_before);
}

static void on_held_log(uint32_t level, const char *message, void *nowhere) {
    (void)level, (void)message, (void)nowhere;
    atomic_store(&is_logging, true);
    WAIT_FOR(atomic_load(&may_return));
}

static void on_complete(lb_job *job, const lb_result *result, void *completed) {
    (void)job, (void)result;
    atomic_store((atomic_bool *)completed, true);
}

/* Callbacks come one at a time, and none of an earlier configuration after lb_configure, also when a start has failed. */
static void that_fails_is_told_before_anything_else(const char *directory) {
    host_path source = path_in(directory, "game.db"), destination = path_in(directory, "new.db");
    atomic_bool completed = false;
    lb_config config = {0};
    lb_backup_options options = backup_options();
    config.struct_size = sizeof config;
    config.on_log = on_held_log;
    fail_a_start(source.s, destination.s, &config);
    CHECK_STATUS(lb_configure(NULL, NULL), LB_STATUS_BUSY);

    options.on_complete = on_complete;
    options.user_data = &completed;
    lb_job *job = start_backup(source.s, destination.s, &options);
    WAIT_FOR(has_ended(job));
    CHECK_STATUS(lb_backup_wait(job, 200), LB_STATUS_TIMED_OUT);
    CHECK(!atomic_load(&completed));
    CHECK_STATUS(lb_shutdown(0), LB_STATUS_TIMED_OUT);
    atomic_store(&may_return, true);
    JOIN(job, LB_STATUS_OK);
    CHECK(atomic_load(&completed));
    CHECK_STATUS(lb_shutdown(UINT32_MAX), LB_STATUS_OK);
    CHECK_STATUS(lb_configure(NULL, NULL), LB_STATUS_OK);
}

/* A log function that is not called, and will not be, is in nobody's way: however long its thread takes to end. */
static void that_fails_without_a_line_lets_configure(const char *directory) {
    host_path source = path_in(directory, "game.db"), destination = path_in(directory, "new.db");
    lb_config config = {0};
    config.struct_size = sizeof config;
    config.priority = LB_PRIORITY_NORMAL;
    config.on_log = on_held_log;
    atomic_store(&holds_thread, true);
    fail_a_start(source.s, destination.s, &config);
    CHECK_STATUS(lb_configure(NULL, NULL), LB_STATUS_OK);
    atomic_store(&may_return, true);
    CHECK_STATUS(lb_shutdown(UINT32_MAX), LB_STATUS_OK);
    CHECK(!atomic_load(&is_logging));
}

/* Of a start that failed there is as much to shut down as of one that did not. */
static void that_fails_is_shut_down_before_another(const char *directory) {
    host_path source = path_in(directory, "game.db"), destination = path_in(directory, "new.db");
    lb_config config = {0};
    lb_job *job = NULL;
    config.struct_size = sizeof config;
    config.on_log = on_held_log;
    fail_a_start(source.s, destination.s, &config);
    CHECK_STATUS(lb_shutdown(0), LB_STATUS_TIMED_OUT);
    CHECK_STATUS(lb_backup_start(source.s, destination.s, NULL, &job, NULL), LB_STATUS_SHUT_DOWN);
    CHECK(job == NULL && !exists(destination.s));
    CHECK_STATUS(lb_configure(NULL, NULL), LB_STATUS_BUSY);
    CHECK_STATUS(lb_shutdown(0), LB_STATUS_TIMED_OUT);
    atomic_store(&may_return, true);
    CHECK_STATUS(lb_shutdown(UINT32_MAX), LB_STATUS_OK);
    CHECK_STATUS(lb_configure(NULL, NULL), LB_STATUS_OK);
    JOIN(start_backup(source.s, destination.s, NULL), LB_STATUS_OK);
    CHECK(is_sound_copy(destination.s, 10));
    CHECK_STATUS(lb_shutdown(UINT32_MAX), LB_STATUS_OK);
}

int main(int argc, char **argv) {
    static const scenario table[] = {
        {"that-fails-does-not-wait-for-the-log-function", that_fails_does_not_wait_for_the_log_function},
        {"that-fails-is-told-before-anything-else", that_fails_is_told_before_anything_else},
        {"that-fails-without-a-line-lets-configure", that_fails_without_a_line_lets_configure},
        {"that-fails-is-shut-down-before-another", that_fails_is_shut_down_before_another},
    };
    return run_named_scenario(argc > 1 ? argv[1] : "", table, sizeof table / sizeof *table);
}
