/*
 * The examples of the C reference, run in the order in which they stand here.
 *
 *   snippets DIRECTORY     an empty one
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#include <lb_backup.h>
#include <sqlite3.h>

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int fail(const char *why) {
    fprintf(stderr, "%s\n", why);
    return 1;
}

//! [callbacks]
static void on_progress(lb_job *job, const lb_progress *progress, void *user_data) {
    (void)job;
    double *percent = user_data;
    *percent = progress->percent;
}

static void on_complete(lb_job *job, const lb_result *result, void *user_data) {
    (void)job, (void)user_data;
    printf("%s: %llu bytes\n", lb_status_name(result->status), (unsigned long long)result->archive_bytes);
}

static int back_up_with_callbacks(void) {
    double percent = 0;  // the callbacks' until the job is joined
    lb_backup_options options = {0};
    options.struct_size = sizeof options;
    options.user_data = &percent;
    options.on_progress = on_progress;
    options.on_complete = on_complete;
    lb_job *job;
    if (lb_backup_start("game.db", "monday.db.zst", &options, &job, NULL) != LB_STATUS_OK) return fail("refused");
    if (lb_backup_join(job, NULL) != LB_STATUS_OK) return fail("failed");
    return percent == 100 ? 0 : fail("not told of the end");
}
//! [callbacks]

//! [cancel]
static int back_up_unless(int (*no_longer_wanted)(void)) {
    lb_error error = {0};
    error.struct_size = sizeof error;
    lb_job *job;
    if (lb_backup_start("game.db", "cancelled.db", NULL, &job, &error) != LB_STATUS_OK) return fail(error.message);

    while (lb_backup_wait(job, 16) == LB_STATUS_TIMED_OUT) {
        if (no_longer_wanted()) lb_backup_cancel(job);  // at once; the handle is still ours
    }
    lb_status status = lb_backup_join(job, NULL);
    return status == LB_STATUS_OK || status == LB_STATUS_CANCELLED ? 0 : fail(lb_status_name(status));
}
//! [cancel]

//! [reuse]
static int back_up_daily(const char *yesterday, const char *today) {
    lb_backup_options options = {0};
    options.struct_size = sizeof options;
    options.reuse_path = yesterday;  // today's archive is complete without it
    options.max_bytes_per_second = 64 << 20;
    lb_error error = {0};
    error.struct_size = sizeof error;
    lb_job *job;
    if (lb_backup_start("game.db", today, &options, &job, &error) != LB_STATUS_OK) return fail(error.message);

    lb_result result = {0};
    result.struct_size = sizeof result;
    if (lb_backup_join(job, &result) != LB_STATUS_OK) return fail(result.message);
    printf("%llu of %llu bytes taken over\n", (unsigned long long)result.bytes_reused,
           (unsigned long long)result.archive_bytes);
    return 0;
}
//! [reuse]

//! [verify]
static int verify(const char *archive) {
    lb_verify_options options = {0};
    options.struct_size = sizeof options;
    options.verify = LB_VERIFY_FULL;
    lb_error error = {0};
    error.struct_size = sizeof error;
    lb_job *job;
    if (lb_verify_start(archive, &options, &job, &error) != LB_STATUS_OK) return fail(error.message);

    lb_result result = {0};
    result.struct_size = sizeof result;
    if (lb_backup_join(job, &result) == LB_STATUS_OK) return 0;
    if (result.failed_check == LB_CHECK_FRAME && result.failed_chunk != LB_NO_CHUNK)
        fprintf(stderr, "chunk %llu: ", (unsigned long long)result.failed_chunk);
    return fail(result.message);
}
//! [verify]

//! [restore]
static int restore_onto_the_live_database(const char *archive) {
    lb_restore_options options = {0};
    options.struct_size = sizeof options;
    options.existing = LB_EXISTING_REPLACE;   // in one transaction: others see the old content or the new
    options.keep_previous = "before.db.zst";  // exactly what is replaced
    lb_error error = {0};
    error.struct_size = sizeof error;
    lb_job *job;
    if (lb_restore_start(archive, "game.db", &options, &job, &error) != LB_STATUS_OK) return fail(error.message);

    lb_result result = {0};
    result.struct_size = sizeof result;
    return lb_backup_join(job, &result) == LB_STATUS_OK ? 0 : fail(result.message);
}
//! [restore]

//! [inspect]
static int inspect(const char *archive) {
    lb_archive_info info = {0};
    info.struct_size = sizeof info;
    lb_error error = {0};
    error.struct_size = sizeof error;
    if (lb_backup_inspect(archive, &info, &error) != LB_STATUS_OK) return fail(error.message);
    if (info.kind == LB_KIND_ARCHIVE)
        printf("%llu bytes of a database, by lb_backup %s\n", (unsigned long long)info.image_bytes,
               info.library_version);
    return 0;
}
//! [inspect]

//! [configure]
static void on_log(uint32_t level, const char *message, void *user_data) {
    fprintf(user_data, "%s: %s\n", level == LB_LOG_WARNING ? "warning" : "info", message);
}

static int configure(void) {
    lb_config config = {0};
    config.struct_size = sizeof config;
    config.workers = 2;
    config.user_data = stderr;
    config.on_log = on_log;
    lb_error error = {0};
    error.struct_size = sizeof error;
    return lb_configure(&config, &error) == LB_STATUS_OK ? 0 : fail(error.message);  // before the first job
}
//! [configure]

static int soon(void) { return 1; }

int main(int argc, char **argv) {
    if (argc != 2 || chdir(argv[1]) != 0) return fail("usage: snippets DIRECTORY");
    sqlite3 *db = NULL;  // the host's own, and open all the while
    if (sqlite3_open("game.db", &db) != SQLITE_OK ||
        sqlite3_exec(db, "PRAGMA journal_mode = WAL; CREATE TABLE t(a); INSERT INTO t VALUES(randomblob(100000));",
                     NULL, NULL, NULL) != SQLITE_OK)
        return fail(sqlite3_errmsg(db));

    int failed = configure() || back_up_with_callbacks() || back_up_unless(soon) ||
                 back_up_daily("monday.db.zst", "tuesday.db.zst") || verify("tuesday.db.zst") ||
                 restore_onto_the_live_database("tuesday.db.zst") || inspect("before.db.zst") ||
                 lb_shutdown(UINT32_MAX) != LB_STATUS_OK;
    sqlite3_close(db);
    return failed;
}
