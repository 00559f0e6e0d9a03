// With the library's test switches: the adapter when a backup is cancelled at each of its steps, when the disk lies, and
// when the library's protection of the game's locks is off. SPDX-License-Identifier: MIT OR Apache-2.0

#include "fixture.hpp"

#include <csignal>

using namespace lbtest;

namespace {

class Faults : public GameTest, public ::testing::WithParamInterface<bool> {
protected:
    DatabaseOptions database() const override {
        DatabaseOptions small;
        small.bytes = 300'000;
        small.rows = 300;
        return small;
    }
    static RetentionPolicy policy() {
        RetentionPolicy policy;
        policy.compress_backups = GetParam();
        return policy;
    }

    /// Rows that are there after the game, here a child process, was killed; it had acknowledged 69.
    std::int64_t players_after_a_crash(const std::string &hooks) {
        EXPECT_EQ(in_child([&]() -> int {
                      if (!hooks.empty()) set_hooks(hooks);
                      open(policy());
                      add_players(11, 1);
                      if (const auto taken = manager->create_backup(); !taken) fail(told(taken));
                      // Whoever closes a database last deletes its log. Another process must see that it is not the last.
                      std::string said;
                      if (run({"sqlite3", live.string(), "SELECT count(*) FROM players"}, &said) != 0) fail(said);
                      for (int id = 12; id < 70; ++id) add_players(id, 1);
                      return ::raise(SIGKILL);
                  }),
                  128 + SIGKILL);
        return Db(live).scalar("SELECT count(*) FROM players");
    }
};
INSTANTIATE_TEST_SUITE_P(Policies, Faults, ::testing::Bool(),
                         [](const auto &tested) { return std::string(tested.param ? "compressed" : "plain"); });

TEST_P(Faults, commits_after_a_backup_survive_another_process_and_a_crash) {
    EXPECT_EQ(players_after_a_crash(""), 69);
    EXPECT_EQ(integrity_check(live), "ok");
}

TEST_P(Faults, commits_after_a_backup_are_lost_where_the_locks_are_not_protected) {
    EXPECT_EQ(players_after_a_crash("no-isolation"), 11) << "the test above proves nothing";
}

TEST_P(Faults, cancel_at_every_step_is_an_error_and_leaves_nothing) {
    enum { succeeded = 0, cancelled = 1 };
    int step = 0, ending = cancelled;
    for (; ending == cancelled && step < 10'000; ++step) {
        SCOPED_TRACE("cancelled at step " + std::to_string(step));
        ending = in_child([&]() -> int {
            set_hooks("cancel-at-step=" + std::to_string(step));
            open(policy());
            const auto taken = manager->create_backup();
            if (taken) return succeeded;
            expect_cancelled(taken);
            EXPECT_TRUE(list_dir(backups).empty());
            EXPECT_TRUE(manager->get_running_backups().empty());
            return cancelled;
        });
        ASSERT_TRUE(ending == succeeded || ending == cancelled) << ending;
    }
    EXPECT_EQ(ending, succeeded);
    EXPECT_GE(step, 5);
    EXPECT_EQ(list_dir(backups).size(), 1U);
}

TEST_P(Faults, byte_that_the_disk_flipped_is_an_error_and_leaves_nothing) {
    isolated([&] {
        set_hooks("flip-byte");
        open(policy());
        expect_error(manager->create_backup(), DatabaseErrorType::BackupFailed, backups.string());
        EXPECT_TRUE(list_dir(backups).empty());
    });
}

TEST_P(Faults, defect_of_the_library_is_an_internal_error) {
    isolated([&] {
        set_hooks("panic-in-job");
        open(policy());
        expect_error(manager->create_backup(), DatabaseErrorType::InternalError, "a test asked for it");
        auto later = manager->create_backup_async();
        expect_error(later.get(), DatabaseErrorType::InternalError, "a test asked for it");
    });
}

}  // namespace
