//! `include/lb_backup.h` is generated and committed, so that no build has to generate it. Here it is held to its source.
//!
//! `LB_UPDATE_HEADER=1 cargo test --test header` rewrites it.

use std::path::Path;

/// What cbindgen makes of the present sources.
fn generated() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(root.join("cbindgen.toml")).expect("cbindgen.toml");
    let bindings =
        cbindgen::Builder::new().with_crate(root).with_config(config).generate().expect("cbindgen reads the sources");
    let mut text = Vec::new();
    bindings.write(&mut text);
    String::from_utf8(text).expect("a header in UTF-8")
}

#[test]
fn committed_header_is_what_the_sources_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("include/lb_backup.h");
    let generated = generated();
    if std::env::var_os("LB_UPDATE_HEADER").is_some() {
        std::fs::write(&path, &generated).expect("write the header");
    }

    let committed = std::fs::read_to_string(&path).expect("the committed header");
    let differing = committed.lines().zip(generated.lines()).position(|(old, new)| old != new);
    let line = differing.unwrap_or_else(|| committed.lines().count().min(generated.lines().count()));
    assert!(
        committed == generated,
        "include/lb_backup.h differs from the sources, first in line {}:\n  committed: {}\n  generated: {}\n\
         Rewrite it with LB_UPDATE_HEADER=1 cargo test --test header, and note the change in CHANGELOG.md.",
        line + 1,
        committed.lines().nth(line).unwrap_or("(the end)"),
        generated.lines().nth(line).unwrap_or("(the end)"),
    );
}
