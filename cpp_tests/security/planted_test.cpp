// What others have put where the library writes, or put there while it does: nothing is followed, opened, waited for or
// overwritten. SPDX-License-Identifier: MIT OR Apache-2.0

#include "api/isolated.hpp"
#include "restore/fixture.hpp"

#include <sys/socket.h>
#include <sys/un.h>

using namespace lbtest;

namespace {

const char *const hidden_name = ".lb_backup-0123456789abcdef.tmp";

/// Somebody else's database, which nothing may get into.
class Planted : public ApiTest {
protected:
    void SetUp() override {
        ApiTest::SetUp();
        auto in_one_file = another();
        in_one_file.journal_mode = "DELETE";
        make_database(victim, in_one_file);
        victim_bytes = read_file(victim);
        fs::create_directory(elsewhere);
    }
    void TearDown() override {
        EXPECT_TRUE(read_file(victim) == victim_bytes) << "another file was written through a planted name";
        EXPECT_TRUE(fs::is_empty(elsewhere)) << "something was written in another directory";
    }
    DatabaseOptions database() const override { return sizable(); }

    static lb_restore_options slowly(std::uint32_t existing) {
        auto slow = restore_options();
        slow.existing = existing;
        slow.max_bytes_per_second = 65536;
        return slow;
    }
    fs::path archive() {
        const auto made = dir / "archive.db.zst";
        auto chunked = options();
        chunked.chunk_size = 65536;
        expect_ok(backup(source, made, chunked));
        return made;
    }
    static bool wait_until_it_runs(const Job &job) {
        return wait_until([&] { return job.progress().phase == LB_PHASE_VERIFYING || job.progress().bytes_done > 0; });
    }

    const fs::path victim = dir / "victim.db", elsewhere = dir / "elsewhere";
    std::string victim_bytes;
};

// ----------------------------------------------------------------------------------------------- a directory that moves

class Moved : public Planted, public ::testing::WithParamInterface<const char *> {};

TEST_P(Moved, directory_with_a_link_in_its_place_gets_the_backup) {
    for (const auto verified : {LB_VERIFY_QUICK, LB_VERIFY_FULL}) {
        auto slow = throttled();
        slow.verify = verified;
        auto job = Job::start(source, out / GetParam(), slow);
        ASSERT_TRUE(wait_until_half_way(job));
        fs::rename(out, dir / "moved");
        fs::create_directory_symlink("elsewhere", out);
        job.set_rate(0);
        expect_ok(job.join());
        EXPECT_EQ(list_dir(dir / "moved"), std::vector<std::string>{GetParam()});
        EXPECT_TRUE(fs::is_empty(elsewhere));
        fs::remove(out);
        fs::remove_all(dir / "moved");
        fs::create_directory(out);
    }
}

INSTANTIATE_TEST_SUITE_P(Formats, Moved, both_formats(), name_of_format);

TEST_F(Planted, link_in_place_of_the_directory_does_not_lead_a_restore_away) {
    const auto from = archive();
    // What is removed beside the new database is beside it.
    auto job = Job::start_restore(from, out / "new.db", slowly(LB_EXISTING_REPLACE));
    ASSERT_TRUE(wait_until_it_runs(job));
    fs::rename(out, dir / "moved");
    fs::create_directory_symlink("elsewhere", out);
    write_file(elsewhere / "new.db-wal", "of another database");
    write_file(dir / "moved" / "new.db-wal", "of a database that is gone");
    job.set_rate(0);
    expect_ok(job.join());
    EXPECT_EQ(list_dir(dir / "moved"), std::vector<std::string>{"new.db"});
    EXPECT_EQ(list_dir(elsewhere), std::vector<std::string>{"new.db-wal"});
    fs::remove(elsewhere / "new.db-wal");
}

// ------------------------------------------------------------------------------------------------ a restore onto a database

/// The archive is verified first, which takes its time.
TEST_F(Planted, link_that_comes_after_the_look_leads_no_restore_to_another_database) {
    const auto from = archive(), live = out / "live.db";
    make_database(live, another());
    auto job = Job::start_restore(from, live, slowly(LB_EXISTING_REPLACE));
    ASSERT_TRUE(wait_until_it_runs(job));
    remove_database(live);
    fs::create_symlink("../victim.db", live);
    job.set_rate(0);
    expect_failed(job.join(), LB_STATUS_ALREADY_EXISTS, "live.db");
    EXPECT_TRUE(fs::is_symlink(live));
}

TEST_F(Planted, database_with_a_second_name_is_not_restored_onto) {
    const auto from = archive();
    fs::create_hard_link(victim, out / "live.db");
    expect_failed(restore(from, out / "live.db", replacing()), LB_STATUS_ALREADY_EXISTS, "hard links");
}

class PlantedBeside : public Planted, public ::testing::WithParamInterface<std::pair<const char *, const char *>> {};

TEST_P(PlantedBeside, link_is_not_followed) {
    const auto [journal_mode, suffix] = GetParam();
    const auto from = archive(), live = out / "live.db";
    auto other = another();
    other.journal_mode = journal_mode;
    make_database(live, other);
    for (const auto &target : {victim, elsewhere / "new"}) {
        fs::create_symlink(target, live.string() + suffix);
        const auto outcome = restore(from, live, replacing_soon());
        EXPECT_NE(outcome.status, LB_STATUS_INTERNAL) << outcome.message;
        EXPECT_TRUE(read_file(victim) == victim_bytes);
        EXPECT_TRUE(fs::is_empty(elsewhere));
        if (outcome.status != LB_STATUS_OK) {
            EXPECT_EQ(std::string(outcome.message).find("panic"), std::string::npos);
            fs::remove(live.string() + suffix);
            EXPECT_EQ(Db(live).scalar("SELECT count(*) FROM moves"), another().rows);
        }
        remove_database(live);
        make_database(live, other);
    }
}

INSTANTIATE_TEST_SUITE_P(Names, PlantedBeside,
                         ::testing::Values(std::pair{"WAL", "-wal"}, std::pair{"WAL", "-shm"},
                                           std::pair{"DELETE", "-journal"}),
                         [](const auto &tested) { return std::string(tested.param.second + 1); });

TEST_F(Planted, link_beside_a_new_database_is_removed_and_not_what_it_leads_to) {
    const auto from = archive();
    for (const auto *suffix : {"-wal", "-journal"}) fs::create_symlink(victim, out / (std::string("new.db") + suffix));
    expect_failed(restore(from, out / "new.db"), LB_STATUS_ALREADY_EXISTS, "new.db-wal");
    expect_ok(restore(from, out / "new.db", replacing()));
    EXPECT_EQ(list_dir(out), std::vector<std::string>{"new.db"});
}

/// What is beside the name is a leftover only while nobody has taken the name.
TEST_F(Planted, database_that_comes_meanwhile_keeps_its_log) {
    const auto from = archive(), fresh = out / "new.db";
    write_file(fresh.string() + "-journal", "of a database that is gone");
    auto job = Job::start_restore(from, fresh, slowly(LB_EXISTING_REPLACE));
    ASSERT_TRUE(wait_until_it_runs(job));
    fs::remove(fresh.string() + "-journal");
    Db host(fresh);
    host.exec("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE mine(x);"
              "INSERT INTO mine VALUES('committed')");
    const auto before = list_dir(out);
    EXPECT_EQ(before, (std::vector<std::string>{"new.db", "new.db-shm", "new.db-wal"}));
    job.set_rate(0);
    expect_failed(job.join(), LB_STATUS_ALREADY_EXISTS, fresh.string());
    EXPECT_EQ(list_dir(out), before);
    // As a crash of its host leaves it.
    for (const auto *suffix : {"", "-wal"})
        fs::copy_file(fresh.string() + suffix, (dir / "crashed.db").string() + suffix);
    EXPECT_EQ(Db(dir / "crashed.db").text("SELECT x FROM mine"), "committed");
}

TEST_F(Planted, link_at_the_name_of_what_is_kept_is_refused) {
    const auto from = archive(), live = out / "live.db", kept = out / "kept.db";
    make_database(live, another());
    const auto before = read_file(live);
    auto keeping = replacing();
    keeping.keep_previous = kept.c_str();
    fs::create_symlink(victim, kept);
    expect_failed(restore(from, live, keeping), LB_STATUS_ALREADY_EXISTS, "kept.db");
    EXPECT_TRUE(read_file(live) == before);
}

/// While the archive is verified.
TEST_F(Planted, log_that_comes_beside_the_name_of_what_is_kept_is_refused) {
    const auto from = archive(), live = out / "live.db", kept = out / "kept.db";
    make_database(live, another());
    const auto before = content_hash(live);
    auto keeping = slowly(LB_EXISTING_REPLACE);
    keeping.keep_previous = kept.c_str();
    auto job = Job::start_restore(from, live, keeping);
    ASSERT_TRUE(wait_until_it_runs(job));
    write_file(kept.string() + "-wal", "of a database that is gone");
    job.set_rate(0);
    expect_failed(job.join(), LB_STATUS_ALREADY_EXISTS, kept.string() + "-wal");
    EXPECT_FALSE(fs::exists(kept));
    EXPECT_EQ(content_hash(live), before);
}

// ------------------------------------------------------------------------------------------------------- temporary names

TEST_F(Planted, names_like_temporary_ones_are_neither_followed_nor_waited_for) {
    const auto second = [&](const char *digits) { return out / (std::string(".lb_backup-") + digits + ".tmp"); };
    fs::create_symlink(victim, second("0000000000000001"));
    fs::create_directory(second("0000000000000002"));
    ASSERT_EQ(::mkfifo(second("0000000000000003").c_str(), 0666), 0);
    fs::create_hard_link(victim, second("0000000000000004"));
    const int listening = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const auto bound = second("0000000000000005").string();
    ASSERT_LT(bound.size(), sizeof address.sun_path);
    std::memcpy(address.sun_path, bound.c_str(), bound.size());
    ASSERT_EQ(::bind(listening, reinterpret_cast<sockaddr *>(&address), sizeof address), 0);
    ::close(listening);
    expect_ok(backup(source, out / "new.db"));
    EXPECT_EQ(list_dir(out).size(), 5U) << "only the file is taken away, by that name alone";
    EXPECT_FALSE(fs::exists(second("0000000000000004")));
}

/// Closing any descriptor of a file drops the locks that SQLite has on it, on our side as on the host's.
TEST_F(Planted, temporary_name_of_a_database_at_work_costs_none_of_its_locks) {
    Db host(source);
    host.exec("UPDATE players SET rating = 0");
    auto job = Job::start(source, out / "new.db.zst", throttled());
    ASSERT_TRUE(wait_until_half_way(job));
    host.exec("UPDATE players SET rating = 1");
    fs::create_hard_link(source, elsewhere / hidden_name);
    fs::create_hard_link(source.string() + "-shm", elsewhere / ".lb_backup-0123456789abcdee.tmp");
    expect_ok(backup(victim, elsewhere / "of_the_other.db"));
    EXPECT_EQ(list_dir(elsewhere), std::vector<std::string>{"of_the_other.db"}) << "swept, and closed";
    fs::remove(elsewhere / "of_the_other.db");
    EXPECT_EQ(host.scalar("PRAGMA wal_checkpoint(TRUNCATE)"), 1) << "the log is needed by the backup";
    job.set_rate(0);
    expect_ok(job.join());
    EXPECT_EQ(Db(plain_image(out / "new.db.zst")).scalar("SELECT max(rating) FROM players"), 0);
}

// ------------------------------------------------------------------------------------------------------ what is no file

class NoFile : public Planted, public ::testing::WithParamInterface<const char *> {};

TEST_P(NoFile, is_refused_at_once_wherever_a_file_is_read) {
    const std::string kind = GetParam();
    const auto odd = kind == "dev_zero" ? fs::path("/dev/zero") : kind == "dev_tty" ? "/dev/tty" : dir / "odd";
    if (kind == "fifo" && ::mkfifo(odd.c_str(), 0600) != 0) fail_errno("mkfifo");
    if (kind == "directory") fs::create_directory(odd);
    const auto live = out / "live.db";
    make_database(live, another());
    const auto before = read_file(live);
    expect_failed(backup(odd, out / "new.db"), LB_STATUS_NOT_A_DATABASE, odd.string());
    expect_failed(restore(odd, out / "new.db"), LB_STATUS_NOT_A_DATABASE, odd.string());
    expect_failed(restore(odd, live, replacing()), LB_STATUS_NOT_A_DATABASE, odd.string());
    expect_failed(verify(odd, full()), LB_STATUS_NOT_A_DATABASE, odd.string());
    auto why = error();
    inspect(odd, &why);
    EXPECT_STREQ(lb_status_name(why.status), "LB_STATUS_NOT_A_DATABASE") << why.message;
    auto reusing = options();
    reusing.reuse_path = odd.c_str();
    expect_failed(backup(source, out / "new.db.zst", reusing), LB_STATUS_INVALID_ARGUMENT, odd.string());
    EXPECT_TRUE(read_file(live) == before);
}

INSTANTIATE_TEST_SUITE_P(Kinds, NoFile, ::testing::Values("fifo", "directory", "dev_zero", "dev_tty"),
                         [](const auto &tested) { return std::string(tested.param); });

// --------------------------------------------------------------------------------------------------------- other processes

class OtherProcesses : public ApiTest, public ::testing::WithParamInterface<const char *> {};

/// Two processes, one name, twenty times: one backup wins, and it is whole.
TEST_P(OtherProcesses, that_publish_the_same_name_make_one_whole_backup) {
    for (const auto existing : {LB_EXISTING_REFUSE, LB_EXISTING_REPLACE}) {
        SCOPED_TRACE(existing);
        int ends[2][2];
        pid_t children[2];
        for (int i = 0; i < 2; ++i) {
            ASSERT_EQ(::pipe2(ends[i], O_CLOEXEC), 0);
            children[i] = ::fork();
            if (children[i] != 0) continue;
            auto wanted = options();
            wanted.existing = existing;
            char successes = 0;
            for (int round = 0; round < 20; ++round) {
                const auto status = backup(source, out / (std::to_string(round) + GetParam()), wanted).status;
                if (status == LB_STATUS_OK) ++successes;
                if (status != LB_STATUS_OK && status != LB_STATUS_ALREADY_EXISTS) successes = 100;
            }
            ::_exit(::write(ends[i][1], &successes, 1) == 1 ? 0 : 1);
        }
        int successes = 0;
        for (int i = 0; i < 2; ++i) {
            ::close(ends[i][1]);
            char some = 0;
            EXPECT_EQ(::read(ends[i][0], &some, 1), 1);
            ::close(ends[i][0]);
            ::waitpid(children[i], nullptr, 0);
            successes += some;
        }
        EXPECT_EQ(successes, existing == LB_EXISTING_REFUSE ? 20 : 40);
        EXPECT_EQ(list_dir(out).size(), 20U);
        for (const auto &name : list_dir(out)) {
            EXPECT_EQ(integrity_check(plain_image(out / name)), "ok") << name;
        }
        for (const auto &name : list_dir(out)) fs::remove(out / name);
    }
}

INSTANTIATE_TEST_SUITE_P(Formats, OtherProcesses, ::testing::Values("new.db", "new.db.zst"), name_of_format);

/// Like /tmp: whoever may write there may not touch what belongs to others. Needs somebody else, so root.
TEST_F(Planted, file_of_another_user_in_a_sticky_directory_is_not_replaced) {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can be somebody else";
    isolated([&] {
        for (const auto &path : {dir.path(), source})
            if (::chmod(path.c_str(), path == source ? 0644 : 01777) != 0) fail_errno("chmod");
        if (::chmod(out.c_str(), 01777) != 0) fail_errno("chmod");
        const std::string theirs = "somebody else's";
        for (const auto *name : {"new.db", "new.db.zst", hidden_name}) write_file(out / name, theirs);
        const auto before = list_dir(out);
        become_nobody();
        auto wanted = options();
        wanted.existing = LB_EXISTING_REPLACE;
        for (const auto *name : {"new.db", "new.db.zst"})
            expect_failed(backup(source, out / name, wanted), LB_STATUS_PERMISSION_DENIED, name);
        if (::seteuid(0) != 0) fail_errno("seteuid");
        EXPECT_EQ(list_dir(out), before);
        for (const auto &name : before) EXPECT_EQ(read_file(out / name), theirs);
    });
}

}  // namespace
