// Many jobs at once: each is right whatever becomes of the others, and a small one is not stuck behind large ones.
// SPDX-License-Identifier: MIT OR Apache-2.0

#include "fixture.hpp"

#include <random>

using namespace lbtest;

namespace {

bool has_ended(const Job &job) { return job.progress().state > LB_JOB_STATE_RUNNING; }

// ------------------------------------------------------------------------------------------------------------- crowds

enum class Fate { runs, cancelled_at_once, cancelled_half_way };

struct Member {
    fs::path source;
    fs::path dest;
    Fate fate;
    Job job;
};

class Crowd : public CleanTest {
protected:
    void SetUp() override {
        for (int i = 0; i < 12; ++i) {
            DatabaseOptions wanted;
            wanted.bytes = std::int64_t{1} << (14 + i);  // 16 KiB to 32 MiB
            wanted.journal_mode = i % 3 == 0 ? "DELETE" : "WAL";
            wanted.page_size = 512 << (i % 8);
            wanted.seed = i + 1;
            sources.push_back(dir / ("source" + std::to_string(i) + ".db"));
            make_database(sources.back(), wanted);
        }
        CleanTest::SetUp();
    }

    /// Sixteen jobs of any source and format. `fates` is what may become of one.
    std::vector<Member> start(const std::vector<Fate> &fates) {
        std::vector<Member> crowd;
        for (int i = 0; i < 16; ++i) {
            const auto pick = [&](std::size_t among) { return static_cast<std::size_t>(chance() % among); };
            Member member{sources[pick(sources.size())],
                          out / (std::to_string(i) + (pick(2) == 0 ? ".db" : ".db.zst")),
                          fates[pick(fates.size())],
                          {}};
            member.job = Job::start(member.source, member.dest);
            if (member.fate == Fate::cancelled_at_once) member.job.cancel();
            crowd.push_back(std::move(member));
        }
        for (const auto &member : crowd) {
            if (member.fate != Fate::cancelled_half_way) continue;
            wait_until([&] { return member.job.progress().bytes_done > 0 || has_ended(member.job); });
            member.job.cancel();
        }
        return crowd;
    }

    /// What was not cancelled, or not in time, is right; what was is not there. How many were.
    int expect_right(std::vector<Member> &crowd) {
        int cancelled = 0;
        for (auto &[source, dest, fate, job] : crowd) {
            SCOPED_TRACE(source.string() + " to " + dest.string());
            const auto outcome = job.join();
            if (fate != Fate::runs && outcome.status == LB_STATUS_CANCELLED) {
                ++cancelled;
                EXPECT_FALSE(fs::exists(dest));
                continue;
            }
            expect_ok(outcome);
            const auto image = plain_image(dest);
            EXPECT_TRUE(read_file(image) == read_file(source));
            fs::remove(image);
            fs::remove(dest);
        }
        return cancelled;
    }

    std::vector<fs::path> sources;
    static constexpr unsigned seed = 16;
    std::mt19937 chance{seed};
};

TEST_F(Crowd, of_sixteen_jobs_of_mixed_sizes_all_come_back) {
    auto crowd = start({Fate::runs});
    EXPECT_EQ(expect_right(crowd), 0);
}

TEST_F(Crowd, of_sixteen_jobs_those_that_are_not_cancelled_come_back) {
    std::printf("seed %u\n", seed);
    int cancelled = 0;
    for (int round = 0; round < 6; ++round) {
        SCOPED_TRACE(round);
        auto crowd = start({Fate::runs, Fate::runs, Fate::cancelled_at_once, Fate::cancelled_half_way});
        cancelled += expect_right(crowd);
        EXPECT_EQ(list_dir(out), std::vector<std::string>{"earlier.db"});
    }
    EXPECT_GT(cancelled, 0) << "all of them were too late";
}

// -------------------------------------------------------------------------------------------------------------- turns

/// Large jobs that take as long as the test likes, more of them than there are threads, and small ones behind them.
class Queue : public ConfiguredTest {
protected:
    DatabaseOptions database() const override {
        DatabaseOptions large;
        large.bytes = 18 << 20;
        return large;
    }
    static lb_config with_jobs(std::uint32_t max_concurrent_jobs) {
        auto wanted = config();
        wanted.max_concurrent_jobs = max_concurrent_jobs;
        return wanted;
    }
    void SetUp() override {
        ConfiguredTest::SetUp();
        ASSERT_GT(fs::file_size(source), 16U << 20);
        DatabaseOptions wanted;
        wanted.bytes = 256 << 10;
        make_database(small_source, wanted);
        for (int i = 0; i < 12; ++i)
            large.push_back(Job::start(source, out / ("large" + std::to_string(i) + (i % 2 == 0 ? ".db" : ".db.zst")),
                                       throttled()));
        for (const auto *name : {"small.db", "small.db.zst"}) small.push_back(Job::start(small_source, out / name));
    }

    /// Waits for whichever comes first: the end of every small job, or that of any large one.
    bool small_ones_end_first() {
        const auto all_small = [&] { return std::all_of(small.begin(), small.end(), has_ended); };
        const auto any_large = [&] { return std::any_of(large.begin(), large.end(), has_ended); };
        wait_until([&] { return all_small() || any_large(); });
        return all_small() && !any_large();
    }
    std::ptrdiff_t large_ones(lb_job_state state) {
        return std::count_if(large.begin(), large.end(), [&](const Job &job) { return job.progress().state == state; });
    }

    const fs::path small_source = dir / "small.db";
    std::vector<Job> large, small;
};

class FairQueue : public Queue, public ::testing::WithParamInterface<std::uint32_t> {
    lb_config configuration() override { return with_jobs(GetParam()); }
};

TEST_P(FairQueue, lets_small_databases_past_large_ones) {
    ASSERT_TRUE(small_ones_end_first());
    for (auto &job : small) expect_ok(job.join());
    EXPECT_EQ(read_file(out / "small.db"), read_file(small_source));
    EXPECT_GT(large_ones(LB_JOB_STATE_RUNNING), 1) << "large ones run meanwhile";
    EXPECT_GT(large_ones(LB_JOB_STATE_QUEUED), 0) << "as many as may";
}

INSTANTIATE_TEST_SUITE_P(Threads, FairQueue, ::testing::Values(0U, 3U), [](const auto &tested) {
    return tested.param == 0 ? "by_default" : std::to_string(tested.param) + "_threads";
});

/// With one thread there is nobody to spare: so the tests above can fail.
class NarrowQueue : public Queue {
    lb_config configuration() override { return with_jobs(1); }
};

TEST_F(NarrowQueue, lets_nobody_past) {
    large[0].set_rate(0);
    EXPECT_FALSE(small_ones_end_first());
    for (const auto &job : small) EXPECT_EQ(job.progress().state, LB_JOB_STATE_QUEUED);
}

}  // namespace
