//! SQLite's own open files, used directly: reading through them needs no descriptor of ours, whose closing would drop
//! SQLite's locks. File controls: <https://sqlite.org/c3ref/c_fcntl_begin_atomic_write.html>.

use rusqlite::{Connection, ffi};
use std::ffi::c_int;
use std::ptr;

/// Which of a connection's files.
#[derive(Clone, Copy)]
pub(super) enum Which {
    /// The database.
    Database,
    /// Its write-ahead log or rollback journal.
    Journal,
}

/// A failed call.
pub(super) struct Failure {
    /// SQLite's extended result code.
    pub(super) code: c_int,
    /// errno of the system call behind it, or 0.
    pub(super) errno: i32,
}

impl From<c_int> for Failure {
    /// A failure without a system call behind it.
    fn from(code: c_int) -> Failure {
        Failure { code, errno: 0 }
    }
}

/// Reads `buffer.len()` bytes at `offset`. What lies beyond the end of the file becomes zeros; false if there was such.
pub(super) fn read_at(connection: &Connection, which: Which, buffer: &mut [u8], offset: u64) -> Result<bool, Failure> {
    let amount = c_int::try_from(buffer.len()).map_err(|_| ffi::SQLITE_TOOBIG)?;
    let offset = i64::try_from(offset).map_err(|_| ffi::SQLITE_TOOBIG)?;
    let Some((file, methods)) = file(connection, which)? else {
        buffer.fill(0);
        return Ok(buffer.is_empty());
    };
    let read = methods.xRead.ok_or(ffi::SQLITE_MISUSE)?;
    // SAFETY: `file` is open (see `file`), `buffer` is writable for `amount` bytes, and xRead keeps no pointer.
    match unsafe { read(file, buffer.as_mut_ptr().cast(), amount, offset) } {
        ffi::SQLITE_OK => Ok(true),
        // The VFS has filled the rest with zeros (https://sqlite.org/c3ref/io_methods.html).
        ffi::SQLITE_IOERR_SHORT_READ => Ok(false),
        code => Err(failure(file, methods, code)),
    }
}

/// The file's size in bytes; 0 if there is none.
pub(super) fn size(connection: &Connection, which: Which) -> Result<u64, Failure> {
    let Some((file, methods)) = file(connection, which)? else { return Ok(0) };
    let file_size = methods.xFileSize.ok_or(ffi::SQLITE_MISUSE)?;
    let mut size = 0i64;
    // SAFETY: `file` is open (see `file`), and `size` outlives the call.
    match unsafe { file_size(file, &mut size) } {
        ffi::SQLITE_OK => Ok(u64::try_from(size).unwrap_or(0)),
        code => Err(failure(file, methods, code)),
    }
}

/// True if the database's name no longer leads to the file that is open.
pub(super) fn has_moved(connection: &Connection) -> Result<bool, Failure> {
    let mut moved: c_int = 0;
    control(connection, ffi::SQLITE_FCNTL_HAS_MOVED, (&raw mut moved).cast())?;
    Ok(moved != 0)
}

/// errno of the connection's last failed system call.
pub(super) fn system_errno(connection: &Connection) -> i32 {
    // SAFETY: the handle is open for as long as the connection lives.
    unsafe { ffi::sqlite3_system_errno(connection.handle()) }
}

/// A failed method of `file`, which keeps the errno itself: the connection knows only of calls that it made.
fn failure(file: *mut ffi::sqlite3_file, methods: &ffi::sqlite3_io_methods, code: c_int) -> Failure {
    let mut errno: c_int = 0;
    if let Some(file_control) = methods.xFileControl {
        // SAFETY: `file` is open, as its caller has just used it, and the operation fills an int.
        unsafe { file_control(file, ffi::SQLITE_FCNTL_LAST_ERRNO, (&raw mut errno).cast()) };
    }
    Failure { code, errno }
}

/// True if this SQLite was compiled with the table that gives pages as the pager sees them.
pub(super) fn has_page_table() -> bool {
    // SAFETY: the name is NUL-terminated; the function only compares it with a static list.
    unsafe { ffi::sqlite3_compileoption_used(c"ENABLE_DBPAGE_VTAB".as_ptr()) != 0 }
}

/// The open file and its methods; None if the connection has none of the kind.
///
/// The methods live as long as SQLite; the file is only valid until the connection is used again, so that callers use it
/// at once.
fn file(
    connection: &Connection,
    which: Which,
) -> Result<Option<(*mut ffi::sqlite3_file, &'static ffi::sqlite3_io_methods)>, Failure> {
    let operation = match which {
        Which::Database => ffi::SQLITE_FCNTL_FILE_POINTER,
        Which::Journal => ffi::SQLITE_FCNTL_JOURNAL_POINTER,
    };
    let mut file: *mut ffi::sqlite3_file = ptr::null_mut();
    control(connection, operation, (&raw mut file).cast())?;
    if file.is_null() {
        return Ok(None);
    }
    // SAFETY: SQLite gave a pointer to its file object, which is live; pMethods is NULL while it is not open, and
    // otherwise points to a static table of the VFS.
    let methods = unsafe { (*file).pMethods.as_ref::<'static>() };
    Ok(methods.map(|methods| (file, methods)))
}

fn control(connection: &Connection, operation: c_int, argument: *mut std::ffi::c_void) -> Result<(), Failure> {
    // SAFETY: the handle is open, the schema name is NUL-terminated, and every caller passes the out-pointer that its
    // operation is documented to fill.
    match unsafe { ffi::sqlite3_file_control(connection.handle(), c"main".as_ptr(), operation, argument) } {
        ffi::SQLITE_OK => Ok(()),
        code => Err(code.into()),
    }
}
