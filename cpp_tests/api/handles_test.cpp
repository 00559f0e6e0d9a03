// A handle that is not, or no longer, one gives LB_STATUS_INVALID_HANDLE from every function, whatever its bits.
// SPDX-License-Identifier: MIT OR Apache-2.0

#include "fixture.hpp"

#include <random>

using namespace lbtest;

namespace {

constexpr std::uint32_t for_ever = 0xFFFFFFFF;

struct Function {
    const char *name;
    lb_status (*call)(lb_job *);
};

const Function functions[] = {
    {"progress",
     [](lb_job *job) {
         auto now = progress();
         return lb_backup_progress(job, &now);
     }},
    {"cancel", [](lb_job *job) { return lb_backup_cancel(job); }},
    {"wait 0", [](lb_job *job) { return lb_backup_wait(job, 0); }},
    {"wait for ever", [](lb_job *job) { return lb_backup_wait(job, for_ever); }},
    {"set_rate", [](lb_job *job) { return lb_backup_set_rate(job, 1); }},
    {"join", [](lb_job *job) { return lb_backup_join(job, nullptr); }},
    {"join with a result",
     [](lb_job *job) {
         auto outcome = result();
         const auto status = lb_backup_join(job, &outcome);
         EXPECT_EQ(outcome.status, LB_STATUS_OK) << "not written";
         return status;
     }},
    {"release", [](lb_job *job) { return lb_backup_release(job); }},
};

void expect_invalid_everywhere(lb_job *handle) {
    for (const auto &function : functions)
        ASSERT_STREQ(lb_status_name(function.call(handle)), "LB_STATUS_INVALID_HANDLE")
            << function.name << " of " << static_cast<void *>(handle);
}

lb_job *invented(std::uint64_t bits) { return reinterpret_cast<lb_job *>(bits); }

std::uint64_t bits_of(const lb_job *handle) { return reinterpret_cast<std::uintptr_t>(handle); }

class Handles : public CleanTest {
protected:
    const fs::path dest = out / "new.db";
};

TEST_F(Handles, null_is_invalid_everywhere) { expect_invalid_everywhere(nullptr); }

TEST_F(Handles, joined_is_invalid_everywhere) {
    auto job = Job::start(source, dest);
    auto *const handle = job.get();
    expect_ok(job.join());
    expect_invalid_everywhere(handle);
    fs::remove(dest);
}

TEST_F(Handles, released_is_invalid_everywhere_at_once_and_after_the_end) {
    auto job = Job::start(source, dest);
    auto *const handle = job.get();
    EXPECT_EQ(job.release(), LB_STATUS_OK);
    expect_invalid_everywhere(handle);
    ASSERT_TRUE(wait_until([&] { return fs::exists(dest); })) << "a released job goes on";
    expect_invalid_everywhere(handle);
    fs::remove(dest);
}

TEST_F(Handles, joined_after_a_failure_is_invalid_everywhere) {
    auto options_with_limit = options();
    options_with_limit.verify = LB_VERIFY_FULL;
    auto job = Job::start(source, dest, options_with_limit);
    auto *const handle = job.get();
    EXPECT_EQ(job.cancel(), LB_STATUS_OK);
    job.join();
    expect_invalid_everywhere(handle);
    fs::remove(dest);
}

TEST_F(Handles, ten_thousand_invented_ones_are_invalid_everywhere) {
    constexpr std::uint64_t seed = 20240611;
    RecordProperty("seed", static_cast<int>(seed));
    std::mt19937_64 random(seed);
    auto job = Job::start(source, dest);  // one real handle, so that the table is not empty
    EXPECT_EQ(job.wait(for_ever), LB_STATUS_OK);
    for (int i = 0; i < 10'000; ++i) {
        const auto bits = random() >> (random() % 64);  // of every magnitude
        if (bits == bits_of(job.get())) continue;
        ASSERT_NO_FATAL_FAILURE(expect_invalid_everywhere(invented(bits))) << "seed " << seed << ", step " << i;
    }
    expect_ok(job.join());
    fs::remove(dest);
}

TEST_F(Handles, one_bit_off_is_invalid_everywhere) {
    auto job = Job::start(source, dest);
    for (unsigned bit = 0; bit < 64; ++bit)
        ASSERT_NO_FATAL_FAILURE(
            expect_invalid_everywhere(invented(bits_of(job.get()) ^ (std::uint64_t{1} << bit))));
    expect_ok(job.join());
    fs::remove(dest);
}

TEST_F(Handles, values_are_not_used_twice) {
    std::set<lb_job *> seen;
    for (int i = 0; i < 200; ++i) {
        auto job = Job::start(source, dest);
        ASSERT_TRUE(seen.insert(job.get()).second) << "after " << i << " jobs";
        EXPECT_EQ(job.cancel(), LB_STATUS_OK);
        job.join();
        fs::remove(dest);
    }
    for (auto *const stale : seen) ASSERT_NO_FATAL_FAILURE(expect_invalid_everywhere(stale));
}

TEST_F(Handles, stale_one_does_not_reach_a_later_job) {
    auto first = Job::start(source, dest);
    auto *const stale = first.get();
    expect_ok(first.join());
    fs::remove(dest);
    auto second = Job::start(source, dest);
    EXPECT_EQ(lb_backup_cancel(stale), LB_STATUS_INVALID_HANDLE);
    expect_ok(second.join());
    fs::remove(dest);
}

}  // namespace
