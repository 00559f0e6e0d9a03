// The tool on a terminal. SPDX-License-Identifier: MIT OR Apache-2.0

#include "tool.hpp"

#include <regex>
#include <set>

using namespace lbtest;

namespace {

class Terminal : public ToolTest {
protected:
    DatabaseOptions database() const override { return sizable(); }

    static bool shows_bar(TerminalRun &run) {
        return run.wait_until([&] { return !run.bars().empty(); });
    }

    Words backup_to(const std::string &name) const { return {"backup", source, out / name}; }
};

TEST_F(Terminal, bar_is_drawn_and_drawn_over_and_the_summary_stays) {
    auto arguments = backup_to("new.db.zst");
    arguments.insert(arguments.end(), {"--rate", "4M"});  // about two seconds: the bar moves
    TerminalRun run(arguments);
    EXPECT_EQ(run.wait(), 0) << run.raw;

    const auto bars = run.bars();
    EXPECT_GT(std::set<std::string>(bars.begin(), bars.end()).size(), 3U) << run.raw;
    const std::regex look("compressing  █[^ ]*░  +[0-9.]+ %  +[0-9.]+/[0-9.]+ MiB  +[0-9.]+ MiB/s  [0-9]+ s left");
    EXPECT_TRUE(std::any_of(bars.begin(), bars.end(), [&](const auto &bar) { return std::regex_match(bar, look); }))
        << run.raw;

    // Nothing of the bar is left.
    const std::regex summary("✔ " + (out / "new.db.zst").string() +
                             "\n  [0-9.]+ MiB → [0-9.]+ MiB \\([0-9.]+×\\), verified, in [0-9.]+ s\n"
                             "  SHA-256 ([0-9a-f]{64})\n");
    const auto screen = run.screen();
    std::smatch found;
    ASSERT_TRUE(std::regex_match(screen, found, summary)) << screen;
    EXPECT_EQ(found[1], sha256sum(out / "new.db.zst"));
}

TEST_F(Terminal, ctrl_c_cancels_says_so_and_leaves_nothing) {
    write_file(out / "earlier.db.zst", "an earlier backup");
    auto arguments = slowly(backup_to("earlier.db.zst"));
    arguments.emplace_back("--replace");
    TerminalRun run(arguments);
    ASSERT_TRUE(shows_bar(run)) << run.raw;
    run.press_ctrl_c();
    EXPECT_EQ(run.wait(), 130) << run.raw;
    EXPECT_EQ(run.screen(), "lbbackup: cancelled; nothing was left behind\n");
    EXPECT_EQ(list_dir(out), Words{"earlier.db.zst"});
    EXPECT_EQ(read_file(out / "earlier.db.zst"), "an earlier backup");
}

TEST_F(Terminal, second_ctrl_c_does_nothing_worse_than_wait) {
    TerminalRun run(slowly(backup_to("new.db.zst")));
    ASSERT_TRUE(shows_bar(run)) << run.raw;
    run.type("\x03\x03\x03");
    EXPECT_EQ(run.wait(), 130) << run.raw;
    EXPECT_TRUE(contains(run.screen(), "cancelled; nothing was left behind\n")) << run.screen();
    EXPECT_TRUE(list_dir(out).empty());
}

TEST_F(Terminal, ctrl_c_cancels_a_restore_to_a_new_file) {
    const auto archive = made("a.db.zst");
    TerminalRun run(slowly({"restore", archive, out / "restored.db"}));
    ASSERT_TRUE(shows_bar(run)) << run.raw;
    run.press_ctrl_c();
    EXPECT_EQ(run.wait(), 130) << run.raw;
    EXPECT_EQ(run.screen(), "lbbackup: cancelled; nothing was changed\n");
    EXPECT_EQ(list_dir(out), Words{"a.db.zst"});
}

TEST_F(Terminal, ctrl_c_ends_the_verification_of_many) {
    const auto archive = made("a.db.zst").string();
    TerminalRun run(slowly({"verify", "--full", archive, archive, archive}));
    ASSERT_TRUE(shows_bar(run)) << run.raw;
    EXPECT_TRUE(contains(run.bars().front(), "1/3 ")) << run.raw;
    run.press_ctrl_c();
    EXPECT_EQ(run.wait(), 130) << run.raw;
    EXPECT_EQ(run.screen(), "lbbackup: cancelled; nothing was changed\n") << "and the other two are not begun";
}

TEST_F(Terminal, bar_follows_the_width_of_the_window) {
    TerminalRun run(slowly(backup_to("new.db.zst")), 100);
    ASSERT_TRUE(shows_bar(run));
    // The last one may still be on its way.
    const auto width_becomes = [&](auto is_right) {
        return run.wait_until([&] {
            const auto bars = run.bars();
            return bars.size() > 1 && is_right(columns_of(bars[bars.size() - 2]));
        });
    };
    EXPECT_TRUE(width_becomes([](auto width) { return width > 60 && width < 100; })) << run.raw;
    run.resize(40);
    EXPECT_TRUE(width_becomes([](auto width) { return width < 40; })) << run.raw;
    run.resize(120);
    EXPECT_TRUE(width_becomes([](auto width) { return width > 80 && width < 120; })) << run.raw;
}

class TerminalWidth : public Terminal, public ::testing::WithParamInterface<unsigned> {};

TEST_P(TerminalWidth, nothing_that_is_drawn_over_wraps) {
    TerminalRun run(slowly(backup_to("new.db.zst")), GetParam());
    ASSERT_TRUE(run.wait_until([&] { return run.bars().size() > 4; })) << run.raw;
    run.press_ctrl_c();
    EXPECT_EQ(run.wait(), 130);
    for (const auto &bar : run.bars()) EXPECT_LT(columns_of(bar), GetParam()) << bar;
}

INSTANTIATE_TEST_SUITE_P(Columns, TerminalWidth, ::testing::Values(11, 20, 33, 60, 80, 200));

TEST_F(Terminal, no_color_leaves_a_bar_without_colours) {
    TerminalRun run(slowly(backup_to("new.db.zst")), 80, [] { ::setenv("NO_COLOR", "1", 1); });
    ASSERT_TRUE(shows_bar(run)) << run.raw;
    EXPECT_TRUE(contains(run.bars().front(), "░")) << run.raw;
    run.press_ctrl_c();
    EXPECT_EQ(run.wait(), 130);
    EXPECT_FALSE(std::regex_search(run.raw, std::regex("\033\\[[0-9;]*m"))) << run.raw;
}

TEST_F(Terminal, colours_are_there_otherwise) {
    TerminalRun run(backup_to("new.db.zst"));
    EXPECT_EQ(run.wait(), 0);
    EXPECT_TRUE(contains(run.raw, "\033[32m")) << run.raw;
}

TEST_F(Terminal, locale_without_unicode_gets_ascii) {
    TerminalRun run(slowly(backup_to("new.db.zst")), 80, [] { ::setenv("LC_ALL", "C", 1); });
    ASSERT_TRUE(shows_bar(run)) << run.raw;
    EXPECT_TRUE(std::regex_search(run.bars().back(), std::regex("\\[#*\\.+\\]"))) << run.raw;
    run.press_ctrl_c();
    EXPECT_EQ(run.wait(), 130);
    EXPECT_TRUE(std::all_of(run.raw.begin(), run.raw.end(), [](unsigned char c) { return c < 0x80; })) << run.raw;
}

TEST_F(Terminal, dumb_terminal_gets_lines) {
    TerminalRun run(slowly(backup_to("new.db.zst")), 80, [] { ::setenv("TERM", "dumb", 1); });
    ASSERT_TRUE(run.wait_until([&] { return contains(run.raw, "lbbackup: compressing"); })) << run.raw;
    run.press_ctrl_c();
    EXPECT_EQ(run.wait(), 130);
    EXPECT_FALSE(contains(run.raw, "\033")) << run.raw;
    EXPECT_FALSE(std::regex_search(run.raw, std::regex("\r[^\r\n]"))) << "a line is drawn over: " << run.raw;
}

TEST_F(Terminal, result_in_a_file_is_on_the_terminal_too) {
    const auto file = out / "result.txt";
    TerminalRun run(backup_to("new.db.zst"), 80, [&] {
        const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT, 0600);
        ::dup2(fd, STDOUT_FILENO);
    });
    EXPECT_EQ(run.wait(), 0) << run.raw;
    EXPECT_TRUE(contains(run.screen(), "✔ ")) << run.screen();
    const auto plain = read_file(file);
    EXPECT_TRUE(contains(plain, "SHA-256 " + sha256sum(out / "new.db.zst"))) << plain;
    EXPECT_FALSE(contains(plain, "\033")) << plain;
}

TEST_F(Terminal, progress_can_be_switched_off) {
    for (const auto *flag : {"--no-progress", "--quiet", "--json"}) {
        auto arguments = backup_to("new.db.zst");
        arguments.insert(arguments.end(), {"--rate", "8M", "--replace", flag});
        TerminalRun run(arguments);
        EXPECT_EQ(run.wait(), 0) << run.raw;
        EXPECT_FALSE(contains(run.raw, " %")) << run.raw;
        if (flag == std::string("--quiet")) {
            EXPECT_EQ(run.raw, "");
        }
    }
}

TEST_F(Terminal, names_cannot_move_the_cursor) {
    fs::rename(source, dir / "evil\033[2Jname.db");
    TerminalRun list({"list", dir.path()});
    EXPECT_EQ(list.wait(), 0);
    EXPECT_FALSE(contains(list.raw, "\033[2J")) << list.raw;
    EXPECT_TRUE(contains(list.raw, "evil\\x1b[2Jname.db")) << list.raw;
    TerminalRun inspect({"inspect", dir / "evil\033[2Jname.db", dir / "no\033[2Jsuch.db"});
    EXPECT_EQ(inspect.wait(), 5);
    EXPECT_FALSE(contains(inspect.raw, "\033[2J")) << inspect.raw;
}

TEST_F(Terminal, names_are_shown_as_they_are_or_escaped) {
    // A control character of ISO 8859-1 as a byte and as UTF-8, one that is cut short, and text that is turned round.
    const std::string evil = "\x9b" "2J\xc2\x9b" "2J\xe2\x82\xe2\x80\xae" "gpj\xe2\x81\xa6.\xe2\x81\xa9";
    const std::string good = "\xc3\xa9\xe2\x82\xac\xe2\x80\xaf\xf0\x9f\x8e\xb2";
    TerminalRun run({"list", out / (good + evil)}, 1000);
    EXPECT_EQ(run.wait(), 5) << run.raw;
    EXPECT_TRUE(contains(run.raw, good + "\\x9b2J\\u009b2J\\xe2\\x82\\u202egpj\\u2066.\\u2069\": No such")) << run.raw;
}

}  // namespace
