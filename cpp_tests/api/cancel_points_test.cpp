// Cancelled at each of its cancellation points in turn, a job leaves nothing; past the last one it succeeds.
// The switch for it is read once per process, so each point has a process of its own.
// SPDX-License-Identifier: MIT OR Apache-2.0

#include "isolated.hpp"

using namespace lbtest;

namespace {

struct Attempt {
    Kind kind;
    std::uint32_t existing;
    std::uint32_t verify;
};

std::string name_of_attempt(const ::testing::TestParamInfo<Attempt> &tested) {
    return tested.param.kind.name() + (tested.param.existing == LB_EXISTING_REPLACE ? "_replace" : "_refuse") +
           (tested.param.verify == LB_VERIFY_FULL ? "_full" : "_quick");
}

class CancelPoints : public ApiTest, public ::testing::WithParamInterface<Attempt> {
protected:
    DatabaseOptions database() const override {
        DatabaseOptions small;
        small.bytes = 300'000;
        small.rows = 300;
        small.journal_mode = GetParam().kind.journal_mode;
        return small;
    }
};

TEST_P(CancelPoints, each_leaves_nothing_until_none_is_left) {
    const fs::path dest = out / GetParam().kind.dest;
    const bool replaces = GetParam().existing == LB_EXISTING_REPLACE;
    const std::string was = "an earlier backup";
    if (replaces) write_file(dest, was);
    const auto before = list_dir(out);

    auto wanted = options();
    wanted.chunk_size = 65536;
    wanted.existing = GetParam().existing;
    wanted.verify = GetParam().verify;
    const int points = cancel_at_each_point([&] { return backup(source, dest, wanted); },
                                            [&] {
                                                ASSERT_EQ(list_dir(out), before);
                                                EXPECT_TRUE(!replaces || read_file(dest) == was);
                                            });
    ASSERT_FALSE(HasFailure());
    EXPECT_GE(points, 5) << "at least one point for each of the five chunks";
    EXPECT_EQ(list_dir(out), std::vector<std::string>{GetParam().kind.dest});
    EXPECT_EQ(content_hash(plain_image(dest)), content_hash(source));
    RecordProperty("points", points);
}

std::vector<Attempt> attempts() {
    std::vector<Attempt> all;
    for (const auto *journal_mode : {"WAL", "DELETE"})
        for (const auto *dest : {"new.db", "new.db.zst"})
            for (const std::uint32_t existing : {LB_EXISTING_REFUSE, LB_EXISTING_REPLACE})
                for (const std::uint32_t verify : {LB_VERIFY_QUICK, LB_VERIFY_FULL})
                    all.push_back({{journal_mode, dest}, existing, verify});
    return all;
}

INSTANTIATE_TEST_SUITE_P(Attempts, CancelPoints, ::testing::ValuesIn(attempts()), name_of_attempt);

}  // namespace
