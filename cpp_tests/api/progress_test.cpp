// What progress shows, from as many threads as like to look. SPDX-License-Identifier: MIT OR Apache-2.0

#include "fixture.hpp"

#include <atomic>

using namespace lbtest;

namespace {

constexpr std::uint32_t for_ever = 0xFFFFFFFF;
constexpr auto no_estimate = ~std::uint64_t{0};

/// What holds for every look, and from one look to the next.
void expect_onwards(const lb_progress &was, const lb_progress &now) {
    EXPECT_LE(now.state, LB_JOB_STATE_CANCELLED);
    EXPECT_LE(now.phase, LB_PHASE_DONE);
    EXPECT_LE(now.bytes_done, now.bytes_total);
    EXPECT_GE(now.percent, 0.0);
    EXPECT_LE(now.percent, 100.0);
    EXPECT_EQ(now.percent == 100.0, now.state == LB_JOB_STATE_SUCCEEDED) << now.percent;
    EXPECT_EQ(now.bytes_reused, 0U);
    const bool ended = now.state > LB_JOB_STATE_RUNNING;
    if (ended) {  // the other way round, a look may fall between the two
        EXPECT_EQ(now.phase, LB_PHASE_DONE);
        EXPECT_EQ(now.eta_ns, 0U);
    }

    EXPECT_GE(now.state, was.state);
    EXPECT_GE(now.phase, was.phase);
    EXPECT_GE(now.retries, was.retries);
    EXPECT_GE(now.bytes_done, was.bytes_done);
    EXPECT_GE(now.bytes_total, was.bytes_total);
    EXPECT_GE(now.bytes_written, was.bytes_written);
    EXPECT_GE(now.elapsed_ns, was.elapsed_ns);
    EXPECT_GE(now.percent, was.percent);
}

class Progress : public CleanTest, public ::testing::WithParamInterface<Kind> {
protected:
    DatabaseOptions database() const override { return sizable(GetParam().journal_mode); }
    static lb_backup_options in_small_chunks() {
        auto wanted = options();
        wanted.chunk_size = 65536;
        return wanted;
    }
    const fs::path dest = out / GetParam().dest;
};

TEST_P(Progress, never_goes_backwards_and_ends_exactly_at_the_total) {
    for (int round = 0; round < 10; ++round) {
        auto job = Job::start(source, dest, in_small_chunks());
        auto was = job.progress();
        int looks = 0;
        for (bool running = true; running; ++looks) {
            running = job.wait(0) == LB_STATUS_TIMED_OUT;
            const auto now = job.progress();
            ASSERT_NO_FATAL_FAILURE(expect_onwards(was, now));
            ASSERT_FALSE(HasFailure()) << "after " << looks << " looks";
            was = now;
        }
        EXPECT_EQ(was.state, LB_JOB_STATE_SUCCEEDED);
        EXPECT_EQ(was.percent, 100.0);
        EXPECT_EQ(was.bytes_done, was.bytes_total);
        const auto outcome = job.join();
        expect_ok(outcome);
        EXPECT_EQ(was.bytes_total, outcome.image_bytes);
        EXPECT_EQ(was.bytes_written, outcome.archive_bytes);
        EXPECT_EQ(was.retries, outcome.retries);
        fs::remove(dest);
    }
}

TEST_P(Progress, stands_still_once_the_job_has_ended) {
    const auto start = std::chrono::steady_clock::now();
    auto job = Job::start(source, dest);
    EXPECT_EQ(job.wait(for_ever), LB_STATUS_OK);
    const auto took = std::chrono::steady_clock::now() - start;
    const auto first = job.progress();
    for (int i = 0; i < 1000; ++i) {
        const auto again = job.progress();
        ASSERT_EQ(std::memcmp(&first, &again, sizeof first), 0);
    }
    EXPECT_GT(first.elapsed_ns, 0U);
    EXPECT_LE(std::chrono::nanoseconds(first.elapsed_ns), took);
    expect_ok(job.join());
    fs::remove(dest);
}

class HeldProgress : public Progress {};

TEST_P(HeldProgress, of_a_failed_job_stops_short_of_a_hundred) {
    auto job = Job::start(source, dest, throttled());
    ASSERT_TRUE(wait_until_half_way(job));
    const auto was = job.progress();
    write_file(dest, "somebody else's");
    EXPECT_EQ(job.set_rate(0), LB_STATUS_OK);
    EXPECT_EQ(job.wait(for_ever), LB_STATUS_OK);
    const auto now = job.progress();
    expect_onwards(was, now);
    EXPECT_EQ(now.state, LB_JOB_STATE_FAILED);
    EXPECT_LT(now.percent, 100.0);
    EXPECT_EQ(job.join().status, LB_STATUS_ALREADY_EXISTS);
    fs::remove(dest);
}

TEST_P(HeldProgress, estimates_the_rest_of_a_throttled_job) {
    auto paced = in_small_chunks();
    paced.max_bytes_per_second = 2 << 20;  // 8 MiB: some four seconds
    auto job = Job::start(source, dest, paced);
    const auto first = job.progress();
    EXPECT_TRUE(first.eta_ns == no_estimate || first.eta_ns < 3600U * std::uint64_t{1'000'000'000});
    ASSERT_TRUE(wait_until([&] {
        const auto now = job.progress();
        return now.bytes_done * 2 > now.bytes_total && now.bytes_total > 0;
    }));
    const auto half = job.progress();
    if (half.state == LB_JOB_STATE_RUNNING) {
        EXPECT_NE(half.eta_ns, no_estimate);
        EXPECT_LT(half.eta_ns, 60U * std::uint64_t{1'000'000'000});
    }
    EXPECT_EQ(job.set_rate(0), LB_STATUS_OK);
    expect_ok(job.join());
    fs::remove(dest);
}

/// Smaller: the watchers take the processors from the job.
class WatchedProgress : public Progress {
    DatabaseOptions database() const override {
        DatabaseOptions wanted;
        wanted.journal_mode = GetParam().journal_mode;
        return wanted;
    }
};

TEST_P(WatchedProgress, is_safe_from_eight_threads_while_another_joins) {
    for (int round = 0; round < 8; ++round) {
        auto job = Job::start(source, dest, in_small_chunks());
        auto *const handle = job.forget();
        std::vector<std::thread> watchers;
        for (int i = 0; i < 8; ++i)
            watchers.emplace_back([&] {
                auto was = progress(), now = progress();
                lb_status status;
                while ((status = lb_backup_progress(handle, &now)) == LB_STATUS_OK) {
                    expect_onwards(was, now);
                    was = now;
                }
                EXPECT_STREQ(lb_status_name(status), "LB_STATUS_INVALID_HANDLE") << "once it is joined";
            });
        auto outcome = result();
        EXPECT_EQ(lb_backup_join(handle, &outcome), LB_STATUS_OK);
        for (auto &watcher : watchers) watcher.join();
        expect_ok(outcome);
        fs::remove(dest);
    }
}

TEST_P(HeldProgress, of_a_cancelled_job_is_safe_from_eight_threads_while_another_joins) {
    for (int round = 0; round < 30; ++round) {
        auto job = Job::start(source, dest, throttled());
        auto *const handle = job.forget();
        std::vector<std::thread> watchers;
        for (int i = 0; i < 8; ++i)
            watchers.emplace_back([&] {
                auto was = progress(), now = progress();
                while (lb_backup_progress(handle, &now) == LB_STATUS_OK) {
                    expect_onwards(was, now);
                    was = now;
                    lb_backup_cancel(handle);
                }
            });
        EXPECT_EQ(lb_backup_join(handle, nullptr), LB_STATUS_CANCELLED);
        for (auto &watcher : watchers) watcher.join();
    }
}

INSTANTIATE_TEST_SUITE_P(Kinds, Progress, every_kind(), name_of_kind);
INSTANTIATE_TEST_SUITE_P(Kinds, WatchedProgress, every_kind(), name_of_kind);
INSTANTIATE_TEST_SUITE_P(Kinds, HeldProgress, throttled_kinds(), name_of_kind);

using ProgressOfOddOnes = CleanTest;

TEST_F(ProgressOfOddOnes, empty_database_ends_at_a_hundred_of_nothing) {
    write_file(dir / "empty.db", "");
    auto job = Job::start(dir / "empty.db", out / "new.db.zst");
    EXPECT_EQ(job.wait(for_ever), LB_STATUS_OK);
    const auto last = job.progress();
    EXPECT_EQ(last.percent, 100.0);
    EXPECT_EQ(last.bytes_total, 0U);
    EXPECT_EQ(last.bytes_done, 0U);
    expect_ok(job.join());
    fs::remove(out / "new.db.zst");
}

}  // namespace
