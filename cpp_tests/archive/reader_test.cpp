// Archives of every kind of database, each held to docs/FORMAT.md by the independent reader.
// SPDX-License-Identifier: MIT OR Apache-2.0

#include "api/frames.hpp"
#include "reader.hpp"

#include <regex>

using namespace lbtest;

namespace {

/// A database, and how its archive is asked for.
struct Shape {
    const char *name;
    DatabaseOptions database;
    const char *sql = "";
    lb_backup_options wanted = options();
};

DatabaseOptions pages(int page_size, const char *journal_mode) {
    DatabaseOptions wanted;
    wanted.page_size = page_size;
    wanted.journal_mode = journal_mode;
    return wanted;
}

lb_backup_options cut(std::uint64_t chunk_size, std::int32_t level = 0) {
    auto wanted = options();
    wanted.chunk_size = chunk_size;
    wanted.compression_level = level;
    return wanted;
}

const Shape shapes[] = {
    {"wal_512", pages(512, "WAL")},
    {"wal_4096", pages(4096, "WAL")},
    {"wal_65536", pages(65536, "WAL")},
    {"delete_512", pages(512, "DELETE")},
    {"delete_4096", pages(4096, "DELETE")},
    {"delete_65536", pages(65536, "DELETE")},
    {"smallest_chunks", pages(4096, "WAL"), "", cut(65536)},
    {"odd_chunks", pages(512, "WAL"), "", cut(100'000)},
    {"one_chunk", pages(4096, "DELETE"), "", cut(8'388'608)},
    {"fastest", pages(4096, "WAL"), "", cut(0, -7)},
    {"smallest", pages(4096, "WAL"), "", cut(0, 19)},
    {"greatest_ids", pages(4096, "WAL"), "PRAGMA application_id = 2147483647; PRAGMA user_version = 2147483647"},
    {"least_ids", pages(4096, "WAL"), "PRAGMA application_id = -2147483648; PRAGMA user_version = -2147483648"},
};

class Archive : public ApiTest {
protected:
    void expect_right(const fs::path &archive, const std::vector<std::string> &arguments = {}) {
        EXPECT_EQ(run({"zstd", "-t", "-q", archive.string()}), 0);
        const auto verdict = read_independently(archive, arguments);
        EXPECT_TRUE(verdict.right) << verdict.text;
    }
    const fs::path archive = out / "new.db.zst";
};

class ArchiveOfEveryShape : public Archive, public ::testing::WithParamInterface<Shape> {
    DatabaseOptions database() const override { return GetParam().database; }
};

TEST_P(ArchiveOfEveryShape, is_what_the_format_says) {
    Db(source).exec(GetParam().sql);
    const auto outcome = backup(source, archive, GetParam().wanted);
    expect_ok(outcome);
    const auto level = GetParam().wanted.compression_level;
    const Db host(source);
    const auto application_id = static_cast<std::uint32_t>(host.scalar("PRAGMA application_id"));
    expect_right(archive,
                 {"--image", source.string(),  // nobody writes, and nothing is left in a log
                  "--says", "level=" + std::to_string(level == 0 ? 3 : level),
                  "page_size=" + std::to_string(outcome.page_size), "page_count=" + std::to_string(outcome.pages),
                  "user_version=" + host.text("PRAGMA user_version"),
                  "application_id=" + std::to_string(application_id)});
}

INSTANTIATE_TEST_SUITE_P(Shapes, ArchiveOfEveryShape, ::testing::ValuesIn(shapes),
                         [](const auto &tested) { return std::string(tested.param.name); });

TEST_F(Archive, of_the_empty_database_is_what_the_format_says) {
    write_file(dir / "empty.db", "");
    expect_ok(backup(dir / "empty.db", archive));
    expect_right(archive, {"--image", (dir / "empty.db").string(), "--says", "page_count=0"});
}

TEST_F(Archive, of_a_database_with_a_header_and_nothing_else_is_what_the_format_says) {
    Db(dir / "header.db").exec("PRAGMA application_id = 77; PRAGMA user_version = 5");
    expect_ok(backup(dir / "header.db", archive));
    expect_right(archive, {"--image", (dir / "header.db").string(), "--says", "page_count=1"});
}

TEST_F(Archive, of_what_is_still_in_the_log_tells_of_that) {
    Db host(source);
    host.exec("PRAGMA wal_autocheckpoint = 0; PRAGMA user_version = 42; PRAGMA application_id = 43;"
              "INSERT INTO moves(game, dice, bid) SELECT 1, randomblob(900), 'in the log' FROM moves");
    ASSERT_GT(fs::file_size(source.string() + "-wal"), 1U << 20);
    expect_ok(backup(source, archive));
    expect_right(archive, {"--says", "user_version=42", "application_id=43"});
    EXPECT_EQ(content_hash(plain_image(archive)), content_hash(host));
}

TEST_F(Archive, of_many_chunks_is_what_the_format_says) {
    const auto large = dir / "large.db";
    make_database(large, sizable());
    expect_ok(backup(large, archive, cut(65536)));
    EXPECT_GT(frames_of(read_file(archive)).size(), 64U);
    expect_right(archive, {"--image", large.string(), "--says", "chunk_size=65536"});
}

TEST_F(Archive, tells_what_wrote_it_and_when) {
    const std::string version = lb_version();
    std::smatch part;
    ASSERT_TRUE(std::regex_match(version, part, std::regex(R"((\S+) \(sqlite (\S+), zstd (\S+)\))"))) << version;
    const auto outcome = backup(source, archive);
    expect_ok(outcome);
    expect_right(archive, {"--begun", std::to_string(outcome.start_unix_ns), std::to_string(outcome.end_unix_ns),
                           "--says", "library=" + part.str(1), "sqlite=" + part.str(2), "zstd=" + part.str(3)});
}

TEST_F(Archive, has_an_id_that_no_other_has) {
    const auto twin = out / "twin.db.zst";
    expect_ok(backup(source, archive));
    expect_ok(backup(source, twin));
    expect_right(twin, {"--image", source.string(), "--twin-of", archive.string()});
}

// -------------------------------------------------------------------------------------------------------------- reuse

TEST_F(Archive, names_the_one_that_it_was_made_from) {
    auto youngest = archive;
    expect_ok(backup(source, archive, cut(65536)));
    for (const auto *name : {"child.db.zst", "grandchild.db.zst"}) {
        Db(source).exec("UPDATE players SET rating = rating + 1; PRAGMA user_version = 9");
        auto wanted = options();
        wanted.reuse_path = youngest.c_str();
        const auto outcome = backup(source, out / name, wanted);
        expect_ok(outcome);
        EXPECT_GT(outcome.bytes_reused, 0U);
        expect_right(out / name, {"--image", source.string(), "--child-of", youngest.string()});
        youngest = out / name;
    }
}

TEST_F(Archive, that_replaces_the_one_that_it_was_made_from_names_it) {
    const auto earlier = dir / "earlier.db.zst";
    expect_ok(backup(source, archive));
    fs::copy_file(archive, earlier);
    auto wanted = options();
    wanted.reuse_path = archive.c_str();
    wanted.existing = LB_EXISTING_REPLACE;
    expect_ok(backup(source, archive, wanted));
    expect_right(archive, {"--image", source.string(), "--child-of", earlier.string()});
}

TEST_F(Archive, names_none_that_could_not_be_used) {
    const auto letter = dir / "letter", foreign = dir / "foreign.zst";
    write_file(letter, "a letter, not an archive\n");
    const auto *const another_tool = "import pyzstd, sys\n"
                                     "with pyzstd.SeekableZstdFile(sys.argv[1], 'w') as file:\n"
                                     "    file.write(b'a seek table, and no manifest')\n";
    ASSERT_EQ(run({LB_PYTHON, "-c", another_tool, foreign.string()}), 0);
    auto wanted = options();
    wanted.existing = LB_EXISTING_REPLACE;
    for (const auto &unusable : {letter, foreign}) {
        wanted.reuse_path = unusable.c_str();
        const auto outcome = backup(source, archive, wanted);
        expect_ok(outcome);
        EXPECT_EQ(outcome.bytes_reused, 0U);
        expect_right(archive, {"--image", source.string()});
    }
}

// --------------------------------------------------------------------------------------------------------- the reader

TEST_F(Archive, with_any_damage_is_found_out_by_the_independent_reader) {
    expect_ok(backup(source, archive, cut(131'072)));
    const auto verdict = run_script("check_damage.py", {archive.string(), source.string()});
    EXPECT_TRUE(verdict.right) << verdict.text;
}

}  // namespace
