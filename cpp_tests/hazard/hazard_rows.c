/*
 * Two SQLites in one process: the four ways in which a backup library destroys its host's locks, or ignores them.
 *
 *   hazard_rows OUTSIDER ROW SUFFIX OUTCOME [--expect-hazard]
 *
 * This program is the host, with Debian's SQLite; the library has its own; the outsider is another process. Each row
 * is run to a destination with the suffix (.db or .db.zst) by a backup that succeeds, one that fails, and one that is
 * cancelled in the middle: whichever way the library closes its descriptors, the host's locks must stand.
 *
 * To fail or be cancelled at a known place a backup is held there by its throttle. The plain image of a rollback-journal
 * database is never throttled, because writers wait for it: there the library's test switches do it, flip-byte (outcome
 * "damaged") and cancel-at-step=N (outcome "self-cancel").
 *
 * Exits with 0 if the promise was kept, 10 if the hazard struck, anything else for trouble. --expect-hazard is for the
 * library without isolation: there 10 is the success, and a promise that was kept shows that this test sees nothing.
 */
#include "support/jobs.h"
#include "hazard/outsider.h"

typedef enum { SUCCEEDS, FAILS, CANCELLED, DAMAGED, SELF_CANCELLED } outcome;

static struct {
    const char *suffix;
    outcome outcome;
} chosen;

typedef struct {
    host_path source, backups, destination;
    long rows; /* committed by the host */
    sqlite3 *db;
} host;

static host new_host(const char *directory, const char *journal_mode) {
    char name[32];
    host h;
    snprintf(name, sizeof name, "copy%s", chosen.suffix);
    h.source = path_in(directory, "game.db");
    h.backups = new_directory(directory, "backups");
    h.destination = path_in(h.backups.s, name);
    h.rows = ROWS_TO_HOLD;
    h.db = host_create(h.source.s, journal_mode, ROWS_TO_HOLD);
    return h;
}

static bool is_plain_image(void) { return strcmp(chosen.suffix, ".db") == 0; }

/* The host's half-done transaction: one row that nobody may see yet. */
static void begin(host *h, const char *kind) {
    char sql[32];
    snprintf(sql, sizeof sql, "BEGIN %s", kind);
    host_exec(h->db, sql);
    host_exec(h->db, "INSERT INTO t(payload) VALUES('host')");
}

static void commit_works(host *h) {
    int code = host_try(h->db, "COMMIT");
    if (code != SQLITE_OK) dprintf(host_report_fd, "the host's COMMIT: %s\n", sqlite3_errmsg(h->db));
    PROMISE(code == SQLITE_OK);
    h->rows++;
}

static void source_is_whole(const host *h) {
    PROMISE(rows_seen_outside(h->source.s) == h->rows);
    PROMISE(sound_outside(h->source.s));
}

/* ---- one backup, by its outcome; `locked` says that the outsider must be refused in mid-copy too ---- */

static void succeed(const host *h) {
    lb_job *job = start_backup(h->source.s, h->destination.s, NULL);
    JOIN(job, LB_STATUS_OK);
    CHECK(count_entries(h->backups.s, NULL) == 1);
    if (is_plain_image()) CHECK(is_sound_copy(h->destination.s, h->rows));
}

/* Fails as late as it can, at the publishing: somebody else has taken the name meanwhile. */
static void fail(const host *h, bool locked) {
    lb_job *job = start_held(h->source.s, h->destination.s, slow_options());
    if (locked) PROMISE(outsider_is_refused(h->source.s));
    write_file(h->destination.s, "somebody else's");
    CHECK_STATUS(lb_backup_set_rate(job, 0), LB_STATUS_OK);
    JOIN(job, LB_STATUS_ALREADY_EXISTS);
    CHECK(count_entries(h->backups.s, NULL) == 1);
    CHECK(file_holds(h->destination.s, "somebody else's"));
}

static void cancel(const host *h, bool locked) {
    lb_job *job = start_held(h->source.s, h->destination.s, slow_options());
    if (locked) PROMISE(outsider_is_refused(h->source.s));
    CHECK_STATUS(lb_backup_cancel(job), LB_STATUS_OK);
    JOIN(job, LB_STATUS_CANCELLED);
    CHECK(count_entries(h->backups.s, NULL) == 0);
}

static void be_found_damaged(const host *h) {
    lb_job *job = start_backup(h->source.s, h->destination.s, NULL);
    JOIN(job, LB_STATUS_CORRUPT);
    CHECK(count_entries(h->backups.s, NULL) == 0);
}

static void cancel_itself(const host *h) {
    lb_backup_options options = backup_options();
    options.chunk_size = SMALLEST_CHUNK;
    lb_job *job = start_backup(h->source.s, h->destination.s, &options);
    CHECK_STATUS(lb_backup_wait(job, UINT32_MAX), LB_STATUS_OK);
    lb_progress progress = progress_of(job);
    CHECK(progress.bytes_done > 0 && progress.bytes_done < progress.bytes_total);
    JOIN(job, LB_STATUS_CANCELLED);
    CHECK(count_entries(h->backups.s, NULL) == 0);
}

static void back_up(const host *h, bool locked) {
    switch (chosen.outcome) {
        case SUCCEEDS: succeed(h); break;
        case FAILS: fail(h, locked); break;
        case CANCELLED: cancel(h, locked); break;
        case DAMAGED: be_found_damaged(h); break;
        case SELF_CANCELLED: cancel_itself(h); break;
    }
}

/* ---- rows 1 and 3: the host's write lock keeps outsiders out, through and after the backup ---- */

static void writer_keeps_its_lock(const char *directory, const char *journal_mode) {
    host h = new_host(directory, journal_mode);
    begin(&h, "IMMEDIATE");
    CHECK(outsider_is_refused(h.source.s));
    back_up(&h, true);
    PROMISE(outsider_is_refused(h.source.s));
    commit_works(&h);
    source_is_whole(&h);
    CHECK(sqlite3_close(h.db) == SQLITE_OK);
}

static void rollback_immediate(const char *directory) { writer_keeps_its_lock(directory, "DELETE"); }

static void wal_immediate(const char *directory) { writer_keeps_its_lock(directory, "WAL"); }

/* ---- row 2: the host's exclusive lock binds the backup too ---- */

enum { SHORT_BUSY_MS = 1500, LONG_BUSY_MS = 600000 };

/* The backup has met the lock, and has not gone past it. */
static void backup_waits(const lb_job *job) {
    WAIT_FOR(progress_of(job).retries > 0 || progress_of(job).bytes_total > 0 || has_ended(job));
    lb_progress progress = progress_of(job);
    CHECK(progress.state == LB_JOB_STATE_RUNNING || progress.state == LB_JOB_STATE_SUCCEEDED);
    PROMISE(progress.state == LB_JOB_STATE_RUNNING && progress.phase == LB_PHASE_WAITING);
    PROMISE(progress.bytes_total == 0);
}

static void waits_and_succeeds(host *h) {
    lb_backup_options options = backup_options();
    options.busy_timeout_ms = LONG_BUSY_MS;
    lb_job *job = start_backup(h->source.s, h->destination.s, &options);
    backup_waits(job);
    PROMISE(outsider_is_refused(h->source.s));
    commit_works(h);
    JOIN(job, LB_STATUS_OK);
    if (is_plain_image()) PROMISE(is_sound_copy(h->destination.s, h->rows));
}

static void waits_and_gives_up(host *h) {
    lb_backup_options options = backup_options();
    options.busy_timeout_ms = SHORT_BUSY_MS;
    uint64_t start = now_ms();
    lb_job *job = start_backup(h->source.s, h->destination.s, &options);
    CHECK_STATUS(lb_backup_wait(job, DEADLINE_SECONDS * 1000), LB_STATUS_OK);
    uint64_t waited = now_ms() - start;
    PROMISE(progress_of(job).state == LB_JOB_STATE_FAILED);
    JOIN(job, LB_STATUS_BUSY);
    CHECK(waited >= SHORT_BUSY_MS);
    CHECK(count_entries(h->backups.s, NULL) == 0);
    PROMISE(outsider_is_refused(h->source.s));
    commit_works(h);
}

static void waits_and_is_cancelled(host *h) {
    lb_backup_options options = slow_options();
    options.busy_timeout_ms = LONG_BUSY_MS;
    lb_job *job = start_backup(h->source.s, h->destination.s, &options);
    backup_waits(job);
    CHECK_STATUS(lb_backup_cancel(job), LB_STATUS_OK);
    JOIN(job, LB_STATUS_CANCELLED);
    CHECK(count_entries(h->backups.s, NULL) == 0);
    PROMISE(outsider_is_refused(h->source.s));
    commit_works(h);
}

static void rollback_exclusive(const char *directory) {
    host h = new_host(directory, "DELETE");
    begin(&h, "EXCLUSIVE");
    CHECK(outsider_is_refused(h.source.s));
    switch (chosen.outcome) {
        case SUCCEEDS: waits_and_succeeds(&h); break;
        case FAILS: waits_and_gives_up(&h); break;
        case CANCELLED: waits_and_is_cancelled(&h); break;
        default: CHECK(!"an outcome of this row");
    }
    source_is_whole(&h);
    CHECK(sqlite3_close(h.db) == SQLITE_OK);
}

/* ---- row 4: what the host commits after the backup survives the host's crash ---- */

enum { LATE_COMMITS = 100 };

typedef void (*crash_fn)(void);

static void crash_by_exit(void) { _exit(0); }

static void crash_by_kill(void) { raise(SIGKILL); }

/*
 * The host opens the database, backs it up, lets the visitor come and go, commits, and is gone without closing.
 *
 * With the host's lock dropped the visitor takes itself for the last one who uses the database: when it closes, it
 * unlinks the -wal that the host goes on writing to.
 */
static void host_life(const char *directory, bool visited, crash_fn crash) {
    host h = new_host(directory, "WAL");
    back_up(&h, false);
    if (visited) CHECK(rows_seen_outside(h.source.s) == h.rows);
    for (int i = 0; i < LATE_COMMITS; i++) host_exec(h.db, "INSERT INTO t(payload) VALUES('late')");
    crash();
}

static void commits_survive_crash(const char *directory, bool visited, crash_fn crash, int crash_code) {
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) host_life(directory, visited, crash);
    int code = wait_for_child(child);
    if (code != crash_code) {
        dprintf(host_report_fd, "the host ended with %d, not %d\n", code, crash_code);
        /* Without its locks the host may also find its shared memory cut short by the visitor: SIGBUS, or an error. */
        PROMISE(code != 128 + SIGBUS);
        _exit(code == HAZARD_STRUCK ? HAZARD_STRUCK : TROUBLE);
    }
    host_path source = path_in(directory, "game.db");
    PROMISE(rows_seen_outside(source.s) == ROWS_TO_HOLD + LATE_COMMITS);
    PROMISE(sound_outside(source.s));
}

static void wal_crash(const char *directory) {
    host_path killed = new_directory(directory, "killed"), exited = new_directory(directory, "exited");
    commits_survive_crash(killed.s, true, crash_by_kill, 128 + SIGKILL);
    commits_survive_crash(exited.s, true, crash_by_exit, 0);
}

/*
 * The same without a visitor. This one has no --expect-hazard twin: the library never checkpoints when it closes
 * (SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE), and so it does not unlink the -wal itself even when it is not isolated.
 */
static void wal_crash_alone(const char *directory) {
    host_path killed = new_directory(directory, "killed"), exited = new_directory(directory, "exited");
    commits_survive_crash(killed.s, false, crash_by_kill, 128 + SIGKILL);
    commits_survive_crash(exited.s, false, crash_by_exit, 0);
}

/* ---- which one to run ---- */

static const scenario rows[] = {
    {"rollback-immediate", rollback_immediate}, {"rollback-exclusive", rollback_exclusive},
    {"wal-immediate", wal_immediate},           {"wal-crash", wal_crash},
    {"wal-crash-alone", wal_crash_alone},
};

static const char *const outcomes[] = {
    [SUCCEEDS] = "success",        [FAILS] = "failure", [CANCELLED] = "cancel", [DAMAGED] = "damaged",
    [SELF_CANCELLED] = "self-cancel",
};

static const scenario *row_called(const char *name) {
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(rows[i].name, name) == 0) return &rows[i];
    return NULL;
}

static bool choose_outcome(const char *name) {
    for (int i = SUCCEEDS; i <= SELF_CANCELLED; i++) {
        chosen.outcome = (outcome)i;
        if (strcmp(outcomes[i], name) == 0) return true;
    }
    return false;
}

int main(int argc, char **argv) {
    bool expect_hazard = argc == 6 && strcmp(argv[5], "--expect-hazard") == 0;
    const scenario *row = argc == 5 || expect_hazard ? row_called(argv[2]) : NULL;
    if (row == NULL || !choose_outcome(argv[4])) {
        fprintf(stderr, "usage: %s OUTSIDER ROW SUFFIX OUTCOME [--expect-hazard]\n", argv[0]);
        return 2;
    }
    outsider_program = argv[1];
    chosen.suffix = argv[3];
    int code = run_scenario(row->run);
    if (code == 128 + SIGBUS) code = HAZARD_STRUCK; /* see commits_survive_crash */
    return expect_hazard ? judge_expecting_hazard(code) : code;
}
