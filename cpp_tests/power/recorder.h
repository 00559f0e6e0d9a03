/*
 * Records what the library does to the files of one directory, in order (recorder.c).
 */
#ifndef LB_TEST_RECORDER_H
#define LB_TEST_RECORDER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    RECORDED_CREATE,   /* a new, empty file; without a name if `name` is empty (O_TMPFILE) */
    RECORDED_WRITE,    /* `length` bytes at `offset` */
    RECORDED_TRUNCATE, /* to `length` bytes; shorter or longer */
    RECORDED_SYNC,     /* fsync, fdatasync: of a file, or of the directory */
    RECORDED_RANGE,    /* sync_file_range: promises nothing (sync_file_range(2), "Warning") */
    RECORDED_LINK,     /* `name` is another name of the file */
    RECORDED_UNLINK,   /* of `name` */
    RECORDED_RENAME,   /* of `name` to `other`, which is replaced if it is there */
    RECORDED_EXCHANGE, /* of `name` and `other` */
    RECORDED_SUCCESS,  /* the job has reported it */
} recorded_kind;

typedef struct {
    recorded_kind kind;
    uint64_t inode; /* of the file that it is done to; one that is used again begins with RECORDED_CREATE */
    char name[64], other[64];
    uint64_t offset, length;
    const unsigned char *bytes;
} recorded;

/* What a file system may lack. */
enum {
    RECORDER_NO_NAMELESS_FILES = 1, /* O_TMPFILE: EOPNOTSUPP */
    RECORDER_NO_RENAME_FLAGS = 2,   /* RENAME_NOREPLACE, RENAME_EXCHANGE: EINVAL */
};

/* Begins, with an empty record; `lacking` is made up to be missing. The earlier record is freed. */
void recorder_begin(const char *directory, unsigned lacking);

/* Adds RECORDED_SUCCESS. May be called on any thread. */
void recorder_mark_success(void);

/* Ends. The record stays until the next beginning; its length goes to `count`. */
const recorded *recorder_end(size_t *count);

#ifdef __cplusplus
}
#endif

#endif
