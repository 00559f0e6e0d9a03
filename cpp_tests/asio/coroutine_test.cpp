// Asynchronous operations in coroutines (C++20). SPDX-License-Identifier: MIT OR Apache-2.0

#include "fixture.hpp"

#if defined(LBTEST_CANCELLATION_SLOTS) && defined(LB_BACKUP_USE_STANDALONE_ASIO)
#include <asio/experimental/awaitable_operators.hpp>
#elif defined(LBTEST_CANCELLATION_SLOTS)
#include <boost/asio/experimental/awaitable_operators.hpp>
#endif

using namespace lbtest;

namespace {

class AsioCoroutine : public AsioTest {
protected:
    /// Runs a coroutine to its end; what it throws is thrown here.
    template <typename Coroutine> void run(Coroutine coroutine) {
        auto ended = net::co_spawn(io, std::move(coroutine), net::use_future);
        io.run();
        ended.get();
    }
};

TEST_F(AsioCoroutine, awaits_one_operation_after_the_other) {
    run([this]() -> net::awaitable<void> {
        const auto executor = co_await net::this_coro::executor;
        const auto backup = co_await lb::async_backup(executor, source, out / "game.db.zst", {}, net::use_awaitable);
        EXPECT_GT(backup.archive_bytes, 0U);
        co_await lb::async_verify(executor, out / "game.db.zst", {}, net::use_awaitable);
        co_await lb::async_restore(executor, out / "game.db.zst", out / "restored.db", {}, net::use_awaitable);
    });
    EXPECT_EQ(content_hash(out / "restored.db"), content_hash(source));
}

TEST_F(AsioCoroutine, a_failure_is_thrown) {
    bool thrown = false;
    run([&]() -> net::awaitable<void> {
        try {
            co_await lb::async_verify(io, dir / "nowhere.db", {}, net::use_awaitable);
        } catch (const system_error &error) {
            thrown = error.code() == LB_STATUS_NOT_FOUND;
        }
    });
    EXPECT_TRUE(thrown);
}

TEST_F(AsioCoroutine, the_job_starts_when_it_is_awaited) {
    run([this]() -> net::awaitable<void> {
        auto backup = lb::async_backup(io, source, out / "game.db", {}, net::use_awaitable);
        EXPECT_EQ(lb::jobs().size(), 0U);
        co_await std::move(backup);
    });
    EXPECT_TRUE(fs::exists(out / "game.db"));
}

TEST_F(AsioCoroutine, an_executor_with_a_default_token_needs_no_token) {
    run([this]() -> net::awaitable<void> {
        using Executor = net::use_awaitable_t<>::executor_with_default<net::any_io_executor>;
        const Executor executor(co_await net::this_coro::executor);
        co_await lb::async_backup(executor, source, out / "game.db");
        co_await lb::async_verify(executor, out / "game.db");
        co_await lb::async_restore(executor, out / "game.db", out / "restored.db");
    });
    EXPECT_EQ(content_hash(out / "restored.db"), content_hash(source));
}

TEST_F(AsioCoroutine, a_context_destroyed_amid_a_job_destroys_the_coroutine_that_awaits_it) {
    auto token = std::make_shared<int>();
    const std::weak_ptr<int> coroutine = token;
    {
        net::io_context dying;
        net::co_spawn(
            dying,
            [&, token = std::move(token)]() -> net::awaitable<void> {
                const auto kept = token;
                co_await lb::async_backup(dying, source, out / "game.db", held(), net::use_awaitable);
                ADD_FAILURE() << "resumed";
            },
            net::detached);
        dying.poll();
        EXPECT_EQ(lb::jobs().size(), 1U);
    }
    EXPECT_TRUE(coroutine.expired());
    EXPECT_EQ(lb_shutdown(60'000), LB_STATUS_OK);
    EXPECT_EQ(list_dir(out), std::vector<std::string>());
}

#if defined(LBTEST_CANCELLATION_SLOTS)

using namespace net::experimental::awaitable_operators;

TEST_F(AsioCoroutine, a_tuple_has_the_librarys_message_beside_the_error) {
    run([this]() -> net::awaitable<void> {
        const auto [ec, result] = co_await lb::async_verify(io, dir / "nowhere.db", {}, as_tuple(net::use_awaitable));
        EXPECT_TRUE(ec == LB_STATUS_NOT_FOUND);
        EXPECT_NE(result.message.find("nowhere.db"), std::string::npos) << result.message;
    });
}

TEST_F(AsioCoroutine, a_timer_that_wins_cancels_the_backup) {
    run([this]() -> net::awaitable<void> {
        net::steady_timer timer(io, std::chrono::milliseconds(1));
        const auto first = co_await(lb::async_backup(io, source, out / "game.db", held(), net::use_awaitable) ||
                                    timer.async_wait(net::use_awaitable));
        EXPECT_EQ(first.index(), 1U);
        EXPECT_EQ(list_dir(out), std::vector<std::string>());
    });
}

TEST_F(AsioCoroutine, a_backup_that_wins_cancels_the_timer) {
    run([this]() -> net::awaitable<void> {
        net::steady_timer timer(io, std::chrono::hours(1));
        const auto first = co_await(lb::async_backup(io, source, out / "game.db", {}, net::use_awaitable) ||
                                    timer.async_wait(net::use_awaitable));
        EXPECT_EQ(first.index(), 0U);
    });
    EXPECT_EQ(content_hash(out / "game.db"), content_hash(source));
}

TEST_F(AsioCoroutine, a_failure_of_one_cancels_all_that_are_awaited_together) {
    bool thrown = false;
    run([&]() -> net::awaitable<void> {
        try {
            co_await(lb::async_backup(io, source, out / "game.db", held(), net::use_awaitable) &&
                     lb::async_verify(io, dir / "nowhere.db", {}, net::use_awaitable));
        } catch (const net::multiple_exceptions &) {
            thrown = true;
        }
    });
    EXPECT_TRUE(thrown);
    EXPECT_EQ(list_dir(out), std::vector<std::string>());
}

TEST_F(AsioCoroutine, a_coroutine_that_is_cancelled_cancels_its_job) {
    net::cancellation_signal signal;
    Completion completion;
    net::co_spawn(
        io,
        [&]() -> net::awaitable<void> {
            const auto [ec, result] = co_await lb::async_backup(
                io, source, out / "game.db",
                held([&] { net::post(io, [&] { signal.emit(net::cancellation_type::terminal); }); }),
                as_tuple(net::use_awaitable));
            completion.handler()(ec, result);
        },
        net::bind_cancellation_slot(signal.slot(), [](std::exception_ptr) {}));
    io.run();
    expect_cancelled(completion);
}

TEST_F(AsioCoroutine, a_coroutine_that_was_cancelled_before_starts_no_job) {
    net::cancellation_signal signal;
    net::co_spawn(
        io,
        [&]() -> net::awaitable<void> {
            co_await lb::async_backup(io, source, out / "game.db", {}, net::use_awaitable);
            ADD_FAILURE() << "went on";
        },
        net::bind_cancellation_slot(signal.slot(), [](const std::exception_ptr &) {}));
    signal.emit(net::cancellation_type::terminal);
    try {
        io.run();
    } catch (const system_error &error) {  // some versions of Asio throw it here
        EXPECT_EQ(error.code(), net::error::operation_aborted);
    }
    EXPECT_EQ(lb_shutdown(60'000), LB_STATUS_OK);
    EXPECT_EQ(list_dir(out), std::vector<std::string>());
}

#endif

}  // namespace
