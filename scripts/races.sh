#!/usr/bin/env bash
# scripts/races.sh SECONDS [SEED] [release|asan|tsan|instrumented]: eight threads call random functions of the library on
# handles that they share, for so long. instrumented: ThreadSanitizer in the library, too, Rust, SQLite and Zstandard; needs
# a nightly Rust with its sources. See docs/RACES.md.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

seconds=${1:-}
seed=${2:-$RANDOM}
preset=${3:-release}
[[ $seconds =~ ^[1-9][0-9]*$ && $seed =~ ^[0-9]+$ && $preset =~ ^(release|asan|tsan|instrumented)$ ]] || {
    sed -n '2,4s/^# \{0,1\}//p' "$0" >&2
    exit 2
}

command -v cargo >/dev/null || PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
target_dir=$(realpath -m "${CARGO_TARGET_DIR:-target}")

# An older ThreadSanitizer cannot bear every place where a newer kernel puts a program.
in_place=()
if [[ $preset = tsan || $preset = instrumented ]] && setarch -R true 2>/dev/null; then
    in_place=(setarch -R)
fi

if [ "$preset" = instrumented ]; then
    triple=$(rustc +nightly -vV | sed -n 's/^host: //p')
    # One runtime for all: what LLVM has put into Rust's code and GCC into C's calls GCC's.
    env RUSTFLAGS=-Zsanitizer=thread "CFLAGS_${triple//-/_}=-fsanitize=thread -DZSTD_TRACE=0" \
        CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
        CARGO_PROFILE_RELEASE_STRIP=none CARGO_PROFILE_RELEASE_DEBUG=line-tables-only \
        cargo +nightly build -Zbuild-std --locked --lib --release --target "$triple" --target-dir "$target_dir/instrumented"
    library=$target_dir/instrumented/$triple/release
    ln -sf liblb_backup.so "$library/liblb_backup.so.0"
    program=$library/lb_random_calls
    gcc -O1 -fno-builtin -c cpp_tests/races/instrumented.c -o "$library/instrumented.o"
    g++ -std=c++17 -g -O1 -fsanitize=thread -Iinclude -Icpp_tests cpp_tests/races/random_calls.cpp \
        "$library/instrumented.o" -o "$program" -L"$library" "-Wl,-rpath,$library" -llb_backup -lsqlite3 -pthread
else
    cmake --preset "$preset" -DLB_BACKUP_CARGO_TARGET_DIR="$target_dir"
    cmake --build --preset "$preset" --target lb_random_calls
    program=build/$preset/cpp_tests/races/lb_random_calls
fi
exec "${in_place[@]}" "$program" --seconds "$seconds" --seed "$seed"
