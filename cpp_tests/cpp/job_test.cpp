// The life of a lb::Job. SPDX-License-Identifier: MIT OR Apache-2.0

#include "fixture.hpp"

#include "api/isolated.hpp"

#include <limits>

using namespace lbtest;

namespace {

static_assert(!std::is_copy_constructible_v<lb::Job> && !std::is_copy_assignable_v<lb::Job>);
static_assert(std::is_nothrow_move_constructible_v<lb::Job> && std::is_nothrow_move_assignable_v<lb::Job>);

class Job : public WrapperTest {};

TEST_F(Job, that_is_empty_answers_invalid_handle) {
    lb::Job job;
    EXPECT_FALSE(job);
    EXPECT_EQ(job.handle(), nullptr);
    EXPECT_FALSE(job.cancel());
    job.release();
    std::error_code ec;
    EXPECT_EQ(job.progress(ec).state, lb::JobState::queued);
    EXPECT_EQ(ec, LB_STATUS_INVALID_HANDLE);
    job.wait(ec);
    EXPECT_EQ(ec, LB_STATUS_INVALID_HANDLE);
    EXPECT_FALSE(job.wait_for(1h, ec));
    EXPECT_EQ(ec, LB_STATUS_INVALID_HANDLE);
    job.set_rate(1, ec);
    EXPECT_EQ(ec, LB_STATUS_INVALID_HANDLE);
    EXPECT_EQ(job.join(ec).status, LB_STATUS_INVALID_HANDLE);
    EXPECT_EQ(ec, LB_STATUS_INVALID_HANDLE);
}

TEST_F(Job, succeeds_and_tells_what_it_did) {
    std::error_code ec = std::make_error_code(std::errc::io_error);
    auto job = lb::start_backup(source, dest, {}, ec);
    EXPECT_FALSE(ec) << "cleared on success";
    EXPECT_TRUE(job);
    const lb::BackupResult result = job.join(ec);
    EXPECT_FALSE(ec) << ec.message();
    EXPECT_FALSE(job);
    EXPECT_EQ(result.status, LB_STATUS_OK);
    EXPECT_EQ(result.message, "");
    EXPECT_EQ(result.format, lb::Format::zstd);
    EXPECT_EQ(result.page_size, 4096U);
    EXPECT_EQ(result.image_bytes, fs::file_size(source));
    EXPECT_EQ(result.pages * result.page_size, result.image_bytes);
    EXPECT_EQ(result.archive_bytes, fs::file_size(dest));
    ASSERT_TRUE(result.sha256);
    std::string hex;
    for (const unsigned byte : *result.sha256) {
        char digits[3];
        std::snprintf(digits, sizeof digits, "%02x", byte);
        hex += digits;
    }
    EXPECT_EQ(hex, sha256sum(dest));
    EXPECT_LE(result.started, result.finished);
    EXPECT_LE(result.finished, std::chrono::system_clock::now());
    EXPECT_GT(result.started, std::chrono::system_clock::now() - 1h);
    EXPECT_GT(result.compressing, 0ns);
    EXPECT_EQ(result.failed_check, lb::Check::none);
    EXPECT_FALSE(result.failed_chunk);
    EXPECT_FALSE(result.failed_page);
    EXPECT_EQ(result.callback_exception, nullptr);
    unzstd(dest, dir / "plain.db");
    EXPECT_EQ(content_hash(dir / "plain.db"), content_hash(source));
}

TEST_F(Job, that_is_destroyed_is_cancelled_and_joined) {
    std::atomic<int> outcome{-1};
    auto options = slow();
    options.on_complete = [&](const lb::Result &result) { outcome = result.status; };
    {
        const auto job = start_slow(std::move(options));
        EXPECT_EQ(lb::jobs().size(), 1U);
    }
    EXPECT_EQ(outcome, LB_STATUS_CANCELLED);
    expect_nothing_left();
}

TEST_F(Job, that_is_assigned_to_is_cancelled_and_joined) {
    auto job = start_slow();
    auto *const earlier = job.handle();
    job = lb::start_backup(source, out / "second.db", {});
    EXPECT_NE(job.handle(), earlier);
    EXPECT_EQ(lb_backup_wait(earlier, 0), LB_STATUS_INVALID_HANDLE);
    EXPECT_EQ(job.join().status, LB_STATUS_OK);
    EXPECT_EQ(list_dir(out), std::vector<std::string>{"second.db"});
}

TEST_F(Job, that_is_moved_from_is_empty_and_the_job_goes_on) {
    auto first = start_slow();
    auto *const handle = first.handle();
    lb::Job second(std::move(first));
    EXPECT_FALSE(first);  // NOLINT(bugprone-use-after-move): that is the point
    EXPECT_EQ(first.handle(), nullptr);
    EXPECT_EQ(second.handle(), handle);
    lb::Job &same = second;
    second = std::move(same);
    EXPECT_EQ(second.handle(), handle) << "assigned to itself";
    EXPECT_EQ(second.progress().state, lb::JobState::running);
    second.set_rate(0);
    EXPECT_EQ(second.join().status, LB_STATUS_OK);
}

TEST_F(Job, that_is_released_goes_on) {
    std::future<lb::Result> outcome;
    std::atomic<bool> told{false};
    auto options = slow();
    options.on_complete = [&](const lb::Result &result) { told = result.status == LB_STATUS_OK; };
    {
        auto job = start_slow(std::move(options));
        outcome = job.get_future();
        job.set_rate(0);
        job.release();
        EXPECT_FALSE(job);
        EXPECT_TRUE(lb::jobs().empty()) << "no handle is open";
        EXPECT_FALSE(job.cancel()) << "nobody to ask";
    }
    EXPECT_EQ(outcome.get().status, LB_STATUS_OK);
    EXPECT_TRUE(told);
    EXPECT_TRUE(fs::exists(dest));
}

TEST_F(Job, can_be_cancelled_once_and_again) {
    auto job = start_slow();
    EXPECT_TRUE(job.cancel());
    EXPECT_TRUE(job.cancel());
    std::error_code ec;
    const auto result = job.join(ec);
    EXPECT_EQ(ec, LB_STATUS_CANCELLED);
    EXPECT_EQ(result.status, LB_STATUS_CANCELLED);
    EXPECT_FALSE(job.cancel());
    expect_nothing_left();
}

TEST_F(Job, is_waited_for_as_long_as_it_was_said) {
    auto job = start_slow();
    EXPECT_FALSE(job.wait_for(0s));
    EXPECT_FALSE(job.wait_for(1us));
    EXPECT_FALSE(job.wait_for(-1h));
    EXPECT_FALSE(job.wait_for(std::chrono::hours::min()));
    EXPECT_FALSE(job.wait_for(std::chrono::duration<double>(std::numeric_limits<double>::quiet_NaN())));
    job.set_rate(0);
    EXPECT_TRUE(job.wait_for(std::chrono::hours::max()));
    EXPECT_TRUE(job.wait_for(std::chrono::duration<double>(std::numeric_limits<double>::infinity())));
    job.wait();
    EXPECT_EQ(job.progress().state, lb::JobState::succeeded);
    EXPECT_EQ(job.join().status, LB_STATUS_OK);
}

TEST_F(Job, rounds_a_time_up_and_never_waits_for_ever_by_accident) {
    EXPECT_EQ(lb::detail::timeout_ms(1ns), 1U);
    EXPECT_EQ(lb::detail::timeout_ms(16ms), 16U);
    EXPECT_EQ(lb::detail::timeout_ms(16'000'000ns), 16U);
    EXPECT_EQ(lb::detail::timeout_ms(0s), 0U);
    EXPECT_EQ(lb::detail::timeout_ms(-1ns), 0U);
    EXPECT_EQ(lb::detail::timeout_ms(std::chrono::milliseconds(UINT32_MAX)), UINT32_MAX - 1);
    EXPECT_EQ(lb::detail::timeout_ms(std::chrono::hours::max()), UINT32_MAX - 1);
}

TEST_F(Job, of_a_parent_process_is_told_apart_in_a_child) {
    // The job itself must not run in this process, which forks.
    isolated([&] {
        auto job = start_slow();
        const int code = in_child([&] {
            std::error_code ec;
            job.progress(ec);
            EXPECT_EQ(ec, LB_STATUS_WRONG_PROCESS);
            EXPECT_EQ(job.join(ec).status, LB_STATUS_WRONG_PROCESS);
            EXPECT_EQ(thrown_by([&] { (void)job.get_future(); }).status(), LB_STATUS_WRONG_PROCESS);
            EXPECT_EQ(thrown_by([&] { (void)lb::start_backup(source, dest); }).status(), LB_STATUS_WRONG_PROCESS);
            lb::Job ends_here(std::move(job));
            return 0;
        });
        EXPECT_EQ(code, 0);
        EXPECT_EQ(job.progress().state, lb::JobState::running) << "the child has done it no harm";
    });
}

}  // namespace
