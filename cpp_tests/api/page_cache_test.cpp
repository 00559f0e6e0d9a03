// What the page cache holds for the host is there after a backup, and nothing that only the backup brought.
// On a disk (TMPDIR is set to the build folder): a file system in memory has no other place for its pages.
// SPDX-License-Identifier: MIT OR Apache-2.0

#include "isolated.hpp"

#include <sys/mman.h>

using namespace lbtest;

namespace {

constexpr std::size_t megabyte = 1 << 20;

/// Descriptors of files that nobody has open in SQLite while these are closed.
class OpenFile {
public:
    explicit OpenFile(const fs::path &path) : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
        if (fd_ < 0) fail_errno("open " + path.string());
    }
    OpenFile(const OpenFile &) = delete;
    OpenFile &operator=(const OpenFile &) = delete;
    ~OpenFile() { ::close(fd_); }
    int fd() const { return fd_; }
    std::size_t size() const { return static_cast<std::size_t>(::lseek(fd_, 0, SEEK_END)); }

private:
    int fd_;
};

/// Bytes of the file that are in the page cache, of a range of it.
std::size_t cached(const fs::path &path, std::size_t start, std::size_t length) {
    const OpenFile file(path);
    void *const map = ::mmap(nullptr, length, PROT_NONE, MAP_SHARED, file.fd(), static_cast<off_t>(start));
    if (map == MAP_FAILED) fail_errno("mmap");
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    std::vector<unsigned char> pages((length + page - 1) / page);
    if (::mincore(map, length, pages.data()) != 0) fail_errno("mincore");
    ::munmap(map, length);
    return page * static_cast<std::size_t>(std::count_if(pages.begin(), pages.end(), [](auto in) { return in & 1; }));
}

void forget(const fs::path &path) {
    const OpenFile file(path);
    if (::fsync(file.fd()) != 0 || ::posix_fadvise(file.fd(), 0, 0, POSIX_FADV_DONTNEED) != 0) fail_errno("forget");
}

void read_twice(const fs::path &path, std::size_t start, std::size_t length) {
    const OpenFile file(path);
    std::string bytes(length, '\0');
    for (int i = 0; i < 2; ++i)
        if (::pread(file.fd(), bytes.data(), length, static_cast<off_t>(start)) != static_cast<ssize_t>(length))
            fail_errno("pread");
}

class PageCache : public ApiTest, public ::testing::WithParamInterface<Kind> {
protected:
    DatabaseOptions database() const override {
        auto wanted = sizable(GetParam().journal_mode);
        wanted.bytes = 24 * megabyte;
        return wanted;
    }

    /// A part in the middle is in memory, as if the host worked there; all else only on the disk.
    void lay_out() {
        forget(source);
        ASSERT_EQ(cached(source, 0, OpenFile(source).size()), 0U) << source << " is on a file system in memory";
        read_twice(source, hot_start, hot_length);
    }

    std::size_t hot() const { return cached(source, hot_start, hot_length); }
    std::size_t cold_before() const { return cached(source, 0, 7 * megabyte); }
    std::size_t cold_after() const {
        const auto start = 17 * megabyte;
        return cached(source, start, OpenFile(source).size() - start);
    }

    static constexpr std::size_t hot_start = 8 * megabyte;
    static constexpr std::size_t hot_length = 4 * megabyte;
    const fs::path dest = out / GetParam().dest;
};

TEST_P(PageCache, keeps_what_the_host_had_there_and_nothing_else) {
    isolated([&] {
        lay_out();
        expect_ok(backup(source, dest));
        // The page with the header, and what SQLite reads of the schema, is in the first block.
        EXPECT_LE(cold_before(), megabyte);
        EXPECT_GE(hot(), hot_length) << "what the host had was taken from it";
        // The kernel may have read ahead when the host read.
        EXPECT_EQ(cold_after(), 0U);
        const auto length = OpenFile(dest).size();
        EXPECT_TRUE(wait_until([&] { return cached(dest, 0, length) == 0; })) << "of the archive nothing stays";
        EXPECT_EQ(lb_shutdown(60'000), LB_STATUS_OK);
    });
}

TEST_P(PageCache, would_fill_up_without_the_protection) {
    isolated([&] {
        set_hooks("keep-cache");
        lay_out();
        expect_ok(backup(source, dest));
        EXPECT_GE(cold_before(), 6 * megabyte);
        EXPECT_GE(cold_after(), 6 * megabyte);
        EXPECT_EQ(lb_shutdown(60'000), LB_STATUS_OK);
    });
}

INSTANTIATE_TEST_SUITE_P(Kinds, PageCache, every_kind(), name_of_kind);

}  // namespace
