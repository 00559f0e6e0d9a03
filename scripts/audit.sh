#!/usr/bin/env bash
# scripts/audit.sh: known vulnerabilities, licences, duplicates and sources of all dependencies, by cargo-deny (deny.toml). What
# needs neither cargo-deny nor a network is part of every test run: tests/dependencies.rs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

command -v cargo >/dev/null || PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
if ! cargo deny --version >/dev/null 2>&1; then
    echo "audit: there is no cargo-deny; 'cargo install --locked cargo-deny' compiles it, in some minutes" >&2
    exit 1
fi

status=0
cargo deny --locked check --hide-inclusion-graph licenses bans sources || status=1
# By itself: it fetches the database of advisories, which may not be reachable.
if ! cargo deny --locked check --hide-inclusion-graph advisories; then
    echo "audit: advisories: found, or the database could not be fetched; see above" >&2
    status=1
fi
exit $status
