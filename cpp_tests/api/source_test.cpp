// Sources that cannot be backed up are told apart, by name, and nothing is left of the attempt.
// SPDX-License-Identifier: MIT OR Apache-2.0

#include "fixture.hpp"

#include <sys/stat.h>

#include <random>

using namespace lbtest;

namespace {

class BadSource : public CleanTest, public ::testing::WithParamInterface<const char *> {
protected:
    /// Also with leave to replace the earlier backup, which must survive.
    void expect_refused(const fs::path &path, const std::vector<lb_status> &expected) {
        auto replacing = options();
        replacing.existing = LB_EXISTING_REPLACE;
        for (const auto &outcome : {backup(path, out / GetParam()), backup(path, earlier, replacing)}) {
            SCOPED_TRACE(outcome.message);
            EXPECT_NE(std::find(expected.begin(), expected.end(), outcome.status), expected.end())
                << lb_status_name(outcome.status);
            EXPECT_NE(std::string(outcome.message).find(path.string()), std::string::npos) << "names the path";
        }
    }

    const fs::path bad = dir / "bad.db";
};

TEST_P(BadSource, missing) { expect_refused(bad, {LB_STATUS_NOT_FOUND}); }

TEST_P(BadSource, missing_with_its_directory) { expect_refused(dir / "nowhere" / "game.db", {LB_STATUS_NOT_FOUND}); }

TEST_P(BadSource, dangling_symlink) {
    fs::create_symlink("nowhere.db", bad);
    expect_refused(bad, {LB_STATUS_NOT_FOUND});
}

TEST_P(BadSource, directory) {
    fs::create_directory(bad);
    expect_refused(bad, {LB_STATUS_NOT_A_DATABASE});
}

TEST_P(BadSource, fifo_is_not_waited_for) {
    ASSERT_EQ(::mkfifo(bad.c_str(), 0600), 0);
    expect_refused(bad, {LB_STATUS_NOT_A_DATABASE});
}

TEST_P(BadSource, socket) {
    ASSERT_EQ(::mknod(bad.c_str(), S_IFSOCK | 0600, 0), 0);
    expect_refused(bad, {LB_STATUS_NOT_A_DATABASE});
}

TEST_P(BadSource, device) { expect_refused("/dev/null", {LB_STATUS_NOT_A_DATABASE}); }

TEST_P(BadSource, text) {
    write_file(bad, std::string(5000, 'a') + "\n");
    expect_refused(bad, {LB_STATUS_NOT_A_DATABASE});
}

TEST_P(BadSource, of_two_bytes) {
    write_file(bad, "SQ");
    expect_refused(bad, {LB_STATUS_NOT_A_DATABASE});
}

TEST_P(BadSource, random_bytes_like_an_encrypted_one) {
    std::mt19937 random(4711);
    std::string bytes(64 * 1024, '\0');
    for (char &byte : bytes) byte = static_cast<char>(random());
    write_file(bad, bytes);
    expect_refused(bad, {LB_STATUS_NOT_A_DATABASE});
}

TEST_P(BadSource, truncated) {
    auto bytes = read_file(source);
    write_file(bad, bytes.substr(0, bytes.size() / 2));
    expect_refused(bad, {LB_STATUS_CORRUPT});
}

TEST_P(BadSource, truncated_within_a_page) {
    auto bytes = read_file(source);
    write_file(bad, bytes.substr(0, bytes.size() - 1000));
    expect_refused(bad, {LB_STATUS_CORRUPT});
}

TEST_P(BadSource, truncated_within_the_header) {
    write_file(bad, read_file(source).substr(0, 60));
    expect_refused(bad, {LB_STATUS_NOT_A_DATABASE, LB_STATUS_CORRUPT});
}

TEST_P(BadSource, with_an_impossible_page_size) {
    auto bytes = read_file(source);
    bytes[16] = 0x03;
    write_file(bad, bytes);
    expect_refused(bad, {LB_STATUS_NOT_A_DATABASE, LB_STATUS_CORRUPT});
}

INSTANTIATE_TEST_SUITE_P(Formats, BadSource, both_formats(), name_of_format);

class OddSource : public CleanTest {
protected:
    /// An archive says that it holds no page. A plain file could not, and has one.
    void expect_empty_image(const fs::path &empty) {
        auto checked = options();
        checked.verify = LB_VERIFY_FULL;
        for (const auto *name : {"empty.db", "empty.db.zst"}) {
            const auto outcome = backup(empty, out / name, checked);
            expect_ok(outcome);
            const bool is_plain = name == std::string("empty.db");
            EXPECT_EQ(outcome.pages, is_plain ? 1U : 0U);
            EXPECT_EQ(outcome.page_size, is_plain ? 4096U : 0U);
            EXPECT_EQ(outcome.image_bytes, is_plain ? 4096U : 0U);
            EXPECT_EQ(outcome.archive_bytes, fs::file_size(out / name));
            const auto image = plain_image(out / name);
            EXPECT_EQ(fs::file_size(image), outcome.image_bytes);
            EXPECT_EQ(integrity_check(image), "ok");
            fs::remove(image);
            fs::remove(out / name);
        }
    }
};

TEST_F(OddSource, of_no_bytes_is_an_empty_image) {
    write_file(dir / "empty.db", "");
    expect_empty_image(dir / "empty.db");
}

/// SQLite takes a single byte for none (os_unix.c, unixFileSize).
TEST_F(OddSource, of_one_byte_is_an_empty_image) {
    write_file(dir / "empty.db", "S");
    expect_empty_image(dir / "empty.db");
}

TEST_F(OddSource, symlink_is_followed_to_the_database_with_its_wal) {
    fs::create_directory(dir / "links");
    const auto link = dir / "links" / "alias.db";
    fs::create_symlink("../game.db", link);
    Db host(source);
    host.exec("PRAGMA wal_autocheckpoint = 0; UPDATE players SET name = 'only in the WAL' WHERE id = 3");
    expect_ok(backup(link, out / "new.db"));
    EXPECT_EQ(Db(out / "new.db").text("SELECT name FROM players WHERE id = 3"), "only in the WAL");
    EXPECT_EQ(list_dir(dir / "links"), std::vector<std::string>{"alias.db"}) << "no -wal or -shm beside the link";
    fs::remove(out / "new.db");
}

TEST_F(OddSource, relative_paths_are_those_of_the_moment_of_the_call) {
    const auto was = fs::current_path();
    fs::current_path(dir.path());
    auto job = Job::start("game.db", "out/new.db", throttled());
    fs::current_path("/");
    EXPECT_EQ(job.set_rate(0), LB_STATUS_OK);
    expect_ok(job.join());
    fs::current_path(was);
    EXPECT_EQ(content_hash(out / "new.db"), content_hash(source));
    fs::remove(out / "new.db");
}

TEST_F(OddSource, names_in_any_script_work_for_both_ends) {
    const auto hall = dir / "Spielhölle 骰子 🎲 with 'quotes', a ? and a #";
    fs::create_directory(hall);
    const auto odd = hall / "lügner%20игра;--.db";
    make_database(odd);
    for (const auto *name : {"Würfel 骰子 🎲?mode=memory#.db", "Würfel 骰子 🎲?mode=memory#.db.zst"}) {
        expect_ok(backup(odd, hall / name));
        EXPECT_EQ(content_hash(plain_image(hall / name)), content_hash(odd));
    }
}

TEST_F(OddSource, name_that_begins_with_file_colon_is_a_path_and_no_uri) {
    const auto odd = dir / "file:game.db?mode=ro";
    fs::copy_file(source, odd);
    const auto was = fs::current_path();
    fs::current_path(dir.path());
    const auto outcome = backup("file:game.db?mode=ro", out / "new.db");
    fs::current_path(was);
    expect_ok(outcome);
    EXPECT_EQ(content_hash(out / "new.db"), content_hash(odd));
    fs::remove(out / "new.db");
}

/// The longest path that SQLite opens is some 500 bytes, with room for "-journal". What the host can have open, the
/// library can back up; more is refused by name.
TEST_F(OddSource, every_path_that_the_hosts_sqlite_opens_can_be_backed_up_and_longer_ones_are_named) {
    auto deep = dir / std::string(200, 'd');
    deep /= std::string(420 - deep.native().size() - 1, 'd');
    fs::create_directories(deep);
    int worked = 0, refused = 0;
    for (std::size_t length = 480; length <= 530; ++length) {
        SCOPED_TRACE(length);
        const auto far = deep / std::string(length - deep.native().size() - 1, 'n');
        fs::copy_file(source, far);
        sqlite3 *host = nullptr;
        const bool opens = sqlite3_open_v2(far.c_str(), &host, SQLITE_OPEN_READWRITE, nullptr) == SQLITE_OK &&
                           sqlite3_exec(host, "SELECT * FROM players", nullptr, nullptr, nullptr) == SQLITE_OK;
        sqlite3_close(host);
        const auto outcome = backup(far, out / "new.db");
        if (opens || outcome.status == LB_STATUS_OK) {
            expect_ok(outcome);
            EXPECT_EQ(read_file(out / "new.db"), read_file(source));
            fs::remove(out / "new.db");
            ++worked;
        } else {
            expect_failed(outcome, LB_STATUS_INVALID_ARGUMENT, "source_path");
            ++refused;
        }
        remove_database(far);
    }
    EXPECT_GT(worked, 0);
    EXPECT_GT(refused, 0);
}

/// SQLite opens no such path, so the copy is read elsewhere.
TEST_F(OddSource, paths_close_to_the_longest_possible_work_as_destination) {
    fs::path deep = dir.path();
    while (deep.native().size() + 201 < 4000) deep /= std::string(200, 'd');
    deep /= std::string(4000 - deep.native().size() - 1, 'e');
    fs::create_directories(deep);
    for (const auto *name : {"copy.db", "copy.db.zst"}) {
        expect_ok(backup(source, deep / name));
        fs::rename(deep / name, dir / name);
        EXPECT_EQ(content_hash(plain_image(dir / name)), content_hash(source));
    }
    EXPECT_TRUE(list_dir(deep).empty());
}

TEST_F(OddSource, longest_file_name_works_as_destination) {
    for (const auto *ending : {".db", ".db.zst"}) {
        const auto dest = out / (std::string(255 - std::strlen(ending), 'n') + ending);
        expect_ok(backup(source, dest));
        const auto image = dest.extension() == ".zst" ? out / "image.db" : dest;
        if (image != dest) unzstd(dest, image);
        fs::rename(image, out / "short.db");
        EXPECT_EQ(content_hash(out / "short.db"), content_hash(source));
        fs::remove(out / "short.db");
        fs::remove(dest);
    }
}

}  // namespace
