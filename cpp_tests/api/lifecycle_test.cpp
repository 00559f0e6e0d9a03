// A job from start to join, and what is told of it. SPDX-License-Identifier: MIT OR Apache-2.0

#include "fixture.hpp"

#include <atomic>
#include <regex>
#include <set>

using namespace lbtest;

namespace {

constexpr std::uint32_t for_ever = 0xFFFFFFFF;

// ------------------------------------------------------------------------------------------------- names and versions

const int unknown_statuses[] = {22, 23, 100, -1, 0x7FFFFFFF, static_cast<int>(0x80000000U)};

TEST(Names, every_status_has_its_own_and_others_are_unknown) {
    const std::pair<lb_status, const char *> names[] = {
        {LB_STATUS_OK, "LB_STATUS_OK"},
        {LB_STATUS_INVALID_ARGUMENT, "LB_STATUS_INVALID_ARGUMENT"},
        {LB_STATUS_INVALID_HANDLE, "LB_STATUS_INVALID_HANDLE"},
        {LB_STATUS_NOT_FOUND, "LB_STATUS_NOT_FOUND"},
        {LB_STATUS_ALREADY_EXISTS, "LB_STATUS_ALREADY_EXISTS"},
        {LB_STATUS_PERMISSION_DENIED, "LB_STATUS_PERMISSION_DENIED"},
        {LB_STATUS_NOT_A_DATABASE, "LB_STATUS_NOT_A_DATABASE"},
        {LB_STATUS_CORRUPT, "LB_STATUS_CORRUPT"},
        {LB_STATUS_BUSY, "LB_STATUS_BUSY"},
        {LB_STATUS_NO_SPACE, "LB_STATUS_NO_SPACE"},
        {LB_STATUS_IO, "LB_STATUS_IO"},
        {LB_STATUS_CANCELLED, "LB_STATUS_CANCELLED"},
        {LB_STATUS_TIMED_OUT, "LB_STATUS_TIMED_OUT"},
        {LB_STATUS_QUEUE_FULL, "LB_STATUS_QUEUE_FULL"},
        {LB_STATUS_SOURCE_CHANGED, "LB_STATUS_SOURCE_CHANGED"},
        {LB_STATUS_WAL_LIMIT, "LB_STATUS_WAL_LIMIT"},
        {LB_STATUS_UNSUPPORTED, "LB_STATUS_UNSUPPORTED"},
        {LB_STATUS_OUT_OF_MEMORY, "LB_STATUS_OUT_OF_MEMORY"},
        {LB_STATUS_WRONG_PROCESS, "LB_STATUS_WRONG_PROCESS"},
        {LB_STATUS_WOULD_DEADLOCK, "LB_STATUS_WOULD_DEADLOCK"},
        {LB_STATUS_SHUT_DOWN, "LB_STATUS_SHUT_DOWN"},
        {LB_STATUS_INTERNAL, "LB_STATUS_INTERNAL"},
    };
    for (std::size_t value = 0; value < std::size(names); ++value) {
        EXPECT_EQ(names[value].first, static_cast<lb_status>(value)) << "the values are frozen";
        EXPECT_STREQ(lb_status_name(names[value].first), names[value].second);
    }
    for (const int unknown : unknown_statuses)
        EXPECT_STREQ(lb_status_name(static_cast<lb_status>(unknown)), "LB_STATUS_UNKNOWN") << unknown;
}

TEST(Messages, every_status_has_its_own_that_fits_after_the_name_of_an_operation) {
    std::set<std::string> seen;
    for (int value = LB_STATUS_OK; value <= LB_STATUS_INTERNAL; ++value) {
        const auto status = static_cast<lb_status>(value);
        const std::string message = lb_status_message(status);
        SCOPED_TRACE(message);
        EXPECT_TRUE(std::regex_match(message, std::regex("[a-z][ -~]{8,}[^.]"))) << lb_status_name(status);
        EXPECT_TRUE(seen.insert(message).second) << "twice";
        EXPECT_EQ(lb_status_message(status), lb_status_message(status)) << "static";
    }
    for (const int unknown : unknown_statuses)
        EXPECT_STREQ(lb_status_message(static_cast<lb_status>(unknown)), "unknown status") << unknown;
}

TEST(Versions, tell_of_the_library_its_sqlite_and_its_zstandard) {
    const std::regex form(R"(\d+\.\d+\.\d+ \(sqlite 3\.\d+\.\d+, zstd 1\.\d+\.\d+\))");
    EXPECT_TRUE(std::regex_match(lb_version(), form)) << lb_version();
    EXPECT_EQ(lb_version(), lb_version()) << "static";
    EXPECT_EQ(lb_abi_version(), std::uint32_t{LB_ABI_VERSION});
}

// ------------------------------------------------------------------------------------------------------------ results

class Result : public CleanTest, public ::testing::WithParamInterface<Kind> {
protected:
    DatabaseOptions database() const override { return sizable(GetParam().journal_mode); }
    void TearDown() override {
        fs::remove(dest);
        CleanTest::TearDown();
    }
    const fs::path dest = out / GetParam().dest;
    const bool compressed = dest.extension() == ".zst";
    const bool wal = GetParam().wal();
};

std::int64_t now_unix_ns() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
}

TEST_P(Result, tells_what_is_in_the_file_and_what_it_took) {
    const auto before = now_unix_ns();
    const auto outcome = backup(source, dest);
    const auto after = now_unix_ns();
    expect_ok(outcome);

    EXPECT_EQ(outcome.sqlite_code, 0);
    EXPECT_EQ(outcome.sys_errno, 0);
    EXPECT_EQ(outcome.format, std::uint32_t(compressed ? LB_FORMAT_ZSTD : LB_FORMAT_IMAGE));
    EXPECT_EQ(outcome.page_size, 4096U);
    EXPECT_EQ(outcome.pages, static_cast<std::uint64_t>(Db(source).scalar("PRAGMA page_count")));
    EXPECT_EQ(outcome.image_bytes, outcome.pages * outcome.page_size);
    EXPECT_EQ(outcome.archive_bytes, fs::file_size(dest));
    EXPECT_EQ(outcome.bytes_reused, 0U);
    if (compressed) {
        EXPECT_LT(outcome.archive_bytes, outcome.image_bytes * 3 / 4) << "half of it is one letter";
    } else {
        EXPECT_EQ(outcome.archive_bytes, outcome.image_bytes);
    }
    EXPECT_EQ(outcome.has_sha256, 1U);
    EXPECT_EQ(sha256_hex(outcome), sha256sum(dest));

    EXPECT_GE(outcome.start_unix_ns, before);
    EXPECT_GT(outcome.end_unix_ns, outcome.start_unix_ns);
    EXPECT_LE(outcome.end_unix_ns, after);
    const auto took = static_cast<std::uint64_t>(outcome.end_unix_ns - outcome.start_unix_ns);
    EXPECT_GT(outcome.reading_ns, 0U);
    EXPECT_GT(outcome.writing_ns, 0U);
    EXPECT_GT(outcome.syncing_ns, 0U);
    EXPECT_GT(outcome.verifying_ns, 0U) << "verified by default";
    EXPECT_EQ(outcome.compressing_ns > 0, compressed);
    for (const auto part : {outcome.waiting_ns, outcome.reading_ns, outcome.writing_ns, outcome.syncing_ns,
                            outcome.verifying_ns, outcome.source_lock_ns})
        EXPECT_LE(part, took);
    EXPECT_EQ(outcome.source_lock_ns > 0, !wal);
    EXPECT_EQ(outcome.wal_growth_bytes, 0U);
}

TEST_P(Result, without_digest_has_none) {
    auto wanted = options();
    wanted.digest = LB_DIGEST_NONE;
    const auto outcome = backup(source, dest, wanted);
    expect_ok(outcome);
    EXPECT_EQ(outcome.has_sha256, 0U);
    EXPECT_EQ(sha256_hex(outcome), std::string(64, '0'));
}

TEST_P(Result, is_sound_for_every_pair_of_verification_and_digest) {
    for (const std::uint32_t verify : {LB_VERIFY_QUICK, LB_VERIFY_FULL, LB_VERIFY_NONE})
        for (const std::uint32_t digest : {LB_DIGEST_SHA256, LB_DIGEST_NONE}) {
            auto wanted = options();
            wanted.verify = verify;
            wanted.digest = digest;
            expect_ok(backup(source, dest, wanted));
            const auto image = plain_image(dest);
            EXPECT_EQ(content_hash(image), content_hash(source));
            fs::remove(image);
            fs::remove(dest);
        }
}

TEST_P(Result, of_a_source_with_a_damaged_index_is_corrupt_when_fully_verified) {
    {
        Db host(source);  // the index is said to be on another column than the one it was built from
        host.exec("PRAGMA writable_schema = ON");
        host.exec("UPDATE sqlite_schema SET sql = 'CREATE INDEX moves_by_game ON moves(bid)' "
                  "WHERE name = 'moves_by_game'");
    }
    ASSERT_NE(integrity_check(source), "ok");

    auto wanted = options();
    wanted.verify = LB_VERIFY_FULL;
    expect_failed(backup(source, dest, wanted), LB_STATUS_CORRUPT, "moves_by_game");
    EXPECT_FALSE(fs::exists(dest));

    wanted.existing = LB_EXISTING_REPLACE;
    expect_failed(backup(source, earlier, wanted), LB_STATUS_CORRUPT, "moves_by_game");

    expect_ok(backup(source, dest));  // quick: a faithful copy of what is there
}

TEST_P(Result, format_can_be_said_instead_of_named) {
    auto wanted = options();
    wanted.format = compressed ? LB_FORMAT_IMAGE : LB_FORMAT_ZSTD;
    const auto outcome = backup(source, dest, wanted);
    expect_ok(outcome);
    EXPECT_EQ(outcome.format, wanted.format);
    const auto bytes = read_file(dest);
    EXPECT_EQ(bytes.compare(0, 15, "SQLite format 3") == 0, compressed);
    EXPECT_EQ(bytes.compare(0, 4, "\x28\xB5\x2F\xFD") == 0, !compressed);
}

INSTANTIATE_TEST_SUITE_P(Kinds, Result, every_kind(), name_of_kind);

// ----------------------------------------------------------------------------------------------------- wait and join

class Lifecycle : public CleanTest {
protected:
    DatabaseOptions database() const override { return sizable(); }
    void TearDown() override {
        for (const auto *name : {"new.db", "new.db.zst"}) fs::remove(out / name);
        CleanTest::TearDown();
    }
    const fs::path dest = out / "new.db";
};

TEST_F(Lifecycle, wait_of_zero_looks_and_a_short_one_times_out) {
    const auto job = Job::start(source, dest, throttled());
    EXPECT_EQ(job.wait(0), LB_STATUS_TIMED_OUT);
    const auto start = std::chrono::steady_clock::now();
    EXPECT_EQ(job.wait(50), LB_STATUS_TIMED_OUT);
    EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(50));
    EXPECT_EQ(job.set_rate(0), LB_STATUS_OK);
    EXPECT_EQ(job.wait(for_ever), LB_STATUS_OK);
    EXPECT_EQ(job.wait(0), LB_STATUS_OK) << "an ended job can be waited for again";
    EXPECT_EQ(job.progress().state, LB_JOB_STATE_SUCCEEDED);
}

TEST_F(Lifecycle, join_waits_for_the_end) {
    auto job = Job::start(source, dest);
    expect_ok(job.join());
    EXPECT_EQ(content_hash(dest), content_hash(source));
}

TEST_F(Lifecycle, of_many_threads_that_join_exactly_one_gets_the_outcome) {
    for (int round = 0; round < 20; ++round) {
        auto job = Job::start(source, dest);
        auto *const handle = job.forget();
        std::atomic<int> winners{0}, losers{0};
        std::vector<std::thread> threads;
        for (int i = 0; i < 8; ++i)
            threads.emplace_back([&] {
                auto outcome = result();
                const auto status = lb_backup_join(handle, &outcome);
                if (status == LB_STATUS_OK && outcome.pages > 0) ++winners;
                if (status == LB_STATUS_INVALID_HANDLE && outcome.pages == 0) ++losers;
            });
        for (auto &thread : threads) thread.join();
        EXPECT_EQ(winners, 1);
        EXPECT_EQ(losers, 7);
        fs::remove(dest);
    }
}

TEST_F(Lifecycle, waiters_in_many_threads_all_see_the_end) {
    auto job = Job::start(source, dest, throttled());
    std::atomic<int> ended{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i)
        threads.emplace_back([&] { ended += lb_backup_wait(job.get(), for_ever) == LB_STATUS_OK ? 1 : 0; });
    EXPECT_EQ(job.set_rate(0), LB_STATUS_OK);
    for (auto &thread : threads) thread.join();
    EXPECT_EQ(ended, 8);
    expect_ok(job.join());
}

TEST_F(Lifecycle, released_job_goes_on_to_its_end) {
    auto job = Job::start(source, dest);
    EXPECT_EQ(job.release(), LB_STATUS_OK);
    ASSERT_TRUE(wait_until([&] { return fs::exists(dest); }));
    EXPECT_EQ(content_hash(dest), content_hash(source));
}

// ---------------------------------------------------------------------------------------------------------- set_rate

TEST_F(Lifecycle, rate_holds_a_job_back_and_can_be_lifted) {
    const auto job = Job::start(source, dest, throttled());
    ASSERT_TRUE(wait_until_half_way(job));
    const auto seen = job.progress();
    EXPECT_LT(seen.bytes_done, seen.bytes_total / 2) << "8 MiB at 64 KiB a second";
    EXPECT_EQ(job.set_rate(0), LB_STATUS_OK);
    EXPECT_EQ(job.wait(for_ever), LB_STATUS_OK);
}

TEST_F(Lifecycle, rate_can_be_set_on_a_job_at_full_speed_and_on_an_ended_one) {
    const auto job = Job::start(source, dest);
    EXPECT_EQ(job.set_rate(1), LB_STATUS_OK);
    EXPECT_EQ(job.set_rate(0xFFFFFFFFFFFFFFFF), LB_STATUS_OK);
    EXPECT_EQ(job.wait(for_ever), LB_STATUS_OK);
    EXPECT_EQ(job.set_rate(1), LB_STATUS_OK);
}

TEST_F(Lifecycle, smallest_rate_can_be_lifted_at_once) {
    auto crawling = options();
    crawling.max_bytes_per_second = 1;
    for (const auto *name : {"new.db", "new.db.zst"}) {
        auto job = Job::start(source, out / name, crawling);
        ASSERT_TRUE(wait_until_half_way(job));
        EXPECT_EQ(job.set_rate(0), LB_STATUS_OK);
        expect_ok(job.join());
    }
}

TEST_F(Lifecycle, rate_never_holds_back_a_copy_that_writers_wait_for) {
    const auto rollback = dir / "rollback.db";
    make_database(rollback, sizable("DELETE"));
    auto crawling = options();
    crawling.max_bytes_per_second = 1;
    expect_ok(backup(rollback, out / "new.db", crawling));

    auto job = Job::start(rollback, out / "new.db.zst", crawling);
    ASSERT_TRUE(wait_until([&] { return job.progress().phase == LB_PHASE_COMPRESSING; }));
    Db(rollback).exec("UPDATE players SET rating = 7");
    EXPECT_EQ(job.wait(0), LB_STATUS_TIMED_OUT) << "what comes after the copy is held back";
    EXPECT_EQ(job.set_rate(0), LB_STATUS_OK);
    expect_ok(job.join());
}

// -------------------------------------------------------------------------------------------------------------- jobs

TEST_F(Lifecycle, jobs_lists_open_handles_with_what_belongs_to_them) {
    int first_tag = 0, second_tag = 0;
    auto wanted = throttled();
    wanted.user_data = &first_tag;
    auto first = Job::start(source, out / "new.db", wanted);
    wanted.user_data = &second_tag;
    auto second = Job::start(source, out / "new.db.zst", wanted);

    std::size_t count = 0;
    EXPECT_EQ(lb_backup_jobs(nullptr, 0, &count), LB_STATUS_OK);
    EXPECT_EQ(count, 2U);

    lb_job_info infos[4] = {job_info(), {}, {}, {}};  // the first element's size holds for all
    EXPECT_EQ(lb_backup_jobs(infos, 4, &count), LB_STATUS_OK);
    ASSERT_EQ(count, 2U);
    if (infos[0].job != first.get()) std::swap(infos[0], infos[1]);
    EXPECT_EQ(infos[0].job, first.get());
    EXPECT_EQ(infos[0].user_data, &first_tag);
    EXPECT_STREQ(infos[0].dest_name, "new.db");
    EXPECT_EQ(infos[1].job, second.get());
    EXPECT_EQ(infos[1].user_data, &second_tag);
    EXPECT_STREQ(infos[1].dest_name, "new.db.zst");
    for (const auto &info : {infos[0], infos[1]}) {
        EXPECT_LE(info.state, LB_JOB_STATE_RUNNING);
        EXPECT_LE(info.bytes_done, info.bytes_total);
        EXPECT_LT(info.percent, 100.0);
    }
    EXPECT_EQ(infos[2].job, nullptr) << "no more than there are";

    lb_job_info one = job_info();
    EXPECT_EQ(lb_backup_jobs(&one, 1, &count), LB_STATUS_OK);
    EXPECT_EQ(count, 2U) << "tells that there are more";
    EXPECT_TRUE(one.job == first.get() || one.job == second.get());

    first.cancel();
    first.join();
    EXPECT_EQ(lb_backup_jobs(&one, 1, &count), LB_STATUS_OK);
    EXPECT_EQ(count, 1U);
    EXPECT_EQ(one.job, second.get());

    second.cancel();
    EXPECT_EQ(second.wait(for_ever), LB_STATUS_OK);
    EXPECT_EQ(lb_backup_jobs(&one, 1, &count), LB_STATUS_OK);
    EXPECT_EQ(count, 1U) << "ended, but its handle is open";
    EXPECT_EQ(one.state, LB_JOB_STATE_CANCELLED);
    second.join();
    EXPECT_EQ(lb_backup_jobs(nullptr, 0, &count), LB_STATUS_OK);
    EXPECT_EQ(count, 0U);
}

TEST_F(Lifecycle, longest_file_name_fits_the_list) {
    const std::string name(255, 'n');
    auto job = Job::start(source, out / name, throttled());
    auto info = job_info();
    std::size_t count = 0;
    EXPECT_EQ(lb_backup_jobs(&info, 1, &count), LB_STATUS_OK);
    EXPECT_EQ(info.dest_name, name);
    job.cancel();
    EXPECT_EQ(job.join().status, LB_STATUS_CANCELLED);
}

// ------------------------------------------------------------------------------------------- configure and shutdown

/// Of all threads of this process.
std::chrono::nanoseconds processor_time() {
    timespec time{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

class Runtime : public ApiTest {
protected:
    void SetUp() override {
        ApiTest::SetUp();
        ASSERT_EQ(lb_shutdown(60'000), LB_STATUS_OK);
    }
    void TearDown() override {
        EXPECT_EQ(lb_shutdown(60'000), LB_STATUS_OK);
        EXPECT_EQ(lb_configure(nullptr, nullptr), LB_STATUS_OK);
    }
};

TEST_F(Runtime, configure_is_for_before_the_first_job_and_for_after_shutdown) {
    auto wanted = config();
    wanted.workers = 1;
    wanted.priority = LB_PRIORITY_NORMAL;
    EXPECT_EQ(lb_configure(&wanted, nullptr), LB_STATUS_OK);
    EXPECT_EQ(lb_configure(&wanted, nullptr), LB_STATUS_OK) << "as often as one likes";
    expect_ok(backup(source, out / "1.db"));

    auto why = error();
    EXPECT_EQ(lb_configure(&wanted, &why), LB_STATUS_BUSY);
    EXPECT_EQ(why.status, LB_STATUS_BUSY);
    EXPECT_STRNE(why.message, "");
    EXPECT_EQ(lb_configure(nullptr, nullptr), LB_STATUS_BUSY);

    EXPECT_EQ(lb_shutdown(60'000), LB_STATUS_OK);
    EXPECT_EQ(lb_configure(&wanted, nullptr), LB_STATUS_OK);
    expect_ok(backup(source, out / "2.db.zst"));
}

TEST_F(Runtime, time_spent_compressing_is_of_processors_whatever_number_of_threads_share_them) {
    auto wanted = config();
    wanted.workers = 8 * std::max(std::thread::hardware_concurrency(), 1U);
    wanted.priority = LB_PRIORITY_NORMAL;
    ASSERT_EQ(lb_configure(&wanted, nullptr), LB_STATUS_OK);
    Db(source).exec("CREATE TABLE digits AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 2000) "
                    "SELECT hex(randomblob(1000)) FROM n");
    auto slow = options();
    slow.compression_level = 19;
    slow.chunk_size = 64 << 10;
    const auto before = processor_time();
    const auto outcome = backup(source, out / "1.db.zst", slow);
    const auto used = processor_time() - before;
    expect_ok(outcome);
    EXPECT_GT(outcome.compressing_ns, 0U);
    EXPECT_LE(std::chrono::nanoseconds(outcome.compressing_ns), used);
}

TEST_F(Runtime, shutdown_of_what_does_not_run_refuses_nobody) {
    std::atomic<bool> is_over{false};
    std::thread other([&] {
        while (!is_over) EXPECT_EQ(lb_shutdown(0), LB_STATUS_OK);
    });
    int refused = 0;
    for (int i = 0; i < 100'000; ++i) refused += lb_configure(nullptr, nullptr) == LB_STATUS_OK ? 0 : 1;
    is_over = true;
    other.join();
    EXPECT_EQ(refused, 0);
}

TEST_F(Runtime, shutdown_of_what_never_ran_is_fine) {
    EXPECT_EQ(lb_shutdown(0), LB_STATUS_OK);
    EXPECT_EQ(lb_shutdown(for_ever), LB_STATUS_OK);
}

TEST_F(Runtime, shutdown_cancels_what_runs_and_what_waits_and_handles_stay_valid) {
    auto one_at_a_time = config();
    one_at_a_time.max_concurrent_jobs = 1;
    ASSERT_EQ(lb_configure(&one_at_a_time, nullptr), LB_STATUS_OK);
    auto running = Job::start(source, out / "1.db", throttled());
    ASSERT_TRUE(wait_until_half_way(running));
    auto waiting = Job::start(source, out / "2.db.zst");
    EXPECT_EQ(lb_shutdown(60'000), LB_STATUS_OK);

    EXPECT_EQ(running.progress().state, LB_JOB_STATE_CANCELLED);
    EXPECT_EQ(running.wait(0), LB_STATUS_OK);
    EXPECT_EQ(running.join().status, LB_STATUS_CANCELLED);
    EXPECT_EQ(waiting.join().status, LB_STATUS_CANCELLED);
    EXPECT_TRUE(list_dir(out).empty());
    expect_ok(backup(source, out / "3.db"));
}

TEST_F(Runtime, shutdown_ends_every_thread_and_closes_every_descriptor) {
    const auto threads = count_threads();
    const auto descriptors = count_fds_everywhere();
    for (int round = 0; round < 10; ++round) {
        expect_ok(backup(source, out / "new.db"));
        fs::remove(out / "new.db");
        EXPECT_EQ(lb_shutdown(60'000), LB_STATUS_OK);
        EXPECT_TRUE(wait_until([&] { return count_threads() == threads; })) << count_threads();
        EXPECT_EQ(count_fds_everywhere(), descriptors);
    }
}

TEST_F(Runtime, every_configuration_of_threads_makes_the_same_backup) {
    for (const std::uint32_t workers : {1U, 2U, 7U, 64U}) {
        auto wanted = config();
        wanted.workers = workers;
        wanted.max_concurrent_jobs = workers;
        ASSERT_EQ(lb_configure(&wanted, nullptr), LB_STATUS_OK);
        expect_ok(backup(source, out / "new.db.zst"));
        EXPECT_EQ(content_hash(plain_image(out / "new.db.zst")), content_hash(source));
        fs::remove(out / "new.db.zst");
        ASSERT_EQ(lb_shutdown(60'000), LB_STATUS_OK);
    }
}

}  // namespace
