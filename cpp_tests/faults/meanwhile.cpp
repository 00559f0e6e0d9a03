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
    auto wanted = restore_options();
    wanted.existing = LB_EXISTING_REPLACE;
    int failed = 0, committed = 0;
    for (unsigned long k = 1;; ++k) {
        SCOPED_TRACE("fsync " + std::to_string(k));
        remove_database(source);
        write_file(source, present);
        Outsider outsider(source);
        bool is_done = false;
        meeting.begin();
        std::thread host([&] {
            meeting.serve([&] {
                // Refused while the library has its lock.
                is_done = is_done || outsider.try_exec("CREATE TABLE another(x)") == SQLITE_OK;
            });
        });
        faults_arm(FAULTS_SYNC, k, k, EIO);
        faults_then([] { meeting.ask(); });
        const auto outcome = restore(archive, source, wanted);
        faults_then(nullptr);
        faults_disarm();
        meeting.end();
        host.join();
        if (faults_injected() == 0) break;
        const auto changed = Db(source).scalar("SELECT count(*) FROM players WHERE name = 'new'");
        EXPECT_EQ(changed == 0, outcome.status == LB_STATUS_OK) << outcome.message;
        failed += outcome.status == LB_STATUS_OK ? 0 : 1;
        committed += is_done ? 1 : 0;
    }
    EXPECT_GT(failed, 0);
    EXPECT_GT(committed, 0);
}

}  // namespace
