// Destinations that must not be written are refused by name, and what is there stays as it was.
// SPDX-License-Identifier: MIT OR Apache-2.0

#include "fixture.hpp"

#include <sys/stat.h>

using namespace lbtest;

namespace {

class Destination : public CleanTest {
protected:
    static lb_backup_options replacing() {
        auto wanted = options();
        wanted.existing = LB_EXISTING_REPLACE;
        return wanted;
    }
    /// With and without leave to replace.
    void expect_refused(const fs::path &dest, lb_status expected) { expect_refused(dest, dest, expected); }
    void expect_refused(const fs::path &dest, const fs::path &culprit, lb_status expected) {
        for (const auto &wanted : {options(), replacing()}) {
            SCOPED_TRACE(wanted.existing);
            expect_failed(backup(source, dest, wanted), expected, culprit.string());
        }
    }
};

TEST_F(Destination, that_exists_is_kept_without_leave) {
    expect_failed(backup(source, earlier), LB_STATUS_ALREADY_EXISTS, earlier.string());
}

TEST_F(Destination, that_exists_is_replaced_with_leave) {
    write_file(earlier, "an older backup");
    expect_ok(backup(source, earlier, replacing()));
    EXPECT_EQ(content_hash(earlier), content_hash(source));
    EXPECT_EQ(list_dir(out), std::vector<std::string>{"earlier.db"});
    remember();
}

TEST_F(Destination, that_comes_to_exist_meanwhile_is_kept) {
    for (const auto *name : {"new.db", "new.db.zst"}) {
        auto job = Job::start(source, out / name, throttled());
        ASSERT_TRUE(wait_until_half_way(job));
        write_file(out / name, "somebody else's");
        EXPECT_EQ(job.set_rate(0), LB_STATUS_OK);
        expect_failed(job.join(), LB_STATUS_ALREADY_EXISTS, (out / name).string());
        EXPECT_EQ(read_file(out / name), "somebody else's");
    }
    EXPECT_EQ(list_dir(out), (std::vector<std::string>{"earlier.db", "new.db", "new.db.zst"}));
    remember();
}

TEST_F(Destination, without_its_directory_is_not_found) {
    expect_refused(out / "nowhere" / "new.db", out / "nowhere", LB_STATUS_NOT_FOUND);
}

TEST_F(Destination, below_a_file_is_refused) {
    for (const auto &wanted : {options(), replacing()}) {
        const auto outcome = backup(source, earlier / "new.db", wanted);
        EXPECT_TRUE(outcome.status == LB_STATUS_NOT_FOUND || outcome.status == LB_STATUS_INVALID_ARGUMENT)
            << lb_status_name(outcome.status);
        EXPECT_NE(std::string(outcome.message).find(earlier.string()), std::string::npos) << outcome.message;
    }
}

TEST_F(Destination, that_is_a_directory_is_refused) {
    fs::create_directory(out / "folder.db");
    remember();
    expect_refused(out / "folder.db", LB_STATUS_ALREADY_EXISTS);
}

TEST_F(Destination, that_is_a_fifo_is_refused) {
    ASSERT_EQ(::mkfifo((out / "pipe.db").c_str(), 0600), 0);
    remember();
    expect_refused(out / "pipe.db", LB_STATUS_ALREADY_EXISTS);
}

TEST_F(Destination, that_is_a_symlink_is_refused) {
    write_file(dir / "target.db", "precious");
    fs::create_symlink(dir / "target.db", out / "link.db");
    fs::create_symlink("nowhere", out / "dangling.db");
    remember();
    expect_refused(out / "link.db", LB_STATUS_ALREADY_EXISTS);
    expect_refused(out / "dangling.db", LB_STATUS_ALREADY_EXISTS);
    EXPECT_EQ(read_file(dir / "target.db"), "precious");
}

TEST_F(Destination, beyond_a_symlink_to_a_directory_is_fine) {
    fs::create_directory_symlink(out, dir / "shortcut");
    expect_ok(backup(source, dir / "shortcut" / "new.db"));
    EXPECT_EQ(content_hash(out / "new.db"), content_hash(source));
    fs::remove(out / "new.db");
}

// ------------------------------------------------------------------------------------------- the source is not one

class SourceAsDestination : public Destination, public ::testing::WithParamInterface<const char *> {
protected:
    void SetUp() override {
        Destination::SetUp();
        source_bytes_ = read_file(source);
    }
    void TearDown() override {
        EXPECT_EQ(read_file(source), source_bytes_) << "the source itself was written";
        EXPECT_EQ(integrity_check(source), "ok");
        Destination::TearDown();
    }
    DatabaseOptions database() const override {
        DatabaseOptions wanted;
        wanted.journal_mode = GetParam();
        return wanted;
    }

private:
    std::string source_bytes_;
};

TEST_P(SourceAsDestination, by_its_path) { expect_refused(source, LB_STATUS_INVALID_ARGUMENT); }

TEST_P(SourceAsDestination, by_a_roundabout_path) {
    expect_refused(dir / "out" / ".." / "game.db", LB_STATUS_INVALID_ARGUMENT);
}

TEST_P(SourceAsDestination, by_a_symlinked_directory) {
    fs::create_directory_symlink(dir.path(), dir / "here");
    expect_refused(dir / "here" / "game.db", LB_STATUS_INVALID_ARGUMENT);
}

TEST_P(SourceAsDestination, by_a_symlink) {
    fs::create_symlink(source, out / "alias.db");
    remember();
    for (const auto &wanted : {options(), replacing()}) {
        const auto outcome = backup(source, out / "alias.db", wanted);
        EXPECT_TRUE(outcome.status == LB_STATUS_INVALID_ARGUMENT || outcome.status == LB_STATUS_ALREADY_EXISTS)
            << lb_status_name(outcome.status);
        EXPECT_NE(std::string(outcome.message).find("alias.db"), std::string::npos) << outcome.message;
    }
}

TEST_P(SourceAsDestination, by_a_hard_link) {
    fs::create_hard_link(source, out / "twin.db");
    remember();
    expect_refused(out / "twin.db", LB_STATUS_INVALID_ARGUMENT);
}

TEST_P(SourceAsDestination, of_a_symlinked_source) {
    fs::create_symlink(source, dir / "alias.db");
    for (const auto &wanted : {options(), replacing()})
        expect_failed(backup(dir / "alias.db", source, wanted), LB_STATUS_INVALID_ARGUMENT, source.string());
}

TEST_P(SourceAsDestination, by_the_names_of_its_companions) {
    for (const auto *suffix : {"-wal", "-shm", "-journal"}) {
        SCOPED_TRACE(suffix);
        expect_refused(source.string() + suffix, LB_STATUS_INVALID_ARGUMENT);
    }
}

TEST_P(SourceAsDestination, by_the_names_of_its_companions_through_links) {
    fs::create_symlink(source, dir / "alias.db");
    fs::create_directory_symlink(dir.path(), dir / "here");
    for (const auto *suffix : {"-wal", "-shm", "-journal"})
        for (const auto &wanted : {options(), replacing()}) {
            SCOPED_TRACE(suffix);
            const auto dest = dir / "here" / (std::string("game.db") + suffix);
            expect_failed(backup(dir / "alias.db", dest, wanted), LB_STATUS_INVALID_ARGUMENT, dest.string());
        }
}

INSTANTIATE_TEST_SUITE_P(Modes, SourceAsDestination, ::testing::Values("WAL", "DELETE"),
                         [](const auto &tested) { return std::string(tested.param); });

// ----------------------------------------------------------------------------------- what SQLite would put together

class LeftoverJournal : public Destination, public ::testing::WithParamInterface<const char *> {};

TEST_P(LeftoverJournal, beside_a_plain_image_is_refused_by_name) {
    const auto leftover = (out / "new.db").string() + GetParam();
    write_file(leftover, "of a database that was here before");
    remember();
    expect_refused(out / "new.db", leftover, LB_STATUS_ALREADY_EXISTS);
}

TEST_P(LeftoverJournal, that_appears_meanwhile_is_refused_by_name) {
    const auto leftover = (out / "new.db").string() + GetParam();
    auto job = Job::start(source, out / "new.db", throttled());
    ASSERT_TRUE(wait_until_half_way(job));
    write_file(leftover, "of a database that came meanwhile");
    EXPECT_EQ(job.set_rate(0), LB_STATUS_OK);
    expect_failed(job.join(), LB_STATUS_ALREADY_EXISTS, leftover);
    EXPECT_FALSE(fs::exists(out / "new.db"));
    fs::remove(leftover);
}

TEST_P(LeftoverJournal, beside_a_compressed_archive_does_not_matter) {
    const auto leftover = (out / "new.db.zst").string() + GetParam();
    write_file(leftover, "nobody reads this");
    expect_ok(backup(source, out / "new.db.zst"));
    EXPECT_EQ(read_file(leftover), "nobody reads this");
    fs::remove(leftover);
    fs::remove(out / "new.db.zst");
}

INSTANTIATE_TEST_SUITE_P(Suffixes, LeftoverJournal, ::testing::Values("-wal", "-journal"),
                         [](const auto &tested) { return std::string(tested.param + 1); });

// ------------------------------------------------------------------------------------------------------ mode bits

class ModeBits : public Destination, public ::testing::WithParamInterface<int> {};

TEST_P(ModeBits, are_no_wider_than_those_of_the_source_whatever_the_umask) {
    const auto bits = static_cast<mode_t>(GetParam());
    ASSERT_EQ(::chmod(source.c_str(), bits), 0);
    for (const mode_t mask : {mode_t{0}, mode_t{022}, mode_t{077}}) {
        for (const auto *name : {"new.db", "new.db.zst"}) {
            const auto old = ::umask(mask);
            const auto outcome = backup(source, out / name);
            ::umask(old);
            expect_ok(outcome);
            const auto got = static_cast<mode_t>(fs::status(out / name).permissions());
            EXPECT_EQ(got & ~bits, 0U) << std::oct << "umask " << mask << ": " << got << " of " << bits;
            EXPECT_EQ(got & 0400U, bits & 0400U) << "its owner can read it";
            fs::remove(out / name);
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Bits, ModeBits, ::testing::Values(0600, 0640, 0644, 0664, 0666, 0400, 0444),
                         [](const auto &tested) {
                             char octal[8];
                             std::snprintf(octal, sizeof octal, "%04o", tested.param);
                             return std::string(octal);
                         });

TEST_F(Destination, with_wider_mode_bits_than_the_source_loses_them_when_replaced) {
    ASSERT_EQ(::chmod(source.c_str(), 0600), 0);
    ASSERT_EQ(::chmod(earlier.c_str(), 0666), 0);
    const auto old = ::umask(0);
    const auto outcome = backup(source, earlier, replacing());
    ::umask(old);
    expect_ok(outcome);
    EXPECT_EQ(static_cast<int>(fs::status(earlier).permissions()) & 0177, 0);
    remember();
}

}  // namespace
