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
