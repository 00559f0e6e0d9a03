#!/usr/bin/env bash
# Every fault of cpp_tests/faults, one after the other: some 59,000. Options are handed on; see docs/FAULTS.md.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

command -v cargo >/dev/null || PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
target_dir=$(realpath -m "${CARGO_TARGET_DIR:-target}")
cmake --preset release -DLB_BACKUP_CARGO_TARGET_DIR="$target_dir"
cmake --build --preset release --target faults_sample

# Not the disk is tested, but what becomes of its errors.
if [[ -z ${TMPDIR:-} && -d /dev/shm ]]; then
    export TMPDIR=/dev/shm
fi
exec build/release/cpp_tests/faults/faults_sample "$@"
