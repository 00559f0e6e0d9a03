// Every kind of database comes back as it was, from both formats. SPDX-License-Identifier: MIT OR Apache-2.0

#include "fixture.hpp"
#include "frames.hpp"

#include <tuple>

using namespace lbtest;

namespace {

// --------------------------------------------------------------------------------------------------- round trips

using Shape = std::tuple<int, const char *, const char *>;  // page size, journal mode, format

class RoundTrip : public CleanTest, public ::testing::WithParamInterface<Shape> {
protected:
    DatabaseOptions database() const override {
        DatabaseOptions wanted;
        wanted.page_size = std::get<0>(GetParam());
        wanted.journal_mode = std::get<1>(GetParam());
        return wanted;
    }
};

TEST_P(RoundTrip, gives_the_same_bytes_back) {
    const fs::path dest = out / std::get<2>(GetParam());
    const auto outcome = backup(source, dest);
    expect_ok(outcome);
    EXPECT_EQ(outcome.page_size, static_cast<std::uint32_t>(std::get<0>(GetParam())));
    const auto image = plain_image(dest);
    EXPECT_EQ(read_file(image), read_file(source)) << "nobody wrote, and nothing is left in a log";
    EXPECT_EQ(integrity_check(image), "ok");
    EXPECT_EQ(content_hash(image), content_hash(source));
    EXPECT_EQ(Db(image).scalar("PRAGMA page_size"), std::get<0>(GetParam()));
    remove_database(image);
    fs::remove(dest);
}

std::string name_of_shape(const ::testing::TestParamInfo<Shape> &tested) {
    const auto &[page_size, journal_mode, dest] = tested.param;
    return std::to_string(page_size) + "_" + journal_mode + "_" + format_name(dest);
}

INSTANTIATE_TEST_SUITE_P(Shapes, RoundTrip,
                         ::testing::Combine(::testing::Values(512, 1024, 2048, 4096, 8192, 16384, 32768, 65536),
                                            ::testing::Values("WAL", "DELETE", "TRUNCATE", "PERSIST"), both_formats()),
                         name_of_shape);

class Formats : public CleanTest, public ::testing::WithParamInterface<const char *> {
protected:
    /// Takes a backup of the database and compares what it says with what the host sees.
    void expect_same_content(const fs::path &database, const lb_backup_options &wanted = options()) {
        const fs::path dest = out / GetParam();
        expect_ok(backup(database, dest, wanted));
        const auto image = plain_image(dest);
        EXPECT_EQ(integrity_check(image), "ok");
        EXPECT_EQ(content_hash(image), content_hash(database));
        remove_database(image);
        fs::remove(dest);
    }
};

TEST_P(Formats, auto_vacuum_databases_come_back) {
    for (const auto *mode : {"FULL", "INCREMENTAL"}) {
        const auto database = dir / (std::string(mode) + ".db");
        DatabaseOptions wanted;
        wanted.auto_vacuum = mode;
        make_database(database, wanted);
        expect_same_content(database);
        {
            Db host(database);
            host.exec("DELETE FROM moves WHERE id % 3 = 0; PRAGMA incremental_vacuum(20)");
            expect_same_content(database);
        }
        expect_same_content(database);
    }
}

TEST_P(Formats, database_with_a_header_and_nothing_else_comes_back) {
    const auto database = dir / "header.db";
    Db(database).exec("PRAGMA application_id = 77; PRAGMA user_version = 5");
    expect_same_content(database);
    const auto wal = dir / "header_wal.db";
    Db(wal).exec("PRAGMA journal_mode = WAL");
    expect_same_content(wal);
}

TEST_P(Formats, database_whose_only_pages_are_in_the_wal_comes_back) {
    const auto database = dir / "fresh.db";
    Db host(database);
    host.exec("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; PRAGMA synchronous = OFF;"
              "CREATE TABLE t(x); INSERT INTO t VALUES ('in the log only')");
    ASSERT_LE(fs::file_size(database), 4096U);
    expect_same_content(database);
    for (int i = 0; i < 500; ++i) host.exec("INSERT INTO t VALUES (randomblob(2000))");
    expect_same_content(database);
    host.close();
}

TEST_P(Formats, shrunken_database_comes_back_without_what_was_cut_off) {
    {
        Db host(source);
        host.exec("PRAGMA wal_autocheckpoint = 0; DELETE FROM moves WHERE id > 10; VACUUM");
        expect_same_content(source);
        EXPECT_LT(host.scalar("PRAGMA page_count") * 4096, 100'000);
    }
    expect_same_content(source);
}

TEST_P(Formats, every_commit_before_the_start_is_there_though_a_reader_pins_the_log) {
    {
        Db writer(source), reader(source);
        writer.exec("PRAGMA synchronous = OFF; DELETE FROM moves;");
        for (int i = 0; i < 10; ++i) writer.exec("INSERT INTO moves(game, dice, bid) VALUES (1, 'early', 'x')");
        writer.exec("PRAGMA wal_checkpoint(TRUNCATE)");
        reader.exec("BEGIN");
        ASSERT_EQ(reader.scalar("SELECT count(*) FROM moves"), 10);
        for (int i = 0; i < 20'000; ++i) writer.exec("INSERT INTO moves(game, dice, bid) VALUES (1, 'late', 'x')");

        const fs::path dest = out / GetParam();
        expect_ok(backup(source, dest));
        const auto image = plain_image(dest);
        EXPECT_EQ(Db(image).scalar("SELECT count(*) FROM moves"), 20'010);
        EXPECT_EQ(integrity_check(image), "ok");
        EXPECT_EQ(reader.scalar("SELECT count(*) FROM moves"), 10) << "the reader's snapshot stands";
        remove_database(image);
        fs::remove(dest);
    }
}

TEST_P(Formats, uncommitted_changes_are_not_there) {
    const auto before = content_hash(source);
    {
        Db writer(source);
        writer.exec("PRAGMA cache_size = 10; BEGIN IMMEDIATE; UPDATE moves SET bid = 'uncommitted'");
        const fs::path dest = out / GetParam();
        expect_ok(backup(source, dest));
        const auto image = plain_image(dest);
        EXPECT_EQ(content_hash(image), before);
        remove_database(image);
        fs::remove(dest);
        writer.exec("ROLLBACK");
    }
}

TEST_P(Formats, database_under_an_open_read_transaction_comes_back) {
    {
        Db reader(source);
        reader.exec("BEGIN; SELECT * FROM players");
        expect_same_content(source);
        reader.exec("COMMIT");
    }
    {
        Db host(source);
        host.exec("PRAGMA journal_mode = DELETE");
        host.exec("BEGIN; SELECT * FROM players");  // was WAL, is not any more
        expect_same_content(source);
        host.exec("COMMIT");
    }
}

TEST_P(Formats, database_that_a_crash_left_with_a_log_comes_back_with_its_commits) {
    fs::path crashed = dir / "crashed.db";
    {
        Db host(source);
        host.exec("PRAGMA wal_autocheckpoint = 0; UPDATE players SET name = 'committed, then the power went'");
        fs::copy_file(source, crashed);
        fs::copy_file(source.string() + "-wal", crashed.string() + "-wal");
    }
    const fs::path dest = out / GetParam();
    expect_ok(backup(crashed, dest));
    const auto image = plain_image(dest);
    EXPECT_EQ(Db(image).scalar("SELECT count(*) FROM players WHERE name LIKE 'committed%'"), 10);
    remove_database(image);
    fs::remove(dest);
}

TEST_P(Formats, database_that_a_crash_left_with_a_hot_journal_comes_back_as_before_it) {
    const auto plain = dir / "plain.db", crashed = dir / "crashed.db";
    DatabaseOptions wanted;
    wanted.journal_mode = "DELETE";
    make_database(plain, wanted);
    const auto before = content_hash(plain);
    {
        Db host(plain);
        host.exec("PRAGMA cache_size = 5; BEGIN; UPDATE moves SET bid = 'half done'");  // spills into the file
        fs::copy_file(plain, crashed);
        fs::copy_file(plain.string() + "-journal", crashed.string() + "-journal");
        host.exec("ROLLBACK");
    }
    ASSERT_GT(fs::file_size(crashed.string() + "-journal"), 512U);
    const fs::path dest = out / GetParam();
    expect_ok(backup(crashed, dest));
    const auto image = plain_image(dest);
    EXPECT_EQ(integrity_check(image), "ok");
    EXPECT_EQ(content_hash(image), before);
    fs::remove(image);
    fs::remove(dest);
}

TEST_P(Formats, every_chunk_size_gives_the_same_bytes_for_every_page_size) {
    const fs::path dest = out / GetParam();
    for (int page_size = 512; page_size <= 65536; page_size *= 2) {
        const auto database = dir / (std::to_string(page_size) + ".db");
        DatabaseOptions wanted;
        wanted.page_size = page_size;
        make_database(database, wanted);
        const auto bytes = read_file(database);
        for (const std::uint64_t chunk : {0, 65536, 100'000, 262'144, 1 << 20, 8'388'608}) {
            SCOPED_TRACE(std::to_string(page_size) + " in chunks of " + std::to_string(chunk));
            auto cut = options();
            cut.chunk_size = chunk;
            expect_ok(backup(database, dest, cut));
            const auto image = plain_image(dest);
            EXPECT_TRUE(read_file(image) == bytes);
            remove_database(image);
            fs::remove(dest);
        }
    }
}

TEST_P(Formats, vacuum_and_checkpoints_half_way_change_nothing_in_the_snapshot) {
    {
        Db host(source);
        const auto before = content_hash(host);
        auto job = Job::start(source, out / GetParam(), throttled());
        ASSERT_TRUE(wait_until_half_way(job));
        for (const auto *mode : {"PASSIVE", "FULL", "RESTART", "TRUNCATE"}) {
            host.exec("DELETE FROM moves WHERE id % 3 = 1; VACUUM");
            host.exec("INSERT INTO moves(game, dice, bid) SELECT 1, randomblob(900), 'new' FROM moves LIMIT 100");
            host.try_exec(std::string("PRAGMA wal_checkpoint(") + mode + ")");  // as far as the snapshot lets it
        }
        EXPECT_EQ(job.set_rate(0), LB_STATUS_OK);
        expect_ok(job.join());
        const auto image = plain_image(out / GetParam());
        EXPECT_EQ(integrity_check(image), "ok");
        EXPECT_EQ(content_hash(image), before);
        remove_database(image);
        fs::remove(out / GetParam());
    }
    EXPECT_EQ(integrity_check(source), "ok");
}

TEST_P(Formats, writer_in_this_process_is_not_disturbed) {
    {
        Db host(source);
        host.exec("PRAGMA synchronous = OFF");
        auto paced = options();
        paced.max_bytes_per_second = 4 << 20;
        paced.chunk_size = 65536;
        auto job = Job::start(source, out / GetParam(), paced);
        int commits = 0;
        for (; job.wait(0) == LB_STATUS_TIMED_OUT; ++commits)
            ASSERT_EQ(host.try_exec("UPDATE players SET rating = rating + 1"), SQLITE_OK) << "no busy timeout needed";
        expect_ok(job.join());
        EXPECT_GT(commits, 0);
        const auto image = plain_image(out / GetParam());
        EXPECT_EQ(integrity_check(image), "ok");
        EXPECT_EQ(Db(image).scalar("SELECT count(DISTINCT rating - id) FROM players WHERE id > 1"), 1)
            << "one commit, whole";
        remove_database(image);
        fs::remove(out / GetParam());
    }
    EXPECT_EQ(integrity_check(source), "ok");
}

INSTANTIATE_TEST_SUITE_P(Both, Formats, both_formats(), name_of_format);

// -------------------------------------------------------------------------------------------------------- archives

using Archive = CleanTest;

TEST_F(Archive, is_what_the_zstd_tool_tests_lists_and_decompresses) {
    const auto archive = out / "new.db.zst";
    auto wanted = options();
    wanted.chunk_size = 65536;
    const auto outcome = backup(source, archive, wanted);
    expect_ok(outcome);
    EXPECT_EQ(run({"zstd", "-t", "-q", archive.string()}), 0);
    std::string listing;
    EXPECT_EQ(run({"zstd", "-l", "-v", archive.string()}, &listing), 0);
    EXPECT_NE(listing.find("XXH64"), std::string::npos) << "checksums: " << listing;
    EXPECT_NE(listing.find("(" + std::to_string(outcome.image_bytes) + " B)"), std::string::npos)
        << "the size of the content: " << listing;
    const auto image = plain_image(archive);
    EXPECT_EQ(fs::file_size(image), outcome.image_bytes);
    fs::remove(image);
    fs::remove(archive);
}

TEST_F(Archive, is_one_independent_frame_per_chunk_with_content_size_and_checksum) {
    for (const std::uint64_t chunk : {std::uint64_t{65536}, std::uint64_t{200'000}}) {
        const auto archive = out / "new.db.zst";
        auto wanted = options();
        wanted.chunk_size = chunk;
        const auto outcome = backup(source, archive, wanted);
        expect_ok(outcome);
        const auto bytes = read_file(archive), image = read_file(source);
        const auto frames = frames_of(bytes);
        const auto whole_pages = chunk / 4096 * 4096;
        EXPECT_EQ(frames.size(), (outcome.image_bytes + whole_pages - 1) / whole_pages);

        std::uint64_t total = 0;
        for (const auto &frame : frames) {
            EXPECT_TRUE(frame.has_content_size);
            EXPECT_TRUE(frame.has_checksum);
            const bool last = &frame == &frames.back();
            EXPECT_EQ(frame.content_size, last ? outcome.image_bytes - total : whole_pages);
            write_file(dir / "one.zst", bytes.substr(frame.offset, frame.size));
            unzstd(dir / "one.zst", dir / "one");
            EXPECT_EQ(read_file(dir / "one"), image.substr(total, frame.content_size)) << "at " << total;
            total += frame.content_size;
        }
        EXPECT_EQ(total, outcome.image_bytes);
        fs::remove(archive);
    }
}

TEST_F(Archive, of_every_level_gives_the_same_bytes) {
    const auto archive = out / "new.db.zst";
    const auto bytes = read_file(source);
    std::map<int, std::uint64_t> sizes;
    for (const int level : {-7, -5, -1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19}) {
        SCOPED_TRACE(level);
        auto wanted = options();
        wanted.compression_level = level;
        const auto outcome = backup(source, archive, wanted);
        expect_ok(outcome);
        sizes[level] = outcome.archive_bytes;
        const auto image = plain_image(archive);
        EXPECT_TRUE(read_file(image) == bytes);
        fs::remove(image);
        fs::remove(archive);
    }
    EXPECT_LT(sizes[19], sizes[-7]) << "the level is not passed on";
}

TEST_F(Archive, of_one_source_is_the_same_each_time) {
    const auto first = backup(source, out / "1.db.zst"), second = backup(source, out / "2.db.zst");
    expect_ok(first);
    expect_ok(second);
    unzstd(out / "1.db.zst", dir / "1.db");
    unzstd(out / "2.db.zst", dir / "2.db");
    EXPECT_EQ(read_file(dir / "1.db"), read_file(dir / "2.db"));
    fs::remove(out / "1.db.zst");
    fs::remove(out / "2.db.zst");
}

// ----------------------------------------------------------------------------------------------------- many at once

TEST_F(Archive, sixteen_jobs_of_one_source_at_once_all_come_back) {
    std::vector<Job> jobs;
    const auto dest = [&](int i) { return out / (std::to_string(i) + (i % 2 == 0 ? ".db" : ".db.zst")); };
    for (int i = 0; i < 16; ++i) jobs.push_back(Job::start(source, dest(i)));
    for (auto &job : jobs) expect_ok(job.join());
    for (int i = 0; i < 16; ++i) {
        const auto image = plain_image(dest(i));
        EXPECT_EQ(read_file(image), read_file(source));
        fs::remove(image);
        fs::remove(dest(i));
    }
}

TEST_F(Archive, sixteen_jobs_for_one_destination_make_one_backup) {
    std::vector<Job> jobs;
    for (int i = 0; i < 16; ++i) {
        lb_job *handle = nullptr;
        const auto wanted = options();
        const auto status = lb_backup_start(source.c_str(), (out / "new.db").c_str(), &wanted, &handle, nullptr);
        if (status == LB_STATUS_OK) {
            jobs.emplace_back(handle);
        } else {
            EXPECT_EQ(status, LB_STATUS_ALREADY_EXISTS);
        }
    }
    int made = 0;
    for (auto &job : jobs) {
        const auto outcome = job.join();
        if (outcome.status == LB_STATUS_OK) {
            ++made;
        } else {
            expect_failed(outcome, LB_STATUS_ALREADY_EXISTS, (out / "new.db").string());
        }
    }
    EXPECT_EQ(made, 1);
    EXPECT_EQ(content_hash(out / "new.db"), content_hash(source));
    remove_database(out / "new.db");
}

}  // namespace
