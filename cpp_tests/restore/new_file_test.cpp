// A restore to a file that is not there yet, from everything that is a backup; and the destinations that are refused.
// SPDX-License-Identifier: MIT OR Apache-2.0

#include "fixture.hpp"

using namespace lbtest;

namespace {

class NewFile : public RestoreTest {
protected:
    void SetUp() override {
        RestoreTest::SetUp();
        unzstd(archive, image);
        ASSERT_EQ(integrity_check(image), "ok");
        image_bytes = read_file(image);
    }

    /// The archive's content byte for byte, alone under its name, and sound.
    void expect_restored(const fs::path &path) {
        EXPECT_TRUE(read_file(path) == image_bytes);
        EXPECT_EQ(list_dir(path.parent_path()), std::vector<std::string>{path.filename().string()});
        EXPECT_EQ(integrity_check(path), "ok");
        EXPECT_EQ(content_hash(path), content_hash(source));
    }

    const fs::path image = dir / "image.db";
    std::string image_bytes;
};

// ------------------------------------------------------------------------------------------------- what is restored

TEST_F(NewFile, archive_of_ours_comes_back_byte_for_byte) {
    const auto outcome = restore(archive, dest);
    expect_ok(outcome);
    EXPECT_EQ(outcome.page_size, 4096U);
    EXPECT_EQ(outcome.image_bytes, image_bytes.size());
    EXPECT_EQ(outcome.pages, image_bytes.size() / 4096);
    EXPECT_EQ(outcome.archive_bytes, fs::file_size(archive));
    EXPECT_EQ(outcome.bytes_reused, 0U);
    EXPECT_EQ(outcome.failed_chunk, LB_NO_CHUNK);
    expect_restored(dest);
}

TEST_F(NewFile, plain_image_comes_back_byte_for_byte) {
    expect_ok(restore(image, dest));
    expect_restored(dest);
}

TEST_F(NewFile, every_way_of_another_tool_comes_back_byte_for_byte) {
    const std::vector<std::vector<std::string>> ways = {
        {"zstd", "-q", "IN", "-o", "OUT"},
        {"zstd", "-q", "--no-content-size", "IN", "-o", "OUT"},
        {"zstd", "-q", "--no-check", "-19", "IN", "-o", "OUT"},
        {"zstd", "-q", "--long=27", "IN", "-o", "OUT"},
        {"sh", "-c", "zstd -q < 'IN' > 'OUT'"},
        {"sh", "-c", "{ head -c 100000 'IN' | zstd -q; tail -c +100001 'IN' | zstd -q; } > 'OUT'"},
        {"sh", "-c", "gzip < 'IN' > 'OUT'"},
        {"sh", "-c", "gzip -9 -k -c 'IN' > 'OUT'"},
        {"sh", "-c", "{ head -c 100000 'IN' | gzip -1; tail -c +100001 'IN' | gzip; } > 'OUT'"},
    };
    for (auto command : ways) {
        const auto file = dir / "theirs";
        for (auto &word : command)
            for (const auto &[name, path] : {std::pair<std::string, fs::path>{"IN", image}, {"OUT", file}})
                for (std::size_t at; (at = word.find(name)) != std::string::npos;)
                    word.replace(at, name.size(), path.string());
        SCOPED_TRACE(command.back());
        fs::remove(file);
        ASSERT_EQ(run(command), 0);
        expect_ok(verify(file));
        expect_ok(verify(file, full()));
        const auto outcome = restore(file, dest);
        expect_ok(outcome);
        EXPECT_EQ(outcome.image_bytes, image_bytes.size());
        EXPECT_EQ(outcome.pages, image_bytes.size() / 4096);
        expect_restored(dest);
        remove_database(dest);
        // What came with the file is not in the way of what follows it.
        append(file, "something else");
        for (const auto &refused : {verify(file), restore(file, dest)})
            expect_failed(refused, LB_STATUS_CORRUPT, "theirs");
        EXPECT_TRUE(list_dir(out).empty());
    }
}

/// The game names its backups so, copies the file and gzips it.
TEST_F(NewFile, old_backup_of_the_game_comes_back) {
    const auto old = dir / "backup_manual_20250101_120000.db";
    fs::copy_file(source, old);
    ASSERT_EQ(run({"gzip", old.string()}), 0);
    expect_ok(restore(old.string() + ".gz", dest));
    EXPECT_EQ(integrity_check(dest), "ok");
    EXPECT_EQ(content_hash(dest), content_hash(source));
    EXPECT_FALSE(fs::exists(old)) << "nothing is unpacked beside the backup";
}

TEST_F(NewFile, zstd_and_the_systems_sqlite_restore_what_this_library_made) {
    for (const auto *journal_mode : {"WAL", "DELETE"}) {
        auto wanted = database();
        wanted.journal_mode = journal_mode;
        remove_database(source);
        make_database(source, wanted);
        fs::remove(archive);
        expect_ok(backup(source, archive));
        std::string verdict;
        unzstd(archive, out / "by_hand.db");
        ASSERT_EQ(run({"sqlite3", (out / "by_hand.db").string(), "PRAGMA integrity_check"}, &verdict), 0);
        EXPECT_EQ(verdict, "ok\n");
        EXPECT_EQ(content_hash(out / "by_hand.db"), content_hash(source));
    }
}

TEST_F(NewFile, live_database_with_its_log_is_restored_with_what_is_in_the_log) {
    Db host(source);
    host.exec("PRAGMA wal_autocheckpoint = 0; UPDATE players SET name = 'in the WAL' WHERE id = 3");
    ASSERT_GT(fs::file_size(source.string() + "-wal"), 0U);
    expect_ok(restore(source, dest));
    EXPECT_EQ(Db(dest).text("SELECT name FROM players WHERE id = 3"), "in the WAL");
    EXPECT_EQ(integrity_check(dest), "ok");
    EXPECT_EQ(content_hash(dest), content_hash(host));
}

/// SQLite keeps the log beside the file that a link leads to.
TEST_F(NewFile, live_database_behind_a_link_is_restored_with_what_is_in_the_log) {
    Db host(source);
    host.exec("PRAGMA wal_autocheckpoint = 0; UPDATE players SET name = 'in the WAL' WHERE id = 3");
    fs::create_directory(dir / "links");
    fs::create_symlink(source, dir / "links" / "link.db");
    fs::create_symlink("link.db", dir / "links" / "second.db");
    for (const auto *name : {"link.db", "second.db"}) {
        expect_ok(restore(dir / "links" / name, dest));
        EXPECT_EQ(content_hash(dest), content_hash(host));
        remove_database(dest);
    }
    make_database(dest, another());
    expect_ok(restore(dir / "links" / "link.db", dest, replacing()));
    EXPECT_EQ(content_hash(dest), content_hash(host));
}

TEST_F(NewFile, every_shape_of_database_comes_back) {
    for (const int page_size : {512, 1024, 4096, 65536})
        for (const auto *auto_vacuum : {"NONE", "FULL", "INCREMENTAL"})
            for (const auto *encoding : {"UTF-8", "UTF-16le", "UTF-16be"}) {
                SCOPED_TRACE(std::to_string(page_size) + " " + auto_vacuum + " " + encoding);
                remove_database(source);
                fs::remove(archive);
                {
                    Db db(source);
                    db.exec("PRAGMA page_size = " + std::to_string(page_size) + "; PRAGMA encoding = '" + encoding +
                            "'; PRAGMA auto_vacuum = " + auto_vacuum +
                            "; PRAGMA user_version = -7; PRAGMA application_id = 99;"
                            "CREATE TABLE t(a INTEGER PRIMARY KEY, b); CREATE INDEX i ON t(b);"
                            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)"
                            " INSERT INTO t SELECT i, printf('row %d %.*c', i, i % 300, 'y') FROM n;"
                            "DELETE FROM t WHERE a % 3 = 0");
                }
                expect_ok(backup(source, archive));
                const auto outcome = restore(archive, dest);
                expect_ok(outcome);
                EXPECT_EQ(outcome.page_size, static_cast<std::uint32_t>(page_size));
                EXPECT_EQ(integrity_check(dest), "ok");
                EXPECT_EQ(content_hash(dest), content_hash(source));
                EXPECT_EQ(Db(dest).scalar("PRAGMA user_version"), -7);
                remove_database(dest);
            }
}

TEST_F(NewFile, empty_database_comes_back_empty) {
    write_file(dir / "empty.db", "");
    const auto empty = dir / "empty.db.zst";
    for (const auto &outcome : {backup(dir / "empty.db", empty), verify(empty), verify(empty, full()),
                                restore(empty, dest), restore(empty, source, replacing())}) {
        expect_ok(outcome);
        EXPECT_EQ(outcome.page_size, 0U);
        EXPECT_EQ(outcome.pages, 0U);
        EXPECT_EQ(outcome.image_bytes, 0U);
    }
    EXPECT_EQ(fs::file_size(dest), 0U);
    EXPECT_EQ(list_dir(out).size(), 1U);
    Db(dest).exec("CREATE TABLE t(a)");
}

/// A plain file without a byte would be no backup to anybody: it has the first page of a database.
TEST_F(NewFile, plain_backup_of_an_empty_database_is_one) {
    write_file(dir / "empty.db", "");
    const auto empty = dir / "backup.db";
    for (const auto &outcome : {backup(dir / "empty.db", empty), verify(empty), verify(empty, full()),
                                restore(empty, dest), restore(empty, source, replacing())}) {
        expect_ok(outcome);
        EXPECT_EQ(outcome.page_size, 4096U);
        EXPECT_EQ(outcome.pages, 1U);
    }
    EXPECT_EQ(inspect(empty).pages, 1U);
    for (const auto &database : {dest, source}) {
        EXPECT_EQ(integrity_check(database), "ok");
        Db host(database);
        EXPECT_EQ(host.scalar("SELECT count(*) FROM sqlite_schema"), 0);
        host.exec("CREATE TABLE t(a); INSERT INTO t VALUES (1)");
        EXPECT_EQ(host.text("PRAGMA integrity_check"), "ok");
    }
    // What is cut down to nothing is none.
    write_file(empty, "");
    expect_failed(verify(empty), LB_STATUS_NOT_A_DATABASE, empty.string());
}

TEST_F(NewFile, empty_database_that_is_replaced_is_kept) {
    for (const auto *name : {"kept.db", "kept.db.zst"}) {
        write_file(dest, "");
        const auto kept = out / name;
        auto keeping = replacing();
        keeping.keep_previous = kept.c_str();
        expect_ok(restore(archive, dest, keeping));
        expect_ok(verify(kept, full()));
        EXPECT_EQ(content_hash(dest), content_hash(source));
        expect_ok(restore(kept, dest, replacing()));
        EXPECT_EQ(Db(dest).scalar("SELECT count(*) FROM sqlite_schema"), 0);
        fs::remove(kept);
        remove_database(dest);
    }
}

/// Tables of modules, and rows without a number of their own; triggers and views that nobody runs.
TEST_F(NewFile, every_sort_of_schema_comes_back) {
    remove_database(source);
    Db(source).exec("CREATE VIRTUAL TABLE texts USING fts5(x); INSERT INTO texts VALUES('hello world');"
                    "CREATE VIRTUAL TABLE boxes USING rtree(id, x0, x1); INSERT INTO boxes VALUES(1, 2, 3);"
                    "CREATE TABLE w(a PRIMARY KEY, b, c AS (a || b)) WITHOUT ROWID; INSERT INTO w(a, b) VALUES(1, 2);"
                    "CREATE TABLE log(x); CREATE VIEW v AS SELECT a FROM w; CREATE INDEX p ON w(b) WHERE b > 1;"
                    "CREATE TRIGGER r AFTER INSERT ON w BEGIN INSERT INTO log VALUES(new.a); END");
    auto wanted = options();
    wanted.existing = LB_EXISTING_REPLACE;
    expect_ok(backup(source, archive, wanted));
    fs::remove(image);
    expect_ok(backup(source, image));
    for (const auto &from : {archive, image})
        for (const bool onto : {false, true}) {
            make_database(dest, database());
            if (!onto) remove_database(dest);
            expect_ok(verify(from));
            expect_ok(restore(from, dest, replacing()));
            Db restored(dest);
            EXPECT_EQ(restored.text("PRAGMA integrity_check"), "ok");
            EXPECT_EQ(restored.text("SELECT x FROM texts WHERE texts MATCH 'world'"), "hello world");
            EXPECT_EQ(restored.scalar("SELECT id FROM boxes WHERE x0 > 1"), 1);
            restored.exec("INSERT INTO w(a, b) VALUES(3, 4)");
            EXPECT_EQ(restored.scalar("SELECT x FROM log"), 3);
            restored.close();
            remove_database(dest);
        }
}

/// SQLite cannot judge an index over what only the application has; hashes can.
TEST_F(NewFile, index_over_the_applications_own_function_or_collation_is_no_damage) {
    remove_database(source);
    {
        Db db(source);
        sqlite3_create_function(
            db.handle(), "half", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC, nullptr,
            [](sqlite3_context *context, int, sqlite3_value **value) {
                sqlite3_result_int(context, sqlite3_value_int(value[0]) / 2);
            },
            nullptr, nullptr);
        db.exec("CREATE TABLE t(a); CREATE INDEX i ON t(half(a)); INSERT INTO t VALUES(1), (2), (3)");
    }
    auto wanted = options();
    wanted.existing = LB_EXISTING_REPLACE;
    expect_ok(backup(source, archive, wanted));
    expect_ok(verify(archive));
    expect_ok(restore(archive, dest));
    EXPECT_EQ(Db(dest).scalar("SELECT count(*) FROM t"), 3);
    make_database(out / "live.db", database());
    expect_ok(restore(archive, out / "live.db", replacing()));
    EXPECT_EQ(Db(out / "live.db").scalar("SELECT count(*) FROM t"), 3);
    for (const auto &outcome :
         {verify(archive, full()), verify(source), restore(source, out / "live.db", replacing())}) {
        expect_failed(outcome, LB_STATUS_UNSUPPORTED, "half");
        EXPECT_EQ(outcome.failed_check, LB_CHECK_NONE);
    }
    auto trusting = replacing();
    trusting.verify = LB_VERIFY_NONE;
    expect_ok(restore(source, out / "live.db", trusting));
}

// ---------------------------------------------------------------------------------------------- what is no backup

TEST_F(NewFile, what_is_no_database_is_refused) {
    const std::vector<std::pair<const char *, std::string>> files = {
        {"empty", ""},
        {"one_byte", "S"},
        {"text", "Dear diary, today I lost at Liar's Dice again.\n"},
        {"almost", "SQLite format 2"},
        {"zeros", std::string(8192, '\0')},
        {"odd_pages", std::string("SQLite format 3\0\x10\x01", 18) + std::string(82, '\0')},
        {"empty.zst", zstd_frame("")},
        {"text.zst", zstd_frame("a text, compressed")},
        {"text.gz", std::string("\x1f\x8b\x08\0\0\0\0\0\0\x03\x4b\x04\0\x43\xbe\xb7\xe8\x01\0\0\0", 21)},
        {"only_magic.zst", "\x28\xb5\x2f\xfd"},
        {"only_magic.gz", "\x1f\x8b"},
    };
    for (const auto &[name, content] : files) {
        SCOPED_TRACE(name);
        write_file(dir / name, content);
        for (const auto &outcome : {verify(dir / name), verify(dir / name, full()), restore(dir / name, dest)}) {
            EXPECT_TRUE(outcome.status == LB_STATUS_NOT_A_DATABASE || outcome.status == LB_STATUS_CORRUPT)
                << outcome.message;
            EXPECT_NE(std::string(outcome.message).find(name), std::string::npos) << outcome.message;
        }
        EXPECT_TRUE(list_dir(out).empty());
    }
    for (const auto *name : {"empty", "text", "zeros", "text.zst", "text.gz"})
        expect_failed(restore(dir / name, dest), LB_STATUS_NOT_A_DATABASE, name);
}

TEST_F(NewFile, database_cut_short_is_corrupt) {
    for (const auto length : {std::size_t{16}, std::size_t{99}, std::size_t{100}, std::size_t{4095}, std::size_t{4096},
                              image_bytes.size() - 4096, image_bytes.size() - 1}) {
        SCOPED_TRACE(length);
        write_file(dir / "short.db", image_bytes.substr(0, length));
        write_file(dir / "short.db.zst", zstd_frame(image_bytes.substr(0, length)));
        for (const auto *name : {"short.db", "short.db.zst"})
            for (const auto &outcome : {verify(dir / name), restore(dir / name, dest)})
                expect_failed(outcome, LB_STATUS_CORRUPT, name);
        EXPECT_TRUE(list_dir(out).empty());
    }
}

/// No hash tells: SQLite does.
TEST_F(NewFile, damaged_page_in_a_file_without_hashes_is_found_before_it_is_published) {
    auto damaged = image_bytes;
    damaged.replace(10 * 4096, 100, 100, '\x55');
    write_file(dir / "damaged.db", damaged);
    write_file(dir / "damaged.db.zst", zstd_frame(damaged));
    for (const auto *name : {"damaged.db", "damaged.db.zst"}) {
        const auto outcome = restore(dir / name, dest);
        expect_failed(outcome, LB_STATUS_CORRUPT, name);
        EXPECT_EQ(outcome.failed_check, LB_CHECK_INTEGRITY);
        EXPECT_TRUE(list_dir(out).empty());
        auto trusting = restore_options();
        trusting.verify = LB_VERIFY_NONE;
        expect_ok(restore(dir / name, dest, trusting));
        remove_database(dest);
    }
}

// ------------------------------------------------------------------------------------------------- the destination

TEST_F(NewFile, existing_destination_is_refused_and_stays) {
    write_file(dest, "somebody else's");
    expect_failed(restore(archive, dest), LB_STATUS_ALREADY_EXISTS, dest.string());
    EXPECT_EQ(read_file(dest), "somebody else's");
    EXPECT_EQ(list_dir(out).size(), 1U);
}

TEST_F(NewFile, destination_that_is_no_regular_file_is_refused_and_stays) {
    const fs::path directory = out / "directory", link = out / "link", dangling = out / "dangling", pipe = out / "pipe";
    fs::create_directory(directory);
    write_file(dir / "target", "precious");
    fs::create_symlink(dir / "target", link);
    fs::create_symlink(dir / "nowhere", dangling);
    ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
    const auto before = list_dir(out);
    for (const auto &path : {directory, link, dangling, pipe})
        for (const auto &wanted : {restore_options(), replacing()}) {
            SCOPED_TRACE(path);
            expect_failed(restore(archive, path, wanted), LB_STATUS_ALREADY_EXISTS, path.string());
        }
    EXPECT_EQ(list_dir(out), before);
    EXPECT_EQ(read_file(dir / "target"), "precious");
    EXPECT_FALSE(fs::exists(dir / "nowhere"));
    EXPECT_TRUE(fs::is_symlink(link));
}

TEST_F(NewFile, archive_itself_as_destination_is_refused_by_whatever_name) {
    fs::create_hard_link(archive, out / "same.db");
    fs::create_symlink(archive, dir / "by_link");
    const auto before = read_file(archive);
    for (const auto &from : {archive, out / "same.db", dir / "by_link"})
        for (const auto &to : {archive, out / "same.db", dir / "out" / ".." / "game.db.zst"}) {
            const auto outcome = restore(from, to, replacing());
            expect_failed(outcome, LB_STATUS_INVALID_ARGUMENT, "dest_path");
        }
    // So is a plain one.
    fs::create_hard_link(image, out / "image.db");
    expect_failed(restore(image, out / "image.db", replacing()), LB_STATUS_INVALID_ARGUMENT, "dest_path");
    EXPECT_EQ(read_file(archive), before);
    EXPECT_EQ(read_file(image), image_bytes);
}

/// Whoever has the archive open would take it for its own, and roll it back or remove it.
TEST_F(NewFile, names_that_sqlite_has_beside_the_archive_are_refused_by_whatever_path) {
    fs::create_symlink(image, out / "alias.db");
    fs::create_directory_symlink(dir.path(), out / "here");
    const auto before = list_dir(dir.path());
    for (const auto *suffix : {"-wal", "-shm", "-journal"})
        for (const auto &from : {image, out / "alias.db"})
            for (const auto &directory : {dir.path(), out / "here"})
                for (const auto &wanted : {restore_options(), replacing()}) {
                    const auto to = directory / (std::string("image.db") + suffix);
                    SCOPED_TRACE(to);
                    expect_failed(restore(from, to, wanted), LB_STATUS_INVALID_ARGUMENT, to.string());
                }
    EXPECT_EQ(list_dir(dir.path()), before);
    // A journal at work is no database that may be replaced.
    make_database(image.string() + "-journal", database());
    expect_failed(restore(image, image.string() + "-journal", replacing()), LB_STATUS_INVALID_ARGUMENT, "-journal");
    fs::remove(image.string() + "-journal");
    EXPECT_EQ(read_file(image), image_bytes);
}

/// It would be removed as a leftover.
TEST_F(NewFile, archive_with_a_name_that_sqlite_has_beside_the_destination_is_refused) {
    fs::create_directory_symlink(out, dir / "here");
    for (const auto *suffix : {"-wal", "-shm", "-journal"})
        for (const auto &to : {dest, dir / "here" / "restored.db"})
            for (const auto &wanted : {restore_options(), replacing()}) {
                SCOPED_TRACE(suffix);
                const fs::path from = dest.string() + suffix;
                fs::copy_file(archive, from);
                expect_failed(restore(from, to, wanted), LB_STATUS_INVALID_ARGUMENT, from.string());
                EXPECT_EQ(read_file(from), read_file(archive));
                fs::remove(from);
            }
    EXPECT_TRUE(list_dir(out).empty());
}

TEST_F(NewFile, leftover_beside_an_absent_destination_is_refused_by_name) {
    for (const auto *suffix : {"-wal", "-shm", "-journal"}) {
        SCOPED_TRACE(suffix);
        const fs::path leftover = dest.string() + suffix;
        write_file(leftover, "of a database that is gone");
        expect_failed(restore(archive, dest), LB_STATUS_ALREADY_EXISTS, leftover.string());
        EXPECT_EQ(read_file(leftover), "of a database that is gone");
        EXPECT_EQ(list_dir(out), std::vector<std::string>{leftover.filename().string()});
        fs::remove(leftover);
    }
}

/// Replayed, it would be worse than a text: a whole log of another database.
TEST_F(NewFile, leftover_is_removed_when_replacing_was_asked_for) {
    make_database(dir / "gone.db", database());
    Db gone(dir / "gone.db");
    gone.exec("PRAGMA wal_autocheckpoint = 0; UPDATE moves SET bid = 'replayed'");
    for (const auto *suffix : {"-wal", "-shm"})
        fs::copy_file((dir / "gone.db").string() + suffix, dest.string() + suffix);
    write_file(dest.string() + "-journal",
               std::string("\xd9\xd5\x05\xf9\x20\xa1\x63\xd7", 8) + std::string(5000, '\x01'));
    expect_ok(restore(archive, dest, replacing()));
    expect_restored(dest);
    EXPECT_EQ(Db(dest).scalar("SELECT count(*) FROM moves WHERE bid = 'replayed'"), 0);
}

TEST_F(NewFile, failed_restore_leaves_the_leftovers_too) {
    write_file(dest.string() + "-wal", "of a database that is gone");
    write_file(dir / "bad.db.zst", read_file(archive).substr(0, 10'000));
    expect_failed(restore(dir / "bad.db.zst", dest, replacing()), LB_STATUS_CORRUPT, "bad.db.zst");
    EXPECT_EQ(list_dir(out), std::vector<std::string>{"restored.db-wal"});
}

TEST_F(NewFile, mode_bits_are_those_of_the_archive_and_no_wider) {
    for (const auto mode : {0600U, 0640U, 0644U, 0400U}) {
        for (const auto &from : {archive, image}) {
            ASSERT_EQ(::chmod(from.c_str(), mode), 0);
            expect_ok(restore(from, dest));
            EXPECT_EQ(status_of(dest).st_mode & 07777, mode & 0666);
            fs::remove(dest);
        }
    }
}

TEST_F(NewFile, missing_archive_or_directory_is_named) {
    expect_failed(restore(dir / "none.db.zst", dest), LB_STATUS_NOT_FOUND, "none.db.zst");
    expect_failed(restore(archive, dir / "none" / "x.db"), LB_STATUS_NOT_FOUND, "none");
    expect_failed(verify(dir / "none.db.zst"), LB_STATUS_NOT_FOUND, "none.db.zst");
    expect_failed(restore(dir.path(), dest), LB_STATUS_NOT_A_DATABASE, dir.path().string());
    expect_failed(verify(dir.path()), LB_STATUS_NOT_A_DATABASE, dir.path().string());
    EXPECT_TRUE(list_dir(out).empty());
}

TEST_F(NewFile, path_longer_than_sqlite_opens_is_refused_by_the_start) {
    auto deep = out;
    while (deep.native().size() < 500) deep /= std::string(100, 'd');
    fs::create_directories(deep);
    for (const auto &wanted : {restore_options(), replacing()}) {
        lb_job *job = nullptr;
        auto why = error();
        EXPECT_EQ(lb_restore_start(archive.c_str(), (deep / "x.db").c_str(), &wanted, &job, &why),
                  LB_STATUS_INVALID_ARGUMENT);
        EXPECT_NE(std::string(why.message).find("dest_path is longer"), std::string::npos) << why.message;
    }
    EXPECT_TRUE(list_dir(deep).empty());
}

/// Its journal could have no name.
TEST_F(NewFile, name_too_long_for_a_database_is_refused_by_the_start) {
    const auto longest = out / std::string(255 - std::strlen("-journal"), 'n');
    const auto longer = longest.string() + "n";
    lb_job *job = nullptr;
    for (const auto &wanted : {restore_options(), replacing()}) {
        auto why = error();
        EXPECT_EQ(lb_restore_start(archive.c_str(), longer.c_str(), &wanted, &job, &why), LB_STATUS_INVALID_ARGUMENT);
        EXPECT_NE(std::string(why.message).find("dest_path is too long"), std::string::npos) << why.message;
    }
    expect_ok(restore(archive, longest));
    expect_restored(longest);
    fs::remove(longest);

    make_database(dest, database());
    const auto kept = (out / std::string(256, 'k')).string();
    auto wanted = replacing();
    wanted.keep_previous = kept.c_str();
    auto why = error();
    EXPECT_EQ(lb_restore_start(archive.c_str(), dest.c_str(), &wanted, &job, &why), LB_STATUS_INVALID_ARGUMENT);
    EXPECT_NE(std::string(why.message).find("keep_previous is too long"), std::string::npos) << why.message;
    EXPECT_EQ(job, nullptr);
}

TEST_F(NewFile, keep_previous_is_ignored_where_nothing_is_replaced) {
    auto wanted = replacing();
    const std::string kept = (out / "kept.db.zst").string();
    wanted.keep_previous = kept.c_str();
    expect_ok(restore(archive, dest, wanted));
    expect_restored(dest);
}

TEST_F(NewFile, odd_names_come_back) {
    for (const auto *name : {"a b?c#d%41&immutable=1.db", "\xc3\xa4\xf0\x9f\x8e\xb2.db", "-wal", ".hidden"}) {
        const fs::path to = out / name, from = dir / (std::string(name) + ".zst");
        fs::copy_file(archive, from);
        expect_ok(verify(from, full()));
        auto thorough = restore_options();
        thorough.verify = LB_VERIFY_FULL;
        expect_ok(restore(from, to, thorough));
        EXPECT_TRUE(read_file(to) == image_bytes);
        fs::remove(to);
    }
}

}  // namespace
