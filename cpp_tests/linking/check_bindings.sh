#!/usr/bin/env bash
# check_bindings.sh LIBRARY OWN-PREFIX COMMAND...: what the dynamic linker binds while COMMAND runs. References of LIBRARY may
# go to the system's libraries only, and names bound to LIBRARY must begin with OWN-PREFIX.
# SPDX-License-Identifier: MIT OR Apache-2.0
set -euo pipefail
library=$1 prefix=$2
shift 2

work=$(mktemp -d "${TMPDIR:-/tmp}/lb_bindings.XXXXXX")
trap 'rm -rf "$work"' EXIT

# On standard error, and not in a file of its own: the dynamic linker keeps that one's number, which leads nowhere on the
# library's threads.
if ! LD_BIND_NOW=1 LD_DEBUG=bindings "$@" 2>"$work/log"; then
    grep -v 'binding file' "$work/log" >&2
    exit 1
fi

# binding file FROM [0] to TO [0]: normal symbol `NAME' [VERSION]
sed -nE "s/.*binding file (.+) \[[0-9]+\] to (.+) \[[0-9]+\]: [a-z]+ symbol \`([^']+)'.*/\1 \2 \3/p" "$work"/log* |
    awk -v library="$library" -v prefix="$prefix" '
        function base(path) { sub(/.*\//, "", path); return path }
        { from = base($1); to = base($2); name = $3 }
        from == library && to != library {
            out++
            if (to !~ /^(libc|libm|libdl|librt|libpthread|libgcc_s)\.so|^ld-linux/) { print "out: " name " to " $2; wrong = 1 }
        }
        to == library && from != library {
            into++
            if (index(name, prefix) != 1) { print "in: " name " from " $1; wrong = 1 }
        }
        END {
            if (!out || !into) { print "nothing seen: " out + 0 " bindings out, " into + 0 " in"; exit 2 }
            exit wrong
        }'
