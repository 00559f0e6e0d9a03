// Another process that writes all the time while its database is restored under it: every commit that it was told of is
// there afterwards, or in what keep_previous kept. SPDX-License-Identifier: MIT OR Apache-2.0

#include "fixture.hpp"
#include "support/statement.hpp"

#include <sys/mman.h>
#include <sys/prctl.h>

#include <atomic>

using namespace lbtest;

namespace {

constexpr std::int64_t cells = 400;

/// The cell that transaction n writes to.
std::int64_t cell_of(std::int64_t n) { return n * 7919 % cells + 1; }

/// A process with a connection of its own. Its transaction n adds n to the log, sets the last number and overwrites a cell.
class Writer {
public:
    explicit Writer(const fs::path &database) {
        void *memory = ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) fail_errno("mmap");
        shared_ = new (memory) Shared;
        std::fflush(nullptr);
        child_ = ::fork();
        if (child_ < 0) fail_errno("fork");
        if (child_ == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            ::_exit(work(database));
        }
    }
    Writer(const Writer &) = delete;
    Writer &operator=(const Writer &) = delete;
    ~Writer() {
        stop();
        ::munmap(shared_, sizeof(Shared));
    }

    /// The last transaction of which SQLite has said that it is committed.
    std::int64_t acknowledged() const { return shared_->acknowledged; }
    /// Of two more, one at least was begun after this call.
    void wait_for_more(int transactions) const {
        const auto wanted = acknowledged() + transactions;
        if (!wait_until([&] { return acknowledged() >= wanted || shared_->failed != 0; }) || shared_->failed != 0)
            fail("the writer stands still: " + std::string(sqlite3_errstr(shared_->failed)));
    }
    void stop() {
        if (child_ == 0) return;
        shared_->stop = true;
        int status = 0;
        ::waitpid(std::exchange(child_, 0), &status, 0);
        EXPECT_EQ(status, 0) << "the writer failed: " << sqlite3_errstr(shared_->failed);
    }

private:
    struct Shared {
        std::atomic<std::int64_t> acknowledged{0};
        std::atomic<int> failed{0};
        std::atomic<bool> stop{false};
    };

    int work(const fs::path &database) {
        try {
            Db db(database);
            sqlite3_busy_timeout(db.handle(), 60'000);
            db.exec("PRAGMA synchronous = OFF");
            Statement log(db.handle(), "INSERT INTO log VALUES(?1)"), last(db.handle(), "UPDATE last SET n = ?1"),
                cell(db.handle(), "UPDATE cells SET n = ?1 WHERE id = ?2");
            for (std::int64_t n = 1; !shared_->stop; ++n) {
                db.exec("BEGIN IMMEDIATE");
                log.bind(n).run();
                last.bind(n).run();
                cell.bind(n, cell_of(n)).run();
                db.exec("COMMIT");
                shared_->acknowledged = n;
                std::this_thread::sleep_for(std::chrono::milliseconds(1));  // a busy host, and not a lock that is held
            }
            return 0;
        } catch (const std::exception &thrown) {
            std::fprintf(stderr, "the writer: %s\n", thrown.what());
            shared_->failed = SQLITE_ERROR;
            return 1;
        }
    }

    Shared *shared_ = nullptr;
    pid_t child_ = 0;
};

/// The transactions that a database holds, from the one after `first` to `last`; the rest of it is as it was made.
struct Held {
    std::int64_t first = 0, last = 0;
};

class Writers : public ::testing::TestWithParam<const char *> {
protected:
    void SetUp() override {
        make("archived", dir / "archived.db");
        auto wanted = options();
        wanted.chunk_size = 65536;
        expect_ok(backup(dir / "archived.db", archive, wanted));
        expect_ok(backup(dir / "archived.db", dir / "archive.db"));
        gzip(dir / "archive.db", dir / "archive.db.gz");
        make("live", live);
    }

    static void make(const std::string &text, const fs::path &path, int page_size = 4096) {
        Db db(path);
        db.exec("PRAGMA page_size = " + std::to_string(page_size) +
                "; PRAGMA synchronous = OFF; PRAGMA journal_mode = " + std::string(GetParam()) +
                ";CREATE TABLE log(n INTEGER PRIMARY KEY); CREATE TABLE last(n); INSERT INTO last VALUES(0);"
                "CREATE TABLE cells(id INTEGER PRIMARY KEY, n INTEGER, text TEXT); CREATE INDEX by_n ON cells(n);"
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " +
                std::to_string(cells) +
                ")"
                " INSERT INTO cells SELECT i, 0, '" +
                text + "' || printf('%.*c', 1000, 'x') FROM n");
    }

    /// In one transaction, which the writer goes on beside.
    static Held held(Db &db, const std::string &text) {
        Held found;
        db.exec("BEGIN");
        EXPECT_EQ(db.text("PRAGMA integrity_check"), "ok");
        found.last = db.scalar("SELECT n FROM last");
        const auto count = db.scalar("SELECT count(*) FROM log");
        found.first = found.last - count;
        EXPECT_EQ(db.scalar("SELECT count(*) FROM cells WHERE text LIKE '" + text + "x%'"), cells);
        if (count > 0) {
            EXPECT_EQ(db.scalar("SELECT min(n) FROM log"), found.first + 1);
            EXPECT_EQ(db.scalar("SELECT max(n) FROM log"), found.last);
        }
        std::vector<std::int64_t> expected(cells + 1, 0);
        for (auto n = found.first + 1; n <= found.last; ++n) expected[static_cast<std::size_t>(cell_of(n))] = n;
        db.rows("SELECT id, n FROM cells", [&](sqlite3_stmt *row) {
            EXPECT_EQ(sqlite3_column_int64(row, 1), expected[static_cast<std::size_t>(sqlite3_column_int64(row, 0))]);
        });
        db.exec("COMMIT");
        return found;
    }

    static lb_restore_options patient() {
        auto wanted = replacing();
        wanted.busy_timeout_ms = 60'000;
        return wanted;
    }

    TempDir dir;
    const fs::path live = dir / "live.db", archive = dir / "archive.db.zst";
};

INSTANTIATE_TEST_SUITE_P(Modes, Writers, ::testing::Values("WAL", "DELETE"),
                         [](const auto &tested) { return std::string(tested.param); });

TEST_P(Writers, goes_on_through_50_restores_and_each_has_the_archive_and_what_came_after_it) {
    auto random = printed_random(50);
    Writer writer(live);
    Db host(live);
    sqlite3_busy_timeout(host.handle(), 60'000);
    const fs::path from[] = {archive, dir / "archive.db", dir / "archive.db.gz"};
    for (int round = 0; round < 50; ++round) {
        SCOPED_TRACE("round " + std::to_string(round));
        writer.wait_for_more(std::uniform_int_distribution<>(0, 20)(random));
        const auto before = writer.acknowledged();
        expect_ok(restore(from[round % 3], live, patient()));
        writer.wait_for_more(2);
        const auto after = writer.acknowledged();
        const auto found = held(host, "archived");
        EXPECT_GE(found.first, before) << "what was committed before is gone";
        EXPECT_LT(found.first, found.last);
        EXPECT_GE(found.last, after) << "what was committed afterwards is there";
        ASSERT_FALSE(HasFailure());
    }
    writer.stop();
    EXPECT_EQ(integrity_check(live), "ok");
}

TEST_P(Writers, every_commit_is_in_what_was_kept_or_came_after_the_restore) {
    auto random = printed_random(51);
    Writer writer(live);
    Db host(live);
    sqlite3_busy_timeout(host.handle(), 60'000);
    std::string text = "live";
    std::int64_t first = 0;
    for (int round = 0; round < 12; ++round) {
        SCOPED_TRACE("round " + std::to_string(round));
        writer.wait_for_more(std::uniform_int_distribution<>(1, 20)(random));
        const auto kept = dir / ("kept" + std::to_string(round) + (round % 2 == 0 ? ".db" : ".db.zst"));
        const auto path = kept.string();
        auto wanted = patient();
        wanted.keep_previous = path.c_str();
        const auto before = writer.acknowledged();
        expect_ok(restore(archive, live, wanted));
        writer.wait_for_more(2);
        const auto after = writer.acknowledged();

        expect_ok(verify(kept, full()));
        Db previous(plain_image(kept));
        const auto old = held(previous, text);
        const auto now = held(host, "archived");
        EXPECT_EQ(old.first, first);
        EXPECT_GE(old.last, before);
        EXPECT_EQ(now.first, old.last) << "one follows the other without a gap";
        EXPECT_GE(now.last, after);
        first = now.first;
        text = "archived";
        ASSERT_FALSE(HasFailure());
    }
}

class RollbackWriters : public Writers {};
INSTANTIATE_TEST_SUITE_P(Modes, RollbackWriters, ::testing::Values("DELETE"),
                         [](const auto &tested) { return std::string(tested.param); });

/// Then everything is replaced, by other means: between what is kept and what is restored there must be no gap either.
TEST_P(RollbackWriters, every_commit_is_in_what_was_kept_also_where_the_pages_change) {
    make("archived", dir / "other_pages.db", 1024);
    expect_ok(backup(dir / "other_pages.db", dir / "other_pages.db.zst"));
    Writer writer(live);
    Db host(live);
    sqlite3_busy_timeout(host.handle(), 60'000);
    std::string text = "live";
    std::int64_t first = 0;
    for (int round = 0; round < 40; ++round) {
        SCOPED_TRACE("round " + std::to_string(round));
        writer.wait_for_more(2);
        const auto kept = dir / ("kept" + std::to_string(round) + ".db");
        const auto path = kept.string();
        auto wanted = patient();
        wanted.keep_previous = path.c_str();
        expect_ok(restore(round % 2 == 0 ? dir / "other_pages.db.zst" : archive, live, wanted));
        writer.wait_for_more(2);
        Db previous(kept);
        const auto old = held(previous, text);
        const auto now = held(host, "archived");
        EXPECT_EQ(old.first, first);
        EXPECT_EQ(now.first, old.last);
        text = "archived";
        first = now.first;
        ASSERT_FALSE(HasFailure());
    }
}

/// A plain database as the backup file.
class WrittenSources : public Writers {};
INSTANTIATE_TEST_SUITE_P(Modes, WrittenSources, ::testing::Values("WAL", "DELETE", "TRUNCATE", "PERSIST"),
                         [](const auto &tested) { return std::string(tested.param); });

TEST_P(WrittenSources, are_verified_and_restored_from_with_whole_transactions_only) {
    Writer writer(live);
    const auto copy = dir / "copy.db", other = dir / "other.db";
    make("other", other);
    Db host(other);
    sqlite3_busy_timeout(host.handle(), 60'000);
    auto wanted = restore_options();
    wanted.busy_timeout_ms = 60'000;
    for (int round = 0; round < 20; ++round) {
        SCOPED_TRACE("round " + std::to_string(round));
        writer.wait_for_more(2);
        expect_ok(verify(live));
        auto before = writer.acknowledged();
        expect_ok(restore(live, copy, wanted));
        {
            Db restored(copy);
            EXPECT_GE(held(restored, "live").last, before);
        }
        remove_database(copy);
        before = writer.acknowledged();
        expect_ok(restore(live, other, patient()));
        EXPECT_GE(held(host, "live").last, before);
        ASSERT_FALSE(HasFailure());
    }
    writer.stop();
    EXPECT_EQ(integrity_check(live), "ok");
}

TEST_P(Writers, is_never_in_the_way_of_a_cancel_and_loses_nothing_by_it) {
    auto random = printed_random(52);
    Writer writer(live);
    Db host(live);
    sqlite3_busy_timeout(host.handle(), 60'000);
    std::int64_t first = 0;
    std::string text = "live";
    // Later after one that came in time, and earlier after one that did not: on any machine there are both.
    int in_time = 0, too_late = 0, latest = 300;
    const auto is_enough = [&](int rounds) { return rounds >= 20 && in_time > 0 && too_late > 0; };
    for (int round = 0; round < 200 && !is_enough(round); ++round) {
        SCOPED_TRACE("round " + std::to_string(round));
        writer.wait_for_more(3);
        auto job = Job::start_restore(archive, live, patient());
        const auto turns = std::uniform_int_distribution<>(0, latest)(random);
        for (int turn = 0; turn < turns; ++turn) std::this_thread::yield();
        EXPECT_EQ(job.cancel(), LB_STATUS_OK);
        const auto outcome = job.join();
        writer.wait_for_more(2);
        const auto found = held(host, outcome.status == LB_STATUS_OK ? "archived" : text);
        if (outcome.status == LB_STATUS_OK) {
            text = "archived";
            EXPECT_GT(found.first, first);
            first = found.first;
            ++too_late;
            latest /= 2;
        } else {
            EXPECT_STREQ(lb_status_name(outcome.status), "LB_STATUS_CANCELLED") << outcome.message;
            EXPECT_EQ(found.first, first);
            ++in_time;
            latest = std::min(2 * latest + 1, 1 << 20);
        }
        ASSERT_FALSE(HasFailure());
    }
    std::cout << in_time << " were cancelled, " << too_late << " had ended" << std::endl;
    EXPECT_GT(in_time, 0);
    EXPECT_GT(too_late, 0);
}

}  // namespace
