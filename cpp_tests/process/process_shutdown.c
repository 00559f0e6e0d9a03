/*
 * lb_shutdown: every job ends as cancelled and is told so once, every thread is gone, and a later start begins afresh.
 *
 *   process_shutdown SCENARIO
 */
#include "support/jobs.h"

#include <pthread.h>
#include <stdatomic.h>

enum { RUNNING = 2, JOBS = 5 };

typedef struct {
    atomic_int completions;
    atomic_int outcome;
    atomic_int calls_after_completion;
} told;

static void on_progress(lb_job *job, const lb_progress *progress, void *user_data) {
    told *t = user_data;
    (void)job, (void)progress;
    if (atomic_load(&t->completions) > 0) atomic_fetch_add(&t->calls_after_completion, 1);
}

static void on_complete(lb_job *job, const lb_result *result, void *user_data) {
    told *t = user_data;
    (void)job;
    atomic_store(&t->outcome, result->status);
    atomic_fetch_add(&t->completions, 1);
}

static bool told_once(const told *t, lb_status status) {
    return atomic_load(&t->completions) == 1 && atomic_load(&t->outcome) == status &&
           atomic_load(&t->calls_after_completion) == 0;
}

typedef struct {
    host_path source, backups;
    int threads; /* before the library's first use */
    descriptor_table descriptors;
} before_all;

static before_all prepare(const char *directory) {
    before_all b = {.source = path_in(directory, "game.db"), .backups = new_directory(directory, "backups")};
    sqlite3 *db = host_create(b.source.s, "WAL", ROWS_TO_HOLD);
    CHECK(sqlite3_close(db) == SQLITE_OK);
    b.threads = tasks().count;
    read_descriptors(0, &b.descriptors);
    return b;
}

static host_path numbered(const before_all *b, int number) {
    char name[32];
    snprintf(name, sizeof name, "%d%s", number, number % 2 == 0 ? ".db" : ".db.zst");
    return path_in(b->backups.s, name);
}

/* A thread that has been joined can be seen in /proc for another moment: the kernel wakes the joiner first. */
static void all_is_as_before(const before_all *b) {
    descriptor_table now;
    WAIT_FOR(tasks().count == b->threads);
    read_descriptors(0, &now);
    CHECK(same_descriptors(&b->descriptors, &now));
}

static void a_later_start_works(const before_all *b) {
    host_path destination = path_in(b->backups.s, "later.db");
    lb_job *job = start_backup(b->source.s, destination.s, NULL);
    JOIN(job, LB_STATUS_OK);
    CHECK(is_sound_copy(destination.s, ROWS_TO_HOLD));
    CHECK_STATUS(lb_shutdown(UINT32_MAX), LB_STATUS_OK);
    all_is_as_before(b);
}

static void configure(uint32_t most_jobs) {
    lb_config config = {0};
    config.struct_size = sizeof config;
    config.max_concurrent_jobs = most_jobs;
    CHECK_STATUS(lb_configure(&config, NULL), LB_STATUS_OK);
}

static size_t open_handles(void) {
    size_t count = 0;
    CHECK_STATUS(lb_backup_jobs(NULL, 0, &count), LB_STATUS_OK);
    return count;
}

/* Two of them run, the others wait in the queue. */
static void start_all(const before_all *b, lb_job *jobs[JOBS], told reports[JOBS]) {
    for (int i = 0; i < JOBS; i++) {
        lb_backup_options options = slow_options();
        options.user_data = &reports[i];
        options.on_progress = on_progress;
        options.on_complete = on_complete;
        jobs[i] = start_backup(b->source.s, numbered(b, i).s, &options);
        if (i < RUNNING) hold_in_the_middle(jobs[i]);
    }
    for (int i = RUNNING; i < JOBS; i++) CHECK(progress_of(jobs[i]).state == LB_JOB_STATE_QUEUED);
}

static void ends_running_and_queued_jobs(const char *directory) {
    static told reports[JOBS];
    lb_job *jobs[JOBS];
    before_all b = prepare(directory);
    configure(RUNNING);
    start_all(&b, jobs, reports);
    CHECK_STATUS(lb_shutdown(UINT32_MAX), LB_STATUS_OK);
    for (int i = 0; i < JOBS; i++) CHECK(told_once(&reports[i], LB_STATUS_CANCELLED));
    all_is_as_before(&b);
    CHECK(count_entries(b.backups.s, NULL) == 0);

    CHECK(open_handles() == JOBS);
    for (int i = 0; i < JOBS; i++) {
        CHECK(progress_of(jobs[i]).state == LB_JOB_STATE_CANCELLED);
        JOIN(jobs[i], LB_STATUS_CANCELLED);
        CHECK_STATUS(lb_backup_join(jobs[i], NULL), LB_STATUS_INVALID_HANDLE);
    }
    CHECK(open_handles() == 0);
    all_is_as_before(&b);
    a_later_start_works(&b);
}

static void released_jobs_are_told_too(const char *directory) {
    static told reports[JOBS];
    lb_job *jobs[JOBS];
    before_all b = prepare(directory);
    configure(RUNNING);
    start_all(&b, jobs, reports);
    for (int i = 0; i < JOBS; i++) CHECK_STATUS(lb_backup_release(jobs[i]), LB_STATUS_OK);
    CHECK_STATUS(lb_shutdown(UINT32_MAX), LB_STATUS_OK);
    for (int i = 0; i < JOBS; i++) CHECK(told_once(&reports[i], LB_STATUS_CANCELLED));
    all_is_as_before(&b);
    a_later_start_works(&b);
}

static void handles_of_the_last_run_stay_apart_from_the_next(const char *directory) {
    before_all b = prepare(directory);
    lb_job *old = start_held(b.source.s, numbered(&b, 0).s, slow_options());
    CHECK_STATUS(lb_shutdown(UINT32_MAX), LB_STATUS_OK);
    lb_job *new = start_held(b.source.s, numbered(&b, 1).s, slow_options());
    CHECK(old != new);
    CHECK_STATUS(lb_backup_cancel(old), LB_STATUS_OK);
    CHECK(progress_of(new).state == LB_JOB_STATE_RUNNING);
    JOIN(old, LB_STATUS_CANCELLED);
    CHECK_STATUS(lb_backup_set_rate(new, 0), LB_STATUS_OK);
    JOIN(new, LB_STATUS_OK);
}

static void without_use_is_ok(const char *directory) {
    before_all b = prepare(directory);
    for (int i = 0; i < 3; i++) CHECK_STATUS(lb_shutdown(0), LB_STATUS_OK);
    all_is_as_before(&b);
    a_later_start_works(&b);
}

static void timeout_of_zero_asks_and_looks(const char *directory) {
    before_all b = prepare(directory);
    lb_job *job = start_held(b.source.s, numbered(&b, 0).s, slow_options());
    lb_status status = lb_shutdown(0);
    CHECK(status == LB_STATUS_OK || status == LB_STATUS_TIMED_OUT);
    WAIT_FOR((status = lb_shutdown(0)) != LB_STATUS_TIMED_OUT);
    CHECK_STATUS(status, LB_STATUS_OK);
    JOIN(job, LB_STATUS_CANCELLED);
    all_is_as_before(&b);
    a_later_start_works(&b);
}

static atomic_bool in_callback, callback_may_end;

static void on_complete_that_takes_long(lb_job *job, const lb_result *result, void *unused) {
    (void)job, (void)result, (void)unused;
    atomic_store(&in_callback, true);
    WAIT_FOR(atomic_load(&callback_may_end));
}

/* A callback that does not return holds it up for certain. */
static void unfinished_it_refuses_starts(const char *directory) {
    before_all b = prepare(directory);
    lb_backup_options options = slow_options();
    lb_job *refused = NULL;
    options.on_complete = on_complete_that_takes_long;
    lb_job *job = start_held(b.source.s, numbered(&b, 0).s, options);
    CHECK_STATUS(lb_shutdown(0), LB_STATUS_TIMED_OUT);
    WAIT_FOR(atomic_load(&in_callback));
    CHECK_STATUS(lb_shutdown(1), LB_STATUS_TIMED_OUT);
    CHECK_STATUS(lb_backup_start(b.source.s, numbered(&b, 1).s, NULL, &refused, NULL), LB_STATUS_SHUT_DOWN);
    CHECK(refused == NULL);
    atomic_store(&callback_may_end, true);
    CHECK_STATUS(lb_shutdown(UINT32_MAX), LB_STATUS_OK);
    JOIN(job, LB_STATUS_CANCELLED);
    all_is_as_before(&b);
    a_later_start_works(&b);
}

static void *join_elsewhere(void *job) {
    JOIN(job, LB_STATUS_CANCELLED);
    return NULL;
}

static void *shut_down_elsewhere(void *unused) {
    CHECK_STATUS(lb_shutdown(UINT32_MAX), LB_STATUS_OK);
    return unused;
}

static void waiting_threads_are_woken(const char *directory) {
    enum { THREADS = 4 };
    pthread_t joiner, closers[THREADS];
    before_all b = prepare(directory);
    lb_job *job = start_held(b.source.s, numbered(&b, 0).s, slow_options());
    CHECK(pthread_create(&joiner, NULL, join_elsewhere, job) == 0);
    for (int i = 0; i < THREADS; i++) CHECK(pthread_create(&closers[i], NULL, shut_down_elsewhere, NULL) == 0);
    CHECK(pthread_join(joiner, NULL) == 0);
    for (int i = 0; i < THREADS; i++) CHECK(pthread_join(closers[i], NULL) == 0);
    all_is_as_before(&b);
    a_later_start_works(&b);
}

static void fifty_times_over(const char *directory) {
    before_all b = prepare(directory);
    for (int i = 0; i < 50; i++) {
        lb_job *job = start_backup(b.source.s, numbered(&b, 0).s, NULL);
        CHECK_STATUS(lb_shutdown(UINT32_MAX), LB_STATUS_OK);
        all_is_as_before(&b);
        lb_status outcome = lb_backup_join(job, NULL);
        CHECK(outcome == LB_STATUS_CANCELLED || outcome == LB_STATUS_OK);
        CHECK(exists(numbered(&b, 0).s) == (outcome == LB_STATUS_OK));
        unlink(numbered(&b, 0).s);
    }
}

int main(int argc, char **argv) {
    static const scenario table[] = {
        {"ends-running-and-queued-jobs", ends_running_and_queued_jobs},
        {"released-jobs-are-told-too", released_jobs_are_told_too},
        {"handles-of-the-last-run-stay-apart", handles_of_the_last_run_stay_apart_from_the_next},
        {"without-use-is-ok", without_use_is_ok},
        {"timeout-of-zero-asks-and-looks", timeout_of_zero_asks_and_looks},
        {"unfinished-it-refuses-starts", unfinished_it_refuses_starts},
        {"waiting-threads-are-woken", waiting_threads_are_woken},
        {"fifty-times-over", fifty_times_over},
    };
    return run_named_scenario(argc > 1 ? argv[1] : "", table, sizeof table / sizeof *table);
}
