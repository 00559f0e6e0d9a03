// Hot journals that name a super-journal (https://sqlite.org/atomiccommit.html, "Multi-file Commit"): whoever rolls one back
// reads a path from the end of a file that anybody may have written, and SQLite opens what is there, and the paths in it, and
// may remove it. SPDX-License-Identifier: MIT OR Apache-2.0

#include "restore/fixture.hpp"

using namespace lbtest;

namespace {

const int died = 9;

/// Lets another process do something, at the end of which it dies in the middle of a transaction: `_exit(died)`.
template <class Work> void in_a_host_that_dies(Work work) {
    const auto child = ::fork();
    if (child < 0) fail_errno("fork");
    if (child == 0) {
        try {
            work();
        } catch (...) {
        }
        ::_exit(1);
    }
    int status = 0;
    if (::waitpid(child, &status, 0) != child) fail_errno("waitpid");
    if (!WIFEXITED(status) || WEXITSTATUS(status) != died) fail("the host has not died where it should");
}

std::string big_endian(std::uint32_t value) {
    auto bytes = le(value, 4);
    std::reverse(bytes.begin(), bytes.end());
    return bytes;
}

/// What SQLite writes to the end of a journal (pager.c, writeSuperJournal).
std::string super_journal_record(const fs::path &super) {
    const auto &name = super.native();
    std::uint32_t sum = 0;
    for (const char c : name) sum += static_cast<std::uint32_t>(static_cast<int>(c));
    return name + big_endian(static_cast<std::uint32_t>(name.size())) + big_endian(sum) +
           "\xd9\xd5\x05\xf9\x20\xa1\x63\xd7";
}

class Journals : public ApiTest {
protected:
    void SetUp() override {
        ApiTest::SetUp();
        committed = content_hash(source);
        make_database(live, another());
        expect_ok(backup(live, other_archive));
        other = content_hash(live);
        remove_database(live);
    }
    DatabaseOptions database() const override {
        DatabaseOptions small;
        small.bytes = 100'000;
        small.rows = 100;
        small.journal_mode = "DELETE";
        return small;
    }

    fs::path journal() const { return source.string() + "-journal"; }

    /// Half of a transaction is in the file, and its journal on the disk.
    void leave_hot_journal() {
        in_a_host_that_dies([&] {
            Db host(source);
            host.exec("PRAGMA cache_size = 1; BEGIN; UPDATE moves SET bid = 'lost'");
            ::_exit(died);
        });
        hot = read_file(source);
        hot_journal = read_file(journal());
        ASSERT_GT(hot_journal.size(), 10'000U);
        ASSERT_NE(hot.find("lost"), std::string::npos);
    }

    /// Everything that rolls back, each time from the same files: the transaction is undone, whoever is named.
    template <class Look> void roll_back(const std::string &record, const fs::path &fifo, Look look) {
        const auto ends = [&](Job job) {
            if (job.wait(30'000) != LB_STATUS_OK) {
                ADD_FAILURE() << "waits for the other end of a FIFO";
                ::close(::open(fifo.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
            }
            const auto outcome = job.join();
            expect_ok(outcome);
            EXPECT_FALSE(fs::exists(journal()));
            look();
            return outcome.status == LB_STATUS_OK;
        };
        const auto lay_out = [&] {
            write_file(source, hot);
            write_file(journal(), hot_journal + record);
        };
        for (const auto *name : {"new.db", "new.db.zst"}) {
            lay_out();
            if (ends(Job::start(source, out / name))) {
                EXPECT_EQ(content_hash(plain_image(out / name)), committed);
            }
            EXPECT_EQ(content_hash(source), committed);
            fs::remove(out / name);
            fs::remove(out / (name + std::string(".image")));
        }
        lay_out();
        ends(Job::start_verify(source, full()));
        lay_out();
        if (ends(Job::start_restore(source, live, restore_options()))) {
            EXPECT_EQ(content_hash(live), committed);
        }
        remove_database(live);
        lay_out();
        ends(Job::start_restore(other_archive, source, replacing()));
        EXPECT_EQ(content_hash(source), other);
    }

    const fs::path live = out / "live.db", other_archive = dir / "other.db.zst";
    std::uint64_t committed = 0, other = 0;
    std::string hot, hot_journal;
};

class Named : public Journals, public ::testing::WithParamInterface<const char *> {};

TEST_P(Named, file_stays_and_is_not_waited_for) {
    const std::string kind = GetParam();
    leave_hot_journal();
    fs::create_directory(dir / "elsewhere");
    const auto victim = dir / "elsewhere" / "victim", fifo = dir / "elsewhere" / "fifo";
    const auto super = kind == "ordinary" ? victim : dir / "elsewhere" / "x-mj0000009AA";
    std::string content = "what somebody else needs";
    if (kind == "list_of_others") content = std::string("/none\0", 6) + "and whatever";
    if (kind == "list_with_this_journal") content = journal().string() + '\0';
    if (kind == "list_with_a_fifo") content = fifo.string() + '\0';
    write_file(kind == "link" || kind == "fifo" || kind == "directory" ? victim : super, content);
    if (kind == "link") fs::create_symlink(victim, super);
    if (kind == "directory") fs::create_directory(super);
    if (::mkfifo((kind == "fifo" ? super : fifo).c_str(), 0600) != 0) fail_errno("mkfifo");
    const auto names = list_dir(super.parent_path());
    roll_back(super_journal_record(super), kind == "fifo" ? super : fifo, [&] {
        EXPECT_EQ(list_dir(super.parent_path()), names);
        EXPECT_TRUE(read_file(fs::exists(victim) ? victim : super) == content);
    });
}

INSTANTIATE_TEST_SUITE_P(Kinds, Named,
                         ::testing::Values("ordinary", "no_list", "list_of_others", "list_with_this_journal",
                                           "list_with_a_fifo", "link", "fifo", "directory"),
                         [](const auto &tested) { return std::string(tested.param); });

/// SQLite opens what a super-journal lists, and closes it again: with that go the locks that the process has on it.
TEST_F(Journals, that_name_a_database_at_work_cost_none_of_its_locks) {
    const auto at_work = dir / "at_work.db";
    make_database(at_work, sizable());
    Db host(at_work);
    host.exec("UPDATE players SET rating = 0");
    auto job = Job::start(at_work, out / "of_it.db.zst", throttled());
    ASSERT_TRUE(wait_until_half_way(job));
    host.exec("UPDATE players SET rating = 1");

    leave_hot_journal();
    const auto super = dir / "x-mj0000009AA";
    write_file(super, at_work.string() + '\0' + at_work.string() + "-shm" + '\0' + journal().string() + '\0');
    write_file(journal(), hot_journal + super_journal_record(super));
    expect_ok(backup(source, out / "of_hostile.db"));

    EXPECT_EQ(host.scalar("PRAGMA wal_checkpoint(TRUNCATE)"), 1) << "the log is needed by the backup";
    job.set_rate(0);
    expect_ok(job.join());
    EXPECT_EQ(Db(plain_image(out / "of_it.db.zst")).scalar("SELECT max(rating) FROM players"), 0);
}

// ------------------------------------------------------------------------------------------------------- what is no journal

class Beside : public Journals, public ::testing::WithParamInterface<const char *> {};

TEST_P(Beside, fifo_is_not_waited_for) {
    for (const auto *mode : {"DELETE", "WAL"}) {
        SCOPED_TRACE(mode);
        remove_database(source);
        auto wanted = database();
        wanted.journal_mode = mode;
        make_database(source, wanted);
        const auto bytes = read_file(source);
        const auto fifo = fs::path(source.string() + GetParam());
        if (::mkfifo(fifo.c_str(), 0600) != 0) fail_errno("mkfifo");
        const auto expect_refused = [&](Job job) {
            if (job.wait(30'000) != LB_STATUS_OK) {
                ADD_FAILURE() << "waits for the other end of a FIFO";
                ::close(::open(fifo.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
            }
            expect_failed(job.join(), LB_STATUS_NOT_A_DATABASE, fifo.string());
            EXPECT_TRUE(fs::is_fifo(fifo));
            EXPECT_TRUE(read_file(source) == bytes);
        };
        expect_refused(Job::start(source, out / "new.db"));
        expect_refused(Job::start_restore(other_archive, source, replacing()));
        fs::remove(fifo);
    }
}

INSTANTIATE_TEST_SUITE_P(Names, Beside, ::testing::Values("-journal", "-wal", "-shm"),
                         [](const auto &tested) { return std::string(tested.param + 1); });

// ------------------------------------------------------------------------------------------- transactions of two databases

/// The host's VFS, which dies where a super-journal is removed: before, when nothing is committed, or after, when all is.
struct Dying {
    static int remove(sqlite3_vfs *, const char *name, int sync) {
        auto *unix = sqlite3_vfs_find("unix");
        if (std::strstr(name, "-mj") == nullptr) return unix->xDelete(unix, name, sync);
        if (is_committed) unix->xDelete(unix, name, sync);
        ::_exit(died);
    }
    static bool is_committed;
};
bool Dying::is_committed = false;

class TwoDatabases : public Journals {
protected:
    void SetUp() override {
        Journals::SetUp();
        make_database(second, database());
    }

    void die_in_commit(bool is_committed) {
        in_a_host_that_dies([&] {
            Dying::is_committed = is_committed;
            auto vfs = *sqlite3_vfs_find("unix");
            vfs.zName = "dying";
            vfs.xDelete = Dying::remove;
            sqlite3_vfs_register(&vfs, 1);
            Db host(source);
            host.exec("ATTACH '" + second.string() + "' AS second");
            host.exec("BEGIN; UPDATE main.players SET rating = 7; UPDATE second.players SET rating = 7; COMMIT");
        });
    }
    std::vector<std::string> super_journals() const {
        auto names = list_dir(dir.path());
        names.erase(std::remove_if(names.begin(), names.end(),
                                   [](const auto &name) { return name.find("-mj") == std::string::npos; }),
                    names.end());
        return names;
    }
    static std::int64_t rating(const fs::path &path) { return Db(path).scalar("SELECT min(rating) FROM players"); }

    const fs::path second = dir / "second.db";
};

TEST_F(TwoDatabases, that_did_not_commit_are_rolled_back_whoever_comes_first) {
    for (const bool library_first : {true, false}) {
        SCOPED_TRACE(library_first);
        die_in_commit(false);
        ASSERT_EQ(super_journals().size(), 1U);
        ASSERT_TRUE(fs::exists(journal()) && fs::exists(second.string() + "-journal"));
        if (!library_first) {
            EXPECT_EQ(content_hash(second), committed);
        }
        expect_ok(backup(source, out / "new.db"));
        EXPECT_EQ(content_hash(out / "new.db"), committed);
        EXPECT_EQ(super_journals().size(), 1U) << "not the library's to remove";
        EXPECT_EQ(content_hash(second), committed);
        EXPECT_EQ(content_hash(source), committed);
        // Whoever rolls back the last of them with another SQLite removes it.
        EXPECT_EQ(super_journals().size(), library_first ? 0U : 1U);
        for (const auto &name : super_journals()) fs::remove(dir / name);
        fs::remove(out / "new.db");
    }
}

TEST_F(TwoDatabases, that_did_commit_stay_so) {
    die_in_commit(true);
    EXPECT_EQ(super_journals().size(), 0U);
    ASSERT_TRUE(fs::exists(journal()) && fs::exists(second.string() + "-journal"));
    expect_ok(backup(source, out / "new.db"));
    EXPECT_EQ(rating(out / "new.db"), 7);
    EXPECT_EQ(rating(source), 7);
    EXPECT_EQ(rating(second), 7);
}

}  // namespace
