//! A live database that gets another content: one write transaction, so that whoever else has it open sees the old
//! content or the new one. Pages are written through SQLite's pager (`sqlite_dbpage`,
//! <https://sqlite.org/dbpage.html>), which journals them like any other change.

use super::integrity::open_immutable;
use super::raw::Which;
use super::{Access, LOCK_BYTE, Opened, PAGE_TABLE, Snapshot, error_of, raw, stat_destination};
use crate::error::{Error, Result, Status};
use crate::job::{Control, Job, patiently};
use rusqlite::backup::{Backup, StepResult};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, Statement};
use rustix::fs::Stat;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Where the header of a database keeps what other connections must find in order (<https://sqlite.org/fileformat2.html>,
/// "The Database Header").
mod header {
    use std::ops::Range;

    pub(super) const BYTES: usize = 100;
    pub(super) const PAGE_SIZE: Range<usize> = 16..18;
    /// Write and read version: 2 in WAL mode.
    pub(super) const JOURNAL_MODE: Range<usize> = 18..20;
    pub(super) const RESERVED: Range<usize> = 20..21;
    pub(super) const CHANGE_COUNTER: Range<usize> = 24..28;
    /// Believed where change counter and version-valid-for agree, as they do after every commit.
    pub(super) const PAGE_COUNT: Range<usize> = 28..32;
    pub(super) const SCHEMA_COOKIE: Range<usize> = 40..44;
    /// Zero unless there is auto_vacuum.
    pub(super) const LARGEST_ROOT: Range<usize> = 52..56;
    pub(super) const ENCODING: Range<usize> = 56..60;
    pub(super) const INCREMENTAL: Range<usize> = 64..68;
    pub(super) const FREE_PAGES: Range<usize> = 36..40;
    /// Version-valid-for and the number of the SQLite that wrote.
    pub(super) const WRITER: Range<usize> = 92..100;
    /// What a database that gets another content does not take from it.
    pub(super) const KEPT: [Range<usize>; 4] = [JOURNAL_MODE, CHANGE_COUNTER, SCHEMA_COOKIE, WRITER];
}

fn field(page: &[u8], range: std::ops::Range<usize>) -> u32 {
    page[range].iter().fold(0, |value, &byte| value << 8 | u32::from(byte))
}

/// What every connection to a database takes for settled while it is open.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Layout {
    page_size: u32,
    reserved: u32,
    encoding: u32,
    auto_vacuum: (bool, bool),
}

impl Layout {
    fn of(first_page: &[u8]) -> Layout {
        let page_size = match field(first_page, header::PAGE_SIZE) {
            1 => 65_536,
            size => size,
        };
        Layout {
            page_size,
            reserved: field(first_page, header::RESERVED),
            // None before there is a table, which SQLite takes for UTF-8 (prepare.c, sqlite3InitOne).
            encoding: field(first_page, header::ENCODING).max(1),
            auto_vacuum: (field(first_page, header::LARGEST_ROOT) != 0, field(first_page, header::INCREMENTAL) != 0),
        }
    }
}

impl std::fmt::Display for Layout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let encoding = match self.encoding {
            2 => "UTF-16le",
            3 => "UTF-16be",
            _ => "UTF-8",
        };
        let auto_vacuum = match self.auto_vacuum {
            (false, _) => "none",
            (true, false) => "full",
            (true, true) => "incremental",
        };
        write!(f, "page size {}, {encoding}, auto_vacuum {auto_vacuum}", self.page_size)?;
        if self.reserved != 0 {
            write!(f, ", {} bytes reserved on each page", self.reserved)?;
        }
        Ok(())
    }
}

/// An open write transaction; rolled back when dropped.
pub struct Target {
    snapshot: Snapshot,
    /// Dropped after the connection.
    mode: JournalMode,
    /// The first page as it is now; empty if there is none.
    first_page: Vec<u8>,
    /// Pages of which the content was changed.
    written: u64,
}

impl Target {
    /// Begins; waits up to `busy_timeout` for locks. From here on nobody else writes, and of a rollback-journal database
    /// nobody reads.
    pub fn begin(path: &Path, job: &Arc<Job>, busy_timeout: Duration) -> Result<Target> {
        let mut snapshot = Snapshot::begin_with(path, job, busy_timeout, 0, Access::Write)?;
        // A write transaction gives an empty file its first page at once, in memory.
        let in_log = if snapshot.wal.is_some() { snapshot.file_size(Which::Journal)? } else { 0 };
        let is_empty = snapshot.file_size(Which::Database)? == 0 && in_log == 0;
        if is_empty {
            snapshot.page_count = 0;
        }
        let mut first_page = Vec::new();
        if snapshot.page_count() > 0 {
            first_page = vec![0; snapshot.page_size() as usize];
            snapshot.read(0, &mut first_page)?;
        }
        let was_wal = snapshot.wal.is_some();
        let mode = JournalMode { path: path.to_owned(), job: Arc::clone(job), was_wal, is_changed: false };
        Ok(Target { snapshot, mode, first_page, written: 0 })
    }

    /// Keeps everybody else out until the end, for an image that does not fit and begins with `first_page`. In WAL mode
    /// others may commit before, and must have closed the database; what is seen from here on is what is there.
    pub fn alone(mut self, first_page: &[u8], busy_timeout: Duration) -> Result<Target> {
        let snapshot = &mut self.snapshot;
        // Locks now outlive the transactions (<https://sqlite.org/pragma.html#pragma_locking_mode>).
        let _: String = snapshot
            .connection
            .query_row("PRAGMA locking_mode = EXCLUSIVE", [], |row| row.get(0))
            .map_err(|error| snapshot.sqlite_error("cannot lock", error))?;
        if !self.mode.was_wal {
            return Ok(self);
        }
        snapshot.connection.execute_batch("ROLLBACK").map_err(|error| snapshot.sqlite_error("cannot lock", error))?;
        // A failure may come when the file has changed already.
        self.mode.is_changed = true;
        patiently(busy_timeout, &snapshot.job.control, snapshot.job.progress, || match leave_wal(snapshot)? {
            true => Ok(()),
            false => Err(in_use(&snapshot.path, &self.first_page, first_page)),
        })?;
        snapshot.begin_transaction(Access::Write)?;
        Ok(self)
    }

    /// The database as it is now, for who takes a backup of it or compares with it.
    pub fn snapshot(&mut self) -> &mut Snapshot {
        &mut self.snapshot
    }

    /// True if an image with this first page can take the place of the present content page by page, under the eyes of
    /// other connections.
    pub fn fits(&self, first_page: &[u8]) -> bool {
        !self.first_page.is_empty()
            && first_page.len() >= header::BYTES
            && Layout::of(first_page) == Layout::of(&self.first_page)
            // A commit in a database with full auto_vacuum would begin to move the image's free pages.
            && (Layout::of(first_page).auto_vacuum != (true, false) || field(first_page, header::FREE_PAGES) == 0)
    }

    /// Writes those pages of `image` that differ from `live`, the same part of the present content, which may be shorter.
    /// The first page is left for [`Target::finish`]. Tells how many bytes were the same.
    pub fn write_differing(&mut self, offset: u64, image: &[u8], live: &[u8]) -> Result<u64> {
        let page_size = self.snapshot.page_size() as usize;
        let mut statement = None;
        let mut same = 0;
        for (index, page) in image.chunks_exact(page_size).enumerate() {
            let start = offset + (index * page_size) as u64;
            let is_lock_byte_page = start <= LOCK_BYTE && LOCK_BYTE < start + page_size as u64;
            if start == 0 || is_lock_byte_page || live.get(index * page_size..(index + 1) * page_size) == Some(page) {
                same += page_size as u64;
                continue;
            }
            let statement = match &mut statement {
                Some(statement) => statement,
                None => statement.insert(page_writer(&self.snapshot)?),
            };
            write_page(&self.snapshot, statement, (start / page_size as u64 + 1) as u32, page)?;
            self.written += 1;
        }
        Ok(same)
    }

    /// After all other pages: the first page and the length, then the commit, with locks waited for up to
    /// `busy_timeout`. Nothing is written if nothing differs. What fails after the commit is no failure of the restore, and
    /// is told beside.
    pub fn finish(self, first_page: &[u8], page_count: u32, busy_timeout: Duration) -> Result<Option<Error>> {
        let mut page = first_page.to_vec();
        for range in header::KEPT {
            page[range.clone()].copy_from_slice(&self.first_page[range]);
        }
        // The image's own may be an old one, left by a SQLite that did not keep it: from here on it would be believed.
        page[header::PAGE_COUNT].copy_from_slice(&page_count.to_be_bytes());
        if page == self.first_page && self.written == 0 && page_count == self.snapshot.page_count() {
            return Ok(None);
        }
        let snapshot = &self.snapshot;
        // Nothing is prepared between: SQLite would read the schema again, in the middle of things.
        let mut writer = page_writer(snapshot)?;
        write_page(snapshot, &mut writer, 1, &page)?;
        if page_count < snapshot.page_count() {
            // A NULL cuts off this page and all that follow it.
            writer
                .execute((page_count + 1, rusqlite::types::Null))
                .map_err(|error| snapshot.sqlite_error("cannot shorten", error))?;
        }
        drop(writer);
        // Other connections have read a schema that had the present cookie: theirs must not look valid. One that no other
        // commit makes of it is the proof of this one.
        let ahead = crate::random::bytes()
            .map_err(|error| Error::os("cannot get random bytes for the schema version of", &self.mode.path, error))?;
        let cookie = field(&page, header::SCHEMA_COOKIE).wrapping_add(1 + (u32::from_ne_bytes(ahead) >> 2)) as i32;
        snapshot
            .connection
            .pragma_update(None, "schema_version", cookie)
            .map_err(|error| snapshot.sqlite_error("cannot write the schema version of", error))?;
        let (path, job, result) = (self.mode.path.clone(), Arc::clone(&self.mode.job), self.commit(busy_timeout));
        drop(self);
        match result {
            Err(error) if matches!(error.status, Status::Busy | Status::Cancelled) => Err(error),
            // What fails after the journal is gone (its directory's fsync, letting go of a lock) SQLite tells as an error;
            // the commit stands.
            Err(error) => told_by(has_cookie(&path, &job, cookie), error).map(Some),
            Ok(()) => Ok(None),
        }
    }

    fn commit(&self, busy_timeout: Duration) -> Result<()> {
        let (job, connection) = (&self.snapshot.job, &self.snapshot.connection);
        patiently(busy_timeout, &job.control, job.progress, || {
            // The last moment: what is asked for during the commit comes too late.
            job.control.check()?;
            // The checkpoint, which may take long, is left to the host. After the commit nothing may fail any more.
            self.keep_log(true)?;
            let Err(error) = connection.execute_batch("COMMIT") else { return Ok(()) };
            let error = self.snapshot.sqlite_error("cannot commit the restored content of", error);
            self.keep_log(false)?;
            Err(error)
        })
    }

    /// Whether closing leaves the log as it is, even if nobody else has the database open.
    fn keep_log(&self, keep: bool) -> Result<()> {
        let kept = self.snapshot.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, keep);
        kept.map(drop).map_err(|error| self.snapshot.sqlite_error("cannot commit the restored content of", error))
    }

    /// Replaces everything by an image of another layout, which is in a file of its own, by SQLite's online backup. Only
    /// for who is [`Target::alone`]. With the copy the restore is done: if the journal mode is not what it was, that is
    /// no failure of it, and is told beside. The image is the file that its status tells of, in messages `name`. `copied`
    /// may stop the copy, at last before its last page.
    pub fn replace_whole(
        self,
        image: (&Path, &Stat),
        name: &Path,
        copied: impl FnMut(u64) -> Result<()>,
    ) -> Result<Option<Error>> {
        let source = open_immutable(image, name, &self.mode.job)?;
        let cookie = self.snapshot.pragma::<i32>("schema_version")?;
        // Dropped after the connection.
        let mut mode = self.mode;
        let mut connection = self.snapshot.into_connection();
        mode.is_changed = true;
        let result = copy_whole(&source, &mut connection, &mode.path, &mode.job, copied);
        drop(connection);
        match result {
            Err(error) if error.status == Status::Cancelled => Err(error),
            // An fsync that fails after the journal was given up: SQLite tells an error, and the commit stands.
            Err(error) => {
                let error = told_by(has_copy_of(&source, &mode.path, &mode.job, cookie), error)?;
                Ok(Some(mode.settle().err().unwrap_or(error)))
            }
            Ok(()) => Ok(mode.settle().err()),
        }
    }
}

/// Whether the error of a commit is told beside it, as the commit stands, or is that of the restore.
fn told_by(stands: Result<bool>, error: Error) -> Result<Error> {
    match stands {
        Ok(true) => Ok(error),
        Ok(false) => Err(error),
        Err(unknown) => {
            let message = format!("{error}; whether the restored content is there is not known: {unknown}");
            Err(Error { message, ..error })
        }
    }
}

/// A database after a commit that has failed, and its schema cookie. Waits for who has its lock at once. Rolls back what
/// was not committed.
fn reopen(path: &Path, job: &Job) -> Result<(Opened, i32)> {
    // What a cancelled job has committed is committed, too.
    let never_cancelled = Control::new(0);
    patiently(SETTLE_TIMEOUT, &never_cancelled, job.progress, || {
        let now = Opened::open(path, &stat_destination(path)?, Access::Write, None)?;
        let cookie = now
            .query_row("PRAGMA schema_version", [], |row| row.get(0))
            .map_err(|error| error_of(&now, "cannot read the schema version of", path, error))?;
        Ok((now, cookie))
    })
}

/// Others may have changed the schema since, each time to the next cookie.
const LATER_COOKIES: u32 = 1000;

/// True if a database's schema cookie is this one.
fn has_cookie(path: &Path, job: &Job, cookie: i32) -> Result<bool> {
    let (_, now) = reopen(path, job)?;
    Ok((now.wrapping_sub(cookie) as u32) < LATER_COOKIES)
}

/// True if a database has the image's first page and the schema cookie that a copy ends with: the one after `before`
/// (backup.c, sqlite3_backup_step); false if it has the one of before.
fn has_copy_of(image: &Connection, path: &Path, job: &Job, before: i32) -> Result<bool> {
    let first_page = |connection: &Connection| {
        let page_size: u32 = connection.pragma_query_value(None, "page_size", |row| row.get(0)).ok()?;
        let mut page = vec![0; page_size as usize];
        raw::read_at(connection, Which::Database, &mut page, 0).ok()?;
        // The image's own page count may be an old one.
        for range in header::KEPT.into_iter().chain([header::PAGE_COUNT]) {
            page[range].fill(0);
        }
        Some(page)
    };
    let (now, cookie) = reopen(path, job)?;
    if cookie == before {
        return Ok(false);
    }
    let page = first_page(&now);
    if cookie == before.wrapping_add(1) && page.is_some() && page == first_page(image) {
        return Ok(true);
    }
    // Others can have made this of the old content, too.
    Err(Error::new(Status::Io, format!("{path:?} has been changed since, or its first page cannot be read")))
}

/// Pages between two looks at the cancel token, at most.
const PAGES_PER_STEP: std::ffi::c_int = 256;

fn copy_whole(
    source: &Connection,
    connection: &mut Connection,
    path: &Path,
    job: &Job,
    mut copied: impl FnMut(u64) -> Result<()>,
) -> Result<()> {
    let failed = |connection: &Connection, error| error_of(connection, "cannot restore to", path, error);
    // The lock stays.
    connection.execute_batch("ROLLBACK").map_err(|error| failed(connection, error))?;
    let page_size: u32 =
        source.pragma_query_value(None, "page_size", |row| row.get(0)).map_err(|error| failed(source, error))?;
    let mut copy = |connection: &mut Connection| {
        let backup = Backup::new(source, connection)?;
        // The step that copies the last page commits: it copies no other.
        let mut pages = 1;
        loop {
            if let Err(cancelled) = job.control.check() {
                return Ok(Err(cancelled));
            }
            match backup.step(pages)? {
                StepResult::Done => return Ok(Ok(())),
                StepResult::More => {
                    if let Err(stopped) = copied(u64::from(page_size) * pages as u64) {
                        return Ok(Err(stopped));
                    }
                    pages = (backup.progress().remaining - 1).clamp(1, PAGES_PER_STEP);
                }
                _ => return Ok(Err(Error::new(Status::Busy, format!("{path:?} is locked")))),
            }
        }
    };
    // The connection knows what has failed when the backup has ended.
    copy(connection).map_err(|error| failed(connection, error))?
}

/// The mode that the database has then.
fn set_journal_mode(connection: &Connection, wanted: &str) -> rusqlite::Result<String> {
    let mut statement = connection.prepare(&format!("PRAGMA journal_mode = {wanted}"))?;
    let mut rows = statement.query([])?;
    let mode = rows.next()?.map_or(Ok(String::new()), |row| row.get(0))?;
    // To its end: only there the change is committed, and may fail.
    while rows.next()?.is_some() {}
    Ok(mode)
}

/// True for the last connection; false while there is another.
fn leave_wal(snapshot: &Snapshot) -> Result<bool> {
    match set_journal_mode(&snapshot.connection, "delete").map_err(|error| snapshot.sqlite_error("cannot lock", error))
    {
        Ok(mode) => Ok(mode == "delete"),
        Err(error) if error.status == Status::Busy => Ok(false),
        Err(error) => Err(error),
    }
}

fn in_use(path: &Path, present: &[u8], wanted: &[u8]) -> Error {
    // One of the two may be empty.
    let layouts = if present.is_empty() || wanted.is_empty() {
        String::new()
    } else {
        format!(" ({}; the archive: {})", Layout::of(present), Layout::of(wanted))
    };
    let message = format!(
        "{path:?} has another layout than the archive{layouts}, which can only be changed while nobody else has it open, \
         and somebody has"
    );
    Error::new(Status::Busy, message)
}

/// The journal mode that a database had.
struct JournalMode {
    path: PathBuf,
    job: Arc<Job>,
    was_wal: bool,
    is_changed: bool,
}

/// For whoever opens the database just when its journal mode is set, or it is looked at after a commit that has failed.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(5);

impl JournalMode {
    /// Back to it, whatever that of the image is.
    fn settle(&mut self) -> Result<()> {
        self.is_changed = false;
        // A job that is cancelled leaves the mode as it was, too.
        let never_cancelled = Control::new(0);
        // Twice: what is to be put right may be what one failure has left.
        patiently(SETTLE_TIMEOUT, &never_cancelled, self.job.progress, || {
            self.try_settle().or_else(|_| self.try_settle())
        })
    }

    /// By a connection of its own: one that has read a schema in one text encoding refuses the next in another.
    fn try_settle(&self) -> Result<()> {
        let connection = Opened::open(&self.path, &stat_destination(&self.path)?, Access::Write, None)?;
        let wanted = if self.was_wal { "wal" } else { "delete" };
        let mode = set_journal_mode(&connection, wanted)
            .map_err(|error| error_of(&connection, "cannot set the journal mode of", &self.path, error))?;
        if mode == wanted {
            return Ok(());
        }
        let message = format!("{:?} stays in {mode} mode: somebody has opened it in the meantime", self.path);
        Err(Error::new(Status::Busy, message))
    }
}

impl Drop for JournalMode {
    /// After a failure, which is told already: as it was, in the mode that it had.
    fn drop(&mut self) {
        if self.is_changed {
            let _ = self.settle();
        }
    }
}

fn page_writer(snapshot: &Snapshot) -> Result<Statement<'_>> {
    snapshot
        .connection
        .prepare(&format!("INSERT INTO {PAGE_TABLE}(pgno, data) VALUES (?1, ?2)"))
        .map_err(|error| snapshot.sqlite_error("cannot write pages of", error))
}

fn write_page(snapshot: &Snapshot, statement: &mut Statement<'_>, number: u32, page: &[u8]) -> Result<()> {
    match statement.execute((number, page)) {
        Ok(_) => Ok(()),
        Err(error) => Err(snapshot.sqlite_error("cannot write a page of", error)),
    }
}
