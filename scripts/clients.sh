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

# What a client's toolchain is found by.
declare -A toolchain=([go]=go [java]=javac [node]=npm [python]=python3 [rust]=cargo)
present() {
    command -v "${toolchain[$1]}" >/dev/null
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
    if present "$language"; then
        bash "$client" || failed+=("$language")
    elif [ $# -gt 0 ]; then
        failed+=("$language: no ${toolchain[$language]}")
    else
        skipped+=("$language: no ${toolchain[$language]}")
    fi
done

[ "${#skipped[@]}" -eq 0 ] || printf 'clients: skipped %s\n' "${skipped[@]}"
[ "${#failed[@]}" -eq 0 ] || {
    printf 'clients: failed %s\n' "${failed[@]}" >&2
    exit 1
}
