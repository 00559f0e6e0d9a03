//! `include/lb_backup.h` is generated and committed, so that no build has to generate it. Here it is held to its source.
//!
//! `LB_UPDATE_HEADER=1 cargo test --test header` rewrites it.

use std::collections::BTreeSet;
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

/// What `cpp_tests/header/layout.c` has to freeze: `SIZE(type` of every structure and enumeration, `FIELD(type, field` of
/// every field, `VALUE(name` of every constant. Enough of C for what cbindgen writes.
fn to_be_frozen(header: &str) -> BTreeSet<String> {
    let mut wanted = BTreeSet::new();
    let mut structure = None;
    let mut in_enumeration = false;
    for line in header.lines() {
        let first_word = |text: &str| text.split([' ', '(', ';']).next().unwrap_or_default().to_owned();
        if let Some(name) = line.strip_prefix("#define LB_") {
            // The include guard has no value.
            if name != "BACKUP_H" {
                wanted.insert(format!("VALUE(LB_{}", first_word(name)));
            }
        } else if let Some(name) = line.strip_prefix("typedef struct ").and_then(|rest| rest.strip_suffix(" {")) {
            wanted.insert(format!("SIZE({name}"));
            structure = Some(name.to_owned());
        } else if let Some(name) = line.strip_prefix("enum ") {
            wanted.insert(format!("SIZE({}", first_word(name)));
            in_enumeration = true;
        } else if line.starts_with('}') {
            structure = None;
            in_enumeration = false;
        } else if let Some(declaration) = line.trim().strip_suffix(';') {
            if let Some(structure) = &structure {
                let name = declaration.split('[').next().and_then(|text| text.split([' ', '*']).next_back());
                wanted.insert(format!("FIELD({structure}, {}", name.expect("a field has a name")));
            }
        } else if in_enumeration && line.trim().starts_with("LB_") {
            wanted.insert(format!("VALUE({}", first_word(line.trim())));
        }
    }
    wanted
}

#[test]
fn every_field_and_every_constant_is_frozen_for_c() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let layout = std::fs::read_to_string(root.join("cpp_tests/header/layout.c")).expect("layout.c");
    let wanted = to_be_frozen(&generated());
    for known in ["SIZE(lb_phase", "FIELD(lb_error, message", "FIELD(lb_config, on_log", "VALUE(LB_STATUS_OK"] {
        assert!(wanted.contains(known), "the header is not understood: no {known} in {wanted:?}");
    }
    let frozen: BTreeSet<String> = layout
        .lines()
        .filter(|line| ["SIZE(", "FIELD(", "VALUE("].iter().any(|start| line.starts_with(start)))
        .filter_map(|line| line.rsplit_once(", ").map(|(what, _)| what.to_owned()))
        .collect();
    let missing: Vec<_> = wanted.difference(&frozen).collect();
    assert!(missing.is_empty(), "not in cpp_tests/header/layout.c: {missing:?}");
}
