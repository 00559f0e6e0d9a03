/*
 * Two SQLites in one process: what inspecting, verifying and restoring must not do to the locks of a host that has the
 * database open.
 *
 *   hazard_restore OUTSIDER ROW ACT [--expect-hazard]
 *
 * As hazard_rows.c, with another act: the database is inspected, verified, restored from, or restored onto. Where the
 * host writes, a restore onto its database must be refused as busy; where it does not, it succeeds.
 */
#include "support/jobs.h"
#include "hazard/outsider.h"

typedef struct {
    host_path database, backups, archive;
    long rows; /* committed, as the host knows */
    sqlite3 *db;
} host;

/* By a process of its own: this one has not used the library before the act. */
static void take_archive(const host *h) {
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        lb_job *job = start_backup(h->database.s, h->archive.s, NULL);
        JOIN(job, LB_STATUS_OK);
        _exit(0);
    }
    CHECK(wait_for_child(child) == 0);
}

enum { ROWS = 2000 };

static host new_host(const char *directory, const char *journal_mode) {
    host h;
    h.database = path_in(directory, "game.db");
    h.backups = new_directory(directory, "backups");
    h.archive = path_in(h.backups.s, "game.db.zst");
    h.rows = ROWS;
    h.db = host_create(h.database.s, journal_mode, ROWS);
    CHECK(sqlite3_close(h.db) == SQLITE_OK);
    take_archive(&h);
    h.db = host_open(h.database.s);
    CHECK(host_int(h.db, "SELECT count(*) FROM t") == ROWS);
    return h;
}

/* ---- what is done to the host's database ---- */

static void inspect(const host *h, bool writing) {
    (void)writing;
    lb_archive_info info = {0};
    info.struct_size = sizeof info;
    CHECK_STATUS(lb_backup_inspect(h->database.s, &info, NULL), LB_STATUS_OK);
    CHECK(info.kind == LB_KIND_IMAGE);
}

static void verify(const host *h, bool writing) {
    (void)writing;
    lb_verify_options options = {0};
    options.struct_size = sizeof options;
    options.verify = LB_VERIFY_FULL;
    lb_job *job = NULL;
    CHECK_STATUS(lb_verify_start(h->database.s, &options, &job, NULL), LB_STATUS_OK);
    JOIN(job, LB_STATUS_OK);
}

static lb_restore_options restore_options(uint32_t existing) {
    lb_restore_options options = {0};
    options.struct_size = sizeof options;
    options.existing = existing;
    options.busy_timeout_ms = 200;
    return options;
}

static void restore_from(const host *h, bool writing) {
    (void)writing;
    host_path copy = path_in(h->backups.s, "copy.db");
    lb_restore_options options = restore_options(LB_EXISTING_REFUSE);
    lb_job *job = NULL;
    CHECK_STATUS(lb_restore_start(h->database.s, copy.s, &options, &job, NULL), LB_STATUS_OK);
    JOIN(job, LB_STATUS_OK);
    CHECK(is_sound_copy(copy.s, h->rows));
}

static void restore_onto(const host *h, bool writing) {
    lb_restore_options options = restore_options(LB_EXISTING_REPLACE);
    lb_job *job = NULL;
    CHECK_STATUS(lb_restore_start(h->archive.s, h->database.s, &options, &job, NULL), LB_STATUS_OK);
    lb_status status = lb_backup_join(job, NULL);
    if (writing)
        PROMISE(status == LB_STATUS_BUSY); /* through the host's lock is what it must never go */
    else
        CHECK_STATUS(status, LB_STATUS_OK);
}

typedef void (*act_fn)(const host *h, bool writing);

static act_fn act;

/* ---- the host's write lock keeps outsiders out, through and after the act ---- */

static void writer_keeps_its_lock(const char *directory, const char *journal_mode) {
    host h = new_host(directory, journal_mode);
    host_exec(h.db, "BEGIN IMMEDIATE");
    host_exec(h.db, "INSERT INTO t(payload) VALUES('host')");
    CHECK(outsider_is_refused(h.database.s));
    act(&h, true);
    PROMISE(outsider_is_refused(h.database.s));
    int code = host_try(h.db, "COMMIT");
    if (code != SQLITE_OK) dprintf(host_report_fd, "the host's COMMIT: %s\n", sqlite3_errmsg(h.db));
    PROMISE(code == SQLITE_OK);
    PROMISE(rows_seen_outside(h.database.s) == h.rows + 1);
    PROMISE(sound_outside(h.database.s));
    CHECK(sqlite3_close(h.db) == SQLITE_OK);
}

static void rollback_immediate(const char *directory) { writer_keeps_its_lock(directory, "DELETE"); }

static void wal_immediate(const char *directory) { writer_keeps_its_lock(directory, "WAL"); }

/* ---- what the host commits after the act survives its crash; a visitor comes and goes before ---- */

enum { LATE_COMMITS = 100 };

static void host_life(const char *directory) {
    host h = new_host(directory, "WAL");
    act(&h, false);
    CHECK(rows_seen_outside(h.database.s) == h.rows);
    for (int i = 0; i < LATE_COMMITS; i++) host_exec(h.db, "INSERT INTO t(payload) VALUES('late')");
    raise(SIGKILL);
}

static void wal_crash(const char *directory) {
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) host_life(directory);
    int code = wait_for_child(child);
    if (code == HAZARD_STRUCK || code == TROUBLE) _exit(code);
    PROMISE(code != 128 + SIGBUS); /* the -shm was cut off under the host */
    CHECK(code == 128 + SIGKILL);
    host_path database = path_in(directory, "game.db");
    PROMISE(rows_seen_outside(database.s) == ROWS + LATE_COMMITS);
    PROMISE(sound_outside(database.s));
}

/* ---- which one to run ---- */

static const scenario rows[] = {
    {"rollback-immediate", rollback_immediate},
    {"wal-immediate", wal_immediate},
    {"wal-crash", wal_crash},
};

static const struct {
    const char *name;
    act_fn act;
} acts[] = {
    {"inspect", inspect},           {"verify", verify},
    {"restore-from", restore_from}, {"restore-onto", restore_onto},
};

int main(int argc, char **argv) {
    bool expect_hazard = argc == 5 && strcmp(argv[4], "--expect-hazard") == 0;
    void (*run)(const char *directory) = NULL;
    if (argc == 4 || expect_hazard) {
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
            if (strcmp(rows[i].name, argv[2]) == 0) run = rows[i].run;
        for (size_t i = 0; i < sizeof acts / sizeof *acts; i++)
            if (strcmp(acts[i].name, argv[3]) == 0) act = acts[i].act;
    }
    if (run == NULL || act == NULL) {
        fprintf(stderr, "usage: %s OUTSIDER ROW ACT [--expect-hazard]\n", argv[0]);
        return 2;
    }
    outsider_program = argv[1];
    int code = run_scenario(run);
    return expect_hazard ? judge_expecting_hazard(code) : code;
}
