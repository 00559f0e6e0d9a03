#!/usr/bin/env bash
# scripts/torture.sh [BACKUPS] [SEED]: backups beside two outside writers, half of them of a WAL database and half of a
# rollback-journal one, every copy proven to be exactly one commit (cpp_tests/torture); 1,000 by default.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

backups=${1:-1000}
seed=${2:-1}
[[ $backups =~ ^([2-9]|[1-9][0-9]+)$ && $seed =~ ^[0-9]+$ ]] || {
    echo "usage: scripts/torture.sh [BACKUPS, at least 2] [SEED]" >&2
    exit 2
}
command -v cargo >/dev/null || PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
target_dir=$(realpath -m "${CARGO_TARGET_DIR:-target}")
cmake --preset release -DLB_BACKUP_CARGO_TARGET_DIR="$target_dir"
cmake --build --preset release --target lb_torture lb_torture_writer

# The seconds are against hanging only.
programs=build/release/cpp_tests/torture
"$programs/lb_torture" "$programs/lb_torture_writer" "$seed" "$(((backups + 1) / 2))" wal "$((600 + 20 * backups))"
"$programs/lb_torture" "$programs/lb_torture_writer" "$seed" "$((backups / 2))" delete "$((600 + 20 * backups))"
