// What faults.c counts is everything: each class of calls is counted a second time by the kernel's own account of this
// process (ptrace(2)), and the two are the same. SPDX-License-Identifier: MIT OR Apache-2.0

#include "faults.h"
#include "scenes.hpp"

#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>

#include <array>
#include <map>

using namespace lbtest;

namespace {

using Counts = std::array<unsigned long, FAULTS_CLASSES>;

/// The class of a system call; FAULTS_CLASSES for those that are none.
faults_class class_of(const __ptrace_syscall_info &info) {
    const auto *argument = info.entry.args;
    switch (info.entry.nr) {
#ifdef SYS_open
    case SYS_open:
    case SYS_dup2:
#endif
    case SYS_openat:
    case SYS_memfd_create:
    case SYS_dup:
    case SYS_dup3:
        return FAULTS_OPEN;
    case SYS_pread64:
    case SYS_read:
        return FAULTS_READ;
    case SYS_pwrite64:
    case SYS_write:
    case SYS_writev:
        return FAULTS_WRITE;
    case SYS_fsync:
    case SYS_fdatasync:
        return FAULTS_SYNC;
    case SYS_sync_file_range:
        return FAULTS_RANGE;
    case SYS_ftruncate:
        return FAULTS_TRUNCATE;
#ifdef SYS_renameat
    case SYS_renameat:
#endif
    case SYS_renameat2:
        return FAULTS_RENAME;
    case SYS_linkat:
        return FAULTS_LINK;
#ifdef SYS_unlink
    case SYS_unlink:
#endif
    case SYS_unlinkat:
        return FAULTS_UNLINK;
    // Others are made by malloc and by pthread_create.
    case SYS_mmap:
        return static_cast<int>(argument[4]) >= 0 ? FAULTS_MAP : FAULTS_CLASSES;
    case SYS_fcntl:
        return argument[1] == F_GETLK || argument[1] == F_SETLK || argument[1] == F_SETLKW ? FAULTS_LOCK
                                                                                           : FAULTS_CLASSES;
    case SYS_flock:
        return FAULTS_FLOCK;
    case SYS_close:
        return FAULTS_CLOSE;
    case SYS_getrandom:
        return FAULTS_RANDOM;
#ifdef SYS_fchmod
    case SYS_fchmod:
    case SYS_fchown:
    case SYS_getxattr:
    case SYS_fremovexattr:
        return FAULTS_MODE;
#endif
    default:
        return FAULTS_CLASSES;
    }
}

/// Classes of which every call is one system call.
constexpr faults_class compared[] = {FAULTS_OPEN,     FAULTS_READ,   FAULTS_WRITE, FAULTS_SYNC,   FAULTS_RANGE,
                                     FAULTS_TRUNCATE, FAULTS_RENAME, FAULTS_LINK,  FAULTS_UNLINK, FAULTS_MAP,
                                     FAULTS_LOCK,     FAULTS_FLOCK,  FAULTS_CLOSE, FAULTS_RANDOM, FAULTS_MODE};

/// What malloc opens, reads and closes by itself: to know how many heaps are worth it, and whether one may shrink.
bool is_own_file_of_malloc(pid_t process, const __ptrace_syscall_info &info) {
    char path[32] = "";
    iovec here{path, sizeof path - 1}, there{reinterpret_cast<void *>(info.entry.args[1]), sizeof path - 1};
    if (info.entry.nr != SYS_openat || ::process_vm_readv(process, &here, 1, &there, 1, 0) <= 0) return false;
    const auto begins = [&](const char *start) { return std::strncmp(path, start, std::strlen(start)) == 0; };
    return begins("/sys/devices/system/cpu/online") || begins("/proc/sys/vm/overcommit_memory");
}

bool is_library_thread(pid_t process, pid_t thread) {
    std::ifstream in("/proc/" + std::to_string(process) + "/task/" + std::to_string(thread) + "/comm");
    std::string name;
    std::getline(in, name);
    return name.rfind("lb-", 0) == 0;
}

/// What the traced process does: every scene once, then its own counts into `own`.
void every_scene_once(Counts *own) {
    ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    ::raise(SIGSTOP);
    for (const auto &named : every_scene()) {
        const auto scene = named.make();
        scene->prepare();
        scene->check(scene->run(), false);
        if (lb_shutdown(60'000) != LB_STATUS_OK) fail("lb_shutdown");
    }
    for (int i = 0; i < FAULTS_CLASSES; ++i) (*own)[i] = faults_seen_on_threads(static_cast<faults_class>(i));
}

/// Follows the process to its end and counts what its library threads ask of the kernel.
int follow(pid_t process, Counts &counts) {
    int status = 0;
    if (::waitpid(process, &status, 0) != process || !WIFSTOPPED(status)) fail("the traced process does not stop");
    if (::ptrace(PTRACE_SETOPTIONS, process, nullptr,
                 PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL) != 0)
        fail_errno("ptrace");
    ::ptrace(PTRACE_SYSCALL, process, nullptr, nullptr);
    for (;;) {
        const pid_t thread = ::waitpid(-1, &status, __WALL);
        if (thread < 0) fail_errno("waitpid");
        if (WIFEXITED(status) || WIFSIGNALED(status)) {
            if (thread == process) return status;
            continue;
        }
        long signal = 0;
        if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
            __ptrace_syscall_info info{};
            if (::ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof info, &info) > 0 &&
                info.op == PTRACE_SYSCALL_INFO_ENTRY)
                if (const auto found = class_of(info); found != FAULTS_CLASSES && is_library_thread(process, thread)) {
                    ++counts[found];
                    if (is_own_file_of_malloc(process, info))
                        for (const auto done : {FAULTS_OPEN, FAULTS_READ, FAULTS_CLOSE}) --counts[done];
                }
        } else if (WSTOPSIG(status) != SIGTRAP && WSTOPSIG(status) != SIGSTOP) {
            signal = WSTOPSIG(status);
        }
        ::ptrace(PTRACE_SYSCALL, thread, nullptr, signal);
    }
}

}  // namespace

int main() {
    void *memory = ::mmap(nullptr, sizeof(Counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) fail_errno("mmap");
    auto &own = *new (memory) Counts{};
    Counts kernel{};
    const pid_t process = ::fork();
    if (process < 0) fail_errno("fork");
    if (process == 0) {
        try {
            every_scene_once(&own);
            ::_exit(0);
        } catch (const std::exception &thrown) {
            std::fprintf(stderr, "%s\n", thrown.what());
            ::_exit(1);
        }
    }
    if (follow(process, kernel) != 0) fail("the traced process fails");
    bool same = true;
    for (const auto one : compared) {
        std::printf("%-16s %6lu by faults.c, %6lu by the kernel\n", faults_class_name(one), own[one], kernel[one]);
        same = same && own[one] == kernel[one];
    }
    std::printf(same ? "nothing passes by\n" : "calls pass by\n");
    return same ? 0 : 1;
}
