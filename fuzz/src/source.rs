//! A hostile database with its logs beside it: backed up in both formats.

use super::api::{self, CORRUPT, NOT_A_DATABASE, Sized32, Status, UNSUPPORTED};
use super::input::Input;
use super::reseal;
use super::scene::Scene;
use lb_backup::ffi::*;
use std::collections::BTreeMap;

/// What a source may have against itself.
const OF_THE_SOURCE: [Status; 3] = [CORRUPT, NOT_A_DATABASE, UNSUPPORTED];

const REPAIR_DATABASE: u8 = 1;
const REPAIR_WAL: u8 = 2;
const REPAIR_JOURNAL: u8 = 4;
const FULL: u8 = 8;
const HAS_WAL: u8 = 16;
const HAS_JOURNAL: u8 = 32;

/// First what is done, then the lengths of log and journal, then the database, its log and its journal.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let flags = input.byte();
    let (wal_bytes, journal_bytes) = (usize::from(input.u16()), usize::from(input.u16()));
    let rest = input.rest();
    let (rest, journal) = rest.split_at(rest.len() - journal_bytes.min(rest.len()));
    let (database, wal) = rest.split_at(rest.len() - wal_bytes.min(rest.len()));
    let (mut database, mut wal, mut journal) = (database.to_vec(), wal.to_vec(), journal.to_vec());
    if flags & REPAIR_DATABASE != 0 {
        reseal::database(&mut database);
    }
    if flags & REPAIR_WAL != 0 {
        reseal::wal(&mut wal, &database);
    }
    if flags & REPAIR_JOURNAL != 0 {
        reseal::journal(&mut journal, &database);
    }

    // A directory of its own for the source: what SQLite keeps beside it is not what a backup leaves.
    let (beside, scene) = (Scene::new(), Scene::new());
    let source = beside.write("source.db", &database);
    if flags & HAS_WAL != 0 {
        beside.write("source.db-wal", &wal);
    }
    if flags & HAS_JOURNAL != 0 {
        beside.write("source.db-journal", &journal);
    }
    let before = beside.files();

    let (plain, compressed) = (scene.path("plain.db"), scene.path("archive.db.zst"));
    let verify = if flags & FULL != 0 { LB_VERIFY_FULL } else { LB_VERIFY_QUICK };
    let options = lb_backup_options { verify, busy_timeout_ms: 1, chunk_size: 65_536, ..Sized32::new() };
    let first = api::backup(&source, &plain, &options);
    check_left_alone(&before, &beside.files());
    let recovered = beside.files();
    let second = api::backup(&source, &compressed, &options);
    for outcome in [&first, &second] {
        if let Err(failure) = outcome {
            // A log may tell of more pages than there is room for, a hot journal of such beyond what may be written.
            let too_large = failure.status == api::NO_SPACE || flags & HAS_JOURNAL != 0 && failure.status == api::IO;
            assert!(too_large || OF_THE_SOURCE.contains(&failure.status), "{failure:?}");
        }
    }
    let left: Vec<_> = scene.files().into_keys().collect();
    let made = [("archive.db.zst", second.is_ok()), ("plain.db", first.is_ok())];
    let expected: Vec<_> = made.iter().filter(|(_, made)| *made).map(|(name, _)| *name).collect();
    assert_eq!(left, expected);
    if first.is_err() {
        return;
    }

    // The first one has recovered what there was to recover: from here on the source stands still.
    let after = beside.files();
    assert!(recovered["source.db"] == after["source.db"], "a second backup changed the source");
    assert!(second.is_ok(), "a second backup failed: {:?}", second.err());
    let restored = scene.path("restored.db");
    let result = api::restore(&compressed, &restored, &Sized32::new());
    assert!(result.is_ok(), "{:?}", result.err());
    let image = std::fs::read(&plain).expect("a backup has made a file");
    // Of an empty database a plain backup has its first page.
    let content = std::fs::read(&restored).expect("it was restored");
    assert!(
        content == image || content.is_empty() && (512..=65_536).contains(&image.len()),
        "two backups of one state differ: {} and {}",
        content.len(),
        image.len()
    );

    assert!(api::verify(&compressed, false).is_ok(), "a backup does not verify");
    for archive in [&compressed, &plain] {
        let Err(failure) = api::verify(archive, true) else { continue };
        // Without its own full verification a backup is as damaged as its source was; with it, all but the foreign keys
        // is sound.
        let unjudged =
            verify == LB_VERIFY_QUICK || failure.check == LB_CHECK_FOREIGN_KEYS || failure.is_of_check_constraints();
        assert!(unjudged && OF_THE_SOURCE.contains(&failure.status), "{failure:?}");
    }
}

/// What SQLite may do to a database that it only reads: roll back a hot journal, which changes the database and removes the
/// journal; remove the log of an empty database (one byte is none); make the log's index, and an empty log where there is none.
fn check_left_alone(before: &BTreeMap<String, Vec<u8>>, after: &BTreeMap<String, Vec<u8>>) {
    let of = |files: &BTreeMap<String, Vec<u8>>, name: &str| files.get(&format!("source.db{name}")).cloned();
    assert!(
        after
            .keys()
            .all(|name| ["source.db", "source.db-wal", "source.db-journal", "source.db-shm"].contains(&&**name))
    );
    let hot = of(before, "-journal").is_some_and(|journal| !journal.is_empty());
    assert!(hot || of(before, "") == of(after, ""), "the source was changed");
    let wal = of(after, "-wal");
    let removed = wal.is_none() && (hot || of(before, "").is_some_and(|database| database.len() < 2));
    let made = of(before, "-wal").is_none() && wal.as_ref().is_some_and(Vec::is_empty);
    assert!(
        wal == of(before, "-wal") || removed || made,
        "the log was changed: {:?}, {:?}",
        of(before, "-wal").map(|wal| wal.len()),
        wal.map(|wal| wal.len())
    );
    let journal = of(after, "-journal");
    assert!(journal == of(before, "-journal") || journal.is_none_or(|journal| journal.is_empty()));
}
