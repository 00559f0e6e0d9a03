// A C++ host with its own SQLite: makes a small database and takes a compressed backup of it while it is open.
// SPDX-License-Identifier: MIT OR Apache-2.0

#include <lb_backup.hpp>
#include <sqlite3.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <utility>

namespace {

namespace fs = std::filesystem;

struct Directory {
    fs::path path;
    Directory() {
        std::string name = (fs::temp_directory_path() / "lb_consumer_cpp.XXXXXX").string();
        if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp " + name);
        path = name;
    }
    Directory(const Directory &) = delete;
    Directory &operator=(const Directory &) = delete;
    ~Directory() { fs::remove_all(path); }
};

struct Database {
    sqlite3 *handle = nullptr;
    explicit Database(const fs::path &path) {
        if (sqlite3_open(path.c_str(), &handle) != SQLITE_OK) throw std::runtime_error("open " + path.string());
    }
    Database(const Database &) = delete;
    Database &operator=(const Database &) = delete;
    ~Database() { sqlite3_close(handle); }
    void exec(const char *sql) {
        if (sqlite3_exec(handle, sql, nullptr, nullptr, nullptr) != SQLITE_OK)
            throw std::runtime_error(sqlite3_errmsg(handle));
    }
};

void require(bool holds, const char *what) {
    if (!holds) throw std::runtime_error(what);
}

void check_archive(const fs::path &archive, const lb::BackupResult &result) {
    unsigned char magic[4] = {};
    std::ifstream(archive, std::ios::binary).read(reinterpret_cast<char *>(magic), sizeof magic);
    require(magic[0] == 0x28 && magic[1] == 0xB5 && magic[2] == 0x2F && magic[3] == 0xFD, "not a Zstandard file");
    require(fs::file_size(archive) == result.archive_bytes, "the archive has another size");
}

void back_up(const fs::path &directory) {
    const fs::path source = directory / "game.db", archive = directory / "game.db.zst";
    Database database(source);
    database.exec("PRAGMA journal_mode = WAL; CREATE TABLE move(dice TEXT); INSERT INTO move VALUES ('4 x five')");

    std::atomic<int> completed{0};
    lb::BackupOptions options;
    options.on_complete = [&](const lb::BackupResult &) { ++completed; };
    check_archive(archive, lb::start_backup(source, archive, std::move(options)).join());
    require(completed == 1, "on_complete was not called once");
    lb::start_verify(archive).join();

    try {
        lb::start_backup(directory / "missing.db", directory / "copy.db").join();
        require(false, "a missing database was backed up");
    } catch (const lb::Error &error) {
        require(error.code() == LB_STATUS_NOT_FOUND, error.what());
    }
}

}  // namespace

int main() {
    try {
        Directory directory;
        back_up(directory.path);
    } catch (const std::exception &failure) {
        std::fprintf(stderr, "%s\n", failure.what());
        return 1;
    }
    std::printf("lb_backup %s: an archive from C++\n", lb_version());
    return 0;
}
