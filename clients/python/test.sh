#!/usr/bin/env bash
# clients/python/test.sh: every check of the Python client, against the library that LB_BACKUP_LIBRARY names (an
# absolute path). LB_BACKUP_HOOKS_LIBRARY names the one with test switches: then the hazard itself is shown, too. The
# network is asked only for packages that build/clients/python lacks.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

[[ ${LB_BACKUP_LIBRARY:-} == /* && -e $LB_BACKUP_LIBRARY ]] || {
    echo "clients/python/test.sh: LB_BACKUP_LIBRARY must be the absolute path of liblb_backup.so" >&2
    exit 2
}
work=$(realpath -m ../../build/clients/python)
python=$work/venv/bin/python3
# Copied last, the list says that all of it is installed.
if ! cmp -s requirements.txt "$work/requirements.txt" ||
    ! "$python" -c 'import mypy, pytest, setuptools, tqdm, xdist' 2>/dev/null; then
    rm -rf "$work"
    python3 -m venv "$work/venv"
    "$python" -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: \
        -r requirements.txt
    cp requirements.txt "$work/requirements.txt"
fi
export PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$PWD/src
temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT
"$python" -m mypy --cache-dir "$work/mypy" >"$temporary/types" 2>&1 &
types=$!
# More at once than there are processors: they wait for disks and for other processes most of the time.
"$python" -W error -m pytest -n 4 --basetemp "$temporary/tests" >"$temporary/tests.log" 2>&1 && tests=0 || tests=$?
if ! wait "$types" || [ "$tests" -ne 0 ]; then
    cat "$temporary/types" "$temporary/tests.log"
    echo "clients/python: failed"
    exit 1
fi
checked=$(sed -n 's/^Success: no issues found in \(.*\)/\1 type-checked/p' "$temporary/types")
echo "clients/python: $("$python" --version), $checked, $(tail -n 1 "$temporary/tests.log")"
