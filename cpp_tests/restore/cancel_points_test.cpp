// Cancelled at each of its cancellation points in turn, a restore leaves everything as it was; past the last one it
// succeeds. The switch for it is read once per process, so each point has a process of its own.
// SPDX-License-Identifier: MIT OR Apache-2.0

#include "isolated.hpp"

using namespace lbtest;

namespace {

/// What is restored, and onto what.
struct Attempt {
    const char *from;          // game.db.zst, image.db or theirs.db.gz
    const char *journal_mode;  // of the destination; empty if there is none
    std::uint32_t verify;
    bool keeps = false;
    int page_size = 4096;

    std::string name() const {
        return test_name(from) + "_" + (*journal_mode != '\0' ? journal_mode : "new") +
               (verify == LB_VERIFY_FULL ? "_full" : "_quick") + (keeps ? "_keeping" : "") +
               (page_size != 4096 ? "_other_pages" : "");
    }
    friend std::ostream &operator<<(std::ostream &to, const Attempt &attempt) { return to << attempt.name(); }
};

class CancelPoints : public IsolatedRestoreTest, public ::testing::WithParamInterface<Attempt> {
protected:
    void take_archive() override {
        IsolatedRestoreTest::take_archive();
        unzstd(archive, dir / "image.db");
        gzip(dir / "image.db", dir / "theirs.db.gz");
    }
    void SetUp() override {
        IsolatedRestoreTest::SetUp();
        archived = content_hash(dir / "image.db");
        if (*GetParam().journal_mode == '\0') return;
        DatabaseOptions other;
        other.seed = 2;
        other.bytes = 200'000;
        other.rows = 200;
        other.page_size = GetParam().page_size;
        other.journal_mode = GetParam().journal_mode;
        make_database(dest, other);
        present = content_hash(dest);
    }

    void expect_untouched() {
        if (*GetParam().journal_mode == '\0') {
            EXPECT_TRUE(list_dir(out).empty());
            return;
        }
        EXPECT_EQ(list_dir(out), std::vector<std::string>{"restored.db"});
        EXPECT_EQ(content_hash(dest), present);
        EXPECT_EQ(integrity_check(dest), "ok");
        EXPECT_EQ(Db(dest).text("PRAGMA journal_mode"),
                  std::string(GetParam().journal_mode) == "WAL" ? "wal" : "delete");
    }

    std::uint64_t archived = 0, present = 0;
};

TEST_P(CancelPoints, each_leaves_everything_as_it_was_until_none_is_left) {
    const std::string kept = (out / "kept.db").string();
    auto wanted = replacing();
    wanted.verify = GetParam().verify;
    if (GetParam().keeps) wanted.keep_previous = kept.c_str();
    const int points = cancel_at_each_point([&] { return restore(dir / GetParam().from, dest, wanted); },
                                            [&] {
                                                // Once it is complete, the backup of what was there stays: the caller may want it whatever became of the
                                                // rest.
                                                if (GetParam().keeps && fs::exists(kept)) {
                                                    EXPECT_EQ(content_hash(kept), present);
                                                    fs::remove(kept);
                                                }
                                                expect_untouched();
                                            });
    ASSERT_FALSE(HasFailure());
    EXPECT_GE(points, GetParam().from == std::string("game.db.zst") ? 5 : 2) << "one for each chunk at least";
    EXPECT_EQ(content_hash(dest), archived);
    EXPECT_EQ(integrity_check(dest), "ok");
    if (GetParam().keeps) {
        EXPECT_EQ(content_hash(kept), present);
    }
    RecordProperty("points", points);
}

INSTANTIATE_TEST_SUITE_P(
    Attempts, CancelPoints,
    ::testing::Values(Attempt{"game.db.zst", "", LB_VERIFY_QUICK}, Attempt{"game.db.zst", "", LB_VERIFY_FULL},
                      Attempt{"image.db", "", LB_VERIFY_QUICK}, Attempt{"theirs.db.gz", "", LB_VERIFY_QUICK},
                      Attempt{"game.db.zst", "WAL", LB_VERIFY_QUICK}, Attempt{"game.db.zst", "DELETE", LB_VERIFY_QUICK},
                      Attempt{"game.db.zst", "WAL", LB_VERIFY_FULL}, Attempt{"image.db", "WAL", LB_VERIFY_QUICK},
                      Attempt{"image.db", "DELETE", LB_VERIFY_QUICK}, Attempt{"theirs.db.gz", "WAL", LB_VERIFY_QUICK},
                      Attempt{"theirs.db.gz", "DELETE", LB_VERIFY_FULL},
                      Attempt{"game.db.zst", "WAL", LB_VERIFY_QUICK, true},
                      Attempt{"game.db.zst", "DELETE", LB_VERIFY_QUICK, true},
                      Attempt{"game.db.zst", "WAL", LB_VERIFY_QUICK, false, 1024},
                      Attempt{"game.db.zst", "DELETE", LB_VERIFY_QUICK, false, 1024}),
    [](const auto &tested) { return tested.param.name(); });

}  // namespace
