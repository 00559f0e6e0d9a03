/*
 * A C host with its own SQLite: makes a small database, backs it up while it is open, and counts the rows of the copy.
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#define _POSIX_C_SOURCE 200809L
#include <lb_backup.h>
#include <sqlite3.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Static_assert(LB_ABI_VERSION == 0, "this program is written for liblb_backup.so.0");

static void require(int holds, const char *what, const char *detail) {
    if (!holds) {
        fprintf(stderr, "%s: %s\n", what, detail);
        exit(1);
    }
}

static sqlite3 *make_database(const char *path) {
    sqlite3 *db = NULL;
    require(sqlite3_open(path, &db) == SQLITE_OK, "open", path);
    const char *sql = "PRAGMA journal_mode = WAL; CREATE TABLE move(id INTEGER PRIMARY KEY, dice TEXT);"
                      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)"
                      "INSERT INTO move SELECT i, hex(randomblob(40)) FROM n;";
    require(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, "make", sqlite3_errmsg(db));
    return db;
}

static void back_up(const char *source, const char *copy) {
    lb_backup_options options;
    memset(&options, 0, sizeof options);
    options.struct_size = sizeof options;
    options.verify = LB_VERIFY_FULL;
    lb_error error;
    memset(&error, 0, sizeof error);
    error.struct_size = sizeof error;
    lb_result result;
    memset(&result, 0, sizeof result);
    result.struct_size = sizeof result;

    lb_job *job = NULL;
    require(lb_backup_start(source, copy, &options, &job, &error) == LB_STATUS_OK, "lb_backup_start", error.message);
    require(lb_backup_join(job, &result) == LB_STATUS_OK, "lb_backup_join", result.message);
}

static int count_rows(const char *path) {
    sqlite3 *db = NULL;
    sqlite3_stmt *count = NULL;
    require(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK, "open", path);
    require(sqlite3_prepare_v2(db, "SELECT count(*) FROM move", -1, &count, NULL) == SQLITE_OK, "count",
            sqlite3_errmsg(db));
    require(sqlite3_step(count) == SQLITE_ROW, "count", sqlite3_errmsg(db));
    const int rows = sqlite3_column_int(count, 0);
    sqlite3_finalize(count);
    sqlite3_close(db);
    return rows;
}

int main(void) {
    require(lb_abi_version() == LB_ABI_VERSION, "header and library differ", lb_version());
    char directory[] = "/tmp/lb_consumer_c.XXXXXX";
    require(mkdtemp(directory) != NULL, "mkdtemp", directory);
    require(chdir(directory) == 0, "chdir", directory);

    sqlite3 *db = make_database("game.db");
    back_up("game.db", "copy.db");
    const int rows = count_rows("copy.db");
    sqlite3_close(db);

    unlink("game.db");
    unlink("copy.db");
    const int left = chdir("/") == 0 ? rmdir(directory) : -1;
    require(left == 0, "files were left", directory);
    require(rows == 1000, "rows are missing", "copy.db");
    printf("lb_backup %s: 1000 rows from C\n", lb_version());
    return 0;
}
