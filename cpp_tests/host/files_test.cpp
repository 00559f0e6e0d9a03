// The directory of backups: names, the list, what is kept, compressing and decompressing; and the table of errors.
// SPDX-License-Identifier: MIT OR Apache-2.0

#include "fixture.hpp"

#include <sys/stat.h>

#include <cctype>

using namespace lbtest;

namespace {

class Files : public GameTest {
protected:
    BackupInfo take(const std::string &name = "") {
        const auto taken = manager->create_backup(name);
        if (!taken) fail(taken.error().full_message());
        return *taken;
    }
    std::map<std::string, BackupInfo> list() {
        const auto backups = manager->list_backups();
        if (!backups) fail(backups.error().full_message());
        std::map<std::string, BackupInfo> out;
        for (const auto &backup : *backups) out[backup.file_path.filename().string()] = backup;
        return out;
    }
    std::vector<std::string> names() {
        std::vector<std::string> out;
        for (const auto &[name, backup] : list()) out.push_back(name);
        return out;
    }
    static void set_age(const fs::path &path, int hours) {
        const timespec time{::time(nullptr) - 3600L * hours - 60, 0};
        const timespec times[] = {time, time};
        if (::utimensat(AT_FDCWD, path.c_str(), times, 0) != 0) fail_errno("utimensat");
    }
};

// ----------------------------------------------------------------------------------------------------------- names

TEST_F(Files, each_fault_of_a_name_is_told) {
    open();
    const std::pair<std::string, std::string> faults[] = {
        {" ", "is blank"},
        {".", "begins with a dot"},
        {"..", "begins with a dot"},
        {".hidden", "begins with a dot"},
        {"a/b", "holds a path separator"},
        {"a\\b", "holds a path separator"},
        {std::string("a\0b", 3), "holds a NUL character"},
        {"a\nb", "holds a control character"},
        {"a\x7f", "holds a control character"},
        {"a\xc2\x85", "holds a control character"},
        {"a\xff", "is not UTF-8"},
        {"a\xc0\xaf", "is not UTF-8"},          // an overlong slash
        {"a\xe0\x80\xaf", "is not UTF-8"},      // a longer one
        {"a\xed\xa0\x80", "is not UTF-8"},      // half of a pair
        {"a\xf4\x90\x80\x80", "is not UTF-8"},  // beyond Unicode
        {"a\xe2\x82", "is not UTF-8"},          // cut off
        {std::string(232, 'x'), "is longer than 231 bytes"},
    };
    for (const auto &[name, fault] : faults) {
        expect_error(manager->create_backup(name), DatabaseErrorType::InvalidParameter,
                     make_error_condition(boost::system::errc::invalid_argument), fault);
        expect_error(manager->create_backup_async(name).get(), DatabaseErrorType::InvalidParameter, fault);
    }
    EXPECT_TRUE(list_dir(backups).empty());
}

TEST_F(Files, every_other_name_is_taken_as_it_is) {
    open();
    for (const std::string &name :
         {std::string("before patch 1.2"), std::string("r\xc3\xa4tsel \xf0\x9f\x8e\xb2"), std::string("$(x);'\"*?"),
          std::string(231, 'x'), std::string("-rf"), std::string("a..b")})
        EXPECT_EQ(take(name).file_path.filename().string(), name + ".db.zst");
    manager->set_retention_policy(plain());
    const auto longest = take(std::string(231, 'y'));
    EXPECT_EQ(longest.file_path.filename().string(), std::string(231, 'y') + ".db");
    EXPECT_EQ(integrity_check(to_fs(longest.file_path)), "ok");
    const auto decompressed = manager->decompress_backup(longest.file_path);
    ASSERT_TRUE(decompressed) << told(decompressed);
    EXPECT_EQ(decompressed->filename().string(), std::string(231, 'y') + ".db.decompressed");
    Db(to_fs(*decompressed)).exec("PRAGMA journal_mode = DELETE; UPDATE players SET rating = 0");
}

TEST_F(Files, name_that_is_taken_is_refused_and_the_file_stays) {
    open();
    take("mine");
    const auto before = read_file(backups / "mine.db.zst");
    expect_error(manager->create_backup("mine"), DatabaseErrorType::InvalidParameter,
                 make_error_condition(boost::system::errc::file_exists), "mine.db.zst");
    EXPECT_EQ(read_file(backups / "mine.db.zst"), before);
}

class Staged : public StagedTest {};

TEST_F(Staged, name_of_a_backup_at_work_is_refused_until_it_has_ended) {
    open();
    auto first = manager->start_backup("mine");
    auto second = manager->create_backup_async("mine");
    expect_error(second.get(), DatabaseErrorType::InvalidParameter, "\"mine.db.zst\" is being taken already");
    ASSERT_TRUE(manager->cancel_backup(first.backup_id));
    let_begin();
    expect_cancelled(first.result.get());
    const auto again = manager->create_backup("mine");
    EXPECT_TRUE(again) << told(again);
}

TEST_F(Staged, name_that_somebody_else_takes_meanwhile_is_left_to_them) {
    open();
    auto numbered = manager->start_backup();
    auto given = manager->start_backup("given");
    const fs::path first = backups / manager->get_progress(numbered.backup_id)->file_name;
    for (const auto &path : {first, backups / "given.db.zst"}) write_file(path, "of another process");
    let_begin();
    const auto taken = numbered.result.get();
    ASSERT_TRUE(taken) << told(taken);
    EXPECT_EQ(taken->file_path.filename().string(), first.stem().stem().string() + "_2.db.zst");
    expect_error(given.result.get(), DatabaseErrorType::InvalidParameter,
                 make_error_condition(boost::system::errc::file_exists), "given.db.zst");
    for (const auto &path : {first, backups / "given.db.zst"}) EXPECT_EQ(read_file(path), "of another process");
}

TEST_F(Files, backups_of_one_second_have_different_names) {
    open();
    std::vector<std::future<DatabaseResult<BackupInfo>>> taken;
    AsyncBackupService other(live.string(), backups.string());  // and they know nothing of each other
    for (int i = 0; i < 20; ++i) {
        taken.push_back(manager->create_backup_async());
        taken.push_back(other.create_backup_async());
    }
    std::set<std::string> names;
    for (auto &future : taken) {
        const auto backup = future.get();
        ASSERT_TRUE(backup) << told(backup);
        names.insert(backup->file_path.string());
    }
    EXPECT_EQ(names.size(), 40U);
    EXPECT_EQ(list_dir(backups).size(), 40U);
    for (const auto &[name, backup] : list()) EXPECT_EQ(backup.backup_type, "manual");
}

TEST_F(Files, backups_of_one_second_in_two_processes_have_different_names) {
    const auto take_some = [&] {
        return in_child([&] {
            open();
            for (int i = 0; i < 10; ++i) {
                const auto taken = manager->create_backup();
                EXPECT_TRUE(taken) << told(taken);
            }
            close();
            return 0;
        });
    };
    // No thread for the other one: ThreadSanitizer bears no new threads in the child of a process that has several.
    const pid_t other = ::fork();
    ASSERT_GE(other, 0);
    if (other == 0) ::_exit(take_some());
    EXPECT_EQ(take_some(), 0);
    int status = -1;
    EXPECT_EQ(::waitpid(other, &status, 0), other);
    EXPECT_EQ(status, 0);
    EXPECT_EQ(list_dir(backups).size(), 20U);
}

TEST_F(Files, live_database_in_the_directory_of_backups_is_neither_target_nor_backup) {
    open();
    AsyncBackupManager here(*db, data.string(), plain());
    expect_error(here.create_backup("liarsdice"), DatabaseErrorType::InvalidParameter, "is the live database");
    const auto taken = here.create_backup("copy");
    ASSERT_TRUE(taken) << told(taken);
    const auto listed = here.list_backups();
    ASSERT_TRUE(listed);
    ASSERT_EQ(listed->size(), 1U);
    EXPECT_EQ(listed->front().file_path, taken->file_path);
    set_age(live, 24 * 10000);
    EXPECT_TRUE(here.apply_retention_policy());
    EXPECT_EQ(Db(live).scalar("SELECT count(*) FROM players"), 10);
}

// ------------------------------------------------------------------------------------------------------------ list

TEST_F(Files, list_tells_what_there_is_with_the_newest_first) {
    open();
    const auto first = take();
    const auto second = take("by name");
    manager->set_retention_policy(plain());
    const auto third = take();
    ASSERT_EQ(run({"gzip", "-k", third.file_path.string()}), 0);
    set_age(third.file_path.string() + ".gz", 100);
    set_age(to_fs(third.file_path), 99);
    write_file(backups / "notes.txt", "no backup");
    write_file(backups / ".backup_hidden.db", "none either");
    fs::create_directory(backups / "backup_directory.db");

    const auto listed = manager->list_backups();
    ASSERT_TRUE(listed);
    ASSERT_EQ(listed->size(), 4U);
    EXPECT_EQ((*listed)[0].file_path, second.file_path);
    EXPECT_EQ((*listed)[1].file_path, first.file_path);
    EXPECT_EQ((*listed)[2].file_path, third.file_path);
    EXPECT_EQ((*listed)[3].file_path.string(), third.file_path.string() + ".gz");
    for (const auto &backup : *listed) {
        EXPECT_EQ(backup.backup_type, "manual");
        EXPECT_EQ(backup.is_compressed, backup.file_path.extension() != ".db");
        EXPECT_EQ(backup.file_size, fs::file_size(to_fs(backup.file_path)));
    }
}

TEST_F(Files, list_has_the_sha256_of_own_backups_until_they_change) {
    open();
    const auto taken = take("mine");
    EXPECT_EQ(taken.checksum, sha256sum(to_fs(taken.file_path)));
    EXPECT_EQ(list()["mine.db.zst"].checksum, taken.checksum);
    EXPECT_EQ(list()["mine.db.zst"].created_at, taken.created_at);
    // Another manager finds the same file, and would have to read all of it.
    AsyncBackupManager other(*db, backups.string());
    EXPECT_EQ(other.list_backups()->front().checksum, "");
    set_age(to_fs(taken.file_path), 5);
    EXPECT_EQ(list()["mine.db.zst"].checksum, "");
}

TEST_F(Files, list_takes_the_time_of_an_archive_from_its_manifest) {
    open();
    const auto taken = take();
    set_age(to_fs(taken.file_path), 1000);
    AsyncBackupManager other(*db, backups.string());
    const auto listed = other.list_backups();
    const auto apart = std::chrono::abs(listed->front().created_at - taken.created_at);
    EXPECT_LT(apart, std::chrono::hours(1));
}

TEST_F(Files, list_sees_what_comes_goes_and_changes) {
    open();
    EXPECT_TRUE(list().empty());
    const auto first = take("first");
    EXPECT_EQ(names(), std::vector<std::string>{"first.db.zst"});
    fs::rename(to_fs(first.file_path), backups / "second.db.zst");
    EXPECT_EQ(names(), std::vector<std::string>{"second.db.zst"});
    write_file(backups / "second.db.zst", "damaged");
    EXPECT_EQ(list()["second.db.zst"].file_size, 7U) << "a damaged one is listed: how else would one learn of it?";
    fs::remove_all(backups);
    EXPECT_TRUE(list().empty());
}

TEST_F(Files, directory_that_cannot_be_read_is_an_error_and_one_that_is_not_there_is_empty) {
    open();
    take();
    fs::rename(backups, data / "elsewhere");
    EXPECT_TRUE(list().empty());
    EXPECT_TRUE(manager->apply_retention_policy());
    EXPECT_EQ(manager->get_storage_statistics()->at("total_backups"), 0U);
    write_file(backups, "no directory");
    const auto not_a_directory = make_error_condition(boost::system::errc::not_a_directory);
    const auto told = "cannot read the backup directory \"" + backups.string() + '"';
    expect_error(manager->list_backups(), DatabaseErrorType::InternalError, not_a_directory, told);
    expect_error(manager->apply_retention_policy(), DatabaseErrorType::InternalError, not_a_directory, told);
    expect_error(manager->get_storage_statistics(), DatabaseErrorType::InternalError, not_a_directory, told);
}

TEST_F(Files, directory_of_which_nothing_or_only_the_names_can_be_read_is_an_error) {
    fs::permissions(dir.path(), fs::perms(0755));
    isolated([&] {
        open();
        take();
        // Of the owner, or of others if the owner is root.
        for (const auto mode : {0311, 0444}) {
            SCOPED_TRACE(mode);
            fs::permissions(backups, fs::perms(mode));
            become_nobody();
            expect_error(manager->list_backups(), DatabaseErrorType::InternalError,
                         make_error_condition(boost::system::errc::permission_denied),
                         "cannot read the backup directory");
            ASSERT_EQ(::seteuid(::getuid()), 0);
        }
    });
    fs::permissions(backups, fs::perms(0755));
}

TEST_F(Files, list_is_the_same_for_many_threads_at_once) {
    open();
    for (int i = 0; i < 5; ++i) take();
    std::vector<std::thread> threads;
    std::atomic<int> right{0};
    for (int i = 0; i < 4; ++i)
        threads.emplace_back([&] {
            for (int round = 0; round < 20; ++round)
                if (const auto listed = manager->list_backups(); listed && listed->size() == 5) ++right;
        });
    for (auto &thread : threads) thread.join();
    EXPECT_EQ(right, 80);
}

// ------------------------------------------------------------------------------------------------------------ kept

TEST_F(Files, retention_keeps_each_type_for_its_time_whatever_the_suffix) {
    open();
    const struct {
        const char *name;
        int hours;
    } types[] = {{"backup_daily_x", 7 * 24},
                 {"backup_weekly_x", 28 * 24},
                 {"backup_monthly_x", 180 * 24},
                 {"backup_yearly_x", 2 * 365 * 24},
                 {"backup_manual_x", 7 * 24}};
    std::vector<std::string> kept;
    for (const auto &[name, hours] : types) {
        for (const std::string suffix : {".db", ".db.gz", ".db.zst"}) {
            const std::string fresh = name + ("_kept" + suffix), stale = name + ("_gone" + suffix);
            write_file(backups / fresh, "a backup, by its name");
            write_file(backups / stale, "a backup, by its name");
            set_age(backups / fresh, hours - 1);
            set_age(backups / stale, hours);
            kept.push_back(fresh);
        }
    }
    write_file(backups / "by name.db", "of the user's own");
    set_age(backups / "by name.db", 24 * 10000);
    write_file(backups / "backup_notes.txt", "no backup");
    set_age(backups / "backup_notes.txt", 24 * 10000);
    kept.push_back("by name.db");
    kept.push_back("backup_notes.txt");
    std::sort(kept.begin(), kept.end());

    const auto statistics = manager->get_storage_statistics();
    ASSERT_TRUE(statistics);
    EXPECT_EQ(statistics->at("total_backups"), 31U);
    for (const auto *type : {"daily", "weekly", "monthly", "yearly"})
        EXPECT_EQ(statistics->at(std::string(type) + "_backups"), 6U);
    EXPECT_EQ(statistics->at("manual_backups"), 7U);
    EXPECT_EQ(statistics->at("total_size_bytes"), 30 * 21U + 17U);
    EXPECT_EQ(statistics->at("directory_size_bytes"), 30 * 21U + 17U + 9U);

    const auto applied = manager->apply_retention_policy();
    EXPECT_TRUE(applied) << told(applied);
    EXPECT_EQ(list_dir(backups), kept);
}

TEST_F(Files, retention_takes_the_age_of_an_archive_from_its_manifest) {
    open();
    const auto taken = take();
    set_age(to_fs(taken.file_path), 24 * 100);
    EXPECT_TRUE(manager->apply_retention_policy());
    EXPECT_TRUE(fs::exists(to_fs(taken.file_path)));
}

TEST_F(Files, scheduled_backup_is_taken_once_in_its_period) {
    open();
    for (const std::string type : {"weekly", "monthly", "yearly"}) {
        const auto first = manager->create_scheduled_backup(type);
        ASSERT_TRUE(first) << told(first);
        EXPECT_EQ(first->backup_type, type);
        EXPECT_TRUE(first->is_compressed);
        const auto second = manager->create_scheduled_backup(type);
        ASSERT_TRUE(second) << told(second);
        EXPECT_EQ(second->file_path, first->file_path);
    }
    EXPECT_EQ(list_dir(backups).size(), 3U);
    const auto daily = manager->create_scheduled_backup("daily");
    ASSERT_TRUE(daily) << told(daily);
    EXPECT_EQ(daily->backup_type, "daily");
    const auto other = manager->create_scheduled_backup("now and then");
    ASSERT_TRUE(other) << told(other);
    EXPECT_EQ(other->backup_type, "manual");
}

TEST_F(Files, scheduled_backup_of_the_old_code_counts_for_its_period) {
    open();
    const auto taken = manager->create_scheduled_backup("yearly");
    const fs::path path = to_fs(taken->file_path);
    fs::path old = path;
    fs::rename(path, old.replace_extension(".gz"));
    const auto again = manager->create_scheduled_backup("yearly");
    ASSERT_TRUE(again);
    EXPECT_EQ(to_fs(again->file_path), old);
}

/// What a full disk left of the old code, in its own place or in that of the new backup.
TEST_F(Files, scheduled_backup_is_taken_beside_a_damaged_one_and_refused_where_that_has_its_name) {
    open(plain());
    const auto sound = manager->create_scheduled_backup("yearly");
    ASSERT_TRUE(sound) << told(sound);
    const fs::path path = to_fs(sound->file_path), compressed = path.string() + ".zst";
    const auto bytes = read_file(path);
    const std::pair<std::string, std::string> damaged[] = {
        {"", "is empty"},
        {std::string(5000, 'x'), "is neither a database nor a compressed one"},
        {bytes.substr(0, 50), "it ends within the database's header"},
        {bytes.substr(0, bytes.size() / 2), "it is shorter than its database"},
    };
    for (const auto &[left, fault] : damaged) {
        SCOPED_TRACE(fault);
        write_file(path, left);
        manager->set_retention_policy(plain());
        expect_error(manager->create_scheduled_backup("yearly"), DatabaseErrorType::InvalidParameter,
                     make_error_condition(boost::system::errc::file_exists), fault);
        EXPECT_EQ(list_dir(backups).size(), 1U);
        manager->set_retention_policy({});
        for (int i = 0; i < 2; ++i) {
            const auto taken = manager->create_scheduled_backup("yearly");
            ASSERT_TRUE(taken) << told(taken);
            EXPECT_EQ(to_fs(taken->file_path), compressed);
        }
        const auto verified = manager->verify_backup(compressed.string());
        EXPECT_TRUE(verified && *verified);
        EXPECT_EQ(read_file(path), left);
        fs::remove(compressed);
    }
}

TEST_F(Files, pattern_that_leads_out_of_the_directory_is_refused) {
    RetentionPolicy policy;
    policy.weekly_pattern = "../backup_weekly_%Y.db";
    open(policy);
    expect_error(manager->create_scheduled_backup("weekly"), DatabaseErrorType::InvalidParameter, "begins with a dot");
    EXPECT_TRUE(list_dir(backups).empty());
}

// ------------------------------------------------------------------------------------------------------ compressing

TEST_F(Files, plain_backup_is_compressed_and_back_and_nothing_else_is_left) {
    open(plain());
    const auto taken = take("plain");
    const auto bytes = read_file(to_fs(taken.file_path));
    const auto compressed = manager->compress_backup(taken.file_path);
    ASSERT_TRUE(compressed) << told(compressed);
    EXPECT_EQ(compressed->filename().string(), "plain.db.zst");
    EXPECT_EQ(list_dir(backups), (std::vector<std::string>{"plain.db", "plain.db.zst"}));
    const auto sound = manager->verify_backup(*compressed);
    EXPECT_TRUE(sound && *sound);

    expect_error(manager->decompress_backup(*compressed), DatabaseErrorType::InvalidParameter,
                 make_error_condition(boost::system::errc::file_exists), "plain.db");
    fs::remove(to_fs(taken.file_path));
    const auto decompressed = manager->decompress_backup(*compressed);
    ASSERT_TRUE(decompressed) << told(decompressed);
    EXPECT_EQ(decompressed->filename().string(), "plain.db");
    EXPECT_EQ(read_file(to_fs(*decompressed)), bytes);
    EXPECT_EQ(list_dir(backups), (std::vector<std::string>{"plain.db", "plain.db.zst"}));
}

TEST_F(Files, old_gzip_is_listed_verified_decompressed_and_restored) {
    open(plain());
    const fs::path plain = to_fs(take("old").file_path);
    const auto bytes = read_file(plain);
    ASSERT_EQ(run({"gzip", plain.string()}), 0);
    EXPECT_EQ(names(), std::vector<std::string>{"old.db.gz"});
    EXPECT_TRUE(list()["old.db.gz"].is_compressed);
    const boost::filesystem::path old((backups / "old.db.gz").string());
    const auto sound = manager->verify_backup(old);
    EXPECT_TRUE(sound && *sound);
    execute("DELETE FROM moves");
    const auto restored = manager->restore_from_backup(old);
    EXPECT_TRUE(restored) << told(restored);
    EXPECT_EQ(Db(live).scalar("SELECT count(*) FROM moves"), 1000);
    const auto decompressed = manager->decompress_backup(old);
    ASSERT_TRUE(decompressed) << told(decompressed);
    EXPECT_EQ(read_file(to_fs(*decompressed)), bytes);
}

TEST_F(Files, what_cannot_be_compressed_is_told_and_leaves_nothing) {
    open();
    const auto taken = take("small");
    write_file(backups / "text.db", "certainly not a database, but a text");
    expect_error(manager->compress_backup(taken.file_path), DatabaseErrorType::InvalidParameter,
                 "is compressed already");
    expect_error(manager->compress_backup((backups / "none.db").string()), DatabaseErrorType::InvalidParameter,
                 "none.db");
    expect_error(manager->compress_backup((backups / "text.db").string()), DatabaseErrorType::BackupFailed, "text.db");
    write_file(backups / "text.db.gz", "certainly not a database, but a text");
    fs::remove(backups / "text.db");
    expect_error(manager->decompress_backup((backups / "text.db.gz").string()), DatabaseErrorType::BackupFailed,
                 "text.db.gz");
    EXPECT_EQ(list_dir(backups), (std::vector<std::string>{"small.db.zst", "text.db.gz"}));
}

TEST_F(Files, compressed_backup_never_was_a_plain_file) {
    // With room for the archive, and none for the image beside it.
    isolated([&] {
        open();
        const auto needed = take().file_size;
        close();
        fs::remove_all(backups);
        fs::create_directory(backups);
        enter_private_mounts();
        mount_small(backups, (needed / 4096 + 16) * 4096);
        ASSERT_LT((needed / 4096 + 16) * 4096, fs::file_size(live));
        open();
        const auto taken = manager->create_backup();
        EXPECT_TRUE(taken) << told(taken);
    });
}

TEST_F(Files, dump_is_a_backup_on_the_library) {
    open();
    const auto dump = manager->create_sql_dump("nightly");
    ASSERT_TRUE(dump) << told(dump);
    EXPECT_EQ(dump->file_path.filename().string(), "nightly_dump.db.zst");
    EXPECT_TRUE(manager->create_sql_dump());
}

// ---------------------------------------------------------------------------------------------------------- errors

TEST(Errors, each_status_has_its_type_and_its_code) {
    using Type = DatabaseErrorType;
    const std::map<lb_status, Type> table = {
        {LB_STATUS_INVALID_ARGUMENT, Type::InvalidParameter},
        {LB_STATUS_INVALID_HANDLE, Type::InternalError},
        {LB_STATUS_NOT_FOUND, Type::InvalidParameter},
        {LB_STATUS_ALREADY_EXISTS, Type::InvalidParameter},
        {LB_STATUS_PERMISSION_DENIED, Type::BackupFailed},
        {LB_STATUS_NOT_A_DATABASE, Type::BackupFailed},
        {LB_STATUS_CORRUPT, Type::BackupFailed},
        {LB_STATUS_BUSY, Type::Timeout},
        {LB_STATUS_NO_SPACE, Type::BackupFailed},
        {LB_STATUS_IO, Type::BackupFailed},
        {LB_STATUS_CANCELLED, Type::BackupFailed},
        {LB_STATUS_TIMED_OUT, Type::Timeout},
        {LB_STATUS_QUEUE_FULL, Type::BackupFailed},
        {LB_STATUS_SOURCE_CHANGED, Type::BackupFailed},
        {LB_STATUS_WAL_LIMIT, Type::BackupFailed},
        {LB_STATUS_UNSUPPORTED, Type::BackupFailed},
        {LB_STATUS_OUT_OF_MEMORY, Type::InternalError},
        {LB_STATUS_WRONG_PROCESS, Type::InternalError},
        {LB_STATUS_WOULD_DEADLOCK, Type::InternalError},
        {LB_STATUS_SHUT_DOWN, Type::BackupFailed},
        {LB_STATUS_INTERNAL, Type::InternalError},
    };
    // The names of statuses end where the statuses do.
    for (int value = 1; std::string(lb_status_name(static_cast<lb_status>(value))) != "LB_STATUS_UNKNOWN"; ++value) {
        const auto status = static_cast<lb_status>(value);
        SCOPED_TRACE(lb_status_name(status));
        ASSERT_TRUE(table.contains(status));
        const DatabaseError error = backup_detail::to_error(status, "the message");
        EXPECT_EQ(error.type(), table.at(status));
        EXPECT_EQ(error.message(), "the message");
        EXPECT_TRUE(error.error_code());
        if (status == LB_STATUS_CANCELLED) {
            EXPECT_EQ(error.error_code(), boost::asio::error::operation_aborted);
        } else {
            EXPECT_TRUE(error.error_code() == status);
        }
        EXPECT_NE(error.full_message(), "the message");
        // The header says the same.
        const std::string header = read_file(LB_ADAPTER_HEADER);
        const std::string name = std::string(lb_status_name(status)).substr(10);
        const auto line = [&](const std::string &type) {
            const auto begin = header.find("///   " + type + " ");
            return header.substr(begin, header.find('\n', begin) - begin);
        };
        const auto has = [&](const std::string &type) {
            const std::string text = line(type) + ",";
            return text.find(" " + name + ",") != std::string::npos;
        };
        EXPECT_EQ(has("InvalidParameter"), error.type() == Type::InvalidParameter);
        EXPECT_EQ(has("Timeout"), error.type() == Type::Timeout);
        EXPECT_EQ(has("InternalError"), error.type() == Type::InternalError);
    }
}

}  // namespace
