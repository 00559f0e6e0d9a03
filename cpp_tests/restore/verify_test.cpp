// What verify finds, and where it says that it is. SPDX-License-Identifier: MIT OR Apache-2.0

#include "fixture.hpp"

using namespace lbtest;

namespace {

class Verify : public RestoreTest {
protected:
    void SetUp() override {
        RestoreTest::SetUp();
        unzstd(archive, image);
        image_bytes = read_file(image);
    }

    /// Kinds of file that have no hashes of their own, with this image.
    std::vector<fs::path> without_hashes(const std::string &bytes) {
        write_file(dir / "v.db", bytes);
        write_file(dir / "v.db.zst", zstd_frame(bytes));
        gzip(dir / "v.db", dir / "v.db.gz");
        return {dir / "v.db", dir / "v.db.zst", dir / "v.db.gz"};
    }

    void expect_sound(const std::vector<fs::path> &files) {
        const auto before = list_dir(dir.path());
        for (const auto &file : files)
            for (const auto &wanted : {verify_options(), full()}) {
                SCOPED_TRACE(file);
                const auto verdict = verify(file, wanted);
                expect_ok(verdict);
                EXPECT_EQ(verdict.failed_check, LB_CHECK_NONE);
                EXPECT_EQ(verdict.failed_chunk, LB_NO_CHUNK);
                EXPECT_EQ(verdict.failed_page, 0U);
                EXPECT_EQ(verdict.page_size, 4096U);
                EXPECT_EQ(verdict.image_bytes, image_bytes.size());
                EXPECT_EQ(verdict.pages, image_bytes.size() / 4096);
                EXPECT_EQ(verdict.archive_bytes, fs::file_size(file));
            }
        EXPECT_EQ(list_dir(dir.path()), before) << "nothing is left of the temporary copies";
    }

    static void expect_found(const lb_result &verdict, std::uint32_t check, std::uint64_t chunk = LB_NO_CHUNK) {
        EXPECT_STREQ(lb_status_name(verdict.status), "LB_STATUS_CORRUPT") << verdict.message;
        EXPECT_EQ(verdict.failed_check, check) << verdict.message;
        EXPECT_EQ(verdict.failed_chunk, chunk) << verdict.message;
    }

    const fs::path image = dir / "image.db";
    std::string image_bytes;
};

TEST_F(Verify, sound_files_pass_and_nothing_is_said_to_have_failed) {
    auto files = without_hashes(image_bytes);
    files.push_back(archive);
    expect_sound(files);
}

/// As by versions of SQLite before 3.7: they did not keep the page count in the header.
TEST_F(Verify, file_whose_header_does_not_tell_its_length_is_told_with_it) {
    auto uncounted = image_bytes;
    uncounted.replace(92, 4, 4, '\0');
    expect_sound(without_hashes(uncounted));
}

TEST_F(Verify, file_is_not_changed_not_even_its_times) {
    for (const auto &file : {archive, image}) {
        const auto before = status_of(file);
        const auto bytes = read_file(file);
        expect_ok(verify(file));
        expect_ok(verify(file, full()));
        const auto after = status_of(file);
        EXPECT_TRUE(read_file(file) == bytes);
        EXPECT_EQ(after.st_mtim.tv_sec, before.st_mtim.tv_sec);
        EXPECT_EQ(after.st_mtim.tv_nsec, before.st_mtim.tv_nsec);
        EXPECT_EQ(after.st_ctim.tv_nsec, before.st_ctim.tv_nsec);
    }
}

TEST_F(Verify, damaged_page_of_a_plain_database_is_told_by_its_number) {
    for (const std::size_t page : {2, 3, 7, 30}) {
        SCOPED_TRACE(page);
        auto damaged = image_bytes;
        damaged.replace((page - 1) * 4096, 64, 64, '\xee');
        write_file(dir / "damaged.db", damaged);
        const auto verdict = verify(dir / "damaged.db");
        expect_found(verdict, LB_CHECK_INTEGRITY);
        EXPECT_EQ(verdict.failed_page, page) << verdict.message;
    }
}

TEST_F(Verify, damage_under_right_hashes_takes_the_full_check) {
    // An archive of a database that was damaged before its backup.
    auto damaged = image_bytes;
    damaged.replace(6 * 4096, 64, 64, '\xee');
    auto parts = Parts::of(read_file(archive));
    parts.chunks[0].put(damaged.substr(0, 65536), zstd_frame(damaged.substr(0, 65536)));
    write_file(dir / "bad.db.zst", parts.together());
    expect_ok(verify(dir / "bad.db.zst"));
    const auto verdict = verify(dir / "bad.db.zst", full());
    expect_found(verdict, LB_CHECK_INTEGRITY);
    EXPECT_EQ(verdict.failed_page, 7U) << verdict.message;
    EXPECT_NE(std::string(verdict.message).find("bad.db.zst"), std::string::npos) << verdict.message;
    for (const auto &file : without_hashes(damaged)) expect_found(verify(file, full()), LB_CHECK_INTEGRITY);
}

TEST_F(Verify, schema_that_sqlite_cannot_read_is_damage) {
    {
        Db db(image);
        db.exec(
            "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = 'CREATE TABLE moves(' WHERE name = 'moves'");
    }
    for (const auto &file : without_hashes(read_file(image))) {
        SCOPED_TRACE(file);
        expect_found(verify(file, full()), LB_CHECK_INTEGRITY);
    }
}

TEST_F(Verify, dangling_reference_takes_the_full_check) {
    {
        Db db(source);
        db.exec("PRAGMA foreign_keys = OFF; DELETE FROM games WHERE id = 3; PRAGMA wal_checkpoint(TRUNCATE)");
    }
    auto replace = options();
    replace.existing = LB_EXISTING_REPLACE;
    expect_ok(backup(source, archive, replace));
    unzstd(archive, image);
    auto files = without_hashes(read_file(image));
    files.push_back(archive);
    for (const auto &file : files) {
        SCOPED_TRACE(file);
        expect_ok(verify(file));
        const auto verdict = verify(file, full());
        expect_found(verdict, LB_CHECK_FOREIGN_KEYS);
        EXPECT_NE(std::string(verdict.message).find("moves"), std::string::npos) << verdict.message;
        EXPECT_NE(std::string(verdict.message).find("games"), std::string::npos) << verdict.message;
        auto thorough = restore_options();
        thorough.verify = LB_VERIFY_FULL;
        expect_found(restore(file, dest, thorough), LB_CHECK_FOREIGN_KEYS);
        EXPECT_TRUE(list_dir(out).empty());
    }
}

/// What its writer has got wrong, and SQLite cannot check, is neither damage nor ours to refuse; the rest is checked.
TEST_F(Verify, foreign_key_to_what_is_no_key_is_no_damage) {
    {
        Db db(source);
        db.exec("CREATE TABLE \"o'dd \"\"one\"(x, name REFERENCES players(name)); INSERT INTO \"o'dd \"\"one\" VALUES "
                "(1, 'nobody')");
        db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
        ASSERT_EQ(db.try_exec("PRAGMA foreign_key_check"), SQLITE_ERROR) << "a mismatch";
    }
    auto thorough = restore_options();
    thorough.verify = LB_VERIFY_FULL;
    auto replace = options();
    replace.existing = LB_EXISTING_REPLACE;
    replace.verify = LB_VERIFY_FULL;
    for (const bool dangling : {false, true}) {
        if (dangling) {
            Db db(source);
            db.exec("PRAGMA foreign_keys = OFF; DELETE FROM games WHERE id = 3; PRAGMA wal_checkpoint(TRUNCATE)");
        }
        expect_ok(backup(source, archive, replace));
        const auto verdict = verify(archive, full());
        const auto restored = restore(archive, dest, thorough);
        if (dangling) {
            expect_found(verdict, LB_CHECK_FOREIGN_KEYS);
            expect_found(restored, LB_CHECK_FOREIGN_KEYS);
        } else {
            expect_ok(verdict);
            expect_ok(restored);
            EXPECT_EQ(Db(dest).text("SELECT name FROM \"o'dd \"\"one\""), "nobody");
            remove_database(dest);
        }
    }
}

TEST_F(Verify, content_that_is_not_the_manifests_is_told_by_its_chunk) {
    auto parts = Parts::of(read_file(archive));
    parts.chunks[3].content_hash[0] = static_cast<char>(parts.chunks[3].content_hash[0] ^ 1);
    write_file(dir / "bad.db.zst", parts.together());
    expect_ok(verify(dir / "bad.db.zst"));
    expect_found(verify(dir / "bad.db.zst", full()), LB_CHECK_CONTENT, 3);
}

TEST_F(Verify, damage_in_a_file_of_another_tool_is_found_by_the_quick_check) {
    for (const auto &file : without_hashes(image_bytes)) {
        if (file.extension() == ".db") continue;
        SCOPED_TRACE(file);
        auto bytes = read_file(file);
        bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 0x10);
        write_file(file, bytes);
        const auto verdict = verify(file);
        EXPECT_STREQ(lb_status_name(verdict.status), "LB_STATUS_CORRUPT") << verdict.message;
        EXPECT_TRUE(verdict.failed_check == LB_CHECK_FRAME || verdict.failed_check == LB_CHECK_STRUCTURE);
    }
}

/// As applications leave it that have SQLite grow the file in large steps (SQLITE_FCNTL_CHUNK_SIZE).
TEST_F(Verify, file_that_is_longer_than_its_database_is_sound) {
    for (const std::size_t more : {std::size_t{4096}, std::size_t{1000}, std::size_t{3} << 20}) {
        const auto files = without_hashes(image_bytes + std::string(more, '\0'));
        expect_sound(files);
        for (const auto &file : files) {
            SCOPED_TRACE(file);
            expect_ok(restore(file, dest));
            EXPECT_TRUE(read_file(dest) == image_bytes);
            fs::remove(dest);
            make_database(dest, another());
            expect_ok(restore(file, dest, replacing()));
            EXPECT_EQ(content_hash(dest), content_hash(image));
            remove_database(dest);
        }
    }
}

TEST_F(Verify, damage_behind_the_database_in_a_file_of_another_tool_is_found) {
    std::string noise;
    auto random = printed_random(1);
    for (int i = 0; i < 1 << 20; ++i) noise += static_cast<char>(random());
    for (const auto &file : without_hashes(image_bytes + noise)) {
        if (file.extension() == ".db") continue;
        SCOPED_TRACE(file);
        auto bytes = read_file(file);
        bytes[bytes.size() - 1000] = static_cast<char>(bytes[bytes.size() - 1000] ^ 0x10);
        write_file(file, bytes);
        expect_found(verify(file), LB_CHECK_FRAME);
    }
}

/// Where the header does not count the pages, the file does.
TEST_F(Verify, file_of_another_tool_that_ends_within_a_page_is_corrupt_where_its_length_counts) {
    auto uncounted = image_bytes;
    uncounted.replace(92, 4, 4, '\0');
    for (const auto &file : without_hashes(uncounted + "no whole page")) {
        if (file.extension() == ".db") continue;
        SCOPED_TRACE(file);
        expect_found(verify(file), LB_CHECK_STRUCTURE);
        expect_found(restore(file, dest), LB_CHECK_STRUCTURE);
        EXPECT_TRUE(list_dir(out).empty());
    }
}

TEST_F(Verify, live_database_is_verified_with_its_log_and_its_host_goes_on) {
    Db host(source);
    host.exec("PRAGMA wal_autocheckpoint = 0; UPDATE players SET name = 'in the WAL' WHERE id = 3; BEGIN IMMEDIATE;"
              "UPDATE players SET name = 'half done' WHERE id = 4");
    for (const auto &wanted : {verify_options(), full()}) {
        const auto verdict = verify(source, wanted);
        expect_ok(verdict);
        EXPECT_EQ(verdict.page_size, 4096U);
    }
    host.exec("COMMIT");
    EXPECT_EQ(integrity_check(source), "ok");
}

TEST_F(Verify, live_database_behind_a_link_is_verified_with_its_log) {
    Db host(source);
    host.exec("PRAGMA wal_autocheckpoint = 0; INSERT INTO moves SELECT id + 5000, game, dice, bid FROM moves");
    fs::create_directory(dir / "links");
    fs::create_symlink(source, dir / "links" / "link.db");
    const auto pages = static_cast<std::uint64_t>(host.scalar("PRAGMA page_count"));
    ASSERT_GT(pages * 4096, fs::file_size(source)) << "the new pages are in the log";
    for (const auto &wanted : {verify_options(), full()}) {
        const auto verdict = verify(dir / "links" / "link.db", wanted);
        expect_ok(verdict);
        EXPECT_EQ(verdict.pages, pages);
    }
}

TEST_F(Verify, cancel_ends_it_and_leaves_nothing) {
    auto slow = full();
    slow.max_bytes_per_second = 65536;
    const auto before = list_dir(dir.path());
    for (const auto &file : {archive, dir / "theirs.zst"}) {
        if (file != archive) write_file(file, zstd_frame(image_bytes));
        const auto job = Job::start_verify(file, slow);
        ASSERT_TRUE(wait_until([&] { return job.progress().bytes_done > 0; }));
        EXPECT_EQ(job.progress().phase, LB_PHASE_VERIFYING);
        EXPECT_EQ(job.cancel(), LB_STATUS_OK);
        EXPECT_EQ(lb_backup_wait(job.get(), 60'000), LB_STATUS_OK);
        EXPECT_EQ(job.progress().state, LB_JOB_STATE_CANCELLED);
        EXPECT_LT(job.progress().percent, 100.0);
    }
    fs::remove(dir / "theirs.zst");
    EXPECT_TRUE(wait_until([&] { return list_dir(dir.path()) == before; }));
}

/// Terabytes of frames that hold nothing, which take hours to read.
TEST_F(Verify, cancel_ends_it_while_the_file_becomes_nothing) {
    constexpr std::uint64_t content = 0xffff'fff0, frame = 8 + content;
    const auto file = dir / "nothing.zst";
    write_file(file, "");
    std::uint64_t frames = 2048;
    for (std::error_code refused; fs::resize_file(file, frames * frame, refused), refused; frames /= 2)
        ASSERT_GT(frames, 1U) << refused.message();
    std::fstream sparse(file, std::ios::binary | std::ios::in | std::ios::out);
    for (std::uint64_t i = 0; i < frames; ++i)
        sparse.seekp(static_cast<std::streamoff>(i * frame)) << le(0x184D2A50, 4) << le(content, 4);
    sparse.close();
    ASSERT_TRUE(sparse);
    for (const auto &wanted : {verify_options(), full()}) {
        const auto before = bytes_read();
        const auto job = Job::start_verify(file, wanted);
        ASSERT_TRUE(wait_until([&] { return bytes_read() - before > std::uint64_t{16} << 20; }));
        EXPECT_EQ(job.cancel(), LB_STATUS_OK);
        ASSERT_EQ(lb_backup_wait(job.get(), 60'000), LB_STATUS_OK);
        EXPECT_EQ(job.progress().state, LB_JOB_STATE_CANCELLED);
    }
}

TEST_F(Verify, image_that_a_killed_one_left_is_swept_by_the_next) {
    fs::copy_file(archive, out / "a.db.zst");
    write_file(out / ".lb_backup-0123456789abcdef.tmp", "half an image");
    expect_ok(verify(out / "a.db.zst", full()));
    EXPECT_EQ(list_dir(out), std::vector<std::string>{"a.db.zst"});
}

}  // namespace
