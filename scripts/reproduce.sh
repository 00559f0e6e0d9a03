#!/usr/bin/env bash
# scripts/reproduce.sh [COMMIT]: builds one commit twice, in other directories and with another CARGO_HOME each, and tells
# whether library, tool and Debian packages are the same, byte for byte. HEAD unless told. Takes two whole builds.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

commit=$(git rev-parse --verify "${1:-HEAD}^{commit}")
command -v cargo >/dev/null || PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
# The toolchain stays where it is; what is varied is what a builder chooses without a thought.
export RUSTUP_HOME=${RUSTUP_HOME:-$HOME/.rustup}
cargo_home=${CARGO_HOME:-$HOME/.cargo}
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct "$commit")
export SOURCE_DATE_EPOCH
unset CARGO_TARGET_DIR RUSTFLAGS CARGO_ENCODED_RUSTFLAGS RUSTC_WRAPPER

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

build() { # build SOURCES CARGO_HOME NAME
    mkdir -p "$1" "$2/registry"
    git archive "$commit" | tar -x -C "$1"
    # What is there already need not be fetched again.
    local part
    for part in config.toml registry/cache registry/index; do
        [ ! -e "$cargo_home/$part" ] || cp -R "$cargo_home/$part" "$2/$part"
    done
    # One command with &&: what is before || has no errexit.
    (
        cd "$1" && export CARGO_HOME=$2 && cmake --preset package && cmake --build --preset package &&
            cd build/package && cpack -G DEB
    ) >"$work/log" 2>&1 || { cat "$work/log" >&2 && exit 1; }
    (
        cd "$1"
        sha256sum target/release/liblb_backup.so build/package/tools/lbbackup/lbbackup
        cd build/package
        find . -name '*.deb' -printf '%P\n' | sort | xargs sha256sum
    ) >"$work/$3.sums"
}

build "$work/first" "$work/home" first
build "$work/another/and/deeper" "$work/another-home/of-cargo" second

cat "$work/first.sums"
if ! diff "$work/first.sums" "$work/second.sums"; then
    echo "reproduce: two builds of $commit differ" >&2
    exit 1
fi
echo "Two builds of $commit are the same, byte for byte."
