#!/usr/bin/env bash
# check_page.sh SOURCES CTEST BUILD PAGE: every test that the page names, `so`, in its tables' last column exists.
set -euo pipefail

sources=$1
ctest=$2
build=$3
page=$sources/$4

# Rust's tests have a path, `module::tests::name`, and are looked for in the sources, each after its attribute.
known=$("$ctest" --test-dir "$build" --show-only | sed -n 's/^ *Test *#[0-9]*: //p' | sed 's/ (Disabled)$//')
in_rust=$(grep -rhA 1 '^ *#\[test\]$' "$sources/src" "$sources/tests")
mapfile -t named < <(grep '^|' "$page" | sed 's/|$//; s/.*|//' | grep -o '`[^`]*`' | tr -d '\140' | sort -u)
[ "${#named[@]}" -gt 30 ] || { echo "only ${#named[@]} tests are named in $page: is it read rightly?" && exit 1; }

status=0
for name in "${named[@]}"; do
    case $name in
    *::*) [[ $in_rust == *"fn ${name##*::}("* ]] && continue ;;
    # A family: `api_source.*`.
    *\*) [[ $known =~ (^|$'\n')([^$'\n']*/)?"${name%\*}" ]] && continue ;;
    # A test, or every instance of a parametrised one.
    *) [[ $known =~ (^|$'\n')([^$'\n']*/)?"$name"(/|$'\n'|$) ]] && continue ;;
    esac
    echo "$4 names a test that there is not: $name"
    status=1
done
exit $status
