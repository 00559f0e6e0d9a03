#!/usr/bin/env bash
# check_host.sh PROOF FILE COMMAND...: FILE really is linked as PROOF says, and COMMAND succeeds.
# SPDX-License-Identifier: MIT OR Apache-2.0
set -euo pipefail
proof=$1 file=$2
shift 2

dynamic=$(readelf --dynamic --wide "$file")
symbols=$(nm "$file")
has() { grep -qE -- "$1" <<<"$dynamic"; }
defines() { grep -qE " [TtWV] $1\$" <<<"$symbols"; }

fail() {
    printf '%s: not linked as this test means it: %s\n' "$file" "$*" >&2
    exit 1
}

has 'NEEDED.*\[liblb_backup\.so\.0\]' || [ "$proof" = loads ] || fail "it does not need liblb_backup.so.0"
case $proof in
static-runtime) ! has 'NEEDED.*(libstdc\+\+|libgcc_s)' || fail "it needs the shared C++ runtime" ;;
hidden)
    # Weak ones are inline functions and types of headers that say for themselves that they are visible.
    exported=$(nm --dynamic --defined-only --demangle "$file" | awk '$2 != "W" && $2 != "V" && $2 != "u" { print $3 }')
    ! grep -vE '^part_(back_up|throws|says)' <<<"$exported" || fail "it exports more than its interface"
    ;;
lto) ! defines unused_one || fail "a function of another file that nobody calls is still there" ;;
gc-sections) ! defines unused_one || fail "a function that nobody calls is still there" ;;
now) has 'FLAGS.*BIND_NOW|FLAGS_1.*NOW' || fail "it is bound lazily" ;;
as-needed) ! has 'NEEDED.*\[libm\.' || fail "it needs what it does not use" ;;
no-pie) grep -qE 'Type: +EXEC' <<<"$(readelf --file-header "$file")" || fail "it is position-independent" ;;
loads) ! has 'NEEDED.*liblb_backup' || fail "it is linked with the library that it is to load" ;;
plain) ;;
*) fail "unknown proof $proof" ;;
esac
"$@"
