// std::future of a job. SPDX-License-Identifier: MIT OR Apache-2.0

#include "fixture.hpp"

using namespace lbtest;

namespace {

class Future : public WrapperTest {
protected:
    static std::future_errc errc_of_a_future(lb::Job &job) {
        try {
            (void)job.get_future();
        } catch (const std::future_error &error) {
            return static_cast<std::future_errc>(error.code().value());
        }
        fail("there was a future");
    }
};

TEST_F(Future, has_the_result_of_a_job_that_succeeds) {
    auto job = lb::start_backup(source, dest);
    std::future<lb::BackupResult> future = job.get_future();
    const auto result = future.get();
    EXPECT_EQ(result.archive_bytes, fs::file_size(dest));
    EXPECT_EQ(result.sha256, job.join().sha256);
}

TEST_F(Future, has_the_error_of_a_job_that_fails) {
    write_file(source, read_file(source).substr(0, 20'000));
    auto job = lb::start_backup(source, dest);
    auto future = job.get_future();
    const auto error = thrown_by([&] { (void)future.get(); });
    EXPECT_EQ(error.status(), LB_STATUS_CORRUPT) << error.what();
    ASSERT_NE(error.result(), nullptr);
    EXPECT_STREQ(error.what(), error.result()->message.c_str());
}

TEST_F(Future, of_a_cancelled_job_says_so) {
    auto job = start_slow();
    auto future = job.get_future();
    EXPECT_EQ(future.wait_for(0s), std::future_status::timeout);
    job.cancel();
    EXPECT_EQ(thrown_by([&] { (void)future.get(); }).code(), std::errc::operation_canceled);
}

TEST_F(Future, of_a_destroyed_job_says_cancelled) {
    auto future = start_slow().get_future();
    EXPECT_EQ(future.wait_for(0s), std::future_status::ready);
    EXPECT_EQ(thrown_by([&] { (void)future.get(); }).status(), LB_STATUS_CANCELLED);
}

TEST_F(Future, of_a_released_job_becomes_ready) {
    std::future<lb::Result> future;
    {
        auto job = lb::start_backup(source, dest);
        job.release();
        future = job.get_future();
    }
    EXPECT_EQ(future.get().status, LB_STATUS_OK);
}

TEST_F(Future, that_is_taken_after_the_end_is_ready) {
    auto job = lb::start_backup(source, dest);
    EXPECT_EQ(job.join().status, LB_STATUS_OK);
    auto future = job.get_future();
    EXPECT_EQ(future.wait_for(0s), std::future_status::ready);
    EXPECT_EQ(future.get().archive_bytes, fs::file_size(dest));
}

TEST_F(Future, is_there_once) {
    lb::Job job;
    EXPECT_EQ(errc_of_a_future(job), std::future_errc::no_state);
    job = lb::start_backup(source, dest);
    const auto future = job.get_future();
    EXPECT_EQ(errc_of_a_future(job), std::future_errc::future_already_retrieved);
}

TEST_F(Future, is_ready_after_the_completion) {
    std::promise<void> go;
    std::atomic<bool> complete{false};
    lb::BackupOptions options;
    options.on_complete = [&](const lb::Result &) {
        go.get_future().wait();
        complete = true;
    };
    auto job = lb::start_backup(source, dest, std::move(options));
    auto future = job.get_future();
    EXPECT_EQ(future.wait_for(20ms), std::future_status::timeout);
    go.set_value();
    future.wait();
    EXPECT_TRUE(complete);
}

TEST_F(Future, takes_no_thread_however_many_there_are) {
    const fs::path tiny = dir / "tiny.db";
    DatabaseOptions options;
    options.rows = 1;
    options.bytes = 1;
    make_database(tiny, options);
    lb::start_verify(tiny).join();
    auto busy = start_slow();  // by then every thread of the library has been started
    const auto threads = count_threads();
    std::vector<std::future<lb::VerifyResult>> futures;
    for (int i = 0; i < 1000; ++i) {
        auto job = lb::start_verify(tiny);
        futures.push_back(job.get_future());
        job.release();
    }
    EXPECT_EQ(count_threads(), threads);
    for (auto &future : futures) EXPECT_EQ(future.get().status, LB_STATUS_OK);
}

}  // namespace
