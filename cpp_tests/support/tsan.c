/*
 * What ThreadSanitizer has to be told. Linked into every program that it instruments, and not instrumented itself.
 *
 * The library is not instrumented, and synchronises by atomics and futexes, which ThreadSanitizer does not see. Two things
 * follow. It would report the library's own use of memory and descriptors (what Rust's type system has proven) wherever
 * the library calls a function that it intercepts, such as free or write: called_from_lib ends that. And it would report
 * what a callback and the host share through user_data: for that, here is the order that lb_backup.h promises, and no more:
 *
 *   what came before lb_*_start, lb_configure        comes before every callback with that user_data
 *   what a callback did                               comes before the end of lb_backup_wait, lb_backup_join of its job, and
 *                                                     of lb_shutdown
 *
 * It stands between a program and the library: functions of these names in a program are found before the library's.
 * What cannot be found this way: a race inside the library, and one between the host and the library's reading of its
 * arguments.
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <lb_backup.h>

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

void __tsan_acquire(void *address);
void __tsan_release(void *address);
const char *__tsan_default_suppressions(void);
const char *__tsan_default_options(void);

const char *__tsan_default_suppressions(void) {
    return "called_from_lib:liblb_backup.so\n"
           /* The references to Asio's oldest executor are counted with a fence, which ThreadSanitizer does not follow. */
           "race:asio::executor::destroy\n"
           /* Those to an exception are counted in libstdc++, which is not instrumented. */
           "race:std::runtime_error::~runtime_error\n";
}

/* die_after_fork: a test may fork while the library's threads run; what the child may do is among what is tested. */
const char *__tsan_default_options(void) { return "halt_on_error=1:die_after_fork=0:second_deadlock_stack=1"; }

static void *nothing(void *unused) { return unused; }

/* It starts a thread of its own beside a program's first: whoever counts threads must find it there. */
__attribute__((constructor)) static void start_sanitizers_thread(void) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, nothing, NULL) != 0 || pthread_join(thread, NULL) != 0) abort();
}

/* ---- addresses that stand for the order ---- */

enum { PLACES = 4096 };
static char places[PLACES], everything;

/* Handles are no addresses and user_data may be none: two of them may share a place, which orders a little too much. */
static void *place_of(const void *value) {
    uint64_t hash = (uint64_t)(uintptr_t)value * UINT64_C(0x9E3779B97F4A7C15);
    return &places[hash >> 52];
}

/* ---- callbacks, each behind a function that tells the order ---- */

enum { MOST_FUNCTIONS = 32 };

static pthread_mutex_t functions = PTHREAD_MUTEX_INITIALIZER;
static lb_progress_fn progress_functions[MOST_FUNCTIONS];
static lb_complete_fn complete_functions[MOST_FUNCTIONS];
static lb_log_fn log_functions[MOST_FUNCTIONS];

static void leave_callback(const lb_job *job) {
    __tsan_release(place_of(job));
    __tsan_release(&everything);
}

#define FOR_EACH(X)                                                                                                    \
    X(0)                                                                                                               \
    X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15) X(16) X(17) X(18) X(19) X(20)     \
        X(21) X(22) X(23) X(24) X(25) X(26) X(27) X(28) X(29) X(30) X(31)

#define CALLBACKS(n)                                                                                                   \
    static void progress_##n(lb_job *job, const lb_progress *progress, void *user_data) {                              \
        __tsan_acquire(place_of(user_data));                                                                           \
        progress_functions[n](job, progress, user_data);                                                               \
        leave_callback(job);                                                                                           \
    }                                                                                                                  \
    static void complete_##n(lb_job *job, const lb_result *result, void *user_data) {                                  \
        __tsan_acquire(place_of(user_data));                                                                           \
        complete_functions[n](job, result, user_data);                                                                 \
        leave_callback(job);                                                                                           \
    }                                                                                                                  \
    static void log_##n(uint32_t level, const char *message, void *user_data) {                                        \
        __tsan_acquire(place_of(user_data));                                                                           \
        log_functions[n](level, message, user_data);                                                                   \
        leave_callback(NULL);                                                                                          \
    }
FOR_EACH(CALLBACKS)

#define PROGRESS(n) progress_##n,
#define COMPLETE(n) complete_##n,
#define LOG(n) log_##n,
static const lb_progress_fn progress_calls[] = {FOR_EACH(PROGRESS)};
static const lb_complete_fn complete_calls[] = {FOR_EACH(COMPLETE)};
static const lb_log_fn log_calls[] = {FOR_EACH(LOG)};

/* The function that calls `function`, from a table that only grows. */
#define BEHIND(kind, function)                                                                                         \
    {                                                                                                                  \
        pthread_mutex_lock(&functions);                                                                                \
        int at = 0;                                                                                                    \
        while (at < MOST_FUNCTIONS && kind##_functions[at] != NULL && kind##_functions[at] != (function)) at++;        \
        if (at == MOST_FUNCTIONS) abort(); /* more callbacks in one program than this file has room for */             \
        kind##_functions[at] = (function);                                                                             \
        pthread_mutex_unlock(&functions);                                                                              \
        (function) = kind##_calls[at];                                                                                 \
    }

/* ---- the functions of the library ---- */

#define REAL(name)                                                                                                     \
    __typeof__(name) *real;                                                                                            \
    *(void **)&real = dlsym(RTLD_NEXT, #name);                                                                         \
    if (real == NULL) abort()

/* A copy of a caller's structure, if it is one that the library would read to the end of `field`; else NULL. */
#define COPY(type, field, original)                                                                                    \
    ((type *)copy_of((original), _Alignof(type), offsetof(type, field) + sizeof((original)->field)))

static void *copy_of(const void *original, size_t alignment, size_t least) {
    uint32_t size;
    if (original == NULL || (uintptr_t)original % alignment != 0) return NULL;
    memcpy(&size, original, sizeof size);
    if (size < least || size > 65536) return NULL;
    void *copy = malloc(size);
    if (copy == NULL) abort();
    return memcpy(copy, original, size);
}

/* Runs `call` with `options` replaced by a copy whose callbacks tell the order. */
#define START(type, call)                                                                                              \
    type *copy = COPY(type, on_complete, options);                                                                     \
    if (copy != NULL) {                                                                                                \
        if (copy->on_progress != NULL) BEHIND(progress, copy->on_progress)                                             \
        if (copy->on_complete != NULL) BEHIND(complete, copy->on_complete)                                             \
        __tsan_release(place_of(copy->user_data));                                                                     \
        options = copy;                                                                                                \
    }                                                                                                                  \
    lb_status status = (call);                                                                                         \
    free(copy);                                                                                                        \
    return status

lb_status lb_backup_start(const char *source_path, const char *dest_path, const lb_backup_options *options,
                          lb_job **out_job, lb_error *out_error) {
    REAL(lb_backup_start);
    START(lb_backup_options, real(source_path, dest_path, options, out_job, out_error));
}

lb_status lb_restore_start(const char *archive_path, const char *dest_path, const lb_restore_options *options,
                           lb_job **out_job, lb_error *out_error) {
    REAL(lb_restore_start);
    START(lb_restore_options, real(archive_path, dest_path, options, out_job, out_error));
}

lb_status lb_verify_start(const char *archive_path, const lb_verify_options *options, lb_job **out_job,
                          lb_error *out_error) {
    REAL(lb_verify_start);
    START(lb_verify_options, real(archive_path, options, out_job, out_error));
}

lb_status lb_configure(const lb_config *config, lb_error *out_error) {
    REAL(lb_configure);
    lb_config *copy = COPY(lb_config, on_log, config);
    if (copy != NULL) {
        if (copy->on_log != NULL) BEHIND(log, copy->on_log)
        __tsan_release(place_of(copy->user_data));
        config = copy;
    }
    lb_status status = real(config, out_error);
    free(copy);
    return status;
}

lb_status lb_backup_wait(lb_job *job, uint32_t timeout_ms) {
    REAL(lb_backup_wait);
    lb_status status = real(job, timeout_ms);
    if (status == LB_STATUS_OK) __tsan_acquire(place_of(job));
    return status;
}

lb_status lb_backup_join(lb_job *job, lb_result *out_result) {
    REAL(lb_backup_join);
    lb_status status = real(job, out_result);
    if (status != LB_STATUS_INVALID_HANDLE) __tsan_acquire(place_of(job));
    return status;
}

lb_status lb_shutdown(uint32_t timeout_ms) {
    REAL(lb_shutdown);
    lb_status status = real(timeout_ms);
    if (status == LB_STATUS_OK) __tsan_acquire(&everything);
    return status;
}
