/*
 * linking_load LIBRARY MODE: a plugin host. It loads the library while it runs, in one of the ways that dlopen(3) knows, and
 * goes on with its own SQLite.
 */
#include "support/host.h"

#include <dlfcn.h>
#include <lb_backup.h>

static const char *library_path, *mode_name;

static const struct {
    const char *name;
    int flags;
} modes[] = {
    {"local-now", RTLD_LOCAL | RTLD_NOW},
    {"local-lazy", RTLD_LOCAL | RTLD_LAZY},
    {"global-now", RTLD_GLOBAL | RTLD_NOW},
    {"global-lazy", RTLD_GLOBAL | RTLD_LAZY},
    {"deepbind", RTLD_LOCAL | RTLD_NOW | RTLD_DEEPBIND},
    {"global-deepbind", RTLD_GLOBAL | RTLD_NOW | RTLD_DEEPBIND},
};

#define LOOK_UP(handle, name)                              \
    __typeof__(name) *name##_;                             \
    do {                                                   \
        void *symbol_ = dlsym(handle, #name);              \
        CHECK(symbol_ != NULL);                            \
        memcpy(&name##_, &symbol_, sizeof symbol_);        \
    } while (0)

static void *load(void) {
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        if (strcmp(modes[i].name, mode_name) != 0) continue;
        void *handle = dlopen(library_path, modes[i].flags);
        if (handle == NULL) dprintf(host_report_fd, "%s\n", dlerror());
        return handle;
    }
    dprintf(host_report_fd, "no mode is called %s\n", mode_name);
    return NULL;
}

static void a_loaded_library_works_and_the_host_keeps_its_own(const char *directory) {
    host_path source = path_in(directory, "game.db"), archive = path_in(directory, "game.db.zst");
    host_path restored = path_in(directory, "restored.db");
    sqlite3 *db = host_create(source.s, "WAL", 500);
    void *open_before = dlsym(RTLD_DEFAULT, "sqlite3_open_v2");
    CHECK(open_before != NULL);

    void *handle = load();
    CHECK(handle != NULL);
    LOOK_UP(handle, lb_backup_start);
    LOOK_UP(handle, lb_restore_start);
    LOOK_UP(handle, lb_backup_join);
    LOOK_UP(handle, lb_abi_version);
    CHECK(lb_abi_version_() == LB_ABI_VERSION);
    lb_job *job = NULL;
    CHECK(lb_backup_start_(source.s, archive.s, NULL, &job, NULL) == LB_STATUS_OK);
    CHECK(lb_backup_join_(job, NULL) == LB_STATUS_OK);
    CHECK(lb_restore_start_(archive.s, restored.s, NULL, &job, NULL) == LB_STATUS_OK);
    CHECK(lb_backup_join_(job, NULL) == LB_STATUS_OK);

    CHECK(dlsym(RTLD_DEFAULT, "sqlite3_open_v2") == open_before);
    CHECK(dlsym(handle, "sqlite3_open_v2") == NULL);
    host_exec(db, "INSERT INTO t(payload) VALUES('afterwards')");
    CHECK(sqlite3_close(db) == SQLITE_OK);
    CHECK(is_sound_copy(restored.s, 500));
    CHECK(dlclose(handle) == 0);
}

int main(int argc, char **argv) {
    CHECK(argc == 3);
    library_path = argv[1];
    mode_name = argv[2];
    return run_scenario(a_loaded_library_works_and_the_host_keeps_its_own) == PROMISE_KEPT ? 0 : 1;
}
