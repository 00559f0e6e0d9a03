/*
 * Records what liblb_backup.so does to the files of one directory, with all the data, in one order: a call and its record
 * are one step, so that what has ended before an fsync begins is before it in the record, too.
 *
 * Files are told apart by their inodes, as descriptors are of two tables. Writing through a mapping does not pass by here;
 * the library does that to a -shm file only, of which nothing outlives a power loss that anybody would read: the first
 * connection empties it (os_unix.c, unixLockSharedMemory). Calls that change files and have no door here (fallocate,
 * copy_file_range, sendfile, splice, pwritev, mkdir, ...) the library does not make. Neither is believed: replay.cpp
 * compares what the record amounts to with what is in the directory, byte by byte.
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "recorder.h"
#include "support/interpose.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

__attribute__((constructor)) static void begin(void) { find_library(); }

/* ---- the record ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_bool recording;
static unsigned missing;
static dev_t device;
static ino_t directory_inode;
static recorded *record;
static size_t count, room;

static recorded *add(recorded_kind kind, ino_t inode) {
    if (count == room) {
        room = room == 0 ? 1024 : 2 * room;
        record = realloc(record, room * sizeof *record);
        if (record == NULL) give_up("no memory for the record");
    }
    recorded *added = &record[count++];
    *added = (recorded){.kind = kind, .inode = inode};
    return added;
}

static void put_name(char *to, const char *name) {
    if (strlen(name) >= sizeof record->name) give_up("a name is too long for the record");
    strcpy(to, name);
}

void recorder_begin(const char *directory, unsigned lacking) {
    struct stat info;
    if (stat(directory, &info) != 0) give_up("no directory to record");
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < count; i++) free((void *)record[i].bytes);
    count = 0;
    device = info.st_dev;
    directory_inode = info.st_ino;
    missing = lacking;
    recording = true;
    pthread_mutex_unlock(&lock);
}

void recorder_mark_success(void) {
    pthread_mutex_lock(&lock);
    if (recording) add(RECORDED_SUCCESS, 0);
    pthread_mutex_unlock(&lock);
}

const recorded *recorder_end(size_t *length) {
    pthread_mutex_lock(&lock);
    recording = false;
    *length = count;
    pthread_mutex_unlock(&lock);
    return record;
}

/* ---- what a call was about ---- */

/* True, and everybody else waits until leave(), if this is a call to be recorded. */
static bool enter(const void *caller) {
    if (!recording || !is_library(caller)) return false;
    pthread_mutex_lock(&lock);
    if (recording) return true;
    pthread_mutex_unlock(&lock);
    return false;
}

static void leave(void) { pthread_mutex_unlock(&lock); }

/* A file or a directory on the recorded directory's file system; others do not matter. */
static bool is_near(int fd, struct stat *info) { return fstat(fd, info) == 0 && info->st_dev == device; }

static bool is_near_file(int fd, struct stat *info) { return is_near(fd, info) && S_ISREG(info->st_mode); }

/* The name in the recorded directory that a path means, or NULL. */
static const char *name_of(int at, const char *path) {
    const char *slash = strrchr(path, '/'), *name = slash == NULL ? path : slash + 1;
    char directory[PATH_MAX] = ".";
    if (slash != NULL) snprintf(directory, sizeof directory, "%.*s", (int)(slash - path) + 1, path);
    struct stat info;
    if (fstatat(at, directory, &info, 0) != 0) return NULL;
    return info.st_dev == device && info.st_ino == directory_inode ? name : NULL;
}

static void record_write(int fd, off_t offset, const void *bytes, size_t length) {
    struct stat info;
    if (length == 0 || !is_near_file(fd, &info)) return;
    recorded *written = add(RECORDED_WRITE, info.st_ino);
    unsigned char *copy = malloc(length);
    if (copy == NULL) give_up("no memory for what is written");
    written->bytes = memcpy(copy, bytes, length);
    written->offset = (uint64_t)offset;
    written->length = length;
}

static void record_names(recorded_kind kind, ino_t inode, const char *name, const char *other) {
    if (name == NULL && other == NULL) return;
    if (name == NULL || (kind >= RECORDED_RENAME && other == NULL))
        give_up("a file left the recorded directory, or came to it");
    recorded *named = add(kind, inode);
    put_name(named->name, name);
    if (other != NULL) put_name(named->other, other);
}

/* ---- opening ---- */

typedef int open_function(const char *, int, ...);
typedef int openat_function(int, const char *, int, ...);

/* Opens by the one that is given, and records a file that this has made. */
static int record_open(open_function *open_by, openat_function *openat_by, int at, const char *path, int flags,
                       mode_t mode) {
    bool nameless = (flags & O_TMPFILE) == O_TMPFILE;
    if (nameless && (missing & RECORDER_NO_NAMELESS_FILES) != 0) return errno = EOPNOTSUPP, -1;
    struct stat info;
    bool creates = (flags & O_CREAT) != 0 && fstatat(at, path, &info, AT_SYMLINK_NOFOLLOW) != 0;
    int fd = open_by != NULL ? open_by(path, flags, mode) : openat_by(at, path, flags, mode);
    if (fd < 0) return fd;
    if ((flags & O_TRUNC) != 0) give_up("O_TRUNC has no record");
    if (nameless) {
        struct stat directory;
        if (fstatat(at, path, &directory, 0) == 0 && directory.st_dev == device &&
            directory.st_ino == directory_inode && is_near(fd, &info))
            add(RECORDED_CREATE, info.st_ino);
    } else if (creates && is_near_file(fd, &info)) {
        record_names(RECORDED_CREATE, info.st_ino, name_of(at, path), NULL);
    }
    return fd;
}

int open64(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    REAL(open64);
    if (!enter(__builtin_return_address(0))) return real(path, flags, mode);
    int fd = record_open(real, NULL, AT_FDCWD, path, flags, mode);
    leave();
    return fd;
}

int openat64(int at, const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    REAL(openat64);
    if (!enter(__builtin_return_address(0))) return real(at, path, flags, mode);
    int fd = record_open(NULL, real, at, path, flags, mode);
    leave();
    return fd;
}

/* ---- data ---- */

ssize_t pwrite64(int fd, const void *buffer, size_t length, off64_t offset) {
    REAL(pwrite64);
    if (!enter(__builtin_return_address(0))) return real(fd, buffer, length, offset);
    ssize_t done = real(fd, buffer, length, offset);
    if (done > 0) record_write(fd, offset, buffer, (size_t)done);
    leave();
    return done;
}

ssize_t write(int fd, const void *buffer, size_t length) {
    REAL(write);
    if (!enter(__builtin_return_address(0))) return real(fd, buffer, length);
    off_t offset = lseek(fd, 0, SEEK_CUR);
    ssize_t done = real(fd, buffer, length);
    if (done > 0) record_write(fd, offset, buffer, (size_t)done);
    leave();
    return done;
}

ssize_t writev(int fd, const struct iovec *vector, int parts) {
    REAL(writev);
    if (!enter(__builtin_return_address(0))) return real(fd, vector, parts);
    off_t offset = lseek(fd, 0, SEEK_CUR);
    ssize_t done = real(fd, vector, parts);
    ssize_t left = done;
    for (int i = 0; i < parts && left > 0; i++) {
        size_t length = vector[i].iov_len < (size_t)left ? vector[i].iov_len : (size_t)left;
        record_write(fd, offset, vector[i].iov_base, length);
        offset += (off_t)length;
        left -= (ssize_t)length;
    }
    leave();
    return done;
}

int ftruncate64(int fd, off64_t length) {
    REAL(ftruncate64);
    if (!enter(__builtin_return_address(0))) return real(fd, length);
    int result = real(fd, length);
    struct stat info;
    if (result == 0 && is_near_file(fd, &info)) add(RECORDED_TRUNCATE, info.st_ino)->length = (uint64_t)length;
    leave();
    return result;
}

/* ---- to the disk ---- */

static void record_sync(recorded_kind kind, int fd) {
    struct stat info;
    if (is_near(fd, &info)) add(kind, info.st_ino);
}

int fsync(int fd) {
    REAL(fsync);
    if (!enter(__builtin_return_address(0))) return real(fd);
    int result = real(fd);
    if (result == 0) record_sync(RECORDED_SYNC, fd);
    leave();
    return result;
}

int fdatasync(int fd) {
    REAL(fdatasync);
    if (!enter(__builtin_return_address(0))) return real(fd);
    int result = real(fd);
    if (result == 0) record_sync(RECORDED_SYNC, fd);
    leave();
    return result;
}

int sync_file_range(int fd, off64_t start, off64_t length, unsigned flags) {
    REAL(sync_file_range);
    if (!enter(__builtin_return_address(0))) return real(fd, start, length, flags);
    int result = real(fd, start, length, flags);
    if (result == 0) record_sync(RECORDED_RANGE, fd);
    leave();
    return result;
}

/* ---- names ---- */

int linkat(int from_at, const char *from, int to_at, const char *to, int flags) {
    REAL(linkat);
    if (!enter(__builtin_return_address(0))) return real(from_at, from, to_at, to, flags);
    int result = real(from_at, from, to_at, to, flags);
    struct stat info;
    if (result == 0 && fstatat(to_at, to, &info, AT_SYMLINK_NOFOLLOW) == 0)
        record_names(RECORDED_LINK, info.st_ino, name_of(to_at, to), NULL);
    leave();
    return result;
}

int unlink(const char *path) {
    REAL(unlink);
    if (!enter(__builtin_return_address(0))) return real(path);
    int result = real(path);
    if (result == 0) record_names(RECORDED_UNLINK, 0, name_of(AT_FDCWD, path), NULL);
    leave();
    return result;
}

int unlinkat(int at, const char *path, int flags) {
    REAL(unlinkat);
    if (!enter(__builtin_return_address(0))) return real(at, path, flags);
    int result = real(at, path, flags);
    if (result == 0) record_names(RECORDED_UNLINK, 0, name_of(at, path), NULL);
    leave();
    return result;
}

int renameat(int from_at, const char *from, int to_at, const char *to) {
    REAL(renameat);
    if (!enter(__builtin_return_address(0))) return real(from_at, from, to_at, to);
    int result = real(from_at, from, to_at, to);
    if (result == 0) record_names(RECORDED_RENAME, 0, name_of(from_at, from), name_of(to_at, to));
    leave();
    return result;
}

/* -1 with EINVAL where that was asked for, or what the call is to be recorded as. */
static int kind_of_rename(unsigned flags) {
    if (flags != 0 && (missing & RECORDER_NO_RENAME_FLAGS) != 0) return errno = EINVAL, -1;
    return (flags & RENAME_EXCHANGE) != 0 ? RECORDED_EXCHANGE : RECORDED_RENAME;
}

int renameat2(int from_at, const char *from, int to_at, const char *to, unsigned flags) {
    REAL(renameat2);
    if (!enter(__builtin_return_address(0))) return real(from_at, from, to_at, to, flags);
    int kind = kind_of_rename(flags), result = kind < 0 ? -1 : real(from_at, from, to_at, to, flags);
    if (result == 0) record_names((recorded_kind)kind, 0, name_of(from_at, from), name_of(to_at, to));
    leave();
    return result;
}

/* What Rust's libraries call by number. */
long syscall(long number, ...) {
    long a[6];
    va_list rest;
    va_start(rest, number);
    for (int i = 0; i < 6; i++) a[i] = va_arg(rest, long);
    va_end(rest);
    REAL(syscall);
    if (number != SYS_renameat2 || !enter(__builtin_return_address(0)))
        return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    int kind = kind_of_rename((unsigned)a[4]);
    long result = kind < 0 ? -1 : real(number, a[0], a[1], a[2], a[3], a[4]);
    if (result == 0)
        record_names((recorded_kind)kind, 0, name_of((int)a[0], (const char *)a[1]),
                     name_of((int)a[2], (const char *)a[3]));
    leave();
    return result;
}
