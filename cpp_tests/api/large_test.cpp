// Beyond 1 GiB: SQLite leaves the page at that offset (the lock-byte page) unused, and so must an image.
// Runs alone: it needs the disk. SPDX-License-Identifier: MIT OR Apache-2.0

#include "fixture.hpp"

using namespace lbtest;

namespace {

constexpr std::uint64_t lock_byte_offset = std::uint64_t{1} << 30;

struct Shape {
    int page_size;
    const char *dest;
};

class Large : public ::testing::TestWithParam<Shape> {
protected:
    /// Zeros up to a little beyond 1 GiB, rows that can be told apart on both sides of it.
    void make_large_database() {
        Db db(source);
        db.exec("PRAGMA page_size = " + std::to_string(GetParam().page_size));
        db.exec("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -16384;"
                "CREATE TABLE zeros(x); CREATE TABLE near(n INTEGER PRIMARY KEY, x)");
        db.exec("BEGIN");
        for (int i = 0; i < 63; ++i) db.exec("INSERT INTO zeros VALUES (zeroblob(" + std::to_string(16 << 20) + "))");
        for (int i = 0; i < 600; ++i) db.exec("INSERT INTO near(x) VALUES (randomblob(65536))");
        db.exec("COMMIT; PRAGMA journal_mode = WAL");
        ASSERT_GT(static_cast<std::uint64_t>(db.scalar("PRAGMA page_count") * GetParam().page_size),
                  lock_byte_offset + (8 << 20));
    }

    static bool equal(const fs::path &a, const fs::path &b) { return run({"cmp", "-s", a.string(), b.string()}) == 0; }

    TempDir dir;
    const fs::path source = dir / "large.db";
    const fs::path dest = dir / GetParam().dest;
};

TEST_P(Large, database_beyond_the_lock_byte_page_comes_back) {
    make_large_database();
    if (HasFatalFailure()) return;
    const auto outcome = backup(source, dest);
    expect_ok(outcome);
    EXPECT_EQ(outcome.image_bytes, fs::file_size(source));
    const auto image = plain_image(dest);
    if (image != dest) fs::remove(dest);
    EXPECT_TRUE(equal(image, source)) << "nobody wrote, and nothing is left in a log";

    std::string page(static_cast<std::size_t>(GetParam().page_size), 'x');
    std::ifstream in(image, std::ios::binary);
    in.seekg(static_cast<std::streamoff>(lock_byte_offset));
    in.read(page.data(), static_cast<std::streamsize>(page.size()));
    EXPECT_EQ(page, std::string(page.size(), '\0'));
    EXPECT_EQ(integrity_check(image), "ok");
    EXPECT_EQ(Db(image).scalar("SELECT count(*) FROM near"), 600);
}

INSTANTIATE_TEST_SUITE_P(Shapes, Large, ::testing::Values(Shape{65536, "new.db"}, Shape{4096, "new.db.zst"}),
                         [](const auto &tested) {
                             return std::to_string(tested.param.page_size) + "_" + format_name(tested.param.dest);
                         });

}  // namespace
