//! A backup, from its request to a published archive.

use crate::archive::{self, Digest, Encoding, Geometry, Output, WriteOptions, Written};
use crate::error::{Error, Result, Status};
use crate::job::{Phase, Report, Stopwatch};
use crate::publish::{Directory, Existing, Unpublished, copied_mode};
use crate::runtime::{Context, LogLevel};
use crate::source::{self, Snapshot};
use rustix::fs::{Advice, AtFlags, CWD, Stat, fadvise, statat};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How much proof a backup wants before it is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verify {
    /// None.
    None,
    /// The file reads back as it was written.
    Quick,
    /// Quick, and SQLite finds no fault in the image.
    Full,
}

/// What is to be backed up, where to, and how. Paths are absolute.
#[derive(Clone, Debug)]
pub struct Request {
    /// The live database.
    pub source: PathBuf,
    /// The archive.
    pub dest: PathBuf,
    /// Plain or compressed.
    pub encoding: Encoding,
    /// What to do about an earlier archive.
    pub existing: Existing,
    /// How much proof.
    pub verify: Verify,
    /// Whether the report has the archive's SHA-256.
    pub digest: bool,
    /// Bytes of a chunk; None adapts.
    pub chunk_bytes: Option<u64>,
    /// How long to wait for locks.
    pub busy_timeout: Duration,
    /// Most growth of the write-ahead log in bytes, 0 for no limit.
    pub wal_limit: u64,
}

/// Suffixes of the files that SQLite keeps beside a database.
const SIDECARS: [&str; 3] = ["-wal", "-journal", "-shm"];

/// Chunk sizes that the library chooses by itself.
const PLAIN_CHUNK: u64 = 1 << 20;
const SMALLEST_CHUNK: u64 = 256 << 10;
const LARGEST_CHUNK: u64 = 2 << 20;

impl Request {
    /// Finds what can be told without opening anything: right on the host side, where a descriptor of the database must
    /// never be opened or closed. The job finds the rest, and all of this again where it matters.
    pub fn check(&self) -> Result<()> {
        source::check_sqlite()?;
        let source = source::stat_database(&self.source)?;
        let (directory, name) = self.dest_parts()?;
        let directory_stat = rustix::fs::stat(directory)
            .map_err(|error| Error::os("cannot open the destination's directory", directory, error))?;
        if rustix::fs::FileType::from_raw_mode(directory_stat.st_mode) != rustix::fs::FileType::Directory {
            return Err(Error::os("cannot open the destination's directory", directory, rustix::io::Errno::NOTDIR));
        }
        self.check_not_own(&source, &directory_stat, name)?;
        match statat(CWD, &self.dest, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) if self.existing == Existing::Refuse => {
                let message = format!("the destination {:?} exists already", self.dest);
                return Err(Error::new(Status::AlreadyExists, message));
            }
            Err(rustix::io::Errno::NAMETOOLONG) => {
                return Err(Error::invalid(format!("dest_path is too long: {:?}", self.dest)));
            }
            _ => {}
        }
        self.check_no_sidecar()
    }

    /// Refuses to write onto the source or onto what SQLite keeps beside it, by whatever path.
    fn check_not_own(&self, source: &Stat, directory: &Stat, name: &OsStr) -> Result<()> {
        let same = |one: &Stat, other: &Stat| (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino);
        let is_own = |what: &str| Err(Error::invalid(format!("dest_path {:?} is {what}", self.dest)));
        if rustix::fs::stat(&self.dest).is_ok_and(|dest| same(&dest, source)) {
            return is_own("the source itself");
        }
        let real_source = std::fs::canonicalize(&self.source)
            .map_err(|error| Error::os("cannot open the source", &self.source, error))?;
        let (Some(beside), Some(source_name)) = (real_source.parent(), real_source.file_name()) else { return Ok(()) };
        if rustix::fs::stat(beside).is_ok_and(|beside| same(&beside, directory)) {
            for suffix in SIDECARS {
                if with_suffix(source_name, suffix) == name {
                    return is_own(&format!("the name of the source's {suffix} file"));
                }
            }
        }
        Ok(())
    }

    /// A log or journal beside a plain image would be replayed onto it by whoever opens it.
    fn check_no_sidecar(&self) -> Result<()> {
        for suffix in ["-wal", "-journal"] {
            let sidecar = with_suffix(self.dest.as_os_str(), suffix);
            if self.encoding == Encoding::Image && statat(CWD, &sidecar, AtFlags::SYMLINK_NOFOLLOW).is_ok() {
                let message = format!("{sidecar:?} exists and would be replayed onto the destination; remove it first");
                return Err(Error::new(Status::AlreadyExists, message));
            }
        }
        Ok(())
    }

    fn dest_parts(&self) -> Result<(&Path, &OsStr)> {
        match (self.dest.parent(), self.dest.file_name()) {
            (Some(directory), Some(name)) => Ok((directory, name)),
            _ => Err(Error::invalid(format!("dest_path {:?} names no file", self.dest))),
        }
    }

    fn chunk_bytes(&self, image_bytes: u64) -> u64 {
        self.chunk_bytes.unwrap_or(match self.encoding {
            Encoding::Image => PLAIN_CHUNK,
            // Large chunks compress better, small ones keep all threads busy to the end.
            Encoding::Zstd { .. } => (image_bytes / 64).next_power_of_two().clamp(SMALLEST_CHUNK, LARGEST_CHUNK),
        })
    }
}

fn with_suffix(name: &OsStr, suffix: &str) -> OsString {
    let mut name = name.to_owned();
    name.push(suffix);
    name
}

/// The job, on the I/O side.
pub fn run(request: &Request, context: &Context, report: &mut Report) -> Result<()> {
    let job = &context.job;
    report.compressed = matches!(request.encoding, Encoding::Zstd { .. });
    job.control.check()?;

    let (directory, name) = request.dest_parts()?;
    let directory = Directory::open(directory)?;
    for swept in directory.sweep() {
        context.log(LogLevel::Info, format!("removed {swept:?}, which an earlier run had left"));
    }
    directory.check_free(name, request.existing)?;
    with_temporary(context, &directory, |archive| fill_and_publish(request, context, report, archive, name))
}

fn fill_and_publish(
    request: &Request,
    context: &Context,
    report: &mut Report,
    archive: &mut Unpublished,
    name: &OsStr,
) -> Result<()> {
    let job = &context.job;
    let mut clock = Stopwatch::start();
    let snapshot = Snapshot::begin(&request.source, job, request.busy_timeout, request.wal_limit)?;
    clock.lap(&mut report.waiting);
    let mode = copied_mode(snapshot.stat(), archive.file())?;
    let geometry = geometry_of(request, &snapshot, report);
    job.progress.set_total(geometry.image_bytes, total_work(request, &snapshot, geometry));

    // While writers wait, nothing is done that can be done later.
    let hash_early = request.digest && (!snapshot.blocks_writers() || is_staged(request, &snapshot));
    let digest = hash_early.then(Digest::new);
    let written = copy(request, context, report, geometry, snapshot, archive, digest.as_ref())?;
    report.archive_bytes = written.bytes;

    job.control.check()?;
    job.progress.set_phase(Phase::Syncing);
    let mut clock = Stopwatch::start();
    sync(context, archive)?;
    clock.lap(&mut report.syncing);

    job.progress.set_phase(Phase::Verifying);
    verify(request, context, archive, &written, digest, report)?;
    clock.lap(&mut report.verifying);

    job.control.check()?;
    request.check_no_sidecar()?;
    archive.publish(name, mode, request.existing)?;
    clock.lap(&mut report.syncing);
    Ok(())
}

fn geometry_of(request: &Request, snapshot: &Snapshot, report: &mut Report) -> Geometry {
    let (page_size, page_count) = (snapshot.page_size(), snapshot.page_count());
    let image_bytes = u64::from(page_size) * u64::from(page_count);
    report.page_size = if page_count == 0 { 0 } else { page_size };
    report.pages = page_count.into();
    report.image_bytes = image_bytes;
    Geometry::new(page_size, page_count, request.chunk_bytes(image_bytes))
}

/// Work is counted in bytes copied: staging counts half, reading back a quarter.
fn total_work(request: &Request, snapshot: &Snapshot, geometry: Geometry) -> u64 {
    let bytes = geometry.image_bytes;
    let staged = if is_staged(request, snapshot) { bytes / 2 } else { 0 };
    let verified = if request.verify == Verify::None { 0 } else { archive::verify_work(bytes) };
    bytes + staged + verified
}

/// A compressed backup of a rollback-journal source is copied raw first: nobody can commit while it is read.
fn is_staged(request: &Request, snapshot: &Snapshot) -> bool {
    snapshot.blocks_writers() && request.encoding != Encoding::Image
}

/// The image into the file. Returns what the file must read back as.
fn copy(
    request: &Request,
    context: &Context,
    report: &mut Report,
    geometry: Geometry,
    mut snapshot: Snapshot,
    archive: &Unpublished,
    digest: Option<&Digest>,
) -> Result<Written> {
    let progress = context.job.progress;
    let options = WriteOptions {
        encoding: request.encoding,
        hash_pieces: request.verify != Verify::None,
        digest,
        throttled: !snapshot.blocks_writers() || is_staged(request, &snapshot),
    };
    let output = Output::new(archive.file(), &request.dest);
    if is_staged(request, &snapshot) {
        return with_temporary(context, archive.directory(), |staged| {
            progress.set_phase(Phase::Copying);
            stage(context, report, geometry, snapshot, (staged, &request.dest))?;
            progress.set_phase(Phase::Compressing);
            let read = |offset, chunk: &mut [u8]| {
                let failed = |error| Error::os("cannot read back the copy of", &request.source, error);
                staged.file().read_exact_at(chunk, offset).map_err(failed)
            };
            archive::write(context, report, geometry, &options, read, output)
        });
    }
    let phase = if request.encoding == Encoding::Image { Phase::Copying } else { Phase::Compressing };
    progress.set_phase(phase);
    if request.encoding == Encoding::Image {
        archive.check_space(geometry.image_bytes)?;
    }
    let read = |offset, chunk: &mut [u8]| snapshot.read(offset, chunk);
    let written = archive::write(context, report, geometry, &options, read, output)?;
    report.wal_growth = snapshot.wal_growth()?;
    report.source_lock = snapshot.finish()?;
    Ok(written)
}

/// Copies the image as it is to a private file, as fast as the disk takes it, and lets the source go.
fn stage(
    context: &Context,
    report: &mut Report,
    geometry: Geometry,
    mut snapshot: Snapshot,
    (staged, dest): (&Unpublished, &Path),
) -> Result<()> {
    staged.check_space(geometry.image_bytes)?;
    let mut clock = Stopwatch::start();
    let mut chunk = vec![0; geometry.chunk_bytes];
    let mut offset = 0;
    while offset < geometry.image_bytes {
        context.job.control.check()?;
        let bytes = (geometry.image_bytes - offset).min(chunk.len() as u64) as usize;
        snapshot.read(offset, &mut chunk[..bytes])?;
        clock.lap(&mut report.reading);
        // No hints here: what is soon read again belongs into the cache, and need never reach the disk.
        staged
            .file()
            .write_all_at(&chunk[..bytes], offset)
            .map_err(|error| Error::os("cannot write a temporary copy beside", dest, error))?;
        clock.lap(&mut report.writing);
        offset += bytes as u64;
        context.job.progress.add_work(bytes as u64 / 2);
    }
    report.source_lock = snapshot.finish()?;
    Ok(())
}

/// Proves what was asked for, and completes the digest.
fn verify(
    request: &Request,
    context: &Context,
    archive: &mut Unpublished,
    written: &Written,
    digest: Option<Digest>,
    report: &mut Report,
) -> Result<()> {
    if crate::hooks::on("flip-byte") && written.bytes > 0 {
        flip_byte(archive, written.bytes / 2)?;
    }
    let late_digest = (request.digest && digest.is_none()).then(Digest::new);
    if request.verify == Verify::Full {
        // From the disk, not from the memory that it was written from.
        forget_cached(context, archive)?;
    }
    if request.verify != Verify::None || late_digest.is_some() {
        archive::verify(context, written, late_digest.as_ref(), (archive.file(), &request.dest))?;
    }
    report.sha256 = digest.or(late_digest).map(|digest| digest.finish(context)).transpose()?;
    if request.verify == Verify::Full {
        verify_image(request, context, archive)?;
    }
    Ok(())
}

/// SQLite's own judgement, of the plain image or of what the archive decompresses to.
fn verify_image(request: &Request, context: &Context, archive: &mut Unpublished) -> Result<()> {
    if request.encoding == Encoding::Image {
        return source::check_integrity(&archive.hidden_path()?, &context.job);
    }
    with_temporary(context, archive.directory(), |image| {
        let mut compressed: &File = archive.file();
        compressed.seek(SeekFrom::Start(0)).map_err(|error| Error::os("cannot read back", &request.dest, error))?;
        archive::decompress(&context.job, (compressed, &request.dest), (image.file(), &request.dest))?;
        source::check_integrity(&image.hidden_path()?, &context.job)
    })
}

/// Has the page cache forget a file that is on the disk. A file system that ignores the advice keeps it.
fn forget_cached(context: &Context, file: &Unpublished) -> Result<()> {
    let file = Arc::clone(file.file());
    context.blocking(move || {
        let _ = fadvise(&*file, 0, None, Advice::DontNeed);
    })
}

/// Lends a file that is removed afterwards unless it was published.
fn with_temporary<T>(
    context: &Context,
    directory: &Arc<Directory>,
    body: impl FnOnce(&mut Unpublished) -> Result<T>,
) -> Result<T> {
    let mut file = Unpublished::create(directory)?;
    let result = body(&mut file);
    file.discard();
    // A disk may take long to free what was written, or to forget its pages in favour of the host's. Nobody waits for
    // that who cancelled or who has got what he wanted; whoever has run out of space finds it free again.
    if result.is_ok() || context.job.control.is_cancelled() {
        context.later(move || {
            let _ = fadvise(&**file.file(), 0, None, Advice::DontNeed);
        });
    }
    result
}

/// An fsync that a cancel does not wait for.
fn sync(context: &Context, file: &Unpublished) -> Result<()> {
    let (file, directory) = (Arc::clone(file.file()), Arc::clone(file.directory()));
    context.blocking(move || Unpublished::sync(&file, &directory))?
}

/// A test's fault: the disk keeps something else than it was given.
fn flip_byte(archive: &Unpublished, offset: u64) -> Result<()> {
    let failed = |error| Error::os("cannot damage", Path::new("the archive"), error);
    let mut byte = [0];
    archive.file().read_exact_at(&mut byte, offset).map_err(failed)?;
    archive.file().write_all_at(&[!byte[0]], offset).map_err(failed)?;
    Unpublished::sync(archive.file(), archive.directory())
}
