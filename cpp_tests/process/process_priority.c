/*
 * The pool yields to the host by default, and runs like it when asked to; the host's own threads, and the one that
 * calls back into the host, are never changed.
 *
 *   process_priority SCENARIO
 */
#include "support/jobs.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>

/* ioprio_set(2): a class in the upper bits, a level from 0 to 7 in the lower. The C library has no names for these. */
enum { OF_ONE_THREAD = 1, CLASS_SHIFT = 13, BEST_EFFORT = 2, LOWEST_LEVEL = 7, BACKGROUND_NICE = 10 };

typedef struct {
    int nice, io;
} priority;

static priority priority_of(pid_t tid) {
    priority p;
    errno = 0;
    p.nice = getpriority(PRIO_PROCESS, (id_t)tid);
    CHECK(errno == 0);
    p.io = (int)syscall(SYS_ioprio_get, OF_ONE_THREAD, tid);
    CHECK(p.io >= 0);
    return p;
}

static bool is(pid_t tid, priority wanted) {
    priority p = priority_of(tid);
    bool same = p.nice == wanted.nice && p.io == wanted.io;
    if (!same)
        dprintf(host_report_fd, "thread %d: nice %d, I/O %#x; wanted nice %d, I/O %#x\n", (int)tid, p.nice, p.io,
                wanted.nice, wanted.io);
    return same;
}

static _Atomic pid_t callback_thread;

static void remember_callback_thread(lb_job *job, const lb_progress *progress, void *unused) {
    (void)job, (void)progress, (void)unused;
    atomic_store(&callback_thread, thread_id());
}

static atomic_bool finished;
static _Atomic pid_t other_thread;

static void *idle_until_finished(void *unused) {
    atomic_store(&other_thread, thread_id());
    WAIT_FOR(atomic_load(&finished));
    return unused;
}

static lb_job *start_job_with_callbacks(const char *directory) {
    lb_job *job = start_held_with_callbacks(directory, remember_callback_thread);
    WAIT_FOR(atomic_load(&callback_thread) != 0);
    return job;
}

static bool is_called(pid_t tid, const char *name) {
    char path[64], found[32] = "";
    snprintf(path, sizeof path, "/proc/self/task/%d/comm", (int)tid);
    FILE *file = fopen(path, "re");
    CHECK(file != NULL && fgets(found, sizeof found, file) != NULL && fclose(file) == 0);
    return strncmp(found, name, strlen(name)) == 0;
}

/* Whether a thread of each kind has come up: it names itself when it first runs. */
static bool pool_is_up(int mark) {
    static const char *const kinds[] = {"lb-root", "lb-pool-", "lb-job-", "lb-sync-"};
    enum { KINDS = sizeof kinds / sizeof *kinds };
    int found = 0;
    task_list all = tasks();
    for (int kind = 0; kind < KINDS; kind++)
        for (int i = 0; i < all.count; i++)
            if (!lives_in_host_table(all.tids[i], mark) && is_called(all.tids[i], kinds[kind])) {
                found++;
                break;
            }
    return found == KINDS;
}

/* Every thread in the private table is of the pool; every other one is the host's or calls back into it. */
static void pool_is(priority of_pool, priority of_host) {
    int mark = open_mark();
    WAIT_FOR(pool_is_up(mark));
    task_list all = tasks();
    for (int i = 0; i < all.count; i++)
        CHECK(is(all.tids[i], lives_in_host_table(all.tids[i], mark) ? of_host : of_pool));
    CHECK(lives_in_host_table(atomic_load(&callback_thread), mark));
    CHECK(close(mark) == 0);
}

static void run_with(const char *directory, priority of_pool, priority of_host) {
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, idle_until_finished, NULL) == 0);
    WAIT_FOR(atomic_load(&other_thread) != 0);
    lb_job *job = start_job_with_callbacks(directory);
    pool_is(of_pool, of_host);
    CHECK_STATUS(lb_backup_set_rate(job, 0), LB_STATUS_OK);
    JOIN(job, LB_STATUS_OK);
    pool_is(of_pool, of_host);
    CHECK_STATUS(lb_shutdown(UINT32_MAX), LB_STATUS_OK);
    CHECK(is(thread_id(), of_host) && is(atomic_load(&other_thread), of_host));
    atomic_store(&finished, true);
    CHECK(pthread_join(thread, NULL) == 0);
}

static void background_by_default(const char *directory) {
    priority of_host = priority_of(thread_id()), of_pool;
    of_pool.nice = of_host.nice > BACKGROUND_NICE ? of_host.nice : BACKGROUND_NICE;
    of_pool.io = BEST_EFFORT << CLASS_SHIFT | LOWEST_LEVEL;
    run_with(directory, of_pool, of_host);
}

static void normal_when_asked(const char *directory) {
    priority of_host = priority_of(thread_id());
    lb_config config = {0};
    config.struct_size = sizeof config;
    config.priority = LB_PRIORITY_NORMAL;
    CHECK_STATUS(lb_configure(&config, NULL), LB_STATUS_OK);
    run_with(directory, of_host, of_host);
}

/* A host that is itself niced below the background: the pool does not get ahead of it. */
static void never_ahead_of_the_host(const char *directory) {
    CHECK(setpriority(PRIO_PROCESS, 0, 15) == 0);
    background_by_default(directory);
}

int main(int argc, char **argv) {
    static const scenario table[] = {
        {"background-by-default", background_by_default},
        {"normal-when-asked", normal_when_asked},
        {"never-ahead-of-the-host", never_ahead_of_the_host},
    };
    return run_named_scenario(argc > 1 ? argv[1] : "", table, sizeof table / sizeof *table);
}
