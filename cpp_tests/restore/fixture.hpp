// What the tests of restore, verify and inspect have in common. SPDX-License-Identifier: MIT OR Apache-2.0

#ifndef LBTEST_RESTORE_FIXTURE_HPP
#define LBTEST_RESTORE_FIXTURE_HPP

#include "api/fixture.hpp"
#include "parts.hpp"

#include <sys/stat.h>

#include <functional>
#include <iostream>
#include <random>

namespace lbtest {

inline lb_restore_options replacing() {
    auto wanted = restore_options();
    wanted.existing = LB_EXISTING_REPLACE;
    return wanted;
}

inline lb_restore_options replacing_soon(std::uint32_t busy_timeout_ms = 50) {
    auto wanted = replacing();
    wanted.busy_timeout_ms = busy_timeout_ms;
    return wanted;
}

inline lb_verify_options full() {
    auto wanted = verify_options();
    wanted.verify = LB_VERIFY_FULL;
    return wanted;
}

inline struct stat status_of(const fs::path &path) {
    struct stat status;
    if (::lstat(path.c_str(), &status) != 0) fail_errno(path.string());
    return status;
}

/// Random numbers that are the same in every run.
inline std::mt19937 printed_random(std::uint32_t seed) {
    std::cout << "seed " << seed << std::endl;
    return std::mt19937(seed);
}

/// What a restore may change in a database besides taking the archive's bytes: change counter, schema cookie, the two
/// bytes of the journal mode, and version-valid-for with the number of the SQLite that wrote.
inline std::string without_what_goes_on(std::string image) {
    constexpr std::pair<std::size_t, std::size_t> ranges[] = {{18, 2}, {24, 4}, {40, 4}, {92, 8}};
    for (const auto &[at, bytes] : ranges)
        if (image.size() >= at + bytes) image.replace(at, bytes, bytes, '\0');
    return image;
}

/// As many bytes as the process has read, holes included (proc(5), /proc/pid/io, rchar).
inline std::uint64_t bytes_read() {
    std::ifstream io("/proc/self/io");
    std::string word;
    std::uint64_t value = 0;
    while (io >> word >> value)
        if (word == "rchar:") return value;
    fail("/proc/self/io");
}

/// A new directory below this one, with a path of so many bytes.
inline fs::path make_deep(fs::path directory, std::size_t length) {
    while (directory.string().size() + 200 < length) directory /= std::string(150, 'd');
    directory /= std::string(length - directory.string().size() - 1, 'd');
    fs::create_directories(directory);
    return directory;
}

inline void append(const fs::path &path, const std::string &bytes) { write_file(path, read_file(path) + bytes); }

/// A database with another content, of the same kind.
inline DatabaseOptions another() {
    DatabaseOptions other;
    other.seed = 2;
    other.bytes = 200'000;
    return other;
}

/// A database, and an archive of it in chunks of 64 KiB.
class RestoreTest : public ApiTest {
protected:
    void SetUp() override {
        ApiTest::SetUp();
        ASSERT_NO_FATAL_FAILURE(take_archive());
    }
    virtual void take_archive() {
        auto chunked = options();
        chunked.chunk_size = 65536;
        ASSERT_NO_FATAL_FAILURE(expect_ok(backup(source, archive, chunked)));
    }
    DatabaseOptions database() const override {
        DatabaseOptions small;
        small.bytes = 300'000;
        small.rows = 300;
        return small;
    }

    const fs::path archive = dir / "game.db.zst";
    const fs::path dest = out / "restored.db";
};

/// An archive to be made wrong, and a database that nothing of it may get into.
class WrongArchiveTest : public RestoreTest {
protected:
    void SetUp() override {
        RestoreTest::SetUp();
        parts = Parts::of(read_file(archive));
        fs::create_directory(dir / "live");
        make_database(live, another());
        live_bytes = read_file(live);
    }

    const fs::path bad = dir / "bad.db.zst";
    const fs::path live = dir / "live" / "live.db";
    std::string live_bytes;
    Parts parts;
};

}  // namespace lbtest

#endif
