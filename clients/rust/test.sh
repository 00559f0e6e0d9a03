#!/usr/bin/env bash
# clients/rust/test.sh: every check of the Rust client, against the library that LB_BACKUP_LIBRARY names (an absolute
# path). LB_BACKUP_HOOKS_LIBRARY names the one with test switches: then the hazard itself is shown, too. Needs cargo, cc,
# the sqlite3 shell, and the system's SQLite with its pkg-config file. The network is asked only for crates that are missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

[[ ${LB_BACKUP_LIBRARY:-} == /* && -e $LB_BACKUP_LIBRARY ]] || {
    echo "clients/rust/test.sh: LB_BACKUP_LIBRARY must be the absolute path of liblb_backup.so" >&2
    exit 2
}
CARGO_TARGET_DIR=$(realpath -m ../../build/clients/rust)
export CARGO_TARGET_DIR
for licence in LICENSE-MIT LICENSE-APACHE; do
    cmp ../../$licence $licence
    cargo package --quiet --allow-dirty --list | grep -qx $licence || {
        echo "clients/rust: the package has no $licence" >&2
        exit 1
    }
done
cargo fmt --check
cargo clippy --quiet --locked --all-targets -- -D warnings
log=$CARGO_TARGET_DIR/tests.log
cargo test --quiet --locked >"$log" 2>&1 || {
    cat "$log"
    echo "clients/rust: failed"
    exit 1
}
passed=$(awk '/^test result: ok/ { sum += $4 } END { print sum }' "$log")
hooks="the hazard seen to strike without the protection"
[ -n "${LB_BACKUP_HOOKS_LIBRARY:-}" ] || hooks="no library with test hooks"
echo "clients/rust: $(cargo --version), $passed passed; $hooks ($SECONDS s)"
