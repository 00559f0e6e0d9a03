/*
 * Fails chosen system calls and allocations of the library, and of nobody else in the process (faults.c).
 */
#ifndef LB_TEST_FAULTS_H
#define LB_TEST_FAULTS_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What is counted, and made to fail, together. */
typedef enum {
    FAULTS_OPEN,      /* open, openat, opendir, memfd_create, dup */
    FAULTS_READ,      /* pread, read */
    FAULTS_WRITE,     /* pwrite, write, writev */
    FAULTS_SYNC,      /* fsync */
    FAULTS_RANGE,     /* sync_file_range */
    FAULTS_TRUNCATE,  /* ftruncate */
    FAULTS_RENAME,    /* renameat, renameat2 */
    FAULTS_LINK,      /* linkat */
    FAULTS_UNLINK,    /* unlink, unlinkat */
    FAULTS_MAP,       /* mmap, mremap */
    FAULTS_LOCK,      /* fcntl with F_GETLK, F_SETLK, F_SETLKW */
    FAULTS_FLOCK,     /* flock */
    FAULTS_CLOSE,     /* close, closedir; the descriptor is closed all the same (close(2), "Dealing with error returns") */
    FAULTS_RANDOM,    /* getrandom */
    FAULTS_THREAD,    /* pthread_create */
    FAULTS_STAT,      /* stat, fstat, lstat, fstatat, statx */
    FAULTS_LIST,      /* fdopendir, readdir */
    FAULTS_MODE,      /* fchmod, fchown, getxattr, fremovexattr */
    FAULTS_ACCESS,    /* access, faccessat, readlink, realpath, getcwd */
    FAULTS_ADVICE,    /* fadvise, mincore, madvise, fstatvfs, setpriority */
    FAULTS_C_MEMORY,  /* malloc, calloc, realloc of SQLite and of Zstandard */
    FAULTS_BIG_MEMORY, /* the same and posix_memalign, of Rust: from FAULTS_BIG bytes on */
    FAULTS_CLASSES
} faults_class;

/* Below this, Rust's allocations are left alone: std, and a library of ours, abort (docs/FAULTS.md). */
enum { FAULTS_BIG = 65536 };

/* Instead of an errno: half of the bytes are read or written. */
enum { FAULTS_SHORT = -1 };

/* Instead of an errno: the process kills itself, by SIGKILL, before the call is made. */
enum { FAULTS_KILL = -2 };

/* From now on the `first`-th to `last`-th call of the class fails with `error`; 1 is the next one. */
void faults_arm(faults_class failing, unsigned long first, unsigned long last, int error);

/* No call fails any more. */
void faults_disarm(void);

/* What the library's file systems have not got: calls fail with the error that says so. */
enum {
    FAULTS_NO_RENAME_FLAGS = 1,    /* renameat2 with flags: EINVAL */
    FAULTS_NO_LINKS = 2,           /* linkat of a name; a nameless file still gets one: EPERM */
    FAULTS_NO_READ_ONLY_FLOCK = 4, /* flock, exclusive, of what is not open for writing, as on NFS: EBADF */
};

/* From now on these are missing; 0: nothing is. */
void faults_lack(unsigned missing);

/* Once a call has failed, `next` is called before each FAULTS_STAT call of a thread of the library; NULL: nothing. */
void faults_then(void (*next)(void));

/* Calls of the class since faults_arm. */
unsigned long faults_seen(faults_class counted);

/* Calls of the class, since the program began, on threads of the library with a name. */
unsigned long faults_seen_on_threads(faults_class counted);

/* Calls that failed since faults_arm. */
unsigned long faults_injected(void);

/* The last of them: the call, and the function of the library that made it. Static. */
const char *faults_last(void);

const char *faults_class_name(faults_class named);

#ifdef __cplusplus
}
#endif

#endif
