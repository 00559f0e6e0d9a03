// A restore onto a database that a host has open: connections, prepared statements, readers, writers, another process.
// SPDX-License-Identifier: MIT OR Apache-2.0

#include "fixture.hpp"
#include "support/statement.hpp"

using namespace lbtest;

namespace {

/// The archive holds the database as it was made; `mark` has changed it since.
class Live : public RestoreTest {
protected:
    void SetUp() override {
        RestoreTest::SetUp();
        unzstd(archive, image);
        archived = content_hash(image);
        mark();
        present = content_hash(source);
        ASSERT_NE(present, archived);
    }
    void mark() {
        Db(source).exec("UPDATE players SET name = 'new' WHERE id = 1; DELETE FROM moves WHERE id % 7 = 0;"
                        "INSERT INTO games SELECT id + 1000, winner FROM games");
    }

    void expect_archived(const Db &host) {
        EXPECT_EQ(content_hash(host), archived);
        EXPECT_EQ(host.text("PRAGMA integrity_check"), "ok");
    }
    void expect_present(const Db &host) {
        EXPECT_EQ(content_hash(host), present);
        EXPECT_EQ(host.text("PRAGMA integrity_check"), "ok");
    }
    /// Settles what is in the log, so that the file itself can be compared.
    std::string settled_bytes() {
        Db(source).exec("PRAGMA wal_checkpoint(TRUNCATE)");
        return read_file(source);
    }

    const fs::path image = dir / "image.db";
    std::uint64_t archived = 0, present = 0;
};

class LiveIn : public Live, public ::testing::WithParamInterface<const char *> {
protected:
    DatabaseOptions database() const override {
        auto wanted = RestoreTest::database();
        wanted.journal_mode = GetParam();
        return wanted;
    }
};

class LiveInEveryMode : public LiveIn {};

constexpr auto name_of_mode = [](const auto &tested) { return std::string(tested.param); };
INSTANTIATE_TEST_SUITE_P(Modes, LiveIn, ::testing::Values("WAL", "DELETE"), name_of_mode);
INSTANTIATE_TEST_SUITE_P(Modes, LiveInEveryMode, ::testing::Values("WAL", "DELETE", "TRUNCATE", "PERSIST"),
                         name_of_mode);

// ------------------------------------------------------------------------------------------------------- the content

TEST_P(LiveInEveryMode, host_sees_the_new_content_and_goes_on) {
    Db host(source), second(source);
    expect_present(host);
    const auto inode = status_of(source).st_ino;
    expect_ok(restore(archive, source, replacing()));
    EXPECT_EQ(status_of(source).st_ino, inode) << "the file is the same one";
    expect_archived(host);
    expect_archived(second);
    Outsider outsider(source);
    outsider.exec("UPDATE players SET name = 'from outside' WHERE id = 2");
    second.exec("UPDATE players SET name = 'from inside' WHERE id = 3");
    EXPECT_EQ(host.text("SELECT name FROM players WHERE id = 2"), "from outside");
    EXPECT_EQ(host.text("SELECT name FROM players WHERE id = 3"), "from inside");
    EXPECT_EQ(host.text("PRAGMA journal_mode"), std::string(GetParam()) == "WAL" ? "wal" : "delete");
    EXPECT_EQ(host.text("PRAGMA integrity_check"), "ok");
}

TEST_P(LiveInEveryMode, content_is_that_of_the_archive_byte_for_byte_but_for_what_goes_on) {
    const auto before = settled_bytes();
    expect_ok(restore(archive, source, replacing()));
    const auto after = settled_bytes();
    EXPECT_TRUE(without_what_goes_on(after) == without_what_goes_on(read_file(image)));
    EXPECT_EQ(after.substr(18, 2), before.substr(18, 2)) << "the journal mode";
    const auto counter = [](const std::string &bytes, std::size_t at) {
        auto big = bytes.substr(at, 4);
        std::reverse(big.begin(), big.end());
        return from_le(big, 0, 4);
    };
    EXPECT_GT(counter(after, 40), counter(before, 40)) << "the schema cookie goes on";
    EXPECT_GE(counter(after, 24), counter(before, 24)) << "so does the change counter";
}

TEST_P(LiveIn, from_every_kind_of_backup) {
    ASSERT_EQ(run({"zstd", "-q", image.string(), "-o", (dir / "theirs.zst").string()}), 0);
    ASSERT_EQ(run({"gzip", "-k", image.string()}), 0);
    for (const auto &from : {archive, image, dir / "theirs.zst", fs::path(image.string() + ".gz")})
        for (const std::uint32_t verified : {LB_VERIFY_QUICK, LB_VERIFY_FULL, LB_VERIFY_NONE}) {
            SCOPED_TRACE(from.string() + " " + std::to_string(verified));
            Db host(source);
            auto wanted = replacing();
            wanted.verify = verified;
            const auto outcome = restore(from, source, wanted);
            expect_ok(outcome);
            EXPECT_EQ(outcome.image_bytes, fs::file_size(image));
            EXPECT_GT(outcome.bytes_reused, 0U) << "not every page differs";
            EXPECT_LT(outcome.bytes_reused, outcome.image_bytes);
            expect_archived(host);
            host.close();
            mark();
        }
    for (const auto &name : list_dir(dir.path())) EXPECT_EQ(name.find(".lb_backup"), std::string::npos) << name;
}

TEST_P(LiveInEveryMode, again_changes_nothing) {
    expect_ok(restore(archive, source, replacing()));
    const auto before = settled_bytes();
    for (const auto &from : {archive, image}) {
        const auto outcome = restore(from, source, replacing());
        expect_ok(outcome);
        EXPECT_EQ(outcome.bytes_reused, outcome.image_bytes);
        EXPECT_TRUE(settled_bytes() == before);
    }
}

TEST_P(LiveInEveryMode, mode_bits_and_owner_stay) {
    ASSERT_EQ(::chmod(source.c_str(), 0660), 0);
    const bool root = ::geteuid() == 0;
    if (root) {
        ASSERT_EQ(::chown(source.c_str(), 1234, 5678), 0);
    }
    const auto before = status_of(source);
    expect_ok(restore(archive, source, replacing()));
    const auto after = status_of(source);
    EXPECT_EQ(after.st_mode, before.st_mode);
    EXPECT_EQ(after.st_uid, before.st_uid);
    EXPECT_EQ(after.st_gid, before.st_gid);
    EXPECT_EQ(after.st_ino, before.st_ino);
}

TEST_P(LiveIn, grows_and_shrinks) {
    DatabaseOptions small, large;
    small.bytes = 50'000, small.rows = 50, small.seed = 5;
    large.bytes = 3'000'000, large.rows = 3000, large.seed = 6;
    make_database(dir / "small.db", small);
    make_database(dir / "large.db", large);
    Db host(source);
    for (const auto *name : {"small.db", "large.db", "small.db", "large.db"}) {
        const fs::path packed = dir / (std::string(name) + ".zst");
        fs::remove(packed);
        expect_ok(backup(dir / name, packed));
        expect_ok(restore(packed, source, replacing()));
        EXPECT_EQ(content_hash(host), content_hash(dir / name));
        EXPECT_EQ(host.text("PRAGMA integrity_check"), "ok");
        EXPECT_EQ(host.scalar("PRAGMA page_count"), Db(dir / name).scalar("PRAGMA page_count"));
    }
    EXPECT_EQ(settled_bytes().size(), fs::file_size(dir / "large.db"));
    expect_ok(restore(dir / "small.db.zst", source, replacing()));
    EXPECT_EQ(settled_bytes().size(), fs::file_size(dir / "small.db")) << "the file is cut, too";
}

TEST_P(LiveIn, free_pages_come_back) {
    Db host(source);
    host.exec("DELETE FROM moves WHERE id > 20");
    ASSERT_GT(host.scalar("PRAGMA freelist_count"), 20);
    expect_ok(backup(source, dir / "free.db.zst"));
    const auto free_pages = host.scalar("PRAGMA freelist_count");
    expect_ok(restore(archive, source, replacing()));
    EXPECT_LT(host.scalar("PRAGMA freelist_count"), free_pages);
    expect_archived(host);
    expect_ok(restore(dir / "free.db.zst", source, replacing()));
    EXPECT_EQ(host.scalar("PRAGMA freelist_count"), free_pages);
    EXPECT_EQ(host.text("PRAGMA integrity_check"), "ok");
    host.exec("INSERT INTO moves SELECT id + 5000, game, dice, bid FROM moves");
    EXPECT_EQ(host.text("PRAGMA integrity_check"), "ok");
}

// ---------------------------------------------------------------------------------------- statements and the schema

TEST_P(LiveIn, prepared_statements_go_on) {
    Db host(source);
    Statement read(host.handle(), "SELECT count(*), total(rating) FROM players");
    Statement write(host.handle(), "UPDATE players SET rating = rating + ?1 WHERE id = ?2");
    read.run();
    write.bind(5, 1).run();
    expect_ok(restore(archive, source, replacing()));
    ASSERT_TRUE(read.step());
    EXPECT_EQ(read.integer(0), 10);
    EXPECT_EQ(read.integer(1), Db(image).scalar("SELECT total(rating) FROM players"));
    read.reset();
    write.bind(7, 2).run();
    EXPECT_EQ(host.scalar("SELECT rating FROM players WHERE id = 2"), 1002 + 7);
    EXPECT_EQ(host.text("PRAGMA integrity_check"), "ok");
}

/// A connection takes its schema for valid while the cookie in the header is the one that it has read.
TEST_P(LiveIn, another_schema_with_the_same_cookie_is_noticed) {
    const auto cookie_of = [](const Db &db) { return db.scalar("PRAGMA schema_version"); };
    const auto make = [&](const fs::path &path, const std::string &sql) {
        remove_database(path);
        Db db(path);
        db.exec(std::string("PRAGMA synchronous = OFF; PRAGMA journal_mode = ") + GetParam() + ";" + sql);
        return cookie_of(db);
    };
    // The same names, other root pages and columns.
    const auto ours = make(
        source,
        "CREATE TABLE a(x, y); CREATE TABLE b(x); INSERT INTO a VALUES(1, 'live a'); INSERT INTO b VALUES('live b')");
    const auto theirs = make(dir / "their.db", "CREATE TABLE b(x); CREATE TABLE a(y, x, z); INSERT INTO a "
                                               "VALUES('archived a', 2, 3); INSERT INTO b VALUES('archived b')");
    ASSERT_EQ(ours, theirs);
    expect_ok(backup(dir / "their.db", dir / "their.db.zst"));
    Db host(source), second(source);
    Statement read(host.handle(), "SELECT y FROM a"),
        write(second.handle(), "INSERT INTO a(x, y) VALUES(?1, 'inserted')");
    ASSERT_TRUE(read.step());
    EXPECT_EQ(read.bytes(0), "live a");
    read.reset();
    write.bind(7).run();
    expect_ok(restore(dir / "their.db.zst", source, replacing()));
    EXPECT_NE(cookie_of(host), ours);
    ASSERT_TRUE(read.step());
    EXPECT_EQ(read.bytes(0), "archived a");
    read.reset();
    write.bind(8).run();
    EXPECT_EQ(host.text("SELECT y FROM a WHERE x = 8"), "inserted");
    EXPECT_EQ(host.scalar("SELECT count(*) FROM b WHERE x = 'archived b'"), 1);
    EXPECT_EQ(host.text("PRAGMA integrity_check"), "ok");
}

/// As above, but the archive's cookie is one of those around the present one.
TEST_P(LiveIn, every_distance_between_the_cookies_is_noticed) {
    for (int distance = -3; distance <= 3; ++distance) {
        SCOPED_TRACE(distance);
        const auto make = [&](const fs::path &path, const std::string &sql, int cookie) {
            remove_database(path);
            Db(path).exec(std::string("PRAGMA synchronous = OFF; PRAGMA journal_mode = ") + GetParam() + ";" + sql +
                          "; PRAGMA schema_version = " + std::to_string(cookie));
        };
        make(source,
             "CREATE TABLE a(x); CREATE TABLE b(x); INSERT INTO a VALUES('live a'); INSERT INTO b VALUES('live b')",
             50);
        make(dir / "their.db",
             "CREATE TABLE b(x); CREATE TABLE a(x); INSERT INTO a VALUES('archived a'); INSERT INTO b VALUES('archived "
             "b')",
             50 + distance);
        fs::remove(dir / "their.db.zst");
        expect_ok(backup(dir / "their.db", dir / "their.db.zst"));
        Db host(source), outside(source);
        Statement read(host.handle(), "SELECT x FROM a");
        read.run();
        outside.text("SELECT x FROM a");
        expect_ok(restore(dir / "their.db.zst", source, replacing()));
        ASSERT_TRUE(read.step());
        EXPECT_EQ(read.bytes(0), "archived a");
        EXPECT_EQ(outside.text("SELECT x FROM a"), "archived a");
    }
}

TEST_P(LiveIn, statement_on_a_table_that_is_gone_says_so) {
    Db host(source);
    host.exec("CREATE TABLE later(x); INSERT INTO later VALUES(1)");
    Statement read(host.handle(), "SELECT x FROM later");
    read.run();
    expect_ok(restore(archive, source, replacing()));
    EXPECT_THROW(read.step(), SqlError);
    EXPECT_EQ(host.text("PRAGMA integrity_check"), "ok");
    host.exec("CREATE TABLE later(x); INSERT INTO later VALUES(2)");
    ASSERT_TRUE(read.step());
    EXPECT_EQ(read.integer(0), 2);
}

// ----------------------------------------------------------------------------------------------- readers and writers

TEST_F(Live, two_readers_in_mid_transaction_keep_their_snapshot) {
    Db first(source), second(source), host(source);
    Statement cursor(first.handle(), "SELECT id FROM moves ORDER BY id");
    first.exec("BEGIN");
    ASSERT_TRUE(cursor.step());
    const auto rows = first.scalar("SELECT count(*) FROM moves");
    second.exec("BEGIN");
    second.scalar("SELECT count(*) FROM players");
    Outsider outsider(source);
    outsider.exec("BEGIN; SELECT count(*) FROM moves");
    const auto inode = status_of(source).st_ino;

    expect_ok(restore(archive, source, replacing()));

    EXPECT_EQ(status_of(source).st_ino, inode);
    expect_archived(host);
    std::int64_t seen = 1;
    while (cursor.step()) ++seen;
    EXPECT_EQ(seen, rows) << "the open cursor runs to the end of what it began to read";
    EXPECT_EQ(content_hash(first), present);
    EXPECT_EQ(content_hash(second), present);
    first.exec("COMMIT");
    second.exec("COMMIT");
    outsider.exec("COMMIT");
    expect_archived(first);
    expect_archived(second);
    outsider.exec("UPDATE players SET name = 'from outside' WHERE id = 2");
    EXPECT_EQ(first.text("SELECT name FROM players WHERE id = 2"), "from outside");
}

/// A smaller archive: the pages beyond its end are gone from the file only when nobody reads them any more.
TEST_F(Live, reader_keeps_pages_that_the_archive_does_not_have) {
    DatabaseOptions small;
    small.bytes = 20'000, small.rows = 20, small.seed = 5;
    make_database(dir / "small.db", small);
    expect_ok(backup(dir / "small.db", dir / "small.db.zst"));
    Db reader(source), host(source);
    reader.exec("PRAGMA mmap_size = 268435456; BEGIN");
    EXPECT_EQ(content_hash(reader), present);
    expect_ok(restore(dir / "small.db.zst", source, replacing()));
    host.try_exec("PRAGMA wal_checkpoint(TRUNCATE)");
    EXPECT_EQ(content_hash(reader), present);
    reader.exec("COMMIT");
    host.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    EXPECT_EQ(content_hash(reader), content_hash(dir / "small.db"));
    EXPECT_EQ(fs::file_size(source), fs::file_size(dir / "small.db"));
}

TEST_F(Live, writer_of_the_host_is_waited_for) {
    Db writer(source);
    writer.exec("BEGIN IMMEDIATE; UPDATE players SET rating = 0 WHERE id = 1");
    expect_failed(restore(archive, source, replacing_soon()), LB_STATUS_BUSY, source.string());
    writer.exec("COMMIT");
    EXPECT_EQ(writer.scalar("SELECT rating FROM players WHERE id = 1"), 0);
    writer.exec("BEGIN IMMEDIATE; UPDATE players SET rating = 1 WHERE id = 1");
    auto patient = replacing();
    patient.busy_timeout_ms = 600'000;
    auto job = Job::start_restore(archive, source, patient);
    ASSERT_TRUE(wait_until([&] { return job.progress().retries > 0; }));
    writer.exec("COMMIT");
    expect_ok(job.join());
    expect_archived(writer);
}

TEST_F(Live, writer_of_another_process_is_waited_for) {
    Outsider outsider(source);
    outsider.exec("BEGIN IMMEDIATE; UPDATE players SET rating = 0 WHERE id = 1");
    expect_failed(restore(archive, source, replacing_soon()), LB_STATUS_BUSY, source.string());
    outsider.exec("ROLLBACK");
    expect_present(Db(source));
    expect_ok(restore(archive, source, replacing()));
    expect_archived(Db(source));
}

/// A host that was killed leaves its log: what is in it was committed.
TEST_F(Live, log_of_a_crashed_host_is_part_of_what_was_there) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        Db crashing(source);
        crashing.exec("PRAGMA wal_autocheckpoint = 0; UPDATE players SET name = 'last words' WHERE id = 9");
        ::raise(SIGKILL);
    }
    ASSERT_EQ(::waitpid(child, nullptr, 0), child);
    ASSERT_GT(fs::file_size(source.string() + "-wal"), 0U);
    auto wanted = replacing();
    const auto kept = (out / "kept.db.zst").string();
    wanted.keep_previous = kept.c_str();
    expect_ok(restore(archive, source, wanted));
    expect_archived(Db(source));
    EXPECT_EQ(Db(plain_image(kept)).text("SELECT name FROM players WHERE id = 9"), "last words");
}

TEST_F(Live, copy_that_a_killed_restore_was_keeping_is_swept_by_the_next) {
    auto wanted = replacing();
    const auto kept = (out / "kept.db").string();
    wanted.keep_previous = kept.c_str();
    write_file(out / ".lb_backup-0123456789abcdef.tmp", "half a copy");
    expect_ok(restore(archive, source, wanted));
    EXPECT_EQ(list_dir(out), std::vector<std::string>{"kept.db"});
}

/// As the game opens its database: mapped, with a cache that all connections share.
TEST_F(Live, mapped_database_with_a_shared_cache_goes_on_through_growing_and_shrinking) {
    DatabaseOptions small, large;
    small.bytes = 50'000, small.rows = 50, small.seed = 5;
    large.bytes = 3'000'000, large.rows = 3000, large.seed = 6;
    make_database(dir / "small.db", small);
    make_database(dir / "large.db", large);
    constexpr int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_SHAREDCACHE | SQLITE_OPEN_FULLMUTEX;
    Db first(source, flags), second(source, flags), third(source);
    for (auto *host : {&first, &second, &third})
        host->exec("PRAGMA mmap_size = 268435456; PRAGMA synchronous = NORMAL");
    for (const auto *name : {"large.db", "small.db", "large.db", "small.db"}) {
        expect_ok(restore(dir / name, source, replacing()));
        for (auto *host : {&first, &second, &third}) {
            EXPECT_EQ(content_hash(*host), content_hash(dir / name));
            EXPECT_EQ(host->text("PRAGMA integrity_check"), "ok");
        }
        second.exec("UPDATE players SET rating = rating + 1; PRAGMA wal_checkpoint(TRUNCATE)");
        EXPECT_EQ(third.text("PRAGMA integrity_check"), "ok");
    }
}

TEST_F(Live, restores_and_backups_of_one_database_at_once_leave_it_whole) {
    expect_ok(backup(source, dir / "present.db.zst"));
    auto patient = replacing();
    patient.busy_timeout_ms = 60'000;
    Db host(source);
    std::vector<Job> jobs;
    for (int n = 0; n < 24; ++n) {
        const auto name = "copy" + std::to_string(n) + ".db";
        if (n % 3 == 2)
            jobs.push_back(Job::start(source, out / name));
        else
            jobs.push_back(Job::start_restore(n % 3 == 0 ? archive : dir / "present.db.zst", source, patient));
    }
    for (auto &job : jobs) expect_ok(job.join());
    for (const auto &name : list_dir(out)) {
        const auto found = content_hash(out / name);
        EXPECT_TRUE(found == archived || found == present) << name;
    }
    const auto found = content_hash(host);
    EXPECT_TRUE(found == archived || found == present);
    EXPECT_EQ(host.text("PRAGMA integrity_check"), "ok");
}

class RollbackDestination : public Live {
protected:
    DatabaseOptions database() const override {
        auto wanted = RestoreTest::database();
        wanted.journal_mode = "DELETE";
        return wanted;
    }
};

TEST_F(RollbackDestination, readers_are_waited_for) {
    Db reader(source);
    Outsider outsider(source);
    for (const bool outside : {false, true}) {
        if (outside)
            outsider.exec("BEGIN; SELECT * FROM moves");
        else
            reader.exec("BEGIN; SELECT * FROM moves");
        expect_failed(restore(archive, source, replacing_soon()), LB_STATUS_BUSY, source.string());
        EXPECT_FALSE(fs::exists(source.string() + "-journal"));
        auto patient = replacing();
        patient.busy_timeout_ms = 600'000;
        auto job = Job::start_restore(archive, source, patient);
        ASSERT_TRUE(wait_until([&] { return job.progress().retries > 0; }));
        EXPECT_EQ(reader.scalar("SELECT count(*) FROM players WHERE name = 'new'"), 1) << "a reader still sees the old";
        if (outside)
            outsider.exec("COMMIT");
        else
            reader.exec("COMMIT");
        expect_ok(job.join());
        expect_archived(reader);
        mark();
    }
}

TEST_F(RollbackDestination, exclusive_lock_is_waited_for) {
    Db writer(source);
    writer.exec("BEGIN EXCLUSIVE");
    expect_failed(restore(archive, source, replacing_soon()), LB_STATUS_BUSY, source.string());
    writer.exec("COMMIT");
    expect_present(writer);
}

/// A journal that a crashed writer has left is rolled back before anything else happens.
TEST_F(RollbackDestination, hot_journal_is_rolled_back_first) {
    // A crash in mid-commit, put together by hand: the journal of a transaction that has written to the file.
    const auto crashed = dir / "crashed.db";
    {
        Db writer(source);
        writer.exec("PRAGMA cache_size = 2; PRAGMA cache_spill = 1; BEGIN; UPDATE moves SET bid = 'half done'");
        ASSERT_TRUE(fs::exists(source.string() + "-journal"));
        fs::copy_file(source, crashed);
        fs::copy_file(source.string() + "-journal", crashed.string() + "-journal");
        writer.exec("ROLLBACK");
    }
    auto wanted = replacing();
    const std::string kept = (out / "kept.db").string();
    wanted.keep_previous = kept.c_str();
    expect_ok(restore(archive, crashed, wanted));
    expect_archived(Db(crashed));
    EXPECT_EQ(content_hash(kept), present) << "what was there is what the last commit left";
}

/// What a kill leaves of a restore onto another layout, just before its journal is removed. The name is SQLite's to take.
TEST_F(Live, journal_in_which_nothing_counts_is_left_to_sqlite_and_harms_nobody) {
    const fs::path journal = source.string() + "-journal";
    write_file(journal, std::string(65536, '\0'));
    expect_ok(restore(archive, source, replacing()));
    EXPECT_TRUE(fs::exists(journal));
    Db host(source);
    expect_archived(host);
    host.exec("PRAGMA journal_mode = DELETE; UPDATE players SET name = 'later' WHERE id = 1");
    EXPECT_FALSE(fs::exists(journal));
    EXPECT_EQ(host.text("SELECT name FROM players WHERE id = 1"), "later");
    EXPECT_EQ(host.text("PRAGMA integrity_check"), "ok");
}

// ----------------------------------------------------------------------------------------------------- what is written

class LargerLive : public Live {
protected:
    DatabaseOptions database() const override {
        DatabaseOptions wanted;
        wanted.bytes = 8 << 20;
        wanted.rows = 4000;
        return wanted;
    }
};

TEST_F(LargerLive, only_pages_that_differ_are_written) {
    expect_ok(restore(archive, source, replacing()));
    Db host(source);
    const auto pages = host.scalar("PRAGMA page_count");
    host.exec("PRAGMA wal_autocheckpoint = 0; UPDATE moves SET bid = replace(bid, 'x', 'z') WHERE id BETWEEN 1 AND 40");
    host.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    ASSERT_EQ(fs::file_size(source.string() + "-wal"), 0U);
    for (const auto &from : {archive, image}) {
        const auto outcome = restore(from, source, replacing());
        expect_ok(outcome);
        expect_archived(host);
        const auto logged = fs::file_size(source.string() + "-wal");
        EXPECT_GT(logged, 0U);
        EXPECT_LE(logged, fs::file_size(source) * 3 / 100) << "of " << pages << " pages, 1 % was changed";
        EXPECT_GE(outcome.bytes_reused, outcome.image_bytes * 97 / 100);
        host.exec(
            "UPDATE moves SET bid = replace(bid, 'x', 'z') WHERE id BETWEEN 1 AND 40; PRAGMA wal_checkpoint(TRUNCATE)");
    }
}

// ------------------------------------------------------------------------------------------------ an empty or odd one

TEST_F(Live, empty_file_as_destination_becomes_the_database) {
    write_file(dest, "");
    const auto inode = status_of(dest).st_ino;
    expect_ok(restore(archive, dest, replacing()));
    EXPECT_EQ(status_of(dest).st_ino, inode);
    expect_archived(Db(dest));
}

TEST_F(Live, empty_archive_empties_the_database) {
    write_file(dir / "empty.db", "");
    expect_ok(backup(dir / "empty.db", dir / "empty.db.zst"));
    expect_ok(restore(dir / "empty.db.zst", source, replacing()));
    Db host(source);
    EXPECT_EQ(host.scalar("SELECT count(*) FROM sqlite_schema"), 0);
    EXPECT_EQ(host.text("PRAGMA integrity_check"), "ok");
    host.exec("CREATE TABLE t(a)");
}

TEST_F(Live, destination_that_is_no_database_is_refused_and_stays) {
    write_file(dest, std::string(5000, 'x'));
    expect_failed(restore(archive, dest, replacing()), LB_STATUS_NOT_A_DATABASE, dest.string());
    EXPECT_EQ(read_file(dest), std::string(5000, 'x'));
    EXPECT_EQ(list_dir(out).size(), 1U);
}

TEST_F(Live, destination_with_a_path_that_sqlite_does_not_open_is_refused_and_stays) {
    const auto deep = make_deep(out, 500) / "live.db";
    write_file(deep, settled_bytes());
    const auto before = read_file(deep);
    expect_failed(restore(archive, deep, replacing()), LB_STATUS_INVALID_ARGUMENT, "dest_path");
    EXPECT_TRUE(read_file(deep) == before);
}

TEST_F(Live, damaged_destination_is_mended) {
    auto bytes = settled_bytes();
    bytes.replace(5 * 4096, 40'000, 40'000, '\x55');
    write_file(source, bytes);
    ASSERT_EQ(verify(source).status, LB_STATUS_CORRUPT);
    expect_ok(restore(archive, source, replacing()));
    expect_archived(Db(source));
}

TEST_F(Live, without_replace_an_open_database_is_refused_and_stays) {
    Db host(source);
    expect_failed(restore(archive, source), LB_STATUS_ALREADY_EXISTS, source.string());
    expect_present(host);
}

}  // namespace
