// Backs up a live SQLite database:  example game.db game.db.zst
// SPDX-License-Identifier: MIT OR Apache-2.0

#include <lb_backup.h>

#include <cstdio>

int main(int argc, char **argv) {
    if (argc != 3) return std::fprintf(stderr, "usage: example SOURCE DEST\n"), 2;

    lb_error error{};
    error.struct_size = sizeof error;
    lb_job *job = nullptr;  // returns at once; NULL options are the defaults
    if (lb_backup_start(argv[1], argv[2], nullptr, &job, &error) != LB_STATUS_OK)
        return std::fprintf(stderr, "%s\n", error.message), 1;

    lb_progress progress{};
    progress.struct_size = sizeof progress;
    while (lb_backup_wait(job, 16) == LB_STATUS_TIMED_OUT) {  // a frame of the game
        lb_backup_progress(job, &progress);
        std::printf("\r%5.1f %%", progress.percent);
        std::fflush(stdout);
    }

    lb_result result{};
    result.struct_size = sizeof result;
    if (lb_backup_join(job, &result) != LB_STATUS_OK) return std::fprintf(stderr, "\n%s\n", result.message), 1;
    std::printf("\r100.0 %%  %llu bytes, verified\n", static_cast<unsigned long long>(result.archive_bytes));
}
