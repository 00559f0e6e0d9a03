#!/usr/bin/env bash
# scripts/races.sh SECONDS [SEED] [PRESET]: eight threads call random functions of the library on handles that they share,
# for so long. PRESET: asan or tsan, else release. See docs/RACES.md.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

seconds=${1:-}
seed=${2:-$RANDOM}
preset=${3:-release}
[[ $seconds =~ ^[1-9][0-9]*$ && $seed =~ ^[0-9]+$ && $preset =~ ^(release|asan|tsan)$ ]] || {
    sed -n '2,3s/^# \{0,1\}//p' "$0" >&2
    exit 2
}

command -v cargo >/dev/null || PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
target_dir=$(realpath -m "${CARGO_TARGET_DIR:-target}")
cmake --preset "$preset" -DLB_BACKUP_CARGO_TARGET_DIR="$target_dir"
cmake --build --preset "$preset" --target lb_random_calls

# An older ThreadSanitizer cannot bear every place where a newer kernel puts a program.
in_place=()
if [ "$preset" = tsan ] && setarch -R true 2>/dev/null; then
    in_place=(setarch -R)
fi
exec "${in_place[@]}" "build/$preset/cpp_tests/races/lb_random_calls" --seconds "$seconds" --seed "$seed"
