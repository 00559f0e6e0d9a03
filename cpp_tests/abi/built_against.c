/*
 * A program that was built against another header than that of the library it runs with: compiled once against each header
 * in headers/, and against one that has a field more in every structure than the present one (BUILT_LATER).
 *
 * Every structure lies at the end of a page, with a page after it that nobody may touch: a library that reads or writes by
 * its own idea of a size ends this program.
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#include "support/jobs.h"

#include <sys/mman.h>

_Static_assert(sizeof(lb_backup_options) == SIZE_OF_OPTIONS, "another header was found");
_Static_assert(sizeof(lb_result) == SIZE_OF_RESULT, "another header was found");

/* Memory that ends where its page does; never given back, as the process ends soon. */
static void *at_the_edge(size_t size) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE), room = (size + page - 1) / page * page;
    unsigned char *map = mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(map != MAP_FAILED);
    CHECK(mprotect(map + room, page, PROT_NONE) == 0);
    return map + room - size;
}

/* An out, full of what the library has to overwrite. */
static void *out_at_the_edge(size_t size) {
    unsigned char *out = at_the_edge(size);
    memset(out, 0xA5, size);
    uint32_t struct_size = (uint32_t)size;
    memcpy(out, &struct_size, sizeof struct_size);
    return out;
}

#define OUT(type) ((type *)out_at_the_edge(sizeof(type)))

static lb_backup_options *options_at_the_edge(void) {
    lb_backup_options *options = at_the_edge(sizeof *options);
    options->struct_size = sizeof *options;
    return options;
}

/* What callbacks have seen. Read after lb_backup_join only, which comes after them. */
typedef struct {
    int progress_calls, complete_calls;
    double percent;
    lb_status status;
    uint64_t archive_bytes;
} heard;

static void on_progress(lb_job *job, const lb_progress *progress, void *user_data) {
    heard *h = user_data;
    (void)job;
    CHECK(progress->struct_size >= offsetof(lb_progress, percent) + sizeof progress->percent);
    CHECK(progress->percent >= h->percent);
    h->percent = progress->percent;
    h->progress_calls++;
}

static void on_complete(lb_job *job, const lb_result *result, void *user_data) {
    heard *h = user_data;
    (void)job;
    h->status = result->status;
    h->archive_bytes = result->archive_bytes;
    h->complete_calls++;
}

enum { ROWS = 512 };

static void backs_up_with_progress_and_callbacks(const char *directory) {
    host_path source = path_in(directory, "game.db"), copy = path_in(directory, "copy.db");
    host_path archive = path_in(directory, "copy.db.zst");
    sqlite3 *db = host_create(source.s, "WAL", ROWS);
    const char *destinations[] = {copy.s, archive.s};
    for (int i = 0; i < 2; i++) {
        heard h = {0};
        lb_backup_options *options = options_at_the_edge();
        options->compression_level = 1;
        options->verify = LB_VERIFY_FULL;
        options->progress_interval_ms = 1;
        options->user_data = &h;
        options->on_progress = on_progress;
        options->on_complete = on_complete;
        lb_job *job = NULL;
        lb_error *error = OUT(lb_error);
        lb_status status = lb_backup_start(source.s, destinations[i], options, &job, error);
        if (status != LB_STATUS_OK) dprintf(host_report_fd, "%s\n", error->message);
        CHECK_STATUS(status, LB_STATUS_OK);

        lb_progress *progress = OUT(lb_progress);
        double percent = 0;
        lb_phase phase = LB_PHASE_WAITING;
        do {
            CHECK_STATUS(lb_backup_progress(job, progress), LB_STATUS_OK);
            CHECK(progress->struct_size == sizeof *progress);
            CHECK(progress->percent >= percent && progress->phase >= phase);
            percent = progress->percent;
            phase = progress->phase;
        } while (lb_backup_wait(job, 1) == LB_STATUS_TIMED_OUT);
        CHECK_STATUS(lb_backup_progress(job, progress), LB_STATUS_OK);
        CHECK(progress->state == LB_JOB_STATE_SUCCEEDED && progress->phase == LB_PHASE_DONE);
        CHECK(progress->percent == 100 && progress->bytes_done == progress->bytes_total);

        lb_result *result = OUT(lb_result);
        CHECK_STATUS(lb_backup_join(job, result), LB_STATUS_OK);
        CHECK(result->struct_size == sizeof *result);
        CHECK(result->status == LB_STATUS_OK && result->message[0] == '\0' && result->has_sha256 == 1);
        CHECK(result->format == (i == 0 ? LB_FORMAT_IMAGE : LB_FORMAT_ZSTD));
        CHECK(result->image_bytes == result->pages * result->page_size);
        CHECK(h.complete_calls == 1 && h.progress_calls >= 1 && h.percent == 100);
        CHECK(h.status == LB_STATUS_OK && h.archive_bytes == result->archive_bytes);
#ifdef BUILT_LATER
        CHECK(progress->added_later == 0 && result->added_later == 0);
#endif
    }
    CHECK(is_sound_copy(copy.s, ROWS));
    CHECK(sqlite3_close(db) == SQLITE_OK);
}

static void cancels(const char *directory) {
    host_path source = path_in(directory, "game.db"), archive = path_in(directory, "copy.db.zst");
    CHECK(sqlite3_close(host_create(source.s, "WAL", ROWS_TO_HOLD)) == SQLITE_OK);
    heard h = {0};
    lb_backup_options slow = slow_options(), *options = options_at_the_edge();
    *options = slow;
    options->user_data = &h;
    options->on_complete = on_complete;
    lb_job *job = start_held(source.s, archive.s, *options);

    lb_job_info *jobs = OUT(lb_job_info);
    size_t count = 0;
    CHECK_STATUS(lb_backup_jobs(jobs, 1, &count), LB_STATUS_OK);
    CHECK(count == 1 && jobs->job == job && jobs->user_data == &h && jobs->struct_size == sizeof *jobs);
    CHECK(strcmp(jobs->dest_name, "copy.db.zst") == 0);

    CHECK_STATUS(lb_backup_cancel(job), LB_STATUS_OK);
    lb_result *result = OUT(lb_result);
    CHECK_STATUS(lb_backup_join(job, result), LB_STATUS_CANCELLED);
    CHECK(result->status == LB_STATUS_CANCELLED && h.complete_calls == 1 && h.status == LB_STATUS_CANCELLED);
    CHECK(!exists(archive.s));
    CHECK_STATUS(lb_backup_join(job, NULL), LB_STATUS_INVALID_HANDLE);
}

static void is_told_what_failed(const char *directory) {
    host_path missing = path_in(directory, "missing.db"), copy = path_in(directory, "copy.db");
    lb_job *job = NULL;
    lb_error *error = OUT(lb_error);
    CHECK_STATUS(lb_backup_start(missing.s, copy.s, options_at_the_edge(), &job, error), LB_STATUS_NOT_FOUND);
    CHECK(job == NULL && error->status == LB_STATUS_NOT_FOUND && error->sys_errno == ENOENT);
    CHECK(error->struct_size == sizeof *error && strstr(error->message, "missing.db") != NULL);

    lb_backup_options *wrong = options_at_the_edge();
    wrong->compression_level = 100;
    error = OUT(lb_error);
    CHECK_STATUS(lb_backup_start(missing.s, copy.s, wrong, &job, error), LB_STATUS_INVALID_ARGUMENT);
    CHECK(strstr(error->message, "compression_level") != NULL);

    lb_config *config = at_the_edge(sizeof *config);
    config->struct_size = sizeof *config;
    CHECK_STATUS(lb_shutdown(UINT32_MAX), LB_STATUS_OK);
    CHECK_STATUS(lb_configure(config, NULL), LB_STATUS_OK);
}

/* A program meets statuses that its header does not have as numbers with a name, which it prints. */
static void has_a_name_for_every_status(const char *directory) {
    (void)directory;
    CHECK(lb_abi_version() == LB_ABI_VERSION);
    CHECK(strcmp(lb_status_name(LB_STATUS_OK), "LB_STATUS_OK") == 0);
    CHECK(strcmp(lb_status_name(LB_STATUS_INTERNAL), "LB_STATUS_INTERNAL") == 0);
    for (lb_status status = -1; status < 1000; status++) CHECK(strncmp(lb_status_name(status), "LB_STATUS_", 10) == 0);
}

#ifdef BUILT_LATER
/* What this library cannot do is refused, not ignored. */
static void may_not_ask_for_what_the_library_does_not_know(const char *directory) {
    host_path source = path_in(directory, "game.db"), copy = path_in(directory, "copy.db");
    CHECK(sqlite3_close(host_create(source.s, "WAL", 1)) == SQLITE_OK);
    lb_job *job = NULL;

    lb_backup_options *options = options_at_the_edge();
    options->added_later = 1;
    lb_error *error = OUT(lb_error);
    CHECK_STATUS(lb_backup_start(source.s, copy.s, options, &job, error), LB_STATUS_INVALID_ARGUMENT);
    CHECK(job == NULL && !exists(copy.s) && error->added_later == 0 && strstr(error->message, "not zero") != NULL);

    lb_config *config = at_the_edge(sizeof *config);
    config->struct_size = sizeof *config;
    config->added_later = 1;
    CHECK_STATUS(lb_configure(config, NULL), LB_STATUS_INVALID_ARGUMENT);
}
#endif

int main(int argc, char **argv) {
    static const scenario table[] = {
        {"backs-up-with-progress-and-callbacks", backs_up_with_progress_and_callbacks},
        {"cancels", cancels},
        {"is-told-what-failed", is_told_what_failed},
        {"has-a-name-for-every-status", has_a_name_for_every_status},
#ifdef BUILT_LATER
        {"may-not-ask-for-what-the-library-does-not-know", may_not_ask_for_what_the_library_does_not_know},
#endif
    };
    return run_named_scenario(argc > 1 ? argv[1] : "", table, sizeof table / sizeof *table);
}
