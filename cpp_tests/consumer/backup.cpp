// A C++ host with its own SQLite: makes a small database and takes a compressed backup of it while it is open.
// SPDX-License-Identifier: MIT OR Apache-2.0

#include <lb_backup.hpp>
#include <sqlite3.h>

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

void check_archive(const fs::path &archive, const lb::BackupResult &result) {
    unsigned char magic[4] = {};
    std::ifstream(archive, std::ios::binary).read(reinterpret_cast<char *>(magic), sizeof magic);
    if (magic[0] != 0x28 || magic[1] != 0xB5 || magic[2] != 0x2F || magic[3] != 0xFD)
        throw std::runtime_error("the archive is not a Zstandard file");
    if (fs::file_size(archive) != result.archive_bytes) throw std::runtime_error("the archive has another size");
}

}  // namespace

int main() {
    try {
        Directory directory;
        Database database(directory.path / "game.db");
        database.exec("PRAGMA journal_mode = WAL; CREATE TABLE move(dice TEXT); INSERT INTO move VALUES ('4 x five')");
        const fs::path archive = directory.path / "game.db.zst";
        check_archive(archive, lb::start_backup(directory.path / "game.db", archive).join());
    } catch (const std::exception &failure) {
        std::fprintf(stderr, "%s\n", failure.what());
        return 1;
    }
    std::printf("lb_backup %s: an archive from C++\n", std::string(lb::version()).c_str());
    return 0;
}
