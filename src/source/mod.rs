//! The snapshot of a live database: the only code that opens one. It runs on the I/O side, holds one read transaction for
//! the whole copy, never checkpoints and never writes, but for what every SQLite reader must do (roll back a hot
//! journal, build the shared-memory index).

mod footprint;
mod integrity;
mod pages;
mod raw;
mod target;
#[cfg(test)]
mod tests;

pub use integrity::{Checks, check_integrity};
pub use target::Target;

use crate::error::{Error, Result, Status};
use crate::job::{Job, patiently};
use crate::runtime;
use footprint::Footprint;
use pages::PageSet;
use raw::{Failure, Which};
use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags, ffi};
use rustix::fs::{Access as Needed, AtFlags, CWD, FileType, Stat};
use rustix::io::Errno;
use std::io;
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The page that holds this byte is never used (<https://sqlite.org/fileformat2.html#the_lock_byte_page>); in the image
/// it is zero.
const LOCK_BYTE: u64 = 1 << 30;

/// SQLite opens no longer paths: with "-journal" they must fit into the 512 bytes of its Unix VFS (os_unix.c, MAX_PATHNAME).
pub(crate) const LONGEST_PATH: usize = 504;

/// The pages as the pager sees them (<https://sqlite.org/dbpage.html>). With a schema that has no tables of its own: without
/// it, a view of that name in the database would come first, and its code or that of its triggers would run.
const PAGE_TABLE: &str = "temp.sqlite_dbpage";

/// Instructions of SQLite's virtual machine between two looks at the cancel token.
const STEPS_PER_CHECK: i32 = 10_000;

/// One state of the source, held until dropped.
pub struct Snapshot {
    /// Before the connection, whose descriptor it uses, is closed.
    footprint: Footprint,
    connection: Opened,
    job: Arc<Job>,
    path: PathBuf,
    stat: Stat,
    page_size: u32,
    page_count: u32,
    /// None for a rollback-journal source.
    wal: Option<Wal>,
    wal_limit: u64,
    began: Instant,
}

/// What a snapshot of a WAL source has besides the database file.
struct Wal {
    /// Pages whose content may differ from the file's.
    pages: PageSet,
    size_at_start: u64,
}

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    /// Looking.
    Read,
    /// One write transaction.
    Write,
}

impl Access {
    /// What the database is to the caller, for messages.
    fn what(self) -> &'static str {
        match self {
            Access::Read => "the source",
            Access::Write => "the destination",
        }
    }

    /// The status of what is to be opened.
    fn stat(self, path: &Path) -> Result<Stat> {
        match self {
            Access::Read => stat_file(path, self.what()),
            Access::Write => stat_destination(path),
        }
    }
}

impl Snapshot {
    /// Begins the snapshot; waits up to `busy_timeout` for locks.
    ///
    /// `wal_limit` caps the growth of the log while the snapshot stands, 0 for none.
    pub fn begin(path: &Path, job: &Arc<Job>, busy_timeout: Duration, wal_limit: u64) -> Result<Snapshot> {
        Snapshot::begin_with(path, job, busy_timeout, wal_limit, Access::Read)
    }

    fn begin_with(
        path: &Path,
        job: &Arc<Job>,
        busy_timeout: Duration,
        wal_limit: u64,
        access: Access,
    ) -> Result<Snapshot> {
        let stat = access.stat(path)?;
        patiently(busy_timeout, &job.control, job.progress, || Snapshot::try_begin(path, stat, job, wal_limit, access))
    }

    fn try_begin(path: &Path, stat: Stat, job: &Arc<Job>, wal_limit: u64, access: Access) -> Result<Snapshot> {
        let connection = Opened::open(path, &stat, access, Some(job))?;
        let mut snapshot = Snapshot {
            footprint: Footprint::new(&stat),
            connection,
            job: Arc::clone(job),
            path: path.to_owned(),
            stat,
            page_size: 0,
            page_count: 0,
            wal: None,
            wal_limit,
            began: Instant::now(),
        };
        snapshot.begin_transaction(access)?;
        // It may have been made only now.
        snapshot.connection.registered.extend(connection_to_log_index(path));
        snapshot.check_unmoved()?;
        Ok(snapshot)
    }

    fn begin_transaction(&mut self, access: Access) -> Result<()> {
        let (begin, operation) = match access {
            Access::Read => ("BEGIN", "cannot read"),
            // Exclusive: readers of a rollback-journal database would have to go before the cache can be spilled; in WAL
            // mode they stay.
            Access::Write => ("BEGIN EXCLUSIVE", "cannot write"),
        };
        self.connection.execute_batch(begin).map_err(|error| self.sqlite_error(operation, error))?;
        // The first read takes the locks and fixes what is seen. This pragma reads page 1 and no schema.
        let _: i64 = self.pragma("schema_version")?;
        self.began = Instant::now();
        let mode: String = self.pragma("journal_mode")?;
        let page_size: i64 = self.pragma("page_size")?;
        let page_count: i64 = self.pragma("page_count")?;
        self.page_size = u32::try_from(page_size).map_err(|_| self.corrupt("its page size is out of range"))?;
        self.page_count = u32::try_from(page_count).map_err(|_| self.corrupt("its page count is out of range"))?;
        self.wal = match mode.as_str() {
            "wal" => Some(Wal {
                size_at_start: self.file_size(Which::Journal)?,
                pages: pages::pages_in_wal(&self.connection, self.page_size, self.page_count, &self.job.control)
                    .map_err(|failure| self.raw_error("cannot read the write-ahead log of", failure))?
                    .ok_or_else(Error::cancelled)?,
            }),
            _ => None,
        };
        Ok(())
    }

    /// Bytes of a page.
    pub fn page_size(&self) -> u32 {
        self.page_size
    }

    /// Pages of the image.
    pub fn page_count(&self) -> u32 {
        self.page_count
    }

    /// Pages of a plain file with this image. Of an empty database it has one, which says that it is one: a file without a
    /// byte may be anything, and most likely what is left of a backup.
    pub fn plain_pages(&self) -> u32 {
        self.page_count.max(1)
    }

    /// Bytes of the image.
    pub fn image_bytes(&self) -> u64 {
        u64::from(self.page_size) * u64::from(self.page_count)
    }

    /// The source's file status, as it was before the snapshot began.
    pub fn stat(&self) -> &Stat {
        &self.stat
    }

    /// Where the source is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// True if the snapshot keeps others from committing.
    pub fn blocks_writers(&self) -> bool {
        self.wal.is_none()
    }

    /// Reads whole pages of the image, beginning with the page at `offset`.
    pub fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        self.check_wal_growth()?;
        if self.page_count == 0 {
            write_empty_database(buffer);
            return Ok(());
        }
        let end = offset + buffer.len() as u64;
        self.footprint.approach(end.min(self.image_bytes()));
        let complete = raw::read_at(&self.connection, Which::Database, buffer, offset)
            .map_err(|failure| self.raw_error("cannot read", failure))?;
        let in_file = if complete { u64::MAX } else { self.file_size(Which::Database)? };
        self.overlay(offset, in_file, buffer)?;
        self.footprint.leave(end);
        if crate::hooks::on("no-snapshot") {
            self.connection.execute_batch("COMMIT").map_err(|error| self.sqlite_error("cannot read", error))?;
            let (page_size, page_count) = (self.page_size, self.page_count);
            let job = Arc::clone(&self.job);
            // The writer that was let in has its turn.
            patiently(Duration::from_secs(60), &job.control, job.progress, || {
                self.begin_transaction(Access::Read).inspect_err(|_| {
                    let _ = self.connection.execute_batch("ROLLBACK");
                })
            })?;
            (self.page_size, self.page_count) = (page_size, page_count);
        }
        Ok(())
    }

    /// Replaces, in what was read from a file of `in_file` bytes, the pages that the log may have newer.
    fn overlay(&self, offset: u64, in_file: u64, buffer: &mut [u8]) -> Result<()> {
        let page_size = u64::from(self.page_size);
        let mut pager = None;
        for (index, page) in buffer.chunks_exact_mut(self.page_size as usize).enumerate() {
            let start = offset + index as u64 * page_size;
            let number = (start / page_size + 1) as u32;
            if start <= LOCK_BYTE && LOCK_BYTE < start + page_size {
                page.fill(0);
            } else if self.wal.as_ref().is_some_and(|wal| wal.pages.contains(number)) && !crate::hooks::on("no-overlay")
            {
                if pager.is_none() {
                    pager = Some(self.page_reader()?);
                }
                if let Some(pager) = &mut pager {
                    self.read_through_pager(pager, number, page)?;
                }
            } else if start + page_size > in_file {
                return Err(self.ends_before(number));
            }
        }
        Ok(())
    }

    /// An error if a page is nowhere, which SQLite does not notice of one that is not in use.
    pub fn check_complete(&self) -> Result<()> {
        let in_file = self.file_size(Which::Database)? / u64::from(self.page_size.max(1));
        let elsewhere = |page: u32| {
            let holds_lock_byte = u64::from(page - 1) == LOCK_BYTE / u64::from(self.page_size);
            holds_lock_byte || self.wal.as_ref().is_some_and(|wal| wal.pages.contains(page))
        };
        let beyond = u32::try_from(in_file).map_or(u32::MAX, |page| page.saturating_add(1));
        match (beyond..=self.page_count).find(|page| !elsewhere(*page)) {
            Some(page) => Err(self.ends_before(page)),
            None => Ok(()),
        }
    }

    fn ends_before(&self, page: u32) -> Error {
        self.corrupt(&format!("it ends before page {page} of {}", self.page_count))
    }

    fn page_reader(&self) -> Result<rusqlite::Statement<'_>> {
        self.connection
            .prepare(&format!("SELECT data FROM {PAGE_TABLE} WHERE pgno = ?1"))
            .map_err(|error| self.sqlite_error("cannot read pages of", error))
    }

    fn read_through_pager(&self, pager: &mut rusqlite::Statement<'_>, number: u32, page: &mut [u8]) -> Result<()> {
        let copied = pager.query_row([number], |row| {
            let data = row.get_ref(0)?.as_blob()?;
            Ok(data.len() == page.len() && {
                page.copy_from_slice(data);
                true
            })
        });
        match copied {
            Ok(true) => Ok(()),
            Ok(false) => Err(self.corrupt(&format!("page {number} has a wrong size"))),
            Err(error) => Err(self.sqlite_error("cannot read a page of", error)),
        }
    }

    /// An error once the log has grown by more than `wal_limit`.
    pub fn check_wal_growth(&self) -> Result<()> {
        if self.wal_limit == 0 {
            return Ok(());
        }
        let growth = self.wal_growth()?;
        if growth > self.wal_limit {
            let message = format!(
                "the write-ahead log of {:?} grew by {growth} bytes while it was read, wal_limit_bytes allows {}",
                self.path, self.wal_limit
            );
            return Err(Error::new(Status::WalLimit, message));
        }
        Ok(())
    }

    /// Bytes by which the log has grown since the snapshot began.
    pub fn wal_growth(&self) -> Result<u64> {
        match &self.wal {
            Some(wal) => Ok(self.file_size(Which::Journal)?.saturating_sub(wal.size_at_start)),
            None => Ok(0),
        }
    }

    /// Everything was read: makes sure that it still was the same file, and lets go. Tells for how long the snapshot
    /// kept others from committing.
    pub fn finish(self) -> Result<Duration> {
        self.check_unmoved()?;
        let held = if self.blocks_writers() { self.began.elapsed() } else { Duration::ZERO };
        Ok(held)
    }

    /// The connection, without what uses it.
    fn into_connection(self) -> Opened {
        self.connection
    }

    fn check_unmoved(&self) -> Result<()> {
        check_unmoved(&self.connection, (&self.path, &self.stat), &self.path)
    }

    fn file_size(&self, which: Which) -> Result<u64> {
        raw::size(&self.connection, which).map_err(|failure| self.raw_error("cannot look at", failure))
    }

    fn pragma<T: rusqlite::types::FromSql>(&self, name: &str) -> Result<T> {
        self.connection
            .pragma_query_value(None, name, |row| row.get(0))
            .map_err(|error| self.sqlite_error("cannot read", error))
    }

    fn sqlite_error(&self, operation: &str, error: rusqlite::Error) -> Error {
        error_of(&self.connection, operation, &self.path, error)
    }

    fn raw_error(&self, operation: &str, failure: Failure) -> Error {
        raw_error_of(operation, &self.path, failure)
    }

    fn corrupt(&self, reason: &str) -> Error {
        Error::new(Status::Corrupt, format!("{:?} is damaged: {reason}", self.path))
    }
}

fn raw_error_of(operation: &str, name: &Path, failure: Failure) -> Error {
    Error::sqlite(operation, name, failure.code, failure.errno, ffi::code_to_str(failure.code))
}

/// An error unless the path leads to the file that `stat` tells of, and the connection has that open. In messages it is
/// `name`.
fn check_unmoved(connection: &Connection, (path, stat): (&Path, &Stat), name: &Path) -> Result<()> {
    let has_moved = || raw::has_moved(connection).map_err(|failure| raw_error_of("cannot look at", name, failure));
    // SQLite says that it has moved, too, where it was only kept from looking.
    let moved = has_moved()? && has_moved()?;
    let same = match rustix::fs::stat(path) {
        Ok(now) => (now.st_dev, now.st_ino) == (stat.st_dev, stat.st_ino),
        Err(Errno::NOENT) => false,
        Err(error) => return Err(Error::os("cannot look at", name, error)),
    };
    if same && !moved {
        return Ok(());
    }
    Err(Error::new(Status::SourceChanged, format!("{name:?} was replaced or unlinked while it was read")))
}

/// The only page of a database in which nothing was ever created, as SQLite writes it (btree.c, newDatabase).
fn write_empty_database(page: &mut [u8]) {
    let page_size = page.len() as u32;
    page.fill(0);
    page[..16].copy_from_slice(b"SQLite format 3\0");
    // 65536 is 1: its third byte.
    page[16..18].copy_from_slice(&[(page_size >> 8) as u8, (page_size >> 16) as u8]);
    // Versions for a rollback journal; what cells may take of a page.
    page[18..24].copy_from_slice(&[1, 1, 0, 64, 32, 32]);
    // Change counter and version-valid-for, pages, UTF-8, the version.
    for (offset, value) in [(24, 1), (28, 1), (56, 1), (92, 1), (96, ffi::SQLITE_VERSION_NUMBER as u32)] {
        page[offset..offset + 4].copy_from_slice(&u32::to_be_bytes(value));
    }
    // The schema: a leaf without cells, whose content begins at the end of the page (where 0 means 65536).
    page[100] = 13;
    page[105..107].copy_from_slice(&(page_size as u16).to_be_bytes());
}

/// A connection to a database that others may have open.
struct Opened {
    connection: Connection,
    /// Dropped after it: to the database and to the index of its log, in which the locks of WAL mode are.
    registered: Vec<runtime::Connection>,
}

impl Opened {
    /// To the file that `stat` tells of. Without a `job` nobody can cancel what it does.
    fn open(path: &Path, stat: &Stat, access: Access, job: Option<&Arc<Job>>) -> Result<Opened> {
        let failed = |error| open_error(path, access, error);
        check_beside(path)?;
        let mut registered = vec![runtime::Connection::to(stat)];
        registered.extend(connection_to_log_index(path));
        // Read-write, as a hot journal must be rolled back; SQLite falls back to read-only where it must. No CREATE.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection =
            raw::vfs().and_then(|vfs| Connection::open_with_flags_and_vfs(path, flags, vfs)).map_err(failed)?;
        if access == Access::Write {
            check_destination(&connection, path, stat)?;
        }
        // Where the system does not give such access, SQLite may have stopped before it asked.
        set_up(&mut connection, job, access).map_err(|error| match denied(path, access) {
            Some(_) => failed(error),
            None => error_of(&connection, &format!("cannot open {}", access.what()), path, error),
        })?;
        Ok(Opened { connection, registered })
    }
}

/// Refuses what is no file and no link where SQLite has journal, log and index: it would open them, and wait for the other
/// end of a FIFO. A link it does not follow.
fn check_beside(path: &Path) -> Result<()> {
    // It has them beside the file that a link leads to.
    let Ok(real) = std::fs::canonicalize(path) else { return Ok(()) };
    for suffix in ["-journal", "-wal", "-shm"] {
        let beside = beside(&real, suffix);
        let kind = rustix::fs::lstat(&beside).ok().and_then(|stat| kind(&stat).filter(|_| !is_link(&stat)));
        if let Some(kind) = kind {
            return Err(Error::new(Status::NotADatabase, format!("{beside:?} is {kind}, not a file")));
        }
    }
    Ok(())
}

/// What is open for writing must be what was looked at: between, somebody may have put a link there that leads to another
/// database. SQLite tells where it has ended up, and opens nothing through a link that comes after that (O_NOFOLLOW).
fn check_destination(connection: &Connection, path: &Path, stat: &Stat) -> Result<()> {
    let looked = |error: io::Error| Error::os("cannot look at", path, error);
    let wanted = match path.parent().zip(path.file_name()) {
        Some((parent, name)) => Some(std::fs::canonicalize(parent).map_err(looked)?.join(name)),
        None => None,
    };
    let opened = raw::path(connection);
    if opened.is_some()
        && opened == wanted.as_deref()
        && raw::Descriptor::of(stat).map_err(|errno| looked(errno.into()))?.is_some()
    {
        return Ok(());
    }
    Err(Error::new(Status::SourceChanged, format!("{path:?} was replaced while it was opened")))
}

impl Deref for Opened {
    type Target = Connection;
    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl DerefMut for Opened {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }
}

/// A connection to a database in WAL mode is one to this file, too, if it exists.
fn connection_to_log_index(path: &Path) -> Option<runtime::Connection> {
    // SQLite has it beside the file that a link leads to.
    let mut index = std::fs::canonicalize(path).ok()?.into_os_string();
    index.push("-shm");
    rustix::fs::stat(index).ok().map(|stat| runtime::Connection::to(&stat))
}

/// What every connection of ours keeps to.
fn set_up(connection: &mut Connection, job: Option<&Arc<Job>>, access: Access) -> rusqlite::Result<()> {
    let writing = access == Access::Write;
    // Waiting is ours to do: it must end when the job is cancelled.
    connection.busy_timeout(Duration::ZERO)?;
    // A writer that gives up tidies as any other would: what it has put into the log is of no use to anybody.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, !writing)?;
    // Or pages could not be written.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, !writing)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    // No mapped pages: a file that is truncated under us must be an error, not a SIGBUS in the host.
    connection.execute_batch(
        "PRAGMA mmap_size = 0; PRAGMA cache_size = -2048; PRAGMA temp_store = MEMORY; PRAGMA cell_size_check = ON;",
    )?;
    connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    connection.set_limit(Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 0)?;
    if writing {
        // Extra: a journal whose removal is not on the disk comes back after a power loss, and undoes what was committed
        // (<https://sqlite.org/pragma.html#pragma_synchronous>).
        connection.execute_batch("PRAGMA synchronous = EXTRA; PRAGMA wal_autocheckpoint = 0;")?;
    } else {
        connection.execute_batch("PRAGMA query_only = ON;")?;
    }
    let Some(job) = job.map(Arc::clone) else { return Ok(()) };
    connection.progress_handler(STEPS_PER_CHECK, Some(move || job.control.is_cancelled()))
}

/// The version of the SQLite inside.
pub fn sqlite_version() -> &'static str {
    rusqlite::version()
}

/// Refuses a SQLite that the overlay cannot work with: a library built without .cargo/config.toml.
pub fn check_sqlite() -> Result<()> {
    if raw::has_page_table() {
        return Ok(());
    }
    Err(Error::new(Status::Unsupported, "the SQLite inside was built without SQLITE_ENABLE_DBPAGE_VTAB"))
}

/// Refuses a path that SQLite does not open; `name` is the caller's for it.
pub fn check_path(path: &Path, name: &str) -> Result<()> {
    if path.as_os_str().len() > LONGEST_PATH {
        let message = format!("{name} is longer than SQLite opens ({LONGEST_PATH} bytes): {path:?}");
        return Err(Error::invalid(message));
    }
    Ok(())
}

/// The status of what must be a regular file, and is `what` to the caller; touches nothing, and is right on either side.
pub fn stat_file(path: &Path, what: &str) -> Result<Stat> {
    let stat = rustix::fs::stat(path).map_err(|error| Error::os(&format!("cannot open {what}"), path, error))?;
    match kind(&stat) {
        None => Ok(stat),
        Some(kind) => Err(Error::new(Status::NotADatabase, format!("{what} {path:?} is {kind}, not a file"))),
    }
}

/// The status of a database that is to be written: a regular file itself, with no other name. A change would show under
/// all of them, and SQLite keeps a journal under one (<https://sqlite.org/howtocorrupt.html>, 2.4).
pub fn stat_destination(path: &Path) -> Result<Stat> {
    let stat = rustix::fs::lstat(path).map_err(|error| Error::os("cannot open the destination", path, error))?;
    let exists = |how: &str| Error::new(Status::AlreadyExists, format!("the destination {path:?} {how}"));
    match kind(&stat) {
        Some(kind) => Err(exists(&format!("exists and is {kind}, not a file"))),
        None if stat.st_nlink > 1 => {
            Err(exists(&format!("has {} names (hard links), and would be changed under each of them", stat.st_nlink)))
        }
        None => Ok(stat),
    }
}

fn is_link(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Symlink
}

/// What it is instead of a regular file.
fn kind(stat: &Stat) -> Option<&'static str> {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => None,
        FileType::Directory => Some("a directory"),
        FileType::Fifo => Some("a FIFO"),
        FileType::Socket => Some("a socket"),
        FileType::Symlink => Some("a symbolic link"),
        _ => Some("a device"),
    }
}

/// True if a plain database file may be changed by somebody while it is read, so that only a snapshot of it is sound: in
/// WAL mode (`wal`) whoever writes has a log beside it; in the other modes there is nothing to tell by.
pub fn may_be_in_use(path: &Path, wal: bool) -> Result<bool> {
    if !wal {
        return Ok(true);
    }
    // SQLite has it beside the file that a link leads to.
    let real = std::fs::canonicalize(path).map_err(|error| Error::os("cannot look at", path, error))?;
    let log = beside(&real, "-wal");
    match rustix::fs::stat(&log) {
        Ok(_) => Ok(true),
        Err(Errno::NOENT | Errno::NAMETOOLONG) => Ok(false),
        Err(error) => Err(Error::os("cannot look at", &log, error)),
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// An error before there is a connection that knows its errno.
fn open_error(path: &Path, access: Access, error: rusqlite::Error) -> Error {
    let errno = denied(path, access).map_or(0, Errno::raw_os_error);
    sqlite_error(&format!("cannot open {}", access.what()), path, without_path(error), errno)
}

/// rusqlite tells the path that could not be opened, which is not always the one that the caller knows; ours do.
fn without_path(error: rusqlite::Error) -> rusqlite::Error {
    match error {
        rusqlite::Error::SqliteFailure(failure, _) => rusqlite::Error::SqliteFailure(failure, None),
        other => other,
    }
}

/// Why the system would not give such access.
fn denied(path: &Path, access: Access) -> Option<Errno> {
    match access {
        Access::Read => refusal(path, Needed::READ_OK),
        Access::Write => {
            let real = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
            refusal(&real, Needed::READ_OK | Needed::WRITE_OK)
                .or_else(|| denied_beside(&real))
                .or_else(|| refusal(&beside(&real, "-wal"), Needed::WRITE_OK).filter(|errno| *errno != Errno::NOENT))
        }
    }
}

/// Why the system would have no journal, log or index made: in the directory of the file that a link leads to.
fn denied_beside(path: &Path) -> Option<Errno> {
    let real = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    real.parent().and_then(|directory| refusal(directory, Needed::WRITE_OK))
}

fn refusal(path: &Path, needed: Needed) -> Option<Errno> {
    rustix::fs::accessat(CWD, path, needed, AtFlags::EACCESS).err()
}

/// What a connection has failed with.
fn error_of(connection: &Connection, operation: &str, path: &Path, error: rusqlite::Error) -> Error {
    let failed_with = |code| error.sqlite_error().is_some_and(|failure| failure.code == code);
    let damaged = failed_with(rusqlite::ErrorCode::DatabaseCorrupt);
    match if damaged { raw::read_errno(connection) } else { 0 } {
        0 => {
            let errno = match raw::system_errno(connection) {
                // The database is there, it is open. A journal or index that SQLite cannot make it tries to open all the
                // same, and keeps the errno of that.
                libc::ENOENT if failed_with(rusqlite::ErrorCode::CannotOpen) => {
                    denied_beside(path).map_or(0, Errno::raw_os_error)
                }
                libc::ENOENT => 0,
                errno => errno,
            };
            let error = sqlite_error(operation, path, error, errno);
            // SQLite takes any failure to open for writing for a refusal.
            let is_refused = error.status != Status::PermissionDenied || denied(path, Access::Write).is_some();
            if is_refused { error } else { Error { status: Status::Io, ..error } }
        }
        errno => Error::unreadable(operation, path, ffi::SQLITE_CORRUPT, errno, &error.to_string()),
    }
}

/// Keeps SQLite's code and text.
fn sqlite_error(operation: &str, path: &Path, error: rusqlite::Error, errno: i32) -> Error {
    let (code, reason) = match &error {
        rusqlite::Error::SqliteFailure(failure, message) => (
            failure.extended_code,
            message.clone().unwrap_or_else(|| ffi::code_to_str(failure.extended_code).to_owned()),
        ),
        other => (ffi::SQLITE_ERROR, other.to_string()),
    };
    let error = Error::sqlite(operation, path, code, errno, &reason);
    // A schema format of the future, which SQLite has no code for, and a value beyond all limits.
    let is_beyond_us = code == ffi::SQLITE_TOOBIG || code == ffi::SQLITE_ERROR && reason == "unsupported file format";
    if is_beyond_us { Error { status: Status::Unsupported, ..error } } else { error }
}
