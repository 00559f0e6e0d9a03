// A destination that is laid out in another way than the archive: other pages, another text encoding, another
// auto_vacuum mode. It can only be changed as a whole, and not under the eyes of others.
// SPDX-License-Identifier: MIT OR Apache-2.0

#include "fixture.hpp"

#include <sys/prctl.h>

#include <csignal>

using namespace lbtest;

namespace {

struct Shape {
    int page_size = 4096;
    std::string encoding = "UTF-8";
    std::string auto_vacuum = "NONE";
    std::string told;  // how a message tells of it
};

void make(const fs::path &path, const Shape &shape, const std::string &journal_mode, const std::string &text) {
    remove_database(path);
    Db db(path);
    db.exec("PRAGMA synchronous = OFF; PRAGMA page_size = " + std::to_string(shape.page_size) +
            "; PRAGMA encoding = '" + shape.encoding + "'; PRAGMA auto_vacuum = " + shape.auto_vacuum +
            "; PRAGMA journal_mode = " + journal_mode +
            "; CREATE TABLE t(a INTEGER PRIMARY KEY, b); CREATE INDEX i ON t(b);"
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)"
            " INSERT INTO t SELECT i, printf('" +
            text + " %d', i) FROM n; DELETE FROM t WHERE a % 5 = 0");
}

/// Every other shape, against that of `Shape{}`.
const std::vector<Shape> &others() {
    static const std::vector<Shape> shapes = {
        {512, "UTF-8", "NONE", "page size 512"},
        {1024, "UTF-8", "NONE", "page size 1024"},
        {65536, "UTF-8", "NONE", "page size 65536"},
        {4096, "UTF-16le", "NONE", "UTF-16le"},
        {4096, "UTF-16be", "NONE", "UTF-16be"},
        {4096, "UTF-8", "FULL", "auto_vacuum full"},
        {4096, "UTF-8", "INCREMENTAL", "auto_vacuum incremental"},
        {8192, "UTF-16le", "INCREMENTAL", "page size 8192, UTF-16le, auto_vacuum incremental"},
    };
    return shapes;
}

class Layout : public ::testing::TestWithParam<const char *> {
protected:
    /// An archive of each kind with this shape.
    void archive(const Shape &shape, const std::string &journal_mode = GetParam()) {
        make(dir / "theirs.db", shape, journal_mode, "archived");
        for (const auto *name : {"a.db", "a.db.zst"}) {
            auto wanted = options();
            wanted.existing = LB_EXISTING_REPLACE;
            wanted.chunk_size = 65536;
            expect_ok(backup(dir / "theirs.db", dir / name, wanted));
        }
        archived = content_hash(dir / "theirs.db");
    }
    std::vector<fs::path> archives() const { return {dir / "a.db", dir / "a.db.zst"}; }

    void expect_archived_with(const Shape &shape) {
        Db host(live);
        EXPECT_EQ(content_hash(host), archived);
        EXPECT_EQ(host.text("PRAGMA integrity_check"), "ok");
        EXPECT_EQ(host.scalar("PRAGMA page_size"), shape.page_size);
        EXPECT_EQ(host.text("PRAGMA encoding"), shape.encoding);
        EXPECT_EQ(host.scalar("PRAGMA auto_vacuum"), shape.auto_vacuum == "NONE"   ? 0
                                                     : shape.auto_vacuum == "FULL" ? 1
                                                                                   : 2);
        EXPECT_EQ(host.text("PRAGMA journal_mode"), GetParam() == std::string("WAL") ? "wal" : "delete");
        host.exec("INSERT INTO t VALUES(100000, 'goes on')");
        EXPECT_EQ(host.text("PRAGMA integrity_check"), "ok");
    }

    /// `change` does something to the plain archive while a restore, which has looked at it, waits for the destination.
    template <class Change> void expect_source_changed(std::uint32_t verify, Change change) {
        make(live, Shape{}, GetParam(), "live");
        Db host(live);
        const auto before = content_hash(host);
        host.exec("BEGIN IMMEDIATE");
        auto patient = replacing();
        patient.busy_timeout_ms = 600'000;
        patient.verify = verify;
        auto job = Job::start_restore(dir / "a.db", live, patient);
        ASSERT_TRUE(wait_until([&] { return job.progress().retries > 0; }));
        change();
        host.close();
        expect_failed(job.join(), LB_STATUS_SOURCE_CHANGED, (dir / "a.db").string());
        EXPECT_EQ(content_hash(live), before);
        EXPECT_EQ(Db(live).text("PRAGMA journal_mode"), GetParam() == std::string("WAL") ? "wal" : "delete");
    }

    TempDir dir;
    const fs::path live = dir / "live.db";
    std::uint64_t archived = 0;
};

INSTANTIATE_TEST_SUITE_P(Modes, Layout, ::testing::Values("WAL", "DELETE"),
                         [](const auto &tested) { return std::string(tested.param); });

TEST_P(Layout, another_one_is_taken_over_where_nobody_else_has_it_open) {
    for (const auto &shape : others())
        for (const bool there : {false, true}) {  // the odd one is the archive's, or the destination's
            SCOPED_TRACE(shape.told + (there ? " in the archive" : " in the destination"));
            archive(there ? shape : Shape{});
            for (const auto &from : archives()) {
                make(live, there ? Shape{} : shape, GetParam(), "live");
                const auto inode = status_of(live).st_ino;
                ASSERT_EQ(::chmod(live.c_str(), 0640), 0);
                const std::string kept = (dir / "kept.db").string();
                const auto before = content_hash(live);
                auto wanted = replacing();
                wanted.keep_previous = kept.c_str();
                expect_ok(restore(from, live, wanted));
                expect_archived_with(there ? shape : Shape{});
                EXPECT_EQ(status_of(live).st_ino, inode);
                EXPECT_EQ(status_of(live).st_mode & 07777, 0640U);
                EXPECT_EQ(content_hash(kept), before);
                remove_database(kept);
                ASSERT_FALSE(HasFailure());
            }
        }
}

TEST_P(Layout, journal_mode_stays_whatever_that_of_the_archive_is) {
    for (const auto *theirs : {"WAL", "DELETE"})
        for (const auto &shape : {Shape{}, others()[1], others()[3]}) {
            SCOPED_TRACE(std::string(theirs) + " " + shape.told);
            archive(shape, theirs);
            for (const auto &from : archives()) {
                make(live, Shape{}, GetParam(), "live");
                expect_ok(restore(from, live, replacing()));
                expect_archived_with(shape);
            }
        }
}

TEST_P(Layout, same_one_is_changed_page_by_page_also_with_free_pages) {
    for (const auto &shape : others()) {
        SCOPED_TRACE(shape.told);
        archive(shape);
        for (const auto &from : archives()) {
            make(live, shape, GetParam(), "live");
            Db host(live);
            const bool moves = shape.auto_vacuum == "FULL";
            if (!moves) host.exec("DELETE FROM t WHERE a > 50");
            expect_ok(restore(from, live, replacing()));
            EXPECT_EQ(content_hash(host), archived);
            host.close();
            expect_archived_with(shape);
            ASSERT_FALSE(HasFailure());
        }
    }
}

/// A temporary file of the library's, which nobody else has there.
bool has_temporary(const fs::path &directory) {
    const auto below = fs::canonical(directory).string() + "/";  // as /proc has it
    std::error_code gone;  // threads may go while they are listed
    for (fs::directory_iterator task("/proc/self/task", gone), end; !gone && task != end; task.increment(gone))
        for (const auto &[number, target] : descriptors(task->path()))
            if (target.string().rfind(below, 0) == 0 && (target.string().find(" (deleted)") != std::string::npos ||
                                                         target.string().find(".lb_backup-") != std::string::npos))
                return true;
    return false;
}

/// At such a rate the image is never there, and who waited for a lock would wait for ever.
TEST_P(Layout, another_one_locks_nobody_out_while_the_image_is_made) {
    archive(others().front());
    for (const std::uint32_t verified : {LB_VERIFY_NONE, LB_VERIFY_FULL}) {
        const auto own = dir / std::to_string(verified);
        fs::create_directory(own);
        const auto slow = own / "live.db";
        make(slow, Shape{}, GetParam(), "live");
        const std::string kept = (dir / "kept.db").string();
        auto wanted = replacing();
        wanted.verify = verified;
        wanted.max_bytes_per_second = 1;
        wanted.keep_previous = kept.c_str();
        auto job = Job::start_restore(dir / "a.db.zst", slow, wanted);
        ASSERT_TRUE(wait_until([&] { return has_temporary(own); }));
        Db(slow).exec("INSERT INTO t VALUES(100000, 'not in the way')");
        const auto before = content_hash(slow);
        job.set_rate(0);
        expect_ok(job.join());
        EXPECT_EQ(content_hash(slow), archived);
        EXPECT_EQ(content_hash(kept), before);
        remove_database(kept);
    }
}

class OpenLayout : public Layout {};
INSTANTIATE_TEST_SUITE_P(Modes, OpenLayout, ::testing::Values("WAL"),
                         [](const auto &tested) { return std::string(tested.param); });

TEST_P(OpenLayout, bytes_reserved_on_each_page_are_told) {
    archive(Shape{});
    {
        Db reserving(live);
        int bytes = 8;
        ASSERT_EQ(sqlite3_file_control(reserving.handle(), "main", SQLITE_FCNTL_RESERVE_BYTES, &bytes), SQLITE_OK);
        reserving.exec("PRAGMA journal_mode = WAL; CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT)");
    }
    Db host(live);
    host.scalar("SELECT count(*) FROM t");
    for (const auto &from : archives())
        expect_failed(restore(from, live, replacing_soon()), LB_STATUS_BUSY, "8 bytes reserved on each page");
}

TEST_P(OpenLayout, empty_archive_is_busy_while_somebody_has_it_open) {
    write_file(dir / "empty.db", "");
    expect_ok(backup(dir / "empty.db", dir / "empty.db.zst"));
    make(live, Shape{}, GetParam(), "live");
    Db host(live);
    const auto before = content_hash(host);
    expect_failed(restore(dir / "empty.db.zst", live, replacing_soon()), LB_STATUS_BUSY, live.string());
    EXPECT_EQ(content_hash(host), before);
}

/// Its header tells no text encoding until there is a table, and SQLite takes that for UTF-8.
TEST_P(OpenLayout, one_without_a_table_is_that_of_another_in_utf_8) {
    const auto make_bare = [](const fs::path &path) {
        remove_database(path);
        Db(path).exec("PRAGMA journal_mode = WAL; PRAGMA user_version = 3");
        ASSERT_EQ(read_file(path).substr(56, 4), std::string(4, '\0'));
    };
    make_bare(dir / "bare.db");
    expect_ok(backup(dir / "bare.db", dir / "bare.db.zst"));
    make(live, Shape{}, GetParam(), "live");
    {
        Db host(live);
        host.scalar("SELECT count(*) FROM t");
        expect_ok(restore(dir / "bare.db.zst", live, replacing_soon()));
        EXPECT_EQ(host.scalar("PRAGMA user_version"), 3);
        EXPECT_EQ(host.scalar("SELECT count(*) FROM sqlite_master"), 0);
        host.exec("CREATE TABLE t(a)");
        EXPECT_EQ(host.text("PRAGMA integrity_check"), "ok");
    }
    archive(Shape{});
    make_bare(live);
    {
        Db host(live);
        EXPECT_EQ(host.scalar("PRAGMA user_version"), 3);
        expect_ok(restore(dir / "a.db.zst", live, replacing_soon()));
        EXPECT_EQ(content_hash(host), archived);
    }
    expect_archived_with(Shape{});
}

TEST_P(OpenLayout, another_one_is_busy_while_somebody_has_it_open_and_both_are_named) {
    for (const auto &shape : others()) {
        SCOPED_TRACE(shape.told);
        archive(shape);
        for (const auto &from : archives()) {
            make(live, Shape{}, GetParam(), "live");
            const auto before = content_hash(live);
            {
                Db host(live);
                host.scalar("SELECT count(*) FROM t");
                const auto refused = restore(from, live, replacing_soon());
                expect_failed(refused, LB_STATUS_BUSY, live.string());
                expect_failed(refused, LB_STATUS_BUSY, shape.told);
                expect_failed(refused, LB_STATUS_BUSY, "page size 4096, UTF-8, auto_vacuum none");
                EXPECT_EQ(content_hash(host), before);
                EXPECT_EQ(host.text("PRAGMA journal_mode"), "wal");
                host.exec("INSERT INTO t VALUES(100000, 'goes on')");
                host.exec("DELETE FROM t WHERE a = 100000");
            }
            {
                Outsider outsider(live);
                outsider.exec("SELECT count(*) FROM t");
                expect_failed(restore(from, live, replacing_soon()), LB_STATUS_BUSY, shape.told);
                outsider.exec("INSERT INTO t VALUES(100000, 'goes on'); DELETE FROM t WHERE a = 100000");
            }
            EXPECT_EQ(content_hash(live), before);
            auto patient = replacing();
            patient.busy_timeout_ms = 600'000;
            auto host = std::make_unique<Db>(live);
            host->scalar("SELECT count(*) FROM t");
            auto job = Job::start_restore(from, live, patient);
            ASSERT_TRUE(wait_until([&] { return job.progress().retries > 0; }));
            sqlite3_busy_timeout(host->handle(), 60'000);
            host->exec("INSERT INTO t VALUES(100001, 'not in the way')");
            Outsider(live).exec("SELECT count(*) FROM t");
            host.reset();
            expect_ok(job.join());
            expect_archived_with(shape);
            ASSERT_FALSE(HasFailure());
        }
    }
}

/// A process that opens a database, reads and closes it, again and again.
class Visitor {
public:
    explicit Visitor(const fs::path &database) : child_(::fork()) {
        if (child_ < 0) fail_errno("fork");
        if (child_ > 0) return;
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;) {
            sqlite3 *db = nullptr;
            sqlite3_open_v2(database.c_str(), &db, SQLITE_OPEN_READWRITE, nullptr);
            sqlite3_exec(db, "SELECT count(*) FROM t", nullptr, nullptr, nullptr);
            sqlite3_close_v2(db);
        }
    }
    Visitor(const Visitor &) = delete;
    Visitor &operator=(const Visitor &) = delete;
    ~Visitor() {
        ::kill(child_, SIGKILL);
        ::waitpid(child_, nullptr, 0);
    }

private:
    pid_t child_;
};

/// Whenever somebody comes: what is refused has changed nothing, and what is there has succeeded.
TEST_P(Layout, another_one_is_refused_or_restored_beside_somebody_who_comes_and_goes) {
    make(dir / "present.db", Shape{}, GetParam(), "live");
    const auto present = content_hash(dir / "present.db");
    archive(others().front(), GetParam() == std::string("WAL") ? "DELETE" : "WAL");
    int restored = 0;
    for (int round = 0; round < 15; ++round) {
        SCOPED_TRACE("round " + std::to_string(round));
        remove_database(live);
        fs::copy_file(dir / "present.db", live);
        lb_result outcome = result();
        {
            const Visitor visitor(live);
            outcome = restore(dir / "a.db.zst", live, replacing_soon(1000));
        }
        const bool succeeded = outcome.status == LB_STATUS_OK;
        if (!succeeded) expect_failed(outcome, LB_STATUS_BUSY, live.string());
        EXPECT_EQ(content_hash(live), succeeded ? archived : present) << outcome.message;
        EXPECT_EQ(integrity_check(live), "ok");
        restored += succeeded ? 1 : 0;
        ASSERT_FALSE(HasFailure());
    }
    std::cout << restored << " restored" << std::endl;
}

/// A plain database in WAL mode without a log is taken for one that nobody writes to, and is looked at again.
TEST_P(Layout, archive_that_is_changed_meanwhile_is_not_restored) {
    for (const auto &shape : {Shape{}, others().front()}) {
        SCOPED_TRACE(shape.told);
        archive(shape, "WAL");
        expect_source_changed(LB_VERIFY_QUICK, [&] {
            fs::copy_file(dir / "theirs.db", dir / "a.db", fs::copy_options::overwrite_existing);
        });
    }
}

/// As the next backup does it, with LB_EXISTING_REPLACE.
TEST_P(Layout, file_that_gets_the_name_of_the_archive_meanwhile_is_not_restored) {
    for (const auto verify : {LB_VERIFY_NONE, LB_VERIFY_QUICK, LB_VERIFY_FULL}) {
        SCOPED_TRACE(verify);
        archive(others().front(), "WAL");
        make(dir / "next.db", others().front(), "WAL", "never verified");
        expect_source_changed(verify, [&] { fs::rename(dir / "next.db", dir / "a.db"); });
    }
}

/// There is room for the database's path, and none for that of the copy beside it.
TEST_P(OpenLayout, copy_that_cannot_be_opened_leaves_the_destination_in_its_mode) {
    archive(others().front());
    const auto deep = make_deep(dir.path(), 490);
    make(deep / "live.db", Shape{}, GetParam(), "live");
    const auto before = content_hash(deep / "live.db");
    expect_failed(restore(dir / "a.db.zst", deep / "live.db", replacing()), LB_STATUS_UNSUPPORTED, deep.string());
    EXPECT_EQ(content_hash(deep / "live.db"), before);
    EXPECT_EQ(Db(deep / "live.db").text("PRAGMA journal_mode"), "wal");
}

class IdleLayout : public Layout {};
INSTANTIATE_TEST_SUITE_P(Modes, IdleLayout, ::testing::Values("DELETE"),
                         [](const auto &tested) { return std::string(tested.param); });

/// Nobody can see of a rollback-journal database that somebody has it open and does nothing.
TEST_P(IdleLayout, other_pages_are_noticed_by_an_idle_connection) {
    for (const auto &shape : others()) {
        if (shape.encoding != "UTF-8") continue;
        SCOPED_TRACE(shape.told);
        archive(shape);
        for (const auto &from : archives()) {
            make(live, Shape{}, GetParam(), "live");
            Db host(live);
            host.scalar("SELECT count(*) FROM t");
            expect_ok(restore(from, live, replacing()));
            EXPECT_EQ(content_hash(host), archived);
            EXPECT_EQ(host.text("PRAGMA integrity_check"), "ok");
            host.exec("INSERT INTO t VALUES(100000, 'goes on')");
            host.close();
            EXPECT_EQ(integrity_check(live), "ok");
        }
    }
}

/// SQLite holds on to the encoding that a connection has begun with: it says so, and never shows mangled text.
TEST_P(IdleLayout, another_encoding_is_an_error_of_an_idle_connection_until_it_is_opened_anew) {
    archive({4096, "UTF-16le", "NONE", ""});
    for (const auto &from : archives()) {
        make(live, Shape{}, GetParam(), "live");
        Db host(live);
        host.scalar("SELECT count(*) FROM t");
        expect_ok(restore(from, live, replacing()));
        EXPECT_EQ(host.try_exec("SELECT b FROM t"), SQLITE_ERROR);
        EXPECT_NE(std::string(sqlite3_errmsg(host.handle())).find("encoding"), std::string::npos);
        EXPECT_EQ(host.try_exec("INSERT INTO t VALUES(100000, 'mangled')"), SQLITE_ERROR);
        host.close();
        EXPECT_EQ(content_hash(live), archived);
        EXPECT_EQ(integrity_check(live), "ok");
    }
}

TEST_P(IdleLayout, reader_or_writer_is_waited_for) {
    archive(others().front());
    for (const auto &from : archives())
        for (const auto *begin : {"BEGIN; SELECT * FROM t", "BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"}) {
            make(live, Shape{}, GetParam(), "live");
            Db host(live);
            const auto before = content_hash(host);
            host.exec(begin);
            expect_failed(restore(from, live, replacing_soon()), LB_STATUS_BUSY, live.string());
            EXPECT_EQ(content_hash(host), before);
            host.exec("COMMIT");
            EXPECT_EQ(content_hash(host), before);
        }
}

}  // namespace
