// Every file that the library creates, in the moment of its creation: this program stands before the C library.
// SPDX-License-Identifier: MIT OR Apache-2.0

#include "api/isolated.hpp"
#include "restore/fixture.hpp"

#include <dlfcn.h>

#include <cstdarg>
#include <mutex>

using namespace lbtest;

namespace {

struct Birth {
    std::string path;
    int flags;
    mode_t mode;
};

std::mutex mutex;
std::vector<Birth> births;

bool creates(int flags) { return (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE; }

void note(const char *path, int flags, mode_t mode) {
    if (!creates(flags)) return;
    const std::lock_guard<std::mutex> held(mutex);
    births.push_back({path, flags, mode});
}

template <class Function> Function real(const char *name) {
    return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
}

mode_t mode_of(int flags, va_list more) { return creates(flags) ? va_arg(more, mode_t) : 0; }

}  // namespace

extern "C" int open64(const char *path, int flags, ...) {
    va_list more;
    va_start(more, flags);
    const auto mode = mode_of(flags, more);
    va_end(more);
    note(path, flags, mode);
    return real<int (*)(const char *, int, ...)>("open64")(path, flags, mode);
}

extern "C" int openat64(int directory, const char *path, int flags, ...) {
    va_list more;
    va_start(more, flags);
    const auto mode = mode_of(flags, more);
    va_end(more);
    note(path, flags, mode);
    return real<int (*)(int, const char *, int, ...)>("openat64")(directory, path, flags, mode);
}

namespace {

class Births : public ApiTest, public ::testing::WithParamInterface<const char *> {
protected:
    DatabaseOptions database() const override {
        DatabaseOptions small;
        small.bytes = 300'000;
        return small;
    }
    bool is_beside_a_database(const std::string &path) {
        for (const auto *suffix : {"-wal", "-shm", "-journal"})
            if (fs::path(path).string().rfind(suffix) == path.size() - std::strlen(suffix)) return true;
        return false;
    }
};

/// Databases that only their owner may open: not even what SQLite puts beside them has other bits.
TEST_P(Births, are_of_files_that_nobody_else_may_open) {
    isolated([&] {
        set_hooks(GetParam());
        ::umask(0);
        const auto rollback = dir / "rollback.db", live = dir / "live.db", layout = dir / "layout.db";
        auto wanted = another();
        wanted.journal_mode = "DELETE";
        make_database(rollback, wanted);
        make_database(live, another());
        wanted.page_size = 1024;
        make_database(layout, wanted);
        for (const auto &database : {source, rollback, live, layout})
            if (::chmod(database.c_str(), 0600) != 0) fail_errno("chmod");
        births.clear();

        auto checked = options();
        checked.verify = LB_VERIFY_FULL;
        for (const auto *name : {"a.db", "a.db.zst"}) {
            expect_ok(backup(source, out / name, checked));
            expect_ok(backup(rollback, out / (std::string("rollback_") + name), checked));
        }
        unzstd(out / "a.db.zst", dir / "image.db");
        gzip(dir / "image.db", dir / "image.db.gz");
        expect_ok(verify(out / "a.db.zst", full()));
        expect_ok(restore(out / "a.db.zst", out / "restored.db"));
        const auto kept = out / "kept.db.zst";
        auto keeping = replacing();
        keeping.keep_previous = kept.c_str();
        expect_ok(restore(dir / "image.db.gz", live, keeping));
        expect_ok(restore(out / "a.db.zst", layout, replacing()));
        EXPECT_EQ(lb_shutdown(60'000), LB_STATUS_OK);

        std::size_t own = 0;
        for (const auto &[path, flags, mode] : births) {
            // The host's own are among them, which end with the database's permissions, too.
            if (path == "/dev/null") continue;
            EXPECT_EQ(mode & 0177, 0U) << path << std::oct << " " << mode;
            if (is_beside_a_database(path)) {
                EXPECT_NE(flags & O_NOFOLLOW, 0) << path;
                continue;
            }
            const bool nameless = (flags & O_TMPFILE) == O_TMPFILE;
            EXPECT_TRUE(nameless || (flags & (O_EXCL | O_NOFOLLOW)) == (O_EXCL | O_NOFOLLOW)) << path;
            ++own;
        }
        EXPECT_GE(own, 9U) << "what is looked for is seen";
    });
}

INSTANTIATE_TEST_SUITE_P(Files, Births, ::testing::Values("", "no-tmpfile"),
                         [](const auto &tested) { return *tested.param == '\0' ? "nameless" : "hidden"; });

}  // namespace
