#!/usr/bin/env bash
# Every power loss of cpp_tests/power: two minutes. Options are handed on; see docs/POWER.md.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

command -v cargo >/dev/null || PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
target_dir=$(realpath -m "${CARGO_TARGET_DIR:-target}")
cmake --preset release -DLB_BACKUP_CARGO_TARGET_DIR="$target_dir"
cmake --build --preset release --target power_sample

# Not the disk is tested, but what may be on it.
if [[ -z ${TMPDIR:-} && -d /dev/shm ]]; then
    export TMPDIR=/dev/shm
fi
exec build/release/cpp_tests/power/power_sample "$@"
