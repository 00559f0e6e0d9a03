//! What the product is made of besides its own sources: from where, under which licences, and that docs/DEPENDENCIES.md
//! knows of each. scripts/audit.sh asks more, and needs more for it.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

fn committed(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// `name`, `version` and licence of each dependency along `edges`, as cargo resolves them for this platform.
fn dependencies(edges: &str) -> BTreeSet<(String, String, String)> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let version = Command::new(&cargo).args(["--version", "--verbose"]).output().expect("cargo runs");
    let version = String::from_utf8(version.stdout).expect("UTF-8");
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).expect("cargo tells its host");
    let output = Command::new(&cargo)
        .args(["tree", "--frozen", "--target", host, "--edges", edges, "--prefix", "none", "--format", "{p}|{l}|"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo tree runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).expect("UTF-8");
    let found: BTreeSet<_> = tree
        .lines()
        .filter_map(|line| {
            let (package, licence) = line.split_once('|')?;
            let mut words = package.split(' ');
            let (name, version) = (words.next()?, words.next()?.strip_prefix('v')?);
            let licence = licence.split_once('|')?.0;
            (name != "lb_backup").then(|| (name.to_owned(), version.to_owned(), licence.to_owned()))
        })
        .collect();
    assert!(found.iter().any(|(name, ..)| name == "libsqlite3-sys"), "not understood: {tree}");
    found
}

#[test]
fn every_source_is_the_public_registry() {
    let lock = committed("Cargo.lock");
    let sources: Vec<_> = lock.lines().filter_map(|line| line.strip_prefix("source = ")).collect();
    assert!(sources.len() > 30, "not understood: {sources:?}");
    let foreign: Vec<_> = sources
        .iter()
        .filter(|source| **source != r#""registry+https://github.com/rust-lang/crates.io-index""#)
        .collect();
    assert!(foreign.is_empty(), "{foreign:?}");
    assert_eq!(lock.matches("\nchecksum = ").count(), sources.len(), "each has a checksum");
}

/// Such as "(MIT OR Apache-2.0) AND Unicode-3.0"; "/" is an old way to write OR.
fn is_allowed(licence: &str, allowed: &[&str]) -> bool {
    licence.split(" AND ").all(|part| {
        let mut choices = part.trim_matches(['(', ')']).split(" OR ").flat_map(|choice| choice.split('/'));
        choices.any(|choice| allowed.contains(&choice.trim_matches(['(', ')', ' '])))
    })
}

#[test]
fn every_licence_lets_binaries_be_passed_on() {
    let deny = committed("deny.toml");
    let list = deny.split_once("\nallow = [").expect("an allow list").1.split_once(']').expect("its end").0;
    let allowed: Vec<&str> = list.split(',').map(|name| name.trim().trim_matches('"')).collect();
    assert!(is_allowed("(MIT OR GPL-3.0) AND Zlib", &allowed) && !is_allowed("MIT AND GPL-3.0", &allowed));
    let refused: Vec<_> =
        dependencies("all").into_iter().filter(|(.., licence)| !is_allowed(licence, &allowed)).collect();
    assert!(refused.is_empty(), "{refused:?}");
}

#[test]
fn the_page_has_every_dependency_of_the_product_with_its_version_and_licence() {
    let page = committed("docs/DEPENDENCIES.md");
    // | `name` | version | licence | …
    let listed: BTreeSet<_> = page
        .lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix("| `")?.split(" | ");
            Some((cells.next()?.trim_end_matches('`').to_owned(), cells.next()?.to_owned(), cells.next()?.to_owned()))
        })
        .collect();
    let product = dependencies("normal,build");
    let missing: Vec<_> = product.difference(&listed).collect();
    let gone: Vec<_> = listed.difference(&product).collect();
    assert!(missing.is_empty(), "docs/DEPENDENCIES.md does not have {missing:?}");
    assert!(gone.is_empty(), "docs/DEPENDENCIES.md has {gone:?}, which the product does not");
}
