/*
 * How the C tests talk to the library: starting, holding, ending and joining jobs, with every status checked.
 */
#ifndef LB_TEST_JOBS_H
#define LB_TEST_JOBS_H

#include "host.h"

#include <lb_backup.h>

#define CHECK_STATUS(call, wanted)                                                                               \
    do {                                                                                                         \
        lb_status check_status_ = (call);                                                                        \
        if (check_status_ != (wanted)) {                                                                         \
            dprintf(host_report_fd, "%s:%d: %s gave %s, not %s\n", __FILE__, __LINE__, #call,                    \
                    lb_status_name(check_status_), lb_status_name(wanted));                                      \
            _exit(TROUBLE);                                                                                      \
        }                                                                                                        \
    } while (0)

/* A job gets to its middle at the first rate, and stands still for hours at the second. */
enum { SLOW_BYTES_PER_SECOND = 524288, HELD_BYTES_PER_SECOND = 1, SMALLEST_CHUNK = 65536 };

/* Enough rows of a kibibyte to hold a job in the middle of them. */
enum { ROWS_TO_HOLD = 8192 };

static inline lb_backup_options backup_options(void) {
    lb_backup_options options = {0};
    options.struct_size = sizeof options;
    return options;
}

static inline lb_backup_options slow_options(void) {
    lb_backup_options options = backup_options();
    options.chunk_size = SMALLEST_CHUNK;
    options.max_bytes_per_second = SLOW_BYTES_PER_SECOND;
    return options;
}

static inline lb_job *start_backup(const char *source, const char *destination, const lb_backup_options *options) {
    lb_job *job = NULL;
    lb_error error = {0};
    error.struct_size = sizeof error;
    lb_status status = lb_backup_start(source, destination, options, &job, &error);
    if (status != LB_STATUS_OK) dprintf(host_report_fd, "lb_backup_start: %s\n", error.message);
    CHECK_STATUS(status, LB_STATUS_OK);
    CHECK(job != NULL);
    return job;
}

static inline lb_progress progress_of(const lb_job *job) {
    lb_progress progress = {0};
    progress.struct_size = sizeof progress;
    CHECK_STATUS(lb_backup_progress(job, &progress), LB_STATUS_OK);
    return progress;
}

static inline bool has_ended(const lb_job *job) { return progress_of(job).state >= LB_JOB_STATE_SUCCEEDED; }

/*
 * Waits until bytes of the image have gone into the archive, and stops the job there. It is let go by
 * lb_backup_set_rate or ended by lb_backup_cancel.
 */
static inline void hold_in_the_middle(lb_job *job) {
    WAIT_FOR(progress_of(job).bytes_done > 0 || has_ended(job));
    CHECK_STATUS(lb_backup_set_rate(job, HELD_BYTES_PER_SECOND), LB_STATUS_OK);
    CHECK(progress_of(job).state == LB_JOB_STATE_RUNNING);
}

/* A job, with the options of slow_options(), that is held in the middle of its copy. */
static inline lb_job *start_held(const char *source, const char *destination, lb_backup_options options) {
    lb_job *job = start_backup(source, destination, &options);
    hold_in_the_middle(job);
    return job;
}

/* A job that is held and calls back every millisecond: every thread of the library is up and alive meanwhile. */
static inline lb_job *start_held_with_callbacks(const char *directory, lb_progress_fn on_progress) {
    host_path source = path_in(directory, "game.db"), destination = path_in(directory, "copy.db.zst");
    sqlite3 *db = host_create(source.s, "WAL", ROWS_TO_HOLD);
    CHECK(sqlite3_close(db) == SQLITE_OK);
    lb_backup_options options = slow_options();
    options.on_progress = on_progress;
    options.progress_interval_ms = 1;
    return start_held(source.s, destination.s, options);
}

/* Joins a job, which must have ended as said. */
#define JOIN(job, wanted)                                                                         \
    do {                                                                                          \
        lb_result join_result_ = {0};                                                             \
        join_result_.struct_size = sizeof join_result_;                                           \
        lb_status join_status_ = lb_backup_join((job), &join_result_);                            \
        if (join_status_ != (wanted)) dprintf(host_report_fd, "the job: %s\n", join_result_.message); \
        CHECK_STATUS(join_status_, (wanted));                                                     \
        CHECK(join_result_.status == (wanted));                                                   \
    } while (0)

#endif
