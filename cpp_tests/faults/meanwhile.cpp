// What another process does with a database just when a call of the library has failed.
// SPDX-License-Identifier: MIT OR Apache-2.0

#include "api/fixture.hpp"
#include "faults.h"

#include <condition_variable>
#include <mutex>

using namespace lbtest;

namespace {

/// Has the host do something while a thread of the library waits for it: there, descriptors are not the host's.
class Meeting {
public:
    void begin() {
        const std::lock_guard lock(mutex_);
        is_over_ = false;
    }
    /// The library's side.
    void ask() {
        std::unique_lock lock(mutex_);
        if (is_over_) return;
        is_asked_ = true;
        changed_.notify_all();
        changed_.wait(lock, [&] { return !is_asked_ || is_over_; });
    }
    void end() {
        const std::lock_guard lock(mutex_);
        is_over_ = true;
        is_asked_ = false;
        changed_.notify_all();
    }
    /// The host's side: does it each time that it is asked for, until the end.
    template <class Body> void serve(Body body) {
        std::unique_lock lock(mutex_);
        for (;;) {
            changed_.wait(lock, [&] { return is_asked_ || is_over_; });
            if (is_over_) return;
            body();
            is_asked_ = false;
            changed_.notify_all();
        }
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool is_asked_ = false, is_over_ = true;
};

Meeting meeting;

/// A restore in place whose k-th fsync fails; the host does `body` each time that the library then waits for it.
template <class Body>
lb_result restore_meanwhile(unsigned long k, const fs::path &archive, const fs::path &dest, Body body) {
    meeting.begin();
    std::thread host([&] { meeting.serve(body); });
    auto wanted = restore_options();
    wanted.existing = LB_EXISTING_REPLACE;
    faults_arm(FAULTS_SYNC, k, k, EIO);
    faults_then([] { meeting.ask(); });
    const auto outcome = restore(archive, dest, wanted);
    faults_then(nullptr);
    faults_disarm();
    meeting.end();
    host.join();
    return outcome;
}

class Meanwhile : public ApiTest, public ::testing::WithParamInterface<const char *> {
protected:
    DatabaseOptions database() const override {
        DatabaseOptions wanted;
        wanted.bytes = 200'000;
        wanted.journal_mode = GetParam();
        return wanted;
    }
};

INSTANTIATE_TEST_SUITE_P(Modes, Meanwhile, ::testing::Values("WAL", "DELETE"),
                         [](const auto &tested) { return std::string(tested.param); });

/// Somebody else changes the schema as soon as the commit that failed has let go of the lock.
TEST_P(Meanwhile, another_commit_neither_stands_for_one_that_failed_nor_hides_one_that_stands) {
    const auto archive = dir / "a.db.zst";
    ASSERT_NO_FATAL_FAILURE(expect_ok(backup(source, archive)));
    Db(source).exec("UPDATE players SET name = 'new'");
    const auto present = read_file(source);
    int failed = 0, committed = 0;
    for (unsigned long k = 1;; ++k) {
        SCOPED_TRACE("fsync " + std::to_string(k));
        remove_database(source);
        write_file(source, present);
        Outsider outsider(source);
        bool is_done = false;
        const auto outcome = restore_meanwhile(k, archive, source, [&] {
            // Refused while the library has its lock.
            is_done = is_done || outsider.try_exec("CREATE TABLE another(x)") == SQLITE_OK;
        });
        if (faults_injected() == 0) break;
        const auto changed = Db(source).scalar("SELECT count(*) FROM players WHERE name = 'new'");
        EXPECT_EQ(changed == 0, outcome.status == LB_STATUS_OK) << outcome.message;
        failed += outcome.status == LB_STATUS_OK ? 0 : 1;
        committed += is_done ? 1 : 0;
    }
    EXPECT_GT(failed, 0);
    EXPECT_GT(committed, 0);
}

/// Somebody else takes the lock as soon as the commit that failed has let go of it, and keeps it until the library was
/// refused, or to the end. Only a rollback journal's writers keep readers out.
class Locked : public ApiTest, public ::testing::WithParamInterface<int> {
protected:
    DatabaseOptions database() const override { return shape(4096); }
    static DatabaseOptions shape(int page_size) {
        DatabaseOptions wanted;
        wanted.bytes = 200'000;
        wanted.journal_mode = "DELETE";
        wanted.page_size = page_size;
        return wanted;
    }

    void SetUp() override {
        ApiTest::SetUp();
        ASSERT_NO_FATAL_FAILURE(expect_ok(backup(source, archive)));
        remove_database(source);
        make_database(source, shape(GetParam()));
        Db(source).exec("UPDATE players SET name = 'new'");
        present = read_file(source);
    }

    struct Run {
        bool was_injected, was_refused, is_archive;
        lb_result outcome;
    };
    /// The k-th fsync fails.
    Run run(unsigned long k, bool to_the_end, const std::string &then = "COMMIT") {
        remove_database(source);
        write_file(source, present);
        Outsider outsider(source);
        bool is_holding = false, was_refused = false;
        unsigned long locks = 0;
        const auto outcome = restore_meanwhile(k, archive, source, [&] {
            const auto now = faults_seen(FAULTS_LOCK);
            if (!is_holding && !was_refused) {
                is_holding = outsider.try_exec("BEGIN EXCLUSIVE") == SQLITE_OK;
                locks = now;
            } else if (is_holding && now > locks) {
                was_refused = true;
                if (!to_the_end && outsider.try_exec(then) == SQLITE_OK) is_holding = false;
            }
        });
        if (is_holding) outsider.exec("COMMIT");
        const auto changed = Db(source).scalar("SELECT count(*) FROM players WHERE name = 'new'");
        return {faults_injected() > 0, was_refused, changed == 0, outcome};
    }

    const fs::path archive = dir / "a.db.zst";
    std::string present;
};

INSTANTIATE_TEST_SUITE_P(PageSizes, Locked, ::testing::Values(4096, 8192));  // the archive's, and another layout

TEST_P(Locked, database_hides_no_commit_that_stands_and_is_told_of_where_it_stays_so) {
    int failed = 0;
    unsigned long standing = 0;
    for (unsigned long k = 1;; ++k) {
        SCOPED_TRACE("fsync " + std::to_string(k));
        const auto [was_injected, was_refused, is_archive, outcome] = run(k, false);
        if (!was_injected) break;
        EXPECT_EQ(is_archive, outcome.status == LB_STATUS_OK) << outcome.message;
        failed += is_archive ? 0 : 1;
        // The first after the last that undoes the commit: what comes later fails beside the restore.
        if (!is_archive) standing = 0;
        if (is_archive && was_refused && standing == 0) standing = k;
    }
    EXPECT_GT(failed, 0);
    ASSERT_GT(standing, 0U);

    const auto [was_injected, was_refused, is_archive, outcome] = run(standing, true);
    EXPECT_TRUE(was_injected && was_refused && is_archive);
    expect_failed(outcome, LB_STATUS_IO, "whether the restored content is there is not known");
    EXPECT_EQ(outcome.sqlite_code & 0xff, SQLITE_IOERR);
}

TEST_P(Locked, database_that_somebody_has_written_since_is_told_of_as_what_is_known) {
    unsigned written = 0, failed = 0;
    for (unsigned long k = 1;; ++k) {
        SCOPED_TRACE("fsync " + std::to_string(k));
        const auto [was_injected, was_refused, is_archive, outcome] = run(k, false, "PRAGMA user_version = 7; COMMIT");
        if (!was_injected) break;
        const bool stands = outcome.status == LB_STATUS_OK;
        const bool is_unknown = std::strstr(outcome.message, "whether the restored content is there is not known");
        EXPECT_TRUE(is_unknown || stands == is_archive) << outcome.message;
        EXPECT_FALSE(is_unknown && GetParam() == 4096) << outcome.message;
        written += is_archive && was_refused ? 1 : 0;
        failed += is_archive || is_unknown ? 0 : 1;
    }
    EXPECT_GT(written, 0U);
    EXPECT_GT(failed, 0U);
}

}  // namespace
