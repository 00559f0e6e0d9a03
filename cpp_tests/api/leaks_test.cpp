// Jobs of every outcome, many times over, and the process is as it was. SPDX-License-Identifier: MIT OR Apache-2.0

#include "fixture.hpp"

#include <malloc.h>

#include <atomic>

using namespace lbtest;

namespace {

/// Bytes that malloc has given out, to the host and to the library alike.
std::size_t allocated() { return ::mallinfo2().uordblks; }

/// A queue may be a little longer than last time. The least leak, one per round, is far more.
constexpr std::size_t slack = 1024;

class Leaks : public CleanTest {
protected:
    void SetUp() override {
        CleanTest::SetUp();
        write_file(dir / "text.db", std::string(5000, 'a'));
        write_file(dir / "truncated.db", read_file(source).substr(0, 200'000));
    }

    /// From the archive that is there.
    lb_backup_options again() const {
        auto wanted = options();
        wanted.reuse_path = archive.c_str();
        wanted.existing = LB_EXISTING_REPLACE;
        return wanted;
    }

    /// One of each.
    void one_round() {
        auto bad = options();
        bad.compression_level = 99;
        EXPECT_EQ(backup(source, out / "new.db", bad).status, LB_STATUS_INVALID_ARGUMENT);
        EXPECT_EQ(backup(dir / "nowhere.db", out / "new.db").status, LB_STATUS_NOT_FOUND);
        EXPECT_EQ(backup(source, earlier).status, LB_STATUS_ALREADY_EXISTS);
        EXPECT_EQ(lb_backup_cancel(nullptr), LB_STATUS_INVALID_HANDLE);
        for (const auto *name : {"new.db", "new.db.zst"}) {
            expect_ok(backup(source, out / name));
            if (out / name == archive) expect_ok(backup(source, archive, again()));
            fs::remove(out / name);
            EXPECT_EQ(backup(dir / "text.db", out / name).status, LB_STATUS_NOT_A_DATABASE);
            EXPECT_EQ(backup(dir / "truncated.db", out / name).status, LB_STATUS_CORRUPT);
            auto job = Job::start(source, out / name, throttled());
            EXPECT_EQ(job.cancel(), LB_STATUS_OK);
            EXPECT_EQ(job.join().status, LB_STATUS_CANCELLED);
            auto counted = options();
            std::atomic<int> ends{0};
            counted.user_data = &ends;
            counted.on_progress = [](lb_job *, const lb_progress *, void *) {};
            counted.on_complete = [](lb_job *, const lb_result *, void *count) {
                ++*static_cast<std::atomic<int> *>(count);
            };
            EXPECT_EQ(Job::start(source, out / name, counted).release(), LB_STATUS_OK);
            ASSERT_TRUE(wait_until([&] { return ends == 1; }));
            fs::remove(out / name);
        }
    }

    const fs::path archive = out / "new.db.zst";
};

TEST_F(Leaks, no_memory_descriptor_or_thread_stays_behind) {
    constexpr int rounds = 40;
    for (int i = 0; i < 10; ++i) one_round();  // buffers, tables and caches reach their size
    const auto before = allocated();
    for (int i = 0; i < rounds; ++i) one_round();
    const auto after = allocated();
    EXPECT_LT(after, before + slack) << "after " << rounds * 15 << " calls and jobs";
}

TEST_F(Leaks, no_memory_stays_behind_a_shutdown) {
    const auto once = [&] {
        one_round();
        EXPECT_EQ(lb_shutdown(60'000), LB_STATUS_OK);
    };
    constexpr int rounds = 20;
    for (int i = 0; i < 5; ++i) once();
    const auto before = allocated();
    for (int i = 0; i < rounds; ++i) once();
    EXPECT_LT(allocated(), before + slack);
    expect_ok(backup(source, out / "new.db"));  // runs again, as the fixture found it
    fs::remove(out / "new.db");
}

}  // namespace

/// What threads keep for their next allocation would count as given out, so this runs without those caches. They are
/// set up before main().
int main(int argc, char **argv) {
    if (std::getenv("GLIBC_TUNABLES") == nullptr) {
        ::setenv("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0:glibc.malloc.mxfast=0", 1);
        ::execv("/proc/self/exe", argv);
        fail_errno("execv");
    }
    ::testing::InitGoogleTest(&argc, argv);
    return RUN_ALL_TESTS();
}
