// What the API tests have in common. SPDX-License-Identifier: MIT OR Apache-2.0

#ifndef LBTEST_API_FIXTURE_HPP
#define LBTEST_API_FIXTURE_HPP

#include "support/support.hpp"

#include <gtest/gtest.h>

#include <cctype>
#include <map>
#include <optional>

namespace lbtest {

/// A refusal or a failed job: the status, and a message that names what is to blame.
inline void expect_failed(const lb_result &outcome, lb_status expected, const std::string &culprit) {
    EXPECT_STREQ(lb_status_name(outcome.status), lb_status_name(expected)) << outcome.message;
    EXPECT_NE(std::string(outcome.message).find(culprit), std::string::npos)
        << "the message should name " << culprit << ": " << outcome.message;
}

inline void expect_ok(const lb_result &outcome) {
    ASSERT_STREQ(lb_status_name(outcome.status), "LB_STATUS_OK") << outcome.message;
    EXPECT_STREQ(outcome.message, "");
}

/// The plain database: the archive itself, or what `zstd -d` makes of it beside it.
inline fs::path plain_image(const fs::path &archive) {
    if (archive.extension() != ".zst") return archive;
    const fs::path image = archive.parent_path() / (archive.filename().string() + ".image");
    unzstd(archive, image);
    return image;
}

/// Removes a database and what SQLite may have put beside it.
inline void remove_database(const fs::path &path) {
    for (const auto *suffix : {"", "-wal", "-shm", "-journal"}) fs::remove(path.string() + suffix);
}

/// Until the snapshot stands. Of a throttled job there is more to come, and nobody waits for it.
inline bool wait_until_half_way(const Job &job) {
    return wait_until([&] {
        const auto now = job.progress();
        return now.state == LB_JOB_STATE_RUNNING && now.bytes_total > 0 &&
               (now.phase == LB_PHASE_COPYING || now.phase == LB_PHASE_COMPRESSING);
    });
}

/// A database, and a directory where archives go.
class ApiTest : public ::testing::Test {
protected:
    void SetUp() override {
        fs::create_directory(out);
        make_database(source, database());
    }

    /// What the source is like.
    virtual DatabaseOptions database() const { return {}; }

    /// So big, and so slow, that a job is certainly still at work when the test has looked at it.
    static DatabaseOptions sizable(const std::string &journal_mode = "WAL") {
        DatabaseOptions wanted;
        wanted.bytes = 8 << 20;
        wanted.journal_mode = journal_mode;
        return wanted;
    }
    static lb_backup_options throttled() {
        auto slow = options();
        slow.chunk_size = 65536;
        slow.max_bytes_per_second = 65536;
        return slow;
    }

    TempDir dir;
    const fs::path source = dir / "game.db";
    const fs::path out = dir / "out";
};

/// A test that sets up the library in its own way, and leaves it shut down and with the defaults.
class ConfiguredTest : public ApiTest {
protected:
    void SetUp() override {
        ApiTest::SetUp();
        ASSERT_EQ(lb_shutdown(60'000), LB_STATUS_OK);
        const auto wanted = configuration();
        ASSERT_EQ(lb_configure(&wanted, nullptr), LB_STATUS_OK);
    }
    void TearDown() override {
        EXPECT_EQ(lb_shutdown(60'000), LB_STATUS_OK);
        EXPECT_EQ(lb_configure(nullptr, nullptr), LB_STATUS_OK);
    }

    virtual lb_config configuration() = 0;
};

/// A test after which everything must be as before: the destination's directory with an earlier backup in it, the
/// process's descriptors and threads, the table of handles. One backup goes ahead, so that the library already runs.
class CleanTest : public ApiTest {
protected:
    void SetUp() override {
        ApiTest::SetUp();
        ASSERT_NO_FATAL_FAILURE(expect_ok(backup(source, earlier)));
        remember();
    }

    void TearDown() override {
        EXPECT_EQ(contents(), before_) << "the destination's directory changed";
        EXPECT_EQ(used_->difference(), "");
        std::size_t jobs = 0;
        EXPECT_EQ(lb_backup_jobs(nullptr, 0, &jobs), LB_STATUS_OK);
        EXPECT_EQ(jobs, 0U) << "handles left open";
    }

    /// Takes the present state as the one that must not change; for tests that lay something out first.
    void remember() {
        before_ = contents();
        used_.emplace(dir.path());
    }

    const fs::path earlier = out / "earlier.db";

private:
    std::map<std::string, std::string> contents() const {
        std::map<std::string, std::string> files;
        for (const auto &name : list_dir(out)) {
            const auto type = fs::symlink_status(out / name).type();
            files[name] = type == fs::file_type::regular   ? read_file(out / name)
                          : type == fs::file_type::symlink ? fs::read_symlink(out / name).string()
                                                           : "";
        }
        return files;
    }

    std::map<std::string, std::string> before_;
    std::optional<Footprint> used_;
};

/// Another process with its own connection to a database. It dies with this object.
class Outsider {
public:
    explicit Outsider(fs::path database) {
        int down[2], up[2];
        if (::pipe2(down, O_CLOEXEC) != 0 || ::pipe2(up, O_CLOEXEC) != 0) fail_errno("pipe2");
        child_ = ::fork();
        if (child_ < 0) fail_errno("fork");
        if (child_ == 0) {
            ::close(down[1]);
            ::close(up[0]);
            serve(database, down[0], up[1]);
            ::_exit(0);
        }
        ::close(down[0]);
        ::close(up[1]);
        to_ = down[1];
        from_ = up[0];
    }
    Outsider(const Outsider &) = delete;
    Outsider &operator=(const Outsider &) = delete;
    ~Outsider() {
        ::close(to_);
        ::close(from_);
        ::waitpid(child_, nullptr, 0);
    }

    /// Runs SQL over there; SQLite's code.
    int try_exec(const std::string &sql) {
        const std::size_t size = sql.size();
        int code = -1;
        if (::write(to_, &size, sizeof size) != sizeof size || ::write(to_, sql.data(), size) != ssize_t(size) ||
            ::read(from_, &code, sizeof code) != sizeof code)
            fail_errno("the other process is gone");
        return code;
    }
    void exec(const std::string &sql) {
        if (const int code = try_exec(sql); code != SQLITE_OK) fail(sql + ": " + sqlite3_errstr(code));
    }

private:
    static void serve(const fs::path &database, int from, int to) {
        sqlite3 *db = nullptr;
        std::size_t size = 0;
        while (::read(from, &size, sizeof size) == sizeof size) {
            std::string sql(size, '\0');
            if (::read(from, sql.data(), size) != ssize_t(size)) break;
            int code = db != nullptr ? SQLITE_OK : sqlite3_open(database.c_str(), &db);
            if (code == SQLITE_OK) code = sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr);
            if (::write(to, &code, sizeof code) != sizeof code) break;
        }
        sqlite3_close_v2(db);
    }

    pid_t child_ = 0;
    int to_ = -1;
    int from_ = -1;
};

// ------------------------------------------------------------------------------------------------------ parameters

/// The letters, digits and underscores of a text: what GoogleTest takes for a parameter's name.
inline std::string test_name(std::string text) {
    for (char &c : text)
        if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
    return text;
}

inline std::string format_name(const fs::path &dest) { return dest.extension() == ".zst" ? "compressed" : "plain"; }

/// How the source keeps its journal, and the name of the archive.
struct Kind {
    const char *journal_mode;
    const char *dest;

    bool wal() const { return std::string(journal_mode) == "WAL"; }
    std::string name() const { return std::string(journal_mode) + "_" + format_name(dest); }
    friend std::ostream &operator<<(std::ostream &out, const Kind &kind) { return out << kind.name(); }
};

inline std::string name_of_kind(const ::testing::TestParamInfo<Kind> &tested) { return tested.param.name(); }

inline auto every_kind() {
    return ::testing::Values(Kind{"WAL", "new.db"}, Kind{"WAL", "new.db.zst"}, Kind{"DELETE", "new.db"},
                             Kind{"DELETE", "new.db.zst"});
}

/// The kinds that a rate holds back. Others wait for a rollback-journal source while it is copied, so that is never
/// throttled; what comes after it (compressing) is.
inline auto throttled_kinds() {
    return ::testing::Values(Kind{"WAL", "new.db"}, Kind{"WAL", "new.db.zst"}, Kind{"DELETE", "new.db.zst"});
}

inline std::string name_of_format(const ::testing::TestParamInfo<const char *> &tested) {
    return format_name(tested.param);
}

inline auto both_formats() { return ::testing::Values("new.db", "new.db.zst"); }

}  // namespace lbtest

#endif
