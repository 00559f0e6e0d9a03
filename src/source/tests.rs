//! The image is SQLite's own view of one state of the source: at every page size, in every mode, whatever happens to the
//! source meanwhile.

use super::*;
use crate::job::tests::lone_job;
use crate::job::{Check, Report};

const PAGE_SIZES: [u32; 8] = [512, 1024, 2048, 4096, 8192, 16384, 32768, 65536];
const TIMEOUT: Duration = Duration::from_secs(5);

fn open(path: &Path) -> Connection {
    let connection = Connection::open(path).unwrap();
    // A checkpoint that our snapshot keeps from its end is not to wait for it.
    connection.busy_timeout(Duration::ZERO).unwrap();
    connection
}

/// A database of a few hundred pages; in WAL mode with some of them only in the log.
fn make(path: &Path, page_size: u32, journal_mode: &str, auto_vacuum: &str) -> Connection {
    let connection = open(path);
    connection
        .execute_batch(&format!(
            "PRAGMA page_size = {page_size}; PRAGMA auto_vacuum = {auto_vacuum}; PRAGMA journal_mode = {journal_mode};
             PRAGMA wal_autocheckpoint = 0; CREATE TABLE moves(id INTEGER PRIMARY KEY, bid BLOB);"
        ))
        .unwrap();
    insert(&connection, 300, page_size as usize);
    if journal_mode == "wal" {
        checkpoint(&connection, "PASSIVE").unwrap();
        connection.execute("UPDATE moves SET bid = randomblob(length(bid)) WHERE id % 7 = 0", []).unwrap();
        connection.execute("DELETE FROM moves WHERE id % 11 = 0", []).unwrap();
        insert(&connection, 50, page_size as usize);
    }
    connection
}

fn insert(connection: &Connection, rows: usize, bytes: usize) {
    let transaction = connection.unchecked_transaction().unwrap();
    for _ in 0..rows {
        transaction.execute("INSERT INTO moves(bid) VALUES (randomblob(?1))", [bytes as i64]).unwrap();
    }
    transaction.commit().unwrap();
}

fn checkpoint(connection: &Connection, mode: &str) -> rusqlite::Result<()> {
    connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |_| Ok(()))
}

/// SQLite's view of what `connection` sees now.
fn view(connection: &Connection) -> Vec<u8> {
    let mut statement = connection.prepare("SELECT data FROM sqlite_dbpage ORDER BY pgno").unwrap();
    let pages = statement.query_map([], |row| row.get::<_, Vec<u8>>(0)).unwrap();
    pages.flat_map(|page| page.unwrap()).collect()
}

fn begin(path: &Path) -> Snapshot {
    Snapshot::begin(path, &lone_job(), TIMEOUT, 0).unwrap()
}

/// The image in runs of `pages`, with `between` called before each.
fn image(snapshot: &mut Snapshot, pages: usize, mut between: impl FnMut()) -> Vec<u8> {
    let total = snapshot.page_count() as usize * snapshot.page_size() as usize;
    let mut image = vec![0xaa; total];
    let run = pages * snapshot.page_size() as usize;
    for (index, chunk) in image.chunks_mut(run).enumerate() {
        between();
        snapshot.read((index * run) as u64, chunk).unwrap();
    }
    image
}

#[test]
fn image_equals_the_pagers_view_at_every_page_size_and_mode() {
    for page_size in PAGE_SIZES {
        for journal_mode in ["wal", "delete", "truncate", "persist"] {
            for auto_vacuum in ["none", "full", "incremental"] {
                let directory = tempfile::tempdir().unwrap();
                let path = directory.path().join("game.db");
                let host = make(&path, page_size, journal_mode, auto_vacuum);
                let mut snapshot = begin(&path);
                assert_eq!(snapshot.page_size(), page_size);
                assert_eq!(snapshot.blocks_writers(), journal_mode != "wal");
                let image = image(&mut snapshot, 5, || {});
                assert!(image == view(&host), "{page_size} {journal_mode} {auto_vacuum}");
                snapshot.finish().unwrap();
            }
        }
    }
}

#[test]
fn image_is_of_the_moment_it_began_while_the_source_is_written_and_checkpointed() {
    for (seed, page_size) in PAGE_SIZES.into_iter().enumerate() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("game.db");
        let host = make(&path, page_size, "wal", "incremental");
        let before = view(&host);
        let mut snapshot = begin(&path);
        let mut step = seed;
        let image = image(&mut snapshot, 3, || {
            step += 1;
            host.execute("UPDATE moves SET bid = randomblob(length(bid)) WHERE id % 13 = ?1", [(step % 13) as i64])
                .unwrap();
            if step.is_multiple_of(3) {
                let mode = ["PASSIVE", "RESTART", "TRUNCATE", "FULL"][step / 3 % 4];
                // The log cannot be reset under us; what the checkpoint says to that is not the point.
                let _ = checkpoint(&host, mode);
            }
        });
        assert!(image == before, "page size {page_size}");
        assert!(view(&host) != before);
        snapshot.finish().unwrap();
    }
}

#[test]
fn without_the_overlay_the_image_would_be_wrong() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("game.db");
    let host = make(&path, 4096, "wal", "none");
    let mut snapshot = begin(&path);
    snapshot.wal.as_mut().unwrap().pages = PageSet::default();
    let mut bytes = vec![0; 200 * 4096];
    let read = snapshot.read(0, &mut bytes);
    assert!(read.is_err() || bytes != view(&host)[..bytes.len()]);
}

#[test]
fn a_fully_checkpointed_log_may_be_reused_under_the_snapshot() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("game.db");
    let host = make(&path, 4096, "wal", "none");
    checkpoint(&host, "FULL").unwrap();
    let before = view(&host);
    let mut snapshot = begin(&path);
    // From here on the host writes the log from its beginning.
    let image = image(&mut snapshot, 2, || insert(&host, 3, 4096));
    assert!(image == before);
}

#[test]
fn empty_databases_are_images() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("game.db");
    std::fs::write(&path, b"").unwrap();
    assert_eq!(begin(&path).page_count(), 0);
    open(&path).execute_batch("PRAGMA user_version = 7").unwrap();
    assert_eq!(begin(&path).page_count(), 1);
}

#[test]
fn a_file_cut_short_is_damaged_not_padded() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("game.db");
    drop(make(&path, 4096, "delete", "none"));
    let length = std::fs::metadata(&path).unwrap().len();
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(length / 2).unwrap();
    let error = Snapshot::begin(&path, &lone_job(), TIMEOUT, 0).err().unwrap();
    assert_eq!(error.status, Status::Corrupt, "{error}");
    assert!(error.message.contains("game.db"));
}

#[test]
fn a_replaced_or_unlinked_source_is_noticed() {
    for replace in [true, false] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("game.db");
        drop(make(&path, 4096, "wal", "none"));
        let snapshot = begin(&path);
        if replace {
            std::fs::copy(&path, directory.path().join("other.db")).unwrap();
            std::fs::rename(directory.path().join("other.db"), &path).unwrap();
        } else {
            std::fs::remove_file(&path).unwrap();
        }
        assert_eq!(snapshot.finish().err().unwrap().status, Status::SourceChanged);
    }
}

#[test]
fn the_logs_growth_is_told_and_capped() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("game.db");
    let host = make(&path, 4096, "wal", "none");
    let mut snapshot = Snapshot::begin(&path, &lone_job(), TIMEOUT, 1 << 20).unwrap();
    let mut page = vec![0; 4096];
    snapshot.read(0, &mut page).unwrap();
    insert(&host, 400, 4096);
    assert!(snapshot.wal_growth().unwrap() > 1 << 20);
    assert_eq!(snapshot.read(4096, &mut page).err().unwrap().status, Status::WalLimit);
}

#[test]
fn nothing_of_the_source_is_written_and_its_log_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("game.db");
    drop(make(&path, 4096, "wal", "none"));
    // A crashed host's leftovers: a log that the last one to close would have emptied.
    let host = make(&directory.path().join("other.db"), 4096, "wal", "none");
    let names = ["game.db", "game.db-wal"];
    std::fs::copy(directory.path().join("other.db"), &path).unwrap();
    std::fs::copy(directory.path().join("other.db-wal"), directory.path().join("game.db-wal")).unwrap();
    let before = names.map(|name| std::fs::read(directory.path().join(name)).unwrap());
    let mut snapshot = begin(&path);
    let image = image(&mut snapshot, 9, || {});
    snapshot.finish().unwrap();
    assert!(image == view(&host));
    assert!(before == names.map(|name| std::fs::read(directory.path().join(name)).unwrap()));
}

#[test]
fn integrity_is_judged_without_touching_the_image() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ga me%#?é.db");
    drop(make(&path, 4096, "wal", "none"));
    let names = || std::fs::read_dir(directory.path()).unwrap().count();
    assert_eq!(names(), 1);
    let stat = stat_file(&path, "the image").unwrap();
    let image = (&*path, &stat);
    check_integrity(image, &path, Checks::IntegrityAndForeignKeys, &lone_job(), &mut Report::default()).unwrap();
    assert_eq!(names(), 1);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[4096 * 2..4096 * 3].fill(0x5a);
    std::fs::write(&path, bytes).unwrap();
    let mut report = Report::default();
    let error = check_integrity(image, &path, Checks::Integrity, &lone_job(), &mut report).err().unwrap();
    assert_eq!(report.finding.unwrap().check, Check::Integrity);
    assert_eq!(error.status, Status::Corrupt, "{error}");
}

/// As somebody does it who waits for the moment between the look and the opening.
#[test]
fn a_link_between_the_look_and_the_opening_leads_to_no_other_database() {
    let directory = tempfile::tempdir().unwrap();
    let (path, victim) = (directory.path().join("live.db"), directory.path().join("victim.db"));
    for database in [&path, &victim] {
        drop(make(database, 4096, "delete", "none"));
    }
    let stat = stat_destination(&path).unwrap();
    drop(Opened::open(&path, &stat, Access::Write, None).unwrap());
    // Kept, so that no later file gets its inode's number.
    std::fs::rename(&path, directory.path().join("before.db")).unwrap();
    std::os::unix::fs::symlink("victim.db", &path).unwrap();
    assert_eq!(Opened::open(&path, &stat, Access::Write, None).err().unwrap().status, Status::SourceChanged);
    std::fs::remove_file(&path).unwrap();
    std::fs::copy(&victim, &path).unwrap();
    let another = Opened::open(&path, &stat, Access::Write, None);
    assert_eq!(another.err().unwrap().status, Status::SourceChanged, "nor does another file");
}

#[test]
fn what_has_got_the_images_name_is_neither_judged_nor_copied() {
    let directory = tempfile::tempdir().unwrap();
    let (path, live) = (directory.path().join("image.db"), directory.path().join("live.db"));
    for (database, page_size) in [(&path, 8192), (&live, 4096)] {
        drop(make(database, page_size, "delete", "none"));
    }
    let stat = stat_file(&path, "the image").unwrap();
    // Kept, so that no later file gets its inode's number.
    std::fs::rename(&path, directory.path().join("before.db")).unwrap();
    drop(make(&path, 8192, "delete", "none"));
    let image = (&*path, &stat);
    let judged = check_integrity(image, &path, Checks::Integrity, &lone_job(), &mut Report::default());
    assert_eq!(judged.err().unwrap().status, Status::SourceChanged);
    let before = view(&open(&live));
    let target = Target::begin(&live, &lone_job(), TIMEOUT).unwrap().alone(&[], TIMEOUT).unwrap();
    let copied = target.replace_whole(image, &path, |_| Ok(()));
    assert_eq!(copied.err().unwrap().status, Status::SourceChanged);
    assert!(view(&open(&live)) == before);
}

#[test]
fn a_copy_can_be_stopped_until_its_last_page() {
    let directory = tempfile::tempdir().unwrap();
    let (path, live) = (directory.path().join("image.db"), directory.path().join("live.db"));
    for (database, page_size, mode) in [(&path, 512, "delete"), (&live, 4096, "wal")] {
        drop(make(database, page_size, mode, "none"));
    }
    // The first page tells of the journal mode.
    let content = || view(&open(&live)).split_off(4096);
    let before = content();
    let image_bytes = std::fs::metadata(&path).unwrap().len();
    let mut held = 0;
    let target = Target::begin(&live, &lone_job(), TIMEOUT).unwrap().alone(&[], TIMEOUT).unwrap();
    let stopped = target.replace_whole((&path, &stat_file(&path, "the image").unwrap()), &path, |bytes| {
        held += bytes;
        if held + 512 < image_bytes { Ok(()) } else { Err(Error::new(Status::SourceChanged, "changed")) }
    });
    assert_eq!(stopped.err().unwrap().status, Status::SourceChanged);
    assert_eq!(held + 512, image_bytes);
    assert!(content() == before);
    let mode: String = open(&live).pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
    assert_eq!(mode, "wal");
}
