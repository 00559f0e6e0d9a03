#!/usr/bin/env bash
# clients/java/jdk.sh: prints the home of a JDK that the Java client can use, 22 or newer: the one of JAVA_HOME, of PATH, or
# one of /usr/lib/jvm. There is none: fails.
set -euo pipefail

on_path=$(command -v javac || true)
for home in "${JAVA_HOME:-}" "${on_path:+$(dirname "$(dirname "$(realpath "$on_path")")")}" /usr/lib/jvm/*; do
    [ -x "$home/bin/javac" ] || continue
    # Every JDK has this file; to ask javac takes half a second.
    version=$(sed -n 's/^JAVA_VERSION="\([0-9]*\).*/\1/p' "$home/release" 2>/dev/null || true)
    if [ "${version:-0}" -ge 22 ]; then
        printf '%s\n' "$home"
        exit 0
    fi
done
exit 1
