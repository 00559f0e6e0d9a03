#!/bin/sh
# scripts/rustc.sh RUSTC ARGUMENT...: what cargo runs instead of rustc (.cargo/config.toml). The messages of a panic tell
# where in the sources it was, and would tell where on the builder's disk these were: two builds of one commit would
# differ, and the product would name its builder's home. Debug builds keep their paths, for debuggers.
rustc=$1
shift
case " $* " in
    *opt-level=3*)
        [ -z "${OUT_DIR:-}" ] || set -- "$@" "--remap-path-prefix=$OUT_DIR=/generated/${CARGO_PKG_NAME:-}"
        [ -z "${CARGO_MANIFEST_DIR:-}" ] ||
            set -- "$@" "--remap-path-prefix=$CARGO_MANIFEST_DIR=/crates/${CARGO_PKG_NAME:-}-${CARGO_PKG_VERSION:-}"
        ;;
esac
exec "$rustc" "$@"
