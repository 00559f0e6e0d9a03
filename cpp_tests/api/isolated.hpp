// Tests of what a process cannot take back: privileges, limits, mounts, the library's test switches.
//
// The library refuses to work in a child forked after its first use. So a test program that includes this never calls
// it in its main process: everything happens in children. SPDX-License-Identifier: MIT OR Apache-2.0

#ifndef LBTEST_API_ISOLATED_HPP
#define LBTEST_API_ISOLATED_HPP

#include "fixture.hpp"

#include <grp.h>
#include <sched.h>
#include <sys/mount.h>

namespace lbtest {

/// Runs `body` in a forked child and returns what it returns (0 to 100), or 101 if it failed or threw.
template <class Body>
int in_child(Body body) {
    constexpr int failed = 101;
    std::fflush(nullptr);
    const pid_t child = ::fork();
    if (child < 0) fail_errno("fork");
    if (child == 0) {
        int code = failed;
        try {
            code = body();
        } catch (const std::exception &thrown) {
            ADD_FAILURE() << thrown.what();
        }
        std::fflush(nullptr);
        ::_exit(::testing::Test::HasFailure() ? failed : code);
    }
    int status = 0;
    if (::waitpid(child, &status, 0) != child) fail_errno("waitpid");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/// Runs the expectations of `body` in a forked child; their failures are printed there and fail the test here.
template <class Body>
void isolated(Body body) {
    EXPECT_EQ(in_child([&] {
        body();
        return 0;
    }),
              0)
        << "in a child process, see above (101: an expectation failed there; 128 and more: killed by a signal)";
}

/// The library's test switches, for this process and before its first use of the library.
inline void set_hooks(const std::string &hooks) { ::setenv("LB_BACKUP_TEST_HOOKS", hooks.c_str(), 1); }

/// Runs `attempt`, in a child each time, cancelled at the first of its cancellation points, at the second, and so on, until
/// it succeeds; `check` looks at what each leaves. Returns how many points there were; stops at the first failure.
template <class Attempt, class Check>
int cancel_at_each_point(Attempt attempt, Check check) {
    enum { succeeded = 0, cancelled = 1 };
    for (int point = 0; point < 10'000; ++point) {
        SCOPED_TRACE("cancelled at point " + std::to_string(point));
        const int ending = in_child([&]() -> int {
            set_hooks("cancel-at-step=" + std::to_string(point));
            const lb_result outcome = attempt();
            if (outcome.status == LB_STATUS_OK) return succeeded;
            EXPECT_STREQ(lb_status_name(outcome.status), "LB_STATUS_CANCELLED") << outcome.message;
            return cancelled;
        });
        if (ending == succeeded) return point;
        EXPECT_EQ(ending, cancelled);
        check();
        if (::testing::Test::HasFailure()) return point;
    }
    ADD_FAILURE() << "there is no end of cancellation points";
    return 0;
}

/// No longer root, if it was: file permissions count from here on.
inline void become_nobody() {
    constexpr uid_t nobody = 65534;
    if (::geteuid() != 0) return;
    if (::setgroups(0, nullptr) != 0 || ::setegid(nobody) != 0 || ::seteuid(nobody) != 0) fail_errno("seteuid");
}

/// A mount namespace of its own, in which `mount` works: as root, or as root of a user namespace of its own.
inline void enter_private_mounts() {
    const uid_t user = ::geteuid();
    const gid_t group = ::getegid();
    if (::unshare(user == 0 ? CLONE_NEWNS : CLONE_NEWNS | CLONE_NEWUSER) != 0) fail_errno("unshare");
    if (user != 0) {
        write_file("/proc/self/setgroups", "deny");
        write_file("/proc/self/uid_map", "0 " + std::to_string(user) + " 1");
        write_file("/proc/self/gid_map", "0 " + std::to_string(group) + " 1");
    }
    if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) fail_errno("mount --make-rprivate /");
}

/// A file system of this many bytes over `directory`.
inline void mount_small(const fs::path &directory, std::size_t bytes) {
    const std::string size = "size=" + std::to_string(bytes);
    if (::mount("tmpfs", directory.c_str(), "tmpfs", 0, size.c_str()) != 0) fail_errno("mount tmpfs");
}

/// The directory, read-only from here on.
inline void mount_read_only(const fs::path &directory) {
    if (::mount(directory.c_str(), directory.c_str(), nullptr, MS_BIND, nullptr) != 0) fail_errno("mount --bind");
    if (::mount(nullptr, directory.c_str(), nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr) != 0)
        fail_errno("mount -o remount,bind,ro");
}

}  // namespace lbtest

#endif
