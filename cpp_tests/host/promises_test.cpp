// What the game's old code got wrong (docs/INTEGRATION.md), and what the adapter promises instead: a test for each.
// SPDX-License-Identifier: MIT OR Apache-2.0

#include "fixture.hpp"

#include <sys/stat.h>

#include <atomic>
#include <thread>

using namespace lbtest;

namespace {

class Promises : public GameTest {
protected:
    /// In a child: in the parent the library must not have been used before.
    void open_with_little_room(std::size_t bytes, const RetentionPolicy &policy) {
        fs::create_directories(backups);
        enter_private_mounts();
        mount_small(backups, bytes);
        open(policy);
    }
    BackupInfo take(const std::string &name = "") {
        const auto taken = manager->create_backup(name);
        if (!taken) fail(taken.error().full_message());
        return *taken;
    }
    std::size_t listed() {
        const auto backups = manager->list_backups();
        return backups ? backups->size() : 0;
    }
};

using BothFormats = ::testing::WithParamInterface<bool>;

std::string name_of_policy(const ::testing::TestParamInfo<bool> &tested) {
    return tested.param ? "compressed" : "plain";
}

class PromisesOfBoth : public Promises, public BothFormats {
protected:
    static RetentionPolicy policy() {
        RetentionPolicy policy;
        policy.compress_backups = GetParam();
        return policy;
    }
};
INSTANTIATE_TEST_SUITE_P(Policies, PromisesOfBoth, ::testing::Bool(), name_of_policy);

class PromisesOfSizable : public PromisesOfBoth {
protected:
    DatabaseOptions database() const override { return sizable(); }
};
INSTANTIATE_TEST_SUITE_P(Policies, PromisesOfSizable, ::testing::Bool(), name_of_policy);

TEST_P(PromisesOfBoth, rows_that_are_still_in_the_log_are_in_the_backup) {
    open(policy());
    Db reader(live);  // pins the log
    reader.exec("BEGIN; SELECT count(*) FROM players");
    add_players(11, 5000);
    ASSERT_GT(fs::file_size(live.string() + "-wal"), 0U);
    EXPECT_EQ(players_in(take()), 5010);
}

TEST_P(PromisesOfBoth, backups_beside_a_busy_writer_are_sound_and_have_every_commit) {
    open(policy());
    std::atomic<bool> stop{false};
    std::atomic<int> last{10};
    std::thread writer([&] {
        DatabaseManager game;
        for (int id = 11; !stop; ++id) {
            if (!game.execute("INSERT INTO players VALUES(" + std::to_string(id) + ", 'player', 1000)")) break;
            last = id;
        }
    });
    for (int round = 0; round < 10; ++round) {
        const int acknowledged = last;
        const fs::path copy = image(take());
        EXPECT_EQ(integrity_check(copy), "ok");
        EXPECT_GE(Db(copy).scalar("SELECT max(id) FROM players"), acknowledged);
    }
    stop = true;
    writer.join();
    EXPECT_GT(last, 10);
}

TEST_P(PromisesOfSizable, full_disk_is_an_error_and_leaves_older_backups_and_nothing_else) {
    isolated([&] {
        open_with_little_room(1 << 20, policy());
        write_file(backups / "backup_earlier.db", "an earlier backup");
        for (int round = 0; round < 2; ++round)
            expect_error(manager->create_backup(), DatabaseErrorType::BackupFailed,
                         make_error_condition(boost::system::errc::no_space_on_device), backups.string());
        EXPECT_EQ(list_dir(backups), std::vector<std::string>{"backup_earlier.db"});
        EXPECT_EQ(read_file(backups / "backup_earlier.db"), "an earlier backup");
        EXPECT_EQ(listed(), 1U);
    });
}

TEST_P(PromisesOfSizable, disk_without_room_for_the_last_kilobyte_is_an_error_and_leaves_nothing) {
    std::uintmax_t needed = 0;
    isolated([&] {
        open(policy());
        write_file(dir / "needed", std::to_string(take().file_size));
    });
    needed = std::stoull(read_file(dir / "needed"));
    fs::remove_all(backups);
    isolated([&] {
        open_with_little_room((needed / 4096 - 1) * 4096, policy());
        expect_error(manager->create_backup(), DatabaseErrorType::BackupFailed,
                     make_error_condition(boost::system::errc::no_space_on_device), backups.string());
        EXPECT_TRUE(list_dir(backups).empty());
        EXPECT_EQ(listed(), 0U);
    });
}

TEST_F(Promises, damage_is_found_and_told_where) {
    open();
    const auto whole = read_file(to_fs(take("whole").file_path));
    const auto judge = [&](const std::string &name, const std::string &where) {
        SCOPED_TRACE(name);
        const auto verified = manager->verify_backup((backups / name).string());
        ASSERT_TRUE(verified) << told(verified);
        EXPECT_FALSE(*verified);
        expect_error(manager->check_backup((backups / name).string()), DatabaseErrorType::BackupFailed, where);
    };
    auto flipped = whole;
    flipped[flipped.size() / 2] ^= 1;
    write_file(backups / "flipped.db.zst", flipped);
    judge("flipped.db.zst", "the frame of chunk");
    write_file(backups / "truncated.db.zst", whole.substr(0, whole.size() / 2));
    judge("truncated.db.zst", "truncated.db.zst");
    write_file(backups / "empty.db", "");
    judge("empty.db", "is empty");
    write_file(backups / "text.db", "certainly not a database, but a text");
    judge("text.db", "neither a database");
    fs::create_directory(backups / "directory.db");
    judge("directory.db", "not a regular file");

    const auto sound = manager->verify_backup((backups / "whole.db.zst").string());
    EXPECT_TRUE(sound && *sound);
    expect_error(manager->verify_backup((backups / "none.db").string()), DatabaseErrorType::InvalidParameter,
                 "none.db");
}

TEST_F(Promises, damage_within_a_plain_or_gzipped_backup_of_the_old_code_is_found) {
    open(plain());
    const fs::path backup = to_fs(take("old").file_path);
    auto bytes = read_file(backup);
    bytes[bytes.size() / 2 / 4096 * 4096] ^= 0x55;  // the type of a page
    write_file(backup, bytes);
    ASSERT_EQ(run({"gzip", "-k", backup.string()}), 0);
    for (const auto *name : {"old.db", "old.db.gz"}) {
        const auto verified = manager->verify_backup((backups / name).string());
        EXPECT_TRUE(verified && !*verified) << name;
        expect_error(manager->check_backup((backups / name).string()), DatabaseErrorType::BackupFailed,
                     "integrity_check");
        const auto before = content_hash(live);
        expect_error(manager->restore_from_backup((backups / name).string()), DatabaseErrorType::BackupFailed,
                     "integrity_check");
        EXPECT_EQ(content_hash(live), before);
    }
}

TEST_P(PromisesOfBoth, restore_over_a_live_database_shows_the_old_content_or_the_new_to_everybody) {
    open(policy());
    const auto backup = take("before");
    const auto wanted = content_hash(live);
    execute("PRAGMA wal_autocheckpoint = 0");
    add_players(11, 3000);  // the log's newer content must not win
    std::atomic<bool> stop{false};
    std::set<std::int64_t> seen;
    std::thread player([&] {
        Db other(live, SQLITE_OPEN_READWRITE);
        do seen.insert(other.scalar("SELECT count(*) FROM players"));
        while (!stop);
    });
    const auto restored = manager->restore_from_backup(backup.file_path);
    stop = true;
    player.join();
    ASSERT_TRUE(restored) << told(restored);
    for (const auto count : seen) EXPECT_TRUE(count == 10 || count == 3010) << count;
    // On the pool's connections, and in another process.
    ConnectionManager::instance().with_connection([](DatabaseConnection &game) {
        EXPECT_EQ(game.execute("INSERT INTO players VALUES(11, 'new', 1)"), SQLITE_OK);
    });
    execute("DELETE FROM players WHERE id = 11");
    EXPECT_EQ(content_hash(live), wanted);
    std::string said;
    EXPECT_EQ(run({"sqlite3", live.string(), "PRAGMA integrity_check"}, &said), 0);
    EXPECT_EQ(said, "ok\n");
}

TEST_F(Promises, restore_of_what_is_no_backup_is_refused_and_the_database_is_untouched) {
    open();
    const auto before = content_hash(live);
    write_file(backups / "empty.db", "");
    write_file(backups / "text.db", "certainly not a database, but a text");
    fs::create_directory(backups / "directory.db");
    for (const auto *name : {"empty.db", "text.db", "directory.db"})
        expect_error(manager->restore_from_backup((backups / name).string()), DatabaseErrorType::BackupFailed, name);
    expect_error(manager->restore_from_backup((backups / "none.db").string()), DatabaseErrorType::InvalidParameter,
                 "none.db");
    expect_error(manager->restore_from_backup(live.string()), DatabaseErrorType::InvalidParameter, "liarsdice.db");
    EXPECT_EQ(content_hash(live), before);
}

TEST_F(Promises, stale_restore_backup_file_blocks_nothing) {
    open();
    const auto backup = take();
    write_file(live.string() + ".restore_backup", "left by the old code");
    execute("DELETE FROM moves");
    const auto restored = manager->restore_from_backup(backup.file_path);
    ASSERT_TRUE(restored) << told(restored);
    EXPECT_EQ(Db(live).scalar("SELECT count(*) FROM moves"), 1000);
    EXPECT_EQ(read_file(live.string() + ".restore_backup"), "left by the old code");
}

TEST_F(Promises, restoring_a_gzipped_backup_leaves_its_sibling_alone) {
    open(plain());
    const fs::path backup = to_fs(take("z").file_path);
    ASSERT_EQ(run({"gzip", "-k", backup.string()}), 0);
    const auto sibling = read_file(backup);
    const auto before = list_dir(backups);
    execute("DELETE FROM moves");
    const auto restored = manager->restore_from_backup((backups / "z.db.gz").string());
    ASSERT_TRUE(restored) << told(restored);
    EXPECT_EQ(Db(live).scalar("SELECT count(*) FROM moves"), 1000);
    EXPECT_EQ(list_dir(backups), before);
    EXPECT_EQ(read_file(backup), sibling);
}

TEST_P(PromisesOfBoth, names_that_lead_out_of_the_directory_are_refused_and_nothing_is_written) {
    open(policy());
    const auto before = content_hash(live);
    const auto files = list_dir(data);
    for (const std::string &name : {std::string("../liarsdice"), std::string("../x"), std::string("a/b"),
                                    std::string(".."), std::string("/etc/x"), std::string("cut\0off", 7)})
        expect_error(manager->create_backup(name), DatabaseErrorType::InvalidParameter,
                     make_error_condition(boost::system::errc::invalid_argument), "the backup name");
    EXPECT_EQ(content_hash(live), before);
    EXPECT_EQ(list_dir(data), files);
    EXPECT_TRUE(list_dir(backups).empty());
}

TEST_P(PromisesOfSizable, database_over_the_limit_is_refused_before_anything_is_written) {
    auto limited = policy();
    limited.max_backup_size_mb = 7;
    open(limited);
    const std::string reason = "has 8 MB, and the policy allows 7 MB";
    expect_error(manager->create_backup(), DatabaseErrorType::BackupFailed,
                 make_error_condition(boost::system::errc::file_too_large), reason);
    expect_error(manager->create_scheduled_backup("weekly"), DatabaseErrorType::BackupFailed, reason);
    auto refused = manager->start_backup();
    EXPECT_TRUE(is_ready(refused.result)) << "it was started";
    EXPECT_EQ(refused.backup_id, "");
    expect_error(refused.result.get(), DatabaseErrorType::BackupFailed, reason);
    EXPECT_TRUE(list_dir(backups).empty());

    limited.max_backup_size_mb = 8;
    manager->set_retention_policy(limited);
    EXPECT_EQ(players_in(take()), 10);
}

TEST_P(PromisesOfBoth, backup_that_was_taken_is_not_thrown_away_for_what_only_the_log_held) {
    auto limited = policy();
    limited.max_backup_size_mb = 3;
    open(limited);
    execute("PRAGMA wal_autocheckpoint = 0");
    Db writer(live);
    writer.exec("PRAGMA wal_autocheckpoint = 0; CREATE TABLE large AS SELECT randomblob(4000000) AS data");
    ASSERT_LT(fs::file_size(live), 3U << 20);
    EXPECT_EQ(Db(image(take())).scalar("SELECT length(data) FROM large"), 4'000'000);
}

/// Bytes that this process has read so far, from whatever.
std::uintmax_t bytes_read() {
    std::ifstream in("/proc/self/io");
    std::string key;
    std::uintmax_t value = 0;
    if (!(in >> key >> value) || key != "rchar:") fail("/proc/self/io");
    return value;
}

TEST_F(Promises, listing_reads_the_manifest_and_not_the_content) {
    open();
    const auto first = take();
    for (int i = 0; i < 20; ++i)
        fs::copy_file(to_fs(first.file_path), backups / ("backup_copy_" + std::to_string(i) + ".db.zst"));
    const auto bytes = 20 * first.file_size;
    const auto before = bytes_read();
    EXPECT_EQ(listed(), 21U);
    EXPECT_LT(bytes_read() - before, bytes / 10) << "of " << bytes;
    const auto again = bytes_read();
    EXPECT_EQ(listed(), 21U);
    EXPECT_LT(bytes_read() - again, 4096U) << "what is known is read again";
}

TEST_P(PromisesOfBoth, permissions_are_no_wider_than_the_databases) {
    ASSERT_EQ(::chmod(live.c_str(), 0600), 0);
    open(policy());
    struct stat file {};
    ASSERT_EQ(::stat(take().file_path.c_str(), &file), 0);
    EXPECT_EQ(file.st_mode & 0777, 0600U);
}

class Caller : public StagedTest {};

TEST_F(Caller, returns_before_the_work_has_begun) {
    fs::create_directory(backups);
    fs::copy_file(live, backups / "earlier.db");
    open();
    auto backup = manager->create_backup_async();
    auto restore = manager->restore_from_backup_async((backups / "earlier.db").string());
    EXPECT_FALSE(is_ready(backup));
    EXPECT_FALSE(is_ready(restore));
    let_begin();
    const auto taken = backup.get();
    EXPECT_TRUE(taken) << told(taken);
    const auto restored = restore.get();
    EXPECT_TRUE(restored) << told(restored);
}

}  // namespace
