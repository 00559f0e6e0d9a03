// The tool in a pipe: what scripts and logs get. SPDX-License-Identifier: MIT OR Apache-2.0

#include "tool.hpp"

#include <regex>

using namespace lbtest;

namespace {

class Pipe : public ToolTest {
protected:
    DatabaseOptions database() const override { return sizable(); }

    Words backup_to(const std::string &name, const Words &more = {}) const {
        Words arguments = {"backup", source, out / name};
        arguments.insert(arguments.end(), more.begin(), more.end());
        return arguments;
    }
    static bool says(PipeRun &run, const std::string &text) {
        return run.wait_until([&] { return contains(run.err, text); });
    }
    static bool has_control_characters(const std::string &text) {
        return std::any_of(text.begin(), text.end(), [](unsigned char c) { return c != '\n' && c < 0x20; });
    }
};

TEST_F(Pipe, progress_is_plain_lines_and_the_result_is_on_stdout) {
    const auto ended = run_tool(backup_to("new.db.zst", {"--rate", "4M"}));
    EXPECT_EQ(ended.code, 0);
    EXPECT_TRUE(
        std::regex_search(ended.err, std::regex("lbbackup: compressing, [0-9.]+ %, [0-9.]+/[0-9.]+ MiB, .* left\n")))
        << ended.err;
    EXPECT_TRUE(std::regex_match(ended.out, std::regex((out / "new.db.zst").string() +
                                                       "\n  [0-9.]+ MiB -> [0-9.]+ MiB \\([0-9.]+x\\), verified, in "
                                                       "[0-9.]+ s\n  SHA-256 [0-9a-f]{64}\n")))
        << ended.out;
    EXPECT_FALSE(has_control_characters(ended.out + ended.err)) << ended.out << ended.err;
}

TEST_F(Pipe, job_that_is_soon_over_needs_no_progress) {
    const auto ended = run_tool({"inspect", source});
    EXPECT_EQ(ended.code, 0);
    EXPECT_EQ(ended.err, "");
}

TEST_F(Pipe, quiet_is_silent_but_for_errors) {
    auto ended = run_tool(backup_to("new.db", {"--quiet"}));
    EXPECT_EQ(ended.code, 0);
    EXPECT_EQ(ended.out + ended.err, "");
    ended = run_tool(backup_to("new.db", {"--quiet"}));
    EXPECT_EQ(ended.code, 6);
    EXPECT_EQ(ended.out, "");
    EXPECT_TRUE(contains(ended.err, "new.db\" exists")) << ended.err;
    EXPECT_EQ(run_tool({"-q", "verify", out / "new.db"}).out, "");
}

TEST_F(Pipe, error_has_a_hint_that_helps) {
    made("new.db");
    EXPECT_TRUE(contains(run_tool(backup_to("new.db")).err, "lbbackup: hint: --replace "));
    EXPECT_EQ(run_tool(backup_to("new.db", {"--replace"})).code, 0);
}

// ------------------------------------------------------------------------------------------------------------- json

TEST_F(Pipe, json_is_one_object_per_result) {
    const auto ended = run_tool(backup_to("new.db.zst", {"--json"}));
    EXPECT_EQ(ended.code, 0);
    EXPECT_EQ(ended.err, "");
    const auto result = ended.object();
    EXPECT_EQ(result["event"], "result");
    EXPECT_EQ(result["command"], "backup");
    EXPECT_EQ(result["ok"], true);
    EXPECT_EQ(result["status"], "LB_STATUS_OK");
    EXPECT_EQ(result["exit_code"], 0);
    EXPECT_EQ(result["source"], source.string());
    EXPECT_EQ(result["archive"], (out / "new.db.zst").string());
    EXPECT_EQ(result["format"], "zstd");
    EXPECT_EQ(result["page_size"], 4096);
    EXPECT_EQ(result["image_bytes"], fs::file_size(source));
    EXPECT_EQ(result["pages"], fs::file_size(source) / 4096);
    EXPECT_EQ(result["archive_bytes"], fs::file_size(out / "new.db.zst"));
    EXPECT_EQ(result["sha256"], sha256sum(out / "new.db.zst"));
    EXPECT_TRUE(result["warnings"].empty());
    const std::regex utc("20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]\\.[0-9]{3}Z");
    for (const auto *when : {"start", "end"})
        EXPECT_TRUE(std::regex_match(result[when].get<std::string>(), utc)) << result[when];
    EXPECT_LE(result["start"], result["end"]);
    EXPECT_GT(result["elapsed_ns"], 0);
}

TEST_F(Pipe, json_failure_is_an_object_with_the_exit_code) {
    const auto ended = run_tool({"backup", dir / "nowhere.db", out / "new.db", "--json"});
    EXPECT_EQ(ended.code, 5);
    EXPECT_EQ(ended.err, "");
    const auto result = ended.object();
    EXPECT_EQ(result["event"], "result");
    EXPECT_EQ(result["ok"], false);
    EXPECT_EQ(result["status"], "LB_STATUS_NOT_FOUND");
    EXPECT_EQ(result["exit_code"], 5);
    EXPECT_EQ(result["sys_errno"], ENOENT);
    EXPECT_TRUE(contains(result["message"], "nowhere.db"));
}

TEST_F(Pipe, json_names_mistakes_of_the_command_line_too) {
    for (const auto &arguments :
         {Words{"--json"}, Words{"backup", "a", "--json"}, Words{"backup", "a", "b", "--nonsense", "--json"},
          Words{"backup", "a", "b", "--quiet", "--json"}}) {
        const auto ended = run_tool(arguments);
        EXPECT_EQ(ended.code, 2);
        const auto result = ended.object();
        EXPECT_EQ(result["status"], "LB_STATUS_INVALID_ARGUMENT");
        EXPECT_EQ(result["exit_code"], 2);
    }
}

TEST_F(Pipe, json_has_progress_when_asked_for) {
    const auto ended = run_tool(backup_to("new.db.zst", {"--json", "--progress", "--rate", "4M"}));
    EXPECT_EQ(ended.code, 0);
    const auto objects = ended.objects();
    ASSERT_GT(objects.size(), 2U) << ended.out;
    EXPECT_EQ(objects.back()["event"], "result");
    double percent = 0;
    for (std::size_t i = 0; i + 1 < objects.size(); ++i) {
        const auto &progress = objects[i];
        EXPECT_EQ(progress["event"], "progress");
        EXPECT_GE(progress["percent"], percent);
        percent = progress["percent"];
        EXPECT_LE(progress["bytes_done"], progress["bytes_total"]);
    }
    EXPECT_TRUE(std::any_of(objects.begin(), objects.end(), [](const Json &object) {
        return object.value("phase", "") == "compressing" && object["eta_ns"].is_number();
    })) << ended.out;
}

TEST_F(Pipe, json_of_a_name_that_is_not_utf8_is_still_json) {
    const auto ended = run_tool({"inspect", dir / "\xff.db", "--json"});
    EXPECT_EQ(ended.code, 2) << "the library takes UTF-8 only";
    EXPECT_EQ(ended.object()["ok"], false);
}

// ---------------------------------------------------------------------------------------------------------- signals

TEST_F(Pipe, signal_cancels_and_its_number_is_in_the_exit_code) {
    const std::vector<std::pair<int, int>> codes = {{SIGINT, 130}, {SIGTERM, 143}, {SIGHUP, 129}};
    for (const auto &[signal, code] : codes) {
        PipeRun run(slowly(backup_to("new.db.zst")));
        ASSERT_TRUE(says(run, "compressing")) << run.err;
        run.signal(signal);
        EXPECT_EQ(run.wait(), code) << run.err;
        EXPECT_TRUE(contains(run.err, "lbbackup: cancelled; nothing was left behind\n")) << run.err;
        EXPECT_EQ(run.out, "");
        EXPECT_TRUE(list_dir(out).empty());
    }
}

TEST_F(Pipe, cancel_is_an_object_with_json) {
    PipeRun run(slowly(backup_to("new.db.zst", {"--json", "--progress"})));
    ASSERT_TRUE(run.wait_until([&] { return contains(run.out, "compressing"); })) << run.out;
    run.signal(SIGTERM);
    EXPECT_EQ(run.wait(), 143);
    const auto result = Json::parse(run.out.substr(run.out.rfind('\n', run.out.size() - 2) + 1));
    EXPECT_EQ(result["status"], "LB_STATUS_CANCELLED");
    EXPECT_EQ(result["exit_code"], 143);
    EXPECT_EQ(run.err, "");
}

TEST_F(Pipe, job_that_failed_has_its_warnings_with_json) {
    write_file(out / "notes.txt", "no backup");
    const auto notes = (out / "notes.txt").string();
    PipeRun run(slowly(backup_to("new.db.zst", {"--json", "--progress", "--reuse", notes})));
    ASSERT_TRUE(run.wait_until([&] { return contains(run.out, "compressing"); })) << run.out;
    run.signal(SIGTERM);
    EXPECT_EQ(run.wait(), 143);
    const auto result = Json::parse(run.out.substr(run.out.rfind('\n', run.out.size() - 2) + 1));
    const auto warnings = result.value("warnings", Json());
    ASSERT_EQ(warnings.size(), 1U) << result;
    EXPECT_TRUE(contains(warnings.at(0), notes)) << result;
    for (const auto &arguments :
         {Words{"restore", notes, out / "new.db", "--json"}, Words{"verify", notes, "--json"}}) {
        const auto failed = run_tool(arguments).object();
        EXPECT_TRUE(failed.value("warnings", Json()).is_array()) << failed;
    }
}

TEST_F(Pipe, signal_that_was_ignored_stays_ignored) {
    PipeRun run(slowly(backup_to("new.db.zst")), [] {
        std::signal(SIGINT, SIG_IGN);  // as a shell's background job
        std::signal(SIGHUP, SIG_IGN);  // as under nohup
    });
    ASSERT_TRUE(says(run, "compressing")) << run.err;
    run.signal(SIGINT);
    run.signal(SIGHUP);
    const auto before = run.err.size();
    ASSERT_TRUE(run.wait_until([&] { return contains(run.err.substr(before), "compressing"); })) << run.err;
    run.signal(SIGTERM);
    EXPECT_EQ(run.wait(), 143) << run.err;
}

// -------------------------------------------------------------------------------------------------- nobody who reads

TEST_F(Pipe, backup_goes_on_when_nobody_reads) {
    PipeRun run(backup_to("new.db.zst", {"--rate", "8M", "--json", "--progress"}));
    ASSERT_TRUE(run.wait_until([&] { return contains(run.out, "compressing"); })) << run.out;
    run.close_output();
    EXPECT_EQ(run.wait(), 5) << "the result was told to nobody";
    EXPECT_EQ(run.err, "");
    EXPECT_EQ(run_tool({"verify", out / "new.db.zst"}).code, 0);
}

TEST_F(Pipe, result_that_cannot_be_written_is_an_error) {
    for (const auto &arguments : {backup_to("new.db"), Words{"list", dir.path()}}) {
        const auto ended = run_tool(arguments, [] { ::dup2(::open("/dev/full", O_WRONLY), STDOUT_FILENO); });
        EXPECT_EQ(ended.code, 5);
        EXPECT_TRUE(contains(ended.err, "cannot write the result: No space left on device")) << ended.err;
    }
    EXPECT_EQ(integrity_check(out / "new.db"), "ok") << "there is a backup all the same";
}

TEST_F(Pipe, closed_descriptor_gets_nothing_else_to_write_to) {
    const auto ended = run_tool(backup_to("new.db"), [] { ::close(STDOUT_FILENO); });
    EXPECT_EQ(ended.code, 5);
    EXPECT_TRUE(contains(ended.err, "cannot write the result: Bad file descriptor")) << ended.err;
    EXPECT_EQ(integrity_check(out / "new.db"), "ok") << "there is a backup all the same";

    PipeRun run(slowly(backup_to("slow.db.zst", {"--json", "--progress"})), [] {
        ::close(STDIN_FILENO);
        ::close(STDERR_FILENO);
    });
    ASSERT_TRUE(run.wait_until([&] { return contains(run.out, "compressing"); })) << run.out;
    for (const auto *number : {"0", "2"})
        EXPECT_EQ(fs::read_symlink(run.proc() / "fd" / number), "/dev/null") << number;
    run.signal(SIGTERM);
    EXPECT_EQ(run.wait(), 143);
}

}  // namespace
