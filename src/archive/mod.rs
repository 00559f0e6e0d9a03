//! From an image to the bytes of its archive: a pipeline of one reader and writer (the job's thread), the pool's threads
//! between the two, and what follows the writer. docs/FORMAT.md describes the compressed archive.

mod buffer;
mod decode;
mod digest;
mod frame;
mod geometry;
mod hash;
mod index;
mod input;
mod manifest;
mod output;
mod pace;
mod parent;
mod plain;
mod reader;
mod seek_table;
mod settle;

pub use buffer::zeros;
pub use decode::{ChunkBuffer, Damage, Frames, Piece, check_frames, decode, decode_frames, for_each_chunk};
pub use frame::zstd_version;
pub use input::{ImageHeader, Input, Kind};
pub use manifest::{FORMAT_VERSION, Manifest, Versions};
pub use output::{Output, OutputOptions};
pub use parent::Parent;
pub use plain::Plain;
pub use settle::{ReadBack, verify_work};

use crate::error::{Error, Result};
use crate::job::Report;
use crate::runtime::{Context, LogLevel};
use buffer::{Buffer, Buffers};
use frame::Compressors;
use manifest::{ArchiveId, Chunk, MANIFEST_MAGIC};
use parent::Found;
use reader::Reader;
use rustix::time::{ClockId, clock_gettime};
use seek_table::Entry;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// How the chunks of an image are laid into its archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// As they are.
    Image,
    /// Each as a Zstandard frame of this level, then a manifest and a seek table.
    Zstd {
        /// -7 to 19.
        level: i32,
    },
}

/// Where an image comes from.
pub trait Image {
    /// Fills `buffer` with whole pages, beginning with the page at `offset`.
    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<()>;
    /// Looks whether more may be read, ten times a second while nothing is.
    fn check(&self) -> Result<()> {
        Ok(())
    }
    /// Everything was read.
    fn finish(&mut self, report: &mut Report) -> Result<()>;
}

/// What is to be written, and how.
pub struct Plan {
    /// Plain or compressed.
    pub encoding: Encoding,
    /// Bytes of a page.
    pub page_size: u32,
    /// Pages of the image.
    pub page_count: u32,
    /// Bytes of a chunk; None adapts.
    pub chunk_bytes: Option<u64>,
    /// Keep to the rate that the caller asked for.
    pub throttled: bool,
    /// Where unchanged chunks may be taken from.
    pub parent: Option<Parent>,
    /// When the copy began, for the manifest.
    pub began: SystemTime,
    /// For the manifest.
    pub written_by: Versions,
}

impl Plan {
    /// An image to an image.
    pub fn plain_copy(page_size: u32, page_count: u32) -> Plan {
        Plan {
            encoding: Encoding::Image,
            page_size,
            page_count,
            chunk_bytes: None,
            throttled: true,
            parent: None,
            began: SystemTime::now(),
            written_by: Versions::default(),
        }
    }

    /// Bytes of the image.
    pub fn image_bytes(&self) -> u64 {
        u64::from(self.page_size) * u64::from(self.page_count)
    }

    /// Bytes that the archive has at least: what compressing leaves of an image is not known before.
    pub fn least_bytes(&self) -> u64 {
        match self.encoding {
            Encoding::Image => self.image_bytes(),
            Encoding::Zstd { .. } => 0,
        }
    }
}

/// Reads the image chunk by chunk, encodes, and appends to `output`. Between two steps the job may be cancelled.
pub fn write(
    context: &Context,
    report: &mut Report,
    plan: &Arc<Plan>,
    image: &mut dyn Image,
    output: &mut Output<'_>,
) -> Result<()> {
    let buffers = Buffers::new();
    let workshop = Arc::new(Workshop::new(plan, &buffers, output.wants_hashes()));
    let mut reader = Reader::new(context, plan, image, &buffers);
    let mut window = context.window();
    let mut assembly = Assembly { context, output, chunks: Vec::new(), damaged_in_parent: 0 };
    let mut header = None;
    let mut index = 0;
    loop {
        // What is ready is written first, so that progress is told as it is made.
        let chunk = if window.is_full() || window.is_front_ready() { None } else { reader.next(report)? };
        if let Some(chunk) = chunk {
            header.get_or_insert_with(|| Header::of(&chunk));
            let workshop = Arc::clone(&workshop);
            window.submit(move || workshop.encode(index, chunk));
            index += 1;
        } else if let Some(encoded) = window.next()? {
            assembly.append(encoded?, report)?;
        } else {
            break;
        }
    }
    assembly.tell_damage(plan.parent.as_ref());
    let Encoding::Zstd { level } = plan.encoding else { return Ok(()) };
    let header = header.unwrap_or_default();
    let manifest = Manifest {
        written_by: plan.written_by.clone(),
        created: plan.began,
        archive_id: new_id()?,
        parent_id: plan.parent.as_ref().map(Parent::id),
        level,
        geometry: reader.geometry(),
        application_id: header.application_id,
        user_version: header.user_version,
        chunks: assembly.chunks,
    };
    for frame in closing_frames(&manifest)? {
        let hash = output.wants_hashes().then(|| hash::blake3(&frame));
        output.append(buffers.copy_of(&frame)?, 0, hash, report)?;
    }
    Ok(())
}

/// The pipeline's end, in the order of the chunks.
struct Assembly<'a, 'o> {
    context: &'a Context,
    output: &'a mut Output<'o>,
    chunks: Vec<Chunk>,
    damaged_in_parent: u64,
}

impl Assembly<'_, '_> {
    fn append(&mut self, encoded: Encoded, report: &mut Report) -> Result<()> {
        report.compressing += encoded.compressing;
        match encoded.origin {
            Origin::Image => {}
            Origin::Parent => {
                report.bytes_reused += encoded.data.len() as u64;
                self.context.job.progress.add_reused(encoded.data.len() as u64);
            }
            Origin::ImageAsParentIsDamaged => self.damaged_in_parent += 1,
        }
        self.chunks.extend(encoded.chunk);
        self.output.append(encoded.data, encoded.image_bytes, encoded.hash, report)
    }

    fn tell_damage(&self, parent: Option<&Parent>) {
        if let (Some(parent), count @ 1..) = (parent, self.damaged_in_parent) {
            let message =
                format!("{count} frames of {:?} are damaged; their chunks were compressed anew", parent.path());
            self.context.log(LogLevel::Warning, message);
        }
    }
}

/// What SQLite keeps in the first page (<https://sqlite.org/fileformat2.html>, "The Database Header"), in big-endian.
#[derive(Default)]
struct Header {
    application_id: u32,
    user_version: i32,
}

impl Header {
    fn of(first_chunk: &[u8]) -> Header {
        let at = |offset: usize| {
            let field = first_chunk.get(offset..offset + 4).and_then(|bytes| bytes.try_into().ok());
            u32::from_be_bytes(field.unwrap_or_default())
        };
        Header { application_id: at(68), user_version: at(60) as i32 }
    }
}

/// Sixteen bytes that no other archive has.
fn new_id() -> Result<ArchiveId> {
    crate::random::bytes()
        .map_err(|error| Error::os("cannot get random bytes for", Path::new("the archive's id"), error))
}

/// What follows the frames of the chunks: the manifest, and the seek table over all of them.
fn closing_frames(manifest: &Manifest) -> Result<[Vec<u8>; 2]> {
    let frame = seek_table::skippable(MANIFEST_MAGIC, &manifest.encode()?)?;
    let of_chunks = manifest.chunks.iter().enumerate().map(|(index, chunk)| Entry {
        compressed: chunk.frame_bytes,
        decompressed: manifest.geometry.chunk(index as u64).1 as u32,
    });
    // It cannot be longer than what `skippable` accepts.
    let of_manifest = Entry { compressed: frame.len() as u32, decompressed: 0 };
    let table = seek_table::encode(&of_chunks.chain([of_manifest]).collect::<Vec<_>>())?;
    Ok([frame, table])
}

/// A chunk on its way from the pool to the file.
struct Encoded {
    data: Buffer,
    image_bytes: usize,
    /// Of the data, if anybody is going to compare it.
    hash: Option<blake3::Hash>,
    /// For the manifest.
    chunk: Option<Chunk>,
    origin: Origin,
    compressing: Duration,
}

/// What the data was made from.
enum Origin {
    Image,
    Parent,
    ImageAsParentIsDamaged,
}

/// What the pool's threads need.
struct Workshop {
    plan: Arc<Plan>,
    buffers: Arc<Buffers>,
    hash: bool,
    /// None for a plain image.
    compressors: Option<Compressors>,
}

impl Workshop {
    fn new(plan: &Arc<Plan>, buffers: &Arc<Buffers>, hash: bool) -> Workshop {
        let compressors = match plan.encoding {
            Encoding::Image => None,
            Encoding::Zstd { level } => Some(Compressors::new(level)),
        };
        Workshop { plan: Arc::clone(plan), buffers: Arc::clone(buffers), hash, compressors }
    }

    /// On a pool thread: a chunk to its piece of the file.
    fn encode(&self, index: usize, chunk: Buffer) -> Result<Encoded> {
        let image_bytes = chunk.len();
        let Some(compressors) = &self.compressors else {
            let hash = self.hash.then(|| hash::blake3(&chunk));
            let (origin, compressing) = (Origin::Image, Duration::ZERO);
            return Ok(Encoded { data: chunk, image_bytes, hash, chunk: None, origin, compressing });
        };
        let content = hash::blake3(&chunk);
        let found = match &self.plan.parent {
            Some(parent) => parent.find(index, &content, image_bytes, &self.buffers)?,
            None => Found::Changed,
        };
        let mut compressing = Duration::ZERO;
        let mut compress = || {
            let before = processor_time();
            let frame = compressors.compress(&chunk, &self.buffers);
            compressing += processor_time().saturating_sub(before);
            frame
        };
        let (data, origin) = match found {
            Found::Frame(frame) => (frame, Origin::Parent),
            Found::Changed => (compress()?, Origin::Image),
            Found::Damaged => (compress()?, Origin::ImageAsParentIsDamaged),
        };
        let frame = hash::blake3(&data);
        // A chunk has at most 256 MiB, and a frame hardly more than its chunk.
        let chunk = Some(Chunk { content, frame, frame_bytes: data.len() as u32 });
        Ok(Encoded { data, image_bytes, hash: self.hash.then_some(frame), chunk, origin, compressing })
    }
}

/// What this thread has had of a processor: with more threads than processors, less than the time that went by.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}
