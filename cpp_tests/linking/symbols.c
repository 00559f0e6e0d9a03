/*
 * A host that exports its SQLite, its Zstandard and more (-rdynamic), beside the library, which has its own of each.
 * Neither may ever land in the other's.
 *
 *   linking_symbols OWNER job              backups, a restore and a verification leave the host's functions alone
 *   linking_symbols OWNER names            the host's names lead to OWNER, the file that has the host's SQLite
 *   linking_symbols OWNER careless LIBRARY [--expect-hazard]   the same watch over a library of another make
 */
#include "support/jobs.h"
#include "watch.h"

#include <dlfcn.h>

enum { ROWS = 2000 };

static const char *owner, *careless_library;

static void jobs_leave_the_hosts_functions_alone(const char *directory) {
    host_path source = path_in(directory, "game.db"), archive = path_in(directory, "game.db.zst");
    host_path image = path_in(directory, "copy.db"), restored = path_in(directory, "restored.db");
    sqlite3 *db = host_create(source.s, "WAL", ROWS);
    const int own_calls = watch_own_calls();

    lb_backup_options options = backup_options();
    options.verify = LB_VERIFY_FULL;
    lb_job *jobs[] = {start_backup(source.s, archive.s, &options), start_backup(source.s, image.s, &options)};
    host_exec(db, "INSERT INTO t(payload) VALUES('while the backups run')");
    JOIN(jobs[0], LB_STATUS_OK);
    JOIN(jobs[1], LB_STATUS_OK);

    lb_job *job = NULL;
    lb_verify_options verify = {.struct_size = sizeof verify, .verify = LB_VERIFY_FULL};
    CHECK_STATUS(lb_verify_start(archive.s, &verify, &job, NULL), LB_STATUS_OK);
    JOIN(job, LB_STATUS_OK);
    CHECK_STATUS(lb_restore_start(archive.s, restored.s, NULL, &job, NULL), LB_STATUS_OK);
    JOIN(job, LB_STATUS_OK);
    /* Onto the live database, through the library's SQLite. */
    lb_restore_options restore = {.struct_size = sizeof restore, .existing = LB_EXISTING_REPLACE};
    CHECK_STATUS(lb_restore_start(archive.s, source.s, &restore, &job, NULL), LB_STATUS_OK);
    JOIN(job, LB_STATUS_OK);

    PROMISE(watch_intrusions() == 0);
    CHECK(watch_own_calls() > own_calls);
    const long rows = host_int(db, "SELECT count(*) FROM t");
    CHECK(rows == ROWS || rows == ROWS + 1);
    CHECK(is_sound_copy(restored.s, rows));
    CHECK(sqlite3_close(db) == SQLITE_OK);
}

static const char *file_of(const void *address) {
    Dl_info info;
    return dladdr(address, &info) != 0 ? info.dli_fname : "nowhere";
}

static void check_owner(const char *name, const void *address) {
    const char *file = file_of(address);
    char wanted[PATH_MAX], found[PATH_MAX];
    CHECK(realpath(owner, wanted) != NULL && realpath(file, found) != NULL);
    if (strcmp(wanted, found) == 0) return;
    dprintf(STDERR_FILENO, "%s is in %s\n", name, file);
    PROMISE(false);
}

#define FUNCTIONS(X)                                                                                            \
    X(sqlite3_backup_init) X(sqlite3_close_v2) X(sqlite3_config) X(sqlite3_exec) X(sqlite3_file_control) X(sqlite3_free) \
    X(sqlite3_initialize) X(sqlite3_libversion) X(sqlite3_malloc) X(sqlite3_open_v2) X(sqlite3_prepare_v2)       \
    X(sqlite3_shutdown) X(sqlite3_sourceid) X(sqlite3_step) X(sqlite3_vfs_find) X(sqlite3_vfs_register)

/* What the host links by name, and what it looks up while it runs, is its own, whichever library was loaded first. */
static void names_lead_to_the_host(const char *directory) {
    host_path source = path_in(directory, "game.db"), archive = path_in(directory, "game.db.zst");
    CHECK(sqlite3_close(host_create(source.s, "WAL", 10)) == SQLITE_OK);
    JOIN(start_backup(source.s, archive.s, NULL), LB_STATUS_OK);

    /* Now its names are in the global scope in any case. */
    void *library = dlopen("liblb_backup.so.0", RTLD_NOW | RTLD_NOLOAD | RTLD_GLOBAL);
    CHECK(library != NULL);
    CHECK(dlsym(library, "lb_backup_start") != NULL);
#define CHECK_FUNCTION(name)                                            \
    do {                                                                \
        void *address;                                                  \
        __typeof__(name) *linked = name;                                \
        memcpy(&address, &linked, sizeof address);                      \
        check_owner(#name, address);                                    \
        check_owner(#name, dlsym(RTLD_DEFAULT, #name));                 \
        PROMISE(dlsym(library, #name) == NULL);                         \
    } while (0);
    FUNCTIONS(CHECK_FUNCTION)
    PROMISE(dlsym(library, "ZSTD_compressStream2") == NULL);
    PROMISE(dlsym(library, "blake3_hash_many_sse41") == NULL);
    CHECK(dlsym(RTLD_DEFAULT, "ZSTD_compressStream2") != NULL);
}

static void a_library_of_another_make(const char *directory) {
    (void)directory;
    void *library = dlopen(careless_library, RTLD_NOW | RTLD_LOCAL);
    CHECK(library != NULL);
    int (*backup)(void);
    void *symbol = dlsym(library, "careless_backup");
    CHECK(symbol != NULL);
    memcpy(&backup, &symbol, sizeof backup);
    CHECK(backup() == 0);
    PROMISE(watch_intrusions() == 0);
}

int main(int argc, char **argv) {
    static const scenario table[] = {
        {"job", jobs_leave_the_hosts_functions_alone},
        {"names", names_lead_to_the_host},
        {"careless", a_library_of_another_make},
    };
    CHECK(argc >= 3);
    owner = argv[1];
    careless_library = argc > 3 ? argv[3] : NULL;
    watch_begin();
    if (argc > 4 && strcmp(argv[4], "--expect-hazard") == 0)
        return judge_expecting_hazard(run_scenario(a_library_of_another_make));
    return run_named_scenario(argv[2], table, sizeof table / sizeof *table);
}
