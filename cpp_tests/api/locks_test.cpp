// What others do to the source while it is backed up: locks, replacement, a growing log; and the queue's limit.
// SPDX-License-Identifier: MIT OR Apache-2.0

#include "fixture.hpp"

using namespace lbtest;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

/// The other process is there before the library is used, and before anything is counted.
class OthersAtWork : public CleanTest, public ::testing::WithParamInterface<Kind> {
protected:
    DatabaseOptions database() const override { return sizable(GetParam().journal_mode); }

    /// Nobody else can even read from here on. The SELECT first, or SQLite could not leave the mode again.
    template <class Somebody>
    void lock_exclusively(Somebody &somebody) {
        if (GetParam().wal()) somebody.exec("SELECT * FROM players; PRAGMA locking_mode = EXCLUSIVE");
        somebody.exec("BEGIN EXCLUSIVE; UPDATE players SET rating = 1 WHERE id = 1");
    }

    static lb_backup_options patient_for(std::uint32_t milliseconds) {
        auto wanted = options();
        wanted.busy_timeout_ms = milliseconds;
        return wanted;
    }

    void expect_busy_after_the_timeout() {
        for (const std::uint32_t timeout : {1U, 300U, 1200U}) {
            const auto start = steady_clock::now();
            const auto outcome = backup(source, dest, patient_for(timeout));
            const auto took = steady_clock::now() - start;
            expect_failed(outcome, LB_STATUS_BUSY, source.string());
            EXPECT_EQ(outcome.sqlite_code & 0xFF, SQLITE_BUSY);
            EXPECT_GE(took, milliseconds(timeout)) << "not before";
            EXPECT_LT(took, milliseconds(timeout) + std::chrono::seconds(30)) << "not for ever";
        }
    }

    Outsider outsider{source};
    const fs::path dest = out / GetParam().dest;
};

TEST_P(OthersAtWork, exclusive_lock_of_another_process_is_busy_after_the_timeout_and_not_before) {
    lock_exclusively(outsider);
    expect_busy_after_the_timeout();
    outsider.exec("COMMIT");
}

TEST_P(OthersAtWork, exclusive_lock_of_this_process_is_busy_after_the_timeout_and_not_before) {
    {
        Db host(source);
        lock_exclusively(host);
        expect_busy_after_the_timeout();
        host.exec("COMMIT");
    }
}

TEST_P(OthersAtWork, lock_released_in_time_is_waited_out) {
    lock_exclusively(outsider);
    auto job = Job::start(source, dest, patient_for(120'000));
    ASSERT_TRUE(wait_until([&] { return job.progress().retries > 0; }));
    EXPECT_EQ(job.progress().phase, LB_PHASE_WAITING);
    EXPECT_EQ(job.wait(0), LB_STATUS_TIMED_OUT);
    outsider.exec("PRAGMA locking_mode = NORMAL; COMMIT; SELECT * FROM players");
    const auto outcome = job.join();
    expect_ok(outcome);
    EXPECT_GT(outcome.retries, 0U);
    EXPECT_GT(outcome.waiting_ns, 0U);
    const auto image = plain_image(dest);
    EXPECT_EQ(Db(image).scalar("SELECT rating FROM players WHERE id = 1"), 1) << "the commit that was waited for";
    fs::remove(image);
    fs::remove(dest);
}

INSTANTIATE_TEST_SUITE_P(Kinds, OthersAtWork, every_kind(), name_of_kind);

// ------------------------------------------------------------------------------------------------- a changed source

class ChangedSource : public CleanTest, public ::testing::WithParamInterface<Kind> {
protected:
    DatabaseOptions database() const override {
        auto wanted = sizable(GetParam().journal_mode);
        if (!GetParam().wal()) wanted.bytes = 32 << 20;  // not throttled: the time it takes is all there is
        return wanted;
    }
    void SetUp() override {
        CleanTest::SetUp();
        fs::create_hard_link(source, aside);
    }

    /// The outcome of a job that was certainly still copying when `act` had been done; `undo` is for other jobs.
    template <class Act, class Undo>
    lb_result act_while_copying(Act act, Undo undo) {
        for (int attempt = 0; attempt < 200; ++attempt) {
            auto job = Job::start(source, dest, throttled());
            wait_until([&] { return job.progress().bytes_total > 0; });
            act();
            const bool in_time = job.progress().percent < 25;  // copying is more than a quarter of any job
            EXPECT_EQ(job.set_rate(0), LB_STATUS_OK);
            const auto outcome = job.join();
            if (in_time) return outcome;
            undo();
            fs::remove(dest);
        }
        ADD_FAILURE() << "no job was slow enough";
        return result();
    }

    const fs::path aside = dir / "aside.db";
    const fs::path dest = out / GetParam().dest;
};

TEST_P(ChangedSource, replaced_half_way_is_told) {
    const auto other = dir / "other.db";
    make_database(other, database());
    const auto outcome = act_while_copying([&] { fs::rename(other, source); },
                                           [&] {
                                               fs::rename(source, other);
                                               fs::create_hard_link(aside, source);
                                           });
    expect_failed(outcome, LB_STATUS_SOURCE_CHANGED, source.string());
}

TEST_P(ChangedSource, unlinked_half_way_is_told) {
    const auto outcome =
        act_while_copying([&] { fs::remove(source); }, [&] { fs::create_hard_link(aside, source); });
    expect_failed(outcome, LB_STATUS_SOURCE_CHANGED, source.string());
}

TEST_P(ChangedSource, behind_a_symlink_pointed_elsewhere_half_way_is_told_or_was_read_to_the_end) {
    make_database(dir / "other.db");
    fs::create_symlink(source, dir / "alias.db");
    fs::create_symlink(dir / "other.db", dir / "alias2.db");
    auto job = Job::start(dir / "alias.db", dest, throttled());
    ASSERT_TRUE(wait_until_half_way(job));
    fs::rename(dir / "alias2.db", dir / "alias.db");
    EXPECT_EQ(job.set_rate(0), LB_STATUS_OK);
    const auto outcome = job.join();
    if (outcome.status == LB_STATUS_OK) {
        const auto image = plain_image(dest);
        EXPECT_EQ(content_hash(image), content_hash(source));
        fs::remove(image);
        fs::remove(dest);
    } else {
        expect_failed(outcome, LB_STATUS_SOURCE_CHANGED, (dir / "alias.db").string());
    }
}

INSTANTIATE_TEST_SUITE_P(Kinds, ChangedSource, every_kind(), name_of_kind);

// -------------------------------------------------------------------------------------------------------- WAL limit

class WalLimit : public CleanTest, public ::testing::WithParamInterface<const char *> {
protected:
    DatabaseOptions database() const override { return sizable(); }
    /// By twenty times 64 KiB and more.
    static void grow_log(Db &host) {
        for (int i = 0; i < 20; ++i)
            host.exec("INSERT INTO moves(game, dice, bid) VALUES (1, randomblob(65536), 'five sixes')");
    }
    const fs::path dest = out / GetParam();
};

TEST_P(WalLimit, ends_a_backup_that_pins_a_log_grown_beyond_it) {
    auto limited = throttled();
    limited.wal_limit_bytes = 1 << 20;
    {
        Db host(source);
        auto job = Job::start(source, dest, limited);
        ASSERT_TRUE(wait_until_half_way(job));
        ASSERT_TRUE(wait_until([&] {
            host.exec("INSERT INTO moves(game, dice, bid) VALUES (1, randomblob(65536), 'five sixes')");
            return job.wait(0) != LB_STATUS_TIMED_OUT;
        }));
        const auto outcome = job.join();
        expect_failed(outcome, LB_STATUS_WAL_LIMIT, source.string());
        EXPECT_EQ(host.text("PRAGMA wal_checkpoint(TRUNCATE)"), "0") << "the log can be reset at once";
    }
    EXPECT_EQ(integrity_check(source), "ok");
}

TEST_P(WalLimit, lets_a_backup_be_while_the_log_stays_below_it) {
    auto limited = throttled();
    limited.wal_limit_bytes = 64 << 20;
    {
        Db host(source);
        auto job = Job::start(source, dest, limited);
        ASSERT_TRUE(wait_until_half_way(job));
        grow_log(host);
        EXPECT_EQ(job.set_rate(0), LB_STATUS_OK);
        const auto outcome = job.join();
        expect_ok(outcome);
        EXPECT_GT(outcome.wal_growth_bytes, 20U * 65536U);
    }
    fs::remove(dest);
}

/// So slow that its next step would be tomorrow.
TEST_P(WalLimit, ends_a_backup_that_only_waits_for_its_rate) {
    auto limited = throttled();
    limited.max_bytes_per_second = 1;
    limited.wal_limit_bytes = 1 << 20;
    {
        Db host(source);
        auto job = Job::start(source, dest, limited);
        ASSERT_TRUE(wait_until_half_way(job));
        grow_log(host);
        expect_failed(job.join(), LB_STATUS_WAL_LIMIT, source.string());
        EXPECT_EQ(host.text("PRAGMA wal_checkpoint(TRUNCATE)"), "0") << "the log can be reset at once";
    }
    EXPECT_EQ(integrity_check(source), "ok");
}

TEST_P(WalLimit, pins_no_log_for_a_rate_once_all_is_read) {
    const auto small = dir / "small.db";
    DatabaseOptions wanted;
    wanted.rows = 10;
    wanted.bytes = 10'000;
    make_database(small, wanted);
    {
        Db host(small);
        host.exec("UPDATE players SET rating = rating + 1");
        auto slow = throttled();
        slow.max_bytes_per_second = 1;
        auto job = Job::start(small, dest, slow);
        ASSERT_TRUE(wait_until_half_way(job));
        EXPECT_TRUE(wait_until([&] { return host.text("PRAGMA wal_checkpoint(TRUNCATE)") == "0"; }));
        EXPECT_EQ(job.wait(0), LB_STATUS_TIMED_OUT) << "its rate keeps it from ending";
        EXPECT_EQ(job.set_rate(0), LB_STATUS_OK);
        expect_ok(job.join());
    }
    fs::remove(dest);
}

INSTANTIATE_TEST_SUITE_P(Formats, WalLimit, both_formats(), name_of_format);

// ------------------------------------------------------------------------------------------------------------ queue

class FullQueue : public ConfiguredTest {
protected:
    lb_config configuration() override {
        auto one_of_each = config();
        one_of_each.max_concurrent_jobs = 1;
        one_of_each.queue_length = 1;
        return one_of_each;
    }
    DatabaseOptions database() const override { return sizable(); }
};

TEST_F(FullQueue, refuses_one_more_and_takes_it_when_there_is_room) {
    auto running = Job::start(source, out / "1.db", throttled());
    ASSERT_TRUE(wait_until_half_way(running));
    auto waiting = Job::start(source, out / "2.db");
    EXPECT_EQ(waiting.progress().state, LB_JOB_STATE_QUEUED);

    expect_failed(backup(source, out / "3.db"), LB_STATUS_QUEUE_FULL, "queue_length");
    EXPECT_FALSE(fs::exists(out / "3.db"));
    EXPECT_EQ(waiting.progress().state, LB_JOB_STATE_QUEUED);

    EXPECT_EQ(waiting.cancel(), LB_STATUS_OK);
    EXPECT_EQ(waiting.join().status, LB_STATUS_CANCELLED);
    auto next = Job::start(source, out / "3.db");
    EXPECT_EQ(running.set_rate(0), LB_STATUS_OK);
    expect_ok(running.join());
    expect_ok(next.join());
    EXPECT_EQ(list_dir(out), (std::vector<std::string>{"1.db", "3.db"}));
}

TEST_F(FullQueue, runs_the_jobs_in_their_order) {
    auto first = Job::start(source, out / "1.db", throttled());
    ASSERT_TRUE(wait_until_half_way(first));
    auto second = Job::start(source, out / "2.db", throttled());
    EXPECT_EQ(first.set_rate(0), LB_STATUS_OK);
    ASSERT_TRUE(wait_until_half_way(second));
    EXPECT_EQ(first.progress().state, LB_JOB_STATE_SUCCEEDED);
    EXPECT_EQ(second.set_rate(0), LB_STATUS_OK);
    expect_ok(first.join());
    expect_ok(second.join());
}

}  // namespace
