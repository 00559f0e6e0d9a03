// Cancelling asynchronous operations, through slots where Asio has them. SPDX-License-Identifier: MIT OR Apache-2.0

#include "fixture.hpp"

#if defined(LBTEST_CANCELLATION_SLOTS) && defined(LB_BACKUP_USE_STANDALONE_ASIO)
#include <asio/experimental/parallel_group.hpp>
#elif defined(LBTEST_CANCELLATION_SLOTS)
#include <boost/asio/experimental/parallel_group.hpp>
#endif

using namespace lbtest;

namespace {

class AsioCancel : public AsioTest {
protected:
    void TearDown() override {
        AsioTest::TearDown();
        EXPECT_EQ(list_dir(out), std::vector<std::string>()) << "something was left behind";
    }

    Completion completion;
};

TEST_F(AsioCancel, a_job_that_is_cancelled_by_its_handle_completes_as_aborted) {
    lb::async_backup(io, source, out / "game.db", held([] {
                         const auto jobs = lb::jobs();
                         ASSERT_EQ(jobs.size(), 1U);
                         lb_backup_cancel(jobs[0].handle);
                     }),
                     completion.handler());
    io.run();
    expect_cancelled(completion);
}

TEST_F(AsioCancel, shutting_the_library_down_completes_all_operations_as_aborted) {
    constexpr std::size_t operations = 20;  // most of them still wait for their turn
    std::vector<Completion> completions(operations);
    for (std::size_t i = 0; i < operations; ++i)
        lb::async_backup(io, source, out / std::to_string(i), held(), completions[i].handler());
    ASSERT_EQ(lb_shutdown(60'000), LB_STATUS_OK);
    io.run();
    for (const auto &each : completions) expect_cancelled(each);
}

#if defined(LBTEST_CANCELLATION_SLOTS)

using Type = net::cancellation_type;

class AsioCancelType : public AsioCancel, public ::testing::WithParamInterface<Type> {};

TEST_P(AsioCancelType, an_emission_of_any_type_cancels_the_job) {
    net::cancellation_signal signal;
    lb::async_backup(io, source, out / "game.db", held([&] { net::post(io, [&] { signal.emit(GetParam()); }); }),
                     net::bind_cancellation_slot(signal.slot(), completion.handler()));
    io.run();
    expect_cancelled(completion);
}

INSTANTIATE_TEST_SUITE_P(Each, AsioCancelType, ::testing::Values(Type::terminal, Type::partial, Type::total),
                         [](const auto &tested) {
                             return tested.param == Type::terminal  ? "terminal"
                                    : tested.param == Type::partial ? "partial"
                                                                    : "total";
                         });

TEST_F(AsioCancel, restores_and_verifications_are_cancelled_like_backups) {
    const auto archive = dir / "game.db.zst";
    ASSERT_EQ(backup(source, archive).status, LB_STATUS_OK);
    net::cancellation_signal restore, verify;
    Completion restored, verified;
    lb::RestoreOptions restore_options;
    restore_options.max_bytes_per_second = 1024;
    lb::VerifyOptions verify_options;
    verify_options.max_bytes_per_second = 1024;
    lb::async_restore(io, archive, out / "game.db", restore_options,
                      net::bind_cancellation_slot(restore.slot(), restored.handler()));
    lb::async_verify(io, archive, verify_options, net::bind_cancellation_slot(verify.slot(), verified.handler()));
    net::post(io, [&] {
        restore.emit(Type::terminal);
        verify.emit(Type::terminal);
    });
    io.run();
    expect_cancelled(restored);
    expect_cancelled(verified);
}

TEST_F(AsioCancel, another_thread_cancels_by_way_of_the_executor) {
    net::cancellation_signal signal;
    std::promise<void> at_work;
    const auto strand = net::make_strand(io);
    lb::async_backup(strand, source, out / "game.db", held([&] { at_work.set_value(); }),
                     net::bind_cancellation_slot(signal.slot(), completion.handler()));
    std::thread other([&] {
        at_work.get_future().wait();
        net::post(strand, [&] { signal.emit(Type::terminal); });
    });
    io.run();
    other.join();
    expect_cancelled(completion);
}

TEST_F(AsioCancel, a_callback_of_the_job_cancels_it) {
    net::cancellation_signal signal;
    lb::async_backup(io, source, out / "game.db", held([&] { signal.emit(Type::terminal); }),
                     net::bind_cancellation_slot(signal.slot(), completion.handler()));
    io.run();
    expect_cancelled(completion);
}

TEST_F(AsioCancel, a_handler_cancels_another_operation) {
    net::cancellation_signal signal;
    lb::async_backup(io, source, out / "game.db", held(),
                     net::bind_cancellation_slot(signal.slot(), completion.handler()));
    lb::async_verify(io, source, {}, [&](error_code, const lb::Result &) { signal.emit(Type::terminal); });
    io.run();
    expect_cancelled(completion);
}

TEST_F(AsioCancel, a_job_that_waits_for_its_turn_is_cancelled_at_once) {
    ASSERT_EQ(lb_shutdown(60'000), LB_STATUS_OK);
    lb::Config config;
    config.max_concurrent_jobs = 1;
    lb::configure(config);
    net::cancellation_signal first_signal, signal;
    Completion first;
    lb::async_backup(io, source, out / "first.db", held(),
                     net::bind_cancellation_slot(first_signal.slot(), first.handler()));
    lb::async_backup(io, source, out / "game.db", {},
                     net::bind_cancellation_slot(signal.slot(), [&](error_code ec, lb::Result result) {
                         completion.handler()(ec, std::move(result));
                         first_signal.emit(Type::terminal);
                     }));
    signal.emit(Type::terminal);
    io.run();
    expect_cancelled(completion);
    expect_cancelled(first);
    ASSERT_EQ(lb_shutdown(60'000), LB_STATUS_OK);
    EXPECT_EQ(lb_configure(nullptr, nullptr), LB_STATUS_OK);
}

/// A slot that was cancelled already: it says so as soon as there is somebody to tell.
struct CancelledSlot {
    bool is_connected() const noexcept { return true; }
    template <typename Function, typename... Arguments> void emplace(Arguments &&...arguments) {
        Function(std::forward<Arguments>(arguments)...)(Type::terminal);
    }
    void clear() noexcept {}
};

struct CancelledHandler {
    using cancellation_slot_type = CancelledSlot;

    Completion *completion;

    CancelledSlot get_cancellation_slot() const noexcept { return {}; }
    void operator()(error_code ec, lb::Result result) { completion->handler()(ec, std::move(result)); }
};

TEST_F(AsioCancel, an_operation_that_is_cancelled_before_its_job_is_known_is_cancelled_none_the_less) {
    lb::async_backup(io, source, out / "game.db", held(), CancelledHandler{&completion});
    io.run();
    expect_cancelled(completion);
}

TEST_F(AsioCancel, an_emission_that_asks_for_nothing_cancels_nothing) {
    net::cancellation_signal signal;
    lb::async_verify(io, source, {}, net::bind_cancellation_slot(signal.slot(), completion.handler()));
    signal.emit(Type::none);
    io.run();
    expect_completed(completion);
}

TEST_F(AsioCancel, an_emission_after_the_end_comes_too_late) {
    net::cancellation_signal signal;
    std::promise<void> ended;
    lb::VerifyOptions options;
    options.on_complete = [&](const lb::Result &) { ended.set_value(); };
    lb::async_verify(io, source, options, net::bind_cancellation_slot(signal.slot(), completion.handler()));
    ended.get_future().wait();
    signal.emit(Type::terminal);  // the job has ended, its handler has not run
    io.run();
    expect_completed(completion);
    signal.emit(Type::terminal);
}

TEST_F(AsioCancel, a_slot_is_free_again_when_the_handler_runs) {
    net::cancellation_signal signal;
    bool free = false;
    lb::async_verify(io, source, {}, net::bind_cancellation_slot(signal.slot(), [&](error_code, const lb::Result &) {
                         free = !signal.slot().has_handler();
                         lb::async_backup(io, source, out / "game.db", held(),
                                          net::bind_cancellation_slot(signal.slot(), completion.handler()));
                         signal.emit(Type::terminal);
                     }));
    io.run();
    EXPECT_TRUE(free);
    expect_cancelled(completion);

    Completion refused;
    lb::async_verify(io, out / "nowhere.db", {}, net::bind_cancellation_slot(signal.slot(), refused.handler()));
    io.restart();
    io.run();
    EXPECT_TRUE(refused.ec == LB_STATUS_NOT_FOUND);
    EXPECT_FALSE(signal.slot().has_handler());
}

TEST_F(AsioCancel, of_a_group_that_waits_for_one_the_others_are_cancelled) {
    lb_status status = LB_STATUS_OK;
    net::experimental::make_parallel_group(
        [&](auto token) { return lb::async_backup(io, source, out / "game.db", held(), std::move(token)); },
        [&](auto token) { return lb::async_verify(io, source, {}, std::move(token)); })
        .async_wait(net::experimental::wait_for_one(),
                    [&](std::array<std::size_t, 2> order, error_code, const lb::Result &backup, error_code verify_error,
                        const lb::Result &) {
                        EXPECT_EQ(order[0], 1U);
                        EXPECT_FALSE(verify_error);
                        status = backup.status;
                    });
    io.run();
    EXPECT_EQ(status, LB_STATUS_CANCELLED);
}

#endif

}  // namespace
