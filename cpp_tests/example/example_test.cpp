// The examples that the README names do what they say. SPDX-License-Identifier: MIT OR Apache-2.0

#include "support/support.hpp"

#include <gtest/gtest.h>

using namespace lbtest;

namespace {

class Example : public ::testing::TestWithParam<const char *> {
protected:
    void SetUp() override { make_database(source); }
    int run_example(const std::vector<std::string> &arguments) {
        std::vector<std::string> command{GetParam()};
        command.insert(command.end(), arguments.begin(), arguments.end());
        return run(command, &output);
    }

    TempDir dir;
    const fs::path source = dir / "game.db";
    std::string output;
};

TEST_P(Example, backs_up_and_shows_progress) {
    for (const auto *name : {"copy.db", "copy.db.zst"}) {
        output.clear();
        EXPECT_EQ(run_example({source, dir / name}), 0) << output;
        EXPECT_NE(output.find("100.0 %"), std::string::npos) << output;
    }
    unzstd(dir / "copy.db.zst", dir / "unpacked.db");
    EXPECT_EQ(content_hash(dir / "copy.db"), content_hash(source));
    EXPECT_EQ(content_hash(dir / "unpacked.db"), content_hash(source));
}

TEST_P(Example, tells_by_its_exit_code_that_there_is_no_backup) {
    EXPECT_EQ(run_example({dir / "nowhere.db", dir / "copy.db"}), 1);
    write_file(dir / "bad.db", read_file(source).substr(0, 20'000));
    EXPECT_EQ(run_example({dir / "bad.db", dir / "copy.db"}), 1);
    EXPECT_EQ(run_example({source}), 1);
    EXPECT_FALSE(fs::exists(dir / "copy.db"));
}

INSTANTIATE_TEST_SUITE_P(Each, Example, ::testing::Values(LB_EXAMPLE, LB_EXAMPLE_ASIO),
                         [](const auto &tested) { return fs::path(tested.param).filename().string(); });

}  // namespace
