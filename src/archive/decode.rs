//! From a backup file back to its image: archives of ours frame by frame on the pool's threads, other tools' files as one
//! stream. Every hash is compared on the way, and nothing that the file says is believed before.

use super::buffer::{Buffer, Buffers, zeros};
use super::frame::Decompressors;
use super::hash;
use super::index::Index;
use super::input::{ImageHeader, Input, Kind};
use crate::error::{Error, Result, Status};
use crate::job::{Check, Control, Finding, Report, Stopwatch, Throttle};
use crate::runtime::{Context, Window};
use std::fs::File;
use std::io::{BufRead, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// Bytes of a piece of a stream.
const PIECE: usize = 1 << 20;

/// A part of the image, in order.
pub struct Piece {
    /// Where it begins.
    pub offset: u64,
    pub(super) data: Buffer,
    /// What the manifest says, and what it is.
    pub(super) hash: Option<blake3::Hash>,
}

impl std::ops::Deref for Piece {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.data
    }
}

/// An error with the place of what is wrong.
pub struct Damage {
    error: Error,
    finding: Finding,
}

impl Damage {
    /// Of the file as a whole.
    pub fn of_structure(error: Error) -> Damage {
        Damage::new(Check::Structure, None, error)
    }

    fn new(check: Check, chunk: Option<u64>, error: Error) -> Damage {
        Damage { error, finding: Finding { check, chunk, page: None } }
    }

    /// Without the place.
    pub fn into_error(self) -> Error {
        self.error
    }

    /// Tells the place in the report.
    pub fn note(self, report: &mut Report) -> Error {
        // Only what is the file's fault: the disk may fail, too.
        if matches!(self.error.status, Status::Corrupt | Status::NotADatabase) {
            report.finding = Some(self.finding);
        }
        self.error
    }
}

/// What the pool's threads need to read frames.
pub struct Frames {
    input: Arc<Input>,
    index: Arc<Index>,
    decompressors: Decompressors,
    buffers: Arc<Buffers>,
}

impl Frames {
    /// Of an archive of ours; None of another file.
    pub fn of(input: &Arc<Input>) -> Option<Arc<Frames>> {
        let (input, index) = (Arc::clone(input), Arc::clone(input.index()?));
        Some(Arc::new(Frames { input, index, decompressors: Decompressors::default(), buffers: Buffers::new() }))
    }

    /// The archive's index.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// A buffer of `bytes`, for who reads something to compare.
    pub fn buffer(&self, bytes: usize) -> Result<ChunkBuffer> {
        self.buffers.take(bytes).map(ChunkBuffer)
    }

    /// A frame as it is in the file, with the hash that the manifest says.
    fn frame(&self, index: usize) -> std::result::Result<Buffer, Damage> {
        let damage = |check, error| Damage::new(check, Some(index as u64), error);
        let path = self.input.path();
        let (chunk, start) = (&self.index.manifest.chunks[index], self.index.frame_start(index));
        // No longer than the file, and than Zstandard makes it, as the index has checked.
        let mut frame = self.buffers.take(chunk.frame_bytes as usize).map_err(|error| damage(Check::Frame, error))?;
        self.input
            .file()
            .read_exact_at(&mut frame, start)
            .map_err(|error| damage(Check::Frame, Error::os("cannot read", path, error)))?;
        if hash::blake3(&frame) == chunk.frame {
            return Ok(frame);
        }
        let message = format!("{path:?} is damaged: the frame of chunk {index} (at byte {start}) has another hash");
        Err(damage(Check::Frame, Error::new(Status::Corrupt, message)))
    }

    /// The manifest must be that of this very image, of which `first` is the first chunk.
    pub fn check_header(&self, first: &[u8]) -> std::result::Result<(), Damage> {
        let damage = |error| Damage::new(Check::Content, Some(0), error);
        let Some(told) = self.input.image_header() else { return Ok(()) };
        if told.page_count == Some(0) && first.is_empty() {
            return Ok(());
        }
        let found = ImageHeader::decode(first, self.input.path()).map_err(damage)?;
        let agrees = found.page_size == told.page_size
            && found.page_count.is_none_or(|pages| Some(pages) == told.page_count)
            && (found.application_id, found.user_version) == (told.application_id, told.user_version);
        if agrees {
            return Ok(());
        }
        let message = format!("{:?} is damaged: its manifest is not that of its image", self.input.path());
        Err(damage(Error::new(Status::Corrupt, message)))
    }

    /// True if the chunk `index` is `content`.
    pub fn has_content(&self, index: usize, content: &[u8]) -> bool {
        let chunk = self.index.manifest.chunks.get(index);
        chunk.is_some_and(|chunk| chunk.content == hash::blake3(content))
    }

    /// Compares a frame's hash.
    fn check(&self, index: usize) -> std::result::Result<(), Damage> {
        self.frame(index).map(|_| ())
    }

    /// A chunk, with the hash that the manifest says.
    pub fn chunk(&self, index: usize) -> std::result::Result<Piece, Damage> {
        let frame = self.frame(index)?;
        let damage = |check, error| Damage::new(check, Some(index as u64), error);
        let path = self.input.path();
        let (offset, bytes) = self.index.manifest.geometry.chunk(index as u64);
        let mut data = self.buffers.take(bytes).map_err(|error| damage(Check::Frame, error))?;
        let got = self.decompressors.decompress(&frame, &mut data).map_err(|error| {
            let message = format!("{path:?} is damaged: chunk {index}: {}", error.message);
            damage(Check::Frame, Error { message, ..error })
        })?;
        let content = hash::blake3(&data[..got]);
        if got == bytes && content == self.index.manifest.chunks[index].content {
            return Ok(Piece { offset, data, hash: Some(content) });
        }
        let message = format!("{path:?} is damaged: chunk {index} is not what its manifest says");
        Err(damage(Check::Content, Error::new(Status::Corrupt, message)))
    }
}

/// A buffer of [`Frames`].
pub struct ChunkBuffer(Buffer);

impl ChunkBuffer {
    /// Forgets what is beyond `length`.
    pub fn truncate(&mut self, length: usize) {
        self.0.truncate(length);
    }
}

impl std::ops::Deref for ChunkBuffer {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl std::ops::DerefMut for ChunkBuffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

/// Does `work` for each chunk of `frames` on the pool's threads, with what `prepare` gives it; `consume` gets what comes
/// of it, in order. The job's thread prepares and consumes.
pub fn for_each_chunk<P: Send + 'static, T: Send + 'static>(
    context: &Context,
    frames: &Arc<Frames>,
    report: &mut Report,
    throttled: bool,
    mut prepare: impl FnMut(usize) -> Result<P>,
    work: fn(&Frames, usize, P) -> T,
    mut consume: impl FnMut(usize, T, &mut Report) -> Result<()>,
) -> Result<()> {
    let control = &context.job.control;
    let geometry = frames.index().manifest.geometry;
    let mut throttle = Throttle::new();
    let mut window: Window<'_, T> = context.window();
    let mut ahead = 0..geometry.chunks() as usize;
    let mut behind = 0..;
    loop {
        let next = if window.is_full() || window.is_front_ready() { None } else { ahead.next() };
        if let Some(index) = next {
            control.check()?;
            let prepared = prepare(index)?;
            let frames = Arc::clone(frames);
            window.submit(move || work(&frames, index, prepared));
            if throttled {
                let mut clock = Stopwatch::start();
                throttle.pay(geometry.chunk(index as u64).1 as u64, control)?;
                clock.lap(&mut report.waiting);
            }
        } else if let (Some(made), Some(index)) = (window.next()?, behind.next()) {
            consume(index, made, report)?;
        } else {
            return Ok(());
        }
    }
}

/// Compares the hash of every frame of an archive of ours, without decompressing any.
pub fn check_frames(
    context: &Context,
    frames: &Arc<Frames>,
    report: &mut Report,
    mut checked: impl FnMut(u64),
) -> Result<()> {
    let geometry = frames.index().manifest.geometry;
    let check = |frames: &Frames, index, ()| frames.check(index);
    for_each_chunk(
        context,
        frames,
        report,
        true,
        |_| Ok(()),
        check,
        |index, result, report| {
            result.map_err(|damage| damage.note(report))?;
            checked(geometry.chunk(index as u64).1 as u64);
            Ok(())
        },
    )
}

/// The image of a compressed backup file, piece by piece. `begin` is told what the image's header says before anything
/// else, and may refuse it; the pieces that follow it are exactly as many bytes as it tells, if it does.
pub fn decode(
    context: &Context,
    input: &Arc<Input>,
    report: &mut Report,
    mut begin: impl FnMut(&ImageHeader, &mut Report) -> Result<()>,
    consume: impl FnMut(Piece, &mut Report) -> Result<()>,
) -> Result<()> {
    let Some(frames) = Frames::of(input) else {
        return decode_stream(context, input, report, begin, consume);
    };
    if let Some(header) = input.image_header() {
        begin(&header, report)?;
    }
    decode_frames(context, &frames, report, consume)
}

/// A file from its beginning, in large steps, before each of which the job may be cancelled: much of a file may become
/// nothing. Not std's: that aborts where there is no memory for them.
struct Reader<'a> {
    file: &'a File,
    control: &'a Control,
    held: Vec<u8>,
    start: usize,
    end: usize,
}

impl BufRead for Reader<'_> {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        if self.start == self.end {
            self.control.check().map_err(std::io::Error::other)?;
            (self.start, self.end) = (0, self.file.read(&mut self.held)?);
        }
        Ok(&self.held[self.start..self.end])
    }

    fn consume(&mut self, amount: usize) {
        self.start += amount;
    }
}

impl Read for Reader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let amount = self.fill_buf()?.read(buffer)?;
        self.consume(amount);
        Ok(amount)
    }
}

/// The image of an archive of ours, piece by piece.
pub fn decode_frames(
    context: &Context,
    frames: &Arc<Frames>,
    report: &mut Report,
    mut consume: impl FnMut(Piece, &mut Report) -> Result<()>,
) -> Result<()> {
    let chunk = |frames: &Frames, index, ()| frames.chunk(index);
    for_each_chunk(
        context,
        frames,
        report,
        true,
        |_| Ok(()),
        chunk,
        |index, piece, report| {
            let piece = piece.map_err(|damage| damage.note(report))?;
            if index == 0 {
                frames.check_header(&piece).map_err(|damage| damage.note(report))?;
            }
            consume(piece, report)
        },
    )
}

fn decode_stream(
    context: &Context,
    input: &Arc<Input>,
    report: &mut Report,
    mut begin: impl FnMut(&ImageHeader, &mut Report) -> Result<()>,
    mut consume: impl FnMut(Piece, &mut Report) -> Result<()>,
) -> Result<()> {
    let path = input.path();
    // Libraries tell what is wrong with the file, and that they have no memory, by their words.
    let failed = |error: std::io::Error, report: &mut Report| {
        let error = match error.downcast::<Error>() {
            Ok(cancelled) => return cancelled,
            Err(error) => error,
        };
        let said = error.raw_os_error().is_none().then(|| error.to_string());
        let error = Error::os("cannot decompress", path, error);
        match said {
            None => error,
            Some(said) if said.contains("not enough memory") || said.contains("allocate") => {
                Error { status: Status::OutOfMemory, ..error }
            }
            // A window that is larger than Zstandard allows by itself: `zstd --long=28` and more.
            Some(said) if said.contains("too much memory") => Error { status: Status::Unsupported, ..error },
            Some(_) => Damage::new(Check::Frame, None, Error { status: Status::Corrupt, ..error }).note(report),
        }
    };
    let file = Reader { file: input.file(), control: &context.job.control, held: zeros(PIECE)?, start: 0, end: 0 };
    let mut stream: Box<dyn Read + '_> = match input.kind() {
        Kind::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(file)),
        _ => Box::new(zstd::Decoder::with_buffer(file).map_err(|error| failed(error, report))?),
    };
    let damaged = |what: String, report: &mut Report| {
        let error = Error::new(Status::Corrupt, format!("{path:?} is damaged: {what}"));
        Damage::new(Check::Structure, None, error).note(report)
    };
    let buffers = Buffers::new();
    let mut throttle = Throttle::new();
    let mut header: Option<ImageHeader> = None;
    let mut offset = 0;
    loop {
        context.job.control.check()?;
        let mut data = buffers.take(PIECE)?;
        let length = read_full(&mut stream, &mut data).map_err(|error| failed(error, report))?;
        if length == 0 && header.is_some() {
            break;
        }
        data.truncate(length);
        if header.is_none() {
            let found = ImageHeader::decode(&data, path)
                .map_err(|error| Damage::new(Check::Structure, None, error).note(report))?;
            begin(&found, report)?;
            header = Some(found);
        }
        // SQLite makes a file longer than its database where the application has it grow in large steps
        // (SQLITE_FCNTL_CHUNK_SIZE). The rest is read, as its checksum may be wrong, and is none of the image.
        let image_bytes = header.as_ref().and_then(ImageHeader::bytes).unwrap_or(u64::MAX);
        let of_image = image_bytes.saturating_sub(offset).min(length as u64);
        if of_image > 0 {
            data.truncate(of_image as usize);
            consume(Piece { offset, data, hash: None }, report)?;
        }
        offset += length as u64;
        let mut clock = Stopwatch::start();
        throttle.pay(length as u64, &context.job.control)?;
        clock.lap(&mut report.waiting);
    }
    let Some(header) = header else { return Ok(()) };
    match header.bytes() {
        Some(bytes) if offset < bytes => {
            Err(damaged(format!("it holds {offset} bytes of the {bytes} that its database header tells"), report))
        }
        None if offset % u64::from(header.page_size) != 0 => {
            Err(damaged(format!("{offset} bytes are no whole pages"), report))
        }
        _ => Ok(()),
    }
}

/// Fills `buffer` as far as the stream goes.
fn read_full(stream: &mut dyn Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match stream.read(&mut buffer[length..]) {
            Ok(0) => break,
            Ok(bytes) => length += bytes,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}
