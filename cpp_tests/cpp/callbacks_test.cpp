// Callbacks as std::function. SPDX-License-Identifier: MIT OR Apache-2.0

#include "fixture.hpp"

using namespace lbtest;

namespace {

class Callbacks : public WrapperTest {};

std::string text_of(const std::exception_ptr &exception) {
    if (!exception) return "none";
    try {
        std::rethrow_exception(exception);
    } catch (const std::exception &thrown) {
        return thrown.what();
    } catch (...) {
        return "not a std::exception";
    }
}

TEST_F(Callbacks, come_in_order_and_never_go_backwards) {
    std::vector<lb::Progress> looks;
    std::vector<lb::Result> ends;
    lb::BackupOptions options;
    options.chunk_size = 65536;
    options.progress_interval = 0ms;
    options.on_progress = [&](const lb::Progress &progress) {
        EXPECT_TRUE(ends.empty()) << "the completion is the last";
        looks.push_back(progress);
    };
    options.on_complete = [&](const lb::Result &result) { ends.push_back(result); };
    auto job = lb::start_backup(source, dest, std::move(options));
    auto *const handle = job.handle();
    const auto result = job.join();
    ASSERT_EQ(ends.size(), 1U);
    EXPECT_EQ(ends[0].status, LB_STATUS_OK);
    EXPECT_EQ(ends[0].archive_bytes, result.archive_bytes);
    EXPECT_EQ(ends[0].sha256, result.sha256);
    ASSERT_FALSE(looks.empty());
    for (std::size_t i = 1; i < looks.size(); ++i) {
        EXPECT_GE(looks[i].percent, looks[i - 1].percent);
        EXPECT_GE(looks[i].bytes_done, looks[i - 1].bytes_done);
        EXPECT_GE(looks[i].elapsed, looks[i - 1].elapsed);
        EXPECT_LT(looks[i - 1].percent, 100.0);
    }
    for (const auto &look : looks) EXPECT_EQ(look.handle, handle);
    EXPECT_EQ(looks.back().state, lb::JobState::succeeded);
    EXPECT_EQ(looks.back().phase, lb::Phase::done);
    EXPECT_EQ(looks.back().percent, 100.0);
    EXPECT_EQ(looks.back().bytes_done, result.image_bytes);
    EXPECT_EQ(looks.back().bytes_written, result.archive_bytes);
    ASSERT_TRUE(looks.back().eta);
    EXPECT_EQ(*looks.back().eta, 0ns);
}

TEST_F(Callbacks, of_a_cancelled_job_never_show_100_percent) {
    std::atomic<bool> complete{false};
    std::atomic<double> most{0};
    auto options = slow();
    options.progress_interval = 1ms;
    options.on_progress = [&](const lb::Progress &progress) { most = std::max(most.load(), progress.percent); };
    options.on_complete = [&](const lb::Result &result) {
        EXPECT_EQ(result.status, LB_STATUS_CANCELLED);
        complete = true;
    };
    start_slow(std::move(options)) = lb::Job();
    EXPECT_TRUE(complete);
    EXPECT_LT(most, 100.0);
}

TEST_F(Callbacks, can_cancel_before_the_start_has_returned) {
    auto options = slow();
    options.progress_interval = 0ms;
    options.on_progress = [](const lb::Progress &progress) { lb_backup_cancel(progress.handle); };
    std::error_code ec;
    (void)lb::start_backup(source, dest, std::move(options)).join(ec);
    EXPECT_EQ(ec, LB_STATUS_CANCELLED);
    expect_nothing_left();
}

TEST_F(Callbacks, that_throw_harm_neither_the_program_nor_the_job) {
    lb::BackupOptions options;
    int progressed = 0;
    options.progress_interval = 0ms;
    options.on_progress = [&](const lb::Progress &) {
        ++progressed;
        throw std::runtime_error("progress " + std::to_string(progressed));
    };
    options.on_complete = [](const lb::Result &result) {
        EXPECT_EQ(text_of(result.callback_exception), "progress 1");
        throw std::runtime_error("completion");
    };
    const auto result = lb::start_backup(source, dest, std::move(options)).join();
    EXPECT_EQ(result.status, LB_STATUS_OK);
    EXPECT_EQ(text_of(result.callback_exception), "progress 1") << "the first one is kept";
}

TEST_F(Callbacks, may_throw_anything) {
    lb::BackupOptions options;
    options.on_complete = [](const lb::Result &) { throw 42; };
    auto job = lb::start_backup(source, dest, std::move(options));
    auto future = job.get_future();
    EXPECT_EQ(text_of(job.join().callback_exception), "not a std::exception");
    EXPECT_EQ(text_of(future.get().callback_exception), "not a std::exception");
}

TEST_F(Callbacks, cannot_wait_for_their_own_job) {
    std::promise<lb::Job *> started;
    auto future = started.get_future();
    lb::Job job;
    lb::BackupOptions options;
    options.on_progress = [&, waited = false](const lb::Progress &) mutable {
        if (!std::exchange(waited, true)) future.get()->wait();
    };
    job = lb::start_backup(source, dest, std::move(options));
    started.set_value(&job);
    const auto result = job.join();
    try {
        std::rethrow_exception(result.callback_exception);
    } catch (const lb::Error &error) {
        EXPECT_EQ(error.status(), LB_STATUS_WOULD_DEADLOCK) << error.what();
        EXPECT_EQ(error.code(), std::errc::resource_deadlock_would_occur);
    }
}

TEST_F(Callbacks, can_join_their_own_job_at_its_end) {
    std::promise<lb::Job *> started;
    auto future = started.get_future();
    lb::Result joined;
    lb::BackupOptions options;
    options.on_complete = [&](const lb::Result &) { joined = future.get()->join(); };
    auto job = lb::start_backup(source, dest, std::move(options));
    auto outcome = job.get_future();
    started.set_value(&job);
    EXPECT_EQ(outcome.get().status, LB_STATUS_OK);
    EXPECT_EQ(joined.archive_bytes, fs::file_size(dest));
    EXPECT_FALSE(job);
}

TEST_F(Callbacks, can_own_the_job) {
    std::promise<void> started;
    auto owned = std::make_shared<lb::Job>();
    const std::weak_ptr<lb::Job> watched = owned;
    lb::BackupOptions options;
    options.on_complete = [owned, future = started.get_future().share()](const lb::Result &) { future.get(); };
    *owned = lb::start_backup(source, dest, std::move(options));
    auto outcome = owned->get_future();
    owned.reset();
    started.set_value();
    EXPECT_EQ(outcome.get().status, LB_STATUS_OK);
    EXPECT_TRUE(watched.expired()) << "the functions go before anybody is woken";
    EXPECT_TRUE(lb::jobs().empty());
}

TEST_F(Callbacks, can_destroy_another_job_which_is_cancelled_and_let_go) {
    auto other = std::make_unique<lb::Job>(start_slow());
    auto outcome = other->get_future();
    lb::BackupOptions ending;
    ending.on_complete = [&](const lb::Result &) { other.reset(); };
    EXPECT_EQ(lb::start_backup(source, out / "second.db", std::move(ending)).join().status, LB_STATUS_OK);
    EXPECT_EQ(other, nullptr);
    EXPECT_EQ(thrown_by([&] { (void)outcome.get(); }).status(), LB_STATUS_CANCELLED);
    EXPECT_TRUE(lb::jobs().empty());
}

TEST_F(Callbacks, are_destroyed_once_they_are_done) {
    const auto captured = std::make_shared<int>(1);
    lb::BackupOptions options;
    options.on_progress = [captured](const lb::Progress &) {};
    options.on_complete = [captured](const lb::Result &) {};
    auto job = lb::start_backup(source, dest, options);
    job.wait();
    EXPECT_EQ(captured.use_count(), 3) << "those of the caller's options";
    EXPECT_EQ(thrown_by([&] { (void)lb::start_backup(dir / "nowhere.db", dest, std::move(options)); }).status(),
              LB_STATUS_NOT_FOUND);
    EXPECT_EQ(captured.use_count(), 1) << "of a start that was refused";
}

}  // namespace
