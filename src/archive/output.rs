//! The archive file as it grows.

use super::buffer::{Buffer, Buffers};
use super::decode;
use super::digest::Digest;
use super::hash;
use super::settle::{Piece, ReadBack, Settling};
use crate::error::{Error, Result};
use crate::job::{Report, Stopwatch};
use crate::runtime::{Context, GuardedFile};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

/// What an [`Output`] does beside writing.
#[derive(Clone, Copy)]
pub struct OutputOptions {
    /// Hash the file.
    pub digest: bool,
    /// Settle what was written, and how that is proven. None for what is soon read again and then thrown away.
    pub settle: Option<ReadBack>,
    /// Do all of that only in [`Output::finish`]: somebody waits until everything is written.
    pub later: bool,
    /// What is written is what the job's progress counts.
    pub counted: bool,
}

impl Default for OutputOptions {
    fn default() -> OutputOptions {
        OutputOptions { digest: false, settle: Some(ReadBack::Cached), later: false, counted: true }
    }
}

/// A file that is written from its beginning, settled behind the writer, and hashed on the way.
pub struct Output<'a> {
    context: &'a Context,
    file: Arc<GuardedFile>,
    path: &'a Path,
    bytes: u64,
    hash_pieces: bool,
    digest: Option<Digest>,
    settling: Option<Settling<'a>>,
    later: Option<Vec<Piece>>,
    counted: bool,
}

/// What [`Output::finish`] has proven.
pub struct Finished {
    /// Bytes of the file.
    pub bytes: u64,
    /// SHA-256 of the file, if it was asked for.
    pub sha256: Option<[u8; 32]>,
}

impl<'a> Output<'a> {
    /// Of an empty file; `path` is for messages.
    pub fn new(context: &'a Context, file: &Arc<GuardedFile>, path: &'a Path, options: OutputOptions) -> Output<'a> {
        Output {
            context,
            file: Arc::clone(file),
            path,
            bytes: 0,
            hash_pieces: options.settle.is_some_and(|read_back| read_back != ReadBack::No),
            digest: options.digest.then(Digest::new),
            settling: options.settle.map(|read_back| Settling::new(context, file, path, read_back, options.counted)),
            later: options.later.then(Vec::new),
            counted: options.counted,
        }
    }

    /// True if [`Output::append`] should be given hashes.
    pub(super) fn wants_hashes(&self) -> bool {
        self.hash_pieces
    }

    /// Appends `data`, which stands for `image_bytes` of the image.
    pub(super) fn append(
        &mut self,
        data: Buffer,
        image_bytes: usize,
        hash: Option<blake3::Hash>,
        report: &mut Report,
    ) -> Result<()> {
        let mut clock = Stopwatch::start();
        (&**self.file).write_all(&data).map_err(|error| Error::os("cannot write", self.path, error))?;
        clock.lap(&mut report.writing);
        self.bytes += data.len() as u64;
        if self.counted {
            self.context.job.progress.add_archived(image_bytes as u64, data.len() as u64);
        }
        let piece = Piece { bytes: data.len(), image_bytes, hash };
        match &mut self.later {
            Some(later) => {
                later.push(piece);
                Ok(())
            }
            None => self.follow(piece, Some(data), report),
        }
    }

    /// Appends a piece of an image that was read from another backup file.
    pub fn append_piece(&mut self, piece: decode::Piece, report: &mut Report) -> Result<()> {
        let hash = self.hash_pieces.then(|| piece.hash.unwrap_or_else(|| hash::blake3(&piece.data)));
        let image_bytes = piece.data.len();
        self.append(piece.data, image_bytes, hash, report)
    }

    /// Whatever happens to a piece that is in the file.
    fn follow(&mut self, piece: Piece, data: Option<Buffer>, report: &mut Report) -> Result<()> {
        if let Some(settling) = &mut self.settling {
            settling.push(piece, report)?;
        }
        if let (Some(digest), Some(data)) = (&self.digest, data) {
            digest.push(self.context, data)?;
        }
        Ok(())
    }

    /// Does what was put off, and waits until everything is settled and hashed.
    pub fn finish(mut self, report: &mut Report) -> Result<Finished> {
        let buffers = Buffers::new();
        let mut offset = 0;
        for piece in self.later.take().unwrap_or_default() {
            let data = match self.digest {
                Some(_) => {
                    let mut data = buffers.take(piece.bytes)?;
                    self.file
                        .read_exact_at(&mut data, offset)
                        .map_err(|error| Error::os("cannot read back", self.path, error))?;
                    Some(data)
                }
                None => None,
            };
            offset += piece.bytes as u64;
            self.follow(piece, data, report)?;
        }
        if let Some(settling) = &mut self.settling {
            settling.finish(report)?;
        }
        let sha256 = self.digest.take().map(|digest| digest.finish(self.context)).transpose()?;
        Ok(Finished { bytes: self.bytes, sha256 })
    }
}
