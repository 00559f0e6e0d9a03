#!/usr/bin/env bash
# run_in_new_directory.sh PROGRAM: runs it with an empty directory as its argument, which is removed.
# SPDX-License-Identifier: MIT OR Apache-2.0
set -euo pipefail
directory=$(mktemp -d "${TMPDIR:-/tmp}/lb_reference.XXXXXX")
trap 'rm -rf "$directory"' EXIT
"$1" "$directory"
