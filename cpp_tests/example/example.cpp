// Backs up a live SQLite database:  example game.db game.db.zst
// SPDX-License-Identifier: MIT OR Apache-2.0

#include <lb_backup.hpp>

#include <cstdio>

using namespace std::chrono_literals;

int main(int argc, char **argv) try {
    if (argc != 3) throw std::invalid_argument("usage: example SOURCE DEST");

    lb::Job job = lb::start_backup(argv[1], argv[2]);  // returns at once
    while (!job.wait_for(16ms)) {                      // a game would draw a frame here
        std::printf("\r%5.1f %%", job.progress().percent);
        std::fflush(stdout);
    }
    const lb::BackupResult result = job.join();
    std::printf("\r100.0 %%  %ju bytes, verified\n", std::uintmax_t(result.archive_bytes));
    return 0;
} catch (const std::exception &error) {  // an lb::Error: operation, path, reason
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
}
