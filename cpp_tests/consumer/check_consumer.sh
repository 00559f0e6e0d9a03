#!/usr/bin/env bash
# check_consumer.sh WAY: builds and runs projects that use lb_backup in one of the ways named at the end of this file.
# CMakeLists.txt beside this sets the LB_ variables. SPDX-License-Identifier: MIT OR Apache-2.0
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

work=$(mktemp -d "${TMPDIR:-/tmp}/lb_consumer.XXXXXX")
trap 'rm -rf "$work"' EXIT

# For the tool, where the question is whether it can be built and packed: all of it at once, and not optimised.
quick_build=(-DCMAKE_UNITY_BUILD=ON -DCMAKE_UNITY_BUILD_BATCH_SIZE=0 -DCMAKE_CXX_FLAGS_RELEASE=-O0)

fail() {
    printf '%s\n' "$*" >&2
    exit 1
}

check_tree() { # check_tree ROOT: what an installed tree has, however it came there; sets libdir
    if grep -rIl -e "$work/first" -e "$LB_SOURCES" -e "$LB_BUILD" "$1"; then
        fail "these installed files name where they were made"
    fi
    libdir=$(dirname "$(find "$1" -name "liblb_backup.so.$LB_VERSION")")
    [ -L "$libdir/liblb_backup.so.0" ] && [ -L "$libdir/liblb_backup.so" ] || fail "links are missing in $libdir"
    if grep -q 'LB_BACKUP_TEST_HOOKS' "$libdir/liblb_backup.so"; then
        fail "the installed library has the test switches"
    fi
    local header
    while read -r header; do
        [ -s "$1/include/$header" ] || fail "$header is not installed"
    done < <(cd "$LB_SOURCES/include" && find . -name '*.h' -o -name '*.hpp')
}

# Installs and then moves everything: whatever knows its first place by heart breaks below.
install_and_move() {
    "$LB_CMAKE" --install "$LB_BUILD" --config "$LB_CONFIG" --prefix "$work/first" >/dev/null
    mv "$work/first" "$work/moved"
    check_tree "$work/moved"
}

# Never `... | grep -q`: grep leaves at the first match, and pipefail then takes the writer's SIGPIPE for a failure.
is_stripped() {
    ! grep -qF .symtab <<<"$(readelf --section-headers --wide "$1")"
}

configure() { # configure SOURCE_DIR OPTION...
    local source=$1
    shift
    "$LB_CMAKE" -G "$LB_GENERATOR" -S "$source" -B "$work/build" -DCMAKE_BUILD_TYPE="$LB_CONFIG" \
        -DCMAKE_C_COMPILER="$LB_CC" -DCMAKE_CXX_COMPILER="$LB_CXX" "$@"
}

build_and_run() { # build_and_run [CONFIG]
    local config=${1:-$LB_CONFIG}
    "$LB_CMAKE" --build "$work/build" --config "$config"
    "$LB_CTEST" --test-dir "$work/build" -C "$config" --output-on-failure --no-tests=error
}

use_from_cmake() { # use_from_cmake ROOT OPTION...
    local root=$1
    shift
    configure with_find_package -DCMAKE_PREFIX_PATH="$root" "$@"
    grep -q "^lb_backup_DIR:PATH=$root/" "$work/build/CMakeCache.txt" || fail "another lb_backup was found"
    build_and_run
}

must_refuse() { # must_refuse ROOT REQUEST MESSAGE: find_package(lb_backup REQUEST)
    if configure with_find_package -DCMAKE_PREFIX_PATH="$1" -DCONSUMER_REQUEST="$2" >"$work/refused" 2>&1; then
        fail "find_package(lb_backup $2) was not refused"
    fi
    # CMake wraps its messages.
    grep -qF -- "$3" <<<"$(tr -s '[:space:]' ' ' <"$work/refused")" || fail "not said: $3; but: $(cat "$work/refused")"
    rm -r "$work/build"
}

check_find_package() {
    install_and_move
    must_refuse "$work/moved" "0.2" "$work/moved/lib"
    must_refuse "$work/moved" "1.0" "$work/moved/lib"
    must_refuse "$work/moved" "0.1;COMPONENTS;fortran" "component fortran is not here"
    mv "$libdir/liblb_backup.so.$LB_VERSION" "$work/aside"
    must_refuse "$work/moved" "0.1" "lb_backup is not wholly installed"
    mv "$work/aside" "$libdir/liblb_backup.so.$LB_VERSION"
    use_from_cmake "$work/moved" "-DCONSUMER_REQUEST=0.1;OPTIONAL_COMPONENTS;tool"
}

use_from_pkg_config() {
    pkg-config --validate "$libdir/pkgconfig/lb_backup.pc"
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

check_pkg_config() {
    install_and_move
    use_from_pkg_config
}

run_tool() { # run_tool PROGRAM: leaves first.db.zst
    sqlite3 "$work/game.db" 'CREATE TABLE move(dice TEXT)'
    "$1" backup --quiet "$work/game.db" "$work/first.db.zst"
}

# The operator's tool: as it is installed, and built alone against an installed lb_backup.
check_tool() {
    install_and_move
    run_tool "$work/moved/bin/lbbackup"
    [ -s "$work/moved/share/man/man1/lbbackup.1" ] || fail "there is no manual page"
    is_stripped "$libdir/liblb_backup.so" && fail "stripped although nobody asked for that"
    "$LB_CMAKE" --install "$LB_BUILD" --config "$LB_CONFIG" --prefix "$work/small" --strip >/dev/null
    local file
    for file in "$work/small/bin/lbbackup" "$(find "$work/small" -name "liblb_backup.so.$LB_VERSION")"; do
        is_stripped "$file" || fail "cmake --install --strip left $file as it was"
    done
    configure "$LB_SOURCES/tools/lbbackup" -DCMAKE_PREFIX_PATH="$work/moved" "${quick_build[@]}"
    "$LB_CMAKE" --build "$work/build" --config "$LB_CONFIG"
    "$LB_CMAKE" --install "$work/build" --config "$LB_CONFIG" --prefix "$work/elsewhere" >/dev/null
    "$work/elsewhere/bin/lbbackup" verify "$work/first.db.zst"
}

# With the cargo target directory of the build under test: the library is fresh there.
use_sources() { # use_sources WAY OPTION...
    local way=$1
    shift
    configure with_sources -DCONSUMER_WAY="$way" -DLB_BACKUP_SOURCES="$LB_SOURCES" \
        -DLB_BACKUP_CARGO_TARGET_DIR="$LB_CARGO_TARGET_DIR" "$@"
}

check_sources() { # check_sources WAY
    use_sources "$1"
    build_and_run
    "$LB_CMAKE" --install "$work/build" --config "$LB_CONFIG" --prefix "$work/parent" >/dev/null
    [ -n "$(find "$work/parent" -name "liblb_backup.so.$LB_VERSION")" ] || fail "the parent project did not install the library"
}

check_cpm() {
    use_sources cpm -DCONSUMER_TARGET_DIR="$LB_CARGO_TARGET_DIR"
    build_and_run
    [ ! -e "$work/build/lb_backup/tools/lbbackup/lbbackup" ] || fail "the tool was built although nobody needs it"
}

# One build tree, two configurations, each with its own library.
check_multi_config() {
    LB_GENERATOR="Ninja Multi-Config"
    use_sources add_subdirectory -DCMAKE_CONFIGURATION_TYPES="Debug;Release"
    local config folder
    for config in Debug Release; do
        folder=$LB_CARGO_TARGET_DIR/${config,,}
        build_and_run "$config"
        grep -qF "$folder" <<<"$(readelf --dynamic "$work/build/$config/backup_c" | grep -F RUNPATH)" ||
            fail "the $config program does not look for its library in $folder"
        "$LB_CMAKE" --install "$work/build" --config "$config" --prefix "$work/$config" >/dev/null
        cmp "$folder/liblb_backup.so" "$(find "$work/$config" -name "liblb_backup.so.$LB_VERSION")"
    done
    if cmp -s "$LB_CARGO_TARGET_DIR/debug/liblb_backup.so" "$LB_CARGO_TARGET_DIR/release/liblb_backup.so"; then
        fail "the two configurations have the same library"
    fi
}

pack() { # pack BUILD_DIR GENERATOR PACKAGES_DIR
    SOURCE_DATE_EPOCH=1700000000 "$LB_CPACK" --config "$1/CPackConfig.cmake" -C "$LB_CONFIG" -G "$2" -B "$3" >"$work/cpack" 2>&1 ||
        fail "cpack: $(cat "$work/cpack")"
    rm -r "$3/_CPack_Packages"
}

pack_twice() { # pack_twice BUILD_DIR GENERATOR: into $work/packages
    pack "$1" "$2" "$work/packages"
    pack "$1" "$2" "$work/again"
    diff -r "$work/packages" "$work/again" || fail "packages depend on when they are made"
}

# The licences of what the library is made of want their texts passed on.
check_notices() {
    local wanted
    for wanted in 'zstd-sys .*: BSD-3-Clause' 'Copyright .* (Facebook|Meta Platforms)' 'parking_lot .*: MIT OR Apache-2.0'; do
        grep -qE "$wanted" "$1" || fail "$1 does not say: $wanted"
    done
}

check_tarball() {
    pack_twice "$LB_BUILD" TGZ
    tar -xzf "$work"/packages/*.tar.gz -C "$work"
    local tree
    tree=$(echo "$work"/lb_backup-"$LB_VERSION"-*)
    check_tree "$tree"
    is_stripped "$libdir/liblb_backup.so" || fail "the packed library is not stripped"
    use_from_cmake "$tree"
    run_tool "$tree/bin/lbbackup"
    [ -s "$tree/share/licenses/lb_backup/LICENSE-MIT" ] || fail "there is no licence"
    check_notices "$tree/share/licenses/lb_backup/LICENSES-OF-OTHERS"
}

says() { # says PACKAGE FIELD PATTERN
    grep -qE -- "^$3\$" <<<"$(dpkg-deb --field "$work"/packages/"$1"_*.deb "$2")" ||
        fail "$1: $2 is not $3: $(dpkg-deb --field "$work"/packages/"$1"_*.deb)"
}

check_package() { # check_package NAME: what every Debian package has; unpacks it
    local file=$work/packages/$1_$LB_VERSION-1_$architecture.deb doc=$root/usr/share/doc/$1
    [ -s "$file" ] || fail "there is no $file, but $(ls "$work/packages")"
    dpkg-deb --extract "$file" "$root"
    dpkg-deb --control "$file" "$work/control-$1"
    (cd "$root" && md5sum --check --quiet "$work/control-$1/md5sums")
    says "$1" Version "$LB_VERSION-1"
    says "$1" Architecture "$architecture"
    says "$1" Source lb-backup
    says "$1" Maintainer '.+ <.+@.+>'
    says "$1" Description 'verified backups of live SQLite databases - .+'
    [ -s "$doc/copyright" ] && gzip -t "$doc/changelog.gz" "$doc/changelog.Debian.gz" || fail "$1 lacks documents"
    local listed
    listed=$(tar --list --verbose --full-time --utc --file <(dpkg-deb --fsys-tarfile "$file"))
    if grep -vE ' root/root +[0-9]+ 2023-11-14 22:13:20 ' <<<"$listed"; then
        fail "$1: not root's, or of another time"
    fi
}

check_debian() {
    architecture=$(dpkg --print-architecture)
    root=$work/root
    mkdir "$root"
    configure "$LB_SOURCES" -DCMAKE_INSTALL_PREFIX=/usr -DLB_BACKUP_BUILD_TESTS=OFF "${quick_build[@]}" \
        -DLB_BACKUP_CARGO_TARGET_DIR="$LB_CARGO_TARGET_DIR"
    "$LB_CMAKE" --build "$work/build" --config "$LB_CONFIG"
    pack_twice "$work/build" DEB
    rm -r "$work/build"

    local packages=(liblb-backup0 liblb-backup-dev lbbackup) package
    for package in "${packages[@]}"; do
        check_package "$package"
    done
    check_tree "$root/usr"
    [ "$libdir" = "$root/usr/lib/$LB_ARCHITECTURE" ] || fail "the library is in $libdir"

    says liblb-backup0 Section libs
    says liblb-backup0 Depends 'libc6 \(>= [0-9.]+\), libgcc-s1 \(>= [0-9.]+\)'
    grep -qx "liblb_backup 0 liblb-backup0 (>= $LB_VERSION-1)" "$work/control-liblb-backup0/shlibs"
    grep -qx "activate-noawait ldconfig" "$work/control-liblb-backup0/triggers"
    says liblb-backup-dev Section libdevel
    says liblb-backup-dev Depends "liblb-backup0 \\(= $LB_VERSION-1\\)"
    says lbbackup Section database
    says lbbackup Depends "liblb-backup0 \\(>= $LB_VERSION\\),.* libstdc\\+\\+6 .*"
    gzip -t "$root/usr/share/man/man1/lbbackup.1.gz"
    check_notices "$root/usr/share/doc/liblb-backup0/copyright"

    local file
    for file in "$libdir/liblb_backup.so.$LB_VERSION" "$root/usr/bin/lbbackup"; do
        is_stripped "$file" || fail "$file is not stripped"
        if grep -qE 'RPATH|RUNPATH' <<<"$(readelf --dynamic "$file")"; then
            fail "$file looks for libraries in places of its own"
        fi
    done
    [ ! -x "$libdir/liblb_backup.so.$LB_VERSION" ] || fail "the library is executable"

    LD_LIBRARY_PATH=$libdir run_tool "$root/usr/bin/lbbackup"
    use_from_pkg_config
    use_from_cmake "$root/usr"
}

case $1 in
find_package) check_find_package ;;
pkg_config) check_pkg_config ;;
tool) check_tool ;;
add_subdirectory | fetch_content) check_sources "$1" ;;
cpm) check_cpm ;;
multi_config) check_multi_config ;;
tarball) check_tarball ;;
debian) check_debian ;;
*) fail "unknown: $1" ;;
esac
