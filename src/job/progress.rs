//! Where a job stands, as atomics: one thread writes, anybody reads, nobody waits.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
use std::time::Instant;

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

impl JobState {
    /// True for the three final states.
    pub fn is_final(self) -> bool {
        !matches!(self, JobState::Queued | JobState::Running)
    }

    fn from_u32(value: u32) -> JobState {
        match value {
            0 => JobState::Queued,
            1 => JobState::Running,
            2 => JobState::Succeeded,
            3 => JobState::Failed,
            _ => JobState::Cancelled,
        }
    }
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
    /// The archive's content to its destination.
    Restoring = 5,
    /// The job has ended.
    Done = 6,
}

impl Phase {
    fn from_u32(value: u32) -> Phase {
        match value {
            0 => Phase::Waiting,
            1 => Phase::Copying,
            2 => Phase::Compressing,
            3 => Phase::Syncing,
            4 => Phase::Verifying,
            5 => Phase::Restoring,
            _ => Phase::Done,
        }
    }
}

/// A consistent enough look: each value is never older than in an earlier look by the same thread.
#[derive(Clone, Copy, Debug)]
pub struct ProgressSnapshot {
    /// See [`JobState`].
    pub state: JobState,
    /// See [`Phase`].
    pub phase: Phase,
    /// Transient errors waited out.
    pub retries: u32,
    /// Bytes of the image in the archive.
    pub bytes_done: u64,
    /// Bytes of the image, 0 while unknown.
    pub bytes_total: u64,
    /// Bytes of the archive file so far.
    pub bytes_written: u64,
    /// Those of them that an earlier archive had.
    pub bytes_reused: u64,
    /// Nanoseconds since the job was accepted.
    pub elapsed_ns: u64,
    /// Nanoseconds to go; u64::MAX while unknown, 0 at the end.
    pub eta_ns: u64,
    /// 0 to 100, of the whole job; 100 only with success.
    pub percent: f64,
}

/// The cell that a job writes. Cells are static and are used again for a later job (see `ffi::handles`), so that a
/// reader never touches freed memory.
#[derive(Default)]
pub struct Progress {
    state: AtomicU32,
    phase: AtomicU32,
    retries: AtomicU32,
    bytes_done: AtomicU64,
    bytes_total: AtomicU64,
    bytes_written: AtomicU64,
    bytes_reused: AtomicU64,
    /// Steps of the whole job (bytes moved by any phase), for percent and eta.
    work_done: AtomicU64,
    work_total: AtomicU64,
    accepted_ns: AtomicU64,
    running_ns: AtomicU64,
    /// The latest time that any look was told.
    latest_ns: AtomicU64,
    /// When the job ended; until then [`UNENDED`] and which of the cell's jobs it is.
    ended_ns: AtomicU64,
    /// How many jobs the cell has had.
    jobs: AtomicU64,
}

/// No time: centuries after the start of the process.
const UNENDED: u64 = 1 << 63;

/// Nanoseconds since the first call; never 0.
fn now_ns() -> u64 {
    static ANCHOR: OnceLock<Instant> = OnceLock::new();
    ANCHOR.get_or_init(Instant::now).elapsed().as_nanos() as u64 + 1
}

impl Progress {
    /// Makes the cell that of a job accepted now. Nobody may be writing to it.
    pub fn reset(&self) {
        // Pairs with the fence in `ffi::handles`: a reader that sees any of these values also sees that its handle ended.
        fence(Ordering::Release);
        for cell in [&self.state, &self.phase, &self.retries] {
            cell.store(0, Ordering::Relaxed);
        }
        for cell in [
            &self.bytes_done,
            &self.bytes_total,
            &self.bytes_written,
            &self.bytes_reused,
            &self.work_done,
            &self.work_total,
            &self.running_ns,
            &self.latest_ns,
        ] {
            cell.store(0, Ordering::Relaxed);
        }
        self.accepted_ns.store(now_ns(), Ordering::Relaxed);
        let job = self.jobs.fetch_add(1, Ordering::Relaxed) + 1;
        // Last: whoever finds this job here finds none of the values of the one before.
        self.ended_ns.store(UNENDED | job, Ordering::Release);
    }

    /// The job has got its turn.
    pub fn set_running(&self) {
        self.running_ns.store(now_ns(), Ordering::Relaxed);
        self.state.store(JobState::Running as u32, Ordering::Release);
    }

    /// The job has ended; every other value has been written.
    pub fn set_final(&self, state: JobState) {
        self.phase.store(Phase::Done as u32, Ordering::Release);
        self.state.store(state as u32, Ordering::SeqCst);
        self.end_ns(self.ended_ns.load(Ordering::Acquire));
    }

    /// Enters a phase; an earlier one is ignored, as progress never goes backwards.
    pub fn set_phase(&self, phase: Phase) {
        self.phase.fetch_max(phase as u32, Ordering::Release);
    }

    /// The snapshot stands: the image has `bytes`, and the job as a whole moves `work` bytes.
    pub fn set_total(&self, bytes: u64, work: u64) {
        self.bytes_total.store(bytes, Ordering::Relaxed);
        self.work_total.store(work, Ordering::Release);
    }

    /// `image_bytes` of the image are in the archive, as `archive_bytes`.
    pub fn add_archived(&self, image_bytes: u64, archive_bytes: u64) {
        self.bytes_done.fetch_add(image_bytes, Ordering::Relaxed);
        self.bytes_written.fetch_add(archive_bytes, Ordering::Relaxed);
        self.add_work(image_bytes);
    }

    /// `bytes` of the archive came from an earlier one.
    pub fn add_reused(&self, bytes: u64) {
        self.bytes_reused.fetch_add(bytes, Ordering::Relaxed);
    }

    /// `bytes` of the whole work are done.
    pub fn add_work(&self, bytes: u64) {
        self.work_done.fetch_add(bytes, Ordering::Relaxed);
    }

    /// A transient error was waited out.
    pub fn add_retry(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    /// How many transient errors were waited out.
    pub fn retries(&self) -> u32 {
        self.retries.load(Ordering::Relaxed)
    }

    /// When the job ended, of which `ended_ns` was read before its final state. Whoever asks first sets it: a reader that saw
    /// the final state must not report a time that a later one would undercut, and neither must one that did not see it yet.
    /// A reader that comes late, to the cell of another job, does not end that one; what it gets is of no meaning.
    fn end_ns(&self, ended_ns: u64) -> u64 {
        if ended_ns & UNENDED == 0 {
            return ended_ns;
        }
        let now = now_ns().max(self.latest_ns.load(Ordering::SeqCst));
        match self.ended_ns.compare_exchange(ended_ns, now, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => now,
            Err(other) => other,
        }
    }

    /// Wait-free.
    pub fn look(&self) -> ProgressSnapshot {
        let ended_ns = self.ended_ns.load(Ordering::Acquire);
        // First the time is made known, then the state is read, and the end does it the other way round: so either this
        // sees the end, or the end sees this. (The clock alone does not do: processors read it ahead or late.)
        let now = now_ns();
        self.latest_ns.fetch_max(now, Ordering::SeqCst);
        let state = JobState::from_u32(self.state.load(Ordering::SeqCst));
        let phase = Phase::from_u32(self.phase.load(Ordering::Acquire));
        let now = if state.is_final() { self.end_ns(ended_ns) } else { now };
        let work_total = self.work_total.load(Ordering::Acquire);
        let work_done = self.work_done.load(Ordering::Relaxed).min(work_total);
        let bytes_total = self.bytes_total.load(Ordering::Relaxed);
        let share = if work_total == 0 { 0.0 } else { work_done as f64 / work_total as f64 };
        let running = now.saturating_sub(self.running_ns.load(Ordering::Relaxed));
        let eta_ns = match state {
            _ if state.is_final() => 0,
            JobState::Running if share > 0.0 => (running as f64 * (1.0 - share) / share) as u64,
            _ => u64::MAX,
        };
        ProgressSnapshot {
            state,
            phase,
            retries: self.retries.load(Ordering::Relaxed),
            bytes_done: self.bytes_done.load(Ordering::Relaxed).min(bytes_total),
            bytes_total,
            bytes_written: self.bytes_written.load(Ordering::Relaxed),
            bytes_reused: self.bytes_reused.load(Ordering::Relaxed),
            elapsed_ns: now.saturating_sub(self.accepted_ns.load(Ordering::Relaxed)),
            eta_ns,
            percent: if state == JobState::Succeeded { 100.0 } else { (share * 100.0).min(99.9) },
        }
    }
}
