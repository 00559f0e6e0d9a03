#!/usr/bin/env bash
# scripts/soak.sh MINUTES [SEED]: two hosts at work on the same databases, one of them killed again and again; writes
# build/soak.tsv. See docs/KILLS.md.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

[[ ${1:-} =~ ^[0-9]+([.][0-9]+)?$ && ${1:-} =~ [1-9] && ${2:-1} =~ ^[0-9]+$ ]] || {
    echo "usage: scripts/soak.sh MINUTES [SEED]" >&2
    exit 2
}
command -v cargo >/dev/null || PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
target_dir=$(realpath -m "${CARGO_TARGET_DIR:-target}")
cmake --preset release -DLB_BACKUP_CARGO_TARGET_DIR="$target_dir"
cmake --build --preset release --target lb_soak

if [[ -z ${TMPDIR:-} && -d /dev/shm ]]; then
    export TMPDIR=/dev/shm
fi
programs=build/release/cpp_tests
exec "$programs/soak/lb_soak" "$programs/soak/lb_soak_host" "$programs/kills/lb_kills_host" \
    --minutes "$1" --seed "${2:-1}" --tsv build/soak.tsv
