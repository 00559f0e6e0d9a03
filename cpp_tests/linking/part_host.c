/* A host that uses the library only through a shared library of its own. */
#include "linking/part.h"
#include "support/host.h"

static void the_part_takes_a_backup(const char *directory) {
    host_path source = path_in(directory, "game.db"), copy = path_in(directory, "copy.db");
    sqlite3 *db = host_create(source.s, "WAL", 100);
    CHECK(part_back_up(source.s, copy.s) == 0);
    CHECK(is_sound_copy(copy.s, 100));
    CHECK(sqlite3_close(db) == SQLITE_OK);
}

int main(void) { return run_scenario(the_part_takes_a_backup) == PROMISE_KEPT ? 0 : 1; }
