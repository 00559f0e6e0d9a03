//! What can go wrong, said once: a status for the program, SQLite's code and errno for the expert, a message that names
//! the operation and the path for everybody. Errors are built where they happen and travel unchanged.

use std::fmt;
use std::io;
use std::path::Path;

/// The outcome of a call or of a job. The values are frozen; new ones are added at the end.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// Done, and proven.
    Ok = 0,
    /// An argument or an option is wrong; the message names it. Calling again with the same is useless.
    InvalidArgument = 1,
    /// The handle was joined, released, or never given out.
    InvalidHandle = 2,
    /// The source, or the destination's directory, does not exist.
    NotFound = 3,
    /// The destination exists and replacing it was not asked for.
    AlreadyExists = 4,
    /// The operating system refused access.
    PermissionDenied = 5,
    /// The source is not a SQLite database, or it is encrypted.
    NotADatabase = 6,
    /// The source is damaged, or what was written does not read back the same.
    Corrupt = 7,
    /// Somebody else holds a lock, and still did after the busy timeout. Try later.
    Busy = 8,
    /// No room for the archive: a full disk, a quota, or a file-size limit.
    NoSpace = 9,
    /// The operating system failed to read or write.
    Io = 10,
    /// Cancelled before the archive was published.
    Cancelled = 11,
    /// lb_backup_wait, lb_shutdown: not yet done.
    TimedOut = 12,
    /// Too many jobs wait, or too many handles are open.
    QueueFull = 13,
    /// The source was replaced or unlinked while it was read.
    SourceChanged = 14,
    /// The source's write-ahead log outgrew the caller's limit.
    WalLimit = 15,
    /// This system cannot do what is needed; the message says what is missing.
    Unsupported = 16,
    /// Memory could not be allocated.
    OutOfMemory = 17,
    /// The process was forked after the library's first use; a child has no jobs. Use exec, or start after the fork.
    WrongProcess = 18,
    /// A callback asked to wait for an unfinished job, which could never finish.
    WouldDeadlock = 19,
    /// The library is shutting down.
    ShutDown = 20,
    /// A defect of this library. The message has the details; please report it.
    Internal = 21,
}

impl Status {
    /// Every status, in the order of their numbers.
    pub const ALL: [(Status, &'static std::ffi::CStr); 22] = [
        (Status::Ok, c"LB_STATUS_OK"),
        (Status::InvalidArgument, c"LB_STATUS_INVALID_ARGUMENT"),
        (Status::InvalidHandle, c"LB_STATUS_INVALID_HANDLE"),
        (Status::NotFound, c"LB_STATUS_NOT_FOUND"),
        (Status::AlreadyExists, c"LB_STATUS_ALREADY_EXISTS"),
        (Status::PermissionDenied, c"LB_STATUS_PERMISSION_DENIED"),
        (Status::NotADatabase, c"LB_STATUS_NOT_A_DATABASE"),
        (Status::Corrupt, c"LB_STATUS_CORRUPT"),
        (Status::Busy, c"LB_STATUS_BUSY"),
        (Status::NoSpace, c"LB_STATUS_NO_SPACE"),
        (Status::Io, c"LB_STATUS_IO"),
        (Status::Cancelled, c"LB_STATUS_CANCELLED"),
        (Status::TimedOut, c"LB_STATUS_TIMED_OUT"),
        (Status::QueueFull, c"LB_STATUS_QUEUE_FULL"),
        (Status::SourceChanged, c"LB_STATUS_SOURCE_CHANGED"),
        (Status::WalLimit, c"LB_STATUS_WAL_LIMIT"),
        (Status::Unsupported, c"LB_STATUS_UNSUPPORTED"),
        (Status::OutOfMemory, c"LB_STATUS_OUT_OF_MEMORY"),
        (Status::WrongProcess, c"LB_STATUS_WRONG_PROCESS"),
        (Status::WouldDeadlock, c"LB_STATUS_WOULD_DEADLOCK"),
        (Status::ShutDown, c"LB_STATUS_SHUT_DOWN"),
        (Status::Internal, c"LB_STATUS_INTERNAL"),
    ];

    /// What it means, for people, in words that can stand after the name of an operation.
    pub const fn message(self) -> &'static std::ffi::CStr {
        match self {
            Status::Ok => c"done, and proven",
            Status::InvalidArgument => c"an argument or an option is wrong",
            Status::InvalidHandle => c"the handle was joined, released, or never given out",
            Status::NotFound => c"the file, or the destination's directory, does not exist",
            Status::AlreadyExists => c"the destination exists, and replacing it was not asked for",
            Status::PermissionDenied => c"the operating system refused access",
            Status::NotADatabase => c"the file is not a SQLite database, or it is encrypted",
            Status::Corrupt => c"the file is damaged, or what was written does not read back the same",
            Status::Busy => c"somebody else holds a lock, or the library already runs",
            Status::NoSpace => c"there is no room: a full disk, a quota, or a file-size limit",
            Status::Io => c"the operating system failed to read or write",
            Status::Cancelled => c"the job was cancelled",
            Status::TimedOut => c"not yet done",
            Status::QueueFull => c"too many jobs wait, or too many handles are open",
            Status::SourceChanged => c"the source was replaced or unlinked while it was read",
            Status::WalLimit => c"the source's write-ahead log outgrew its limit",
            Status::Unsupported => c"this system or this library cannot do what is needed",
            Status::OutOfMemory => c"memory could not be allocated",
            Status::WrongProcess => c"this process was forked after lb_backup was used; only its parent has the jobs",
            Status::WouldDeadlock => c"a callback cannot wait for what its own thread has to finish",
            Status::ShutDown => c"the library is shutting down",
            Status::Internal => c"a defect of lb_backup; please report it",
        }
    }

    /// What an errno means for the caller.
    pub(crate) fn from_errno(errno: i32) -> Status {
        match errno {
            libc::ENOENT | libc::ENOTDIR => Status::NotFound,
            libc::EEXIST => Status::AlreadyExists,
            libc::EACCES | libc::EPERM | libc::EROFS => Status::PermissionDenied,
            libc::ENOSPC | libc::EDQUOT | libc::EFBIG => Status::NoSpace,
            libc::ENOMEM => Status::OutOfMemory,
            libc::ENAMETOOLONG | libc::ELOOP => Status::InvalidArgument,
            _ => Status::Io,
        }
    }

    /// What a SQLite result code means for the caller (<https://sqlite.org/rescode.html>). `errno` decides where SQLite
    /// only says that the system failed it.
    fn from_sqlite(code: i32, errno: i32) -> Status {
        use rusqlite::ffi;
        match code & 0xff {
            ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED | ffi::SQLITE_PROTOCOL => Status::Busy,
            ffi::SQLITE_NOTADB => Status::NotADatabase,
            ffi::SQLITE_CORRUPT => Status::Corrupt,
            ffi::SQLITE_NOMEM => Status::OutOfMemory,
            ffi::SQLITE_IOERR if code == ffi::SQLITE_IOERR_NOMEM => Status::OutOfMemory,
            ffi::SQLITE_FULL => Status::NoSpace,
            ffi::SQLITE_INTERRUPT => Status::Cancelled,
            ffi::SQLITE_PERM | ffi::SQLITE_AUTH | ffi::SQLITE_READONLY => Status::PermissionDenied,
            ffi::SQLITE_CANTOPEN | ffi::SQLITE_IOERR if errno == libc::EISDIR => Status::NotADatabase,
            ffi::SQLITE_CANTOPEN | ffi::SQLITE_IOERR => Status::from_errno(errno),
            _ => Status::Internal,
        }
    }
}

/// A failure on its way to the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What the caller's program decides by.
    pub status: Status,
    /// SQLite's extended result code, or 0.
    pub sqlite_code: i32,
    /// The operating system's errno, or 0.
    pub sys_errno: i32,
    /// Operation, path, reason.
    pub message: String,
}

/// What a fallible step gives.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// A failure that neither SQLite nor the system reported.
    pub fn new(status: Status, message: impl Into<String>) -> Error {
        Error { status, sqlite_code: 0, sys_errno: 0, message: message.into() }
    }

    /// An argument or option that is wrong; `message` begins with its name.
    pub fn invalid(message: impl Into<String>) -> Error {
        Error::new(Status::InvalidArgument, message)
    }

    /// A defect of ours; the panic's text survives.
    pub fn from_panic(panic: &(dyn std::any::Any + Send)) -> Error {
        let text = panic
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "(no text)".to_owned());
        Error::new(Status::Internal, format!("defect in lb_backup: panic: {text}"))
    }

    /// The job was asked to stop.
    pub fn cancelled() -> Error {
        Error::new(Status::Cancelled, "cancelled")
    }

    /// A failed system call: `operation` is a verb with its object, such as "cannot create a file in".
    pub fn os(operation: &str, path: &Path, error: impl Into<io::Error>) -> Error {
        let error: io::Error = error.into();
        let errno = error.raw_os_error().unwrap_or(0);
        let status = match error.raw_os_error() {
            Some(errno) => Status::from_errno(errno),
            None if error.kind() == io::ErrorKind::OutOfMemory => Status::OutOfMemory,
            None => Status::Io,
        };
        let hint = match errno {
            libc::EFBIG => " (a file-size limit, see RLIMIT_FSIZE)",
            _ => "",
        };
        Error { status, sqlite_code: 0, sys_errno: errno, message: format!("{operation} {path:?}: {error}{hint}") }
    }

    /// A failed SQLite call. `errno` is that of the last failed system call, or 0: it may be an old one, and matters only
    /// where SQLite says that the system failed it.
    pub fn sqlite(operation: &str, path: &Path, code: i32, errno: i32, reason: &str) -> Error {
        use rusqlite::ffi::{SQLITE_CANTOPEN, SQLITE_ERROR, SQLITE_IOERR};
        let errno = if matches!(code & 0xff, SQLITE_CANTOPEN | SQLITE_IOERR) { errno } else { 0 };
        let status = match code {
            // A schema format of the future (prepare.c, sqlite3InitOne): the code is that of a wrong statement of ours.
            SQLITE_ERROR if reason == "unsupported file format" => Status::Unsupported,
            _ => Status::from_sqlite(code, errno),
        };
        Error::sqlite_by(operation, path, code, errno, status, reason)
    }

    /// The same for damage that SQLite has seen because the system failed to read, by `errno`.
    pub fn unreadable(operation: &str, path: &Path, code: i32, errno: i32, reason: &str) -> Error {
        Error::sqlite_by(operation, path, code, errno, Status::from_errno(errno), reason)
    }

    fn sqlite_by(operation: &str, path: &Path, code: i32, errno: i32, status: Status, reason: &str) -> Error {
        let system = if errno == 0 { String::new() } else { format!(", {}", io::Error::from_raw_os_error(errno)) };
        let message = format!("{operation} {path:?}: {reason} (SQLite code {code}{system})");
        Error { status, sqlite_code: code, sys_errno: errno, message }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
