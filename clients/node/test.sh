#!/usr/bin/env bash
# clients/node/test.sh: every check of the Node client, against the library that LB_BACKUP_LIBRARY names (an absolute path).
# LB_BACKUP_HOOKS_LIBRARY names the one with test switches: then the hazard itself is shown, too. Needs Node 20 or newer, the
# sqlite3 shell and a C compiler. The network is asked only for packages that build/clients/node lacks.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

[[ ${LB_BACKUP_LIBRARY:-} == /* && -e $LB_BACKUP_LIBRARY ]] || {
    echo "clients/node/test.sh: LB_BACKUP_LIBRARY must be the absolute path of liblb_backup.so" >&2
    exit 2
}
LB_BACKUP_INCLUDE=$(realpath ../../include)
export LB_BACKUP_INCLUDE
work=$(realpath -m ../../build/clients/node)
# Copied last, the list says that all of it is installed.
if ! cmp -s package-lock.json "$work/node_modules/installed.json"; then
    rm -rf "$work"
    mkdir -p "$work"
    cp package.json package-lock.json "$work"
    (cd "$work" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null)
    cp package-lock.json "$work/node_modules/installed.json"
fi
for licence in LICENSE-MIT LICENSE-APACHE; do
    cmp ../../$licence $licence
    npm pack --dry-run --json 2>/dev/null | grep -q "\"$licence\"" || {
        echo "clients/node: the package has no $licence" >&2
        exit 1
    }
done
# Modules are looked up from where a file is: the client is tested as a copy beside its packages.
rm -rf "$work"/*.js "$work/tests" "$work/examples"
cp -R ./*.js ./*.mjs ./*.d.ts ./*.json README.md examples tests "$work"
cd "$work"
temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT
export TMPDIR=$temporary
node_modules/.bin/tsc >"$temporary/types" 2>&1 &
types=$!
timeout 120 node --test --test-concurrency=3 --test-reporter=tap tests/*.test.js >"$temporary/tests.log" 2>&1 &&
    tests=0 || tests=$?
if ! wait "$types" || [ "$tests" -ne 0 ]; then
    cat "$temporary/types" "$temporary/tests.log"
    echo "clients/node: failed"
    exit 1
fi
count() {
    sed -n "s/^# $1 //p" "$temporary/tests.log"
}
hooks="the hazard seen to strike without the protection"
[ -n "${LB_BACKUP_HOOKS_LIBRARY:-}" ] || hooks="no library with test hooks"
echo "clients/node: Node $(node --version), types checked, $(count pass) passed; $hooks ($SECONDS s)"
