#!/usr/bin/env bash
# scripts/demo.sh [MiB]: a host with its own SQLite backs up its live database while it writes and keeps its frame rate.
# scripts/demo.sh menu DIRECTORY: a game's backup menu to play with; the database and its backups are in DIRECTORY.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bash scripts/setup.sh
command -v cargo >/dev/null || PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
target_dir=$(realpath -m "${CARGO_TARGET_DIR:-target}")

cmake --preset release -DLB_BACKUP_CARGO_TARGET_DIR="$target_dir" >/dev/null
program=lb_demo
if [ "${1:-}" = menu ]; then
    program=lb_database_menu
    shift
fi
cmake --build --preset release --target "$program"
exec "build/release/cpp_tests/demo/$program" "$@"
