// The examples of the C++ reference: snippets DIRECTORY, an empty one. SPDX-License-Identifier: MIT OR Apache-2.0
#include <lb_backup.hpp>
#include <sqlite3.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <system_error>

using namespace std::chrono_literals;

static void draw_frame(double percent) { std::printf("\r%5.1f %%", percent); }

//! [watch]
static void watch() {
    lb::BackupOptions options;
    options.existing = lb::Existing::replace;
    lb::Job job = lb::start_backup("game.db", "game.db.zst", options);  // destroyed before its end, it is cancelled
    while (!job.wait_for(16ms)) draw_frame(job.progress().percent);
    const lb::Result result = job.join();
    std::printf("%llu bytes\n", static_cast<unsigned long long>(result.archive_bytes));
}
//! [watch]

//! [errors]
static bool archive_of_today_is_there() {
    try {
        lb::start_backup("game.db", "today.db.zst").join();
        return true;
    } catch (const lb::Error &error) {
        if (error.code() == std::errc::file_exists) return true;
        std::fprintf(stderr, "%s\n", error.what());
        return false;
    }
}

static bool is_sound(const std::filesystem::path &archive) {
    std::error_code ec;
    lb::Job job = lb::start_verify(archive, {}, ec);
    if (!ec) job.join(ec);
    return !ec;
}
//! [errors]

//! [future]
static std::uint64_t bytes_of_a_backup_elsewhere() {
    lb::Job job = lb::start_backup("game.db", "elsewhere.db");
    std::future<lb::Result> future = job.get_future();
    job.release();  // the job goes on without its handle
    return future.get().archive_bytes;
}
//! [future]

int main(int argc, char **argv) {
    if (argc != 2) return 2;
    std::filesystem::current_path(argv[1]);
    sqlite3 *db = nullptr;
    if (sqlite3_open("game.db", &db) != SQLITE_OK ||
        sqlite3_exec(db, "PRAGMA journal_mode = WAL; CREATE TABLE t(a); INSERT INTO t VALUES(1);", nullptr, nullptr,
                     nullptr) != SQLITE_OK)
        return 1;
    watch();
    const bool good = archive_of_today_is_there() && archive_of_today_is_there() && is_sound("today.db.zst") &&
                      !is_sound("game.db-shm") && bytes_of_a_backup_elsewhere() == 8192;
    sqlite3_close(db);
    return good ? 0 : 1;
}
