#!/usr/bin/env bash
# scripts/kills.sh [ROUNDS] [SEED] [OPTION...]: hosts that are killed in the middle of backups, restores and verifications,
# and what they leave; 1,000 by default. See docs/KILLS.md.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

rounds=${1:-1000}
seed=${2:-1}
[[ $rounds =~ ^[1-9][0-9]*$ && $seed =~ ^[0-9]+$ ]] || {
    echo "usage: scripts/kills.sh [ROUNDS] [SEED] [OPTION...]" >&2
    exit 2
}
command -v cargo >/dev/null || PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
target_dir=$(realpath -m "${CARGO_TARGET_DIR:-target}")
cmake --preset release -DLB_BACKUP_CARGO_TARGET_DIR="$target_dir"
cmake --build --preset release --target lb_kills

# Not the disk is tested: a kill is no power loss.
if [[ -z ${TMPDIR:-} && -d /dev/shm ]]; then
    export TMPDIR=/dev/shm
fi
programs=build/release/cpp_tests/kills
exec "$programs/lb_kills" "$programs/lb_kills_host" "$programs/lb_kills_host_hooks" \
    --rounds "$rounds" --seed "$seed" "${@:3}"
