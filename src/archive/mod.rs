//! From an image to the bytes of its archive, and the proof that they are on the disk: a pipeline of one reader and
//! writer (the job's thread) and the pool's threads between the two.

mod buffer;
mod digest;
mod frame;
mod output;

pub use digest::Digest;
pub use frame::decompress;
pub use output::Output;

use crate::error::{Error, Result, Status};
use crate::job::{Report, Stopwatch, Throttle};
use crate::runtime::{Context, Window};
use buffer::{Buffer, Buffers};
use frame::Compressors;
use rustix::fs::{Advice, fadvise};
use std::fs::File;
use std::num::NonZeroU64;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How the chunks of an image are laid into its archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// As they are.
    Image,
    /// Each as a Zstandard frame of this level.
    Zstd {
        /// -7 to 19.
        level: i32,
    },
}

/// The shape of an image: whole pages, in chunks of whole pages.
#[derive(Clone, Copy, Debug)]
pub struct Geometry {
    /// Bytes of the image.
    pub image_bytes: u64,
    /// Bytes of every chunk but the last.
    pub chunk_bytes: usize,
}

impl Geometry {
    /// Chunks of about `wanted` bytes.
    pub fn new(page_size: u32, page_count: u32, wanted: u64) -> Geometry {
        let page_size = u64::from(page_size.max(1));
        let image_bytes = page_size * u64::from(page_count);
        let chunk_bytes = (wanted / page_size).max(1) * page_size;
        Geometry { image_bytes, chunk_bytes: chunk_bytes as usize }
    }

    /// Chunks of the image. An empty one has one, empty: a Zstandard file needs a frame.
    fn chunks(&self) -> u64 {
        self.image_bytes.div_ceil(self.chunk_bytes as u64).max(1)
    }

    /// Where chunk `index` begins, and its length.
    fn chunk(&self, index: u64) -> (u64, usize) {
        let start = index * self.chunk_bytes as u64;
        (start, (self.image_bytes - start).min(self.chunk_bytes as u64) as usize)
    }
}

/// What was written, piece by piece: what the file has to read back as.
#[derive(Default)]
pub struct Written {
    /// Bytes of the file.
    pub bytes: u64,
    pieces: Vec<Piece>,
}

struct Piece {
    /// Bytes in the file.
    bytes: usize,
    /// Bytes of the image that it stands for.
    image_bytes: usize,
    /// None if nobody is going to compare it.
    hash: Option<blake3::Hash>,
}

/// A chunk on its way from the pool to the file.
struct Encoded {
    data: Arc<Buffer>,
    image_bytes: usize,
    hash: Option<blake3::Hash>,
    compressing: Duration,
}

/// What [`write`] does beside writing.
pub struct WriteOptions<'a> {
    /// How.
    pub encoding: Encoding,
    /// Remember a hash of every piece, for [`verify`].
    pub hash_pieces: bool,
    /// Hash the file as it is written.
    pub digest: Option<&'a Digest>,
    /// Keep to the rate that the caller asked for.
    pub throttled: bool,
}

/// Reads the image chunk by chunk, encodes, and appends to `output`. `read` gets an offset and a buffer to fill;
/// between two calls the job may be cancelled.
pub fn write(
    context: &Context,
    report: &mut Report,
    geometry: Geometry,
    options: &WriteOptions<'_>,
    mut read: impl FnMut(u64, &mut [u8]) -> Result<()>,
    mut output: Output<'_>,
) -> Result<Written> {
    let job = &context.job;
    let buffers = Buffers::new();
    let compressors = match options.encoding {
        Encoding::Image => None,
        Encoding::Zstd { level } => Some(Compressors::new(level)),
    };
    let mut throttle = Throttle::new();
    let mut window = Window::new(context.pool(), job);
    let mut written = Written::default();
    let mut clock = Stopwatch::start();
    let mut chunks = 0..geometry.chunks();
    loop {
        // What is ready is written first, so that progress is told as it is made.
        let next = if window.is_full() || window.is_front_ready() { None } else { chunks.next() };
        let Some(index) = next else {
            let Some(encoded) = window.next()? else { break };
            let encoded: Encoded = encoded?;
            output.append(&encoded.data)?;
            let bytes = encoded.data.len();
            job.progress.add_archived(encoded.image_bytes as u64, bytes as u64);
            report.compressing += encoded.compressing;
            written.bytes += bytes as u64;
            written.pieces.push(Piece { bytes, image_bytes: encoded.image_bytes, hash: encoded.hash });
            if let Some(digest) = options.digest {
                digest.push(context, encoded.data)?;
            }
            continue;
        };
        job.control.check()?;
        let (offset, bytes) = geometry.chunk(index);
        let mut chunk = buffers.take(bytes)?;
        clock.lap(&mut report.writing);
        if bytes > 0 {
            read(offset, &mut chunk)?;
        }
        clock.lap(&mut report.reading);
        let (home, compressors, hash) = (Arc::clone(&buffers), compressors.clone(), options.hash_pieces);
        window.submit(move || encode(chunk, &home, compressors.as_deref(), hash));
        if options.throttled {
            throttle.pay(bytes as u64, &job.control)?;
            clock.lap(&mut report.waiting);
        }
    }
    clock.lap(&mut report.writing);
    Ok(written)
}

/// On a pool thread: a chunk to its piece of the file.
fn encode(
    chunk: Buffer,
    buffers: &Arc<Buffers>,
    compressors: Option<&Compressors>,
    hash_pieces: bool,
) -> Result<Encoded> {
    let image_bytes = chunk.len();
    let mut clock = Stopwatch::start();
    let mut compressing = Duration::ZERO;
    let data = match compressors {
        None => chunk,
        Some(compressors) => {
            let frame = compressors.compress(&chunk, buffers)?;
            clock.lap(&mut compressing);
            frame
        }
    };
    let hash = hash_pieces.then(|| blake3::hash(&data));
    Ok(Encoded { data: Arc::new(data), image_bytes, hash, compressing })
}

/// Reads back what [`write`] wrote and compares every piece that has a hash. Feeds `digest` on the way, if there is one.
pub fn verify(
    context: &Context,
    written: &Written,
    digest: Option<&Digest>,
    (file, path): (&File, &Path),
) -> Result<()> {
    let job = &context.job;
    let buffers = Buffers::new();
    let mut window = Window::new(context.pool(), job);
    let mut ahead = written.pieces.iter();
    let mut offset = 0;
    for (index, piece) in written.pieces.iter().enumerate() {
        while !window.is_full() {
            let Some(next) = ahead.next() else { break };
            job.control.check()?;
            // The disk fetches what comes next, if it has to, while this is read and hashed.
            let _ = fadvise(file, offset + next.bytes as u64, NonZeroU64::new(READ_AHEAD), Advice::WillNeed);
            let mut data = buffers.take(next.bytes)?;
            file.read_exact_at(&mut data, offset).map_err(|error| Error::os("cannot read back", path, error))?;
            offset += next.bytes as u64;
            let data = Arc::new(data);
            if let Some(digest) = digest {
                digest.push(context, Arc::clone(&data))?;
            }
            let wanted = next.hash;
            window.submit(move || wanted.is_none_or(|wanted| wanted == blake3::hash(&data)));
        }
        if window.next()? != Some(true) {
            let message = format!(
                "what was written to {path:?} does not read back the same: piece {index} of {}",
                written.pieces.len()
            );
            return Err(Error::new(Status::Corrupt, message));
        }
        job.progress.add_work(verify_work(piece.image_bytes as u64));
    }
    Ok(())
}

/// How far the disk is asked to fetch ahead of the verification.
const READ_AHEAD: u64 = 4 << 20;

/// How much of a job's work the verification of `image_bytes` is, in bytes copied.
pub fn verify_work(image_bytes: u64) -> u64 {
    image_bytes / 4
}
