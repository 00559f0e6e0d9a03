#!/usr/bin/env bash
# clients/java/bench.sh [ROUNDS]: what the Java client costs over C (clients/bench.c), and what its first use costs. Needs what
# test.sh needs, which has to have been run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

: "${LB_BACKUP_LIBRARY:?is to name the library, absolutely}"
work=$(realpath -m ../../build/clients/java)
temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT
cc -std=c11 -O2 -I ../../include ../bench.c -o "$temporary/bench"
sqlite3 "$temporary/game.db" "CREATE TABLE t(x);
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) INSERT INTO t SELECT randomblob(1000) FROM n"
jdk=$(bash jdk.sh)
"$jdk/bin/jar" --create --file "$temporary/bench.jar" -C "$work/tests" .
uptime
"$jdk/bin/java" --enable-native-access=ALL-UNNAMED -cp "$work/lb-backup.jar:$temporary/bench.jar" \
    Bench "$temporary/bench" "$LB_BACKUP_LIBRARY" "$temporary/game.db" "$temporary/dest.db" "$@"
