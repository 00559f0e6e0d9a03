#!/usr/bin/env bash
# check_page.sh SOURCES CTEST BUILD PAGE: every test that the page names, `so`, in its tables' last column exists.
set -euo pipefail

sources=$1
ctest=$2
build=$3
page=$sources/$4

# Rust's tests have a path, `module::tests::name`, and are looked for in the sources.
known=$("$ctest" --test-dir "$build" --show-only | sed -n 's/^ *Test *#[0-9]*: //p' | sed 's/ (Disabled)$//')
mapfile -t named < <(grep '^|' "$page" | sed 's/|$//; s/.*|//' | grep -o '`[^`]*`' | tr -d '\140' | sort -u)
[ "${#named[@]}" -gt 30 ] || { echo "only ${#named[@]} tests are named in $page: is it read rightly?" && exit 1; }

status=0
for name in "${named[@]}"; do
    case $name in
    *::*) grep -rqE "fn ${name##*::}\(" "$sources/src" "$sources/tests" && continue ;;
    # Every instance of a parametrised test, or of a family: `api_source.*`.
    *) [[ $known =~ (^|$'\n')([^$'\n']*/)?"${name%\*}" ]] && continue ;;
    esac
    echo "$4 names a test that there is not: $name"
    status=1
done
exit $status
