// Who may read what the library has written: nobody who could not read where it came from.
// SPDX-License-Identifier: MIT OR Apache-2.0

#include "restore/fixture.hpp"

#include <sys/xattr.h>

using namespace lbtest;

namespace {

class Readers : public ApiTest {
protected:
    void SetUp() override {
        ApiTest::SetUp();
        make_database(dir / "other.db", another());
    }

    mode_t mode_of(const fs::path &path) { return status_of(path).st_mode & 07777; }

    /// A backup in place of an earlier one, a restore to a new file and one that keeps what was there.
    std::vector<fs::path> everything_written() {
        std::vector<fs::path> written;
        auto wanted = options();
        wanted.existing = LB_EXISTING_REPLACE;
        wanted.verify = LB_VERIFY_FULL;
        for (const auto *name : {"new.db", "new.db.zst"}) {
            write_file(out / name, "an earlier one");
            expect_ok(backup(source, out / name, wanted));
            const auto restored = out / (std::string("from_") + name), kept = out / (std::string("kept_") + name);
            expect_ok(restore(out / name, restored));
            auto keeping = replacing();
            keeping.keep_previous = kept.c_str();
            expect_ok(restore(dir / "other.db", restored, keeping));
            written.insert(written.end(), {out / name, restored, kept});
        }
        return written;
    }
};

class ReadersOfMode : public Readers, public ::testing::WithParamInterface<int> {};

TEST_P(ReadersOfMode, are_no_more_than_those_of_the_source_whatever_the_umask) {
    const auto bits = static_cast<mode_t>(GetParam());
    ASSERT_EQ(::chmod(source.c_str(), bits), 0);
    ASSERT_EQ(::chmod((dir / "other.db").c_str(), 0600), 0);
    for (const mode_t mask : {mode_t{0}, mode_t{022}, mode_t{077}}) {
        SCOPED_TRACE(mask);
        const auto old = ::umask(mask);
        const auto written = everything_written();
        ::umask(old);
        for (const auto &file : written)
            EXPECT_EQ(mode_of(file) & 07177 & ~bits, 0U) << file << std::oct << mode_of(file);
        for (const auto &file : list_dir(out)) fs::remove(out / file);
    }
}

INSTANTIATE_TEST_SUITE_P(Bits, ReadersOfMode, ::testing::Values(0600, 0640, 0644, 0444), [](const auto &tested) {
    char octal[8];
    std::snprintf(octal, sizeof octal, "%04o", tested.param);
    return std::string(octal);
});

/// acl(5), as it is kept in the extended attributes: the owner and the user 65534 may read and write, nobody else anything.
std::string access_list() {
    const auto entry = [](int tag, int permissions, std::uint32_t id) {
        return le(tag, 2) + le(permissions, 2) + le(id, 4);
    };
    return le(2, 4) + entry(1, 6, ~0U) + entry(2, 6, 65534) + entry(4, 0, ~0U) + entry(0x10, 6, ~0U) +
           entry(0x20, 0, ~0U);
}

/// False where the file system has no such lists, and nobody is let in by one.
bool give_list(const fs::path &path, const char *which) {
    const auto list = access_list();
    if (::setxattr(path.c_str(), which, list.data(), list.size(), 0) == 0) return true;
    if (errno != EOPNOTSUPP) fail_errno("setxattr " + path.string());
    return false;
}

bool has_list(const fs::path &path) { return ::getxattr(path.c_str(), "system.posix_acl_access", nullptr, 0) > 0; }

/// The bits of such a file show what any of the list may do, not what its group may.
TEST_F(Readers, of_a_source_with_an_access_list_are_not_its_group) {
    if (!give_list(source, "system.posix_acl_access")) GTEST_SKIP() << "this file system has no access lists";
    ASSERT_EQ(mode_of(source), 0660U);
    for (const auto &file : everything_written()) EXPECT_EQ(mode_of(file), 0600U) << file;
}

TEST_F(Readers, are_none_of_the_default_list_of_the_directory) {
    ASSERT_EQ(::chmod(source.c_str(), 0640), 0);
    ASSERT_EQ(::chmod((dir / "other.db").c_str(), 0640), 0);
    if (!give_list(out, "system.posix_acl_default")) GTEST_SKIP() << "this file system has no access lists";
    for (const auto &file : everything_written()) {
        EXPECT_FALSE(has_list(file)) << file;
        EXPECT_EQ(mode_of(file) & ~mode_t{0640}, 0U) << file;
    }
}

}  // namespace
