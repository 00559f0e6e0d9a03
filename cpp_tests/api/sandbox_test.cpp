// Faults that a process brings upon itself and cannot undo: no rights, no room, a read-only place.
// Each happens in a child of its own. SPDX-License-Identifier: MIT OR Apache-2.0

#include "isolated.hpp"

#include <sys/resource.h>
#include <sys/stat.h>

using namespace lbtest;

namespace {

class Sandbox : public ApiTest, public ::testing::WithParamInterface<Kind> {
protected:
    DatabaseOptions database() const override { return sizable(GetParam().journal_mode); }

    static lb_backup_options replacing() {
        auto wanted = options();
        wanted.existing = LB_EXISTING_REPLACE;
        return wanted;
    }
    static std::vector<std::string> only_the_earlier_one() { return {"earlier.db"}; }

    /// The database can be read and its directory searched by everybody.
    void open_to_all() {
        ASSERT_EQ(::chmod(dir.path().c_str(), 0755), 0);
        ASSERT_EQ(::chmod(source.c_str(), 0644), 0);
    }

    /// A reader that may write nothing, not even the -shm, needs -wal and -shm to be there with a read mark in them:
    /// so SQLite has it. The SELECT sets the mark.
    static void leave_files_for_a_reader(Db &host) {
        host.exec("PRAGMA wal_autocheckpoint = 0; UPDATE players SET name = 'in the WAL' WHERE id = 3;"
                  "SELECT * FROM players");
    }

    const fs::path dest = out / GetParam().dest;
    const fs::path earlier = out / "earlier.db";
};

// ------------------------------------------------------------------------------------------------------- no rights

TEST_P(Sandbox, directory_without_write_permission_is_named) {
    open_to_all();
    write_file(earlier, "an earlier backup");
    ASSERT_EQ(::chmod(out.c_str(), 0555), 0);
    // The source's own directory may be written: a reader of a WAL database has files to make there.
    ASSERT_EQ(::chmod(dir.path().c_str(), 0777), 0);
    ASSERT_EQ(::chmod(source.c_str(), 0666), 0);
    isolated([&] {
        become_nobody();
        expect_failed(backup(source, dest), LB_STATUS_PERMISSION_DENIED, out.string());
        expect_failed(backup(source, earlier, replacing()), LB_STATUS_PERMISSION_DENIED, out.string());
    });
    EXPECT_EQ(list_dir(out), only_the_earlier_one());
    EXPECT_EQ(read_file(earlier), "an earlier backup");
    ASSERT_EQ(::chmod(out.c_str(), 0755), 0);
}

TEST_P(Sandbox, source_without_read_permission_is_named) {
    open_to_all();
    ASSERT_EQ(::chmod(source.c_str(), 0), 0);
    ASSERT_EQ(::chmod(out.c_str(), 0777), 0);
    isolated([&] {
        become_nobody();
        expect_failed(backup(source, dest), LB_STATUS_PERMISSION_DENIED, source.string());
    });
    EXPECT_TRUE(list_dir(out).empty());
}

/// A reader of a WAL database has files to make beside it, and beside no link that leads there.
TEST_P(Sandbox, log_that_cannot_be_made_is_a_want_of_permission_also_through_a_link) {
    ASSERT_EQ(::chmod(dir.path().c_str(), 0555), 0);
    ASSERT_EQ(::chmod(source.c_str(), 0666), 0);
    ASSERT_EQ(::chmod(out.c_str(), 0777), 0);
    fs::create_symlink(source, out / "link.db");
    isolated([&] {
        become_nobody();
        for (const auto &path : {source, out / "link.db"}) {
            const auto outcome = backup(path, dest);
            if (GetParam().wal()) {
                expect_failed(outcome, LB_STATUS_PERMISSION_DENIED, path.string());
            } else {
                expect_ok(outcome);
                fs::remove(dest);
            }
        }
    });
    EXPECT_EQ(list_dir(out), std::vector<std::string>{"link.db"});
    ASSERT_EQ(::chmod(dir.path().c_str(), 0755), 0);
}

TEST_P(Sandbox, source_behind_a_closed_directory_is_named) {
    ASSERT_EQ(::chmod(dir.path().c_str(), 0755), 0);
    fs::create_directory(dir / "vault");
    fs::rename(source, dir / "vault" / "game.db");
    ASSERT_EQ(::chmod((dir / "vault").c_str(), 0), 0);
    ASSERT_EQ(::chmod(out.c_str(), 0777), 0);
    isolated([&] {
        become_nobody();
        expect_failed(backup(dir / "vault" / "game.db", dest), LB_STATUS_PERMISSION_DENIED,
                      (dir / "vault" / "game.db").string());
    });
    EXPECT_TRUE(list_dir(out).empty());
    ASSERT_EQ(::chmod((dir / "vault").c_str(), 0755), 0);
}

// --------------------------------------------------------------------------------------------------------- no room

TEST_P(Sandbox, full_disk_is_no_space_and_leaves_nothing) {
    isolated([&] {
        enter_private_mounts();
        mount_small(out, 1 << 20);
        write_file(earlier, "an earlier backup");
        for (int round = 0; round < 3; ++round) {
            expect_failed(backup(source, dest), LB_STATUS_NO_SPACE, out.string());
            expect_failed(backup(source, earlier, replacing()), LB_STATUS_NO_SPACE, out.string());
            EXPECT_EQ(list_dir(out), only_the_earlier_one());
            EXPECT_EQ(read_file(earlier), "an earlier backup");
            EXPECT_LT(fs::space(out).capacity - fs::space(out).free, 100'000U) << "the room is free again";
        }
    });
}

TEST_P(Sandbox, disk_that_lacks_the_last_kilobytes_is_no_space) {
    std::uintmax_t needed = 0;
    isolated([&] { expect_ok(backup(source, dest)); });
    needed = fs::file_size(dest);
    fs::remove(dest);
    isolated([&] {
        enter_private_mounts();
        mount_small(out, (needed / 4096 - 1) * 4096);
        expect_failed(backup(source, dest), LB_STATUS_NO_SPACE, out.string());
        EXPECT_TRUE(list_dir(out).empty());
    });
}

TEST_P(Sandbox, file_size_limit_is_no_space_and_does_not_kill_the_host) {
    write_file(earlier, "an earlier backup");
    isolated([&] {
        const rlimit limit{1 << 20, 1 << 20};
        ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
        expect_failed(backup(source, dest), LB_STATUS_NO_SPACE, out.string());
        expect_failed(backup(source, earlier, replacing()), LB_STATUS_NO_SPACE, out.string());
    });
    EXPECT_EQ(list_dir(out), only_the_earlier_one());
    EXPECT_EQ(read_file(earlier), "an earlier backup");
}

/// What SQLite itself must write before anybody can read: pages that a hot journal brings back, the index of a log.
TEST_P(Sandbox, file_size_limit_is_no_space_in_what_the_source_needs_too) {
    const auto left = dir / "left.db";
    const std::string log = GetParam().wal() ? "-wal" : "-journal";
    {
        Db host(source);
        host.exec("PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = 10");
        host.exec("BEGIN; UPDATE moves SET bid = 'other' WHERE id < 100");
        if (GetParam().wal()) host.exec("COMMIT");
        // As a host leaves it that dies now.
        write_file(left, read_file(source));
        write_file(left.string() + log, read_file(source.string() + log));
    }
    isolated([&] {
        const rlimit limit{16384, 16384};
        ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
        expect_failed(backup(left, dest), LB_STATUS_NO_SPACE, left.string());
    });
    EXPECT_TRUE(list_dir(out).empty());
    isolated([&] { expect_ok(backup(left, dest)); });
}

TEST_P(Sandbox, no_descriptors_left_is_an_io_error_and_passes) {
    isolated([&] {
        expect_ok(backup(source, dest));
        fs::remove(dest);
        rlimit limit{};
        ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
        const rlimit few{4, limit.rlim_max};
        ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
        const auto outcome = backup(source, dest);
        ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
        EXPECT_STREQ(lb_status_name(outcome.status), "LB_STATUS_IO") << outcome.message;
        EXPECT_STRNE(outcome.message, "");
        EXPECT_TRUE(list_dir(out).empty());
        expect_ok(backup(source, dest));
    });
}

// ------------------------------------------------------------------------------------------------ a read-only place

TEST_P(Sandbox, read_only_directory_of_the_source_is_read) {
    open_to_all();
    const auto before = content_hash(source);
    Db host(source);
    leave_files_for_a_reader(host);
    for (const auto *suffix : {"-wal", "-shm"})
        if (fs::exists(source.string() + suffix)) {
            ASSERT_EQ(::chmod((source.string() + suffix).c_str(), 0644), 0);
        }
    ASSERT_EQ(::chmod(dir.path().c_str(), 0555), 0);
    ASSERT_EQ(::chmod(out.c_str(), 0777), 0);
    isolated([&] {
        become_nobody();
        expect_ok(backup(source, dest));
    });
    ASSERT_EQ(::chmod(dir.path().c_str(), 0755), 0);
    const auto image = plain_image(dest);
    EXPECT_NE(content_hash(image), before);
    EXPECT_EQ(content_hash(image), content_hash(host));
}

TEST_P(Sandbox, read_only_file_system_is_read) {
    fs::create_directory(dir / "ro");
    const auto frozen = dir / "ro" / "game.db";
    fs::copy_file(source, frozen);
    Db host(frozen);
    leave_files_for_a_reader(host);
    isolated([&] {
        enter_private_mounts();
        mount_read_only(dir / "ro");
        expect_ok(backup(frozen, dest));
    });
    EXPECT_EQ(content_hash(plain_image(dest)), content_hash(host));
}

/// A reader of a WAL database has an index to make, and cannot tell whether others write by another way to the place.
TEST_P(Sandbox, read_only_file_system_in_which_no_index_can_be_made_is_told) {
    fs::create_directory(dir / "ro");
    const auto frozen = dir / "ro" / "game.db";
    fs::copy_file(source, frozen);
    isolated([&] {
        enter_private_mounts();
        mount_read_only(dir / "ro");
        const auto outcome = backup(frozen, dest);
        if (GetParam().wal()) {
            expect_failed(outcome, LB_STATUS_PERMISSION_DENIED, frozen.string());
            EXPECT_EQ(outcome.sys_errno, EROFS) << outcome.message;
        } else {
            expect_ok(outcome);
        }
    });
}

TEST_P(Sandbox, read_only_destination_is_named) {
    write_file(earlier, "an earlier backup");
    isolated([&] {
        enter_private_mounts();
        mount_read_only(out);
        expect_failed(backup(source, dest), LB_STATUS_PERMISSION_DENIED, out.string());
        expect_failed(backup(source, earlier, replacing()), LB_STATUS_PERMISSION_DENIED, out.string());
    });
    EXPECT_EQ(list_dir(out), only_the_earlier_one());
}

INSTANTIATE_TEST_SUITE_P(Kinds, Sandbox, every_kind(), name_of_kind);

}  // namespace
