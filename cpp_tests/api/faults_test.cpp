// With the test switches: damage between disk and verification, and defects of the library itself.
// SPDX-License-Identifier: MIT OR Apache-2.0

#include "isolated.hpp"

using namespace lbtest;

namespace {

class Faults : public ApiTest, public ::testing::WithParamInterface<const char *> {
protected:
    void SetUp() override {
        ApiTest::SetUp();
        write_file(earlier, "an earlier backup");
    }
    void TearDown() override {
        EXPECT_EQ(list_dir(out), std::vector<std::string>{"earlier.db"});
        EXPECT_EQ(read_file(earlier), "an earlier backup");
    }
    static lb_backup_options replacing(std::uint32_t verify = LB_VERIFY_QUICK) {
        auto wanted = options();
        wanted.existing = LB_EXISTING_REPLACE;
        wanted.verify = verify;
        return wanted;
    }
    const fs::path dest = out / GetParam();
    const fs::path earlier = out / "earlier.db";
};

TEST_P(Faults, byte_that_the_disk_flipped_is_found_before_publishing) {
    isolated([&] {
        set_hooks("flip-byte");
        for (const std::uint32_t verify : {LB_VERIFY_QUICK, LB_VERIFY_FULL}) {
            auto wanted = options();
            wanted.verify = verify;
            expect_failed(backup(source, dest, wanted), LB_STATUS_CORRUPT, dest.string());
            expect_failed(backup(source, earlier, replacing(verify)), LB_STATUS_CORRUPT, earlier.string());
            wanted.digest = LB_DIGEST_NONE;
            expect_failed(backup(source, dest, wanted), LB_STATUS_CORRUPT, dest.string());
        }
    });
}

TEST_P(Faults, panic_in_a_job_is_its_outcome_and_nothing_else) {
    isolated([&] {
        set_hooks("panic-in-job");
        for (int round = 0; round < 3; ++round) {  // the pool is none the worse for it
            expect_failed(backup(source, dest), LB_STATUS_INTERNAL, "a test asked for it");
            expect_failed(backup(source, earlier, replacing()), LB_STATUS_INTERNAL, "a test asked for it");
        }
        std::size_t jobs = 7;
        EXPECT_EQ(lb_backup_jobs(nullptr, 0, &jobs), LB_STATUS_OK);
        EXPECT_EQ(jobs, 0U);
        EXPECT_EQ(lb_shutdown(60'000), LB_STATUS_OK);
    });
}

TEST_P(Faults, panic_in_a_job_still_calls_on_complete) {
    isolated([&] {
        set_hooks("panic-in-job");
        auto wanted = options();
        auto seen = LB_STATUS_OK;
        wanted.user_data = &seen;
        wanted.on_complete = [](lb_job *, const lb_result *outcome, void *seen_by) {
            *static_cast<lb_status *>(seen_by) = outcome->status;
        };
        EXPECT_EQ(backup(source, dest, wanted).status, LB_STATUS_INTERNAL);
        EXPECT_EQ(seen, LB_STATUS_INTERNAL);
    });
}

TEST_P(Faults, panic_in_a_call_stops_at_the_boundary) {
    isolated([&] {
        set_hooks("panic-in-call");
        for (int round = 0; round < 3; ++round)
            expect_failed(backup(source, dest), LB_STATUS_INTERNAL, "a test asked for it");
        std::size_t jobs = 7;
        EXPECT_EQ(lb_backup_jobs(nullptr, 0, &jobs), LB_STATUS_OK);
        EXPECT_EQ(jobs, 0U);
        EXPECT_EQ(lb_backup_cancel(nullptr), LB_STATUS_INVALID_HANDLE);
        EXPECT_EQ(lb_shutdown(60'000), LB_STATUS_OK);
    });
}

TEST_P(Faults, file_system_without_nameless_files_gets_the_same_backup) {
    isolated([&] {
        set_hooks("no-tmpfile");
        expect_ok(backup(source, dest));
        EXPECT_EQ(content_hash(plain_image(dest)), content_hash(source));
        auto full = options();
        full.verify = LB_VERIFY_FULL;
        expect_ok(backup(source, out / "again.db.zst", full));
        expect_failed(backup(source, dest), LB_STATUS_ALREADY_EXISTS, dest.string());
    });
    for (const auto &name : list_dir(out)) EXPECT_NE(name[0], '.') << name;
    for (const auto &name : list_dir(out)) EXPECT_TRUE(name == "earlier.db" || fs::remove(out / name));
}

INSTANTIATE_TEST_SUITE_P(Formats, Faults, both_formats(), name_of_format);

}  // namespace
