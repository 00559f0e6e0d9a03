/*
 * What a killed process leaves behind is swept by the next job in that directory; what a living one works on is not.
 * Run with LB_BACKUP_TEST_HOOKS=no-tmpfile: temporary files have names, as on file systems without O_TMPFILE.
 *
 *   process_sweep SCENARIO
 */
#include "support/jobs.h"

#include <sys/socket.h>

/* A process with a job that is held in the middle. */
typedef struct {
    pid_t pid;
    int line;
} owner;

static void own_a_job(int line, const char *source, const char *destination) {
    char command = 0;
    lb_job *job = start_held(source, destination, slow_options());
    CHECK(write(line, "h", 1) == 1);
    CHECK(read(line, &command, 1) == 1);
    CHECK_STATUS(lb_backup_set_rate(job, 0), LB_STATUS_OK);
    JOIN(job, LB_STATUS_OK);
    _exit(PROMISE_KEPT);
}

/* Only before this process has used the library itself. */
static owner start_owner(const char *source, const char *destination) {
    int ends[2];
    char held = 0;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    owner o = {fork(), ends[0]};
    CHECK(o.pid >= 0);
    if (o.pid == 0) own_a_job(ends[1], source, destination);
    CHECK(close(ends[1]) == 0);
    CHECK(read(o.line, &held, 1) == 1 && held == 'h');
    return o;
}

static void kill_owner(owner o) {
    CHECK(kill(o.pid, SIGKILL) == 0);
    CHECK(wait_for_child(o.pid) == 128 + SIGKILL);
    CHECK(close(o.line) == 0);
}

static void let_owner_finish(owner o) {
    CHECK(write(o.line, "g", 1) == 1);
    CHECK(wait_for_child(o.pid) == PROMISE_KEPT);
    CHECK(close(o.line) == 0);
}

typedef struct {
    host_path source, backups;
} places;

static places new_places(const char *directory, const char *journal_mode) {
    places p = {path_in(directory, "game.db"), new_directory(directory, "backups")};
    sqlite3 *db = host_create(p.source.s, journal_mode, ROWS_TO_HOLD);
    CHECK(sqlite3_close(db) == SQLITE_OK);
    return p;
}

static void back_up(const places *p, const char *name) {
    host_path destination = path_in(p->backups.s, name);
    lb_job *job = start_backup(p->source.s, destination.s, NULL);
    JOIN(job, LB_STATUS_OK);
}

static bool is_hidden_name(const char *name) {
    return strlen(name) == strlen(".lb_backup-0123456789abcdef.tmp") && strncmp(name, ".lb_backup-", 11) == 0 &&
           strspn(name + 11, "0123456789abcdef") == 16 && strcmp(name + 27, ".tmp") == 0;
}

/* The one entry of the directory, which must be a hidden temporary file that only its owner may read. */
static host_path the_hidden_file(const char *backups) {
    char name[NAME_MAX + 1];
    struct stat info;
    CHECK(count_entries(backups, name) == 1);
    CHECK(is_hidden_name(name));
    host_path path = path_in(backups, name);
    CHECK(lstat(path.s, &info) == 0 && S_ISREG(info.st_mode) && (info.st_mode & 07777) == 0600);
    return path;
}

static void killed_owners_file_is_swept(const char *directory) {
    places p = new_places(directory, "WAL");
    host_path image = path_in(p.backups.s, "killed.db"), archive = path_in(p.backups.s, "killed.db.zst");
    owner first = start_owner(p.source.s, image.s);
    the_hidden_file(p.backups.s);
    owner second = start_owner(p.source.s, archive.s);
    CHECK(count_entries(p.backups.s, NULL) == 2);
    kill_owner(first);
    kill_owner(second);
    CHECK(count_entries(p.backups.s, NULL) == 2);
    back_up(&p, "next.db");
    CHECK(count_entries(p.backups.s, NULL) == 1);
    CHECK(is_sound_copy(path_in(p.backups.s, "next.db").s, ROWS_TO_HOLD));
}

/* There the raw copy that is taken under the lock is a temporary file too. */
static void killed_owners_files_are_swept_in_rollback_mode(const char *directory) {
    places p = new_places(directory, "DELETE");
    host_path archive = path_in(p.backups.s, "killed.db.zst");
    owner dead = start_owner(p.source.s, archive.s);
    kill_owner(dead);
    CHECK(count_entries(p.backups.s, NULL) == 2);
    back_up(&p, "next.db.zst");
    CHECK(count_entries(p.backups.s, NULL) == 1);
    CHECK(count_entries(directory, NULL) == 2); /* game.db, backups */
}

static void living_owners_file_stays(const char *directory) {
    places p = new_places(directory, "WAL");
    host_path theirs = path_in(p.backups.s, "theirs.db");
    owner living = start_owner(p.source.s, theirs.s);
    host_path hidden = the_hidden_file(p.backups.s);
    back_up(&p, "ours.db");
    CHECK(exists(hidden.s));
    let_owner_finish(living);
    CHECK(count_entries(p.backups.s, NULL) == 2);
    CHECK(is_sound_copy(theirs.s, ROWS_TO_HOLD));
}

static void the_dead_are_told_from_the_living(const char *directory) {
    places p = new_places(directory, "WAL");
    host_path theirs = path_in(p.backups.s, "theirs.db"), killed = path_in(p.backups.s, "killed.db");
    owner living = start_owner(p.source.s, theirs.s);
    host_path hidden = the_hidden_file(p.backups.s);
    owner dead = start_owner(p.source.s, killed.s);
    kill_owner(dead);
    CHECK(count_entries(p.backups.s, NULL) == 2);
    back_up(&p, "ours.db");
    CHECK(exists(hidden.s));
    CHECK(count_entries(p.backups.s, NULL) == 2);
    let_owner_finish(living);
    CHECK(is_sound_copy(theirs.s, ROWS_TO_HOLD));
}

static void another_job_of_this_process_keeps_its_file(const char *directory) {
    places p = new_places(directory, "WAL");
    host_path slow = path_in(p.backups.s, "slow.db");
    lb_job *job = start_held(p.source.s, slow.s, slow_options());
    host_path hidden = the_hidden_file(p.backups.s);
    back_up(&p, "quick.db");
    CHECK(exists(hidden.s));
    CHECK_STATUS(lb_backup_set_rate(job, 0), LB_STATUS_OK);
    JOIN(job, LB_STATUS_OK);
    CHECK(count_entries(p.backups.s, NULL) == 2);
    CHECK(is_sound_copy(slow.s, ROWS_TO_HOLD));
}

/* Only what has exactly our name is ours, and never a directory. */
static void strangers_files_stay(const char *directory) {
    static const char *const names[] = {
        ".lb_backup-notes.tmp",
        ".lb_backup-0123456789abcde.tmp",
        ".lb_backup-0123456789abcdef0.tmp",
        ".lb_backup-0123456789ABCDEF.tmp",
        ".lb_backup-0123456789abcdef.tmp.keep",
        "lb_backup-0123456789abcdef.tmp",
        "older.db",
    };
    const int count = (int)(sizeof names / sizeof *names);
    places p = new_places(directory, "WAL");
    for (int i = 0; i < count; i++) write_file(path_in(p.backups.s, names[i]).s, names[i]);
    new_directory(p.backups.s, ".lb_backup-fedcba9876543210.tmp");
    back_up(&p, "ours.db");
    CHECK(count_entries(p.backups.s, NULL) == count + 2);
    for (int i = 0; i < count; i++) CHECK(file_holds(path_in(p.backups.s, names[i]).s, names[i]));
}

int main(int argc, char **argv) {
    static const scenario table[] = {
        {"killed-owners-file-is-swept", killed_owners_file_is_swept},
        {"killed-owners-files-are-swept-in-rollback-mode", killed_owners_files_are_swept_in_rollback_mode},
        {"living-owners-file-stays", living_owners_file_stays},
        {"the-dead-are-told-from-the-living", the_dead_are_told_from_the_living},
        {"another-job-of-this-process-keeps-its-file", another_job_of_this_process_keeps_its_file},
        {"strangers-files-stay", strangers_files_stay},
    };
    return run_named_scenario(argc > 1 ? argv[1] : "", table, sizeof table / sizeof *table);
}
