// A job's memory is a constant, whatever the size of the database: by count of every byte that malloc gives out.
// SPDX-License-Identifier: MIT OR Apache-2.0

#include "fixture.hpp"

#include <malloc.h>

#include <atomic>
#include <memory>

using namespace lbtest;

// ------------------------------------------------------------------------------------------------ a counting allocator

// A program's own malloc comes before the C library's for every library in the process (ld.so(8); "Replacing malloc" in
// glibc's manual): for the host, for lb_backup, and for the SQLite and the Zstandard inside it.

extern "C" {
void *__libc_malloc(std::size_t size);
void *__libc_calloc(std::size_t count, std::size_t size);
void *__libc_realloc(void *memory, std::size_t size);
void *__libc_memalign(std::size_t alignment, std::size_t size);
void __libc_free(void *memory);
}

namespace {

std::atomic<std::int64_t> given_out{0}, most_given_out{0};

void *counted(void *memory) {
    const auto now = given_out += static_cast<std::int64_t>(::malloc_usable_size(memory));
    auto most = most_given_out.load();
    while (now > most && !most_given_out.compare_exchange_weak(most, now)) {
    }
    return memory;
}

void discount(void *memory) { given_out -= static_cast<std::int64_t>(::malloc_usable_size(memory)); }

}  // namespace

extern "C" {
void *malloc(std::size_t size) noexcept { return counted(__libc_malloc(size)); }
void *calloc(std::size_t count, std::size_t size) noexcept { return counted(__libc_calloc(count, size)); }
void *memalign(std::size_t alignment, std::size_t size) noexcept { return counted(__libc_memalign(alignment, size)); }
void *aligned_alloc(std::size_t alignment, std::size_t size) noexcept { return memalign(alignment, size); }

int posix_memalign(void **memory, std::size_t alignment, std::size_t size) noexcept {
    *memory = memalign(alignment, size);
    return *memory == nullptr ? ENOMEM : 0;
}

void *realloc(void *memory, std::size_t size) noexcept {
    const auto before = static_cast<std::int64_t>(::malloc_usable_size(memory));
    void *const moved = __libc_realloc(memory, size);
    if (moved != nullptr || size == 0) given_out -= before;
    return counted(moved);
}

void free(void *memory) noexcept {
    discount(memory);
    __libc_free(memory);
}
}

namespace {

constexpr std::int64_t mebibyte = 1 << 20;

/// By how much `body` raises what is given out, at most.
template <class Body> std::int64_t peak_of(Body body) {
    const auto before = given_out.load();
    most_given_out = before;
    body();
    return most_given_out - before;
}

// --------------------------------------------------------------------------------------------------------------- jobs

/// More than any job may take. Of a database of 256 MiB it is less than a fifth.
constexpr auto bound = 48 * mebibyte;
/// How much of what a job may have in flight it has at once is a matter of who is faster.
constexpr auto chance = 8 * mebibyte;

class Memory : public ::testing::Test {
protected:
    static void SetUpTestSuite() {
        dir = std::make_unique<TempDir>();
        for (const int size : {1, 64, 256}) {
            DatabaseOptions wanted;
            wanted.bytes = size * mebibyte;
            make_database(source(size), wanted);
            if (static_cast<std::int64_t>(fs::file_size(source(size))) < wanted.bytes) fail("a smaller database");
        }
        // The threads start, and the library's tables reach their size.
        for (const auto *name : {"first.db", "first.db.zst"}) peak_of_backup(1, name);
    }
    static void TearDownTestSuite() { dir.reset(); }

    static fs::path source(int mebibytes) { return *dir / (std::to_string(mebibytes) + ".db"); }

    static std::int64_t peak_of_backup(int mebibytes, const char *name, const lb_backup_options &wanted = options()) {
        const auto peak = peak_of([&] { expect_ok(backup(source(mebibytes), *dir / name, wanted)); });
        std::printf("%d MiB to %s: %.1f MiB\n", mebibytes, name, static_cast<double>(peak) / mebibyte);
        fs::remove(*dir / name);
        return peak;
    }
    static lb_backup_options in_chunks_of(std::uint64_t bytes) {
        auto wanted = options();
        wanted.chunk_size = bytes;
        return wanted;
    }

    static std::unique_ptr<TempDir> dir;
};

std::unique_ptr<TempDir> Memory::dir;

TEST_F(Memory, of_the_host_is_counted) {
    const auto before = given_out.load();
    EXPECT_GE(peak_of([] {
                  const std::string bytes(64 * mebibyte, 'x');
                  EXPECT_EQ(bytes.back(), 'x');
              }),
              64 * mebibyte);
    EXPECT_LT(given_out - before, mebibyte) << "and what is given back";
}

TEST_F(Memory, of_the_library_is_counted) {
    const auto small = peak_of_backup(64, "new.db.zst", in_chunks_of(1 << 20));
    EXPECT_GT(peak_of_backup(64, "new.db.zst", in_chunks_of(8 << 20)), small + 16 * mebibyte) << "its buffers";
    auto best = in_chunks_of(1 << 20);
    best.compression_level = 19;
    EXPECT_GT(peak_of_backup(1, "new.db.zst", best), peak_of_backup(1, "new.db.zst", in_chunks_of(1 << 20)) + mebibyte)
        << "Zstandard's tables";
}

class MemoryOfEveryKind : public Memory, public ::testing::WithParamInterface<Kind> {
protected:
    void SetUp() override {
        for (const int size : {64, 256})
            Db(source(size)).exec(std::string("PRAGMA journal_mode = ") + GetParam().journal_mode);
    }
};

TEST_P(MemoryOfEveryKind, does_not_grow_with_the_database) {
    const auto small = peak_of_backup(64, GetParam().dest, in_chunks_of(1 << 20));
    const auto large = peak_of_backup(256, GetParam().dest, in_chunks_of(1 << 20));
    EXPECT_LT(small, bound);
    EXPECT_LT(large, bound);
    EXPECT_NEAR(static_cast<double>(small), static_cast<double>(large), chance);
}

TEST_P(MemoryOfEveryKind, is_bounded_by_default) {
    EXPECT_LT(peak_of_backup(64, GetParam().dest), bound);
    EXPECT_LT(peak_of_backup(256, GetParam().dest), bound);
}

INSTANTIATE_TEST_SUITE_P(Kinds, MemoryOfEveryKind, every_kind(), name_of_kind);

TEST_F(Memory, of_a_reuse_does_not_grow_with_the_database) {
    const auto peak_of_reuse = [](int mebibytes) {
        const auto parent = *dir / "parent.db.zst";
        expect_ok(backup(source(mebibytes), parent, in_chunks_of(1 << 20)));
        auto wanted = options();
        wanted.reuse_path = parent.c_str();
        const auto peak = peak_of_backup(mebibytes, "child.db.zst", wanted);
        fs::remove(parent);
        return peak;
    };
    const auto small = peak_of_reuse(64), large = peak_of_reuse(256);
    EXPECT_LT(small, bound);
    EXPECT_LT(large, bound);
    EXPECT_NEAR(static_cast<double>(small), static_cast<double>(large), chance);
}

}  // namespace
