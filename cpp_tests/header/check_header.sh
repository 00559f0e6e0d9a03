#!/usr/bin/env bash
# check_header.sh COMPILER c|c++ STANDARD INCLUDE_DIR LIBRARY: the header in one version of one language.
# SPDX-License-Identifier: MIT OR Apache-2.0
set -euo pipefail
compiler=$1 language=$2 standard=$3 include=$4 library=$5
cd "$(dirname "${BASH_SOURCE[0]}")"

out=$(mktemp -d "${TMPDIR:-/tmp}/lb_header.XXXXXX")
trap 'rm -rf "$out"' EXIT

# -I, not -isystem: warnings in our header are the point.
compile=("$compiler" -x "$language" "-std=$standard" -Wall -Wextra -Wpedantic -Wshadow -Wundef -Werror "-I$include" -c)
for source in alone layout twice two_units; do
    "${compile[@]}" "$source.c" -o "$out/$source.o"
done
"$compiler" "$out/two_units.o" "$out/twice.o" "$library" "-Wl,-rpath,$(dirname "$library")" -o "$out/two_units"
"$out/two_units"
