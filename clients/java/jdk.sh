#!/usr/bin/env bash
# clients/java/jdk.sh: prints the home of a JDK that the Java client can use, 22 or newer: the one of JAVA_HOME, of PATH, or
# one of /usr/lib/jvm. There is none: fails.
set -euo pipefail

on_path=$(command -v javac || true)
for home in "${JAVA_HOME:-}" "${on_path:+$(dirname "$(dirname "$(realpath "$on_path")")")}" /usr/lib/jvm/*; do
    [ -x "$home/bin/javac" ] || continue
    version=$("$home/bin/javac" -version 2>&1 | sed -n 's/^javac \([0-9]*\).*/\1/p')
    if [ "${version:-0}" -ge 22 ]; then
        printf '%s\n' "$home"
        exit 0
    fi
done
exit 1
