//! What follows the writer, a stretch at a time: the disk is made to write what was appended, that is read back and
//! compared, and the page cache forgets it. So little is left for the final fsync, the comparison takes place while the
//! next chunks are made, and neither the page cache nor the disk's queue fills up with an archive.

use super::buffer::Buffers;
use super::hash;
use crate::error::{Error, Result, Status};
use crate::job::{Job, Report, Stopwatch};
use crate::runtime::{Context, GuardedFile, Window, write_out};
use rustix::fs::{Advice, fadvise};
use std::fs::File;
use std::num::NonZeroU64;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// What is settled at once, in bytes: a few milliseconds of a fast disk.
const STRETCH: u64 = 8 << 20;
/// Stretches on their way to the disk; the writer waits for the oldest of them. More would make every other writer of the
/// same disk wait longer.
const MOST_PENDING: usize = 4;

/// How what was written is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadBack {
    /// Not at all.
    No,
    /// Once the disk has it; most of it still comes from the page cache.
    Cached,
    /// Once the disk has it, and from there.
    FromDisk,
}

/// A part of the file that was appended at once.
#[derive(Clone, Copy)]
pub(super) struct Piece {
    /// Bytes in the file.
    pub(super) bytes: usize,
    /// Bytes of the image that it stands for.
    pub(super) image_bytes: usize,
    /// What it must read back as; None if nobody is going to compare it.
    pub(super) hash: Option<blake3::Hash>,
}

#[derive(Default)]
struct Stretch {
    start: u64,
    bytes: u64,
    pieces: Vec<Piece>,
}

/// The stretches of one file.
pub(super) struct Settling<'a> {
    context: &'a Context,
    file: Arc<GuardedFile>,
    path: Arc<Path>,
    read_back: ReadBack,
    counted: bool,
    buffers: Arc<Buffers>,
    pending: Window<'a, Result<Settled>>,
    next: Stretch,
}

struct Settled {
    image_bytes: u64,
    writing_out: Duration,
    verifying: Duration,
}

impl<'a> Settling<'a> {
    pub(super) fn new(
        context: &'a Context,
        file: &Arc<GuardedFile>,
        path: &Path,
        read_back: ReadBack,
        counted: bool,
    ) -> Settling<'a> {
        Settling {
            context,
            file: Arc::clone(file),
            path: path.into(),
            read_back,
            counted,
            buffers: Buffers::new(),
            pending: context.blocking_window(MOST_PENDING),
            next: Stretch::default(),
        }
    }

    /// Takes note of the next piece of the file; waits if too much is on its way.
    pub(super) fn push(&mut self, piece: Piece, report: &mut Report) -> Result<()> {
        self.next.bytes += piece.bytes as u64;
        self.next.pieces.push(piece);
        if self.next.bytes >= STRETCH {
            self.submit(report)?;
        }
        Ok(())
    }

    /// Waits until everything is settled.
    pub(super) fn finish(&mut self, report: &mut Report) -> Result<()> {
        self.submit(report)?;
        while self.take(report)? {}
        Ok(())
    }

    fn submit(&mut self, report: &mut Report) -> Result<()> {
        // What has ended is noticed early: an error, and progress.
        while self.pending.is_full() || self.pending.is_front_ready() {
            self.take(report)?;
        }
        let start = self.next.start + self.next.bytes;
        let stretch = std::mem::replace(&mut self.next, Stretch { start, ..Stretch::default() });
        let (file, path, buffers) = (Arc::clone(&self.file), Arc::clone(&self.path), Arc::clone(&self.buffers));
        let (job, read_back) = (Arc::clone(&self.context.job), self.read_back);
        self.pending.submit(move || settle(&file, &path, &stretch, read_back, &buffers, &job));
        Ok(())
    }

    /// False if nothing is pending.
    fn take(&mut self, report: &mut Report) -> Result<bool> {
        let Some(settled) = self.pending.next()? else { return Ok(false) };
        let settled = settled?;
        report.syncing += settled.writing_out;
        report.verifying += settled.verifying;
        if self.counted && self.read_back != ReadBack::No {
            self.context.job.progress.add_work(verify_work(settled.image_bytes));
        }
        Ok(true)
    }
}

/// How much of a job's work the verification of `image_bytes` is, in bytes copied.
pub fn verify_work(image_bytes: u64) -> u64 {
    image_bytes / 4
}

fn settle(
    file: &File,
    path: &Path,
    stretch: &Stretch,
    read_back: ReadBack,
    buffers: &Arc<Buffers>,
    job: &Job,
) -> Result<Settled> {
    let mut settled = Settled {
        image_bytes: stretch.pieces.iter().map(|piece| piece.image_bytes as u64).sum(),
        writing_out: Duration::ZERO,
        verifying: Duration::ZERO,
    };
    let mut clock = Stopwatch::start();
    write_out(file, stretch.start, stretch.bytes).map_err(|error| Error::os("cannot write", path, error))?;
    clock.lap(&mut settled.writing_out);
    if crate::hooks::on("flip-byte") {
        flip_byte(file, path, stretch)?;
    }
    if read_back == ReadBack::FromDisk {
        forget(file, stretch);
    }
    if read_back != ReadBack::No {
        compare(file, path, stretch, buffers, job)?;
    }
    forget(file, stretch);
    clock.lap(&mut settled.verifying);
    Ok(settled)
}

fn compare(file: &File, path: &Path, stretch: &Stretch, buffers: &Arc<Buffers>, job: &Job) -> Result<()> {
    let mut offset = stretch.start;
    for piece in &stretch.pieces {
        if job.control.is_cancelled() {
            return Err(Error::cancelled());
        }
        let mut data = buffers.take(piece.bytes)?;
        file.read_exact_at(&mut data, offset).map_err(|error| Error::os("cannot read back", path, error))?;
        if piece.hash.is_some_and(|wanted| wanted != hash::blake3(&data)) {
            let end = offset + piece.bytes as u64;
            let message =
                format!("what was written to {path:?} does not read back the same, in bytes {offset} to {end}");
            return Err(Error::new(Status::Corrupt, message));
        }
        offset += piece.bytes as u64;
    }
    Ok(())
}

/// Only what the disk has is forgotten; a file system that ignores the advice keeps it.
fn forget(file: &File, stretch: &Stretch) {
    if let Some(bytes) = NonZeroU64::new(stretch.bytes) {
        let _ = fadvise(file, stretch.start, Some(bytes), Advice::DontNeed);
    }
}

/// A test's fault: the disk keeps something else than it was given.
fn flip_byte(file: &File, path: &Path, stretch: &Stretch) -> Result<()> {
    let failed = |error| Error::os("cannot damage", path, error);
    let (mut byte, offset) = ([0], stretch.start + stretch.bytes / 2);
    file.read_exact_at(&mut byte, offset).map_err(failed)?;
    file.write_all_at(&[!byte[0]], offset).map_err(failed)?;
    write_out(file, stretch.start, stretch.bytes).map_err(failed)
}
