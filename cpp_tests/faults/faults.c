/*
 * Fails chosen system calls and allocations of liblb_backup.so, and of nobody else in the process.
 *
 * Why by interposition (support/interpose.h). A door can tell who called, can shorten a read or a write, and can fail an
 * allocation, none of which a seccomp filter can; a filter that raises SIGSYS would not even be delivered, because the
 * library's threads block it. What does not pass are calls that glibc makes by itself, such as the clone of
 * pthread_create, which fails as pthread_create does. That nothing else passes by is not believed but counted:
 * passing_by.c compares these counters with those of ptrace(2).
 *
 * Among allocations those of C (SQLite, Zstandard) are told from Rust's by the name of the calling function in the
 * library's symbol table.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "faults.h"
#include "support/interpose.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>

/* ---- whose call ---- */

typedef struct {
    uintptr_t start;
    const char *name;
} symbol;

static symbol *symbols;
static size_t symbol_count;

static int by_address(const void *one, const void *other) {
    uintptr_t a = ((const symbol *)one)->start, b = ((const symbol *)other)->start;
    return (a > b) - (a < b);
}

static void read_symbols(const char *path, uintptr_t base) {
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &info) != 0) give_up("the library's file cannot be read");
    const char *file = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (file == MAP_FAILED) give_up("the library's file cannot be mapped");
    close(fd);
    const ElfW(Ehdr) *header = (const void *)file;
    const ElfW(Shdr) *sections = (const void *)(file + header->e_shoff);
    for (int i = 0; i < header->e_shnum; i++) {
        if (sections[i].sh_type != SHT_SYMTAB) continue;
        const ElfW(Sym) *table = (const void *)(file + sections[i].sh_offset);
        const char *names = file + sections[sections[i].sh_link].sh_offset;
        size_t count = sections[i].sh_size / sizeof *table;
        symbols = malloc(count * sizeof *symbols);
        if (symbols == NULL) give_up("no memory for the library's symbols");
        for (size_t at = 0; at < count; at++)
            if ((table[at].st_info & 0xf) == STT_FUNC && table[at].st_value != 0)
                symbols[symbol_count++] = (symbol){base + table[at].st_value, names + table[at].st_name};
    }
    if (symbol_count == 0) give_up("the library was stripped of its symbols, which this needs");
    qsort(symbols, symbol_count, sizeof *symbols, by_address);
}

__attribute__((constructor)) static void begin(void) {
    find_library();
    read_symbols(library.path, library.base);
}

/* The function of the library that holds an address. */
static const char *function_at(const void *address) {
    size_t low = 0, high = symbol_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (symbols[middle].start <= (uintptr_t)address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low > 0 ? symbols[low - 1].name : "?";
}

/* By the names that the Rust compiler gives, old and new; and the exported functions. */
static bool is_rust(const char *function) { 
    return strncmp(function, "_R", 2) == 0 || strncmp(function, "_ZN", 3) == 0 || strncmp(function, "lb_", 3) == 0;
}

/* ---- the plan ---- */

static atomic_int planned_class = -1, planned_error;
static atomic_ulong planned_first, planned_last, injected;
static atomic_ulong seen[FAULTS_CLASSES], seen_on_threads[FAULTS_CLASSES];
/* Initial-exec: the other models may allocate at the first use (ELF Handling For Thread-Local Storage). */
static _Thread_local bool is_named_thread __attribute__((tls_model("initial-exec")));
static char last[512];
static void (*_Atomic then)(void);
static atomic_uint missing;

static const char *const names[FAULTS_CLASSES] = {
    "open", "read",  "write",  "fsync",  "sync_file_range", "ftruncate", "rename", "link",   "unlink",   "mmap",       "lock",
    "flock", "close", "random", "thread", "stat",           "list",      "mode",   "access", "advice", "C memory", "big memory"};

const char *faults_class_name(faults_class named) { return names[named]; }

void faults_arm(faults_class failing, unsigned long first, unsigned long last_one, int error) {
    planned_class = -1;
    for (int i = 0; i < FAULTS_CLASSES; i++) seen[i] = 0;
    injected = 0;
    planned_first = first;
    planned_last = last_one;
    planned_error = error;
    planned_class = (int)failing;
}

void faults_disarm(void) { planned_class = -1; }
void faults_lack(unsigned lacking) { missing = lacking; }
void faults_then(void (*next)(void)) { then = next; }
unsigned long faults_seen(faults_class counted) { return seen[counted]; }
unsigned long faults_seen_on_threads(faults_class counted) { return seen_on_threads[counted]; }
unsigned long faults_injected(void) { return injected; }
const char *faults_last(void) { return last; }

/* 0 for a call that is to go on, or the error that it is to fail with. */
static int fault(faults_class calling, const char *call, const void *caller) {
    if (!is_library(caller)) return 0;
    if (is_named_thread) seen_on_threads[calling]++;
    unsigned long number = ++seen[calling];
    void (*next)(void) = then;
    if (next != NULL && calling == FAULTS_STAT && is_named_thread && injected > 0) next();
    if (planned_class != (int)calling || number < planned_first || number > planned_last) return 0;
    injected++;
    if (planned_error == FAULTS_KILL) kill(getpid(), SIGKILL);
    snprintf(last, sizeof last, "%s in %s", call, function_at(caller));
    return planned_error;
}

/* ---- the doors ---- */

#define FAIL_OR_GO_ON(class, name, failure)                                \
    REAL(name);                                                            \
    int error = fault(class, #name, __builtin_return_address(0));          \
    if (error > 0) return errno = error, failure

#define DOOR(class, result, name, failure, parameters, arguments) \
    result name parameters {                                      \
        FAIL_OR_GO_ON(class, name, failure);                      \
        return real arguments;                                    \
    }

/* Half of it, but never nothing: that would be the end of the file. */
static size_t shortened(int error, size_t count) { return error == FAULTS_SHORT ? (count + 1) / 2 : count; }

int open64(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    FAIL_OR_GO_ON(FAULTS_OPEN, open64, -1);
    return real(path, flags, mode);
}

int openat64(int at, const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    FAIL_OR_GO_ON(FAULTS_OPEN, openat64, -1);
    return real(at, path, flags, mode);
}

DOOR(FAULTS_OPEN, DIR *, opendir, NULL, (const char *path), (path))
DOOR(FAULTS_OPEN, int, memfd_create, -1, (const char *name, unsigned flags), (name, flags))
DOOR(FAULTS_OPEN, int, dup, -1, (int fd), (fd))
DOOR(FAULTS_OPEN, int, dup2, -1, (int fd, int other), (fd, other))

ssize_t pread64(int fd, void *buffer, size_t count, off64_t offset) {
    FAIL_OR_GO_ON(FAULTS_READ, pread64, -1);
    return real(fd, buffer, shortened(error, count), offset);
}

ssize_t read(int fd, void *buffer, size_t count) {
    FAIL_OR_GO_ON(FAULTS_READ, read, -1);
    return real(fd, buffer, shortened(error, count));
}

ssize_t pwrite64(int fd, const void *buffer, size_t count, off64_t offset) {
    FAIL_OR_GO_ON(FAULTS_WRITE, pwrite64, -1);
    return real(fd, buffer, shortened(error, count), offset);
}

ssize_t write(int fd, const void *buffer, size_t count) {
    FAIL_OR_GO_ON(FAULTS_WRITE, write, -1);
    return real(fd, buffer, shortened(error, count));
}

DOOR(FAULTS_WRITE, ssize_t, writev, -1, (int fd, const struct iovec *vector, int count), (fd, vector, count))
DOOR(FAULTS_SYNC, int, fsync, -1, (int fd), (fd))
DOOR(FAULTS_RANGE, int, sync_file_range, -1, (int fd, off64_t start, off64_t count, unsigned flags),
     (fd, start, count, flags))
DOOR(FAULTS_TRUNCATE, int, ftruncate64, -1, (int fd, off64_t length), (fd, length))
DOOR(FAULTS_RENAME, int, renameat, -1, (int from_at, const char *from, int to_at, const char *to),
     (from_at, from, to_at, to))

/* 0, or the error of a call that the file system has not got. */
static int lack(unsigned what, bool is_wanted, int error, const void *caller) {
    return (missing & what) != 0 && is_wanted && is_library(caller) ? error : 0;
}

int renameat2(int from_at, const char *from, int to_at, const char *to, unsigned flags) {
    FAIL_OR_GO_ON(FAULTS_RENAME, renameat2, -1);
    error = lack(FAULTS_NO_RENAME_FLAGS, flags != 0, EINVAL, __builtin_return_address(0));
    if (error > 0) return errno = error, -1;
    return real(from_at, from, to_at, to, flags);
}

int linkat(int from_at, const char *from, int to_at, const char *to, int flags) {
    FAIL_OR_GO_ON(FAULTS_LINK, linkat, -1);
    error = lack(FAULTS_NO_LINKS, (flags & AT_SYMLINK_FOLLOW) == 0, EPERM, __builtin_return_address(0));
    if (error > 0) return errno = error, -1;
    return real(from_at, from, to_at, to, flags);
}

DOOR(FAULTS_UNLINK, int, unlink, -1, (const char *path), (path))
DOOR(FAULTS_UNLINK, int, unlinkat, -1, (int at, const char *path, int flags), (at, path, flags))

int flock(int fd, int operation) {
    FAIL_OR_GO_ON(FAULTS_FLOCK, flock, -1);
    bool is_refused = (operation & LOCK_EX) != 0 && (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY;
    error = lack(FAULTS_NO_READ_ONLY_FLOCK, is_refused, EBADF, __builtin_return_address(0));
    if (error > 0) return errno = error, -1;
    return real(fd, operation);
}

DOOR(FAULTS_STAT, int, stat64, -1, (const char *path, struct stat64 *info), (path, info))
DOOR(FAULTS_STAT, int, lstat64, -1, (const char *path, struct stat64 *info), (path, info))
DOOR(FAULTS_STAT, int, fstat64, -1, (int fd, struct stat64 *info), (fd, info))
DOOR(FAULTS_STAT, int, fstatat64, -1, (int at, const char *path, struct stat64 *info, int flags),
     (at, path, info, flags))
DOOR(FAULTS_STAT, int, statx, -1, (int at, const char *path, int flags, unsigned mask, struct statx *info),
     (at, path, flags, mask, info))
DOOR(FAULTS_LIST, DIR *, fdopendir, NULL, (int fd), (fd))
DOOR(FAULTS_LIST, struct dirent64 *, readdir64, NULL, (DIR * stream), (stream))
DOOR(FAULTS_MODE, int, fchmod, -1, (int fd, mode_t mode), (fd, mode))
DOOR(FAULTS_MODE, ssize_t, getxattr, -1, (const char *path, const char *name, void *value, size_t size),
     (path, name, value, size))
DOOR(FAULTS_MODE, int, fremovexattr, -1, (int fd, const char *name), (fd, name))
DOOR(FAULTS_MODE, int, fchown, -1, (int fd, uid_t user, gid_t group), (fd, user, group))
DOOR(FAULTS_ACCESS, int, access, -1, (const char *path, int mode), (path, mode))
DOOR(FAULTS_ACCESS, int, faccessat, -1, (int at, const char *path, int mode, int flags), (at, path, mode, flags))
DOOR(FAULTS_ACCESS, ssize_t, readlink, -1, (const char *path, char *buffer, size_t size), (path, buffer, size))
DOOR(FAULTS_ACCESS, char *, realpath, NULL, (const char *path, char *resolved), (path, resolved))
DOOR(FAULTS_ACCESS, char *, getcwd, NULL, (char *buffer, size_t size), (buffer, size))
DOOR(FAULTS_ADVICE, int, mincore, -1, (void *start, size_t length, unsigned char *pages), (start, length, pages))
DOOR(FAULTS_ADVICE, int, madvise, -1, (void *start, size_t length, int advice), (start, length, advice))
DOOR(FAULTS_ADVICE, int, fstatvfs64, -1, (int fd, struct statvfs64 *info), (fd, info))
DOOR(FAULTS_ADVICE, int, setpriority, -1, (__priority_which_t which, id_t who, int priority), (which, who, priority))

/* Tells its error by its result. */
int posix_fadvise64(int fd, off64_t offset, off64_t length, int advice) {
    REAL(posix_fadvise64);
    int error = fault(FAULTS_ADVICE, "posix_fadvise64", __builtin_return_address(0));
    return error > 0 ? error : real(fd, offset, length, advice);
}

int close(int fd) {
    REAL(close);
    int error = fault(FAULTS_CLOSE, "close", __builtin_return_address(0));
    int result = real(fd);
    if (result == 0 && error > 0) return errno = error, -1;
    return result;
}

int closedir(DIR *stream) {
    REAL(closedir);
    int error = fault(FAULTS_CLOSE, "closedir", __builtin_return_address(0));
    int result = real(stream);
    if (result == 0 && error > 0) return errno = error, -1;
    return result;
}

/* A thread of std's maps its signal stack before it has its name, and aborts where it cannot: see docs/FAULTS.md. */
static bool is_birth(const void *caller) {
    return is_library(caller) && !is_named_thread && strstr(function_at(caller), "stack_overflow") != NULL;
}

void *mmap64(void *address, size_t length, int access, int flags, int fd, off64_t offset) {
    REAL(mmap64);
    const void *caller = __builtin_return_address(0);
    int error = is_birth(caller) ? 0 : fault(FAULTS_MAP, "mmap", caller);
    if (error > 0) return errno = error, MAP_FAILED;
    return real(address, length, access, flags, fd, offset);
}

void *mmap(void *address, size_t length, int access, int flags, int fd, off_t offset) {
    REAL(mmap);
    const void *caller = __builtin_return_address(0);
    int error = is_birth(caller) ? 0 : fault(FAULTS_MAP, "mmap", caller);
    if (error > 0) return errno = error, MAP_FAILED;
    return real(address, length, access, flags, fd, offset);
}

void *mremap(void *address, size_t length, size_t new_length, int flags, ...) {
    FAIL_OR_GO_ON(FAULTS_MAP, mremap, MAP_FAILED);
    return real(address, length, new_length, flags);
}

static bool is_lock(int command) { return command == F_GETLK || command == F_SETLK || command == F_SETLKW; }

int fcntl64(int fd, int command, ...) {
    va_list rest;
    va_start(rest, command);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    REAL(fcntl64);
    int error = is_lock(command) ? fault(FAULTS_LOCK, "fcntl", __builtin_return_address(0)) : 0;
    if (error > 0) return errno = error, -1;
    return real(fd, command, argument);
}

int fcntl(int fd, int command, ...) {
    va_list rest;
    va_start(rest, command);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    REAL(fcntl);
    int error = is_lock(command) ? fault(FAULTS_LOCK, "fcntl", __builtin_return_address(0)) : 0;
    if (error > 0) return errno = error, -1;
    return real(fd, command, argument);
}

ssize_t getrandom(void *buffer, size_t length, unsigned flags) {
    FAIL_OR_GO_ON(FAULTS_RANDOM, getrandom, -1);
    return real(buffer, shortened(error, length), flags);
}

/* Tells its error by its result. */
int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*body)(void *), void *argument) {
    REAL(pthread_create);
    int error = fault(FAULTS_THREAD, "pthread_create", __builtin_return_address(0));
    return error > 0 ? error : real(thread, attributes, body, argument);
}

int pthread_setname_np(pthread_t thread, const char *name) {
    REAL(pthread_setname_np);
    if (is_library(__builtin_return_address(0)) && pthread_equal(thread, pthread_self())) is_named_thread = true;
    return real(thread, name);
}

/* What Rust's libraries call by number. */
long syscall(long number, ...) {
    long a[6];
    va_list rest;
    va_start(rest, number);
    for (int i = 0; i < 6; i++) a[i] = va_arg(rest, long);
    va_end(rest);
    REAL(syscall);
    const void *caller = __builtin_return_address(0);
    int error = 0;
    switch (number) {
        case SYS_renameat2:
            error = fault(FAULTS_RENAME, "renameat2", caller);
            if (error == 0) error = lack(FAULTS_NO_RENAME_FLAGS, a[4] != 0, EINVAL, caller);
            break;
        case SYS_getrandom: error = fault(FAULTS_RANDOM, "getrandom", caller); break;
        case SYS_fchmod: error = fault(FAULTS_MODE, "fchmod", caller); break;
        case SYS_statx: error = fault(FAULTS_STAT, "statx", caller); break;
        default: break;
    }
    if (error > 0) return errno = error, -1;
    return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* ---- allocations ---- */

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static bool no_memory(const char *call, size_t size, const void *caller) {
    if (!is_library(caller)) return false;
    bool rust = is_rust(function_at(caller));
    if (rust && size < FAULTS_BIG) return false;
    return fault(rust ? FAULTS_BIG_MEMORY : FAULTS_C_MEMORY, call, caller) > 0;
}

void *malloc(size_t size) {
    if (no_memory("malloc", size, __builtin_return_address(0))) return errno = ENOMEM, NULL;
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
    if (no_memory("calloc", count * size, __builtin_return_address(0))) return errno = ENOMEM, NULL;
    return __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size) {
    if (no_memory("realloc", size, __builtin_return_address(0))) return errno = ENOMEM, NULL;
    return __libc_realloc(memory, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size) {
    if (no_memory("posix_memalign", size, __builtin_return_address(0))) return ENOMEM;
    *memory = __libc_memalign(alignment, size);
    return *memory == NULL ? ENOMEM : 0;
}
