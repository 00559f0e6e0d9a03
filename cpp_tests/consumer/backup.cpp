// A C++ host with its own SQLite: makes a small database and takes a compressed backup of it while it is open.
// SPDX-License-Identifier: MIT OR Apache-2.0

#include <lb_backup.h>
#include <sqlite3.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

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

std::atomic<int> completed{0};

void on_complete(lb_job *, const lb_result *, void *) { ++completed; }

lb_result back_up(const fs::path &source, const fs::path &archive) {
    lb_backup_options options{};
    options.struct_size = sizeof options;
    options.on_complete = on_complete;
    lb_error error{};
    error.struct_size = sizeof error;
    lb_result result{};
    result.struct_size = sizeof result;

    lb_job *job = nullptr;
    if (lb_backup_start(source.c_str(), archive.c_str(), &options, &job, &error) != LB_STATUS_OK)
        throw std::runtime_error(error.message);
    if (lb_backup_join(job, &result) != LB_STATUS_OK) throw std::runtime_error(result.message);
    return result;
}

void check_archive(const fs::path &archive, const lb_result &result) {
    unsigned char magic[4] = {};
    std::ifstream(archive, std::ios::binary).read(reinterpret_cast<char *>(magic), sizeof magic);
    if (magic[0] != 0x28 || magic[1] != 0xB5 || magic[2] != 0x2F || magic[3] != 0xFD)
        throw std::runtime_error("the archive is not a Zstandard file");
    if (fs::file_size(archive) != result.archive_bytes) throw std::runtime_error("the archive has another size");
    if (completed != 1) throw std::runtime_error("on_complete was not called once");
}

}  // namespace

int main() {
    try {
        Directory directory;
        Database database(directory.path / "game.db");
        database.exec("PRAGMA journal_mode = WAL; CREATE TABLE move(dice TEXT); INSERT INTO move VALUES ('4 x five')");
        const fs::path archive = directory.path / "game.db.zst";
        check_archive(archive, back_up(directory.path / "game.db", archive));
    } catch (const std::exception &failure) {
        std::fprintf(stderr, "%s\n", failure.what());
        return 1;
    }
    std::printf("lb_backup %s: an archive from C++\n", lb_version());
    return 0;
}
