#!/usr/bin/env bash
# check_abi.sh COMPILER HEADER LIBRARY BASELINE [CHANGE]: the ABI, held to its baseline by libabigail.
#
# Without CHANGE: nothing may differ, not even an addition. LB_UPDATE_ABI=1 writes the baseline anew.
# With CHANGE: that change is made to a copy of the header and must be refused, for the right reason.
# SPDX-License-Identifier: MIT OR Apache-2.0
set -euo pipefail
compiler=$1 header=$2 library=$3 baseline=$4 change=${5:-} # absolute paths

# A reader of the output may not know the language that this machine speaks.
export LC_ALL=C
out=$(mktemp -d "${TMPDIR:-/tmp}/lb_abi.XXXXXX")
trap 'rm -rf "$out"' EXIT

# ---- the header, what the library exports, its SONAME: as they are, or changed ----

cp "$header" "$out/lb_backup.h"
nm -D --defined-only "$library" | awk '{ print $3 }' >"$out/exports"
soname=$(readelf -d "$library" | sed -n 's/.*(SONAME).*\[\(.*\)\]/\1/p')

edit() { # edit FILE SED_SCRIPT: an edit that finds nothing to change is a mistake in this script
    cp "$out/$1" "$out/before"
    sed -E -i -e "$2" "$out/$1"
    ! cmp -s "$out/before" "$out/$1" || {
        echo "the change '$change' finds nothing to change in $1" >&2
        exit 1
    }
}

case $change in
    '') expected= ;;
    # What breaks programs that are already built.
    removed_function)
        edit lb_backup.h '/^lb_status lb_backup_release\(/d'
        edit exports '/^lb_backup_release$/d'
        expected='1 Removed function'
        ;;
    missing_export)
        edit exports '/^lb_backup_release$/d'
        expected='1 Removed function'
        ;;
    undeclared_export)
        edit exports '$ a lb_backup_secret'
        expected='lb_backup_secret'
        ;;
    parameter_type)
        edit lb_backup.h '/^lb_status lb_backup_wait\(/,/;$/ s/uint32_t timeout_ms/uint64_t timeout_ms/'
        expected="parameter 2 of type 'typedef uint32_t' changed"
        ;;
    parameter_added)
        edit lb_backup.h 's/^(lb_status lb_shutdown\(uint32_t timeout_ms)\)/\1, uint32_t flags)/'
        expected='parameter 2 of type .* was added'
        ;;
    return_type)
        edit lb_backup.h 's/^uint32_t (lb_abi_version\()/uint64_t \1/'
        expected='return type changed'
        ;;
    callback_type)
        edit lb_backup.h 's/^(typedef void \(\*lb_log_fn\)\()uint32_t level/\1uint64_t level/'
        expected='underlying type .* changed'
        ;;
    field_inserted)
        edit lb_backup.h '/^typedef struct lb_progress \{/,/^\}/ s/^    uint32_t retries;/    uint32_t inserted;\n&/'
        expected='1 data member insertion'
        ;;
    field_removed)
        edit lb_backup.h '/^typedef struct lb_progress \{/,/^\}/ { /^    uint64_t eta_ns;/d }'
        expected='1 data member deletion'
        ;;
    fields_swapped)
        edit lb_backup.h '/^typedef struct lb_progress \{/,/^\}/ { s/ bytes_done;/ swapped;/; s/ bytes_total;/ bytes_done;/; s/ swapped;/ bytes_total;/ }'
        expected="bytes_done' offset changed"
        ;;
    field_resized)
        edit lb_backup.h '/^typedef struct lb_progress \{/,/^\}/ s/^    uint32_t retries;/    uint64_t retries;/'
        expected="type of '.*retries' changed"
        ;;
    array_resized)
        edit lb_backup.h 's/^    char dest_name\[256\];/    char dest_name[128];/'
        expected='type size changed from 2432 to 1408'
        ;;
    enumerator_value)
        edit lb_backup.h 's/^    LB_STATUS_IO = 10,/    LB_STATUS_IO = 22,/'
        expected="LB_STATUS_IO' from value '10' to '22'"
        ;;
    enumerator_removed)
        edit lb_backup.h '/^    LB_STATUS_WAL_LIMIT = 15,/d'
        expected='1 enumerator deletion'
        ;;
    enumerator_width)
        edit lb_backup.h '/^enum lb_phase$/,/^ \{$/ s/: uint32_t/: uint64_t/'
        expected='type size changed from 32 to 64'
        ;;
    soname)
        soname=liblb_backup.so.1
        expected='SONAME changed'
        ;;
    # What programs that are already built do not notice: refused all the same, until the new baseline is committed.
    added_function)
        edit lb_backup.h 's/^uint32_t lb_abi_version\(void\);/&\nuint32_t lb_added(uint32_t flags);/'
        edit exports '$ a lb_added'
        expected='1 Added function'
        ;;
    added_field)
        edit lb_backup.h '/^typedef struct lb_progress \{/,/^\}/ s/^\} lb_progress;/    uint64_t added;\n&/'
        expected='1 data member insertion'
        ;;
    added_status)
        edit lb_backup.h 's/^    LB_STATUS_INTERNAL = 21,/&\n    LB_STATUS_ADDED = 22,/'
        expected='1 enumerator insertion'
        ;;
    *)
        echo "no such change: $change" >&2
        exit 1
        ;;
esac

# ---- the witness: the header's types and signatures, under the library's symbols ----
#
# The library is released without debug information, and with it would describe what is inside: a baseline of eleven
# thousand lines, in words that change from one rustc to the next. So a witness speaks for it: a shared library that
# defines what the header declares and exports what the library exports. That the library keeps to the header is held by
# tests/header.rs and src/ffi/layout.rs.
# C++, because only there, before C23, is lb_status in a signature the enumeration and not an integer.
{
    echo '#include "lb_backup.h"'
    sed -e '/^\/\*\*/,/\*\/$/d' "$out/lb_backup.h" | sed -n '/^extern "C" {/,/^}/p' | sed -e '/^#/d' -e 's/);$/) { __builtin_trap(); }/'
} >"$out/witness.cpp"
{
    echo '{ global:'
    sed 's/$/;/' "$out/exports"
    echo 'local: *; };'
} >"$out/exports.map"

build_witness() { # what is exported and not declared is an error of the linker
    "$compiler" -std=c++14 -w -g -O0 -fPIC -shared -nostdlib "-ffile-prefix-map=$out=." witness.cpp -o witness.so \
        -Wl,--version-script=exports.map -Wl,--no-undefined-version "-Wl,-soname,$soname" 2>&1
}

same_abi() { # --harmless: an added enumerator is a difference, too. No suppressions, not even the system's.
    build_witness && abidiff --no-default-suppression --no-architecture --harmless "$baseline" witness.so 2>&1
}

cd "$out"
if [ -n "$change" ]; then
    if report=$(same_abi); then
        printf 'accepted, with %s changed:\n%s\n' "$change" "$report" >&2
        exit 1
    fi
    printf '%s\n' "$report"
    grep -Eq -- "$expected" <<<"$report" || {
        echo "refused, but not for '$expected'" >&2
        exit 1
    }
    exit 0
fi

if [ -n "${LB_UPDATE_ABI:-}" ]; then
    build_witness
    # Nothing of the compiler, of paths, or of names that no caller sees.
    abidw --no-architecture --no-corpus-path --no-comp-dir-path --no-show-locs --no-elf-needed --no-parameter-names \
        --type-id-style hash --out-file lb_backup.abi witness.so
    cp lb_backup.abi "$baseline"
fi

if ! report=$(same_abi); then
    cat >&2 <<END
$report

The ABI differs from $baseline. docs/ABI.md says what may change. If this change may, and is meant, the new baseline is
written by LB_UPDATE_ABI=1 ctest -R abi.baseline, and committed with a line in CHANGELOG.md.
END
    exit 1
fi
