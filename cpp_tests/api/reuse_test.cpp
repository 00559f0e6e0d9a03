// Backups that take unchanged chunks from an earlier archive. SPDX-License-Identifier: MIT OR Apache-2.0

#include "fixture.hpp"
#include "frames.hpp"

#include <sys/stat.h>

#include <mutex>

using namespace lbtest;

namespace {

/// The warnings that the library has told the host's log.
struct Warnings {
    std::mutex mutex;
    std::vector<std::string> lines;

    static void write(std::uint32_t level, const char *message, void *warnings) {
        auto *const self = static_cast<Warnings *>(warnings);
        const std::lock_guard<std::mutex> lock(self->mutex);
        if (level == LB_LOG_WARNING) self->lines.emplace_back(message);
    }
};

/// A database of some 128 chunks. Whatever becomes of the reuse, a backup is the whole image.
class Reuse : public ConfiguredTest {
protected:
    DatabaseOptions database() const override { return sizable(); }
    lb_config configuration() override {
        auto wanted = config();
        wanted.user_data = &warnings_;
        wanted.on_log = Warnings::write;
        return wanted;
    }

    static lb_backup_options in_small_chunks() {
        auto wanted = options();
        wanted.chunk_size = 65536;
        return wanted;
    }
    /// Of a level that makes other frames than the child's would be.
    void make_parent() {
        auto wanted = in_small_chunks();
        wanted.compression_level = 1;
        expect_ok(backup(source, parent, wanted));
    }
    static lb_backup_options reusing(const fs::path &archive, lb_backup_options wanted = options()) {
        wanted.reuse_path = archive.c_str();
        return wanted;
    }

    /// As an operator would restore it: with the ordinary tool, and with nothing else at hand.
    void expect_restores(const fs::path &archive) {
        const auto image = plain_image(archive);
        EXPECT_TRUE(read_file(image) == read_file(source)) << "nobody writes, and nothing is left in a log";
        EXPECT_EQ(integrity_check(image), "ok");
        remove_database(image);
    }

    /// All of them: the library is shut down, and has told every line by then.
    std::vector<std::string> warnings() {
        EXPECT_EQ(lb_shutdown(60'000), LB_STATUS_OK);
        return warnings_.lines;
    }

    /// In whole chunks near the middle.
    void change_one_percent() {
        Db(source).exec("UPDATE moves SET bid = 'changed' || substr(bid, 8) WHERE id BETWEEN 500 AND 509");
    }

    const fs::path parent = out / "parent.db.zst";
    const fs::path child = out / "child.db.zst";

private:
    Warnings warnings_;
};

// ------------------------------------------------------------------------------------------------- what is taken over

class ReuseOfEveryKind : public Reuse, public ::testing::WithParamInterface<const char *> {
    DatabaseOptions database() const override { return sizable(GetParam()); }
};

TEST_P(ReuseOfEveryKind, takes_every_frame_of_an_unchanged_database) {
    make_parent();
    const auto before = read_file(parent);
    const auto frames_end = end_of(frames_of(before));

    auto best = options();
    best.compression_level = 19;
    auto job = Job::start(source, child, reusing(parent, best));
    auto was = job.progress();
    for (bool running = true; running;) {
        running = job.wait(0) == LB_STATUS_TIMED_OUT;
        const auto now = job.progress();
        ASSERT_GE(now.bytes_reused, was.bytes_reused);
        was = now;
    }
    const auto outcome = job.join();
    expect_ok(outcome);
    EXPECT_EQ(outcome.bytes_reused, frames_end);
    EXPECT_EQ(was.bytes_reused, outcome.bytes_reused);
    EXPECT_EQ(was.bytes_written, outcome.archive_bytes);
    EXPECT_EQ(outcome.compressing_ns, 0U) << "nothing was left to compress";

    const auto bytes = read_file(child);
    EXPECT_EQ(outcome.archive_bytes, bytes.size());
    EXPECT_TRUE(bytes.compare(0, frames_end, before, 0, frames_end) == 0) << "with the level that they have there";
    expect_restores(child);
    EXPECT_TRUE(read_file(parent) == before);
    EXPECT_EQ(warnings(), std::vector<std::string>{});
}

TEST_P(ReuseOfEveryKind, takes_all_but_what_has_changed) {
    make_parent();
    change_one_percent();
    const auto outcome = backup(source, child, reusing(parent));
    expect_ok(outcome);
    const auto all = end_of(frames_of(read_file(child)));
    EXPECT_GT(outcome.bytes_reused, all * 9 / 10);
    EXPECT_LT(outcome.bytes_reused, all);
    expect_restores(child);
    EXPECT_EQ(warnings(), std::vector<std::string>{});
}

INSTANTIATE_TEST_SUITE_P(Journals, ReuseOfEveryKind, ::testing::Values("WAL", "DELETE"),
                         [](const auto &tested) { return test_name(tested.param); });

TEST_F(Reuse, takes_what_was_before_the_end_of_a_database_that_has_grown) {
    make_parent();
    Db(source).exec("INSERT INTO moves(game, dice, bid) SELECT 1, randomblob(4000), bid FROM moves");
    const auto outcome = backup(source, child, reusing(parent));
    expect_ok(outcome);
    EXPECT_GT(outcome.bytes_reused, end_of(frames_of(read_file(parent))) * 8 / 10);
    expect_restores(child);
}

TEST_F(Reuse, of_a_database_that_has_shrunk_gives_what_is_left) {
    make_parent();
    Db(source).exec("DELETE FROM moves WHERE id > 300; VACUUM");
    ASSERT_LT(fs::file_size(source), 4U << 20);
    expect_ok(backup(source, child, reusing(parent)));
    expect_restores(child);

    write_file(source, "");
    fs::remove(child);
    const auto outcome = backup(source, child, reusing(parent));
    expect_ok(outcome);
    EXPECT_EQ(outcome.bytes_reused, 0U);
    EXPECT_EQ(outcome.image_bytes, 0U);
    EXPECT_EQ(read_file(plain_image(child)), "");
}

TEST_F(Reuse, of_an_archive_of_the_empty_database_gives_the_whole) {
    write_file(dir / "empty.db", "");
    expect_ok(backup(dir / "empty.db", parent));
    expect_ok(backup(source, child, reusing(parent)));
    expect_restores(child);
}

TEST_F(Reuse, takes_nothing_when_another_chunk_size_is_asked_for) {
    make_parent();
    auto larger = options();
    larger.chunk_size = 131'072;
    const auto outcome = backup(source, child, reusing(parent, larger));
    expect_ok(outcome);
    EXPECT_EQ(outcome.bytes_reused, 0U);
    EXPECT_EQ(frames_of(read_file(child)).front().content_size, larger.chunk_size);
    expect_restores(child);

    fs::remove(child);
    expect_ok(backup(source, child, reusing(parent)));
    EXPECT_EQ(frames_of(read_file(child)).front().content_size, 65536U) << "unless it is, the parent's";
}

TEST_F(Reuse, takes_nothing_from_another_database) {
    DatabaseOptions other = database();
    other.seed = 7;
    make_database(dir / "other.db", other);
    expect_ok(backup(dir / "other.db", parent, in_small_chunks()));
    const auto outcome = backup(source, child, reusing(parent));
    expect_ok(outcome);
    EXPECT_LT(outcome.bytes_reused, outcome.archive_bytes / 10) << "equal chunks are equal, wherever they are from";
    expect_restores(child);
}

TEST_F(Reuse, leaves_no_descriptor_behind) {
    make_parent();
    expect_ok(backup(source, child, reusing(parent)));
    const Footprint before(dir.path());
    auto replacing = options();
    replacing.existing = LB_EXISTING_REPLACE;
    for (int i = 0; i < 20; ++i) expect_ok(backup(source, child, reusing(parent, replacing)));
    EXPECT_EQ(before.difference(), "");
}

// -------------------------------------------------------------------------------------------------------- generations

TEST_F(Reuse, makes_an_archive_that_needs_no_other) {
    make_parent();
    auto youngest = parent;
    auto proven = options();
    proven.verify = LB_VERIFY_FULL;
    for (int generation = 1; generation <= 4; ++generation) {
        change_one_percent();
        Db(source).exec("UPDATE players SET rating = " + std::to_string(generation));
        const auto next = out / ("generation" + std::to_string(generation) + ".db.zst");
        const auto outcome = backup(source, next, reusing(youngest, proven));
        expect_ok(outcome);
        EXPECT_GT(outcome.bytes_reused, outcome.archive_bytes * 8 / 10) << "generation " << generation;
        fs::remove(youngest);
        youngest = next;
        expect_restores(youngest);
    }
    EXPECT_EQ(list_dir(out), std::vector<std::string>{"generation4.db.zst"});
}

TEST_F(Reuse, of_the_archive_that_is_replaced) {
    make_parent();
    expect_failed(backup(source, parent, reusing(parent)), LB_STATUS_ALREADY_EXISTS, parent.string());

    change_one_percent();
    auto replacing = options();
    replacing.existing = LB_EXISTING_REPLACE;
    const auto outcome = backup(source, parent, reusing(parent, replacing));
    expect_ok(outcome);
    EXPECT_GT(outcome.bytes_reused, outcome.archive_bytes * 8 / 10);
    expect_restores(parent);
    EXPECT_EQ(list_dir(out), std::vector<std::string>{"parent.db.zst"});
}

TEST_F(Reuse, of_the_archive_that_is_replaced_keeps_it_when_cancelled) {
    make_parent();
    const auto before = read_file(parent);
    auto replacing = throttled();
    replacing.max_bytes_per_second = 1 << 20;
    replacing.existing = LB_EXISTING_REPLACE;
    auto job = Job::start(source, parent, reusing(parent, replacing));
    ASSERT_TRUE(wait_until([&] { return job.progress().bytes_reused > 0; }));
    job.cancel();
    EXPECT_EQ(job.join().status, LB_STATUS_CANCELLED);
    EXPECT_TRUE(read_file(parent) == before);
    EXPECT_EQ(list_dir(out), std::vector<std::string>{"parent.db.zst"});
}

TEST_F(Reuse, of_one_archive_by_many_jobs_while_one_of_them_replaces_it) {
    make_parent();
    const auto all = end_of(frames_of(read_file(parent)));
    auto replacing = options();
    replacing.existing = LB_EXISTING_REPLACE;
    const auto dest = [&](int i) { return i == 0 ? parent : out / (std::to_string(i) + ".db.zst"); };
    std::vector<Job> jobs;
    for (int i = 0; i < 8; ++i) jobs.push_back(Job::start(source, dest(i), reusing(parent, replacing)));
    for (int i = 0; i < 8; ++i) {
        const auto outcome = jobs[static_cast<std::size_t>(i)].join();
        expect_ok(outcome);
        EXPECT_EQ(outcome.bytes_reused, all);
        expect_restores(dest(i));
    }
    EXPECT_EQ(warnings(), std::vector<std::string>{});
}

TEST_F(Reuse, follows_a_link_to_the_latest_archive) {
    make_parent();
    fs::create_symlink(parent, dir / "latest");
    const auto outcome = backup(source, child, reusing(dir / "latest"));
    expect_ok(outcome);
    EXPECT_EQ(outcome.bytes_reused, end_of(frames_of(read_file(parent))));
}

// --------------------------------------------------------------------------------------------------- damaged archives

void flip(std::string &bytes, std::size_t at) { bytes[at] = static_cast<char>(~bytes[at]); }

TEST_F(Reuse, compresses_anew_what_is_damaged_and_warns_of_it) {
    make_parent();
    auto damaged = read_file(parent);
    const auto frames = frames_of(damaged);
    const auto &broken = frames[5];
    flip(damaged, broken.offset + broken.size / 2);
    write_file(parent, damaged);

    const auto outcome = backup(source, child, reusing(parent));
    expect_ok(outcome);
    EXPECT_EQ(outcome.bytes_reused, end_of(frames) - broken.size) << "all but that one";
    expect_restores(child);
    EXPECT_TRUE(read_file(parent) == damaged) << "nobody's to mend";
    const auto told = warnings();
    ASSERT_EQ(told.size(), 1U);
    EXPECT_NE(told[0].find(parent.string()), std::string::npos) << told[0];
}

TEST_F(Reuse, does_without_an_archive_that_is_none) {
    make_parent();
    const auto good = read_file(parent);
    const auto manifest = end_of(frames_of(good));
    const auto table = manifest + 8 + little_endian(good, manifest + 4, 4);
    const auto flipped = [&](std::size_t at) {
        auto bytes = good;
        flip(bytes, at);
        return bytes;
    };
    unzstd(parent, dir / "plain.db");
    ASSERT_EQ(run({"zstd", "-q", source.string(), "-o", (dir / "foreign.zst").string()}), 0);
    const std::map<std::string, std::string> none{
        {"manifest", flipped(manifest + 1000)},        {"manifest_hash", flipped(table - 1)},
        {"manifest_magic", flipped(manifest)},         {"seek_table", flipped(table + 8 + 80)},
        {"seek_table_magic", flipped(table)},          {"seek_table_count", flipped(good.size() - 9)},
        {"last_byte", flipped(good.size() - 1)},       {"cut_short_by_one", good.substr(0, good.size() - 1)},
        {"cut_in_half", good.substr(0, manifest / 2)}, {"table_lost", good.substr(0, table)},
        {"text", "a letter, not an archive\n"},        {"empty", ""},
        {"plain", read_file(dir / "plain.db")},        {"foreign", read_file(dir / "foreign.zst")},
    };
    for (const auto &[name, bytes] : none) {
        SCOPED_TRACE(name);
        write_file(dir / name, bytes);
        const auto outcome = backup(source, child, reusing(dir / name));
        expect_ok(outcome);
        EXPECT_EQ(outcome.bytes_reused, 0U);
        expect_restores(child);
        fs::remove(child);
    }
    const auto told = warnings();
    for (const auto &[name, bytes] : none) {
        const auto path = '"' + (dir / name).string() + '"';
        EXPECT_EQ(std::count_if(told.begin(), told.end(),
                                [&](const auto &line) { return line.find(path) != std::string::npos; }),
                  1)
            << "one warning that names " << path;
    }
    EXPECT_EQ(told.size(), none.size());
}

TEST_F(Reuse, does_without_an_archive_of_another_page_size) {
    make_parent();
    Db(source).exec("PRAGMA journal_mode = DELETE; PRAGMA page_size = 1024; VACUUM; PRAGMA journal_mode = WAL");
    const auto outcome = backup(source, child, reusing(parent));
    expect_ok(outcome);
    EXPECT_EQ(outcome.page_size, 1024U);
    EXPECT_EQ(outcome.bytes_reused, 0U);
    expect_restores(child);
    const auto told = warnings();
    ASSERT_EQ(told.size(), 1U);
    EXPECT_NE(told[0].find(parent.string()), std::string::npos) << told[0];
}

/// One job at a time, so that there is a while between a start and its job.
class ReuseLater : public Reuse {
    lb_config configuration() override {
        auto wanted = Reuse::configuration();
        wanted.max_concurrent_jobs = 1;
        return wanted;
    }
};

TEST_F(ReuseLater, does_without_an_archive_that_is_gone_by_then) {
    make_parent();
    const auto other = dir / "other.db.zst";
    fs::copy_file(parent, other);
    auto running = Job::start(source, out / "running.db", throttled());
    ASSERT_TRUE(wait_until_half_way(running));
    auto first = Job::start(source, child, reusing(parent));
    auto second = Job::start(source, out / "second.db.zst", reusing(other));
    fs::remove(parent);
    fs::remove(other);
    ASSERT_EQ(::mkfifo(other.c_str(), 0600), 0) << "which nobody will ever write to";
    running.set_rate(0);
    for (auto *job : {&first, &second}) {
        const auto outcome = job->join();
        expect_ok(outcome);
        EXPECT_EQ(outcome.bytes_reused, 0U);
    }
    expect_restores(child);
    expect_restores(out / "second.db.zst");
    EXPECT_EQ(warnings().size(), 2U);
}

/// Another process that checkpoints as far as locks let it.
class ReuseOfTheSource : public Reuse {
protected:
    Outsider outsider{source};
};

TEST_F(ReuseOfTheSource, drops_none_of_the_locks_that_its_snapshot_needs) {
    for (const auto *suffix : {"", "-wal", "-shm"}) {
        SCOPED_TRACE(suffix);
        outsider.exec("UPDATE players SET rating = rating + 1");
        const auto path = fs::path(source.string() + suffix);
        const auto before = content_hash(source);
        auto slow = throttled();
        slow.max_bytes_per_second = 1 << 20;
        auto job = Job::start(source, child, reusing(path, slow));
        ASSERT_TRUE(wait_until([&] { return job.progress().bytes_done > 0; }));
        job.set_rate(1);
        outsider.exec("UPDATE moves SET bid = bid || 'later'; PRAGMA wal_checkpoint(TRUNCATE)");
        EXPECT_GT(fs::file_size(source.string() + "-wal"), 0U) << "the snapshot needs the log as it is";
        job.set_rate(0);
        expect_ok(job.join());
        EXPECT_EQ(content_hash(plain_image(child)), before);
        fs::remove(child);
    }
}

// ------------------------------------------------------------------------------------------------------ refused starts

TEST_F(Reuse, of_what_cannot_be_an_archive_is_refused_by_name) {
    make_parent();
    fs::create_directory(dir / "directory");
    ASSERT_EQ(::mkfifo((dir / "fifo").c_str(), 0600), 0);
    fs::create_symlink(dir / "nowhere", dir / "dangling");
    const std::pair<const char *, lb_status> refused[] = {
        {"nowhere.db.zst", LB_STATUS_NOT_FOUND}, {"nowhere/parent.db.zst", LB_STATUS_NOT_FOUND},
        {"dangling", LB_STATUS_NOT_FOUND},       {"directory", LB_STATUS_INVALID_ARGUMENT},
        {"fifo", LB_STATUS_INVALID_ARGUMENT},
    };
    for (const auto &[name, status] : refused) {
        const auto path = dir / name;
        const auto outcome = backup(source, child, reusing(path));
        expect_failed(outcome, status, path.string());
        expect_failed(outcome, status, "reuse_path");
    }
    const auto empty = fs::path();
    expect_failed(backup(source, child, reusing(empty)), LB_STATUS_INVALID_ARGUMENT, "reuse_path");
    EXPECT_EQ(list_dir(out), std::vector<std::string>{"parent.db.zst"});
}

TEST_F(Reuse, for_a_plain_image_is_refused) {
    make_parent();
    expect_failed(backup(source, out / "child.db", reusing(parent)), LB_STATUS_INVALID_ARGUMENT, "reuse_path");
    auto plain = options();
    plain.format = LB_FORMAT_IMAGE;
    expect_failed(backup(source, child, reusing(parent, plain)), LB_STATUS_INVALID_ARGUMENT, "reuse_path");
    EXPECT_EQ(list_dir(out), std::vector<std::string>{"parent.db.zst"});
}

}  // namespace
