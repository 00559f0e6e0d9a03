// The backup menu, driven by a script and by keys on a terminal. SPDX-License-Identifier: MIT OR Apache-2.0

#include "tool/tool.hpp"

#include <gtest/gtest.h>

#include <regex>

using namespace lbtest;

namespace {

class BackupMenu : public ::testing::Test {
protected:
    // Runs the menu with these lines as its input.
    std::string play_script(const std::string &lines) {
        write_file(dir / "script", lines);
        PipeRun menu({dir / "data"}, [&] {
            const int script = ::open((dir / "script").c_str(), O_RDONLY);
            ::dup2(script, STDIN_FILENO);
        });
        EXPECT_EQ(menu.wait(), 0) << menu.err;
        return menu.out;
    }

    std::vector<std::string> backups() const { return list_dir(dir / "data" / "backups"); }

    TempDir dir;
};

bool says(const std::string &text, const std::string &pattern) { return std::regex_search(text, std::regex(pattern)); }

// The percentages of a backup in the order in which they were drawn.
std::vector<double> drawn_percentages(const std::string &text, const std::string &name) {
    std::vector<double> out;
    const std::regex pattern(name + R"( +([0-9.]+) %)");
    for (std::sregex_iterator match(text.begin(), text.end(), pattern), end; match != end; ++match)
        out.push_back(std::stod((*match)[1]));
    return out;
}

TEST_F(BackupMenu, creates_lists_and_restores_by_a_script) {
    const std::string out = play_script("play 4000\ncreate evening\nwatch\nlist\nplay 1000\nrounds\n"
                                        "restore evening.db.zst\nwatch\nrounds\nquit\n");
    EXPECT_TRUE(says(out, R"(1: backup started[^]*1: evening\.db\.zst, [0-9.]+ MiB, verified)")) << out;
    EXPECT_TRUE(says(out, R"(\n  evening\.db\.zst  manual  [0-9.]+ MiB\n)")) << out;
    EXPECT_TRUE(says(out, R"(\n5000 rounds[^]*restore of evening\.db\.zst is done[^]*\n4000 rounds\n)")) << out;
    EXPECT_EQ(out.find('\033'), std::string::npos) << "control characters in a pipe: " << out;
}

TEST_F(BackupMenu, names_what_is_wrong_and_goes_on) {
    const std::string out = play_script("create ../liarsdice\nwatch\nrestore nothing.db\nwatch\ncancel 7\nplay many\n"
                                        "dance\nplay 10\nrounds\nlist\n");
    EXPECT_TRUE(says(out, R"(backup failed: [^\n]*\.\./liarsdice)")) << out;
    EXPECT_TRUE(says(out, R"(restore of nothing\.db failed: [^\n]*nothing\.db)")) << out;
    EXPECT_TRUE(says(out, R"(7: nothing of this number runs)")) << out;
    EXPECT_TRUE(says(out, R"(play: "many" is not a number)")) << out;
    EXPECT_TRUE(says(out, R"(unknown: dance)")) << out;
    EXPECT_TRUE(says(out, R"(\n10 rounds\nno backups\n$)")) << out;
}

TEST_F(BackupMenu, answers_while_the_progress_line_moves) {
    TerminalRun menu({dir / "data"}, 120);
    menu.type("play 64000\nrate 4\ncreate evening\n");
    // It would take a quarter of a minute, and is let go as soon as the menu was seen to answer in the midst of it.
    const auto percentages = [&] { return drawn_percentages(menu.raw, R"(evening\.db\.zst)"); };
    ASSERT_TRUE(menu.wait_until([&] { return !percentages().empty() && percentages().back() > 0; })) << menu.raw;
    menu.type("rounds\n");
    ASSERT_TRUE(menu.wait_until([&] { return says(menu.raw, "64000 rounds"); })) << menu.raw;
    const double when_answered = percentages().back();
    EXPECT_LT(when_answered, 100);
    ASSERT_TRUE(menu.wait_until([&] { return percentages().back() > when_answered; })) << menu.raw;
    EXPECT_FALSE(says(menu.raw, "verified"));
    menu.type("rate 0\n");
    ASSERT_TRUE(menu.wait_until([&] { return says(menu.raw, R"(1: evening\.db\.zst, [0-9.]+ MiB, verified)"); }));
    menu.type("quit\n");
    EXPECT_EQ(menu.wait(), 0) << menu.raw;
    const auto all = percentages();
    EXPECT_TRUE(std::is_sorted(all.begin(), all.end())) << menu.raw;
    EXPECT_EQ(backups(), std::vector<std::string>{"evening.db.zst"});
}

TEST_F(BackupMenu, cancels_one_backup_and_leaves_the_other) {
    TerminalRun menu({dir / "data"}, 120);
    menu.type("play 64000\nrate 4\ncreate evening\ncreate morning\n");
    ASSERT_TRUE(menu.wait_until([&] { return drawn_percentages(menu.raw, R"(morning\.db\.zst)").size() > 0; }))
        << menu.raw;
    menu.type("cancel 1\n");
    ASSERT_TRUE(menu.wait_until([&] { return says(menu.raw, R"(1: backup was cancelled)"); })) << menu.raw;
    menu.type("rate 0\nwatch\n");
    ASSERT_TRUE(menu.wait_until([&] { return says(menu.raw, R"(2: morning\.db\.zst, [0-9.]+ MiB, verified)"); }))
        << menu.raw;
    menu.type("quit\n");
    EXPECT_EQ(menu.wait(), 0) << menu.raw;
    EXPECT_EQ(backups(), std::vector<std::string>{"morning.db.zst"});
}

TEST_F(BackupMenu, leaves_nothing_half_done_when_the_player_quits) {
    for (const char *keys : {"quit\n", "\x03", "\x04"}) {
        TerminalRun menu({dir / "data"}, 120);
        menu.type("play 64000\nrate 4\ncreate evening\n");
        ASSERT_TRUE(menu.wait_until([&] { return drawn_percentages(menu.raw, R"(evening\.db\.zst)").size() > 0; }))
            << menu.raw;
        menu.type(keys);
        EXPECT_EQ(menu.wait(), 0) << menu.raw;
        EXPECT_EQ(backups(), std::vector<std::string>{});
    }
}

}  // namespace
