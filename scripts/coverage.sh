#!/usr/bin/env bash
# scripts/coverage.sh [--faults] [--report] [argument of ctest...]: which lines of src/ the tests reach, and whether
# docs/COVERAGE.md names every block that they do not.
#
#   scripts/coverage.sh                     all tests; about twice as long as scripts/test.sh
#   scripts/coverage.sh --faults            and every fault of scripts/faults.sh
#   scripts/coverage.sh -R '^restore_'      some tests, on top of what ran before; nothing is compared
#   scripts/coverage.sh --report            no tests: what ran before
#
# COVERAGE_TARGETS='restore_live lbbackup' builds only those.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

faults= report=
while [[ ${1:-} =~ ^--(faults|report)$ ]]; do
    printf -v "${1#--}" yes
    shift
done

# The counters lie in a mapped file (%c), one for each build of the library (%m), from the moment when it is loaded: what a
# killed process has reached counts, and nothing is opened or written later on. For that they must be relocatable.
# Only this crate is compiled with them.
out=$PWD/build/coverage
mkdir -p "$out/profiles"
cat >"$out/rustc" <<'END'
#!/bin/sh
exec "$@" -C instrument-coverage -C llvm-args=-runtime-counter-relocation
END
chmod +x "$out/rustc"

bash scripts/setup.sh
command -v cargo >/dev/null || PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
llvm=$(rustc --print target-libdir)/../bin
[[ -x $llvm/llvm-cov ]] || rustup component add llvm-tools

export CARGO_TARGET_DIR="$out/target" RUSTC_WORKSPACE_WRAPPER="$out/rustc" LLVM_PROFILE_FILE=/dev/null
read -ra targets <<<"${COVERAGE_TARGETS:-all}"

step() {
    printf '\n== %s (%d s)\n' "$*" "$SECONDS"
    "$@"
}

cargo_test=(cargo test --locked --release --lib --tests)
if [[ -z $report ]]; then
    step "${cargo_test[@]}" --no-run
    step cmake --preset coverage
    step cmake --build --preset coverage --target "${targets[@]}"
    if [[ $# -eq 0 ]]; then
        rm -f "$out"/profiles/*
    fi
    export LLVM_PROFILE_FILE="$out/profiles/%m%c.profraw"
    step "${cargo_test[@]}"
    # Not the disk is tested, but which lines are reached.
    if [[ -z ${TMPDIR:-} && -d /dev/shm ]]; then
        export TMPDIR=/dev/shm
    fi
    # The rest is about what is in the library's file, which here has the counters in it, or builds others without them.
    without='^((linking|consumer|reference|header|abi|sanitizers)\.|security\.library_names_no_place)'
    step ctest --preset coverage --parallel "$(nproc)" --exclude-regex "$without" "$@"
    if [[ $faults ]]; then
        step "$out/cpp_tests/faults/faults_sample"
    fi
fi

export LLVM_PROFILE_FILE=/dev/null
"$llvm/llvm-profdata" merge --sparse -o "$out/all.profdata" "$out"/profiles/*.profraw
mapfile -t tests < <("${cargo_test[@]}" --no-run --message-format json 2>/dev/null |
    sed -n 's/.*"executable":"\([^"]*\)".*/\1/p')
"$llvm/llvm-cov" export --format lcov --instr-profile "$out/all.profdata" "$out/target/release/liblb_backup.so" \
    --object "$out/target/hooks/release/liblb_backup.so" "${tests[@]/#/--object=}" >"$out/all.lcov"
compared=()
[[ $# -gt 0 ]] || compared=(docs/COVERAGE.md)
python3 scripts/coverage.py "$out/all.lcov" "${compared[@]}"
