//! What a job tells when it is over.

use crate::error::Error;
use std::time::{Duration, Instant, SystemTime};

/// How a job ended, and what it can tell either way.
#[derive(Debug)]
pub struct Outcome {
    /// The archive stands, or why it does not.
    pub result: Result<(), Error>,
    /// Filled as far as the job came.
    pub report: Report,
}

/// Numbers about a job. Zero, or None, where it did not come so far.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// True for a compressed archive.
    pub compressed: bool,
    /// Bytes of a page; 0 for an empty image.
    pub page_size: u32,
    /// Pages of the image.
    pub pages: u64,
    /// Bytes of the image.
    pub image_bytes: u64,
    /// Bytes of the archive file.
    pub archive_bytes: u64,
    /// Bytes of the archive taken from an earlier one.
    pub bytes_reused: u64,
    /// SHA-256 of the archive file.
    pub sha256: Option<[u8; 32]>,
    /// Transient errors waited out.
    pub retries: u32,
    /// Accepted at.
    pub start: Option<SystemTime>,
    /// Ended at.
    pub end: Option<SystemTime>,
    /// Queue, locks and throttle.
    pub waiting: Duration,
    /// From the source.
    pub reading: Duration,
    /// Of all threads.
    pub compressing: Duration,
    /// To the archive.
    pub writing: Duration,
    /// For the disk, of all threads.
    pub syncing: Duration,
    /// Reading back, of all threads.
    pub verifying: Duration,
    /// For which a rollback-journal source could not be committed to.
    pub source_lock: Duration,
    /// By which the write-ahead log grew.
    pub wal_growth: u64,
    /// Which check failed, and where.
    pub finding: Option<Finding>,
}

impl Report {
    /// The image, of which the page size is known, has so many bytes.
    pub fn set_image_bytes(&mut self, bytes: u64) {
        self.image_bytes = bytes;
        self.pages = bytes / u64::from(self.page_size.max(1));
        if bytes == 0 {
            self.page_size = 0;
        }
    }
}

/// What is wrong with a backup file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Of what kind it is.
    pub check: Check,
    /// In which chunk, if it is known.
    pub chunk: Option<u64>,
    /// On which page, from 1 on, if it is known.
    pub page: Option<u64>,
}

/// What backup files are checked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// Header, manifest, seek table, length.
    Structure,
    /// A frame's hash, and that it can be decompressed.
    Frame,
    /// A chunk's hash.
    Content,
    /// SQLite's integrity_check.
    Integrity,
    /// SQLite's foreign_key_check.
    ForeignKeys,
}

/// Adds the time of a step to one of a report's durations.
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Begins now.
    pub fn start() -> Stopwatch {
        Stopwatch(Instant::now())
    }

    /// Adds the time since the start, or since the last lap, to `total`, and tells it.
    pub fn lap(&mut self, total: &mut Duration) -> Duration {
        let now = Instant::now();
        let lap = now - self.0;
        *total += lap;
        self.0 = now;
        lap
    }

    /// The same, without what was waited meanwhile and is counted as that.
    pub fn lap_without(&mut self, waited: Duration, total: &mut Duration) {
        let mut lap = Duration::ZERO;
        self.lap(&mut lap);
        *total += lap.saturating_sub(waited);
    }
}
