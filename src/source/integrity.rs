//! SQLite's own judgement of an image.

use super::{Access, LONGEST_PATH, Snapshot, check_unmoved, error_of, raw, set_up, sqlite_error, without_path};
use crate::error::{Error, Result, Status};
use crate::job::{Check, Finding, Job, Report};
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags, ffi};
use rustix::fs::Stat;
use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

/// What SQLite is asked about an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checks {
    /// `integrity_check`.
    Integrity,
    /// `integrity_check` and `foreign_key_check`.
    IntegrityAndForeignKeys,
}

/// Asks about a database file that nobody else uses, which is the one that the status tells of. Reads it and creates
/// nothing beside it. `name` is for messages.
pub fn check_integrity(
    image: (&Path, &Stat),
    name: &Path,
    checks: Checks,
    job: &Arc<Job>,
    report: &mut Report,
) -> Result<()> {
    let connection =
        open_immutable(image, name, job).inspect_err(|error| note_damage(error, Check::Integrity, report))?;
    judge(&connection, name, checks, report)
}

impl Snapshot {
    /// Asks about a database that may be in use.
    pub fn check_integrity(&self, checks: Checks, report: &mut Report) -> Result<()> {
        judge(&self.connection, &self.path, checks, report)
    }
}

/// A connection that looks for no locks, logs or journals (<https://sqlite.org/uri.html>, "immutable"),
/// to the very file that the status tells of. `name` is for messages.
pub(super) fn open_immutable(image: (&Path, &Stat), name: &Path, job: &Arc<Job>) -> Result<Connection> {
    let path = image.0;
    let failed = |error| sqlite_error("cannot check", name, without_path(error), 0);
    // SQLite finds out where it leads.
    if let Some(real) = std::fs::canonicalize(path).ok().filter(|real| real.as_os_str().len() > LONGEST_PATH) {
        // Its own name is one of ours.
        let directory = real.parent().unwrap_or(&real);
        let message = format!(
            "cannot check {name:?}: the path of its image in {directory:?} is longer than SQLite opens ({LONGEST_PATH} bytes)"
        );
        return Err(Error::new(Status::Unsupported, message));
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let mut connection = Connection::open_with_flags(immutable_uri(path), flags).map_err(failed)?;
    // Its name may have come to be another's since it was looked at.
    check_unmoved(&connection, image, name)?;
    set_up(&mut connection, Some(job), Access::Read)
        .map_err(|error| error_of(&connection, "cannot check", name, error))?;
    Ok(connection)
}

/// Of a file that SQLite cannot even read through.
fn note_damage(error: &Error, check: Check, report: &mut Report) {
    if matches!(error.status, Status::Corrupt | Status::NotADatabase) {
        report.finding = Some(Finding { check, chunk: None, page: None });
    }
}

/// Bytes of a value that any check may come to, however small the database.
const LEAST_VALUE: i64 = 1 << 20;

/// What the schema computes (CHECK constraints, expressions of indexes, generated columns) may take no more memory, and
/// no more time before the next look at the cancel token, than the largest value that the database has room for.
fn limit_values(connection: &Connection) -> rusqlite::Result<()> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let room = pragma("page_size")?.saturating_mul(pragma("page_count")?).max(LEAST_VALUE);
    // More than SQLite's own limit changes nothing.
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, i32::try_from(room).unwrap_or(i32::MAX)).map(drop)
}

fn judge(connection: &Connection, name: &Path, checks: Checks, report: &mut Report) -> Result<()> {
    let mut failed = |error, check| {
        let error = error_of(connection, "cannot check", name, error);
        // An index over a function or a collation of the application's own, or one that computes too much.
        if matches!(error.sqlite_code, ffi::SQLITE_ERROR | ffi::SQLITE_TOOBIG) {
            let message = format!("{}; only the application can check what it has itself defined", error.message);
            return Error { status: Status::Unsupported, message, ..error };
        }
        note_damage(&error, check, report);
        error
    };
    let verdict: String = limit_values(connection)
        .and_then(|()| connection.pragma_query_value(None, "integrity_check", |row| row.get(0)))
        .map_err(|error| failed(error, Check::Integrity))?;
    if let Some(error) = unreadable(connection, name, &verdict) {
        return Err(error);
    }
    if verdict != "ok" {
        report.finding = Some(Finding { check: Check::Integrity, chunk: None, page: page_in(&verdict) });
        let message = format!("{name:?} fails SQLite's integrity_check: {verdict}");
        return Err(Error::new(Status::Corrupt, message));
    }
    if checks == Checks::Integrity {
        return Ok(());
    }
    let violation = violation(connection, "foreign_key_check")
        .or_else(|error| if is_mismatch(&error) { violation_by_table(connection) } else { Err(error) })
        .map_err(|error| failed(error, Check::ForeignKeys))?;
    let Some((table, row, parent)) = violation else { return Ok(()) };
    report.finding = Some(Finding { check: Check::ForeignKeys, chunk: None, page: None });
    let row = row.map_or_else(String::new, |row| format!(", row {row},"));
    let message =
        format!("{name:?} fails SQLite's foreign_key_check: table {table:?}{row} refers to nothing in {parent:?}");
    Err(Error::new(Status::Corrupt, message))
}

/// The table, its row if it has a number, and the table that lacks what it refers to.
type Violation = (String, Option<i64>, String);

/// The first that foreign_key_check finds. By a statement, not the table of that name, for which the database may have a view
/// of its own.
fn violation(connection: &Connection, check: &str) -> rusqlite::Result<Option<Violation>> {
    let mut statement = connection.prepare(&format!("PRAGMA main.{check}"))?;
    let mut rows = statement.query([])?;
    let row = rows.next()?;
    row.map(|row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).transpose()
}

/// A foreign key to columns that are no key of their table binds nobody: SQLite cannot check it, and refuses to write to its
/// tables where it should (<https://sqlite.org/foreignkeys.html>, "Required and Suggested Database Indexes").
fn is_mismatch(error: &rusqlite::Error) -> bool {
    const BEGINNING: &str = "foreign key mismatch";
    matches!(error, rusqlite::Error::SqliteFailure(_, Some(message)) if message.starts_with(BEGINNING))
}

/// The same, but for the tables that have such a key, with which the check of all ends.
fn violation_by_table(connection: &Connection) -> rusqlite::Result<Option<Violation>> {
    let mut statement = connection.prepare("PRAGMA main.table_list")?;
    let mut tables = statement.query([])?;
    while let Some(table) = tables.next()? {
        let name: String = table.get(1)?;
        match violation(connection, &format!("foreign_key_check(\"{}\")", name.replace('"', "\"\""))) {
            Err(error) if is_mismatch(&error) => {}
            Ok(None) => {}
            found => return found,
        }
    }
    Ok(None)
}

/// integrity_check takes a page for damaged that could not be read: that is a failure of the system, or no memory, and
/// says nothing about the database.
fn unreadable(connection: &Connection, name: &Path, verdict: &str) -> Option<Error> {
    const WITH_CODE: &str = "unable to get the page. error code=";
    let digits = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok();
    let mut codes = verdict.split(WITH_CODE).skip(1).filter_map(digits);
    let code = codes.find(|code| matches!(code & 0xff, ffi::SQLITE_IOERR | ffi::SQLITE_NOMEM));
    // Said without a code of pages whose number is in range: of those of a long row, and of unused ones.
    let code = code.or_else(|| verdict.contains("failed to get page").then_some(ffi::SQLITE_NOMEM));
    let reason = verdict.lines().last().unwrap_or_default();
    match (code, raw::read_errno(connection)) {
        (Some(code), 0) => Some(Error::sqlite("cannot check", name, code, 0, reason)),
        (None, 0) => None,
        (code, errno) => {
            Some(Error::unreadable("cannot check", name, code.unwrap_or(ffi::SQLITE_IOERR), errno, reason))
        }
    }
}

/// The first page that a line of integrity_check speaks of, such as "Tree 2 page 7 cell 3: …".
fn page_in(verdict: &str) -> Option<u64> {
    let lower = verdict.to_lowercase();
    let (_, after) = lower.split_once("page ")?;
    let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

fn immutable_uri(path: &Path) -> String {
    let mut uri = String::from("file:");
    for &byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/._-~".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            // Writing to a String does not fail.
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri + "?immutable=1"
}
