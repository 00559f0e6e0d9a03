#!/usr/bin/env bash
# check_reference.sh DOXYGEN DOXYFILE DIRECTORY: makes the reference in DIRECTORY; a warning, or an item of lb_backup.h that
# is in no group, is an error. SPDX-License-Identifier: MIT OR Apache-2.0
set -euo pipefail
doxygen=$1 doxyfile=$2 directory=$3

rm -rf "$directory/html" "$directory/xml"
"$doxygen" "$doxyfile"
if [ -s "$directory/warnings.txt" ]; then
    cat "$directory/warnings.txt" >&2
    exit 1
fi
[ -s "$directory/html/index.html" ] || { echo "no pages" >&2; exit 1; }

# A member of a group has an identifier that begins with the group's; a structure is listed by its group.
ungrouped=$(
    grep -A 20 'id="lb__backup_8h_' "$directory/xml/lb__backup_8h.xml" | grep -E '^        <name>' || true
    grep -o '<innerclass refid="[^"]*"' "$directory/xml/lb__backup_8h.xml" | while read -r structure; do
        grep -Fq "$structure" "$directory"/xml/group__lb__c__*.xml || echo "$structure"
    done
)
if [ -n "$ungrouped" ]; then
    printf 'in no group, see docs/reference/filter.awk:\n%s\n' "$ungrouped" >&2
    exit 1
fi
grep -q '<name>lb_backup_start</name>' "$directory/xml/group__lb__c__jobs.xml"
grep -q 'structlb__progress' "$directory/xml/group__lb__c__progress.xml"
