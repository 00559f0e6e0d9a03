// What the tests of the game's adapter have in common. SPDX-License-Identifier: MIT OR Apache-2.0

#ifndef LBTEST_HOST_FIXTURE_HPP
#define LBTEST_HOST_FIXTURE_HPP

#include "api/isolated.hpp"

#include <liarsdice/database/async_backup_service.hpp>

#include <gtest/gtest.h>

#include <optional>

namespace lbtest {

using namespace liarsdice::database;

inline fs::path to_fs(const boost::filesystem::path &path) { return path.string(); }

template <class T> void expect_error(const DatabaseResult<T> &result, DatabaseErrorType type, const std::string &told) {
    ASSERT_TRUE(result.has_error()) << "instead of an error about " << told;
    EXPECT_EQ(result.error().type(), type) << result.error().full_message();
    EXPECT_NE(result.error().message().find(told), std::string::npos)
        << "not about " << told << ": " << result.error().message();
}
template <class T>
void expect_error(const DatabaseResult<T> &result, DatabaseErrorType type, const boost::system::error_condition &is,
                  const std::string &told) {
    expect_error(result, type, told);
    if (result.has_error()) {
        EXPECT_EQ(result.error().error_code(), is) << result.error().full_message();
    }
}

template <class T> void expect_cancelled(const DatabaseResult<T> &result) {
    expect_error(result, DatabaseErrorType::BackupFailed,
                 boost::system::errc::make_error_condition(boost::system::errc::operation_canceled), "");
}

template <class T> bool is_ready(const std::future<T> &future) {
    return future.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
}

template <class T> std::string told(const DatabaseResult<T> &result) {
    return result ? "" : result.error().full_message();
}

/// The game: its database, filled, in the directory `data`; its pool; and a manager of backups in `data/backups`.
class GameTest : public ::testing::Test {
protected:
    void SetUp() override {
        fs::create_directory(data);
        make_database(live, database());
        DatabaseConfig::instance().set_database_directory(data.string());
    }
    void TearDown() override {
        close();
        std::error_code ended;
        lb::shutdown(ended);
        lb::configure({}, ended);
    }

    virtual DatabaseOptions database() const { return {}; }

    /// So big, and so slow, that a throttled job is certainly still at work when the test has looked at it.
    static DatabaseOptions sizable() {
        DatabaseOptions wanted;
        wanted.bytes = 8 << 20;
        return wanted;
    }

    static RetentionPolicy plain() {
        RetentionPolicy policy;
        policy.compress_backups = false;
        return policy;
    }

    /// Starts the game. Not in SetUp: tests in a child process do it there.
    void open(const RetentionPolicy &policy = {}) {
        ConnectionManager::instance().configure();
        db.emplace();
        manager.emplace(*db, backups.string(), policy);
    }
    void close() {
        manager.reset();
        db.reset();
        ConnectionManager::instance().shutdown();
    }

    void execute(const std::string &sql) {
        const auto done = db->execute(sql);
        ASSERT_TRUE(done) << told(done);
    }
    void add_players(int first, int count) {
        execute("WITH RECURSIVE n(i) AS (SELECT " + std::to_string(first) +
                " UNION ALL SELECT i + 1 FROM n WHERE i < " + std::to_string(first + count - 1) +
                ") INSERT INTO players SELECT i, 'player ' || i, 1000 FROM n");
    }

    /// What a backup holds, as a database of its own, outside the directory of backups.
    fs::path image(const fs::path &backup) const {
        const fs::path out = dir / (backup.filename().string() + ".image");
        if (backup.extension() == ".zst") {
            unzstd(backup, out);
        } else {
            fs::copy_file(backup, out, fs::copy_options::overwrite_existing);
        }
        return out;
    }
    fs::path image(const BackupInfo &backup) const { return image(to_fs(backup.file_path)); }
    std::int64_t players_in(const BackupInfo &backup) const {
        return Db(image(backup)).scalar("SELECT count(*) FROM players");
    }

    TempDir dir;
    const fs::path data = dir / "data";
    const fs::path live = data / "liarsdice.db";
    const fs::path backups = data / "backups";
    std::optional<DatabaseManager> db;
    std::optional<AsyncBackupManager> manager;
};

/// A game whose library runs one job at a time, and the first one waits: the test says when others begin, and how fast
/// they are.
class StagedTest : public GameTest {
protected:
    void SetUp() override {
        GameTest::SetUp();
        lb::Config config;
        config.max_concurrent_jobs = 1;
        config.queue_length = 16384;
        lb::configure(config);
        lb::BackupOptions options;
        options.max_bytes_per_second = 65536;
        options.format = lb::Format::zstd;
        first_ = lb::start_backup(live, dir / "first", options);
    }
    void TearDown() override {
        let_begin();
        GameTest::TearDown();
    }
    DatabaseOptions database() const override { return sizable(); }

    /// Of all jobs that wait.
    static void slow_down(std::uint64_t bytes_per_second = 65536) {
        for (const auto &job : lb::jobs()) lb_backup_set_rate(job.handle, bytes_per_second);
    }
    void let_begin() {
        std::error_code ended;
        first_.cancel();
        first_.join(ended);
    }

    /// A backup that is certainly at work, and will be for as long as the test wants.
    AsyncBackup<BackupInfo> begin_slowly(const std::string &name = "", BackupProgressCallback progress = {}) {
        auto backup = manager->start_backup(name, std::move(progress));
        slow_down();
        let_begin();
        if (!wait_until([&] {
                const auto now = manager->get_progress(backup.backup_id);
                return now && now->total_bytes > 0;
            }))
            fail("the backup does not begin");
        return backup;
    }

private:
    lb::Job first_;
};

}  // namespace lbtest

#endif
