#!/usr/bin/env bash
# check_places.sh LIBRARY DIRECTORY...: the library holds the name of none of these directories, nor of the builder's home or
# cargo's. Debug builds do.
set -euo pipefail

library=$1
shift
if [[ $library == */debug/* ]]; then
    echo "a debug build, which has its paths for debuggers"
    exit
fi
status=0
for place in "$@" "${CARGO_HOME:-$HOME/.cargo}" "${RUSTUP_HOME:-$HOME/.rustup}" "$HOME/" /registry/src/; do
    # "/" and the like are in every library.
    [ "${#place}" -gt 3 ] || continue
    if grep --text --only-matching --max-count=1 --fixed-strings -- "$place" "$library"; then
        status=1
    fi
done
exit $status
