// Restores where there is no room, no right, or no end to what an archive becomes. Each happens in a child of its own.
// SPDX-License-Identifier: MIT OR Apache-2.0

#include "handmade.hpp"
#include "isolated.hpp"

using namespace lbtest;

namespace {

class SandboxedRestore : public IsolatedRestoreTest {
protected:
    void SetUp() override {
        IsolatedRestoreTest::SetUp();
        make_database(dir / "other.db", another());
        live_bytes = read_file(dir / "other.db");
    }

    const fs::path bad = dir / "bad.db.zst";
    std::string live_bytes;
};

// --------------------------------------------------------------------------------------------------------- no room

/// A destination in a small file system of its own, open in a host; the archive differs from it everywhere.
class FullDisk : public SandboxedRestore, public ::testing::WithParamInterface<const char *> {
protected:
    DatabaseOptions database() const override { return of_many_chunks(); }
    void SetUp() override {
        SandboxedRestore::SetUp();
        auto other = database();
        other.seed = 2;
        other.journal_mode = GetParam();
        make_database(dir / "live.db", other);
        unzstd(archive, dir / "image.db");
        gzip(dir / "image.db", dir / "image.db.gz");
    }
};

TEST_P(FullDisk, half_way_the_change_is_taken_back_and_the_host_goes_on) {
    for (const auto *from : {"game.db.zst", "image.db", "image.db.gz"})
        for (const bool open : {true, false}) {
            SCOPED_TRACE(std::string(from) + (open ? " open in a host" : ""));
            isolated([&] {
                enter_private_mounts();
                // Room for the database, and for half of the log or journal that the change needs.
                mount_small(out, fs::file_size(dir / "live.db") * 3 / 2);
                const auto live = out / "live.db";
                fs::copy_file(dir / "live.db", live);
                const auto before = content_hash(live);
                auto host = open ? std::make_unique<Db>(live) : nullptr;
                if (open) host->scalar("SELECT count(*) FROM moves");
                for (int round = 0; round < 2; ++round) {
                    expect_failed(restore(dir / from, live, replacing()), LB_STATUS_NO_SPACE, out.string());
                    if (open) {
                        EXPECT_EQ(content_hash(*host), before);
                        EXPECT_EQ(host->text("PRAGMA integrity_check"), "ok");
                        host->exec("UPDATE players SET rating = rating");
                    } else {
                        EXPECT_EQ(list_dir(out), std::vector<std::string>{"live.db"});
                        EXPECT_EQ(content_hash(live), before);
                        EXPECT_EQ(integrity_check(live), "ok");
                    }
                }
                host.reset();
                EXPECT_EQ(list_dir(out), std::vector<std::string>{"live.db"});
                EXPECT_LT(fs::space(out).capacity - fs::space(out).free, fs::file_size(live) + 100'000)
                    << "the room is free again";
            });
        }
}

TEST_P(FullDisk, kept_copy_that_does_not_fit_stops_it) {
    isolated([&] {
        enter_private_mounts();
        mount_small(out, 1 << 20);
        const auto kept = (out / "kept.db").string();
        const auto before = content_hash(dir / "live.db");
        auto wanted = replacing();
        wanted.keep_previous = kept.c_str();
        expect_failed(restore(archive, dir / "live.db", wanted), LB_STATUS_NO_SPACE, out.string());
        EXPECT_TRUE(list_dir(out).empty());
        EXPECT_EQ(content_hash(dir / "live.db"), before);
    });
}

INSTANTIATE_TEST_SUITE_P(Modes, FullDisk, ::testing::Values("WAL", "DELETE"),
                         [](const auto &tested) { return std::string(tested.param); });

using SmallRoom = SandboxedRestore;

TEST_F(SmallRoom, new_file_that_does_not_fit_leaves_nothing) {
    unzstd(archive, dir / "image.db");
    gzip(dir / "image.db", dir / "image.db.gz");
    for (const auto *from : {"game.db.zst", "image.db", "image.db.gz"})
        isolated([&] {
            enter_private_mounts();
            mount_small(out, fs::file_size(dir / "image.db") / 2);
            expect_failed(restore(dir / from, dest), LB_STATUS_NO_SPACE, out.string());
            EXPECT_TRUE(list_dir(out).empty());
            EXPECT_LT(fs::space(out).capacity - fs::space(out).free, 10'000U);
        });
}

/// Full auto_vacuum and free pages, as sqlite3_autovacuum_pages() leaves them: the image is copied as a whole, and has
/// the layout of what is there.
TEST_F(SmallRoom, copy_of_the_same_layout_that_does_not_fit_is_no_success) {
    const auto make = [](const fs::path &path, const std::string &modes, int rows) {
        Db db(path);
        db.exec("PRAGMA synchronous = OFF; " + modes +
                "; CREATE TABLE t(a INTEGER PRIMARY KEY, b); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1"
                " FROM n WHERE i < " +
                std::to_string(rows) + ") INSERT INTO t SELECT i, randomblob(2000) FROM n");
    };
    const auto freed = dir / "freed.db";
    // In WAL mode, and without a log: read as it is, not copied first.
    make(freed, "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL", 600);
    Db(freed).exec("DELETE FROM t WHERE a > 500");
    write_file(freed, read_file(freed).replace(64, 4, 4, '\0'));
    ASSERT_EQ(Db(freed).scalar("PRAGMA auto_vacuum"), 1);
    ASSERT_GT(Db(freed).scalar("PRAGMA freelist_count"), 0);
    make(dir / "live.db", "PRAGMA auto_vacuum = FULL", 20);
    const auto before = content_hash(dir / "live.db");
    isolated([&] {
        enter_private_mounts();
        mount_small(out, fs::file_size(freed) / 2);
        fs::copy_file(dir / "live.db", out / "live.db");
        expect_failed(restore(freed, out / "live.db", replacing()), LB_STATUS_NO_SPACE, out.string());
        EXPECT_EQ(content_hash(out / "live.db"), before);
        EXPECT_EQ(integrity_check(out / "live.db"), "ok");
        EXPECT_EQ(list_dir(out), std::vector<std::string>{"live.db"});
    });
}

TEST_F(SmallRoom, full_verification_that_does_not_fit_says_so) {
    isolated([&] {
        enter_private_mounts();
        mount_small(out, fs::file_size(archive) + 50'000);
        fs::copy_file(archive, out / "a.db.zst");
        expect_ok(verify(out / "a.db.zst"));
        expect_failed(verify(out / "a.db.zst", full()), LB_STATUS_NO_SPACE, out.string());
        EXPECT_EQ(list_dir(out), std::vector<std::string>{"a.db.zst"});
    });
}

// -------------------------------------------------------------------------------------------------------- no right

using NoRight = SandboxedRestore;

TEST_F(NoRight, backup_in_a_directory_that_cannot_be_written_is_verified_and_restored) {
    auto rollback = database();
    rollback.journal_mode = "DELETE";
    make_database(out / "rollback.db", rollback);
    unzstd(archive, out / "wal.db");
    fs::copy_file(archive, out / "a.db.zst");
    const auto before = list_dir(out);
    isolated([&] {
        enter_private_mounts();
        mount_read_only(out);
        for (const auto &name : before) {
            SCOPED_TRACE(name);
            expect_ok(verify(out / name));
            expect_ok(verify(out / name, full()));
            expect_ok(restore(out / name, dir / "restored.db"));
            expect_ok(restore(out / name, dir / "other.db", replacing()));
            EXPECT_EQ(content_hash(dir / "other.db"), content_hash(dir / "restored.db"));
            remove_database(dir / "restored.db");
            EXPECT_GT(inspect(out / name).pages, 0U);
        }
    });
    EXPECT_EQ(list_dir(out), before);
}

TEST_F(NoRight, archive_in_a_directory_that_only_lets_through_is_verified_elsewhere) {
    const auto temporary = dir / "temporary";
    fs::create_directory(temporary);
    fs::copy_file(archive, out / "a.db.zst");
    ASSERT_EQ(::chmod((out / "a.db.zst").c_str(), 0644), 0);
    ASSERT_EQ(::chmod(dir.path().c_str(), 0755), 0);
    ASSERT_EQ(::chmod(temporary.c_str(), 0777), 0);
    ASSERT_EQ(::chmod(out.c_str(), 0111), 0);
    isolated([&] {
        become_nobody();
        ::setenv("TMPDIR", temporary.c_str(), 1);
        expect_ok(verify(out / "a.db.zst", full()));
    });
    ASSERT_EQ(::chmod(out.c_str(), 0755), 0);
    EXPECT_EQ(list_dir(out), std::vector<std::string>{"a.db.zst"});
    EXPECT_TRUE(list_dir(temporary).empty());
}

/// Images go to TMPDIR then, and so does the sweep: of what a killed verification has left, and of nothing else.
TEST_F(NoRight, image_that_a_killed_verification_left_elsewhere_is_swept_by_the_next) {
    const auto temporary = dir / "temporary";
    fs::create_directory(temporary);
    fs::copy_file(archive, out / "a.db.zst");
    for (const auto *name : {".lb_backup-0123456789abcdef.tmp", ".lb_backup-notes.tmp", "somebody-elses.tmp"})
        write_file(temporary / name, name);
    isolated([&] {
        enter_private_mounts();
        mount_read_only(out);
        ::setenv("TMPDIR", temporary.c_str(), 1);
        expect_ok(verify(out / "a.db.zst", full()));
    });
    EXPECT_EQ(list_dir(temporary), (std::vector<std::string>{".lb_backup-notes.tmp", "somebody-elses.tmp"}));
}

TEST_F(NoRight, destination_that_cannot_be_written_is_named_and_stays) {
    isolated([&] {
        enter_private_mounts();
        fs::copy_file(dir / "other.db", out / "live.db");
        mount_read_only(out);
        const auto outcome = restore(archive, out / "live.db", replacing());
        expect_failed(outcome, LB_STATUS_PERMISSION_DENIED, out.string());
        expect_failed(restore(archive, dest), LB_STATUS_PERMISSION_DENIED, out.string());
        EXPECT_TRUE(read_file(out / "live.db") == live_bytes);
    });
}

/// Root's, for somebody else; or one's own without the right.
TEST_F(NoRight, destination_without_write_permission_is_named_and_stays) {
    ASSERT_EQ(::chmod(dir.path().c_str(), 0755), 0);
    ASSERT_EQ(::chmod(archive.c_str(), 0644), 0);
    for (const auto *journal_mode : {"WAL", "DELETE"})
        for (const bool in_open_directory : {true, false}) {
            SCOPED_TRACE(std::string(journal_mode) + (in_open_directory ? "" : " in a closed directory"));
            const auto live = out / "live.db";
            ASSERT_EQ(::chmod(out.c_str(), 0755), 0);
            remove_database(live);
            auto wanted = database();
            wanted.journal_mode = journal_mode;
            wanted.seed = 2;
            make_database(live, wanted);
            ASSERT_EQ(::chmod(out.c_str(), in_open_directory ? 0777 : 0555), 0);
            ASSERT_EQ(::chmod(live.c_str(), in_open_directory ? 0444 : 0666), 0);
            const auto before = read_file(live);
            isolated([&] {
                become_nobody();
                expect_failed(restore(archive, live, replacing()), LB_STATUS_PERMISSION_DENIED, out.string());
            });
            EXPECT_TRUE(read_file(live) == before);
        }
    ASSERT_EQ(::chmod(out.c_str(), 0755), 0);
}

TEST_F(NoRight, archive_that_cannot_be_read_is_named) {
    ASSERT_EQ(::chmod(dir.path().c_str(), 0755), 0);
    ASSERT_EQ(::chmod(out.c_str(), 0777), 0);
    ASSERT_EQ(::chmod(archive.c_str(), 0), 0);
    isolated([&] {
        become_nobody();
        expect_failed(verify(archive), LB_STATUS_PERMISSION_DENIED, archive.string());
        expect_failed(restore(archive, dest), LB_STATUS_PERMISSION_DENIED, archive.string());
        auto why = error();
        inspect(archive, &why);
        EXPECT_STREQ(lb_status_name(why.status), "LB_STATUS_PERMISSION_DENIED");
        EXPECT_TRUE(list_dir(out).empty());
    });
}

// ------------------------------------------------------------------------------------------------------ an odd place

using OddPlace = SandboxedRestore;

/// SQLite finds out where a link leads, and where a relative path begins.
TEST_F(OddPlace, destination_in_a_directory_whose_path_is_no_utf_8_is_restored) {
    const auto odd = dir / "odd\xff";
    fs::create_directory(odd);
    fs::create_directory_symlink(odd, dir / "link");
    const auto archived = content_hash(source);
    isolated([&] {
        fs::current_path(odd);
        for (const auto &live : {fs::path("live.db"), dir / "link" / "live.db"}) {
            SCOPED_TRACE(live);
            write_file(odd / "live.db", live_bytes);
            expect_ok(restore(archive, live, replacing()));
            EXPECT_EQ(content_hash(odd / "live.db"), archived);
        }
    });
}

/// As in a chroot that nobody has mounted it in.
TEST_F(OddPlace, destination_is_restored_without_proc) {
    const auto archived = content_hash(source);
    isolated([&] {
        enter_private_mounts();
        mount_small("/proc", 4096);
        ASSERT_TRUE(fs::is_empty("/proc"));
        expect_ok(restore(archive, dir / "other.db", replacing()));
    });
    EXPECT_EQ(content_hash(dir / "other.db"), archived);
}

// ----------------------------------------------------------------------------------------------------------- bombs

/// 100 GiB of zeros against 8 MiB.
class Bombs : public SandboxedRestore {
protected:
    void explode(const std::string &bytes, const fs::path &file) {
        write_file(file, bytes);
        isolated([&] {
            enter_private_mounts();
            mount_small(out, 8 << 20);
            const auto small = out / "live.db";
            write_file(small, live_bytes);
            const auto before = list_dir(out);
            expect_failed(restore(file, dest), LB_STATUS_NO_SPACE, out.string());
            EXPECT_EQ(list_dir(out), before);
            expect_failed(restore(file, small, replacing()), LB_STATUS_NO_SPACE, out.string());
            EXPECT_TRUE(read_file(small) == live_bytes);
            EXPECT_EQ(integrity_check(small), "ok");
            EXPECT_EQ(list_dir(out), before);
            EXPECT_LT(fs::space(out).capacity - fs::space(out).free, 400'000U) << "the room is free again";
        });
    }
};

TEST_F(Bombs, another_tools_with_a_size_is_no_space) { explode(bomb(true), bad); }

TEST_F(Bombs, another_tools_without_a_size_is_no_space) { explode(bomb(false), bad); }

TEST_F(Bombs, gzip_is_no_space) {
    for (const bool counted : {true, false}) {
        auto page = first_page(std::uint32_t{1} << 15, counted);
        page.resize(1 << 27);
        write_file(dir / "zeros", page);
        ASSERT_EQ(run({"gzip", "-1", "-f", "-S", ".db.gz", (dir / "zeros").string()}), 0);
        explode(read_file(dir / "zeros.db.gz"), dir / "zeros.db.gz");
    }
}

/// All that it says is true, and all hashes are right: 100 GiB.
TEST_F(Bombs, archive_of_ours_is_no_space_before_anything_is_touched) {
    constexpr std::size_t chunk_bytes = 8 << 20, chunks = 12'800;
    constexpr std::uint32_t pages = chunks * (chunk_bytes / 4096);
    HandmadeFrame first(chunk_bytes), other(chunk_bytes);
    const auto page = first_page(pages, true);
    first.raw(page).zeros(HandmadeFrame::block_bytes - page.size());
    other.zeros(HandmadeFrame::block_bytes);
    for (std::size_t made = HandmadeFrame::block_bytes; made < chunk_bytes; made += HandmadeFrame::block_bytes) {
        first.zeros(HandmadeFrame::block_bytes);
        other.zeros(HandmadeFrame::block_bytes);
    }
    Chunk zeros;
    zeros.put(std::string(chunk_bytes, '\0'), other.end());
    auto parts = Parts::of(read_file(archive));
    parts.chunks.assign(chunks, zeros);
    std::string content = page;
    content.resize(chunk_bytes);
    parts.chunks[0].put(content, first.end());
    parts.field("chunk_size") = cbor(chunk_bytes);
    parts.field("page_count") = cbor(pages);
    explode(parts.together(), bad);
    isolated([&] {
        EXPECT_EQ(inspect(bad).image_bytes, std::uint64_t{100} << 30);
        expect_ok(verify(bad));
    });
}

}  // namespace
