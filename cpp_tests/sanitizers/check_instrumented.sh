#!/usr/bin/env bash
# check_instrumented.sh address|thread PROGRAM...: every program must refer to what its sanitizer inserts.
# SPDX-License-Identifier: MIT OR Apache-2.0
set -euo pipefail
case $1 in
    address) symbols=(__asan_init __ubsan_handle_) ;;
    thread) symbols=(__tsan_init __tsan_func_entry) ;;
esac
shift

for program in "$@"; do
    present=$(nm -D --undefined-only "$program")
    for symbol in "${symbols[@]}"; do
        grep -q " $symbol" <<<"$present" || {
            echo "$program has no $symbol: it is not instrumented" >&2
            exit 1
        }
    done
done
echo "$# programs have ${symbols[*]}"
