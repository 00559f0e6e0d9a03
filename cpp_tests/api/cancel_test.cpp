// Cancel acts in every state of a job, at once, and leaves nothing. SPDX-License-Identifier: MIT OR Apache-2.0

#include "fixture.hpp"

using namespace lbtest;

namespace {

constexpr std::uint32_t for_ever = 0xFFFFFFFF;

class Cancel : public CleanTest, public ::testing::WithParamInterface<Kind> {
protected:
    DatabaseOptions database() const override { return sizable(GetParam().journal_mode); }

    static lb_backup_options replacing(lb_backup_options wanted) {
        wanted.existing = LB_EXISTING_REPLACE;
        return wanted;
    }
    static void expect_cancelled(Job &job) {
        EXPECT_EQ(job.wait(for_ever), LB_STATUS_OK);
        const auto last = job.progress();
        EXPECT_EQ(last.state, LB_JOB_STATE_CANCELLED);
        EXPECT_EQ(last.phase, LB_PHASE_DONE);
        EXPECT_LT(last.percent, 100.0);
        EXPECT_EQ(last.eta_ns, 0U);
        const auto outcome = job.join();
        EXPECT_STREQ(lb_status_name(outcome.status), "LB_STATUS_CANCELLED") << outcome.message;
        EXPECT_STRNE(outcome.message, "");
        EXPECT_EQ(outcome.has_sha256, 0U);
    }

    const fs::path dest = out / GetParam().dest;
};

class HeldCancel : public Cancel {};

TEST_P(Cancel, while_copying_leaves_nothing) {
    auto job = Job::start(source, dest);
    wait_until([&] { return job.progress().bytes_done > 0; });
    EXPECT_EQ(job.cancel(), LB_STATUS_OK);
    const auto outcome = job.join();  // it may have been faster
    if (outcome.status == LB_STATUS_OK) {
        fs::remove(dest);
    } else {
        EXPECT_STREQ(lb_status_name(outcome.status), "LB_STATUS_CANCELLED");
    }
}

TEST_P(HeldCancel, while_throttled_ends_long_before_the_throttle_would) {
    auto slow = throttled();
    slow.max_bytes_per_second = 1;
    for (const auto &wanted : {slow, replacing(slow)}) {
        auto job = Job::start(source, wanted.existing == LB_EXISTING_REPLACE ? earlier : dest, wanted);
        ASSERT_TRUE(wait_until_half_way(job));
        EXPECT_EQ(job.cancel(), LB_STATUS_OK);
        expect_cancelled(job);
    }
}

TEST_P(HeldCancel, right_after_the_start_leaves_nothing) {
    for (int i = 0; i < 20; ++i) {
        auto job = Job::start(source, earlier, replacing(throttled()));
        EXPECT_EQ(job.cancel(), LB_STATUS_OK);
        expect_cancelled(job);
    }
}

TEST_P(Cancel, while_waiting_for_a_lock_ends_long_before_the_timeout) {
    Db host(source);
    if (GetParam().wal()) host.exec("PRAGMA locking_mode = EXCLUSIVE");
    host.exec("BEGIN EXCLUSIVE; UPDATE players SET rating = 1 WHERE id = 1");
    auto patient = options();
    patient.busy_timeout_ms = for_ever;
    auto job = Job::start(source, dest, patient);
    ASSERT_TRUE(wait_until([&] { return job.progress().retries > 0; }));
    EXPECT_EQ(job.cancel(), LB_STATUS_OK);
    expect_cancelled(job);
    host.exec("COMMIT");
    host.close();
}

TEST_P(HeldCancel, twice_and_from_many_threads_is_once) {
    auto job = Job::start(source, dest, throttled());
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i) threads.emplace_back([&] { EXPECT_EQ(job.cancel(), LB_STATUS_OK); });
    for (auto &thread : threads) thread.join();
    EXPECT_EQ(job.cancel(), LB_STATUS_OK);
    EXPECT_EQ(job.wait(for_ever), LB_STATUS_OK);
    EXPECT_EQ(job.cancel(), LB_STATUS_OK) << "also when it has ended";
    expect_cancelled(job);
}

TEST_P(Cancel, after_the_end_changes_nothing) {
    auto job = Job::start(source, dest);
    EXPECT_EQ(job.wait(for_ever), LB_STATUS_OK);
    EXPECT_EQ(job.cancel(), LB_STATUS_OK);
    EXPECT_EQ(job.progress().state, LB_JOB_STATE_SUCCEEDED);
    expect_ok(job.join());
    const auto image = plain_image(dest);
    EXPECT_EQ(integrity_check(image), "ok");
    fs::remove(image);
    fs::remove(dest);
}

TEST_P(HeldCancel, lets_the_hosts_writers_go_on_at_once) {
    auto job = Job::start(source, dest, throttled());
    ASSERT_TRUE(wait_until_half_way(job));
    EXPECT_EQ(job.cancel(), LB_STATUS_OK);
    EXPECT_EQ(job.wait(for_ever), LB_STATUS_OK);
    {
        Db host(source);
        host.exec("UPDATE players SET rating = 7");  // no busy timeout here
        if (GetParam().wal()) {
            EXPECT_EQ(host.text("PRAGMA wal_checkpoint(TRUNCATE)"), "0");
        }
    }
    expect_cancelled(job);
}

INSTANTIATE_TEST_SUITE_P(Kinds, Cancel, every_kind(), name_of_kind);
INSTANTIATE_TEST_SUITE_P(Kinds, HeldCancel, throttled_kinds(), name_of_kind);

// ------------------------------------------------------------------------------------------------------------ queued

class CancelQueued : public ConfiguredTest {
protected:
    lb_config configuration() override {
        auto one_at_a_time = config();
        one_at_a_time.max_concurrent_jobs = 1;
        return one_at_a_time;
    }
    DatabaseOptions database() const override { return sizable(); }
};

TEST_F(CancelQueued, ends_at_once_though_the_running_job_does_not) {
    auto running = Job::start(source, out / "1.db", throttled());
    ASSERT_TRUE(wait_until_half_way(running));
    int completions = 0;
    auto counted = options();
    counted.user_data = &completions;
    counted.on_complete = [](lb_job *, const lb_result *outcome, void *count) {
        EXPECT_EQ(outcome->status, LB_STATUS_CANCELLED);
        ++*static_cast<int *>(count);
    };
    std::vector<Job> waiting;
    for (int i = 0; i < 50; ++i)
        waiting.push_back(Job::start(source, out / ("waiting" + std::to_string(i) + ".db"), counted));
    for (const auto &job : waiting) EXPECT_EQ(job.cancel(), LB_STATUS_OK);
    for (auto &job : waiting) {
        const auto outcome = job.join();
        EXPECT_EQ(outcome.status, LB_STATUS_CANCELLED);
        EXPECT_GT(outcome.waiting_ns, 0U) << "in the queue";
    }
    EXPECT_EQ(completions, 50);
    EXPECT_EQ(running.progress().state, LB_JOB_STATE_RUNNING);
    EXPECT_EQ(running.set_rate(0), LB_STATUS_OK);
    expect_ok(running.join());
    EXPECT_EQ(list_dir(out), std::vector<std::string>{"1.db"});
}

}  // namespace
