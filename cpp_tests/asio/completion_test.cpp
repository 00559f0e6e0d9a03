// How asynchronous operations complete: tokens, executors, allocators, errors. SPDX-License-Identifier: MIT OR Apache-2.0

#include "fixture.hpp"

#include <mutex>

using namespace lbtest;

namespace {

class AsioCompletion : public AsioTest {};

TEST_F(AsioCompletion, a_callback_gets_the_result_of_each_operation) {
    Completion backup, verify, restore;
    lb::async_backup(io, source, out / "game.db.zst", {}, backup.handler());
    io.run();
    expect_completed(backup);
    EXPECT_GT(backup.result.archive_bytes, 0U);

    io.restart();
    lb::VerifyOptions full;
    full.verify = lb::Verify::full;
    lb::async_verify(io, out / "game.db.zst", full, verify.handler());
    lb::async_restore(io, out / "game.db.zst", out / "restored.db", {}, restore.handler());
    io.run();
    expect_completed(verify);
    expect_completed(restore);
    EXPECT_EQ(content_hash(out / "restored.db"), content_hash(source));
}

TEST_F(AsioCompletion, a_future_gets_the_result_or_the_error_as_an_exception) {
    auto good = lb::async_backup(io, source, out / "game.db", {}, net::use_future);
    auto bad = lb::async_backup(io, source, out / "nowhere" / "game.db", {}, net::use_future);
    io.run();
    EXPECT_EQ(good.get().status, LB_STATUS_OK);
    try {
        bad.get();
        ADD_FAILURE() << "no exception";
    } catch (const system_error &error) {
        EXPECT_TRUE(error.code() == LB_STATUS_NOT_FOUND) << error.what();
    }
}

TEST_F(AsioCompletion, a_future_of_what_a_function_returns_can_keep_the_librarys_message) {
    auto future = lb::async_backup(io, source, out / "nowhere" / "game.db", {},
                                   net::use_future([](error_code, lb::Result result) { return result; }));
    io.run();
    const lb::Result result = future.get();
    EXPECT_EQ(result.status, LB_STATUS_NOT_FOUND);
    EXPECT_NE(result.message.find("nowhere"), std::string::npos) << result.message;
}

TEST_F(AsioCompletion, nobody_need_look_at_the_outcome) {
    lb::async_backup(io, source, out / "game.db", {}, net::detached);
    io.run();
    EXPECT_EQ(content_hash(out / "game.db"), content_hash(source));
}

#if defined(LBTEST_DEFERRED)
TEST_F(AsioCompletion, a_deferred_operation_starts_when_it_is_called) {
    Completion completion;
    auto operation = lb::async_backup(io, source, out / "game.db", {}, deferred);
    EXPECT_EQ(lb::jobs().size(), 0U);
    std::move(operation)(completion.handler());
    io.run();
    expect_completed(completion);
}

TEST_F(AsioCompletion, a_tuple_has_the_librarys_message_beside_the_error) {
    lb_status status = LB_STATUS_OK;
    std::string message;
    lb::async_backup(io, source, out / "nowhere" / "game.db", {},
                     as_tuple([&](std::tuple<error_code, lb::Result> both) {
                         status = std::get<lb::Result>(both).status;
                         message = std::get<lb::Result>(both).message;
                         EXPECT_TRUE(std::get<error_code>(both) == status);
                     }));
    io.run();
    EXPECT_EQ(status, LB_STATUS_NOT_FOUND);
    EXPECT_NE(message.find("nowhere"), std::string::npos) << message;
}
#endif

TEST_F(AsioCompletion, a_handler_may_be_move_only) {
    Completion completion;
    lb::async_backup(
        io, source, out / "game.db", {},
        [inner = completion.handler(), owned = std::make_unique<int>(1)](error_code ec, lb::Result result) mutable {
            EXPECT_EQ(*owned, 1);
            inner(ec, std::move(result));
        });
    io.run();
    expect_completed(completion);
}

// ---------------------------------------------------------------------------------------------------------- executors

TEST_F(AsioCompletion, run_does_not_return_before_the_handler_has_run) {
    Completion completion;
    lb::async_backup(io.get_executor(), source, out / "game.db", {}, completion.handler());
    EXPECT_EQ(completion.calls, 0) << "invoked from within the initiating function";
    EXPECT_GT(io.run(), 0U);
    expect_completed(completion);
}

TEST_F(AsioCompletion, every_kind_of_executor_will_do) {
    const auto verify = [&](auto &&executor) {
        std::promise<error_code> promise;
        lb::async_verify(executor, source, {}, [&](error_code ec, const lb::Result &) { promise.set_value(ec); });
        io.run();
        io.restart();
        EXPECT_EQ(promise.get_future().get(), error_code());
    };
    net::thread_pool pool(1);
    verify(io);
    verify(io.get_executor());
    verify(net::any_io_executor(io.get_executor()));
    verify(net::make_strand(io));
    verify(net::any_io_executor(net::make_strand(io)));
    verify(net::strand<net::any_io_executor>(net::any_io_executor(io.get_executor())));
    verify(pool);
    verify(pool.get_executor());
    verify(net::any_io_executor(pool.get_executor()));
    verify(net::make_strand(pool));
    verify(net::system_executor());
#if !defined(BOOST_ASIO_NO_TS_EXECUTORS) && !defined(ASIO_NO_TS_EXECUTORS)
    verify(net::executor(io.get_executor()));
#endif
}

TEST_F(AsioCompletion, a_handlers_own_context_is_kept_at_work_and_runs_it) {
    Completion completion;
    net::io_context other;
    lb::async_backup(io, source, out / "game.db", {}, net::bind_executor(other.get_executor(), completion.handler()));
    std::thread runner([&] { EXPECT_GT(other.run(), 0U); });
    const auto runner_id = runner.get_id();
    io.run();
    runner.join();
    expect_completed(completion);
    EXPECT_EQ(completion.thread, runner_id);
}

TEST_F(AsioCompletion, a_handler_without_an_executor_runs_on_the_one_of_the_operation) {
    const auto strand = net::make_strand(io);
    bool inside = false;
    lb::async_verify(strand, source, {},
                     [&](error_code, const lb::Result &) { inside = strand.running_in_this_thread(); });
    io.run();
    EXPECT_TRUE(inside);
}

TEST_F(AsioCompletion, handlers_of_one_strand_never_run_at_once_whatever_threads_run_the_context) {
    constexpr int jobs = 200;
    const auto strand = net::make_strand(io);
    int completed = 0;  // unguarded on purpose
    for (int i = 0; i < jobs; ++i)
        lb::async_verify(io, source, {}, net::bind_executor(strand, [&](error_code ec, const lb::Result &) {
                             EXPECT_TRUE(strand.running_in_this_thread());
                             completed += ec ? 0 : 1;
                         }));
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) threads.emplace_back([&] { io.run(); });
    for (auto &thread : threads) thread.join();
    EXPECT_EQ(completed, jobs);
}

// ---------------------------------------------------------------------------------------------------------- allocators

/// What was allocated, and by which threads.
struct Ledger {
    std::mutex mutex;
    std::size_t allocations = 0;
    std::size_t held = 0;
    std::set<std::thread::id> threads;

    void add(std::size_t bytes) {
        const std::lock_guard<std::mutex> lock(mutex);
        ++allocations;
        held += bytes;
        threads.insert(std::this_thread::get_id());
    }
    void remove(std::size_t bytes) {
        const std::lock_guard<std::mutex> lock(mutex);
        held -= bytes;
        threads.insert(std::this_thread::get_id());
    }
};

template <typename T = void> struct CountingAllocator {
    using value_type = T;

    Ledger *ledger;

    explicit CountingAllocator(Ledger *to) noexcept : ledger(to) {}
    template <typename U> CountingAllocator(const CountingAllocator<U> &other) noexcept : ledger(other.ledger) {}
    T *allocate(std::size_t count) {
        ledger->add(count * sizeof(T));
        return std::allocator<T>().allocate(count);
    }
    void deallocate(T *memory, std::size_t count) noexcept {
        ledger->remove(count * sizeof(T));
        std::allocator<T>().deallocate(memory, count);
    }
    template <typename U> friend bool operator==(const CountingAllocator &a, const CountingAllocator<U> &b) noexcept {
        return a.ledger == b.ledger;
    }
    template <typename U> friend bool operator!=(const CountingAllocator &a, const CountingAllocator<U> &b) noexcept {
        return a.ledger != b.ledger;
    }
};

TEST_F(AsioCompletion, the_handlers_allocator_has_its_memory_back_before_the_handler_runs) {
    Ledger ledger;
    std::size_t held = 1;
    const auto handler = [&] {
        return Handler<std::function<void(error_code, lb::Result)>, CountingAllocator<>>{
            [&](error_code, const lb::Result &) { held = ledger.held; }, CountingAllocator<>(&ledger)};
    };
    lb::async_backup(io, source, out / "game.db", {}, handler());
    EXPECT_GT(ledger.held, 0U);
    io.run();
    EXPECT_EQ(held, 0U);
    EXPECT_EQ(ledger.held, 0U);

    held = 1;
    io.restart();
    lb::async_backup(io, source, out / "game.db", {}, handler());  // refused: the file exists
    io.run();
    EXPECT_EQ(held, 0U);

    held = 1;
    io.restart();
    net::io_context other;
    lb::async_verify(io, source, {}, net::bind_executor(other.get_executor(), handler()));
    io.run();
    other.run();
    EXPECT_EQ(held, 0U);
    EXPECT_EQ(ledger.held, 0U);
    EXPECT_EQ(ledger.threads, std::set<std::thread::id>{std::this_thread::get_id()})
        << "the library's thread used the handler's allocator";
}

// ------------------------------------------------------------------------------------------------- errors and callbacks

TEST_F(AsioCompletion, a_start_that_is_refused_completes_later_with_the_reason) {
    Completion refused, wrong;
    write_file(out / "game.db", "there already");
    lb::async_backup(io, source, out / "game.db", {}, refused.handler());
    lb::BackupOptions options;
    options.chunk_size = 0;
    lb::async_backup(io, source, out / "other.db", options, wrong.handler());
    EXPECT_EQ(refused.calls + wrong.calls, 0) << "invoked from within the initiating function";
    io.run();

    EXPECT_EQ(refused.calls, 1);
    EXPECT_TRUE(refused.ec == LB_STATUS_ALREADY_EXISTS) << refused.ec.message();
    EXPECT_EQ(refused.ec, errc::file_exists);
    EXPECT_EQ(refused.result.status, LB_STATUS_ALREADY_EXISTS);
    EXPECT_NE(refused.result.message.find("game.db"), std::string::npos) << refused.result.message;
    EXPECT_TRUE(wrong.ec == LB_STATUS_INVALID_ARGUMENT);
    EXPECT_NE(wrong.result.message.find("options.chunk_size"), std::string::npos) << wrong.result.message;
}

TEST_F(AsioCompletion, a_job_that_fails_has_its_status_as_error_code) {
    Completion backup, verify;
    write_file(dir / "bad.db", read_file(source).substr(0, 20'000));
    lb::async_backup(io, dir / "bad.db", out / "copy.db", {}, backup.handler());
    lb::async_verify(io, dir / "bad.db", {}, verify.handler());
    io.run();
    EXPECT_TRUE(backup.ec == LB_STATUS_CORRUPT) << backup.ec.message();
    EXPECT_TRUE(verify.ec == LB_STATUS_CORRUPT) << verify.ec.message();
    EXPECT_NE(verify.result.failed_check, lb::Check::none);
    EXPECT_EQ(list_dir(out).size(), 0U);
}

TEST_F(AsioCompletion, every_status_is_the_same_error_as_in_the_synchronous_interface) {
    EXPECT_STREQ(lb::asio_category().name(), lb::category().name());
    EXPECT_FALSE(lb::make_asio_error_code(LB_STATUS_OK));
    EXPECT_EQ(lb::make_asio_error_code(LB_STATUS_CANCELLED), net::error::operation_aborted);
    for (int value = 1; value <= LB_STATUS_INTERNAL + 1; ++value) {  // and one that is none
        const auto status = static_cast<lb_status>(value);
        const error_code ec(value, lb::asio_category());
        const std::error_code expected = status;
        EXPECT_TRUE(ec == status);
        EXPECT_TRUE(status == ec);
        EXPECT_FALSE(ec != status);
        EXPECT_FALSE(status != ec);
        EXPECT_FALSE(ec == LB_STATUS_OK);
        EXPECT_FALSE(error_code() == status);
        EXPECT_EQ(ec.message(), expected.message());
        EXPECT_EQ(ec.default_error_condition().value(), expected.default_error_condition().value());
        EXPECT_STREQ(ec.default_error_condition().category().name(),
                     expected.default_error_condition().category().name());
        EXPECT_EQ(lb::make_asio_error_code(status) == ec, status != LB_STATUS_CANCELLED);
    }
    EXPECT_TRUE(error_code() == LB_STATUS_OK);
    EXPECT_EQ(lb::make_asio_error_code(LB_STATUS_NO_SPACE), errc::no_space_on_device);
    EXPECT_EQ(lb::make_asio_error_code(LB_STATUS_QUEUE_FULL), errc::resource_unavailable_try_again);
}

TEST_F(AsioCompletion, the_options_own_callbacks_run_first_and_are_gone_before_the_handler_runs) {
    Completion completion;
    std::vector<std::string> order;
    auto token = std::make_shared<int>();
    lb::BackupOptions options;
    options.on_progress = [&, token](const lb::Progress &) {
        if (order.empty()) order.emplace_back("progress");
    };
    options.on_complete = [&, token](const lb::Result &result) {
        EXPECT_EQ(result.status, LB_STATUS_OK);
        order.emplace_back("complete");
    };
    std::weak_ptr<int> callbacks = token;
    token.reset();
    lb::async_backup(io, source, out / "game.db", std::move(options),
                     [&, inner = completion.handler()](error_code ec, lb::Result result) mutable {
                         EXPECT_TRUE(callbacks.expired());
                         order.emplace_back("handler");
                         inner(ec, std::move(result));
                     });
    io.run();
    expect_completed(completion);
    EXPECT_EQ(order, (std::vector<std::string>{"progress", "complete", "handler"}));
}

TEST_F(AsioCompletion, an_exception_of_a_callback_is_in_the_result_and_harms_nothing) {
    Completion progress, complete;
    lb::BackupOptions first, second;
    first.on_progress = [](const lb::Progress &) { throw std::runtime_error("in progress"); };
    first.on_complete = [](const lb::Result &) { throw std::runtime_error("too late"); };
    second.on_complete = [](const lb::Result &) { throw std::runtime_error("at the end"); };
    lb::async_backup(io, source, out / "one.db", first, progress.handler());
    lb::async_backup(io, source, out / "two.db", second, complete.handler());
    io.run();
    expect_completed(progress);
    expect_completed(complete);
    const auto text = [](const Completion &completion) -> std::string {
        try {
            if (completion.result.callback_exception) std::rethrow_exception(completion.result.callback_exception);
        } catch (const std::exception &error) {
            return error.what();
        }
        return "";
    };
    EXPECT_EQ(text(progress), "in progress");
    EXPECT_EQ(text(complete), "at the end");
}

TEST_F(AsioCompletion, an_exception_of_a_handler_leaves_run_and_the_next_run_goes_on) {
    Completion completion;
    auto token = std::make_shared<int>();
    std::weak_ptr<int> handler = token;
    lb::async_backup(io, source, out / "one.db", {}, [token = std::move(token)](error_code, const lb::Result &) {
        throw std::runtime_error("thrown by the handler");
    });
    lb::async_backup(io, source, out / "two.db", {}, completion.handler());
    int thrown = 0;
    for (bool ended = false; !ended;) {
        try {
            io.run();
            ended = true;
        } catch (const std::runtime_error &) {
            ++thrown;
            EXPECT_TRUE(handler.expired());
        }
    }
    EXPECT_EQ(thrown, 1);
    expect_completed(completion);
}

// ----------------------------------------------------------------------------------------------------------------- many

TEST_F(AsioCompletion, ten_thousand_queued_futures_resolve_with_no_thread_for_each) {
    constexpr std::uint32_t operations = 10'000;
    ASSERT_EQ(lb_shutdown(60'000), LB_STATUS_OK);
    lb::Config config;
    config.queue_length = operations;
    lb::configure(config);
    const auto small = dir / "small.db";
    Db(small).exec("CREATE TABLE t(a)");

    std::vector<std::future<lb::Result>> futures;
    std::size_t threads = 0;
    for (std::uint32_t i = 0; i < operations; ++i) {
        futures.push_back(lb::async_verify(io, small, {}, net::use_future));
        if (i % 1000 == 999) threads = std::max(threads, count_threads());
    }
    io.run();
    for (auto &future : futures) EXPECT_EQ(future.get().status, LB_STATUS_OK);
    EXPECT_LT(threads, 100U);
    EXPECT_EQ(lb_shutdown(60'000), LB_STATUS_OK);
    EXPECT_EQ(lb_configure(nullptr, nullptr), LB_STATUS_OK);
}

}  // namespace
