#!/usr/bin/env bash
# check_consumer.sh find_package|pkg_config|add_subdirectory|fetch_content|tool: builds and runs a project that uses lb_backup.
# CMakeLists.txt beside this sets the LB_ variables. SPDX-License-Identifier: MIT OR Apache-2.0
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

work=$(mktemp -d "${TMPDIR:-/tmp}/lb_consumer.XXXXXX")
trap 'rm -rf "$work"' EXIT

fail() {
    printf '%s\n' "$*" >&2
    exit 1
}

# Installs and then moves everything: whatever knows its first place by heart breaks below.
install_and_move() {
    "$LB_CMAKE" --install "$LB_BUILD" --config "$LB_CONFIG" --prefix "$work/first" >/dev/null
    mv "$work/first" "$work/moved"
    if grep -rIl -e "$work/first" -e "$LB_SOURCES" "$work/moved"; then
        fail "these installed files name where they were made"
    fi
    libdir=$(dirname "$(find "$work/moved" -name "liblb_backup.so.$LB_VERSION")")
    [ -L "$libdir/liblb_backup.so.0" ] && [ -L "$libdir/liblb_backup.so" ] || fail "links are missing in $libdir"
    if grep -q 'LB_BACKUP_TEST_HOOKS' "$libdir/liblb_backup.so"; then
        fail "the installed library has the test switches"
    fi
}

configure() { # configure SOURCE_DIR OPTION...
    local source=$1
    shift
    "$LB_CMAKE" -G "$LB_GENERATOR" -S "$source" -B "$work/build" -DCMAKE_BUILD_TYPE="$LB_CONFIG" \
        -DCMAKE_C_COMPILER="$LB_CC" -DCMAKE_CXX_COMPILER="$LB_CXX" "$@"
}

build_and_run() {
    "$LB_CMAKE" --build "$work/build" --config "$LB_CONFIG"
    "$LB_CTEST" --test-dir "$work/build" -C "$LB_CONFIG" --output-on-failure --no-tests=error
}

check_find_package() {
    install_and_move
    configure with_find_package -DCMAKE_PREFIX_PATH="$work/moved"
    grep -q "^lb_backup_DIR:PATH=$work/moved/" "$work/build/CMakeCache.txt" || fail "another lb_backup was found"
    build_and_run
}

check_pkg_config() {
    install_and_move
    export PKG_CONFIG_PATH="$libdir/pkgconfig"
    local version flags
    version=$(pkg-config --modversion lb_backup)
    [ "$version" = "$LB_VERSION" ] || fail "lb_backup.pc says $version, the project is $LB_VERSION"
    read -ra flags <<<"$(pkg-config --cflags --libs lb_backup sqlite3)"
    "$LB_CC" -std=c11 -Wall -Wextra -Wpedantic -Werror backup.c "${flags[@]}" -o "$work/backup_c"
    "$LB_CXX" -std=c++17 -Wall -Wextra -Wpedantic -Werror backup.cpp "${flags[@]}" -o "$work/backup_cpp"
    LD_LIBRARY_PATH="$libdir" "$work/backup_c"
    LD_LIBRARY_PATH="$libdir" "$work/backup_cpp"
}

# The operator's tool: as it is installed, and built alone against an installed lb_backup.
check_tool() {
    install_and_move
    sqlite3 "$work/game.db" 'CREATE TABLE move(dice TEXT)'
    "$work/moved/bin/lbbackup" backup --quiet "$work/game.db" "$work/first.db.zst"
    [ -s "$work/moved/share/man/man1/lbbackup.1" ] || fail "there is no manual page"
    # Debug: whether it can be built is the question, and that is the quickest answer.
    configure "$LB_SOURCES/tools/lbbackup" -DCMAKE_PREFIX_PATH="$work/moved" -DCMAKE_BUILD_TYPE=Debug
    "$LB_CMAKE" --build "$work/build" --config "$LB_CONFIG"
    "$LB_CMAKE" --install "$work/build" --config "$LB_CONFIG" --prefix "$work/elsewhere" >/dev/null
    "$work/elsewhere/bin/lbbackup" verify "$work/first.db.zst"
}

# With the cargo target directory of the build under test: the library is fresh there.
check_sources() {
    configure with_sources -DLB_BACKUP_SOURCES="$LB_SOURCES" -DLB_BACKUP_CARGO_TARGET_DIR="$LB_CARGO_TARGET_DIR" "$@"
    build_and_run
    "$LB_CMAKE" --install "$work/build" --config "$LB_CONFIG" --prefix "$work/parent" >/dev/null
    [ -n "$(find "$work/parent" -name "liblb_backup.so.$LB_VERSION")" ] || fail "the parent project did not install the library"
}

case $1 in
find_package) check_find_package ;;
pkg_config) check_pkg_config ;;
tool) check_tool ;;
add_subdirectory) check_sources -DCONSUMER_FETCH=OFF ;;
fetch_content) check_sources -DCONSUMER_FETCH=ON ;;
*) fail "unknown: $1" ;;
esac
