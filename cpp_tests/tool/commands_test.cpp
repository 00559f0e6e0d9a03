// Each command does what it says. SPDX-License-Identifier: MIT OR Apache-2.0

#include "tool.hpp"

#include <sys/resource.h>

#include <regex>

using namespace lbtest;

namespace {

class Command : public ToolTest {
protected:
    std::uint64_t hash_of_source() const { return content_hash(source); }
    static fs::path image_of(const fs::path &archive) { return plain_image(archive); }

    static Json json(Words arguments) {
        arguments.emplace_back("--json");
        const auto ended = run_tool(arguments);
        EXPECT_EQ(ended.code, 0) << ended.out << ended.err;
        return ended.object();
    }
};

// ----------------------------------------------------------------------------------------------------------- backup

TEST_F(Command, backup_makes_an_image_or_an_archive_by_its_name_or_as_told) {
    const auto before = hash_of_source();
    EXPECT_EQ(json({"backup", source, out / "a.db"})["format"], "image");
    EXPECT_EQ(json({"backup", source, out / "a.db.zst"})["format"], "zstd");
    EXPECT_EQ(json({"backup", source, out / "plain.zst", "--format", "image"})["format"], "image");
    EXPECT_EQ(json({"backup", source, out / "packed", "--format", "zstd"})["format"], "zstd");
    EXPECT_EQ(content_hash(out / "a.db"), before);
    EXPECT_EQ(content_hash(out / "plain.zst"), before);
    EXPECT_EQ(content_hash(image_of(out / "a.db.zst")), before);
    unzstd(out / "packed", out / "unpacked.db");
    EXPECT_EQ(content_hash(out / "unpacked.db"), before);
}

TEST_F(Command, backup_into_a_directory_gets_a_name_with_the_time) {
    const auto name_of = [](const Json &result) {
        return fs::path(result["archive"].get<std::string>()).filename().string();
    };
    EXPECT_TRUE(
        std::regex_match(name_of(json({"backup", source, out})), std::regex("game-[0-9]{8}T[0-9]{6}Z\\.db\\.zst")));
    EXPECT_TRUE(std::regex_match(name_of(json({"backup", source, out, "--format", "image"})),
                                 std::regex("game-[0-9]{8}T[0-9]{6}Z\\.db")));
    EXPECT_EQ(list_dir(out).size(), 2U);
}

TEST_F(Command, backup_takes_its_options) {
    const auto before = hash_of_source();
    const auto fast = json({"backup", source, out / "fast.zst", "--level", "-7", "--chunk-size", "64K"});
    const auto small = json({"backup", source, out / "small.zst", "--level", "19", "--verify", "full"});
    EXPECT_GT(fast["archive_bytes"], small["archive_bytes"]);
    EXPECT_EQ(json({"inspect", out / "fast.zst"})["chunk_size"], 65536);
    EXPECT_EQ(json({"inspect", out / "small.zst"})["compression_level"], 19);
    EXPECT_TRUE(json({"backup", source, out / "bare.db", "--no-digest", "--verify", "none"})["sha256"].is_null());

    const auto reused = json({"backup", source, out / "next.zst", "--reuse", out / "fast.zst", "--wal-limit", "1GiB"});
    EXPECT_GT(reused["bytes_reused"], 0);
    EXPECT_EQ(json({"inspect", out / "next.zst"})["parent_id"], json({"inspect", out / "fast.zst"})["archive_id"]);
    EXPECT_EQ(content_hash(image_of(out / "next.zst")), before);
}

TEST_F(Command, numbers_are_decimal_and_units_may_stand_off) {
    const auto takes = [&](const char *option, const char *number) {
        const auto ended = run_tool({"backup", source, out / "a.db", "--replace", option, number});
        EXPECT_EQ(ended.code, 0) << option << " " << number << ": " << ended.err;
    };
    for (const auto *rate : {"0", "100M", "100 m", "100MiB", "18446744073709551615"}) takes("--rate", rate);
    for (const auto *time : {"0ms", "10 s", "1min"}) takes("--busy-timeout", time);
    EXPECT_EQ(json({"backup", source, out / "a.zst", "--chunk-size", "64K"})["ok"], true);
    EXPECT_EQ(json({"inspect", out / "a.zst"})["chunk_size"], 65536);
}

TEST_F(Command, backup_replaces_when_told) {
    const auto archive = made("a.db");
    const auto earlier = content_hash(archive);
    Db(source).exec("UPDATE players SET name = 'somebody' WHERE id = 1");
    EXPECT_EQ(run_tool({"backup", source, archive, "--replace"}).code, 0);
    EXPECT_NE(content_hash(archive), earlier);
    EXPECT_EQ(content_hash(archive), hash_of_source());
}

TEST_F(Command, backup_passes_on_what_the_library_warns_of) {
    const auto archive = made("a.db.zst", {"--chunk-size", "64K"});
    const auto bad = damaged(archive, fs::file_size(archive) / 2, "bit.db.zst");
    const auto ended = run_tool({"backup", source, out / "b.db.zst", "--reuse", bad});
    EXPECT_EQ(ended.code, 0);
    EXPECT_TRUE(contains(ended.err, "lbbackup: warning: ") && contains(ended.err, bad)) << ended.err;
    EXPECT_TRUE(contains(json({"backup", source, out / "c.db.zst", "--reuse", bad})["warnings"].at(0), bad));
}

// ---------------------------------------------------------------------------------------------------------- restore

TEST_F(Command, restore_makes_the_same_database_of_every_kind_of_backup) {
    const auto before = hash_of_source();
    const auto plain = made("a.db");
    ASSERT_EQ(run({"zstd", "-q", plain, "-o", out / "foreign.db.zst"}), 0);
    ASSERT_EQ(run({"gzip", "--keep", plain}), 0);
    for (const auto &archive : {plain, made("a.db.zst"), out / "foreign.db.zst", out / "a.db.gz"}) {
        const auto restored = dir / ("from-" + archive.filename().string());
        const auto result = json({"restore", archive, restored});
        EXPECT_EQ(result["database"], restored.string());
        EXPECT_EQ(result["image_bytes"], fs::file_size(plain));
        EXPECT_EQ(content_hash(restored), before) << archive;
    }
}

TEST_F(Command, restore_onto_a_database_keeps_what_was_there) {
    const auto archive = made("a.db.zst");
    const auto then = hash_of_source();
    Db(source).exec("DELETE FROM moves");
    const auto now = hash_of_source();
    const auto result = json({"restore", archive, source, "--replace", "--keep-previous", out / "previous.db.zst"});
    EXPECT_EQ(hash_of_source(), then);
    EXPECT_EQ(content_hash(image_of(out / "previous.db.zst")), now);
}

TEST_F(Command, restore_to_a_new_database_has_nothing_to_keep) {
    const auto archive = made("a.db.zst");
    json({"restore", archive, dir / "new.db", "--replace", "--keep-previous", out / "previous.db"});
    EXPECT_EQ(list_dir(out), Words{"a.db.zst"});
}

TEST_F(Command, restore_that_fails_after_it_kept_what_was_there_tells_where) {
    const auto archive = made("a.db.zst");
    Db(dir / "small.db").exec("PRAGMA journal_mode = WAL; CREATE TABLE t(x); INSERT INTO t VALUES('what was there')");
    const auto before = content_hash(dir / "small.db");
    const auto kept = out / "previous.db";
    const Words arguments = {"restore", archive, dir / "small.db", "--replace", "--keep-previous", kept};
    const auto failed = run_tool(arguments, [] {
        // Room for the backup of the small one, and not for the pages of the other.
        const rlimit most = {128 << 10, 128 << 10};
        ::setrlimit(RLIMIT_FSIZE, &most);
        std::signal(SIGXFSZ, SIG_IGN);
    });
    EXPECT_EQ(failed.code, 4) << failed.err;
    EXPECT_TRUE(contains(failed.err, "the backup of it stays: " + kept.string())) << failed.err;
    EXPECT_EQ(content_hash(kept), before);
    EXPECT_EQ(content_hash(dir / "small.db"), before);

    const auto again = run_tool(arguments);
    EXPECT_EQ(again.code, 6);
    EXPECT_TRUE(contains(again.err, "hint: --keep-previous must name a new file")) << again.err;
    EXPECT_FALSE(contains(again.err, "stays")) << again.err;
}

// ----------------------------------------------------------------------------------------------------------- verify

TEST_F(Command, verify_tells_which_check_failed_and_where) {
    const auto archive = made("a.db.zst", {"--chunk-size", "64K"});
    const auto bad = damaged(archive, fs::file_size(archive) / 2, "bit.db.zst");
    for (const Words &arguments : {Words{"verify", bad}, Words{"verify", "--full", bad}}) {
        const auto text = run_tool(arguments);
        EXPECT_TRUE(contains(text.out, ": FAILED: compressed data, chunk ")) << text.out;
        auto with_json = arguments;
        with_json.emplace_back("--json");
        const auto ended = run_tool(with_json);
        EXPECT_EQ(ended.code, 1);
        const auto result = ended.object();
        EXPECT_EQ(result["status"], "LB_STATUS_CORRUPT");
        EXPECT_EQ(result["failed_check"], "frame");
        EXPECT_GT(result["failed_chunk"], 0);
        EXPECT_LT(result["failed_chunk"], json({"inspect", archive})["chunks"]);
    }
}

TEST_F(Command, verify_finds_a_plain_database_damaged) {
    auto bytes = read_file(made("a.db"));
    bytes.replace(2 * 4096, 4096, std::string(4096, '\xee'));
    write_file(out / "bad.db", bytes);
    const auto ended = run_tool({"verify", out / "a.db", out / "bad.db"});
    EXPECT_EQ(ended.code, 1);
    EXPECT_TRUE(contains(ended.out, "a.db: OK, ")) << ended.out;
    EXPECT_TRUE(contains(ended.out, "bad.db: FAILED: integrity_check")) << ended.out;
}

TEST_F(Command, verify_and_inspect_take_the_names_as_they_are) {
    const auto archive = made("a.db.zst");
    const Words odd = {"[zz]", "[p,q]", "{}", "[]", "%%", "list"};
    for (const auto &name : odd) fs::copy_file(archive, out / name);
    for (const auto *other : {"zz", "p", "q"}) write_file(out / other, "no backup");
    const auto in_out = [&] {
        if (::chdir(out.c_str()) != 0) ::_exit(126);
    };
    for (const auto *command : {"verify", "inspect"}) {
        auto all = odd;
        all.insert(all.begin(), {command, "--json"});
        const auto ended = run_tool(all, in_out);
        EXPECT_EQ(ended.code, 0) << ended.out;
        Words names;
        for (const auto &object : ended.objects())
            names.push_back(object[command == std::string("verify") ? "archive" : "path"]);
        EXPECT_EQ(names, odd);
        for (const auto &name : odd) EXPECT_EQ(run_tool({command, name}, in_out).code, 0) << name;
        EXPECT_EQ(run_tool({command, "[nn]"}, in_out).code, 5);
    }
}

TEST_F(Command, verify_in_full_says_so) {
    const auto ended = run_tool({"verify", "--full", made("a.db.zst")});
    EXPECT_EQ(ended.code, 0);
    EXPECT_TRUE(contains(ended.out, "a.db.zst: OK in full, ")) << ended.out;
}

// -------------------------------------------------------------------------------------------------- inspect and list

TEST_F(Command, inspect_tells_what_the_archive_says) {
    Db(source).exec("PRAGMA user_version = 42; PRAGMA application_id = 1279871561");
    const auto archive = made("a.db.zst");
    const auto text = run_tool({"inspect", archive}).out;
    for (const auto *part : {"archive, format 1", "1279871561", "user_version    42", "SQLite 3.", "Zstandard 1."})
        EXPECT_TRUE(contains(text, part)) << part << " is not in " << text;
    const auto info = json({"inspect", archive});
    EXPECT_EQ(info["kind"], "archive");
    EXPECT_EQ(info["path"], archive.string());
    EXPECT_EQ(info["user_version"], 42);
    EXPECT_EQ(info["application_id"], 1279871561);
    EXPECT_EQ(info["image_bytes"], fs::file_size(source));
    EXPECT_EQ(info["archive_bytes"], fs::file_size(archive));
    EXPECT_EQ(info["archive_id"].get<std::string>().size(), 32U);
    EXPECT_TRUE(info["parent_id"].is_null());
}

TEST_F(Command, list_shows_backups_by_age_and_passes_over_the_rest) {
    const auto plain = made("plain.db");
    const auto archive = made("archive.db.zst");
    ASSERT_EQ(run({"zstd", "-q", plain, "-o", out / "foreign.zst"}), 0);
    ASSERT_EQ(run({"gzip", "--keep", plain}), 0);
    write_file(out / "notes.txt", "no backup");
    write_file(out / "empty", "");
    fs::copy_file(plain, out / ".hidden.db");
    fs::create_directory(out / "folder.db");
    ASSERT_EQ(::mkfifo((out / "pipe.db").c_str(), 0600), 0);
    fs::create_symlink("gone", out / "dangling.db");
    // Their own times, but for the archive, which knows when it was made.
    const auto now = fs::last_write_time(archive);
    fs::last_write_time(out / "foreign.zst", now - std::chrono::hours(3));
    fs::last_write_time(out / "plain.db.gz", now - std::chrono::hours(2));
    fs::last_write_time(plain, now - std::chrono::hours(1));
    fs::last_write_time(archive, now - std::chrono::hours(9));

    const auto names = [](const Ended &ended) {
        Words names;
        for (const auto &object : ended.objects())
            names.push_back(fs::path(object["path"].get<std::string>()).filename().string());
        return names;
    };
    const auto ended = run_tool({"list", out, "--json"});
    EXPECT_EQ(ended.code, 0);
    EXPECT_EQ(names(ended), (Words{"foreign.zst", "plain.db.gz", "plain.db", "archive.db.zst"}));
    EXPECT_EQ(names(run_tool({"list", "--all", out, "--json"})).size(), 7U);

    const auto table = run_tool({"list", out}).out;
    EXPECT_EQ(table.rfind("NAME ", 0), 0U) << table;
    EXPECT_TRUE(std::regex_search(
        table, std::regex("\narchive\\.db\\.zst +archive +[-0-9]{10} [:0-9]{8} +[0-9.]+ MiB +[0-9.]+ [KM]iB "
                          "+[0-9.]+ +[0-9]+ +0\n")))
        << table;
    EXPECT_TRUE(std::regex_search(table, std::regex("\nforeign\\.zst +zstd +.* - +[0-9.]+ [KM]iB +- +- +-\n")))
        << table;
}

TEST_F(Command, list_shows_damaged_archives_as_such) {
    const auto archive = made("a.db.zst");
    // In the manifest, whose hash is not right any more.
    const auto bytes = read_file(archive);
    damaged(archive, bytes.rfind("lb_backup"), "bad.db.zst");
    const auto ended = run_tool({"list", out});
    EXPECT_EQ(ended.code, 1);
    EXPECT_TRUE(std::regex_search(ended.out, std::regex("\nbad\\.db\\.zst +damaged "))) << ended.out;
    EXPECT_TRUE(contains(ended.err, "bad.db.zst")) << ended.err;
}

TEST_F(Command, list_passes_over_a_name_that_is_not_utf8) {
    const auto archive = made("a.db.zst");
    // A byte of another encoding, a character cut short, one longer than needed, a surrogate, and one beyond the last.
    for (const auto *name : {"b\xe9.db.zst", "b\xe2\x82", "b\xc0\xaf", "b\xed\xa0\x80", "b\xf4\x90\x80\x80"})
        fs::copy_file(archive, out / name);
    fs::copy_file(archive, out / "\xc3\xa9\xe2\x82\xac\xf0\x9f\x8e\xb2.db.zst");
    const auto ended = run_tool({"list", out, "--json"});
    EXPECT_EQ(ended.code, 0) << ended.out;
    EXPECT_EQ(ended.objects().size(), 2U) << ended.out;
    const auto all = run_tool({"list", "--all", out, "--json"});
    EXPECT_EQ(all.code, 0) << all.out;
    const auto objects = all.objects();
    EXPECT_EQ(objects.size(), 7U);
    const auto is_other = [](const Json &object) { return object["kind"] == "other"; };
    EXPECT_EQ(std::count_if(objects.begin(), objects.end(), is_other), 5);
}

TEST_F(Command, list_of_an_empty_directory_is_no_error) {
    const auto ended = run_tool({"list", out});
    EXPECT_EQ(ended.code, 0);
    EXPECT_EQ(ended.out, "");
    EXPECT_TRUE(contains(ended.err, "no backups in")) << ended.err;
    EXPECT_EQ(run_tool({"list", out, "--json"}).out, "");
    EXPECT_EQ(run_tool({"list"},
                       [&] {
                           if (::chdir(out.c_str()) != 0) ::_exit(126);
                       })
                  .code,
              0);
}

TEST_F(Command, list_leaves_the_locks_and_the_files_of_a_live_database_alone) {
    Db db(source);
    db.exec("BEGIN IMMEDIATE; UPDATE players SET rating = 0");
    const auto ended = run_tool({"list", dir.path()});
    EXPECT_EQ(ended.code, 0);
    EXPECT_TRUE(contains(ended.out, "game.db ")) << ended.out;
    EXPECT_NE(Outsider(source).try_exec("BEGIN IMMEDIATE"), SQLITE_OK);
    db.exec("COMMIT");
}

// --------------------------------------------------------------------------------------------- help, version, manual

TEST_F(Command, help_has_examples_and_the_manual_has_every_option) {
    const auto manual = std::regex_replace(read_file(LB_TOOL_MANUAL), std::regex("\\.It Fl ([a-z]) , -"), ".It Fl -");
    for (const auto *command : {"", "backup", "restore", "verify", "inspect", "list"}) {
        const auto help = run_tool(*command != '\0' ? Words{command, "--help"} : Words{"--help"});
        EXPECT_EQ(help.code, 0);
        EXPECT_EQ(help.err, "");
        EXPECT_TRUE(contains(help.out, "Examples:\n  lbbackup ")) << help.out;
        const std::regex option("\n  (?:-[a-z],)?-(-[a-z-]+)");
        for (std::sregex_iterator found(help.out.begin(), help.out.end(), option), end; found != end; ++found)
            EXPECT_TRUE(contains(manual, ".It Fl " + (*found)[1].str())) << command << " " << (*found)[1];
    }
}

TEST_F(Command, manual_has_every_name_of_the_objects) {
    const auto manual = read_file(LB_TOOL_MANUAL);
    const auto archive = made("a.db.zst");
    std::vector<Ended> runs = {run_tool({"backup", source, out / "b.db", "--json"}),
                               run_tool({"backup", source, out / "b.db", "--json"}),
                               run_tool({"backup", source, out / "c.zst", "--json", "--progress"}),
                               run_tool({"restore", archive, dir / "restored.db", "--json"}),
                               run_tool({"verify", archive, damaged(archive, 1000, "bad.zst"), "--json"}),
                               run_tool({"inspect", archive, "--json"}),
                               run_tool({"list", out, "--json"})};
    for (const auto &ended : runs)
        for (const auto &object : ended.objects())
            for (const auto &field : object.items())
                EXPECT_TRUE(contains(manual, ".Li " + field.key() + "\n") ||
                            contains(manual, ".Li " + field.key() + " "))
                    << field.key() << " is not in the manual";
}

TEST_F(Command, version_is_that_of_the_library) {
    const auto ended = run_tool({"--version"});
    EXPECT_EQ(ended.code, 0);
    EXPECT_EQ(ended.out, std::string("lbbackup ") + lb_version() + "\n");
}

}  // namespace
