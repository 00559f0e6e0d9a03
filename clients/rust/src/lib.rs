//! Verified, asynchronous backups of live SQLite databases, through liblb_backup loaded at run time.
//!
//! ```
//! # let directory = tempfile::tempdir().unwrap();
//! # let (source, dest) = (directory.path().join("game.db"), directory.path().join("game.db.zst"));
//! # rusqlite::Connection::open(&source).unwrap().execute_batch("CREATE TABLE t(a)").unwrap();
//! let library = lb_backup_client::Library::load()?;
//! let outcome = library.backup(&source, &dest).on_progress(|progress| print!("\r{:5.1} %", progress.percent)).run()?;
//! println!("{} bytes, verified", outcome.archive_bytes);
//! # Ok::<(), lb_backup_client::Error>(())
//! ```
#![deny(unsafe_op_in_unsafe_fn, missing_docs)]

mod job;
mod native;

use std::ffi::CString;
use std::fmt;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use job::{Control, Job, Updates};
use job::{OnProgress, Shared};
use native::{text, Api, OnLog, RawArchiveInfo, RawConfig, RawJobInfo, RawProgress, RawResult, Start};

macro_rules! numbered {
    ($(#[$about:meta])* $name:ident: $of:ty { $($(#[$doc:meta])* $variant:ident = $value:literal,)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$doc])* $variant,)*
            /// A number that only a newer library has.
            Unknown($of),
        }

        impl $name {
            pub(crate) fn from_code(code: $of) -> Self {
                match code { $($value => Self::$variant,)* other => Self::Unknown(other) }
            }

            /// The library's number of it.
            pub fn code(self) -> $of {
                match self { $(Self::$variant => $value,)* Self::Unknown(code) => code }
            }

            #[cfg(test)]
            const ALL: &'static [(Self, $of)] = &[$((Self::$variant, $value)),*];
        }
    };
}

numbered! {
    /// Why something failed.
    Status: i32 {
        /// An argument or an option is wrong; the message names it.
        InvalidArgument = 1,
        /// The job was dropped.
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
        /// Somebody else holds a lock, and still did after the busy timeout.
        Busy = 8,
        /// No room for the archive.
        NoSpace = 9,
        /// The operating system failed to read or write.
        Io = 10,
        /// Cancelled before the archive was published.
        Cancelled = 11,
        /// Not yet done.
        TimedOut = 12,
        /// Too many jobs wait, or too many handles are open.
        QueueFull = 13,
        /// The source was replaced or unlinked while it was read.
        SourceChanged = 14,
        /// The source's write-ahead log outgrew the limit.
        WalLimit = 15,
        /// This system cannot do what is needed; the message says what is missing. Also: the library does not load.
        Unsupported = 16,
        /// Memory could not be allocated.
        OutOfMemory = 17,
        /// The process was forked after the library's first use.
        WrongProcess = 18,
        /// A callback asked to wait for an unfinished job.
        WouldDeadlock = 19,
        /// The library is shutting down.
        ShutDown = 20,
        /// A defect of the library.
        Internal = 21,
    }
}

numbered! {
    /// The life of a job. The last three are final.
    State: u32 {
        /// Waits for its turn.
        Queued = 0,
        /// At work.
        Running = 1,
        /// Done.
        Succeeded = 2,
        /// The outcome says why.
        Failed = 3,
        /// As was asked for.
        Cancelled = 4,
    }
}

numbered! {
    /// What a running job is doing.
    Phase: u32 {
        /// For its turn, or for a lock.
        Waiting = 0,
        /// Bytes of the source to a file.
        Copying = 1,
        /// Chunks of the image to frames of the archive.
        Compressing = 2,
        /// Waiting for the disk to confirm.
        Syncing = 3,
        /// Reading back and comparing.
        Verifying = 4,
        /// The archive's content to its destination.
        Restoring = 5,
        /// The job has ended.
        Done = 6,
    }
}

numbered! {
    /// The format of a backup.
    #[derive(Default)]
    Format: u32 {
        /// `.zst` compresses, anything else is a plain image. For options only.
        #[default]
        ByName = 0,
        /// A plain database file.
        Image = 1,
        /// Zstandard.
        Zstd = 2,
    }
}

numbered! {
    /// What a backup file is.
    Kind: u32 {
        /// A plain database file.
        Image = 1,
        /// An archive of the library.
        Archive = 2,
        /// Another tool's Zstandard file.
        Zstd = 3,
        /// A gzip file.
        Gzip = 4,
    }
}

numbered! {
    /// Which check a backup failed.
    Check: u32 {
        /// None failed.
        None = 0,
        /// The file's structure, or it is no backup at all.
        Structure = 1,
        /// The hash of a frame, or it does not decompress.
        Frame = 2,
        /// What a frame decompresses to.
        Content = 3,
        /// SQLite's `integrity_check`.
        Integrity = 4,
        /// SQLite's `foreign_key_check`.
        ForeignKeys = 5,
    }
}

numbered! {
    /// Weight of a line for the log.
    LogLevel: u32 {
        /// Something the operator should look at; the job went on.
        Warning = 1,
        /// Worth a line, nothing to do.
        Info = 2,
    }
}

/// Who goes first, the library's threads or the program's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Priority {
    /// The library's threads yield to everything else.
    #[default]
    Background = 0,
    /// They run like the program's own.
    Normal = 1,
}

/// How far what was written, or is read, is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum VerifyLevel {
    /// By hashes.
    #[default]
    Quick = 0,
    /// By hashes from the disk, and by SQLite's own checks of the image.
    Full = 1,
    /// Not at all. For a backup and a restore only.
    None = 2,
}

/// Why a call or a job failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What kind of failure.
    pub status: Status,
    /// SQLite's extended result code, or 0.
    pub sqlite_code: i32,
    /// The operating system's errno, or 0.
    pub errno: i32,
    /// The operation, the path, the reason.
    pub message: String,
    /// Which check the archive failed.
    pub check: Check,
    /// The chunk that failed, from 0 on.
    pub chunk: Option<u64>,
    /// The database page that failed, from 1 on.
    pub page: Option<u64>,
    /// What was known when the job failed. `None` if no job ran.
    pub outcome: Option<Box<Outcome>>,
}

impl Error {
    pub(crate) fn local(status: Status, message: impl Into<String>) -> Self {
        Self {
            status,
            sqlite_code: 0,
            errno: 0,
            message: message.into(),
            check: Check::None,
            chunk: None,
            page: None,
            outcome: None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl From<Status> for io::ErrorKind {
    fn from(status: Status) -> Self {
        match status {
            Status::InvalidArgument | Status::InvalidHandle => Self::InvalidInput,
            Status::NotFound => Self::NotFound,
            Status::AlreadyExists => Self::AlreadyExists,
            Status::PermissionDenied => Self::PermissionDenied,
            Status::NotADatabase | Status::Corrupt => Self::InvalidData,
            Status::Busy => Self::ResourceBusy,
            Status::NoSpace => Self::StorageFull,
            Status::TimedOut => Self::TimedOut,
            Status::QueueFull => Self::WouldBlock,
            Status::Unsupported => Self::Unsupported,
            Status::OutOfMemory => Self::OutOfMemory,
            Status::WouldDeadlock => Self::Deadlock,
            _ => Self::Other,
        }
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        Self::new(error.status.into(), error)
    }
}

/// One look at a job.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// Where in its life the job is.
    pub state: State,
    /// What it is doing.
    pub phase: Phase,
    /// Transient errors that were waited out.
    pub retries: u32,
    /// Bytes of the image that are done.
    pub bytes_done: u64,
    /// Bytes of the image; 0 until the snapshot stands.
    pub bytes_total: u64,
    /// Bytes written to the archive.
    pub bytes_written: u64,
    /// Bytes taken over instead of being written.
    pub bytes_reused: u64,
    /// Since the job was accepted.
    pub elapsed: Duration,
    /// To the end; `None` while there is no estimate.
    pub eta: Option<Duration>,
    /// The whole job, from 0 to 100; 100 only at success.
    pub percent: f64,
}

impl From<RawProgress> for Progress {
    fn from(raw: RawProgress) -> Self {
        Self {
            state: State::from_code(raw.state),
            phase: Phase::from_code(raw.phase),
            retries: raw.retries,
            bytes_done: raw.bytes_done,
            bytes_total: raw.bytes_total,
            bytes_written: raw.bytes_written,
            bytes_reused: raw.bytes_reused,
            elapsed: Duration::from_nanos(raw.elapsed_ns),
            eta: (raw.eta_ns != u64::MAX).then(|| Duration::from_nanos(raw.eta_ns)),
            percent: raw.percent,
        }
    }
}

/// What a job did. Of one that failed, as far as it was known by then.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome {
    /// Never [`Format::ByName`].
    pub format: Format,
    /// Bytes of one database page.
    pub page_size: u32,
    /// Pages of the image.
    pub pages: u64,
    /// Bytes of the image.
    pub image_bytes: u64,
    /// Bytes of the archive file.
    pub archive_bytes: u64,
    /// Bytes taken over instead of being written.
    pub bytes_reused: u64,
    /// Transient errors that were waited out.
    pub retries: u32,
    /// SHA-256 of the archive file.
    pub sha256: Option<[u8; 32]>,
    /// When the job was accepted, nanoseconds since 1970-01-01 UTC.
    pub start_unix_ns: i64,
    /// When it ended.
    pub end_unix_ns: i64,
    /// In the queue, in lock waits, in the throttle.
    pub waiting: Duration,
    /// Reading the source.
    pub reading: Duration,
    /// Processor time, all threads added up.
    pub compressing: Duration,
    /// Writing the archive.
    pub writing: Duration,
    /// Waiting for the disk, all threads added up.
    pub syncing: Duration,
    /// Reading back and verifying, all threads added up.
    pub verifying: Duration,
    /// For which writers of a rollback-journal source waited.
    pub source_lock: Duration,
    /// Bytes by which the source's -wal file grew meanwhile.
    pub wal_growth_bytes: u64,
}

impl Outcome {
    pub(crate) fn from_raw(raw: &RawResult) -> Result<Self, Error> {
        let outcome = Self {
            format: Format::from_code(raw.format),
            page_size: raw.page_size,
            pages: raw.pages,
            image_bytes: raw.image_bytes,
            archive_bytes: raw.archive_bytes,
            bytes_reused: raw.bytes_reused,
            retries: raw.retries,
            sha256: (raw.has_sha256 == 1).then_some(raw.sha256),
            start_unix_ns: raw.start_unix_ns,
            end_unix_ns: raw.end_unix_ns,
            waiting: Duration::from_nanos(raw.waiting_ns),
            reading: Duration::from_nanos(raw.reading_ns),
            compressing: Duration::from_nanos(raw.compressing_ns),
            writing: Duration::from_nanos(raw.writing_ns),
            syncing: Duration::from_nanos(raw.syncing_ns),
            verifying: Duration::from_nanos(raw.verifying_ns),
            source_lock: Duration::from_nanos(raw.source_lock_ns),
            wal_growth_bytes: raw.wal_growth_bytes,
        };
        if raw.status == 0 {
            return Ok(outcome);
        }
        Err(Error {
            status: Status::from_code(raw.status),
            sqlite_code: raw.sqlite_code,
            errno: raw.sys_errno,
            message: text(&raw.message),
            check: Check::from_code(raw.failed_check),
            chunk: (raw.failed_check != 0 && raw.failed_chunk != u64::MAX).then_some(raw.failed_chunk),
            page: (raw.failed_page != 0).then_some(raw.failed_page),
            outcome: Some(Box::new(outcome)),
        })
    }
}

/// What a backup file says about itself. What is not known is zero or empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchiveInfo {
    /// What it is.
    pub kind: Kind,
    /// Version of the archive format.
    pub format_version: u32,
    /// Bytes of a database page.
    pub page_size: u32,
    /// Pages of the image.
    pub pages: u64,
    /// Bytes of the image.
    pub image_bytes: u64,
    /// Bytes of the file.
    pub archive_bytes: u64,
    /// Bytes of every chunk but the last.
    pub chunk_size: u64,
    /// Chunks.
    pub chunks: u64,
    /// Nanoseconds since 1970-01-01 UTC.
    pub created_unix_ns: i64,
    /// `PRAGMA application_id`.
    pub application_id: u32,
    /// `PRAGMA user_version`.
    pub user_version: i32,
    /// Zstandard level.
    pub compression_level: i32,
    /// No other archive has it.
    pub archive_id: [u8; 16],
    /// That of the archive whose chunks were reused.
    pub parent_id: Option<[u8; 16]>,
    /// Version of the library that wrote it.
    pub library_version: String,
    /// Version of the SQLite that wrote it.
    pub sqlite_version: String,
    /// Version of its Zstandard.
    pub zstd_version: String,
}

impl From<RawArchiveInfo> for ArchiveInfo {
    fn from(raw: RawArchiveInfo) -> Self {
        Self {
            kind: Kind::from_code(raw.kind),
            format_version: raw.format_version,
            page_size: raw.page_size,
            pages: raw.pages,
            image_bytes: raw.image_bytes,
            archive_bytes: raw.archive_bytes,
            chunk_size: raw.chunk_size,
            chunks: raw.chunks,
            created_unix_ns: raw.created_unix_ns,
            application_id: raw.application_id,
            user_version: raw.user_version,
            compression_level: raw.compression_level,
            archive_id: raw.archive_id,
            parent_id: (raw.has_parent == 1).then_some(raw.parent_id),
            library_version: text(&raw.library_version),
            sqlite_version: text(&raw.sqlite_version),
            zstd_version: text(&raw.zstd_version),
        }
    }
}

/// One job of the process, whoever started it.
#[derive(Clone, Debug, PartialEq)]
pub struct JobInfo {
    /// Where in its life the job is.
    pub state: State,
    /// Bytes of the image that are done.
    pub bytes_done: u64,
    /// Bytes of the image; 0 until the snapshot stands.
    pub bytes_total: u64,
    /// The whole job, from 0 to 100; 100 only at success.
    pub percent: f64,
    /// The file name of the destination, without its directory.
    pub dest_name: String,
}

impl From<&RawJobInfo> for JobInfo {
    fn from(raw: &RawJobInfo) -> Self {
        Self {
            state: State::from_code(raw.state),
            bytes_done: raw.bytes_done,
            bytes_total: raw.bytes_total,
            percent: raw.percent,
            dest_name: text(&raw.dest_name),
        }
    }
}

/// The loaded library. It stays loaded until the process ends.
#[derive(Clone, Copy)]
pub struct Library {
    api: &'static Api,
}

impl Library {
    /// Loads `path`. [`Status::Unsupported`] if it does not load or has another ABI.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        Ok(Self { api: Api::load(path.as_ref())? })
    }

    /// Loads what the environment variable LB_BACKUP_LIBRARY names, else `liblb_backup.so.0` where the system finds it.
    pub fn load() -> Result<Self, Error> {
        Self::open(std::env::var_os("LB_BACKUP_LIBRARY").unwrap_or_else(|| "liblb_backup.so.0".into()))
    }

    /// A backup of the database `source` into the file `dest`.
    pub fn backup(&self, source: impl AsRef<Path>, dest: impl AsRef<Path>) -> Backup {
        Backup {
            api: self.api,
            source: source.as_ref().into(),
            dest: dest.as_ref().into(),
            reuse: None,
            options: native::BackupOptions::sized(),
            on_progress: None,
        }
    }

    /// Restores `archive` to the new file `dest`, or onto an existing database in use: [`Restore::replace`].
    pub fn restore(&self, archive: impl AsRef<Path>, dest: impl AsRef<Path>) -> Restore {
        Restore {
            api: self.api,
            archive: archive.as_ref().into(),
            dest: dest.as_ref().into(),
            keep_previous: None,
            options: native::RestoreOptions::sized(),
            on_progress: None,
        }
    }

    /// Verifies a backup file of any kind, whose content stays as it is.
    pub fn verify(&self, archive: impl AsRef<Path>) -> Verify {
        Verify {
            api: self.api,
            archive: archive.as_ref().into(),
            options: native::VerifyOptions::sized(),
            on_progress: None,
        }
    }

    /// What a backup file says about itself, from a few kilobytes of it.
    pub fn inspect(&self, archive: impl AsRef<Path>) -> Result<ArchiveInfo, Error> {
        Ok(self.api.inspect(&path(archive.as_ref())?)?.into())
    }

    /// The jobs of the process whose [`Job`] is still there, in no particular order.
    pub fn jobs(&self) -> Result<Vec<JobInfo>, Error> {
        Ok(self.api.jobs()?.iter().map(JobInfo::from).collect())
    }

    /// Settings of the whole library, before its first job or after [`Library::shutdown`]. Without it, all have their
    /// default.
    pub fn configure(&self) -> Configure {
        Configure { api: self.api, config: RawConfig::sized(), on_log: None }
    }

    /// Cancels every job and joins every thread of the library. A later start begins afresh.
    pub fn shutdown(&self, timeout: Duration) -> Result<(), Error> {
        self.api.shutdown(timeout.as_millis().try_into().unwrap_or(u32::MAX))
    }

    /// The versions of the library, its SQLite and its Zstandard.
    pub fn version(&self) -> String {
        self.api.version()
    }
}

fn path(path: &Path) -> Result<CString, Error> {
    CString::new(path.as_os_str().as_bytes())
        .map_err(|_| Error::local(Status::InvalidArgument, format!("{}: a NUL in a path", path.display())))
}

/// Zero means default in C: a time of zero becomes 1 ms.
fn milliseconds(time: Duration) -> u32 {
    time.as_millis().clamp(1, u32::MAX.into()) as u32
}

macro_rules! kind_of_job {
    ($(#[$about:meta])* $name:ident { $($field:ident: $type:ty),* } from $options:ident, $this:ident => $start:expr) => {
        $(#[$about])*
        #[must_use = "nothing happens before run or start"]
        pub struct $name {
            api: &'static Api,
            $($field: $type,)*
            options: native::$options,
            on_progress: Option<OnProgress>,
        }

        impl $name {
            /// How far it is proven.
            pub fn verify(mut self, level: VerifyLevel) -> Self {
                self.options.verify = level as u32;
                self
            }

            /// Most bytes of the image per second, 0 for no limit.
            pub fn rate(mut self, bytes_per_second: u64) -> Self {
                self.options.max_bytes_per_second = bytes_per_second;
                self
            }

            /// Least time between two calls of the callback, and two updates; 100 ms unless told.
            pub fn progress_every(mut self, interval: Duration) -> Self {
                self.options.progress_interval_ms = milliseconds(interval);
                self
            }

            /// Called on the library's thread; a slow one delays those of other jobs. A panic cancels the job and goes
            /// on in whoever waits for it.
            pub fn on_progress(mut self, callback: impl FnMut(&Progress) + Send + 'static) -> Self {
                self.on_progress = Some(Box::new(callback));
                self
            }

            /// Starts, and returns at once.
            pub fn start(self) -> Result<Job, Error> {
                let $this = self;
                let mut start = $start;
                let shared = Shared::new($this.api, $this.on_progress);
                let handle = $this.api.start(&mut start, &shared)?;
                Ok(Job::new($this.api, handle, shared))
            }

            /// Starts, and waits.
            ///
            /// # Panics
            /// With the panic of the callback.
            pub fn run(self) -> Result<Outcome, Error> {
                self.start()?.wait()
            }
        }
    };
}

kind_of_job! {
    /// See [`Library::backup`].
    Backup { source: PathBuf, dest: PathBuf, reuse: Option<PathBuf> } from BackupOptions, this => Start::Backup {
        source: path(&this.source)?,
        dest: path(&this.dest)?,
        reuse: this.reuse.as_deref().map(path).transpose()?,
        options: this.options,
    }
}

kind_of_job! {
    /// See [`Library::restore`].
    Restore { archive: PathBuf, dest: PathBuf, keep_previous: Option<PathBuf> } from RestoreOptions, this => Start::Restore {
        archive: path(&this.archive)?,
        dest: path(&this.dest)?,
        keep_previous: this.keep_previous.as_deref().map(path).transpose()?,
        options: this.options,
    }
}

kind_of_job! {
    /// See [`Library::verify`].
    Verify { archive: PathBuf } from VerifyOptions, this => Start::Verify {
        archive: path(&this.archive)?,
        options: this.options,
    }
}

impl Backup {
    /// The format; by the destination's name unless told.
    pub fn format(mut self, format: Format) -> Self {
        self.options.format = format.code();
        self
    }

    /// Zstandard level, -7 to 19; 3 unless told.
    pub fn compression_level(mut self, level: i32) -> Self {
        self.options.compression_level = level;
        self
    }

    /// Replaces an existing file, in one step.
    pub fn replace(mut self) -> Self {
        self.options.existing = 1;
        self
    }

    /// No SHA-256 in the outcome.
    pub fn without_digest(mut self) -> Self {
        self.options.digest = 1;
        self
    }

    /// Bytes of a chunk, 65536 to 8388608.
    pub fn chunk_size(mut self, bytes: u64) -> Self {
        self.options.chunk_size = bytes;
        self
    }

    /// For how long a locked source is tried again; 5 s unless told.
    pub fn busy_timeout(mut self, timeout: Duration) -> Self {
        self.options.busy_timeout_ms = milliseconds(timeout);
        self
    }

    /// Most bytes by which the source's -wal file may grow meanwhile.
    pub fn wal_limit(mut self, bytes: u64) -> Self {
        self.options.wal_limit_bytes = bytes;
        self
    }

    /// An earlier archive of the same database, whose unchanged chunks are taken over.
    pub fn reuse(mut self, archive: impl AsRef<Path>) -> Self {
        self.reuse = Some(archive.as_ref().into());
        self
    }
}

impl Restore {
    /// Gives an existing database the archive's content, in one transaction.
    pub fn replace(mut self) -> Self {
        self.options.existing = 1;
        self
    }

    /// For how long a locked destination is tried again; 5 s unless told.
    pub fn busy_timeout(mut self, timeout: Duration) -> Self {
        self.options.busy_timeout_ms = milliseconds(timeout);
        self
    }

    /// Where a backup of the present destination goes first.
    pub fn keep_previous(mut self, backup: impl AsRef<Path>) -> Self {
        self.keep_previous = Some(backup.as_ref().into());
        self
    }
}

/// See [`Library::configure`].
#[must_use = "nothing happens before apply"]
pub struct Configure {
    api: &'static Api,
    config: RawConfig,
    on_log: Option<OnLog>,
}

impl Configure {
    /// Threads that compress, 1 to 64; one per processor unless told.
    pub fn workers(mut self, count: u32) -> Self {
        self.config.workers = count;
        self
    }

    /// Jobs that run at the same time, 1 to 64; two more than there are processors unless told, but at least 4, at most 8.
    pub fn max_concurrent_jobs(mut self, count: u32) -> Self {
        self.config.max_concurrent_jobs = count;
        self
    }

    /// Jobs that may wait, 1 to 65536; 4096 unless told. One more is [`Status::QueueFull`].
    pub fn queue_length(mut self, count: u32) -> Self {
        self.config.queue_length = count;
        self
    }

    /// Of the library's threads.
    pub fn priority(mut self, priority: Priority) -> Self {
        self.config.priority = priority as u32;
        self
    }

    /// Goes on where the system cannot keep the library's file locks apart from the program's, because nothing else in this
    /// process has any of the source databases open. Read CAVEATS in lb_backup.h first.
    pub fn source_not_open_in_process(mut self) -> Self {
        self.config.flags = 1;
        self
    }

    /// Called on the library's thread for callbacks with each line for the program's log. A panic in it is dropped with the
    /// line. Once applied it is kept until the process ends.
    pub fn on_log(mut self, log: impl Fn(LogLevel, &str) + Send + Sync + 'static) -> Self {
        self.on_log = Some(Box::new(log));
        self
    }

    /// [`Status::Busy`] if the library already runs; [`Status::InvalidArgument`] names what is out of range.
    pub fn apply(mut self) -> Result<(), Error> {
        self.api.configure(&mut self.config, self.on_log)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write;
    use std::process::Command;

    #[test]
    fn layout_is_that_of_the_header() {
        let (mut program, mut want) = (String::new(), String::new());
        program.push_str("#include <lb_backup.h>\n#include <stdio.h>\nint main(void) {\n");
        for (name, size, fields) in native::layouts() {
            writeln!(program, "printf(\"{name} %zu\\n\", sizeof({name}));").unwrap();
            writeln!(want, "{name} {size}").unwrap();
            for (field, offset, size) in fields {
                let at = format!("offsetof({name}, {field}), sizeof (({name} *)0)->{field}");
                writeln!(program, "printf(\"{name}.{field} %zu %zu\\n\", {at});").unwrap();
                writeln!(want, "{name}.{field} {offset} {size}").unwrap();
            }
        }
        let last = |count: usize| (count - 1) as u64;
        for (name, value) in [
            ("LB_ABI_VERSION", native::ABI_VERSION.into()),
            ("LB_MESSAGE_SIZE", native::MESSAGE_SIZE as u64),
            ("LB_VERIFY_FULL", VerifyLevel::Full as u64),
            ("LB_VERIFY_NONE", VerifyLevel::None as u64),
            ("LB_FORMAT_ZSTD", last(Format::ALL.len())),
            ("LB_EXISTING_REPLACE", 1),
            ("LB_DIGEST_NONE", 1),
            ("LB_CONFIG_SOURCE_NOT_OPEN_IN_PROCESS", 1),
            ("LB_PRIORITY_NORMAL", Priority::Normal as u64),
            ("LB_LOG_WARNING", LogLevel::ALL[0].1.into()),
            ("LB_LOG_INFO", LogLevel::ALL[1].1.into()),
            ("LB_STATUS_INTERNAL", Status::ALL.len() as u64),
            ("LB_JOB_STATE_CANCELLED", last(State::ALL.len())),
            ("LB_PHASE_DONE", last(Phase::ALL.len())),
            ("LB_KIND_GZIP", Kind::ALL.len() as u64),
            ("LB_CHECK_FOREIGN_KEYS", last(Check::ALL.len())),
        ] {
            writeln!(program, "printf(\"{name} %llu\\n\", (unsigned long long){name});").unwrap();
            writeln!(want, "{name} {value}").unwrap();
        }
        program.push_str("}\n");
        let directory = tempfile::tempdir().unwrap();
        let (source, binary) = (directory.path().join("layout.c"), directory.path().join("layout"));
        std::fs::write(&source, program).unwrap();
        let include = concat!("-I", env!("CARGO_MANIFEST_DIR"), "/../../include");
        assert!(Command::new("cc").arg(include).arg(&source).arg("-o").arg(&binary).status().unwrap().success());
        assert_eq!(String::from_utf8(Command::new(binary).output().unwrap().stdout).unwrap(), want);
    }

    #[test]
    fn number_of_a_newer_library_is_kept() {
        assert_eq!(Status::from_code(99), Status::Unknown(99));
        assert_eq!(io::ErrorKind::from(Status::Unknown(99)), io::ErrorKind::Other);
        assert_eq!(
            Progress::from(RawProgress { state: 99, phase: 98, ..RawProgress::sized() }).state,
            State::Unknown(99)
        );
        assert_eq!((Phase::from_code(99), Phase::Unknown(99).code()), (Phase::Unknown(99), 99));
        assert_eq!((Kind::from_code(0), Check::from_code(99)), (Kind::Unknown(0), Check::Unknown(99)));
    }

    #[test]
    fn outcome_has_all_that_the_result_tells_and_so_has_the_error_of_a_job_that_failed() {
        let mut raw = RawResult { format: 2, pages: 9, waiting_ns: 1, reading_ns: 2, ..RawResult::sized() };
        (raw.compressing_ns, raw.writing_ns, raw.syncing_ns, raw.verifying_ns) = (3, 4, 5, 6);
        let outcome = Outcome::from_raw(&raw).unwrap();
        assert_eq!((outcome.format, outcome.pages), (Format::Zstd, 9));
        let times = [outcome.waiting, outcome.reading, outcome.compressing, outcome.writing, outcome.syncing];
        assert_eq!(times.map(|time| time.as_nanos()), [1, 2, 3, 4, 5]);
        assert_eq!(outcome.verifying.as_nanos(), 6);
        raw.status = 7;
        assert_eq!(Outcome::from_raw(&raw).unwrap_err().outcome, Some(Box::new(outcome)));
    }

    // What std takes for a signal's doing it tries again.
    #[test]
    fn no_status_is_the_io_error_that_std_retries() {
        for &(status, _) in Status::ALL {
            assert_ne!(io::ErrorKind::from(status), io::ErrorKind::Interrupted, "{status:?}");
        }
        assert_eq!(io::ErrorKind::from(Status::Cancelled), io::ErrorKind::Other);
    }

    #[test]
    fn each_status_is_an_error_of_its_own() {
        let api = Library::load().unwrap().api;
        let header = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../include/lb_backup.h"));
        for &(status, code) in Status::ALL {
            let words = format!("{status:?}").chars().fold(String::new(), |mut name, letter| {
                if letter.is_uppercase() {
                    name.push('_');
                }
                name.extend(letter.to_uppercase());
                name
            });
            assert!(header.contains(&format!(" LB_STATUS{words} = {code},")), "{words}");
            assert_eq!(Status::from_code(code), status);
            assert_ne!(api.status_message(code), "unknown status");
        }
        assert_eq!(api.status_message(Status::ALL.len() as i32 + 1), "unknown status");
    }
}
