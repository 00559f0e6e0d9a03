#!/usr/bin/env bash
# check_caught.sh DEFECT EXPECTED COMMAND...: runs `COMMAND DEFECT`, which must fail with EXPECTED in what it prints, and
# `COMMAND none`, which must not fail. SPDX-License-Identifier: MIT OR Apache-2.0
set -euo pipefail
defect=$1 expected=$2
shift 2

"$@" none || {
    echo "fails without a defect" >&2
    exit 1
}
if report=$("$@" "$defect" 2>&1); then
    echo "not caught: $defect" >&2
    exit 1
fi
printf '%s\n' "$report"
grep -Fq -- "$expected" <<<"$report" || {
    echo "it failed, but not with '$expected'" >&2
    exit 1
}
