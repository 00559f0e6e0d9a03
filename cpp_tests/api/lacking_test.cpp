// Systems that lack a call, or forbid it as containers and sandboxes do: what then takes its place, or what is said.
// Each in a child of its own, in which the kernel answers so (seccomp(2)). SPDX-License-Identifier: MIT OR Apache-2.0

#include "isolated.hpp"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <cstddef>

using namespace lbtest;

namespace {

/// From here on, a system call fails with `error`; only with this value of its argument, if one is given.
void lack(long call, int error, int argument = -1, std::uint32_t value = 0) {
    const auto load = [](std::size_t offset) {
        return sock_filter{BPF_LD | BPF_W | BPF_ABS, 0, 0, static_cast<std::uint32_t>(offset)};
    };
    const auto is = [](std::uint32_t wanted, std::uint8_t steps_if_not) {
        return sock_filter{BPF_JMP | BPF_JEQ | BPF_K, 0, steps_if_not, wanted};
    };
    const auto answer = [](std::uint32_t with) { return sock_filter{BPF_RET | BPF_K, 0, 0, with}; };
    std::vector<sock_filter> filter{load(offsetof(seccomp_data, nr))};
    filter.push_back(is(static_cast<std::uint32_t>(call), argument < 0 ? 1 : 3));
    if (argument >= 0) {
        filter.push_back(load(offsetof(seccomp_data, args) + 8 * static_cast<std::size_t>(argument)));  // little-endian
        filter.push_back(is(value, 1));
    }
    filter.push_back(answer(SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error)));
    filter.push_back(answer(SECCOMP_RET_ALLOW));
    const sock_fprog program{static_cast<unsigned short>(filter.size()), filter.data()};
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) fail_errno("PR_SET_NO_NEW_PRIVS");
    if (::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) fail_errno("PR_SET_SECCOMP");
}

class Lacking : public ApiTest {
protected:
    void expect_backup(const lb_backup_options &wanted = options()) {
        expect_ok(backup(source, dest, wanted));
        EXPECT_EQ(content_hash(plain_image(dest)), content_hash(source));
    }
    const fs::path dest = out / "new.db";
};

TEST_F(Lacking, close_range_does_without) {
    for (const int error : {ENOSYS, EPERM})
        isolated([&] {
            lack(SYS_close_range, error);
            expect_backup();
            fs::remove(dest);
        });
}

TEST_F(Lacking, any_table_of_its_own_is_unsupported_and_says_why) {
    isolated([&] {
        lack(SYS_close_range, EPERM);
        lack(SYS_unshare, EPERM);
        expect_failed(backup(source, dest), LB_STATUS_UNSUPPORTED, "a private descriptor table");
        EXPECT_EQ(lb_shutdown(60'000), LB_STATUS_OK);  // joins what the start had begun
    });
    isolated([&] {
        lack(SYS_close_range, EINVAL);
        expect_failed(backup(source, dest), LB_STATUS_UNSUPPORTED, "a private descriptor table");
        EXPECT_EQ(lb_shutdown(60'000), LB_STATUS_OK);
    });
    EXPECT_TRUE(list_dir(out).empty());
}

TEST_F(Lacking, the_proof_is_unsupported_unless_the_caller_knows) {
    isolated([&] {
        lack(SYS_memfd_create, ENOSYS);
        expect_failed(backup(source, dest), LB_STATUS_UNSUPPORTED, "memfd_create");
        auto knowing = config();
        knowing.flags = LB_CONFIG_SOURCE_NOT_OPEN_IN_PROCESS;
        EXPECT_EQ(lb_configure(&knowing, nullptr), LB_STATUS_OK);
        expect_backup();
    });
}

TEST_F(Lacking, sync_file_range_does_without_but_an_error_is_told) {
    isolated([&] {
        lack(SYS_sync_file_range, ENOSYS);
        expect_backup();
        fs::remove(dest);
    });
    isolated([&] {
        lack(SYS_sync_file_range, EIO);
        expect_failed(backup(source, dest), LB_STATUS_IO, dest.string());
    });
    EXPECT_TRUE(list_dir(out).empty());
}

TEST_F(Lacking, priorities_goes_on_and_warns) {
    for (const long call : {SYS_setpriority, SYS_ioprio_set})
        isolated([&] {
            lack(call, EPERM);
            std::string log;
            auto logging = config();
            logging.user_data = &log;
            logging.on_log = [](std::uint32_t, const char *message, void *into) {
                *static_cast<std::string *>(into) += message;
            };
            EXPECT_EQ(lb_configure(&logging, nullptr), LB_STATUS_OK);
            expect_backup();
            fs::remove(dest);
            EXPECT_EQ(lb_shutdown(60'000), LB_STATUS_OK);  // every line has been told by then
            EXPECT_NE(log.find("cannot lower the priority"), std::string::npos) << log;
        });
}

/// As file systems do that have no flags for it (renameat2(2)).
TEST_F(Lacking, exchange_and_noreplace_publishes_all_the_same) {
    constexpr int flags = 4;
    for (const auto existing : {LB_EXISTING_REFUSE, LB_EXISTING_REPLACE})
        isolated([&] {
            lack(SYS_renameat2, EINVAL, flags, RENAME_EXCHANGE);
            lack(SYS_renameat2, EINVAL, flags, RENAME_NOREPLACE);
            auto wanted = options();
            wanted.verify = LB_VERIFY_FULL;  // for which the file has a name before it is published
            wanted.existing = static_cast<std::uint32_t>(existing);
            expect_backup(wanted);
            EXPECT_EQ(list_dir(out), std::vector<std::string>{"new.db"});
        });
}

/// Nor links (link(2)), nor nameless files: what may be replaced has a plain rename, nothing else is sure of its name.
TEST_F(Lacking, exchange_noreplace_and_links_publishes_what_may_replace_and_says_why_not_otherwise) {
    constexpr int flags = 4;
    for (const int error : {EPERM, EOPNOTSUPP, ENOSYS}) {
        const auto plain = [&](auto body) {
            fs::remove(dest);
            isolated([&] {
                lack(SYS_renameat2, EINVAL, flags, RENAME_EXCHANGE);
                lack(SYS_renameat2, EINVAL, flags, RENAME_NOREPLACE);
                lack(SYS_linkat, error);
                lack(SYS_openat, EOPNOTSUPP, 2, O_RDWR | O_TMPFILE | O_CLOEXEC);
                body();
            });
        };
        auto replacing = options();
        replacing.existing = LB_EXISTING_REPLACE;
        for (const bool is_free : {true, false})
            plain([&] {
                if (!is_free) write_file(dest, "an earlier backup");
                expect_backup(replacing);
                EXPECT_EQ(list_dir(out), std::vector<std::string>{"new.db"});
            });
        plain([&] {
            expect_failed(backup(source, dest), LB_STATUS_UNSUPPORTED, "no name without replacing");
            EXPECT_TRUE(list_dir(out).empty());
        });
        plain([&] {
            auto wanted = restore_options();
            wanted.existing = LB_EXISTING_REPLACE;
            expect_failed(restore(source, dest, wanted), LB_STATUS_UNSUPPORTED, "no name without replacing");
            EXPECT_TRUE(list_dir(out).empty());
        });
    }
}

/// Nothing keeps a file with a hidden name from a sweep, which there is none of then.
TEST_F(Lacking, flock_publishes_all_the_same_with_and_without_nameless_files) {
    for (const int error : {ENOSYS, ENOLCK, EOPNOTSUPP})
        for (const bool nameless : {false, true})
            for (const auto existing : {LB_EXISTING_REFUSE, LB_EXISTING_REPLACE})
                isolated([&] {
                    if (!nameless) lack(SYS_openat, EOPNOTSUPP, 2, O_RDWR | O_TMPFILE | O_CLOEXEC);
                    lack(SYS_flock, error);
                    auto wanted = options();
                    wanted.verify = LB_VERIFY_FULL;
                    wanted.existing = static_cast<std::uint32_t>(existing);
                    fs::remove(dest);
                    if (existing == LB_EXISTING_REPLACE) write_file(dest, "an earlier backup");
                    expect_backup(wanted);
                    EXPECT_EQ(list_dir(out), std::vector<std::string>{"new.db"});
                });
}

TEST_F(Lacking, a_lock_for_another_reason_tells_it) {
    for (const int error : {EIO, EWOULDBLOCK})
        isolated([&] {
            lack(SYS_openat, EOPNOTSUPP, 2, O_RDWR | O_TMPFILE | O_CLOEXEC);
            lack(SYS_flock, error);
            const auto outcome = backup(source, dest);
            expect_failed(outcome, LB_STATUS_IO, out.string());
            EXPECT_EQ(outcome.sys_errno, error);
        });
    EXPECT_TRUE(list_dir(out).empty());
}

/// The library then learns of a fork by fork() itself.
TEST_F(Lacking, memory_that_a_fork_wipes_still_knows_a_forked_child) {
    isolated([&] {
        lack(SYS_madvise, EINVAL, 2, MADV_WIPEONFORK);
        expect_backup();
        EXPECT_EQ(in_child([&] { return static_cast<int>(backup(source, out / "child.db").status); }),
                  LB_STATUS_WRONG_PROCESS);
        expect_ok(backup(source, out / "parent.db"));
    });
}

}  // namespace
