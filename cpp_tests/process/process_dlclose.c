/*
 * A plugin host: the library is loaded by name, used, and closed while a job runs. It stays where it is (-z nodelete),
 * so nothing that comes later can crash: not its own threads, not the exit of a host thread that has called it.
 *
 *   process_dlclose LIBRARY SCENARIO
 *
 * This program is not linked with the library.
 */
#include "support/host.h"

#include <dlfcn.h>
#include <lb_backup.h>
#include <pthread.h>
#include <stdatomic.h>

enum { ROWS = 8192, SMALL_CHUNK = 65536, SLOW = 524288, HELD = 1 };

static const char *library_path;

typedef struct {
    void *handle;
    __typeof__(lb_backup_start) *start;
    __typeof__(lb_backup_progress) *progress;
    __typeof__(lb_backup_set_rate) *set_rate;
    __typeof__(lb_backup_join) *join;
    __typeof__(lb_shutdown) *shutdown;
} library;

/* POSIX lets an object pointer from dlsym be stored into a function pointer by its bytes. */
#define LOAD(lib, member, name)                         \
    do {                                                \
        void *symbol_ = dlsym((lib)->handle, name);     \
        CHECK(symbol_ != NULL);                         \
        memcpy(&(lib)->member, &symbol_, sizeof symbol_); \
    } while (0)

static library load(void) {
    library lib = {0};
    lib.handle = dlopen(library_path, RTLD_NOW | RTLD_LOCAL);
    if (lib.handle == NULL) dprintf(host_report_fd, "%s\n", dlerror());
    CHECK(lib.handle != NULL);
    LOAD(&lib, start, "lb_backup_start");
    LOAD(&lib, progress, "lb_backup_progress");
    LOAD(&lib, set_rate, "lb_backup_set_rate");
    LOAD(&lib, join, "lb_backup_join");
    LOAD(&lib, shutdown, "lb_shutdown");
    return lib;
}

static void close_library(library *lib) {
    CHECK(dlclose(lib->handle) == 0);
    memset(lib, 0, sizeof *lib);
}

static host_path new_source(const char *directory) {
    host_path source = path_in(directory, "game.db");
    sqlite3 *db = host_create(source.s, "WAL", ROWS);
    CHECK(sqlite3_close(db) == SQLITE_OK);
    return source;
}

static atomic_int completions;
static atomic_int outcome;

static void on_complete(lb_job *job, const lb_result *result, void *unused) {
    (void)job, (void)unused;
    atomic_store(&outcome, result->status);
    atomic_fetch_add(&completions, 1);
}

static lb_job *start_held(const library *lib, const char *source, const char *destination) {
    lb_backup_options options = {0};
    lb_progress progress = {0};
    lb_job *job = NULL;
    options.struct_size = sizeof options;
    options.chunk_size = SMALL_CHUNK;
    options.max_bytes_per_second = SLOW;
    options.on_complete = on_complete;
    progress.struct_size = sizeof progress;
    CHECK(lib->start(source, destination, &options, &job, NULL) == LB_STATUS_OK);
    WAIT_FOR(lib->progress(job, &progress) == LB_STATUS_OK && progress.bytes_done > 0);
    CHECK(lib->set_rate(job, HELD) == LB_STATUS_OK);
    CHECK(lib->progress(job, &progress) == LB_STATUS_OK && progress.state == LB_JOB_STATE_RUNNING);
    return job;
}

typedef struct {
    host_path source, destination;
    lb_job *job;
    atomic_bool started, may_end;
} host_thread;

/* Has its own reference to the library, gives it back, and ends when nobody holds the library any more. */
static void *use_and_end_later(void *argument) {
    host_thread *self = argument;
    library lib = load();
    self->job = start_held(&lib, self->source.s, self->destination.s);
    close_library(&lib);
    atomic_store(&self->started, true);
    WAIT_FOR(atomic_load(&self->may_end));
    return NULL;
}

static void closing_with_a_job_running_breaks_nothing(const char *directory) {
    host_thread other = {.source = new_source(directory), .destination = path_in(directory, "copy.db")};
    pthread_t thread;
    library lib = load();
    CHECK(pthread_create(&thread, NULL, use_and_end_later, &other) == 0);
    WAIT_FOR(atomic_load(&other.started));
    close_library(&lib);
    atomic_store(&other.may_end, true);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(atomic_load(&completions) == 0);

    lib = load();
    CHECK(lib.set_rate(other.job, 0) == LB_STATUS_OK);
    close_library(&lib);
    WAIT_FOR(atomic_load(&completions) > 0);
    CHECK(atomic_load(&outcome) == LB_STATUS_OK);

    lib = load();
    CHECK(lib.join(other.job, NULL) == LB_STATUS_OK);
    CHECK(lib.join(other.job, NULL) == LB_STATUS_INVALID_HANDLE);
    close_library(&lib);
    CHECK(atomic_load(&completions) == 1);
    CHECK(is_sound_copy(other.destination.s, ROWS));
}

static void exit_after_closing_works(const char *directory) {
    host_path source = new_source(directory), backups = new_directory(directory, "backups");
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        host_path destination = path_in(backups.s, "copy.db");
        library lib = load();
        start_held(&lib, source.s, destination.s);
        close_library(&lib);
        exit(7);
    }
    CHECK(wait_for_child(child) == 7);
}

static void a_closed_library_can_be_loaded_and_used_again(const char *directory) {
    host_path source = new_source(directory);
    int threads = tasks().count;
    for (int round = 0; round < 10; round++) {
        char name[16];
        snprintf(name, sizeof name, "copy-%d.db", round);
        host_path destination = path_in(directory, name);
        library lib = load();
        lb_job *job = NULL;
        CHECK(lib.start(source.s, destination.s, NULL, &job, NULL) == LB_STATUS_OK);
        CHECK(lib.join(job, NULL) == LB_STATUS_OK);
        CHECK(lib.shutdown(UINT32_MAX) == LB_STATUS_OK);
        close_library(&lib);
        WAIT_FOR(tasks().count == threads);
    }
}

int main(int argc, char **argv) {
    static const scenario table[] = {
        {"with-a-job-running", closing_with_a_job_running_breaks_nothing},
        {"then-exit", exit_after_closing_works},
        {"then-load-again", a_closed_library_can_be_loaded_and_used_again},
    };
    library_path = argc > 1 ? argv[1] : "";
    return run_named_scenario(argc > 2 ? argv[2] : "", table, sizeof table / sizeof *table);
}
