#!/usr/bin/env bash
# scripts/sanitize.sh asan|tsan|valgrind|all [argument of ctest...]: the tests under AddressSanitizer with
# UndefinedBehaviorSanitizer, under ThreadSanitizer, or (the C programs) under Valgrind; the library as released.
#
#   scripts/sanitize.sh asan -R '^(api|restore)_'      only some of them
#   SANITIZE_TARGETS='api_cancel api_callbacks' scripts/sanitize.sh tsan -R '^api_(cancel|callbacks)\.'     build only those
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

what=${1:-}
case $what in
    all) runs=(asan tsan valgrind) ;;
    asan | tsan | valgrind) runs=("$what") ;;
    *)
        sed -n '2,6s/^# \{0,1\}//p' "$0" >&2
        exit 2
        ;;
esac
shift

bash scripts/setup.sh
command -v cargo >/dev/null || PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
target_dir=$(realpath -m "${CARGO_TARGET_DIR:-target}")
read -ra targets <<<"${SANITIZE_TARGETS:-all}"

# An older ThreadSanitizer cannot bear every place where a newer kernel puts a program. Inherited by all that is started.
in_place=()
if setarch -R true 2>/dev/null; then
    in_place=(setarch -R)
fi

for run in "${runs[@]}"; do
    printf '\n== %s (%d s)\n' "$run" "$SECONDS"
    cmake --preset "$run" -DLB_BACKUP_CARGO_TARGET_DIR="$target_dir"
    cmake --build --preset "$run" --target "${targets[@]}"
    "${in_place[@]}" ctest --preset "$run" "$@"
done
