/*
 * The start-up proof has failed (LB_BACKUP_TEST_HOOKS=proof-fails): the library says so and refuses to work, unless the
 * caller takes it upon himself.
 *
 *   hazard_proof SCENARIO
 */
#include "support/jobs.h"

static void is_refused(const char *source, const char *destination) {
    lb_job *job = (lb_job *)(uintptr_t)0x1234;
    lb_error error = {0};
    error.struct_size = sizeof error;
    CHECK_STATUS(lb_backup_start(source, destination, NULL, &job, &error), LB_STATUS_UNSUPPORTED);
    CHECK(job == NULL);
    CHECK(error.status == LB_STATUS_UNSUPPORTED);
    CHECK(strstr(error.message, "lock") != NULL || strstr(error.message, "descriptor") != NULL);
    CHECK(memchr(error.message, '\0', sizeof error.message) != NULL);
    lb_archive_info info = {0};
    info.struct_size = sizeof info;
    CHECK_STATUS(lb_restore_start(source, destination, NULL, &job, NULL), LB_STATUS_UNSUPPORTED);
    CHECK_STATUS(lb_verify_start(source, NULL, &job, NULL), LB_STATUS_UNSUPPORTED);
    CHECK_STATUS(lb_backup_inspect(source, &info, NULL), LB_STATUS_UNSUPPORTED);
    CHECK(job == NULL && info.kind == 0);
}

static void is_accepted(const char *source, const char *destination) {
    lb_config config = {0};
    config.struct_size = sizeof config;
    config.flags = LB_CONFIG_SOURCE_NOT_OPEN_IN_PROCESS;
    CHECK_STATUS(lb_configure(&config, NULL), LB_STATUS_OK);
    lb_job *job = start_backup(source, destination, NULL);
    JOIN(job, LB_STATUS_OK);
    CHECK(is_sound_copy(destination, 100));
}

static host_path new_source(const char *directory) {
    host_path source = path_in(directory, "game.db");
    sqlite3 *db = host_create(source.s, "WAL", 100);
    CHECK(sqlite3_close(db) == SQLITE_OK);
    return source;
}

static void every_start_is_refused(const char *directory) {
    host_path source = new_source(directory), backups = new_directory(directory, "backups");
    host_path destination = path_in(backups.s, "copy.db");
    descriptor_table before, after;
    int threads = tasks().count;
    read_descriptors(0, &before);
    for (int i = 0; i < 10; i++) is_refused(source.s, destination.s);
    read_descriptors(0, &after);
    CHECK(same_descriptors(&before, &after));
    CHECK(count_entries(backups.s, NULL) == 0);
    CHECK_STATUS(lb_shutdown(UINT32_MAX), LB_STATUS_OK);
    WAIT_FOR(tasks().count == threads);
}

static void goes_on_with_the_callers_word(const char *directory) {
    host_path source = new_source(directory), destination = path_in(directory, "copy.db");
    is_accepted(source.s, destination.s);
}

static void a_refused_caller_may_give_his_word(const char *directory) {
    host_path source = new_source(directory), destination = path_in(directory, "copy.db");
    is_refused(source.s, destination.s);
    is_accepted(source.s, destination.s);
    CHECK_STATUS(lb_shutdown(UINT32_MAX), LB_STATUS_OK); /* joins what the refused starts had begun, too */
}

int main(int argc, char **argv) {
    static const scenario table[] = {
        {"refused", every_start_is_refused},
        {"caller-knows", goes_on_with_the_callers_word},
        {"refused-then-caller-knows", a_refused_caller_may_give_his_word},
    };
    return run_named_scenario(argc > 1 ? argv[1] : "", table, sizeof table / sizeof *table);
}
