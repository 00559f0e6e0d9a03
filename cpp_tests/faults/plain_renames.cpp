// Publishing on file systems without the flags of renameat2(2), or without links, when a call fails; and what else such
// file systems have not got.
// SPDX-License-Identifier: MIT OR Apache-2.0

#include "api/fixture.hpp"
#include "faults.h"

#include <fcntl.h>
#include <sys/file.h>

using namespace lbtest;

namespace {

class PlainRenames : public ApiTest {
protected:
    void TearDown() override { faults_lack(0); }

    /// One backup to `dest` for each call of the class, which fails; `check` looks at its outcome and what it leaves.
    template <class Prepare, class Check>
    void fail_each(faults_class failing, const lb_backup_options &wanted, Prepare prepare, Check check) {
        for (unsigned long k = 1;; ++k) {
            SCOPED_TRACE(std::string(faults_class_name(failing)) + " " + std::to_string(k));
            fs::remove(dest);
            prepare();
            faults_arm(failing, k, k, EIO);
            const auto outcome = backup(source, dest, wanted);
            faults_disarm();
            if (faults_injected() == 0) {
                expect_ok(outcome);
                EXPECT_GT(k, 1U);
                return;
            }
            check(outcome);
            if (HasFailure()) return;
        }
    }
    void write_earlier() const { write_file(dest, "an earlier backup"); }
    bool is_earlier() const { return read_file(dest) == "an earlier backup"; }
    static lb_backup_options replacing() {
        auto wanted = options();
        wanted.existing = LB_EXISTING_REPLACE;
        return wanted;
    }
    static void expect_told(const lb_result &outcome) {
        expect_failed(outcome, LB_STATUS_IO, "sync");
        EXPECT_EQ(outcome.sys_errno, EIO);
    }
    const fs::path dest = out / "new.db";
    const std::vector<std::string> only_dest{"new.db"};
};

TEST_F(PlainRenames, failing_to_sync_leaves_the_earlier_backup_and_tells_the_error) {
    faults_lack(FAULTS_NO_RENAME_FLAGS);
    fail_each(FAULTS_SYNC, replacing(), [&] { write_earlier(); }, [&](const lb_result &outcome) {
        expect_told(outcome);
        EXPECT_EQ(list_dir(out), only_dest);
        EXPECT_TRUE(is_earlier());
    });
}

TEST_F(PlainRenames, failing_to_link_or_rename_leaves_the_earlier_backup) {
    faults_lack(FAULTS_NO_RENAME_FLAGS);
    for (const auto failing : {FAULTS_LINK, FAULTS_RENAME})
        fail_each(failing, replacing(), [&] { write_earlier(); }, [&](const lb_result &outcome) {
            expect_failed(outcome, LB_STATUS_IO, out.string());
            EXPECT_EQ(list_dir(out), only_dest);
            EXPECT_TRUE(is_earlier());
        });
}

TEST_F(PlainRenames, without_links_a_new_file_that_is_not_durable_stays_and_is_told_of) {
    faults_lack(FAULTS_NO_RENAME_FLAGS | FAULTS_NO_LINKS);
    int staying = 0;
    fail_each(FAULTS_SYNC, replacing(), [&] { write_earlier(); }, [&](const lb_result &outcome) {
        expect_told(outcome);
        EXPECT_EQ(list_dir(out), only_dest);
        if (is_earlier()) return;
        ++staying;
        expect_failed(outcome, LB_STATUS_IO, "the new file stays");
        EXPECT_EQ(content_hash(dest), content_hash(source));
    });
    EXPECT_EQ(staying, 1);
}

/// A name that cannot be removed is left to the next sweep.
TEST_F(PlainRenames, failing_to_remove_the_temporary_name_leaves_nothing_published_beside_an_error) {
    faults_lack(FAULTS_NO_RENAME_FLAGS);
    auto wanted = options();
    wanted.verify = LB_VERIFY_FULL;  // for which the file has a name before it is published
    fail_each(FAULTS_UNLINK, wanted, [] {}, [&](const lb_result &outcome) {
        EXPECT_EQ(fs::exists(dest), outcome.status == LB_STATUS_OK) << outcome.message;
    });
}

TEST_F(PlainRenames, without_links_failing_to_sync_a_new_file_leaves_nothing) {
    faults_lack(FAULTS_NO_RENAME_FLAGS | FAULTS_NO_LINKS);
    auto wanted = replacing();
    wanted.verify = LB_VERIFY_FULL;  // for which the file has a name before it is published
    fail_each(FAULTS_SYNC, wanted, [] {}, [&](const lb_result &outcome) {
        expect_told(outcome);
        EXPECT_TRUE(list_dir(out).empty());
    });
}

/// As on NFS (flock(2), "NFS details").
TEST_F(PlainRenames, what_a_killed_job_left_is_swept_where_only_files_open_for_writing_are_locked) {
    faults_lack(FAULTS_NO_READ_ONLY_FLOCK);
    const std::string held = ".lb_backup-0000000000000001.tmp", left = ".lb_backup-0000000000000002.tmp";
    for (const auto &name : {held, left}) write_file(out / name, "half a backup");
    const int owner = ::open((out / held).c_str(), O_RDWR | O_CLOEXEC);
    if (owner < 0 || ::flock(owner, LOCK_EX) != 0) fail_errno("flock");
    // A directory is swept once a second at most, and this one may have the inode of an earlier one.
    EXPECT_TRUE(wait_until(
        [&] {
            expect_ok(backup(source, dest, replacing()));
            return !fs::exists(out / left);
        },
        std::chrono::seconds(10)));
    EXPECT_EQ(list_dir(out), (std::vector<std::string>{held, "new.db"}));
    ::close(owner);
}

}  // namespace
