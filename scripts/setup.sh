#!/usr/bin/env bash
# scripts/setup.sh [bench]: installs what building and testing need and this machine lacks, and on request what the bench
# needs besides: Debian 12, Ubuntu 22.04 or newer. Nothing missing: nothing done, no network. The toolchains of clients/go,
# clients/java and clients/node are left to you, as Debian 12's are too old for them: scripts/clients.sh says what it lacks.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() {
    printf 'setup: %s\n' "$*" >&2
    exit 1
}

# Prints the Debian packages behind whatever cannot be found here.
missing_packages() {
    local command_and_package
    for command_and_package in \
        gcc:gcc g++:g++ cmake:cmake ninja:ninja-build pkg-config:pkg-config sqlite3:sqlite3 zstd:zstd gzip:gzip b3sum:b3sum nm:binutils \
        abidiff:abigail-tools doxygen:doxygen; do
        command -v "${command_and_package%%:*}" >/dev/null || echo "${command_and_package##*:}"
    done
    if command -v pkg-config >/dev/null; then
        pkg-config --exists sqlite3 || echo libsqlite3-dev
        pkg-config --exists gtest_main || echo libgtest-dev
        pkg-config --exists CLI11 || echo libcli11-dev
        pkg-config --exists nlohmann_json || echo nlohmann-json3-dev
    else
        echo libsqlite3-dev libgtest-dev libcli11-dev nlohmann-json3-dev
    fi
    # Valgrind may need the symbols of the dynamic linker, which some distributions keep apart.
    valgrind --quiet true 2>/dev/null || echo valgrind libc6-dbg
    [ -e /usr/include/boost/asio.hpp ] || echo libboost-dev
    [ -e /usr/include/asio.hpp ] || echo libasio-dev
    # Only an absolute path if the compiler finds it.
    [ -e "$(g++ -print-file-name=libboost_filesystem.so 2>/dev/null)" ] || echo libboost-filesystem-dev
    # A minimal system has a compiler but no C library to compile against.
    [ -e /usr/include/stdio.h ] || echo libc6-dev
    # Debian's python3 by itself cannot make a virtual environment.
    python3 -c 'import ensurepip, venv' 2>/dev/null || echo python3-venv
    # What cpack makes Debian packages with.
    command -v dpkg-shlibdeps >/dev/null || echo dpkg-dev
    command -v file >/dev/null || echo file
}

# The same for the bench: the peers, and what draws its charts.
missing_packages_of_the_bench() {
    command -v gzip >/dev/null || echo gzip
    # Debian's own interpreter, which has Debian's packages, whatever else is first in PATH.
    /usr/bin/python3 -c 'import matplotlib' 2>/dev/null || echo python3 python3-matplotlib
    [ -e "$(g++ -print-file-name=libboost_iostreams.so 2>/dev/null)" ] || echo libboost-iostreams-dev
}

install_packages() {
    command -v apt-get >/dev/null ||
        fail "missing: $*. There is no apt-get here; install what these Debian packages hold, then try again."
    local as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null ||
            fail "missing: $*. Installing needs root and there is no sudo. As root: apt-get install $*"
        as_root=(sudo)
    fi
    echo "setup: installing $*"
    "${as_root[@]}" apt-get update -qq || fail "apt-get update failed; needed are: $*"
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" ||
        fail "apt-get could not install: $*"
}

at_least() { # at_least VERSION MINIMUM
    [ "$(printf '%s\n' "$1" "$2" | sort -V | head -n 1)" = "$2" ]
}

what=${1:-tests}
[[ $what =~ ^(tests|bench)$ ]] || fail "usage: scripts/setup.sh [bench]"
mapfile -t packages < <(
    {
        missing_packages
        [ "$what" != bench ] || missing_packages_of_the_bench
    } | tr ' ' '\n'
)
if [ "${#packages[@]}" -gt 0 ]; then
    install_packages "${packages[@]}"
fi

cmake_needed=3.20
cmake_present=$(cmake --version | sed -n 's/^cmake version \([0-9.]*\).*/\1/p')
at_least "$cmake_present" "$cmake_needed" || fail "cmake $cmake_present is too old: $cmake_needed or newer is needed"

command -v cargo >/dev/null || PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
rust_needed=$(sed -n 's/^rust-version *= *"\(.*\)"/\1/p' Cargo.toml)
how="get Rust $rust_needed or newer: https://rustup.rs, or 'rustup update stable'"
command -v cargo >/dev/null || fail "there is no cargo; $how"
rust_present=$(cargo --version | cut -d ' ' -f 2) || fail "cargo does not run; $how"
at_least "$rust_present" "$rust_needed" || fail "cargo $rust_present is too old; $how"

# The tests read archives with a reader of their own, in Python. Copied last, the list says that all of it is installed.
python=build/python
requirements=cpp_tests/archive/requirements.txt
if ! cmp -s "$requirements" "$python/requirements.txt" || ! "$python/bin/python3" -c 'import blake3, cbor2, pyzstd'; then
    echo "setup: making $python"
    python3 -m venv --clear "$python" || fail "cannot make a virtual environment in $python"
    "$python/bin/python3" -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: \
        -r "$requirements" || fail "pip could not install what $requirements lists"
    cp "$requirements" "$python/requirements.txt"
fi
