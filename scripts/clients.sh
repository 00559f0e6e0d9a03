#!/usr/bin/env bash
# scripts/clients.sh [LANGUAGE...]: the tests of the clients in clients/, for every language (or those named) whose toolchain
# is here, and says which it skipped. A language that is named has to be here.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

command -v cargo >/dev/null || PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
target_dir=$(realpath -m "${CARGO_TARGET_DIR:-target}")
cmake --preset release -DLB_BACKUP_CARGO_TARGET_DIR="$target_dir" >/dev/null
cmake --build --preset release --target lb_backup_cargo lb_backup_test_hooks >/dev/null
export LB_BACKUP_LIBRARY=$target_dir/release/liblb_backup.so
export LB_BACKUP_HOOKS_LIBRARY=$target_dir/hooks/release/liblb_backup.so

at_least() { # at_least VERSION MINIMUM
    [ "$(printf '%s\n' "$1" "$2" | sort -V | head -n 1)" = "$2" ]
}

# Prints what is missing for a language.
lacks() {
    case $1 in
        go) at_least "$(go env GOVERSION 2>/dev/null | tr -d go)" 1.26 || echo "Go 1.26 or newer" ;;
        java) bash clients/java/jdk.sh >/dev/null && command -v mvn >/dev/null || echo "JDK 22 or newer, with Maven" ;;
        node) at_least "$(node --version 2>/dev/null | tr -d v)" 20 && command -v npm >/dev/null || echo "Node 20 or newer, with npm" ;;
        python) python3 -c 'import sys; sys.exit(sys.version_info < (3, 9))' 2>/dev/null || echo "Python 3.9 or newer" ;;
        rust) ;;
    esac
}

failed=()
skipped=()
for language in "${@:-}"; do
    [ -z "$language" ] || [ -e "clients/$language/test.sh" ] || failed+=("$language: no such client")
done
for client in clients/*/test.sh; do
    language=$(basename "$(dirname "$client")")
    if [ $# -gt 0 ] && [[ " $* " != *" $language "* ]]; then
        continue
    fi
    lacking=$(lacks "$language")
    if [ -z "$lacking" ]; then
        bash "$client" || failed+=("$language")
    elif [ $# -gt 0 ]; then
        failed+=("$language: there is no $lacking")
    else
        skipped+=("$language: there is no $lacking")
    fi
done

[ "${#skipped[@]}" -eq 0 ] || printf 'clients: skipped %s\n' "${skipped[@]}"
[ "${#failed[@]}" -eq 0 ] || {
    printf 'clients: failed %s\n' "${failed[@]}" >&2
    exit 1
}
