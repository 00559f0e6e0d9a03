// What C++20 adds; linked with a part in C++17. SPDX-License-Identifier: MIT OR Apache-2.0

#include "fixture.hpp"
#include "started_in_cpp17.hpp"

#include <stop_token>

using namespace lbtest;

namespace {

static_assert(__cplusplus >= 202002L);

class StopToken : public WrapperTest {};

TEST_F(StopToken, that_is_stopped_cancels_the_job) {
    std::stop_source source_of_stops;
    auto job = start_slow();
    job.cancel_on(source_of_stops.get_token());
    EXPECT_FALSE(job.wait_for(0s));
    source_of_stops.request_stop();
    std::error_code ec;
    job.join(ec);
    EXPECT_EQ(ec, LB_STATUS_CANCELLED);
    expect_nothing_left();
}

TEST_F(StopToken, that_was_stopped_before_cancels_at_once) {
    std::stop_source stopped;
    stopped.request_stop();
    auto job = start_slow();
    job.cancel_on(stopped.get_token());
    std::error_code ec;
    job.join(ec);
    EXPECT_EQ(ec, LB_STATUS_CANCELLED);
}

TEST_F(StopToken, is_replaced_by_a_later_one) {
    std::stop_source earlier, later;
    auto job = start_slow();
    job.cancel_on(earlier.get_token());
    job.cancel_on(later.get_token());
    earlier.request_stop();
    job.set_rate(0);
    EXPECT_EQ(job.join().status, LB_STATUS_OK);
    later.request_stop();
}

TEST_F(StopToken, does_nothing_to_an_empty_a_joined_or_a_released_job) {
    std::stop_source stops;
    lb::Job job;
    job.cancel_on(stops.get_token());
    job = start_slow();
    job.cancel_on(stops.get_token());
    auto future = job.get_future();
    job.set_rate(0);
    job.release();
    stops.request_stop();
    EXPECT_EQ(future.get().status, LB_STATUS_OK);
}

TEST_F(StopToken, goes_with_a_moved_job) {
    std::stop_source stops;
    lb::Job later;
    {
        auto job = start_slow();
        job.cancel_on(stops.get_token());
        later = std::move(job);
    }
    stops.request_stop();
    std::error_code ec;
    later.join(ec);
    EXPECT_EQ(ec, LB_STATUS_CANCELLED);
}

TEST_F(StopToken, can_be_stopped_in_the_jobs_own_callback_and_while_it_ends) {
    for (int round = 0; round < 50; ++round) {
        std::stop_source stops;
        lb::BackupOptions options;
        options.existing = lb::Existing::replace;
        options.on_complete = [stops](const lb::Result &) mutable { stops.request_stop(); };
        auto job = lb::start_backup(source, dest, std::move(options));
        job.cancel_on(stops.get_token());
        std::thread other([stops]() mutable { stops.request_stop(); });
        std::error_code ec;
        job.join(ec);
        EXPECT_TRUE(!ec || ec == LB_STATUS_CANCELLED) << ec.message();
        other.join();
    }
}

TEST_F(StopToken, cancels_a_job_of_a_part_in_an_earlier_standard) {
    EXPECT_EQ(sizes(), sizes_in_cpp17());
    std::stop_source stops;
    lb::Job job = started_in_cpp17(source, dest);
    job.cancel_on(stops.get_token());
    stops.request_stop();
    EXPECT_EQ(thrown_by([&] { (void)job.join(); }).code(), std::errc::operation_canceled);
}

TEST_F(StopToken, beside_it_options_are_named_in_braces) {
    auto job = lb::start_backup(source, dest, {.compression_level = 1, .verify = lb::Verify::none});
    EXPECT_EQ(job.join().format, lb::Format::zstd);
}

}  // namespace
