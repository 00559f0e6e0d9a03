#!/usr/bin/env bash
# check_preamble.sh COMPILER INCLUDE_DIR LIBRARY: the example at the top of lb_backup.h, compiled and run.
# SPDX-License-Identifier: MIT OR Apache-2.0
set -euo pipefail
compiler=$1 include=$2 library=$3
directory=$(mktemp -d "${TMPDIR:-/tmp}/lb_reference.XXXXXX")
trap 'rm -rf "$directory"' EXIT
cd "$directory"

{
    echo '#include <lb_backup.h>'
    echo '#include <stdio.h>'
    echo 'int main(void) {'
    sed -n '/^ \* @code/,/^ \* @endcode/ { /^ \* @/d; s/^ \* \{0,1\}//p }' "$include/lb_backup.h"
    echo '}'
} >example.c
grep -q lb_backup_start example.c
"$compiler" -std=c99 -Wall -Wextra -Wpedantic -Werror "-I$include" example.c "$library" "-Wl,-rpath,$(dirname "$library")" -o example
sqlite3 game.db 'PRAGMA journal_mode = WAL; CREATE TABLE t(a); INSERT INTO t VALUES(1);' >journal_mode
./example
zstd -q -d game.db.zst -o copy.db
[ "$(sqlite3 copy.db 'SELECT count(*) FROM t')" = 1 ]
