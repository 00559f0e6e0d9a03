// What a backup file tells of itself, for how little of it is read. SPDX-License-Identifier: MIT OR Apache-2.0

#include "fixture.hpp"

#include <chrono>

using namespace lbtest;

namespace {

class Inspect : public RestoreTest {
protected:
    void SetUp() override {
        RestoreTest::SetUp();
        Db(source).exec(
            "PRAGMA user_version = -5; PRAGMA application_id = -1430532899; PRAGMA wal_checkpoint(TRUNCATE)");
        auto chunked = options();
        chunked.chunk_size = 65536;
        chunked.compression_level = 7;
        chunked.existing = LB_EXISTING_REPLACE;
        expect_ok(backup(source, archive, chunked));
        unzstd(archive, image);
    }

    static std::int64_t now_ns() {
        const auto now = std::chrono::system_clock::now().time_since_epoch();
        return std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
    }
    static lb_error refusal(const fs::path &path) {
        auto why = error();
        auto untouched = archive_info();
        const auto info = inspect(path, &why);
        EXPECT_EQ(std::memcmp(&info, &untouched, sizeof info), 0) << "an out is written on success only";
        return why;
    }

    const fs::path image = dir / "image.db";
};

TEST_F(Inspect, archive_tells_all_that_its_manifest_holds) {
    const auto info = inspect(archive);
    EXPECT_EQ(info.kind, LB_KIND_ARCHIVE);
    EXPECT_EQ(info.format_version, 1U);
    EXPECT_EQ(info.page_size, 4096U);
    EXPECT_EQ(info.image_bytes, fs::file_size(image));
    EXPECT_EQ(info.pages, fs::file_size(image) / 4096);
    EXPECT_EQ(info.archive_bytes, fs::file_size(archive));
    EXPECT_EQ(info.chunk_size, 65536U);
    EXPECT_EQ(info.chunks, Parts::of(read_file(archive)).chunks.size());
    EXPECT_LE(info.created_unix_ns, now_ns());
    EXPECT_GT(info.created_unix_ns, now_ns() - 600'000'000'000);
    EXPECT_EQ(info.application_id, 0xAABB'CCDDU);
    EXPECT_EQ(info.user_version, -5);
    EXPECT_EQ(info.compression_level, 7);
    EXPECT_EQ(info.has_parent, 0U);
    const std::string version = lb_version();
    EXPECT_EQ(version, std::string(info.library_version) + " (sqlite " + info.sqlite_version + ", zstd " +
                           info.zstd_version + ")");
}

TEST_F(Inspect, parent_is_named_by_its_id) {
    const auto first = inspect(archive);
    auto wanted = options();
    const auto path = archive.string();
    wanted.reuse_path = path.c_str();
    expect_ok(backup(source, dir / "next.db.zst", wanted));
    const auto next = inspect(dir / "next.db.zst");
    EXPECT_EQ(next.has_parent, 1U);
    EXPECT_EQ(std::memcmp(next.parent_id, first.archive_id, sizeof first.archive_id), 0);
    EXPECT_NE(std::memcmp(next.archive_id, first.archive_id, sizeof first.archive_id), 0);
}

TEST_F(Inspect, plain_database_tells_its_header) {
    const auto info = inspect(image);
    EXPECT_EQ(info.kind, LB_KIND_IMAGE);
    EXPECT_EQ(info.format_version, 0U);
    EXPECT_EQ(info.page_size, 4096U);
    EXPECT_EQ(info.image_bytes, fs::file_size(image));
    EXPECT_EQ(info.pages, fs::file_size(image) / 4096);
    EXPECT_EQ(info.archive_bytes, fs::file_size(image));
    EXPECT_EQ(info.application_id, 0xAABB'CCDDU);
    EXPECT_EQ(info.user_version, -5);
    EXPECT_STREQ(info.sqlite_version, sqlite3_libversion());
    EXPECT_STREQ(info.library_version, "");
    const auto modified = status_of(image).st_mtim;
    EXPECT_EQ(info.created_unix_ns, modified.tv_sec * 1'000'000'000LL + modified.tv_nsec);
}

/// As by versions of SQLite before 3.7.
TEST_F(Inspect, header_that_does_not_tell_its_sqlite_has_no_version) {
    write_file(dir / "old.db", read_file(image).replace(96, 4, 4, '\0'));
    EXPECT_STREQ(inspect(dir / "old.db").sqlite_version, "");
}

TEST_F(Inspect, live_database_is_told_of_and_left_alone) {
    Db host(source);
    host.exec("BEGIN IMMEDIATE; UPDATE players SET rating = 0");
    EXPECT_EQ(inspect(source).kind, LB_KIND_IMAGE);
    Outsider outsider(source);
    EXPECT_EQ(outsider.try_exec("BEGIN IMMEDIATE"), SQLITE_BUSY) << "the host's lock stands";
    host.exec("COMMIT");
}

TEST_F(Inspect, files_of_other_tools_tell_their_kind) {
    write_file(dir / "theirs.zst", zstd_frame(read_file(image)));
    ASSERT_EQ(run({"gzip", "-k", image.string()}), 0);
    for (const auto &[name, kind] : {std::pair{"theirs.zst", LB_KIND_ZSTD}, {"image.db.gz", LB_KIND_GZIP}}) {
        const auto info = inspect(dir / name);
        EXPECT_EQ(info.kind, static_cast<std::uint32_t>(kind));
        EXPECT_EQ(info.archive_bytes, fs::file_size(dir / name));
        EXPECT_EQ(info.image_bytes, 0U);
        EXPECT_EQ(info.pages, 0U);
        EXPECT_GT(info.created_unix_ns, 0);
    }
}

TEST_F(Inspect, what_is_no_backup_is_refused_by_name) {
    write_file(dir / "text", "Dear diary");
    write_file(dir / "empty", "");
    for (const auto *name : {"text", "empty"}) {
        const auto why = refusal(dir / name);
        EXPECT_STREQ(lb_status_name(why.status), "LB_STATUS_NOT_A_DATABASE");
        EXPECT_NE(std::string(why.message).find(name), std::string::npos) << why.message;
    }
    EXPECT_STREQ(lb_status_name(refusal(dir / "none").status), "LB_STATUS_NOT_FOUND");
    EXPECT_STREQ(lb_status_name(refusal(dir.path()).status), "LB_STATUS_NOT_A_DATABASE");
    ASSERT_EQ(::mkfifo((dir / "pipe").c_str(), 0600), 0);
    EXPECT_STREQ(lb_status_name(refusal(dir / "pipe").status), "LB_STATUS_NOT_A_DATABASE")
        << "and nobody waits for a writer";
}

TEST_F(Inspect, damaged_index_is_corrupt) {
    auto bytes = read_file(archive);
    bytes[bytes.size() - 20] = static_cast<char>(bytes[bytes.size() - 20] ^ 1);
    write_file(dir / "bad.db.zst", bytes);
    EXPECT_STREQ(lb_status_name(refusal(dir / "bad.db.zst").status), "LB_STATUS_CORRUPT");
    write_file(dir / "short.db", read_file(image).substr(0, 50));
    EXPECT_STREQ(lb_status_name(refusal(dir / "short.db").status), "LB_STATUS_CORRUPT");
}

/// A terabyte, most of which is a hole.
TEST_F(Inspect, reads_a_few_kilobytes_whatever_the_size) {
    constexpr std::uint64_t terabyte = std::uint64_t{1} << 40;
    // A plain database of a terabyte.
    fs::copy_file(image, dir / "huge.db");
    fs::resize_file(dir / "huge.db", terabyte);
    // Another tool's file of a terabyte; and one of ours, which is as short as ever.
    write_file(dir / "theirs.zst", zstd_frame(read_file(image)));
    fs::resize_file(dir / "theirs.zst", terabyte);
    inspect(archive);
    for (const auto &file : {archive, dir / "huge.db", dir / "theirs.zst"}) {
        SCOPED_TRACE(file);
        const auto before = bytes_read();
        const auto info = inspect(file);
        EXPECT_LT(bytes_read() - before, 16'384U);
        EXPECT_EQ(info.archive_bytes, fs::file_size(file));
    }
}

TEST_F(Inspect, size_of_the_structure_is_checked) {
    lb_archive_info info;
    std::memset(&info, 0, sizeof info);
    EXPECT_EQ(lb_backup_inspect(archive.c_str(), &info, nullptr), LB_STATUS_INVALID_ARGUMENT);
    info.struct_size = 7;
    EXPECT_EQ(lb_backup_inspect(archive.c_str(), &info, nullptr), LB_STATUS_INVALID_ARGUMENT);
    struct {
        lb_archive_info known;
        char later[32];
    } larger;
    std::memset(&larger, 0x5a, sizeof larger);
    larger.known.struct_size = sizeof larger;
    EXPECT_EQ(lb_backup_inspect(archive.c_str(), &larger.known, nullptr), LB_STATUS_OK);
    EXPECT_EQ(larger.known.kind, LB_KIND_ARCHIVE);
    EXPECT_EQ(larger.known.struct_size, sizeof larger);
    EXPECT_EQ(std::string(larger.later, sizeof larger.later), std::string(sizeof larger.later, '\0'));
}

TEST_F(Inspect, null_and_bad_arguments_are_named) {
    auto info = archive_info();
    auto why = error();
    EXPECT_EQ(lb_backup_inspect(nullptr, &info, &why), LB_STATUS_INVALID_ARGUMENT);
    EXPECT_NE(std::string(why.message).find("archive_path"), std::string::npos) << why.message;
    EXPECT_EQ(lb_backup_inspect("", &info, &why), LB_STATUS_INVALID_ARGUMENT);
    EXPECT_NE(std::string(why.message).find("archive_path"), std::string::npos) << why.message;
    EXPECT_EQ(lb_backup_inspect(archive.c_str(), nullptr, &why), LB_STATUS_INVALID_ARGUMENT);
    EXPECT_NE(std::string(why.message).find("out_info"), std::string::npos) << why.message;
    EXPECT_EQ(lb_backup_inspect("\xff", &info, &why), LB_STATUS_INVALID_ARGUMENT);
    EXPECT_EQ(lb_backup_inspect(archive.c_str(), &info, nullptr), LB_STATUS_OK);
}

}  // namespace
