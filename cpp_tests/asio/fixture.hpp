// What the tests of lb_backup_asio.hpp have in common. SPDX-License-Identifier: MIT OR Apache-2.0

#ifndef LBTEST_ASIO_FIXTURE_HPP
#define LBTEST_ASIO_FIXTURE_HPP

#include "net.hpp"

#include "support/support.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <optional>

namespace lbtest {

/// What a handler was invoked with.
struct Completion {
    int calls = 0;
    error_code ec;
    lb::Result result;
    std::thread::id thread;

    /// A handler that notes it all here.
    auto handler() {
        return [this](error_code code, lb::Result outcome) {
            ++calls;
            ec = code;
            result = std::move(outcome);
            thread = std::this_thread::get_id();
        };
    }
};

inline void expect_completed(const Completion &completion) {
    EXPECT_EQ(completion.calls, 1);
    EXPECT_FALSE(completion.ec) << completion.ec.message() << ": " << completion.result.message;
    EXPECT_EQ(completion.result.status, LB_STATUS_OK);
}

inline void expect_cancelled(const Completion &completion) {
    EXPECT_EQ(completion.calls, 1);
    EXPECT_EQ(completion.ec, net::error::operation_aborted) << completion.ec.message();
    EXPECT_EQ(completion.result.status, LB_STATUS_CANCELLED) << completion.result.message;
}

/// A database, a directory where archives go, and a context that nobody runs yet.
class AsioTest : public ::testing::Test {
protected:
    void SetUp() override {
        fs::create_directory(out);
        DatabaseOptions wanted;
        wanted.bytes = 2 << 20;
        make_database(source, wanted);
    }
    void TearDown() override { EXPECT_EQ(lb_shutdown(60'000), LB_STATUS_OK); }

    /// So slow that the job ends only because it is cancelled. `at_work` is called once, when the archive is being
    /// written, on the library's thread.
    static lb::BackupOptions held(std::function<void()> at_work = [] {}) {
        lb::BackupOptions options;
        options.chunk_size = 65536;
        options.max_bytes_per_second = 1024;
        options.progress_interval = std::chrono::milliseconds(1);
        options.on_progress = [at_work = std::move(at_work), done = false](const lb::Progress &now) mutable {
            if (done || now.state != lb::JobState::running || now.bytes_total == 0) return;
            done = true;
            at_work();
        };
        return options;
    }

    TempDir dir;
    const fs::path source = dir / "game.db";
    const fs::path out = dir / "out";
    net::io_context io;
};

/// A handler with associations of its own, which every version of Asio finds.
template <typename Function, typename Allocator = std::allocator<void>> struct Handler {
    using allocator_type = Allocator;

    Function function;
    Allocator allocator{};

    allocator_type get_allocator() const noexcept { return allocator; }
    template <typename... Arguments> void operator()(Arguments &&...arguments) {
        function(std::forward<Arguments>(arguments)...);
    }
};

}  // namespace lbtest

#endif
