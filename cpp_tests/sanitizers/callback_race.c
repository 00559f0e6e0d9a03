/*
 * A host that shares a number with a callback: in the order that lb_backup.h promises (none), or in no order
 * (race-with-a-callback), which ThreadSanitizer has to report.
 *
 *   callback_race none | race-with-a-callback
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#include "support/jobs.h"

static bool in_order;

static void on_complete(lb_job *job, const lb_result *result, void *user_data) {
    (void)job;
    *(int *)user_data += result->status == LB_STATUS_OK ? 1 : 2;
}

static void share_a_number(const char *directory) {
    host_path source = path_in(directory, "game.db"), copy = path_in(directory, "copy.db");
    CHECK(sqlite3_close(host_create(source.s, "WAL", 1)) == SQLITE_OK);
    for (int i = 0; i < 3; i++) {
        int *number = malloc(sizeof *number);
        CHECK(number != NULL);
        *number = 0;
        lb_backup_options options = backup_options();
        options.existing = LB_EXISTING_REPLACE;
        options.user_data = number;
        options.on_complete = on_complete;
        lb_job *job = start_backup(source.s, copy.s, &options);
        if (!in_order) *number += 10;
        JOIN(job, LB_STATUS_OK);
        if (in_order) CHECK(*number == 1);
        free(number);
    }
}

int main(int argc, char **argv) {
    in_order = argc > 1 && strcmp(argv[1], "none") == 0;
    return run_scenario(share_a_number) == PROMISE_KEPT ? 0 : 1;
}
