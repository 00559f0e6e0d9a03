// Backs up a live SQLite database:  example game.db game.db.zst
// SPDX-License-Identifier: MIT OR Apache-2.0

#include <lb_backup.h>

#include <cstdio>

static int fail(const char *why) {
    std::fprintf(stderr, "%s\n", why);
    return 1;
}

int main(int argc, char **argv) {
    if (argc != 3) return fail("usage: example SOURCE DEST");

    lb_error error{};
    error.struct_size = sizeof error;
    lb_job *job = nullptr;
    if (lb_backup_start(argv[1], argv[2], nullptr, &job, &error) != LB_STATUS_OK)  // NULL: the default options
        return fail(error.message);

    lb_progress progress{};
    progress.struct_size = sizeof progress;
    while (lb_backup_wait(job, 16) == LB_STATUS_TIMED_OUT) {  // a game would draw a frame here
        lb_backup_progress(job, &progress);
        std::printf("\r%5.1f %%", progress.percent);
        std::fflush(stdout);
    }

    lb_result result{};
    result.struct_size = sizeof result;
    if (lb_backup_join(job, &result) != LB_STATUS_OK) return fail(result.message);
    std::printf("\r100.0 %%  %llu bytes, verified\n", static_cast<unsigned long long>(result.archive_bytes));
    return 0;
}
