#!/usr/bin/env bash
# The Go client's tests: format, vet, everything with the race detector and everything without cgo.
#
#   LB_BACKUP_LIBRARY=/.../liblb_backup.so.0 [LB_BACKUP_HOOKS_LIBRARY=/.../liblb_backup.so.0] clients/go/test.sh
#
# Needs Go 1.26 or newer, the sqlite3 shell, and for the race detector a C compiler. Network: for modules that are missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

: "${LB_BACKUP_LIBRARY:?is to name the library, absolutely}"
export GOFLAGS=-mod=readonly GOTOOLCHAIN=local

for licence in LICENSE-MIT LICENSE-APACHE; do
    cmp ../../$licence $licence
done

unformatted=$(gofmt -l .)
[ -z "$unformatted" ] || { printf 'gofmt: %s\n' "$unformatted" >&2; exit 1; }

everything() { # everything CGO_ENABLED FLAG...
    local directory
    for directory in . tests; do
        (cd "$directory" && CGO_ENABLED=$1 go test -vet=off -count=1 "${@:2}" ./...)
    done
}

CGO_ENABLED=0 go vet ./...
(cd tests && CGO_ENABLED=0 go vet ./...)
everything 0
race="without the race detector, for there is no C compiler"
if command -v cc >/dev/null; then
    everything 1 -race
    race="with the race detector"
fi
hooks="the hazard seen to strike without the protection"
[ -n "${LB_BACKUP_HOOKS_LIBRARY:-}" ] || hooks="no library with test hooks"
echo "Go client: all passed without cgo and $race; $hooks ($SECONDS s)"
