#!/usr/bin/env bash
# scripts/demo.sh [MiB]: a host with its own SQLite backs up its live database while it writes and keeps its frame rate.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bash scripts/setup.sh
command -v cargo >/dev/null || PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
target_dir=$(realpath -m "${CARGO_TARGET_DIR:-target}")

cmake --preset release -DLB_BACKUP_CARGO_TARGET_DIR="$target_dir" >/dev/null
cmake --build --preset release --target lb_demo
exec build/release/cpp_tests/demo/lb_demo "$@"
