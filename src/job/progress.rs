//! Where a job stands, as atomics that anybody may read at any time.

/// The life of a job. The last three are final.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobState {
    /// Accepted; waits for its turn.
    Queued = 0,
    /// At work.
    Running = 1,
    /// The archive is published.
    Succeeded = 2,
    /// No archive; the result says why.
    Failed = 3,
    /// No archive, because that was asked for.
    Cancelled = 4,
}

/// What a running job is doing. A later phase has a greater number.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
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
    /// The job has ended.
    Done = 6,
}
