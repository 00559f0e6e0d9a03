/*
 * A daemon: descriptors 0, 1 and 2 are closed, or are files of the host's, before the library's first use. Nothing of
 * the library's may come to lie under these numbers, where a stray message would be written into a database.
 *
 *   process_stdio SCENARIO
 */
#include "support/jobs.h"

enum { ALL_THREE = 7 };

/* Closes those of 0, 1 and 2 whose bit is set, and makes sure that the others are open. */
static void close_standard_descriptors(int which) {
    host_report_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 400);
    CHECK(host_report_fd >= 400);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    CHECK(null >= 0);
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) CHECK(fd == null || dup2(null, fd) == fd);
    if (null > STDERR_FILENO) CHECK(close(null) == 0);
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if ((which >> fd & 1) != 0) CHECK(close(fd) == 0);
}

static bool is_harmless(const descriptor_table *table) {
    for (int i = 0; i < table->count; i++) {
        if (table->entries[i].number > STDERR_FILENO || strcmp(table->entries[i].target, "/dev/null") == 0) continue;
        dprintf(host_report_fd, "%d -> %s\n", table->entries[i].number, table->entries[i].target);
        return false;
    }
    return true;
}

/* On the I/O side 0, 1 and 2 are /dev/null or nothing, in mid-job, with source and archive open. */
static void no_file_has_a_standard_number(void) {
    int mark = open_mark(), isolated = 0;
    task_list all = tasks();
    for (int i = 0; i < all.count; i++) {
        descriptor_table table;
        if (lives_in_host_table(all.tids[i], mark)) continue;
        isolated++;
        read_descriptors(all.tids[i], &table);
        CHECK(is_harmless(&table));
    }
    CHECK(isolated > 0);
    CHECK(close(mark) == 0);
}

static void back_up_in_mid_job(const char *source, const char *destination) {
    lb_job *job = start_held(source, destination, slow_options());
    no_file_has_a_standard_number();
    CHECK_STATUS(lb_backup_set_rate(job, 0), LB_STATUS_OK);
    JOIN(job, LB_STATUS_OK);
}

static bool same_contents(const char *path, const char *bytes, size_t size) {
    size_t now_size;
    char *now = read_file(path, &now_size);
    bool same = now_size == size && memcmp(now, bytes, size) == 0;
    free(now);
    return same;
}

static host_path new_source(const char *directory) {
    host_path source = path_in(directory, "game.db");
    sqlite3 *db = host_create(source.s, "WAL", ROWS_TO_HOLD);
    CHECK(sqlite3_close(db) == SQLITE_OK);
    return source;
}

/* The host opens nothing else: whatever the library opens first could get the numbers that are free. */
static void back_up_without(const char *directory, int which) {
    host_path source = new_source(directory), image = path_in(directory, "copy.db");
    host_path archive = path_in(directory, "copy.db.zst");
    size_t size;
    char *bytes = read_file(source.s, &size);
    descriptor_table before, after;
    close_standard_descriptors(which);
    read_descriptors(0, &before);
    back_up_in_mid_job(source.s, image.s);
    back_up_in_mid_job(source.s, archive.s);
    read_descriptors(0, &after);
    CHECK(same_descriptors(&before, &after));
    CHECK(same_contents(source.s, bytes, size));
    CHECK(same_contents(image.s, bytes, size));
    free(bytes);
}

/* Any of the three, any two, and all: each time in a process that has not used the library. */
static void closed_before_first_use(const char *directory) {
    for (int which = 1; which <= ALL_THREE; which++) {
        char name[16];
        snprintf(name, sizeof name, "closed-%d", which);
        host_path home = new_directory(directory, name);
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            back_up_without(home.s, which);
            _exit(PROMISE_KEPT);
        }
        int code = wait_for_child(child);
        if (code != PROMISE_KEPT) dprintf(host_report_fd, "the closed ones were %d (a bit each)\n", which);
        CHECK(code == PROMISE_KEPT);
    }
}

/* The host goes on as daemons do: with its database open, and with a log that has become descriptor 0. */
static void closed_and_the_host_works_on(const char *directory) {
    host_path source = path_in(directory, "game.db"), log = path_in(directory, "log");
    close_standard_descriptors(ALL_THREE);
    sqlite3 *db = host_create(source.s, "WAL", ROWS_TO_HOLD);
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) close(fd); /* SQLite puts /dev/null there */
    int log_fd = open(log.s, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    CHECK(log_fd == 0);
    CHECK(write(log_fd, "before\n", 7) == 7);
    host_path image = path_in(directory, "copy.db");
    back_up_in_mid_job(source.s, image.s);
    CHECK(write(log_fd, "after\n", 6) == 6);
    CHECK(close(log_fd) == 0);
    CHECK(file_holds(log.s, "before\nafter\n"));
    host_exec(db, "INSERT INTO t(payload) VALUES('after')");
    CHECK(sqlite3_close(db) == SQLITE_OK);
    CHECK(is_sound_copy(source.s, ROWS_TO_HOLD + 1));
    CHECK(is_sound_copy(image.s, ROWS_TO_HOLD));
}

/* The numbers were given to files of the host's: the library writes nothing into them, whatever becomes of its jobs. */
static void host_files_under_standard_numbers(const char *directory) {
    host_path source = new_source(directory), backups = new_directory(directory, "backups");
    host_path destination = path_in(backups.s, "copy.db"), files[3];
    close_standard_descriptors(ALL_THREE);
    for (int fd = 0; fd < 3; fd++) {
        char name[16];
        snprintf(name, sizeof name, "file-%d", fd);
        files[fd] = path_in(directory, name);
        CHECK(open(files[fd].s, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600) == fd);
        CHECK(write(fd, name, strlen(name)) == (ssize_t)strlen(name));
    }
    lb_job *job = start_held(source.s, destination.s, slow_options());
    CHECK_STATUS(lb_backup_cancel(job), LB_STATUS_OK);
    JOIN(job, LB_STATUS_CANCELLED);
    job = start_backup(source.s, destination.s, NULL);
    JOIN(job, LB_STATUS_OK);
    CHECK_STATUS(lb_shutdown(UINT32_MAX), LB_STATUS_OK);
    for (int fd = 0; fd < 3; fd++) {
        char name[16];
        snprintf(name, sizeof name, "file-%d", fd);
        CHECK(close(fd) == 0);
        CHECK(file_holds(files[fd].s, name));
    }
}

/*
 * With LB_BACKUP_TEST_HOOKS=panic-in-job: a defect's message goes to standard error, by the language's own hook. With
 * that closed it must go nowhere, least of all into the source or into a file of the host's.
 */
static void a_panic_message_goes_nowhere(const char *directory) {
    host_path source = new_source(directory), backups = new_directory(directory, "backups");
    host_path destination = path_in(backups.s, "copy.db");
    size_t size;
    char *bytes = read_file(source.s, &size);
    close_standard_descriptors(ALL_THREE);
    for (int i = 0; i < 3; i++) {
        lb_job *job = start_backup(source.s, destination.s, NULL);
        JOIN(job, LB_STATUS_INTERNAL);
    }
    CHECK(same_contents(source.s, bytes, size));
    CHECK(count_entries(backups.s, NULL) == 0);
    CHECK(count_entries(directory, NULL) == 2);
    free(bytes);
}

int main(int argc, char **argv) {
    static const scenario table[] = {
        {"closed-before-first-use", closed_before_first_use},
        {"closed-and-the-host-works-on", closed_and_the_host_works_on},
        {"host-files-under-standard-numbers", host_files_under_standard_numbers},
        {"a-panic-message-goes-nowhere", a_panic_message_goes_nowhere},
    };
    return run_named_scenario(argc > 1 ? argv[1] : "", table, sizeof table / sizeof *table);
}
