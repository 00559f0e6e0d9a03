#!/usr/bin/env bash
# clients/java/test.sh: every check of the Java client, against the library that LB_BACKUP_LIBRARY names (an absolute path).
# LB_BACKUP_HOOKS_LIBRARY names the one with test switches: then the hazard itself is shown, too. Needs a JDK (jdk.sh says
# which), cc, the sqlite3 shell, and for the jars of sha256sums, as long as build/clients/java lacks them, Maven and the network.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

[[ ${LB_BACKUP_LIBRARY:-} == /* && -e $LB_BACKUP_LIBRARY ]] || {
    echo "clients/java/test.sh: LB_BACKUP_LIBRARY must be the absolute path of liblb_backup.so" >&2
    exit 2
}
JAVA_HOME=$(bash jdk.sh) || {
    echo "clients/java/test.sh: there is no JDK 22 or newer" >&2
    exit 2
}
export JAVA_HOME
work=$(realpath -m ../../build/clients/java)
sqlite=sqlite-jdbc-3.46.1.3.jar
genuine() { (cd "$work/lib" && sha256sum --status --strict --check) <sha256sums 2>/dev/null; }
mkdir -p "$work/lib"
if ! genuine; then
    mvn --quiet --batch-mode org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy \
        -Dartifact=org.xerial:sqlite-jdbc:3.46.1.3 -DoutputDirectory="$work/lib" >"$work/maven.log" 2>&1 || {
        cat "$work/maven.log"
        exit 1
    }
    genuine || {
        echo "clients/java/test.sh: $sqlite is not the one of sha256sums" >&2
        exit 1
    }
fi

# What dies in mid-test leaves its temporary files in here: the virtual machine's, and the native library of sqlite-jdbc.
temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT
rm -rf "$work/client" "$work/tests"
javac() { "$JAVA_HOME/bin/javac" -J-XX:TieredStopAtLevel=1 -J-XX:+UseSerialGC --release 22 -Xlint:all,-restricted,-try -Xdoclint:all,-missing -Werror "$@"; }
javac -d "$work/client" src/main/java/lb/backup/*.java
javac -d "$work/tests" -cp "$work/client" tests/lb/backup/*.java examples/*.java bench/*.java
for licence in LICENSE-MIT LICENSE-APACHE; do
    cmp ../../$licence $licence
    install -D -m 644 -t "$work/client/META-INF" $licence
done
"$JAVA_HOME/bin/jar" --create --file "$work/lb-backup.jar" --manifest MANIFEST.MF -C "$work/client" .

unset JAVA_TOOL_OPTIONS JDK_JAVA_OPTIONS
java=("$JAVA_HOME/bin/java" --enable-native-access=ALL-UNNAMED -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:-UsePerfData)
classpath=$work/lb-backup.jar:$work/tests:$work/lib/$sqlite
# One that hangs tells where: SIGQUIT has every virtual machine print its threads.
timeout --signal=QUIT --kill-after=5 120 "${java[@]}" "-Djava.io.tmpdir=$temporary" "-Dlb.include=$(realpath ../../include)" \
    -Djdk.virtualThreadScheduler.parallelism=1 -Djdk.virtualThreadScheduler.maxPoolSize=1 -cp "$classpath" lb.backup.ClientTest >"$work/tests.log" 2>&1 || {
    cat "$work/tests.log"
    echo "clients/java: failed"
    exit 1
}

# The examples, without any other jar.
example() { "${java[@]}" -cp "$work/lb-backup.jar:$work/tests" "$@"; }
expect() { # expect WHAT WANTED
    [ "$1" = "$2" ] || {
        printf 'clients/java: an example says\n%s\nand not\n%s\n' "$1" "$2" >&2
        exit 1
    }
}
sqlite3 "$temporary/game.db" 'CREATE TABLE t(x); INSERT INTO t VALUES(1)'
said=$(example TenLines "$temporary/game.db" "$temporary/ten.db")
expect "${said##*$'\r'}" "100.0 %  $(stat -c %s "$temporary/ten.db") bytes, verified"
said=$(example ProgressBar "$temporary/game.db" "$temporary/bar.db")
expect "${said##*$'\n'}" "SHA-256 $(sha256sum <"$temporary/bar.db" | cut -d ' ' -f 1)"
! said=$(example TenLines "$temporary/game.db" "$temporary/ten.db" 2>&1) || expect success "a failure"
[[ $said == *"$temporary/ten.db"* ]] || expect "$said" "a message with the path"
for other in /none libc.so.6; do
    ! said=$(LB_BACKUP_LIBRARY=$other example TenLines "$temporary/game.db" "$temporary/x.db" 2>&1) || expect success "a failure"
    [[ $said == *UnsatisfiedLinkError:\ "$other"* ]] || expect "$said" "a library that cannot be used"
done

hooks="the hazard seen to strike without the protection"
[ -n "${LB_BACKUP_HOOKS_LIBRARY:-}" ] || hooks="no library with test hooks"
version=$(sed -n 's/^JAVA_VERSION="\(.*\)"/\1/p' "$JAVA_HOME/release")
echo "clients/java: JDK $version, $(tail -n 1 "$work/tests.log"); $hooks ($SECONDS s)"
