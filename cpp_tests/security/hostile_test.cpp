// Databases that were made to harm whoever reads them: none of their code runs, and every job with them ends, with a status
// that says what is wrong, or with a copy. SPDX-License-Identifier: MIT OR Apache-2.0

#include "restore/fixture.hpp"

using namespace lbtest;

namespace {

class Hostile : public ApiTest {
protected:
    void SetUp() override {
        ApiTest::SetUp();
        make_database(live, another());
        live_hash = content_hash(live);
    }
    DatabaseOptions database() const override {
        DatabaseOptions small;
        small.bytes = 40'000;
        small.rows = 40;
        small.journal_mode = "DELETE";
        return small;
    }

    /// A schema that SQLite would not have accepted from anybody.
    static void write_schema(Db &db, const std::string &sql) {
        db.exec("PRAGMA writable_schema = ON");
        db.exec("INSERT INTO sqlite_schema VALUES " + sql);
        db.exec("PRAGMA writable_schema = RESET");
    }

    static bool says_why(const lb_result &outcome) {
        switch (outcome.status) {
        case LB_STATUS_OK:
            return outcome.message[0] == '\0';
        case LB_STATUS_CORRUPT:
        case LB_STATUS_NOT_A_DATABASE:
        case LB_STATUS_UNSUPPORTED:
        case LB_STATUS_NO_SPACE:
        case LB_STATUS_BUSY:
            return outcome.message[0] != '\0';
        default:
            return false;
        }
    }

    /// Everything that can be done with it. The destination has its old content, or this one.
    void survive(const fs::path &hostile) {
        const auto bytes = read_file(hostile);
        const auto expect_told = [](const lb_result &outcome) {
            EXPECT_TRUE(says_why(outcome)) << lb_status_name(outcome.status) << ": " << outcome.message;
        };
        auto checked = options();
        checked.verify = LB_VERIFY_FULL;
        checked.busy_timeout_ms = 50;
        checked.existing = LB_EXISTING_REPLACE;
        expect_told(backup(hostile, out / "image.db", checked));
        checked.verify = LB_VERIFY_QUICK;
        expect_told(backup(hostile, out / "archive.db.zst", checked));
        expect_told(verify(hostile, full()));
        expect_told(restore(hostile, out / "new.db"));
        const auto outcome = restore(hostile, live, replacing_soon());
        expect_told(outcome);
        if (outcome.status != LB_STATUS_OK) {
            EXPECT_EQ(content_hash(live), live_hash);
        } else {
            remove_database(live);
            make_database(live, another());
        }
        EXPECT_TRUE(read_file(hostile) == bytes) << "the source is not written";
        for (const auto &name : list_dir(out))
            if (name.rfind("image.db", 0) == 0 || name.rfind("archive.db", 0) == 0 || name.rfind("new.db", 0) == 0)
                fs::remove(out / name);
        EXPECT_EQ(list_dir(out), std::vector<std::string>{"live.db"});
    }

    const fs::path live = out / "live.db";
    std::uint64_t live_hash = 0;
};

/// What runs would leave its mark in the table, or a file.
TEST_F(Hostile, schema_runs_none_of_its_code) {
    Db db(source);
    db.exec(
        "CREATE TABLE mark(x);"
        "CREATE VIEW endless AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n;"
        "CREATE TRIGGER touched AFTER UPDATE ON players BEGIN INSERT INTO mark SELECT * FROM endless; END;"
        "CREATE TRIGGER instead INSTEAD OF INSERT ON endless BEGIN DELETE FROM players; END;"
        "PRAGMA application_id = -1; PRAGMA user_version = -2147483648;");
    // Shadows what the library itself reads by name.
    write_schema(db, "('view', 'sqlite_dbpage', 'sqlite_dbpage', 0, 'CREATE VIEW sqlite_dbpage AS SELECT 1 AS pgno, "
                     "zeroblob(4096) AS data FROM endless')");
    write_schema(db, "('view', 'pragma_foreign_key_check', 'pragma_foreign_key_check', 0, 'CREATE VIEW "
                     "pragma_foreign_key_check AS SELECT 1 AS \"table\", 1 AS rowid, 1 AS parent FROM endless')");
    db.close();
    const auto bytes = read_file(source);
    for (const auto *name : {"new.db", "new.db.zst"}) {
        expect_ok(backup(source, out / name));
        EXPECT_TRUE(read_file(plain_image(out / name)) == bytes);
    }
    fs::remove(out / "new.db.zst.image");
    for (const auto *name : {"new.db", "new.db.zst"}) fs::remove(out / name);
    survive(source);
}

/// The library reads and writes pages through a table of SQLite's: not through what a database calls by that name.
TEST_F(Hostile, schema_has_no_say_in_how_pages_are_read_and_written) {
    const auto archive = dir / "archive.db.zst";
    expect_ok(backup(source, archive));
    for (const auto *shadow :
         {"('table', 'sqlite_dbpage', 'sqlite_dbpage', 2, 'CREATE TABLE sqlite_dbpage(pgno, data)')",
          "('view', 'sqlite_dbpage', 'sqlite_dbpage', 0, 'CREATE VIEW sqlite_dbpage AS SELECT 1 AS "
          "pgno, zeroblob(4096) AS data')"}) {
        SCOPED_TRACE(shadow);
        remove_database(live);
        auto logged = another();
        logged.journal_mode = "WAL";
        make_database(live, logged);
        Db host(live);
        write_schema(host, shadow);
        host.exec("UPDATE moves SET bid = bid || '!'");
        const auto before = host.text("SELECT max(bid) FROM moves");
        expect_ok(backup(live, out / "of_live.db"));
        EXPECT_EQ(Db(out / "of_live.db").text("SELECT max(bid) FROM moves"), before) << "from the log";
        expect_ok(restore(archive, live, replacing()));
        EXPECT_EQ(content_hash(host), content_hash(source));
        host.close();
        remove_database(out / "of_live.db");
    }
}

TEST_F(Hostile, schema_loads_no_code) {
    Db db(source);
    write_schema(db,
                 "('table', 'loader', 'loader', 2, 'CREATE TABLE loader(a, b AS (load_extension(''/lib/none.so'')), "
                 "CHECK (load_extension(''/lib/none.so'')))')");
    db.close();
    survive(source);
}

/// Of functions that everybody may use, and that a few bytes of schema can keep at work for years, or make fill all memory.
TEST_F(Hostile, schema_computes_no_more_than_the_database_has_room_for) {
    const char *const expressions[] = {
        "instr(zeroblob(999999999), zeroblob(499999999) || x'01') = 0",
        "length(replace(hex(zeroblob(400000000)), '0', '0123456789')) > 0",
        "length(printf('%999999999d', id)) > 0",
        "printf('%.*c', 900000000, 'a') LIKE '%a%a%a%a%a%a%a%a%b' = 0",
    };
    for (const auto *expression : expressions) {
        SCOPED_TRACE(expression);
        for (const bool indexed : {false, true}) {
            remove_database(source);
            make_database(source, database());
            Db db(source);
            const std::string sql = expression;
            std::string quoted;
            for (const char c : sql) quoted += c == '\'' ? std::string("''") : std::string(1, c);
            db.exec("CREATE TABLE heavy(id INTEGER PRIMARY KEY, x); INSERT INTO heavy VALUES (1, 1)");
            db.exec("PRAGMA writable_schema = ON");
            if (indexed)
                write_schema(db, "('index', 'slow', 'heavy', 2, 'CREATE INDEX slow ON heavy(x) WHERE " + quoted + "')");
            else
                db.exec("UPDATE sqlite_schema SET sql = 'CREATE TABLE heavy(id INTEGER PRIMARY KEY, x, CHECK (" +
                        quoted + "))' WHERE name = 'heavy'");
            db.close();
            survive(source);
        }
    }
}

TEST_F(Hostile, schema_of_any_length_and_depth_is_read_or_refused) {
    std::string columns = "a0", deep = "1";
    for (int i = 1; i < 1990; ++i) columns += ", a" + std::to_string(i) + " DEFAULT 'some text for it'";
    for (int i = 0; i < 900; ++i) deep = "(" + deep + "+1)";
    const std::string schemas[] = {
        "CREATE TABLE t(" + columns + ")",
        "CREATE TABLE t(a, CHECK (" + deep + " > 0))",
        "CREATE TABLE t(a, CHECK (" + std::string(100'000, '(') + "1" + std::string(100'000, ')') + "))",
        "CREATE TABLE t(a /*" + std::string(3 << 20, ' ') + "*/)",
        "CREATE TABLE t(" + std::string(1 << 20, 'x') + ")",
        "CREATE VIRTUAL TABLE t USING no_such_module(" + std::string(1 << 16, ',') + ")",
        "CREATE TABLE t(a, b AS (c), c AS (b))",
        "CREATE",
        "CR",
    };
    for (const auto &sql : schemas) {
        SCOPED_TRACE(sql.substr(0, 60));
        remove_database(source);
        make_database(source, database());
        {
            Db db(source);
            std::string quoted;
            for (const char c : sql) quoted += c == '\'' ? std::string("''") : std::string(1, c);
            write_schema(db, "('table', 't', 't', 2, '" + quoted + "')");
        }
        survive(source);
    }
}

/// The tables beside a full-text index are tables like others: anybody may write anything into them.
TEST_F(Hostile, shadow_tables_of_any_content_are_checked_to_an_end) {
    auto random = printed_random(20261);
    {
        Db db(source);
        db.exec("CREATE VIRTUAL TABLE words USING fts5(text); CREATE VIRTUAL TABLE places USING rtree(id, a, b);"
                "INSERT INTO words SELECT bid || ' ' || hex(dice) FROM moves LIMIT 20;"
                "INSERT INTO places SELECT id, id, id + 1 FROM moves");
    }
    const auto sound = read_file(source);
    expect_ok(verify(source, full()));
    for (int round = 0; round < 24; ++round) {
        SCOPED_TRACE(round);
        write_file(source, sound);
        {
            Db db(source);
            const bool words = round % 2 == 0;
            const std::string table = words ? "words_data" : "places_node", key = words ? "id" : "nodeno",
                              column = words ? "block" : "data";
            const auto wanted = std::to_string(random() % 40);
            std::string hex;
            const std::size_t bytes = random() % 3 == 0 ? random() % 2000 : random() % 12;
            for (std::size_t i = 0; i < bytes; ++i) {
                char digits[3];
                std::snprintf(digits, sizeof digits, "%02x",
                              random() % 4 == 0 ? 255U : static_cast<unsigned>(random() % 256));
                hex += digits;
            }
            db.exec("UPDATE " + table + " SET " + column + " = x'" + hex + "' WHERE " + key + " IN (SELECT " + key +
                    " FROM " + table + " LIMIT 2 OFFSET " + wanted + " % (SELECT count(*) FROM " + table + "))");
        }
        survive(source);
    }
}

// ------------------------------------------------------------------------------------------------------------------ pages

TEST_F(Hostile, header_of_any_numbers_is_told_or_copied) {
    const auto sound = read_file(source);
    const auto big = [](std::uint32_t value) {
        std::string bytes = le(value, 4);
        std::reverse(bytes.begin(), bytes.end());
        return bytes;
    };
    for (const std::size_t field : {20, 24, 28, 32, 36, 40, 44, 48, 52, 56, 60, 64, 68, 92, 96})
        for (const std::uint32_t value : {0U, 1U, 2U, 0x7fff'ffffU, 0xffff'fffeU, 0xffff'ffffU}) {
            SCOPED_TRACE(std::to_string(field) + " = " + std::to_string(value));
            auto bytes = sound;
            bytes.replace(field, 4, big(value));
            write_file(source, bytes);
            survive(source);
        }
}

/// Free-list trunks, pointers of tree pages and overflow chains that lead round in circles.
TEST_F(Hostile, circles_of_pages_come_to_an_end) {
    {
        Db db(source);
        db.exec("CREATE TABLE long(x); INSERT INTO long VALUES (randomblob(40000)); DELETE FROM moves WHERE id % 3 > 0;"
                "CREATE TABLE gone(x); INSERT INTO gone VALUES (randomblob(40000)); DROP TABLE gone");
    }
    const auto sound = read_file(source);
    const auto pages = sound.size() / 4096;
    ASSERT_GT(pages, 20U);
    const auto page_number = [](std::uint64_t number) {
        std::string bytes = le(number, 4);
        std::reverse(bytes.begin(), bytes.end());
        return bytes;
    };
    for (std::size_t page = 1; page < pages; ++page) {
        SCOPED_TRACE(page);
        // The next trunk or overflow page is the first four bytes; the right child of an interior page the third.
        for (const std::size_t at : {std::size_t{0}, std::size_t{8}}) {
            auto bytes = sound;
            bytes.replace(page * 4096 + at, 4, page_number(page + 1));
            if (at == 8) bytes[page * 4096] = 5;
            write_file(source, bytes);
            survive(source);
        }
    }
}

TEST_F(Hostile, random_damage_is_told_or_copied) {
    auto random = printed_random(20262);
    const auto sound = read_file(source);
    for (int round = 0; round < 60; ++round) {
        SCOPED_TRACE(round);
        auto bytes = sound;
        for (auto left = 1 + random() % 20; left > 0; --left) {
            // Half of it where pages keep what they are.
            const auto page = random() % (bytes.size() / 4096) * 4096;
            bytes[page + (random() % 2 == 0 ? random() % 120 : random() % 4096)] = static_cast<char>(random());
        }
        write_file(source, bytes);
        survive(source);
    }
}

}  // namespace
