/*
 * After fifty jobs there are as many threads and descriptors as after the first few: in the host's table, and in the
 * private one of the library's I/O threads.
 */
#include "support/jobs.h"

enum { WARM_UP = 10, CYCLES = 50 };

typedef struct {
    int threads, host_descriptors, library_descriptors, of_jobs;
} footprint;

/* How many descriptors are open to something below a directory. */
static int count_below(const descriptor_table *table, const char *directory) {
    int count = 0;
    for (int i = 0; i < table->count; i++)
        count += strncmp(table->entries[i].target, directory, strlen(directory)) == 0;
    return count;
}

/* The I/O threads share one table: the first that is found shows it. */
static footprint measure(int mark, const char *directory) {
    footprint f = {0};
    descriptor_table table;
    task_list all = tasks();
    f.threads = all.count;
    read_descriptors(0, &table);
    f.host_descriptors = table.count;
    for (int i = 0; i < all.count && f.library_descriptors == 0; i++) {
        if (lives_in_host_table(all.tids[i], mark)) continue;
        read_descriptors(all.tids[i], &table);
        f.library_descriptors = table.count;
        f.of_jobs = count_below(&table, directory);
    }
    return f;
}

static bool same_footprint(footprint one, footprint other) {
    return one.threads == other.threads && one.host_descriptors == other.host_descriptors &&
           one.library_descriptors == other.library_descriptors && one.of_jobs == other.of_jobs;
}

/* Most succeed, as image or as archive; of ten, one is cancelled in the middle, and others fail in three ways. */
static void one_cycle(const char *directory, sqlite3 *locked, int number) {
    host_path source = path_in(directory, "game.db"), destination = path_in(directory, "copy.db");
    host_path archive = path_in(directory, "copy.db.zst"), text = path_in(directory, "text");
    host_path locked_source = path_in(directory, "locked.db"), taken = path_in(directory, "taken.db");
    lb_backup_options options = slow_options();
    lb_job *job = NULL;
    lb_status status;
    switch (number % 10) {
        default:
            job = start_backup(source.s, destination.s, NULL);
            JOIN(job, LB_STATUS_OK);
            CHECK(unlink(destination.s) == 0);
            break;
        case 1:
        case 6:
            job = start_backup(source.s, archive.s, NULL);
            JOIN(job, LB_STATUS_OK);
            CHECK(unlink(archive.s) == 0);
            break;
        case 2:
            job = start_held(source.s, archive.s, options);
            CHECK_STATUS(lb_backup_cancel(job), LB_STATUS_OK);
            JOIN(job, LB_STATUS_CANCELLED);
            break;
        case 3: /* the header leaves open whether the start or the job finds it */
            status = lb_backup_start(text.s, destination.s, NULL, &job, NULL);
            if (status == LB_STATUS_OK) status = lb_backup_join(job, NULL);
            CHECK_STATUS(status, LB_STATUS_NOT_A_DATABASE);
            break;
        case 4:
            host_exec(locked, "BEGIN EXCLUSIVE");
            options.busy_timeout_ms = 1;
            job = start_backup(locked_source.s, destination.s, &options);
            JOIN(job, LB_STATUS_BUSY);
            host_exec(locked, "ROLLBACK");
            break;
        case 5:
            job = start_held(source.s, taken.s, options);
            write_file(taken.s, "");
            CHECK_STATUS(lb_backup_set_rate(job, 0), LB_STATUS_OK);
            JOIN(job, LB_STATUS_ALREADY_EXISTS);
            CHECK(unlink(taken.s) == 0);
            break;
    }
}

static void threads_and_descriptors_are_constant(const char *directory) {
    sqlite3 *db = host_create(path_in(directory, "game.db").s, "WAL", ROWS_TO_HOLD / 4);
    sqlite3 *locked = host_create(path_in(directory, "locked.db").s, "DELETE", 16);
    write_file(path_in(directory, "text").s, "this is a text and no database, long enough to look like a header page");
    for (int i = 0; i < WARM_UP; i++) one_cycle(directory, locked, i);
    int mark = open_mark();
    host_path real; /* as /proc has it */
    CHECK(realpath(directory, real.s) != NULL);
    footprint before, now;
    /* What its jobs had open the library may close a little after they have ended. */
    WAIT_FOR((before = measure(mark, real.s), before.library_descriptors > 0 && before.of_jobs == 0));
    for (int i = 0; i < CYCLES; i++) one_cycle(directory, locked, i);
    WAIT_FOR((now = measure(mark, real.s), same_footprint(before, now)));
    CHECK(sqlite3_close(db) == SQLITE_OK && sqlite3_close(locked) == SQLITE_OK);
}

int main(void) { return run_scenario(threads_and_descriptors_are_constant) == PROMISE_KEPT ? 0 : 1; }
