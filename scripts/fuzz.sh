#!/usr/bin/env bash
# scripts/fuzz.sh archive|source|options|calls|all [MINUTES]: fuzzes, one target or all at the same time, for 20 minutes if
# nobody says otherwise. Needs a nightly Rust and cargo-fuzz; docs/FUZZING.md. What it finds is in build/fuzz/finds.
#
#   scripts/fuzz.sh archive 60
#   scripts/fuzz.sh all
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() {
    printf 'fuzz: %s\n' "$*" >&2
    exit 1
}

case ${1:-} in
    archive | source | options | calls) targets=("$1") ;;
    all) targets=(archive source options calls) ;;
    *)
        sed -n '2,6s/^# \{0,1\}//p' "$0" >&2
        exit 2
        ;;
esac
minutes=${2:-20}
[[ $minutes =~ ^[1-9][0-9]*$ ]] || fail "MINUTES is '$minutes', not a positive number"

command -v cargo >/dev/null || PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
cargo +nightly --version >/dev/null 2>&1 || fail "there is no nightly Rust: rustup toolchain install nightly"
cargo fuzz --version >/dev/null 2>&1 || fail "there is no cargo-fuzz: cargo install cargo-fuzz --locked"

target_dir=$(realpath -m "${CARGO_TARGET_DIR:-target}")/fuzz
cargo +nightly fuzz build --target-dir "$target_dir"
programs=$target_dir/$(rustc +nightly -vV | sed -n 's/^host: //p')/release

# Not the disk is tested. What a target that has died leaves goes with the directory.
parent=${TMPDIR:-/tmp}
if [[ -z ${TMPDIR:-} && -d /dev/shm ]]; then
    parent=/dev/shm
fi
TMPDIR=$(mktemp -d "$parent/lb_backup-fuzz.XXXXXX")
export TMPDIR
pids=()
trap '[ ${#pids[@]} -eq 0 ] || kill "${pids[@]}" 2>/dev/null || true; rm -rf "$TMPDIR"' EXIT
trap 'exit 1' INT TERM HUP

# Threads that never end hold what they hold; the limit of memory finds what grows. Freed memory is kept for a while, to
# see who uses it, but little of it, or it would make up most of that limit.
export ASAN_OPTIONS=detect_leaks=0:quarantine_size_mb=16

# One allocation: 128 MiB is the window of another tool's Zstandard file, the most that any file can ask for. All of
# them: four jobs at a time, of which none has more than one such window.
limits=(-malloc_limit_mb=160 -rss_limit_mb=768 -timeout=60)

for target in "${targets[@]}"; do
    corpus=build/fuzz/corpus/$target
    finds=build/fuzz/finds/$target
    mkdir -p "$corpus" "$finds"
    known=("fuzz/corpus/$target")
    [[ ! -d fuzz/regressions/$target ]] || known+=("fuzz/regressions/$target")
    nice -n 19 "$programs/$target" "$corpus" "${known[@]}" -dict="fuzz/$target.dict" -max_len=16384 "${limits[@]}" \
        -max_total_time=$((minutes * 60)) -print_final_stats=1 -artifact_prefix="$finds/" \
        >"build/fuzz/$target.log" 2>&1 &
    pids+=($!)
done

status=0
for index in "${!targets[@]}"; do
    target=${targets[index]}
    if wait "${pids[index]}"; then
        printf '\n== %s: nothing found\n' "$target"
    else
        printf '\n== %s: FOUND; see build/fuzz/%s.log and build/fuzz/finds/%s\n' "$target" "$target" "$target"
        status=1
    fi
    grep -E ' cov: ' "build/fuzz/$target.log" | tail -n 1 || true
    grep -E '^stat::(number_of_executed_units|average_exec_per_sec|peak_rss_mb)' "build/fuzz/$target.log" || true
done
exit "$status"
