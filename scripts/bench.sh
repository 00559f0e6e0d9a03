#!/usr/bin/env bash
# scripts/bench.sh [MiB] [ROUNDS]: lb_backup against what a user would run instead; writes docs/BENCHMARKS.md.
# Two databases of MiB (1024 unless told) and the copies of them go to TMPDIR or /tmp, and are removed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

mebibytes=${1:-1024}
rounds=${2:-3}

bash scripts/setup.sh
command -v cargo >/dev/null || PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
target_dir=$(realpath -m "${CARGO_TARGET_DIR:-target}")
cmake -S benches -B build/bench -DCMAKE_BUILD_TYPE=Release -DLB_BACKUP_CARGO_TARGET_DIR="$target_dir" >/dev/null
cmake --build build/bench

directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
trap 'exit 1' INT TERM

section() {
    echo "bench: $1" >&2
    build/bench/lb_bench "$1" "$directory" "$mebibytes" "$rounds"
}

machine() {
    cat <<EOF
# Benchmarks

Written by \`scripts/bench.sh $mebibytes $rounds\` on $(date -u +%Y-%m-%d). Every figure and its peer are of the same run; rounds are
interleaved, $rounds of them count, and one more before them is dropped.

- processor: $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc) cores
- memory: $(awk '/^MemTotal/ { printf "%.0f GiB", $2 / 1048576 }' /proc/meminfo)
- system: $(uname -s) $(uname -r | cut -d- -f1); file system $(findmnt -n -o FSTYPE -T "$directory")
- versions: $(section versions), sqlite3 $(sqlite3 --version | cut -d' ' -f1), zstd $(zstd --version | grep -o 'v[0-9.]*' | tr -d v)

EOF
}

report=$directory/report
machine >"$report"
section make
for name in calls cancel memory throughput commits lock; do
    section "$name" >>"$report"
done
cat "$report"
mkdir -p docs
cp "$report" docs/BENCHMARKS.md
