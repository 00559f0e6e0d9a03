#!/usr/bin/env bash
# check_instrumented.sh address|thread PROGRAM...: every program that was built must refer to what its sanitizer inserts.
# SPDX-License-Identifier: MIT OR Apache-2.0
set -euo pipefail
case $1 in
    address) symbols=(__asan_init __ubsan_handle_) ;;
    thread) symbols=(__tsan_init __tsan_func_entry) ;;
esac
shift

checked=0
for program in "$@"; do
    [ -e "$program" ] || continue
    checked=$((checked + 1))
    present=$(nm -D --undefined-only "$program")
    for symbol in "${symbols[@]}"; do
        grep -q " $symbol" <<<"$present" || {
            echo "$program has no $symbol: it is not instrumented" >&2
            exit 1
        }
    done
done
[ "$checked" -gt 0 ] || {
    echo "no program was built" >&2
    exit 1
}
echo "$checked of $# programs were built, and have ${symbols[*]}"
