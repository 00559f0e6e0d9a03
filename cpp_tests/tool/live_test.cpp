// The normal case: another program has the database open and writes. SPDX-License-Identifier: MIT OR Apache-2.0

#include "tool.hpp"

using namespace lbtest;

namespace {

/// Another process that commits for ever: the numbers from 1 on, one row each. It tells each number when its commit has
/// been acknowledged. The pauses are those of a program: a rollback journal that is never let go keeps readers out.
class Writer {
public:
    explicit Writer(const fs::path &database) {
        int ends[2];
        if (::pipe2(ends, O_CLOEXEC) != 0) fail_errno("pipe2");
        child_ = ::fork();
        if (child_ < 0) fail_errno("fork");
        if (child_ == 0) {
            ::close(ends[0]);
            write_for_ever(database, ends[1]);
            ::_exit(1);
        }
        ::close(ends[1]);
        from_ = ends[0];
        ::fcntl(from_, F_SETFL, O_NONBLOCK);
    }
    Writer(const Writer &) = delete;
    Writer &operator=(const Writer &) = delete;
    ~Writer() {
        ::kill(child_, SIGKILL);
        ::waitpid(child_, nullptr, 0);
        ::close(from_);
    }

    /// The last number that is certainly in the database.
    std::int64_t acknowledged() {
        std::int64_t number = 0;
        while (::read(from_, &number, sizeof number) == sizeof number) last_ = number;
        return last_;
    }
    bool goes_on() {
        const auto now = acknowledged();
        return wait_until([&] { return acknowledged() > now + 10; });
    }

private:
    static void write_for_ever(const fs::path &database, int to) {
        Db db(database);
        sqlite3_busy_timeout(db.handle(), 60'000);
        db.exec("CREATE TABLE IF NOT EXISTS numbers(n INTEGER PRIMARY KEY, noise BLOB)");
        for (std::int64_t n = 1;; ++n) {
            db.exec("INSERT OR REPLACE INTO numbers VALUES(" + std::to_string(n) + ", randomblob(500))");
            if (::write(to, &n, sizeof n) != sizeof n) return;
            std::this_thread::sleep_for(std::chrono::milliseconds(2));
        }
    }

    pid_t child_ = 0;
    int from_ = -1;
    std::int64_t last_ = 0;
};

class Live : public ToolTest, public ::testing::WithParamInterface<Kind> {
protected:
    DatabaseOptions database() const override { return sizable(GetParam().journal_mode); }
};

TEST_P(Live, backup_beside_a_writer_holds_every_acknowledged_commit) {
    Writer writer(source);
    ASSERT_TRUE(writer.goes_on());
    for (int round = 0; round < 3; ++round) {
        const auto acknowledged = writer.acknowledged();
        const auto archive = out / (std::to_string(round) + GetParam().dest);
        const auto ended = run_tool({"backup", source, archive, "--verify", "full", "--busy-timeout", "2min"});
        ASSERT_EQ(ended.code, 0) << ended.err;
        const auto image = plain_image(archive);
        EXPECT_EQ(integrity_check(image), "ok");
        const Db copy(image);
        const auto last = copy.scalar("SELECT max(n) FROM numbers");
        EXPECT_GE(last, acknowledged);
        EXPECT_EQ(copy.scalar("SELECT count(*) FROM numbers"), last) << "without a gap";
        ASSERT_TRUE(writer.goes_on()) << "nothing holds the writer up afterwards";
    }
}

TEST_P(Live, verify_and_inspect_take_a_database_that_is_being_written) {
    Writer writer(source);
    ASSERT_TRUE(writer.goes_on());
    for (const auto *command : {"verify", "inspect"}) {
        const auto ended = run_tool({command, source});
        EXPECT_EQ(ended.code, 0) << ended.out << ended.err;
    }
    EXPECT_TRUE(writer.goes_on());
}

TEST_P(Live, restore_onto_a_database_that_is_open_shows_the_old_content_or_the_new) {
    const auto archive = out / GetParam().dest;
    ASSERT_EQ(run_tool({"backup", source, archive}).code, 0);
    const auto then = content_hash(source);
    Db host(source);
    host.exec("DELETE FROM moves");
    const auto ended = run_tool({"restore", archive, source, "--replace", "--keep-previous", out / "previous.db"});
    ASSERT_EQ(ended.code, 0) << ended.err;
    EXPECT_EQ(content_hash(host), then) << "the same connection, which was open all the time";
    EXPECT_EQ(Db(out / "previous.db").scalar("SELECT count(*) FROM moves"), 0);
    host.exec("INSERT INTO players VALUES(1000, 'after', 1)");
    EXPECT_EQ(host.text("PRAGMA integrity_check"), "ok");
}

INSTANTIATE_TEST_SUITE_P(Kinds, Live, every_kind(), name_of_kind);

}  // namespace
