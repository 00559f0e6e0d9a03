// execute_backup_async: the handler on the game's io_context, whatever becomes of that.
// SPDX-License-Identifier: MIT OR Apache-2.0

#include "fixture.hpp"

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_future.hpp>
#if BOOST_ASIO_VERSION >= 101900
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#endif

#include <atomic>
#include <latch>
#include <thread>

using namespace lbtest;

namespace {

class Execute : public StagedTest {
protected:
    using Outcome = DatabaseResult<BackupInfo>;

    boost::asio::io_context &context() { return ConnectionManager::instance().get_io_context(); }

    /// A handler that tells.
    auto tell(std::promise<Outcome> &to) {
        return [&to](Outcome outcome) { to.set_value(std::move(outcome)); };
    }
};

TEST_F(Execute, handler_runs_on_the_io_context_with_the_backup) {
    open();
    std::promise<Outcome> outcome;
    bool on_context = false;
    execute_backup_async(ConnectionManager::instance(), "by the pool", [&](Outcome taken) {
        on_context = context().get_executor().running_in_this_thread();
        outcome.set_value(std::move(taken));
    });
    let_begin();
    const auto taken = outcome.get_future().get();
    ASSERT_TRUE(taken) << told(taken);
    EXPECT_TRUE(on_context);
    EXPECT_EQ(to_fs(taken->file_path), backups / "by the pool.db.zst");
    EXPECT_EQ(taken->checksum, sha256sum(to_fs(taken->file_path)));
    EXPECT_EQ(content_hash(image(*taken)), content_hash(live));
}

TEST_F(Execute, threads_of_the_pool_are_free_while_the_backups_wait) {
    open();
    std::vector<std::promise<Outcome>> outcomes(16);
    for (auto &outcome : outcomes) execute_backup_async(ConnectionManager::instance(), "", tell(outcome));
    const auto together = std::make_shared<std::latch>(5);
    for (int i = 0; i < 4; ++i) boost::asio::post(context(), [together] { together->arrive_and_wait(); });
    together->arrive_and_wait();
    let_begin();
    std::set<std::string> names;
    for (auto &outcome : outcomes) {
        const auto taken = outcome.get_future().get();
        ASSERT_TRUE(taken) << told(taken);
        names.insert(taken->file_path.string());
    }
    EXPECT_EQ(names.size(), 16U);
}

TEST_F(Execute, refusal_comes_through_the_handler_and_not_before_the_call_has_returned) {
    open();
    let_begin();
    std::promise<Outcome> outcome;
    std::atomic<bool> returned{false};
    boost::asio::post(context(), [&] {
        execute_backup_async(ConnectionManager::instance(), "a/b", [&](Outcome refused) {
            wait_until([&] { return returned.load(); });
            outcome.set_value(std::move(refused));
        });
        returned = true;
    });
    expect_error(outcome.get_future().get(), DatabaseErrorType::InvalidParameter, "holds a path separator");

    std::promise<Outcome> second, third;
    execute_backup_async(ConnectionManager::instance(), "taken", tell(second));
    EXPECT_TRUE(second.get_future().get());
    execute_backup_async(ConnectionManager::instance(), "taken", tell(third));
    expect_error(third.get_future().get(), DatabaseErrorType::InvalidParameter, "taken.db.zst");
}

TEST_F(Execute, name_that_somebody_else_takes_meanwhile_is_left_to_them) {
    open();
    std::promise<Outcome> outcome;
    execute_backup_async(ConnectionManager::instance(), "", tell(outcome));
    fs::path first;
    for (const auto &job : lb::jobs())
        if (job.dest_name != "first") first = backups / job.dest_name;
    write_file(first, "of another process");
    let_begin();
    const auto taken = outcome.get_future().get();
    ASSERT_TRUE(taken) << told(taken);
    EXPECT_EQ(taken->file_path.filename().string(), first.stem().stem().string() + "_2.db.zst");
    EXPECT_EQ(read_file(first), "of another process");
}

TEST_F(Execute, directory_and_policy_are_the_callers) {
    open();
    let_begin();
    std::promise<Outcome> outcome;
    execute_backup_async(ConnectionManager::instance(), (dir / "elsewhere").string(), plain(), "x", tell(outcome));
    const auto taken = outcome.get_future().get();
    ASSERT_TRUE(taken) << told(taken);
    EXPECT_EQ(to_fs(taken->file_path), dir / "elsewhere" / "x.db");
}

TEST_F(Execute, handler_runs_on_its_own_executor) {
    open();
    let_begin();
    boost::asio::strand<boost::asio::io_context::executor_type> strand(context().get_executor());
    std::promise<bool> on_strand;
    execute_backup_async(ConnectionManager::instance(), "", boost::asio::bind_executor(strand, [&](Outcome) {
                             on_strand.set_value(strand.running_in_this_thread());
                         }));
    EXPECT_TRUE(on_strand.get_future().get());
}

TEST_F(Execute, other_completion_tokens_work) {
    open();
    let_begin();
    auto future = execute_backup_async(ConnectionManager::instance(), "token", boost::asio::use_future);
    const auto taken = future.get();
    EXPECT_TRUE(taken) << told(taken);
}

#if BOOST_ASIO_VERSION >= 101900
TEST_F(Execute, slot_cancels_the_backup_whatever_the_type) {
    open();
    using boost::asio::cancellation_type;
    for (const auto type : {cancellation_type::terminal, cancellation_type::partial, cancellation_type::total}) {
        boost::asio::cancellation_signal signal;
        std::promise<Outcome> outcome;
        execute_backup_async(ConnectionManager::instance(), "",
                             boost::asio::bind_cancellation_slot(signal.slot(), tell(outcome)));
        signal.emit(type);
        expect_cancelled(outcome.get_future().get());
    }
    EXPECT_TRUE(list_dir(backups).empty());
}
#endif

TEST_F(Execute, shutdown_of_the_pool_cancels_the_backup_and_destroys_the_handler) {
    open();
    const auto witness = std::make_shared<int>();
    std::atomic<bool> called{false};
    execute_backup_async(ConnectionManager::instance(), "late", [witness, &called](Outcome) { called = true; });
    EXPECT_EQ(witness.use_count(), 2);
    close();
    EXPECT_EQ(witness.use_count(), 1);
    EXPECT_FALSE(called);
    let_begin();
    EXPECT_TRUE(wait_until([] { return lb::jobs().empty(); }));
    EXPECT_TRUE(list_dir(backups).empty());
    open();
    EXPECT_TRUE(manager->create_backup("late")) << "the name is free again";
}

/// The pool has no threads: its io_context runs when the test says so.
class ExecuteByHand : public Execute {
protected:
    void SetUp() override {
        Execute::SetUp();
        DatabaseConfig::instance().set_thread_pool_size(0);
    }
    void TearDown() override {
        DatabaseConfig::instance().set_thread_pool_size(4);
        Execute::TearDown();
    }
    void wait_for_the_end_of_all_jobs() {
        ASSERT_TRUE(wait_until([] { return lb::jobs().empty(); }));
    }
};

TEST_F(ExecuteByHand, context_that_is_stopped_calls_the_handler_when_it_runs_again) {
    open();
    std::optional<Outcome> outcome;
    execute_backup_async(ConnectionManager::instance(), "patient", [&](Outcome taken) {
        outcome = std::move(taken);
        context().stop();
    });
    context().stop();
    EXPECT_EQ(context().run(), 0U);
    let_begin();
    wait_for_the_end_of_all_jobs();
    EXPECT_TRUE(fs::exists(backups / "patient.db.zst"));
    EXPECT_FALSE(outcome);
    context().restart();
    context().run();
    ASSERT_TRUE(outcome);
    EXPECT_TRUE(*outcome) << told(*outcome);
}

TEST_F(ExecuteByHand, backup_that_ended_while_the_context_stood_is_dropped_with_it) {
    open();
    const auto witness = std::make_shared<int>();
    execute_backup_async(ConnectionManager::instance(), "unheard", [witness](Outcome) { ADD_FAILURE(); });
    let_begin();
    wait_for_the_end_of_all_jobs();
    close();
    EXPECT_EQ(witness.use_count(), 1);
    EXPECT_TRUE(fs::exists(backups / "unheard.db.zst"));
}

TEST_F(ExecuteByHand, outstanding_backup_keeps_run_from_returning) {
    boost::asio::io_context alone;  // the pool's has other work, too
    std::optional<Outcome> outcome;
    backup_detail::execute(alone, live, backups, {}, "alone", [&](Outcome taken) { outcome = std::move(taken); });
    std::thread pull([&] {
        // Not before `run` has had something to do.
        std::promise<void> ran;
        boost::asio::post(alone, [&] { ran.set_value(); });
        ran.get_future().get();
        let_begin();
    });
    alone.run();
    pull.join();
    ASSERT_TRUE(outcome);
    EXPECT_TRUE(*outcome) << told(*outcome);
}

TEST_F(ExecuteByHand, exception_in_the_handler_leaves_run_and_harms_nothing) {
    open();
    let_begin();
    execute_backup_async(ConnectionManager::instance(), "throws",
                         [](Outcome) { throw std::runtime_error("a defect"); });
    EXPECT_THROW(context().run(), std::runtime_error);
    EXPECT_TRUE(fs::exists(backups / "throws.db.zst"));
    std::optional<Outcome> outcome;
    execute_backup_async(ConnectionManager::instance(), "works", [&](Outcome taken) {
        outcome = std::move(taken);
        context().stop();
    });
    context().run();
    ASSERT_TRUE(outcome);
    EXPECT_TRUE(*outcome) << told(*outcome);
}

TEST_F(Execute, handler_may_start_and_cancel_others) {
    open();
    auto other = manager->start_backup("other");
    std::promise<Outcome> outcome;
    execute_backup_async(ConnectionManager::instance(), "first", [&](Outcome) {
        execute_backup_async(ConnectionManager::instance(), "second", tell(outcome));
    });
    std::promise<bool> cancelled;
    boost::asio::post(context(), [&] { cancelled.set_value(manager->cancel_backup(other.backup_id)); });
    EXPECT_TRUE(cancelled.get_future().get());
    let_begin();
    const auto taken = outcome.get_future().get();
    EXPECT_TRUE(taken) << told(taken);
    expect_cancelled(other.result.get());
}

}  // namespace
