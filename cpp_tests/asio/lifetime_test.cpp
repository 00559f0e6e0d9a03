// Contexts that are stopped, run again, destroyed and forked while operations are outstanding.
// SPDX-License-Identifier: MIT OR Apache-2.0

#include "fixture.hpp"

#include <random>

using namespace lbtest;

namespace {

/// What became of a handler.
struct Fate {
    std::atomic<int> calls{0};
    std::atomic<int> destroyed{0};  // not counting what it was moved from

    auto handler() {
        const auto note = [](Fate *fate) { ++fate->destroyed; };
        return [this, alive = std::unique_ptr<Fate, decltype(note)>(this, note)](error_code, const lb::Result &) {
            ++calls;
        };
    }
};

class AsioLifetime : public AsioTest {};

TEST_F(AsioLifetime, a_context_that_was_stopped_delivers_when_it_runs_again) {
    Completion completion;
    std::promise<void> ended;
    lb::BackupOptions options;
    options.on_complete = [&](const lb::Result &) { ended.set_value(); };
    lb::async_backup(io, source, out / "game.db", options, completion.handler());
    io.stop();
    io.run();
    EXPECT_EQ(completion.calls, 0);
    ended.get_future().wait();
    io.run();
    EXPECT_EQ(completion.calls, 0);
    io.restart();
    io.run();
    expect_completed(completion);
}

TEST_F(AsioLifetime, a_context_destroyed_amid_a_job_cancels_it_and_destroys_its_handler) {
    Fate fate;
    std::promise<void> at_work;
    std::promise<lb_status> outcome;
    auto options = held([&] { at_work.set_value(); });
    options.on_complete = [&](const lb::Result &result) { outcome.set_value(result.status); };
    {
        net::io_context dying;
        lb::async_backup(dying, source, out / "game.db", options, fate.handler());
        at_work.get_future().wait();
    }
    EXPECT_EQ(fate.calls, 0);
    EXPECT_EQ(fate.destroyed, 1);
    EXPECT_EQ(outcome.get_future().get(), LB_STATUS_CANCELLED);
    EXPECT_EQ(lb_shutdown(60'000), LB_STATUS_OK);
    EXPECT_EQ(list_dir(out), std::vector<std::string>());
}

TEST_F(AsioLifetime, a_context_destroyed_after_a_job_destroys_the_handler_that_waits) {
    Fate fate;
    {
        net::io_context dying;
        lb::async_verify(dying, source, {}, fate.handler());
        EXPECT_EQ(lb_shutdown(60'000), LB_STATUS_OK);  // the job has ended, and its completion was posted
        EXPECT_EQ(fate.destroyed, 0);
    }
    EXPECT_EQ(fate.calls, 0);
    EXPECT_EQ(fate.destroyed, 1);
}

TEST_F(AsioLifetime, a_context_destroyed_at_any_moment_runs_no_handler_afterwards) {
    constexpr std::uint32_t seed = 20261125;
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::printf("seed %u\n", seed);
    std::mt19937 random(seed);
    const auto small = dir / "small.db";
    Db(small).exec("CREATE TABLE t(a)");
    constexpr int rounds = 150, most_rounds = 162, operations = 4;
    unsigned long longest = 3000;
    int called = 0, dropped = 0;
    for (int round = 0; round < rounds || (called == 0 && round < most_rounds); ++round) {
        if (round >= rounds) longest *= 2;  // a machine so slow that no job has ended in time
        std::vector<Fate> fates(operations);
        {
            net::io_context dying;
            std::atomic<bool> go{false};
            std::thread runner;
            if (random() % 2 == 0)
                runner = std::thread([&] {
                    while (!go) std::this_thread::yield();
                    dying.run();
                });
            for (int i = 0; i < operations; ++i)
                if (random() % 2 == 0) {
                    lb::BackupOptions options;
                    options.existing = lb::Existing::replace;
                    options.verify = lb::Verify::none;
                    lb::async_backup(dying, small, out / std::to_string(i), options, fates[i].handler());
                } else {
                    lb::async_verify(net::make_strand(dying), small, {}, fates[i].handler());
                }
            go = true;
            // Anywhere between the start of the first job and, mostly, the end of the last one.
            const auto until = std::chrono::steady_clock::now() + std::chrono::microseconds(random() % longest);
            while (std::chrono::steady_clock::now() < until) std::this_thread::yield();
            dying.stop();
            if (runner.joinable()) runner.join();
        }
        for (const auto &fate : fates) {
            ASSERT_EQ(fate.destroyed, 1);
            ASSERT_LE(fate.calls, 1);
            ++(fate.calls == 1 ? called : dropped);
        }
    }
    std::printf("%d handlers were called, %d were not\n", called, dropped);
    EXPECT_GT(called, 0);
    EXPECT_GT(dropped, 0) << "by the contexts that nobody ran";
    EXPECT_EQ(lb_shutdown(60'000), LB_STATUS_OK);
    for (const auto &name : list_dir(out)) EXPECT_EQ(name.size(), 1U) << name << " was left behind";
}

TEST_F(AsioLifetime, a_pool_destroyed_amid_a_job_cancels_it) {
    Fate fate;
    {
        net::thread_pool pool(1);
        lb::async_backup(pool, source, out / "game.db", held(), fate.handler());
        pool.stop();
    }
    EXPECT_EQ(fate.calls, 0);
    EXPECT_EQ(fate.destroyed, 1);
    EXPECT_EQ(lb_shutdown(60'000), LB_STATUS_OK);
    EXPECT_EQ(list_dir(out), std::vector<std::string>());
}

TEST_F(AsioLifetime, a_handler_that_starts_an_operation_as_it_is_destroyed_with_its_context_starts_no_job) {
    {
        net::io_context dying;
        const auto start = [&](const int *) {
            lb::async_backup(dying, source, out / "late.db", {},
                             [](error_code, const lb::Result &) { ADD_FAILURE() << "the context is gone"; });
        };
        const int any = 0;
        lb::async_backup(
            dying, source, out / "game.db", held(),
            [last = std::unique_ptr<const int, decltype(start)>(&any, start)](error_code, const lb::Result &) {});
    }
    EXPECT_EQ(lb_shutdown(60'000), LB_STATUS_OK);
    EXPECT_EQ(list_dir(out), std::vector<std::string>());
}

TEST_F(AsioLifetime, an_operation_is_ended_in_a_forked_child_and_goes_on_in_the_parent) {
    Completion completion;
    std::promise<void> at_work;
    lb::async_backup(io, source, out / "game.db", held([&] { at_work.set_value(); }), completion.handler());
    at_work.get_future().wait();
    io.notify_fork(net::execution_context::fork_prepare);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        io.notify_fork(net::execution_context::fork_child);
        io.run();
        const bool told = completion.calls == 1 && completion.ec == LB_STATUS_WRONG_PROCESS &&
                          completion.result.status == LB_STATUS_WRONG_PROCESS && !completion.result.message.empty();
        completion = {};
        io.restart();
        lb::async_verify(io, source, {}, completion.handler());
        io.run();
        ::_exit(told && completion.calls == 1 && completion.ec == LB_STATUS_WRONG_PROCESS ? 0 : 1);
    }
    io.notify_fork(net::execution_context::fork_parent);
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    EXPECT_EQ(completion.calls, 0);
    ASSERT_EQ(lb_shutdown(60'000), LB_STATUS_OK);
    io.run();
    expect_cancelled(completion);
}

TEST_F(AsioLifetime, a_forked_child_may_destroy_the_context_of_its_parents_operations) {
    Fate fate;
    std::promise<void> at_work;
    auto dying = std::make_unique<net::io_context>();
    lb::async_backup(*dying, source, out / "game.db", held([&] { at_work.set_value(); }), fate.handler());
    at_work.get_future().wait();
    dying->notify_fork(net::execution_context::fork_prepare);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        dying->notify_fork(net::execution_context::fork_child);
        dying.reset();
        ::_exit(fate.calls == 0 && fate.destroyed == 1 ? 0 : 1);
    }
    dying->notify_fork(net::execution_context::fork_parent);
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    EXPECT_EQ(fate.destroyed, 0);
}

}  // namespace
