/*
 * The outsider: another process that uses the host's database, as an admin's shell or a second server would.
 *
 *   lb_outsider write DB   adds a row, without waiting for locks
 *   lb_outsider read DB    prints the number of rows, and closes the database as every good program does
 *   lb_outsider check DB   prints what integrity_check says
 *
 * Prints SQLite's message on failure and exits with its primary result code, 0 for success.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

static int print_first_column(void *unused, int count, char **values, char **names) {
    (void)unused, (void)count, (void)names;
    printf("%s\n", values[0]);
    return 0;
}

static const char *sql_of(const char *command) {
    if (strcmp(command, "write") == 0) return "INSERT INTO t(payload) VALUES('outsider')";
    if (strcmp(command, "read") == 0) return "SELECT count(*) FROM t";
    if (strcmp(command, "check") == 0) return "PRAGMA integrity_check";
    return NULL;
}

int main(int argc, char **argv) {
    const char *sql = argc == 3 ? sql_of(argv[1]) : NULL;
    if (sql == NULL) return SQLITE_MISUSE;
    sqlite3 *db = NULL;
    int code = sqlite3_open_v2(argv[2], &db, SQLITE_OPEN_READWRITE, NULL);
    if (code == SQLITE_OK) code = sqlite3_exec(db, sql, print_first_column, NULL, NULL);
    if (code != SQLITE_OK) printf("%s\n", sqlite3_errmsg(db));
    sqlite3_close(db);
    return code & 0xff;
}
