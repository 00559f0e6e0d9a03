// What is left when memory cannot be allocated. SPDX-License-Identifier: MIT OR Apache-2.0

#include "fixture.hpp"

#include <cstdlib>
#include <new>

namespace {

/// How many allocations of C++ on this thread still succeed; negative: all.
thread_local int allocations_left = -1;

void *allocate(std::size_t size) {
    if (allocations_left == 0) throw std::bad_alloc();
    if (allocations_left > 0) --allocations_left;
    if (void *memory = std::malloc(size)) return memory;
    throw std::bad_alloc();
}

}  // namespace

void *operator new(std::size_t size) { return allocate(size); }
void operator delete(void *memory) noexcept { std::free(memory); }
void operator delete(void *memory, std::size_t) noexcept { std::free(memory); }

using namespace lbtest;

namespace {

class NoMemory : public WrapperTest {};

TEST_F(NoMemory, for_the_message_of_a_failure_does_not_make_it_a_success) {
    write_file(source, read_file(source).substr(0, 20'000));
    lb_status told = LB_STATUS_OK;
    lb::BackupOptions options;
    options.on_progress = [](const lb::Progress &progress) {
        // The last call before the completion, on the same thread.
        if (progress.state == lb::JobState::failed) allocations_left = 0;
    };
    options.on_complete = [&](const lb::Result &result) {
        allocations_left = -1;
        told = result.status;
        EXPECT_EQ(result.message, "");
    };
    auto job = lb::start_backup(source, dest, std::move(options));
    auto future = job.get_future();
    EXPECT_EQ(thrown_by([&] { (void)future.get(); }).status(), LB_STATUS_CORRUPT);
    EXPECT_EQ(told, LB_STATUS_CORRUPT) << "the completion is called all the same";
    std::error_code ec;
    EXPECT_NE(job.join(ec).message, "") << "there is memory again";
    EXPECT_EQ(ec, LB_STATUS_CORRUPT);
}

TEST_F(NoMemory, for_the_error_of_a_future_is_its_exception) {
    auto options = slow();
    options.on_complete = [](const lb::Result &) { allocations_left = 0; };
    auto job = start_slow(std::move(options));
    auto future = job.get_future();
    job.cancel();
    EXPECT_THROW((void)future.get(), std::bad_alloc);
    std::error_code ec;
    job.join(ec);
    EXPECT_EQ(ec, LB_STATUS_CANCELLED);
    lb::shutdown();  // with it ends the thread that has no memory
}

TEST_F(NoMemory, at_the_start_starts_nothing) {
    const auto captured = std::make_shared<int>(0);
    lb::BackupOptions options = slow();
    options.on_complete = [captured](const lb::Result &) {};
    options.reuse = out / "earlier.db.zst";
    int refused = 0;
    for (bool started = false; !started; ++refused) {
        lb::BackupOptions copy = options;
        copy.reuse.reset();
        std::error_code ec;
        allocations_left = refused;
        try {
            const auto job = lb::start_backup(source, dest, std::move(copy), ec);
            allocations_left = -1;
            EXPECT_FALSE(ec) << ec.message();
            started = true;
        } catch (const std::bad_alloc &) {
            allocations_left = -1;
            EXPECT_TRUE(lb::jobs().empty());
        }
    }
    EXPECT_GE(refused, 2) << "the first allocation failed, at least";
    EXPECT_EQ(captured.use_count(), 2) << "every copy is gone";
    expect_nothing_left();
}

}  // namespace
