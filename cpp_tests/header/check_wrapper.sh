#!/usr/bin/env bash
# check_wrapper.sh COMPILER STANDARD INCLUDE_DIR LIBRARY: lb_backup.hpp in one version of C++.
# SPDX-License-Identifier: MIT OR Apache-2.0
set -euo pipefail
compiler=$1 standard=$2 include=$3 library=$4
cd "$(dirname "${BASH_SOURCE[0]}")"

out=$(mktemp -d "${TMPDIR:-/tmp}/lb_wrapper.XXXXXX")
trap 'rm -rf "$out"' EXIT

# -I, not -isystem: warnings in our header are the point.
compile=("$compiler" "-std=$standard" -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wold-style-cast
    -Wnon-virtual-dtor -Wundef -Werror "-I$include" -c)
"${compile[@]}" wrapper_main.cpp -o "$out/main.o"
"${compile[@]}" -fvisibility=hidden -fno-rtti wrapper_twice.cpp -o "$out/twice.o"
"$compiler" "$out/main.o" "$out/twice.o" "$library" "-Wl,-rpath,$(dirname "$library")" -o "$out/program"
"$out/program"

if "${compile[@]}" -fno-exceptions wrapper_main.cpp -o "$out/none.o" 2>"$out/errors"; then
    echo "without exceptions it compiles" >&2
    exit 1
fi
grep -q 'lb_backup.hpp needs exceptions' "$out/errors"
