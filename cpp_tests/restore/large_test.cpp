// Beyond 1 GiB: SQLite never uses the page at that offset (the lock-byte page), and a restore must not write it.
// Runs alone: it needs the disk. SPDX-License-Identifier: MIT OR Apache-2.0

#include "fixture.hpp"

using namespace lbtest;

namespace {

constexpr std::uint64_t lock_byte_offset = std::uint64_t{1} << 30;
constexpr int page_size = 65536;

/// Zeros up to a little beyond 1 GiB, and rows that can be told apart on both sides of it.
void make_large(const fs::path &path) {
    Db db(path);
    db.exec("PRAGMA page_size = 65536; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
            "CREATE TABLE zeros(x); CREATE TABLE near(n INTEGER PRIMARY KEY, x); BEGIN;"
            "INSERT INTO near(x) VALUES (randomblob(65000)), (randomblob(65000))");
    for (int i = 0; i < 63; ++i) db.exec("INSERT INTO zeros VALUES (zeroblob(16777216))");
    for (int i = 0; i < 400; ++i) db.exec("INSERT INTO near(x) VALUES (randomblob(65000))");
    db.exec("COMMIT; PRAGMA journal_mode = WAL");
}

void make_small(const fs::path &path, const std::string &journal_mode) {
    Db db(path);
    db.exec("PRAGMA page_size = 65536; PRAGMA journal_mode = " + journal_mode +
            "; CREATE TABLE near(n INTEGER PRIMARY KEY, x); INSERT INTO near VALUES(1, 'small')");
}

void expect_empty_lock_byte_page(const fs::path &path) {
    ASSERT_GT(fs::file_size(path), lock_byte_offset + page_size);
    std::string page(page_size, 'x');
    std::ifstream in(path, std::ios::binary);
    in.seekg(static_cast<std::streamoff>(lock_byte_offset));
    in.read(page.data(), page_size);
    EXPECT_EQ(page, std::string(page_size, '\0'));
}

TEST(Large, database_beyond_the_lock_byte_page_is_restored_changed_grown_and_shrunk) {
    const TempDir dir;
    const fs::path source = dir / "large.db", archive = dir / "large.db.zst", live = dir / "live.db";
    make_large(source);
    expect_ok(backup(source, archive));
    const auto inspected = inspect(archive);
    EXPECT_EQ(inspected.image_bytes, fs::file_size(source));
    const auto near = [](Db &db) {
        db.exec("CREATE TEMP VIEW IF NOT EXISTS seen AS SELECT n, x FROM near ORDER BY n");
        std::string all;
        db.rows("SELECT n, substr(x, 1, 16) FROM seen", [&](sqlite3_stmt *row) {
            all.append(static_cast<const char *>(sqlite3_column_blob(row, 1)),
                       static_cast<std::size_t>(sqlite3_column_bytes(row, 1)));
        });
        return all;
    };
    std::string archived;
    {
        Db db(source);
        archived = near(db);
    }

    // Changed on both sides of it, in WAL mode, under a host.
    {
        Db host(source);
        host.exec("UPDATE near SET x = 'changed' WHERE n IN (1, 402); INSERT INTO near(x) VALUES(randomblob(1000000))");
        const auto outcome = restore(archive, source, replacing());
        expect_ok(outcome);
        EXPECT_GT(outcome.bytes_reused, outcome.image_bytes * 99 / 100);
        EXPECT_EQ(near(host), archived);
        host.exec("PRAGMA wal_checkpoint(TRUNCATE)");
        EXPECT_EQ(host.text("PRAGMA quick_check"), "ok");
    }
    expect_empty_lock_byte_page(source);
    EXPECT_EQ(fs::file_size(source), inspected.image_bytes);
    fs::remove(source);

    // To a new file.
    expect_ok(restore(archive, source));
    EXPECT_EQ(fs::file_size(source), inspected.image_bytes);
    expect_empty_lock_byte_page(source);
    EXPECT_EQ(integrity_check(source), "ok");
    fs::remove(source);

    // Grown across it, and shrunk back.
    make_small(dir / "small.db", "DELETE");
    expect_ok(backup(dir / "small.db", dir / "small.db.zst"));
    make_small(live, "DELETE");
    Db host(live);
    expect_ok(restore(archive, live, replacing()));
    EXPECT_EQ(near(host), archived);
    EXPECT_EQ(host.text("PRAGMA integrity_check"), "ok");
    expect_empty_lock_byte_page(live);
    expect_ok(restore(dir / "small.db.zst", live, replacing()));
    EXPECT_EQ(near(host), "small");
    EXPECT_EQ(fs::file_size(live), fs::file_size(dir / "small.db"));
}

}  // namespace
