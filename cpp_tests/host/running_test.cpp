// Backups at work: progress, cancellation, the game that goes on meanwhile, and who goes first in the end.
// SPDX-License-Identifier: MIT OR Apache-2.0

#include "fixture.hpp"

#include <atomic>
#include <latch>
#include <thread>

using namespace lbtest;

namespace {

// ------------------------------------------------------------------------------------------------------------ sizes

class Sizes : public GameTest, public ::testing::WithParamInterface<std::int64_t> {
protected:
    DatabaseOptions database() const override {
        DatabaseOptions wanted;
        wanted.bytes = GetParam();
        wanted.rows = GetParam() < 100'000 ? 1 : 1000;
        return wanted;
    }
};
INSTANTIATE_TEST_SUITE_P(Bytes, Sizes, ::testing::Values(1, 1 << 16, 1 << 20, 20 << 20),
                         [](const auto &tested) { return std::to_string(tested.param); });

TEST_P(Sizes, database_of_any_size_is_backed_up_and_restored) {
    open();
    const auto wanted = content_hash(live);
    for (const bool compress : {true, false}) {
        auto policy = plain();
        policy.compress_backups = compress;
        manager->set_retention_policy(policy);
        const auto taken = manager->create_backup_async().get();
        ASSERT_TRUE(taken) << told(taken);
        EXPECT_EQ(taken->is_compressed, compress);
        EXPECT_EQ(content_hash(image(*taken)), wanted);
        execute("DELETE FROM moves");
        const auto restored = manager->restore_from_backup_async(taken->file_path).get();
        ASSERT_TRUE(restored) << told(restored);
        EXPECT_EQ(content_hash(live), wanted);
    }
}

class Running : public GameTest {
protected:
    DatabaseOptions database() const override { return sizable(); }
};

TEST_F(Running, empty_database_is_backed_up) {
    for (const auto *suffix : {"", "-wal", "-shm"}) fs::remove(live.string() + suffix);
    open();
    const auto taken = manager->create_backup();
    ASSERT_TRUE(taken) << told(taken);
    EXPECT_EQ(Db(image(*taken)).scalar("SELECT count(*) FROM sqlite_schema"), 0);
}

// --------------------------------------------------------------------------------------------------------- progress

TEST_F(Running, progress_never_goes_back_and_ends_with_all_bytes) {
    open();
    std::vector<std::pair<std::size_t, std::size_t>> seen;
    const auto taken =
        manager
            ->create_backup_async("", [&](std::size_t copied, std::size_t total) { seen.emplace_back(copied, total); })
            .get();
    ASSERT_TRUE(taken) << told(taken);
    ASSERT_FALSE(seen.empty());
    EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
    EXPECT_EQ(seen.back().first, seen.back().second);
    EXPECT_EQ(seen.back().second, fs::file_size(image(*taken)));
}

class Staged : public StagedTest {};

TEST_F(Staged, running_backups_tell_how_far_they_are) {
    open();
    EXPECT_TRUE(manager->get_running_backups().empty());
    auto first = manager->start_backup("first"), second = manager->start_backup("second");
    auto waiting = manager->get_running_backups();
    ASSERT_EQ(waiting.size(), 2U);
    EXPECT_EQ(waiting[0].backup_id, first.backup_id);
    EXPECT_EQ(waiting[0].file_name, "first.db.zst");
    EXPECT_EQ(waiting[1].backup_id, second.backup_id);
    EXPECT_EQ(waiting[0].total_bytes, 0U);
    EXPECT_EQ(waiting[0].get_percentage(), 0);
    EXPECT_FALSE(waiting[0].is_cancelled);

    slow_down(512 << 10);
    let_begin();
    ASSERT_TRUE(wait_until([&] { return manager->get_running_backups()[0].bytes_processed > 0; }));
    const auto at_work = manager->get_progress(first.backup_id);
    ASSERT_TRUE(at_work);
    EXPECT_GT(at_work->total_bytes, std::size_t{8} << 20);
    EXPECT_LT(at_work->bytes_processed, at_work->total_bytes);
    EXPECT_GT(at_work->get_percentage(), 0);
    EXPECT_LT(at_work->get_percentage(), 100);
    EXPECT_TRUE(at_work->is_compressing);

    EXPECT_TRUE(manager->cancel_backup(first.backup_id));
    EXPECT_TRUE(manager->cancel_backup(second.backup_id));
    for (const auto &backup : manager->get_running_backups()) EXPECT_TRUE(backup.is_cancelled);
    expect_cancelled(first.result.get());
    expect_cancelled(second.result.get());
    EXPECT_TRUE(manager->get_running_backups().empty());
    EXPECT_FALSE(manager->get_progress(first.backup_id));
}

TEST_F(Running, future_that_is_ready_is_of_a_backup_that_is_not_listed_as_running) {
    open();
    for (int round = 0; round < 5; ++round) {
        manager->create_backup_async().wait();
        EXPECT_TRUE(manager->get_running_backups().empty());
    }
}

// ---------------------------------------------------------------------------------------------------- cancellation

TEST_F(Staged, cancel_before_the_start_leaves_nothing) {
    open();
    auto backup = manager->start_backup();
    EXPECT_TRUE(manager->cancel_backup(backup.backup_id));
    manager->cancel_backup(backup.backup_id);  // once more, whether it has ended or not
    let_begin();
    expect_cancelled(backup.result.get());
    EXPECT_TRUE(list_dir(backups).empty());
}

TEST_F(Staged, cancel_from_another_thread_leaves_nothing) {
    open();
    auto backup = begin_slowly();
    std::thread([&] { EXPECT_TRUE(manager->cancel_backup(backup.backup_id)); }).join();
    expect_cancelled(backup.result.get());
    EXPECT_TRUE(list_dir(backups).empty());
}

TEST_F(Staged, cancel_from_the_progress_callback_leaves_nothing) {
    open();
    auto backup = manager->start_backup("", [&](std::size_t, std::size_t) {
        for (const auto &running : manager->get_running_backups()) manager->cancel_backup(running.backup_id);
    });
    slow_down();
    let_begin();
    expect_cancelled(backup.result.get());
    EXPECT_TRUE(list_dir(backups).empty());
}

TEST_F(Staged, cancel_of_a_synchronous_backup_ends_its_call) {
    open();
    std::thread other([&] {
        ASSERT_TRUE(wait_until([&] { return !manager->get_running_backups().empty(); }));
        EXPECT_TRUE(manager->cancel_backup(manager->get_running_backups()[0].backup_id));
        let_begin();
    });
    expect_cancelled(manager->create_backup());
    other.join();
}

TEST_F(Running, cancel_after_the_end_does_nothing) {
    open();
    auto backup = manager->start_backup();
    const auto taken = backup.result.get();
    ASSERT_TRUE(taken) << told(taken);
    EXPECT_FALSE(manager->cancel_backup(backup.backup_id));
    EXPECT_FALSE(manager->cancel_backup("no such id"));
    EXPECT_FALSE(manager->cancel_backup(""));
    EXPECT_TRUE(fs::exists(to_fs(taken->file_path)));
}

TEST_F(Staged, cancelled_restore_leaves_the_database_as_it_was) {
    fs::create_directory(backups);
    fs::copy_file(live, backups / "earlier.db");
    open();
    execute("DELETE FROM moves");
    auto restore = manager->start_restore((backups / "earlier.db").string());
    slow_down();
    let_begin();
    ASSERT_TRUE(wait_until([&] {
        const auto now = manager->get_progress(restore.backup_id);
        return now && now->total_bytes > 0;
    }));
    EXPECT_TRUE(manager->get_running_backups().empty()) << "it is no backup";
    EXPECT_TRUE(manager->cancel_backup(restore.backup_id));
    expect_cancelled(restore.result.get());
    EXPECT_EQ(Db(live).scalar("SELECT count(*) FROM moves"), 0);
    EXPECT_EQ(integrity_check(live), "ok");
}

// ------------------------------------------------------------------------------------------------ errors, recovery

TEST_F(Running, backup_works_again_as_soon_as_its_cause_of_failure_is_gone) {
    open();
    fs::remove(backups);
    write_file(backups, "in the way");
    expect_error(manager->create_backup(), DatabaseErrorType::InternalError, "backup directory");
    expect_error(manager->create_backup_async().get(), DatabaseErrorType::InternalError, "backup directory");
    fs::remove(backups);
    const auto taken = manager->create_backup();  // and the directory is made again
    EXPECT_TRUE(taken) << told(taken);
}

TEST_F(Running, database_that_does_not_exist_is_named) {
    AsyncBackupService service((dir / "none.db").string(), backups.string());
    expect_error(service.create_backup_async().get(), DatabaseErrorType::InvalidParameter,
                 make_error_condition(boost::system::errc::no_such_file_or_directory), "none.db");
}

TEST_F(Running, source_that_is_no_database_is_named) {
    write_file(dir / "text.db", "certainly not a database, but a text");
    AsyncBackupService service((dir / "text.db").string(), backups.string());
    expect_error(service.create_backup_async().get(), DatabaseErrorType::BackupFailed, "text.db");
    EXPECT_TRUE(list_dir(backups).empty());
}

TEST_F(Running, lock_is_waited_out) {
    {
        Db host(live);
        host.exec("PRAGMA journal_mode = DELETE");
        host.exec("BEGIN EXCLUSIVE; UPDATE players SET rating = 1");
        AsyncBackupService service(live.string(), backups.string());
        auto backup = service.start_backup();
        ASSERT_TRUE(wait_until([] {
            auto now = progress();
            return lb_backup_progress(lb::jobs()[0].handle, &now) == LB_STATUS_OK && now.retries > 0;
        }));
        host.exec("COMMIT");
        const auto taken = backup.result.get();
        ASSERT_TRUE(taken) << told(taken);
        EXPECT_EQ(Db(image(*taken)).scalar("SELECT sum(rating) FROM players"), 10);
    }
}

TEST_F(Staged, queue_that_is_full_is_an_error_and_the_others_go_on) {
    let_begin();
    lb::shutdown();
    lb::Config config;
    config.max_concurrent_jobs = 1;
    config.queue_length = 2;
    lb::configure(config);
    open();
    auto working = manager->start_backup();
    slow_down();
    std::vector<AsyncBackup<BackupInfo>> waiting;
    bool refused = false;
    for (int i = 0; i < 10 && !refused; ++i) {
        waiting.push_back(manager->start_backup());
        refused = is_ready(waiting.back().result);
    }
    ASSERT_TRUE(refused);
    expect_error(waiting.back().result.get(), DatabaseErrorType::BackupFailed,
                 make_error_condition(boost::system::errc::resource_unavailable_try_again), "");
    waiting.pop_back();
    manager->cancel_backup(working.backup_id);
    for (auto &backup : waiting) {
        const auto taken = backup.result.get();
        EXPECT_TRUE(taken) << told(taken);
    }
}

TEST_F(Running, exception_in_the_progress_callback_ends_neither_game_nor_backup) {
    open();
    const auto taken =
        manager->create_backup_async("", [](std::size_t, std::size_t) { throw std::runtime_error("a defect"); }).get();
    EXPECT_TRUE(taken) << told(taken);
}

// ------------------------------------------------------------------------------------------- the game goes on

TEST_F(Running, concurrent_backups_beside_a_writer_are_each_sound) {
    open();
    std::atomic<bool> stop{false};
    std::thread writer([&] {
        DatabaseManager game;
        for (int id = 11; !stop; ++id)
            game.execute("INSERT INTO players VALUES(" + std::to_string(id) + ", 'player', 1)");
    });
    std::vector<std::future<DatabaseResult<BackupInfo>>> taken;
    for (int i = 0; i < 12; ++i) taken.push_back(manager->create_backup_async("number " + std::to_string(i)));
    for (auto &future : taken) {
        const auto backup = future.get();
        ASSERT_TRUE(backup) << told(backup);
        EXPECT_EQ(integrity_check(image(*backup)), "ok");
    }
    stop = true;
    writer.join();
}

TEST_F(Staged, game_uses_all_of_its_pool_while_a_backup_is_at_work) {
    open();
    auto backup = begin_slowly();
    auto &game = ConnectionManager::instance();
    std::vector<ConnectionPool::PooledConnection> all;
    for (int i = 0; i < 20; ++i) {
        all.push_back(game.acquire_connection());
        ASSERT_TRUE(all.back());
    }
    EXPECT_EQ(game.get_pool_stats().total_connections, 20U);
    for (auto &connection : all)
        EXPECT_EQ(connection->execute("UPDATE players SET rating = rating + 1 WHERE id = 1"), SQLITE_OK);
    all.clear();
    // Its threads answer, all of them at once.
    const auto together = std::make_shared<std::latch>(5);
    for (int i = 0; i < 4; ++i) boost::asio::post(game.get_io_context(), [together] { together->arrive_and_wait(); });
    together->arrive_and_wait();
    for (int i = 0; i < 200; ++i) execute("UPDATE players SET rating = rating + 1 WHERE id = 2");
    EXPECT_FALSE(is_ready(backup.result)) << "the backup was at work all the time";
    manager->cancel_backup(backup.backup_id);
    expect_cancelled(backup.result.get());
}

TEST_F(Running, open_transaction_is_not_in_the_backup_and_commits) {
    open();
    ASSERT_TRUE(db->begin_transaction());
    add_players(11, 5);
    const auto taken = manager->create_backup();
    ASSERT_TRUE(taken) << told(taken);
    const auto committed = db->commit_transaction();
    EXPECT_TRUE(committed) << told(committed);
    EXPECT_EQ(players_in(*taken), 10);
    EXPECT_EQ(Db(live).scalar("SELECT count(*) FROM players"), 15);
}

TEST_F(Staged, transaction_that_commits_during_a_backup_is_not_in_it) {
    open();
    auto backup = begin_slowly();
    const auto done = db->with_transaction(
        [](DatabaseManager &game) { return game.execute("INSERT INTO players VALUES(11, 'late', 1000)"); });
    EXPECT_TRUE(done) << told(done);
    for (const auto &job : lb::jobs()) lb_backup_set_rate(job.handle, 0);
    const auto taken = backup.result.get();
    ASSERT_TRUE(taken) << told(taken);
    EXPECT_EQ(players_in(*taken), 10);
}

TEST_F(Staged, ten_thousand_futures_have_no_threads_of_their_own) {
    open();
    const auto threads = count_threads();
    std::vector<AsyncBackup<BackupInfo>> all;
    for (int i = 0; i < 10'000; ++i) all.push_back(manager->start_backup());
    EXPECT_EQ(count_threads(), threads);
    EXPECT_EQ(manager->get_running_backups().size(), 10'000U);
    for (const auto &backup : all) {
        ASSERT_NE(backup.backup_id, "") << "refused";
        if (&backup != &all.front()) manager->cancel_backup(backup.backup_id);
    }
    let_begin();
    const auto first = all.front().result.get();
    EXPECT_TRUE(first) << told(first);
    for (auto &backup : all)
        if (&backup != &all.front()) expect_cancelled(backup.result.get());
    EXPECT_EQ(count_threads(), threads);
    EXPECT_EQ(list_dir(backups).size(), 1U);
}

// ----------------------------------------------------------------------------------------------- who goes first

TEST_F(Staged, manager_that_is_destroyed_cancels_its_backups_and_their_futures_are_ready) {
    fs::create_directory(backups);
    fs::copy_file(live, dir / "earlier.db");
    open();
    std::atomic<bool> gone{false}, called_after{false};
    auto working = begin_slowly("working", [&](std::size_t, std::size_t) { called_after = gone.load(); });
    auto waiting = manager->create_backup_async("waiting");
    auto restore = manager->restore_from_backup_async((dir / "earlier.db").string());
    manager.reset();
    gone = true;
    ASSERT_TRUE(is_ready(working.result) && is_ready(waiting) && is_ready(restore));
    expect_cancelled(working.result.get());
    expect_cancelled(waiting.get());
    expect_cancelled(restore.get());
    EXPECT_FALSE(called_after);
    EXPECT_TRUE(list_dir(backups).empty());
    EXPECT_TRUE(lb::jobs().empty());
}

TEST_F(Staged, service_that_is_destroyed_leaves_the_backups_of_others_alone) {
    open();
    auto mine = manager->start_backup("mine");
    std::future<DatabaseResult<BackupInfo>> theirs;
    {
        AsyncBackupService service(live.string(), (dir / "other").string());
        theirs = service.create_backup_async("theirs");
    }
    expect_cancelled(theirs.get());
    let_begin();
    const auto taken = mine.result.get();
    EXPECT_TRUE(taken) << told(taken);
}

TEST_F(Staged, service_may_be_destroyed_in_its_own_callback) {
    open();
    std::optional<AsyncBackupService> service;
    service.emplace(live.string(), backups.string());
    std::promise<void> destroyed;
    auto first = service->start_backup("first", [&](std::size_t, std::size_t) {
        if (!service) return;
        service.reset();
        destroyed.set_value();
    });
    auto second = service->create_backup_async("second");
    slow_down();
    let_begin();
    destroyed.get_future().get();
    expect_cancelled(first.result.get());
    expect_cancelled(second.get());
    EXPECT_TRUE(wait_until([] { return lb::jobs().empty(); }));
    EXPECT_TRUE(list_dir(backups).empty());
}

TEST_F(Staged, synchronous_call_in_a_callback_is_an_error_and_no_deadlock) {
    open();
    std::promise<DatabaseResult<BackupInfo>> inner;
    bool first = true;
    auto backup = begin_slowly("outer", [&](std::size_t, std::size_t) {
        if (std::exchange(first, false)) inner.set_value(manager->create_backup("inner"));
    });
    expect_error(inner.get_future().get(), DatabaseErrorType::InternalError, "must not wait");
    manager->cancel_backup(backup.backup_id);
    expect_cancelled(backup.result.get());
    manager.reset();
    EXPECT_TRUE(list_dir(backups).empty()) << "the inner one was cancelled";
}

TEST_F(Staged, future_may_be_dropped_and_the_backup_goes_on) {
    open();
    manager->create_backup_async("dropped");
    let_begin();
    ASSERT_TRUE(wait_until([&] { return manager->get_running_backups().empty(); }));
    EXPECT_TRUE(fs::exists(backups / "dropped.db.zst"));
}

TEST_F(Staged, library_that_is_shut_down_ends_the_futures_and_works_again) {
    open();
    auto backup = manager->create_backup_async();
    lb::shutdown();
    expect_cancelled(backup.get());
    const auto taken = manager->create_backup();
    EXPECT_TRUE(taken) << told(taken);
}

}  // namespace
