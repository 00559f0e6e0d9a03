// What the tool's exit code tells, for each of them that can be provoked. SPDX-License-Identifier: MIT OR Apache-2.0

#include "restore/parts.hpp"
#include "tool.hpp"

#include <linux/capability.h>
#include <sys/prctl.h>

using namespace lbtest;

namespace {

class ExitCode : public ToolTest {
protected:
    void expect(int code, const Words &arguments, const std::string &culprit, const Prepare &prepare = {}) {
        const auto ended = run_tool(arguments, prepare);
        EXPECT_EQ(ended.code, code) << ended.out << ended.err;
        EXPECT_TRUE(contains(ended.err, culprit)) << "should name " << culprit << ": " << ended.err;
        EXPECT_EQ(ended.err.rfind("lbbackup: ", 0), 0U) << ended.err;
        EXPECT_EQ(ended.out, "");
    }
};

// ---------------------------------------------------------------------------------------------------------- 1: damaged

TEST_F(ExitCode, is_1_for_a_source_that_is_no_database) {
    write_file(dir / "notes.txt", std::string(5000, 'x'));
    expect(1, {"backup", dir / "notes.txt", out / "new.db"}, "notes.txt");
    EXPECT_TRUE(list_dir(out).empty());
}

TEST_F(ExitCode, is_1_for_a_backup_that_cannot_be_restored) {
    const auto archive = made("a.db.zst");
    const auto whole = read_file(archive);
    write_file(out / "cut.db.zst", whole.substr(0, whole.size() / 2));
    write_file(out / "notes.txt", "no backup");
    write_file(out / "empty.db.zst", "");
    for (const auto &bad : {out / "cut.db.zst", damaged(archive, whole.size() / 2, "bit.db.zst"), out / "notes.txt",
                            out / "empty.db.zst"})
        expect(1, {"restore", bad, dir / "restored.db"}, bad);
    EXPECT_FALSE(fs::exists(dir / "restored.db"));
}

TEST_F(ExitCode, is_1_for_a_backup_that_fails_its_verification) {
    const auto archive = made("a.db.zst");
    const auto bad = damaged(archive, fs::file_size(archive) / 2, "bit.db.zst");
    const auto ended = run_tool({"verify", bad});
    EXPECT_EQ(ended.code, 1);
    EXPECT_TRUE(contains(ended.out, bad.string() + ": FAILED: ")) << ended.out;
    EXPECT_TRUE(contains(ended.err, bad)) << ended.err;
}

// ---------------------------------------------------------------------------------------------------------- 2: usage

class Mistake : public ExitCode, public ::testing::WithParamInterface<Words> {};

TEST_P(Mistake, is_2) { expect(2, GetParam(), "hint: "); }

INSTANTIATE_TEST_SUITE_P(
    CommandLine, Mistake,
    ::testing::Values(Words{}, Words{"destroy"}, Words{"backup"}, Words{"backup", "a"}, Words{"backup", "a", "b", "c"},
                      Words{"backup", "a", "b", "--nonsense"}, Words{"backup", "a", "b.zst", "--level", "20"},
                      Words{"backup", "a", "b.zst", "--level", "high"}, Words{"backup", "a", "b", "--level", "3"},
                      Words{"backup", "a", "b", "--reuse", "c.zst"}, Words{"backup", "a", "b", "--format", "zip"},
                      Words{"backup", "a", "b", "--verify", "maybe"}, Words{"backup", "a", "b", "--rate", "5X"},
                      Words{"backup", "a", "b", "--rate", "-5"}, Words{"backup", "a", "b", "--rate", "99999999999T"},
                      Words{"backup", "a", "b", "--rate", "010M"}, Words{"backup", "a", "b", "--rate", "0x10"},
                      Words{"backup", "a", "b", "--rate", "-5b"}, Words{"backup", "a", "b", "--rate", "+5"},
                      Words{"backup", "a", "b", "--rate", "K"}, Words{"backup", "a", "b", "--rate", "1.5M"},
                      Words{"backup", "a", "b", "--rate", "18446744073709551616"},
                      Words{"backup", "a", "b", "--chunk-size", "0100000"},
                      Words{"backup", "a", "b.zst", "--level", "0"}, Words{"backup", "a", "b", "--level", "0"},
                      Words{"backup", "a", "b", "--wal-limit", "0"}, Words{"backup", "a", "b", "--wal-limit", "0K"},
                      Words{"backup", "a", "b.zst", "--level", "010"}, Words{"backup", "a", "b.zst", "--level", "-07"},
                      Words{"backup", "a", "b.zst", "--level", "0x3"},
                      Words{"backup", "a", "b", "--busy-timeout", "010s"},
                      Words{"backup", "a", "b", "--busy-timeout", "4294967296ms"},
                      Words{"backup", "a", "b", "--busy-timeout", "5"},
                      Words{"backup", "a", "b", "--busy-timeout", "5 years"},
                      Words{"backup", "a", "b", "--quiet", "--progress"},
                      Words{"backup", "a", "b", "--progress", "--no-progress"}, Words{"restore", "a"},
                      Words{"restore", "a", "b", "--keep-previous", "c"}, Words{"verify"}, Words{"inspect"},
                      Words{"list", "a", "b"}));

TEST_F(ExitCode, is_2_for_what_the_library_finds_wrong) {
    expect(2, {"backup", source, out / "new.db", "--chunk-size", "1K"}, "chunk_size");
    expect(2, {"backup", source, source, "--replace"}, source);
    expect(2, {"backup", source, ""}, "dest_path");
}

TEST_F(ExitCode, is_2_for_an_empty_path_that_is_given_and_nothing_is_changed) {
    const auto archive = made("a.db.zst");
    Db(source).exec("DELETE FROM moves");
    const auto before = content_hash(source);
    expect(2, {"restore", archive, source, "--replace", "--keep-previous", ""}, "keep_previous");
    expect(2, {"backup", source, out / "b.db.zst", "--reuse", ""}, "reuse_path");
    expect(2, {"backup", source, out / "b.db", "--reuse", ""}, "--reuse");
    EXPECT_EQ(content_hash(source), before);
    EXPECT_EQ(list_dir(out), Words{"a.db.zst"});
}

// ------------------------------------------------------------------------------------------------------ 3: try again

TEST_F(ExitCode, is_3_while_another_program_holds_a_lock) {
    {
        Db db(source);
        db.exec("PRAGMA journal_mode = DELETE");
    }
    Outsider other(source);
    other.exec("BEGIN EXCLUSIVE");
    expect(3, {"backup", source, out / "new.db", "--busy-timeout", "1ms"}, "--busy-timeout");
    other.exec("COMMIT");
    EXPECT_EQ(run_tool({"backup", source, out / "new.db", "--busy-timeout", "1ms"}).code, 0);
    other.exec("BEGIN IMMEDIATE");
    expect(3, {"restore", out / "new.db", source, "--replace", "--busy-timeout", "1ms"}, "--busy-timeout");
}

// ------------------------------------------------------------------------------------------------------- 4: no space

TEST_F(ExitCode, is_4_when_the_disk_is_full) {
    isolated([&] {
        enter_private_mounts();
        mount_small(out, 256 << 10);
        expect(4, {"backup", source, out / "new.db"}, out);
        expect(4, {"backup", source, out / "new.db.zst"}, out);
        EXPECT_TRUE(list_dir(out).empty());
        expect(4, {"restore", source, out / "restored.db"}, out);
        EXPECT_TRUE(list_dir(out).empty());
    });
}

// --------------------------------------------------------------------------------------------------------- 5: system

TEST_F(ExitCode, is_5_for_what_is_not_there) {
    const auto nowhere = (dir / "nowhere" / "x.db").string();
    expect(5, {"backup", nowhere, out / "new.db"}, nowhere);
    expect(5, {"backup", source, nowhere}, (dir / "nowhere").string());
    expect(5, {"restore", nowhere, out / "new.db"}, nowhere);
    expect(5, {"verify", nowhere}, nowhere);
    expect(5, {"inspect", nowhere}, nowhere);
    expect(5, {"list", nowhere}, nowhere);
    expect(5, {"list", source}, source);
}

TEST_F(ExitCode, is_5_for_what_is_not_permitted) {
    const auto archive = made("a.db.zst");
    isolated([&] {
        enter_private_mounts();
        mount_read_only(out);
        expect(5, {"backup", source, out / "new.db"}, out);
        expect(5, {"backup", source, archive, "--replace"}, out);
        expect(5, {"restore", archive, out / "restored.db"}, out);
    });
    EXPECT_EQ(list_dir(out), Words{"a.db.zst"});
}

TEST_F(ExitCode, is_5_for_a_directory_that_list_may_not_look_into) {
    made("a.db.zst");
    ASSERT_EQ(::chmod(out.c_str(), 0444), 0);
    const auto ended = run_tool({"list", out}, [] {
        // Of root, too, the tool then has what the mode bits give.
        for (const auto capability : {CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH}) ::prctl(PR_CAPBSET_DROP, capability);
    });
    EXPECT_EQ(ended.code, 5);
    EXPECT_TRUE(contains(ended.err, "a.db.zst\": Permission denied")) << ended.err;
    EXPECT_TRUE(contains(ended.out, "a.db.zst  unread  -")) << ended.out;
    ASSERT_EQ(::chmod(out.c_str(), 0755), 0);
}

TEST_F(ExitCode, is_5_for_a_link_that_list_cannot_follow) {
    fs::create_symlink("loop.db", out / "loop.db");
    fs::create_symlink("gone", out / "dangling.db");
    const auto ended = run_tool({"list", out, "--json"});
    EXPECT_EQ(ended.code, 5);
    EXPECT_EQ(ended.object()["path"], (out / "loop.db").string());
}

// --------------------------------------------------------------------------------------------------------- 6: exists

TEST_F(ExitCode, is_6_for_what_exists) {
    const auto archive = made("a.db.zst");
    const auto before = read_file(archive);
    expect(6, {"backup", source, archive}, "--replace");
    expect(6, {"restore", archive, source}, "--replace");
    expect(6, {"restore", archive, source, "--replace", "--keep-previous", archive}, archive);
    expect(6, {"restore", archive, out}, "DEST must name a file");
    EXPECT_EQ(read_file(archive), before);
}

// ---------------------------------------------------------------------------------------------------- 7: unsupported

TEST_F(ExitCode, is_7_for_an_archive_of_a_newer_format) {
    auto parts = Parts::of(read_file(made("a.db.zst")));
    parts.field("lb_backup") = cbor(2);
    write_file(out / "newer.db.zst", parts.together());
    expect(7, {"inspect", out / "newer.db.zst"}, "newer.db.zst");
    expect(7, {"restore", out / "newer.db.zst", dir / "restored.db"}, "newer.db.zst");
    expect(7, {"verify", out / "newer.db.zst"}, "newer.db.zst");
}

// ------------------------------------------------------------------------------------------------- several, the worst

TEST_F(ExitCode, of_several_is_that_of_the_worst) {
    const auto good = made("a.db.zst").string();
    const auto bad = damaged(good, fs::file_size(good) / 2, "bit.db.zst").string();
    const auto absent = (out / "absent").string();
    for (const auto *command : {"verify", "inspect"}) {
        EXPECT_EQ(run_tool({command, good, good}).code, 0);
        EXPECT_EQ(run_tool({command, good, absent, good}).code, 5);
        EXPECT_EQ(run_tool({command, good, "", good}).code, 2);
        EXPECT_EQ(run_tool({command, "", absent}).code, 5);
    }
    EXPECT_TRUE(contains(read_file(LB_TOOL_MANUAL), "130 and its like, 70, 1, 7, 4,\n5, 3, 6, 2.\n"));
    for (const auto &order : {Words{bad, absent, good}, Words{good, absent, bad}}) {
        auto arguments = order;
        arguments.insert(arguments.begin(), "verify");
        const auto ended = run_tool(arguments);
        EXPECT_EQ(ended.code, 1);
        EXPECT_TRUE(contains(ended.out, good + ": OK, ")) << ended.out;
        EXPECT_TRUE(contains(ended.out, bad + ": FAILED: ")) << ended.out;
        EXPECT_TRUE(contains(ended.err, absent)) << ended.err;
    }
}

}  // namespace
