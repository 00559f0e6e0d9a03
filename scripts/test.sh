#!/usr/bin/env bash
# Every check of the project, from a fresh checkout. Takes about a quarter of an hour on two processors.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bash scripts/setup.sh
command -v cargo >/dev/null || PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
target_dir=$(realpath -m "${CARGO_TARGET_DIR:-target}")

step() {
    printf '\n== %s (%d s)\n' "$*" "$SECONDS"
    "$@"
}

step cargo fmt --check
step cargo fmt --check --manifest-path models/Cargo.toml
# --release: so that the C code of the dependencies is compiled once, here, for everything below.
step cargo clippy --locked --release --all-targets -- -D warnings
step cargo clippy --locked --release --all-targets --features test-hooks -- -D warnings
step cargo test --locked --release
step cargo test --locked --manifest-path models/Cargo.toml --target-dir "$target_dir/models"
step cmake --preset release -DLB_BACKUP_CARGO_TARGET_DIR="$target_dir"
step cmake --build --preset release
step ctest --preset release --parallel "$(nproc)" --output-on-failure
step bash scripts/clients.sh

printf '\nAll checks passed in %d min %d s.\n' "$((SECONDS / 60))" "$((SECONDS % 60))"
