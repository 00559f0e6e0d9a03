//! The inputs that fuzzing begins with: a database of each kind that the targets know, and what can be beside it.
//! `LB_UPDATE_CORPUS=1 cargo test --release --test fuzz` writes them; what fuzzing has found stays beside them.

use rusqlite::Connection;
use std::path::Path;

/// Databases of a few small pages.
const DATABASES: [(&str, &str); 9] = [
    (
        "table",
        "CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT); INSERT INTO t VALUES(1, 'one'), (2, 'two'); CREATE INDEX i ON t(b);",
    ),
    ("long_rows", "CREATE TABLE t(a, b); INSERT INTO t VALUES(1, zeroblob(1500)), (2, hex(zeroblob(300)));"),
    (
        "free_pages",
        "CREATE TABLE t(a); INSERT INTO t VALUES(zeroblob(1500)); DELETE FROM t; PRAGMA user_version = -7; PRAGMA application_id = 4026531841;",
    ),
    (
        "orphans",
        "PRAGMA foreign_keys = OFF; CREATE TABLE p(a INTEGER PRIMARY KEY); CREATE TABLE c(a REFERENCES p(a)); INSERT INTO c VALUES(5);",
    ),
    ("utf16", "PRAGMA encoding = 'UTF-16le'; CREATE TABLE t(a TEXT); INSERT INTO t VALUES('é');"),
    ("vacuumed", "PRAGMA auto_vacuum = FULL; CREATE TABLE t(a); INSERT INTO t VALUES(1);"),
    ("rtree", "CREATE VIRTUAL TABLE r USING rtree(id, a, b); INSERT INTO r VALUES(1, 2, 3);"),
    // Whoever ran any of this would say so: the function that it calls does not exist.
    (
        "hostile",
        "CREATE TABLE t(a, b AS (a + 1), CHECK (a > 0)); CREATE VIEW v AS SELECT no_such_function(a) FROM t; \
        CREATE TRIGGER i INSERT ON t BEGIN SELECT no_such_function(1); END; \
        CREATE INDEX x ON t(abs(a)) WHERE a IS NOT NULL; PRAGMA ignore_check_constraints = ON;",
    ),
    ("empty", ""),
];

fn connection(path: &Path, schema: &str) -> Connection {
    let connection = Connection::open(path).expect("a database");
    connection.execute_batch(&format!("PRAGMA page_size = 512; PRAGMA synchronous = OFF; {schema}")).expect(schema);
    connection
}

fn contents(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_default()
}

/// The files of a database while it is open, which is when there is a log or a journal.
fn files(directory: &Path, schema: &str, while_open: &str) -> [Vec<u8>; 3] {
    let path = directory.join("seed.db");
    let connection = connection(&path, schema);
    connection.execute_batch(while_open).expect(while_open);
    let files = ["", "-wal", "-journal"].map(|suffix| contents(&directory.join(format!("seed.db{suffix}"))));
    drop(connection);
    for suffix in ["", "-wal", "-shm", "-journal"] {
        // Those that there are.
        let _ = std::fs::remove_file(directory.join(format!("seed.db{suffix}")));
    }
    files
}

/// Every seed: target, name, content.
pub fn all(directory: &Path) -> Vec<(&'static str, String, Vec<u8>)> {
    let mut seeds = Vec::new();
    for (name, schema) in DATABASES {
        let [database, ..] = files(directory, schema, "");
        archives(&mut seeds, name, &database);
        sources(&mut seeds, name, directory, schema);
    }
    options(&mut seeds);
    calls(&mut seeds);
    seeds
}

type Seeds = Vec<(&'static str, String, Vec<u8>)>;

fn archives(seeds: &mut Seeds, name: &str, database: &[u8]) {
    // Restored new by full verification, and onto a live database.
    let wanted = 0x81;
    for (form, how) in [(0, "plain"), (4, "gzip"), (5, "zstd")] {
        seeds.push(("archive", format!("{name}_{how}"), [&[wanted, form], database].concat()));
    }
    for (chunk_pages, how) in [(0, "pages"), (7, "chunks")] {
        seeds.push(("archive", format!("{name}_{how}"), [&[wanted, 3, 0, chunk_pages], database].concat()));
    }
    if name == "table" {
        for change in 0..22u8 {
            let change = [0x80, 3, 1, change, 1, 1, 0, 0, 0, 1];
            seeds.push(("archive", format!("{name}_change_{}", change[3]), [&change, database].concat()));
        }
    }
    if matches!(name, "table" | "empty") {
        let composed = super::targets::composed(&[&[0, 1], database].concat());
        for form in [0, 1, 2] {
            seeds.push(("archive", format!("{name}_archive_{form}"), [&[wanted, form], &composed[..]].concat()));
        }
    }
}

fn sources(seeds: &mut Seeds, name: &str, directory: &Path, schema: &str) {
    let mut push = |how: &str, flags: u8, [database, wal, journal]: [Vec<u8>; 3]| {
        let length = |bytes: &[u8]| (bytes.len() as u16).to_le_bytes();
        let input = [&[flags][..], &length(&wal), &length(&journal), &database, &wal, &journal].concat();
        seeds.push(("source", format!("{name}_{how}"), input));
    };
    let more = "CREATE TABLE more(a); INSERT INTO more VALUES(1), (zeroblob(700));";
    let in_wal = format!("PRAGMA journal_mode = WAL; {more}");
    push("plain", 8, files(directory, schema, ""));
    push("wal", 16 | 8, files(directory, schema, &in_wal));
    if !matches!(name, "table" | "vacuumed" | "hostile") {
        return;
    }
    let [database, wal, journal] = files(directory, schema, &in_wal);
    let frame = 24 + 512;
    let half = 32 + (wal.len().saturating_sub(32) / frame / 2) * frame;
    push("repaired_wal", 16 | 2 | 1, [database, wal[..half].to_vec(), journal]);
    // Frames of the first transactions are still behind that of the last.
    let again = format!("{in_wal} PRAGMA wal_checkpoint(RESTART); UPDATE more SET a = 2 WHERE a = 1;");
    push("reset_wal", 16 | 8, files(directory, schema, &again));
    // Spilled: the journal is on the disk, and hot for whoever finds these files.
    let spilled = format!(
        "{more} PRAGMA cache_size = 1; PRAGMA cache_spill = 1; BEGIN IMMEDIATE; UPDATE more SET a = zeroblob(1500); \
         INSERT INTO more VALUES(zeroblob(2500));"
    );
    push("hot_journal", 32 | 8, files(directory, schema, &spilled));
    push("repaired_journal", 32 | 4 | 1, files(directory, schema, &spilled));
}

fn options(seeds: &mut Seeds) {
    // How sizes are made, and a pointer that is one.
    let sizes = [24, 27, 28, 29, 30, 31, 0, 8, 16];
    for call in 0..4u8 {
        for how in sizes {
            let input = [&[call, how, 8, 0, 0, 0, 7, 2, 0][..], &[0; 60]].concat();
            seeds.push(("options", format!("options_{call}_{how}"), input));
        }
    }
    for out in 0..5u8 {
        for how in sizes {
            let input = match out {
                4 => vec![4, out, 2, 3, how, 16, 0, 0, 0],
                _ => vec![4, out, how, 16, 0, 0, 0],
            };
            seeds.push(("options", format!("out_{out}_{how}"), input));
        }
    }
    for which in 0..6u8 {
        let names: [&[u8]; 5] = [b"", b"source.db", b"dest \xc3\xa9.zst", b"\xff\xfe", b"nowhere/x"];
        for (index, name) in names.into_iter().enumerate() {
            seeds.push(("options", format!("path_{which}_{index}"), [&[5, which], name].concat()));
        }
    }
}

fn calls(seeds: &mut Seeds) {
    let sequences: [(&str, &[u8]); 8] = [
        ("start_join", &[0, 0, 6, 7, 0, 7, 0]),
        ("cancel_slow", &[0, 0, 7, 5, 0, 6, 1, 0, 4, 0, 7, 0, 4, 0]),
        ("many", &[0, 0, 3, 1, 1, 2, 2, 4, 6, 3, 6, 2, 11, 8, 0, 9, 1, 11, 10, 0, 2]),
        ("errors", &[0, 2, 6, 0, 3, 0, 0, 5, 2, 0, 7, 0, 0, 8, 0, 7, 0, 7, 1]),
        ("shutdown", &[0, 0, 3, 13, 1, 0, 0, 0, 14, 13, 0, 7, 0, 14]),
        ("small_queue", &[13, 0, 12, 1, 1, 0, 0, 1, 0, 0, 1, 0, 0, 1, 5, 0, 5, 1, 11, 7, 0]),
        ("invented", &[0, 0, 2, 15, 0x83, 17, 0, 0, 0, 0, 0, 0, 0, 0, 15, 2, 1, 2, 3]),
        ("release_and_shutdown", &[0, 4, 2, 9, 0, 13, 1, 12, 0, 0, 13, 0]),
    ];
    for (name, calls) in sequences {
        seeds.push(("calls", name.to_owned(), calls.to_vec()));
    }
}
