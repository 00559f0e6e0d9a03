//! SQLite's own judgement of an image.

use super::{LONGEST_PATH, set_up, sqlite_error};
use crate::error::{Error, Result, Status};
use crate::job::Job;
use rusqlite::{Connection, OpenFlags};
use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

/// Runs `integrity_check` on a database file that nobody else uses. Reads it and creates nothing beside it
/// (<https://sqlite.org/uri.html>, "immutable").
pub fn check_integrity(image: &Path, job: &Arc<Job>) -> Result<()> {
    let failed = |error| sqlite_error("cannot check", image, error, 0);
    if image.as_os_str().len() > LONGEST_PATH {
        let message = format!("the path of {image:?} is longer than SQLite opens ({LONGEST_PATH} bytes)");
        return Err(Error::new(Status::Unsupported, message));
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let mut connection = Connection::open_with_flags(immutable_uri(image), flags).map_err(failed)?;
    set_up(&mut connection, job).map_err(failed)?;
    let verdict: String = connection.pragma_query_value(None, "integrity_check", |row| row.get(0)).map_err(failed)?;
    if verdict == "ok" {
        return Ok(());
    }
    Err(Error::new(Status::Corrupt, format!("the image fails SQLite's integrity_check: {verdict}")))
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
