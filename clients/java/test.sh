#!/usr/bin/env bash
# The Java client's tests.
#
#   LB_BACKUP_LIBRARY=/.../liblb_backup.so.0 [LB_BACKUP_HOOKS_LIBRARY=/.../liblb_backup.so.0] clients/java/test.sh
#
# Needs a JDK 22 or newer, Maven, cc and the sqlite3 shell. Network: for jars that are missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

: "${LB_BACKUP_LIBRARY:?is to name the library, absolutely}"
jdk=
for home in "${LB_JAVA_HOME:-}" "${JAVA_HOME:-}" "$(dirname "$(dirname "$(command -v javac || echo /none/bin/javac)")")" /usr/lib/jvm/*; do
    version=$("$home/bin/javac" -version 2>/dev/null | sed -n 's/^javac \([0-9]*\).*/\1/p') || true
    if [ "${version:-0}" -ge 22 ]; then jdk=$home; break; fi
done
[ -n "$jdk" ] || { echo "Java client: skipped, no JDK 22 or newer"; exit 0; }

work=$(realpath -m ../../build/clients/java)
mkdir -p "$work/lib"
fetched() { (cd "$work/lib" && sha256sum --quiet --check "$OLDPWD/sha256sums" >/dev/null 2>&1); }
if ! fetched; then
    for artifact in org.xerial:sqlite-jdbc:3.46.1.3 org.slf4j:slf4j-api:1.7.36; do
        mvn -q -B dependency:copy -Dartifact=$artifact -DoutputDirectory="$work/lib"
    done
    fetched || { echo "Java client: a jar is not the one that sha256sums names" >&2; exit 1; }
fi
rm -rf "$work/classes" && mkdir "$work/classes"
classpath=$work/classes:$work/lib/sqlite-jdbc-3.46.1.3.jar:$work/lib/slf4j-api-1.7.36.jar
"$jdk/bin/javac" --release 22 -Xlint:all,-restricted,-try -Werror -d "$work/classes" -cp "$classpath" \
    src/main/java/lb/backup/*.java src/test/java/lb/backup/*.java examples/*.java
java=("$jdk/bin/java" --enable-native-access=ALL-UNNAMED -XX:TieredStopAtLevel=1 -cp "$classpath")
timeout 120 "${java[@]}" -Dlb.include="$(realpath ../../include)" lb.backup.ClientTest

examples=$(mktemp -d)
trap 'rm -rf "$examples"' EXIT
sqlite3 "$examples/game.db" 'CREATE TABLE t(x); INSERT INTO t VALUES(1)'
"${java[@]}" TenLines "$examples/game.db" "$examples/ten.db" | grep -q 'bytes, verified'
"${java[@]}" ProgressBar "$examples/game.db" "$examples/bar.db" | grep -q SHA-256
! "${java[@]}" TenLines "$examples/none.db" "$examples/x.db" >/dev/null 2>&1
hooks="the hazard seen to strike without the protection"
[ -n "${LB_BACKUP_HOOKS_LIBRARY:-}" ] || hooks="no library with test hooks"
echo "Java client: all passed with $("$jdk/bin/javac" -version); $hooks ($SECONDS s)"
