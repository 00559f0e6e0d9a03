//! A backup, from its request to a published archive.

use crate::archive::{self, Encoding, Image, Input, Output, OutputOptions, Parent, Piece, Plan, ReadBack, Versions};
use crate::error::{Error, Result, Status};
use crate::job::{Phase, Report, Stopwatch};
use crate::publish::{Directory, Existing, Unpublished, copied_mode};
use crate::runtime::{Context, LogLevel, Operation};
use crate::source::{self, Checks, Snapshot};
use crate::temporary;
use rustix::fs::{AtFlags, CWD, FileType, statat};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

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

impl Verify {
    /// How what was written is read back.
    pub fn read_back(self) -> ReadBack {
        match self {
            Verify::None => ReadBack::No,
            Verify::Quick => ReadBack::Cached,
            Verify::Full => ReadBack::FromDisk,
        }
    }
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
    /// An earlier archive to take unchanged chunks from.
    pub reuse: Option<PathBuf>,
    /// How long to wait for locks.
    pub busy_timeout: Duration,
    /// Most growth of the write-ahead log in bytes, 0 for no limit.
    pub wal_limit: u64,
}

/// The level of archives of which nobody says it.
pub const DEFAULT_LEVEL: i32 = 3;

/// Suffixes of the files that SQLite keeps beside a database.
pub const SIDECARS: [&str; 3] = ["-wal", "-journal", "-shm"];

/// What a raw copy is made of: nobody can commit to its source meanwhile.
const STAGED_STEP: u64 = 1 << 20;

impl Operation for Request {
    /// A descriptor of the database must never be opened or closed on the host side. The job finds the rest, and all of
    /// this again where it matters.
    fn check(&self) -> Result<u64> {
        source::check_sqlite()?;
        source::check_path(&self.source, "source_path")?;
        let source = source::stat_file(&self.source, "the source")?;
        let (directory, _) = dest_parts(&self.dest)?;
        check_directory(directory)?;
        check_not_own((&self.dest, "dest_path"), (&self.source, "the source"))?;
        match statat(CWD, &self.dest, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) if self.existing == Existing::Refuse => {
                let message = format!("the destination {:?} exists already", self.dest);
                return Err(Error::new(Status::AlreadyExists, message));
            }
            Err(Errno::NAMETOOLONG) => {
                return Err(Error::invalid(format!("dest_path is too long: {:?}", self.dest)));
            }
            _ => {}
        }
        check_no_sidecar(&self.dest, self.encoding, CWD, self.dest.as_os_str())?;
        self.check_reuse()?;
        Ok(u64::try_from(source.st_size).unwrap_or_default())
    }

    fn target(&self) -> &Path {
        &self.dest
    }

    fn run(&self, context: &Context, report: &mut Report) -> Result<()> {
        run(self, context, report)
    }
}

impl Request {
    /// An archive that is not there is a mistake of the caller's; one that is damaged shows when it is read, and is none.
    fn check_reuse(&self) -> Result<()> {
        let Some(path) = &self.reuse else { return Ok(()) };
        let stat = rustix::fs::stat(path).map_err(|error| Error::os("cannot open reuse_path", path, error))?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Ok(()),
            _ => Err(Error::invalid(format!("reuse_path {path:?} is not a file"))),
        }
    }
}

/// Refuses a path that is a database or what SQLite keeps beside it, by whatever name; both with what they are to the
/// caller.
pub fn check_not_own((path, name): (&Path, &str), (database, what): (&Path, &str)) -> Result<()> {
    let identity = |path: &Path| rustix::fs::stat(path).map(|stat| (stat.st_dev, stat.st_ino));
    let same = |one: &Path, other: &Path| identity(one).is_ok_and(|one| identity(other) == Ok(one));
    let is_own = |how: &str| Err(Error::invalid(format!("{name} {path:?} is {how}")));
    if same(path, database) {
        return is_own(&format!("{what} itself"));
    }
    let real =
        std::fs::canonicalize(database).map_err(|error| Error::os(&format!("cannot open {what}"), database, error))?;
    let (Some(beside), Some(database_name)) = (real.parent(), real.file_name()) else { return Ok(()) };
    if path.parent().is_some_and(|directory| same(directory, beside)) {
        for suffix in SIDECARS {
            if path.file_name() == Some(&with_suffix(database_name, suffix)) {
                return is_own(&format!("the name of {what}'s {suffix} file"));
            }
        }
    }
    Ok(())
}

/// A log or journal beside a plain image, which is to be `name`, would be replayed onto it by whoever opens it.
pub fn check_no_sidecar(dest: &Path, encoding: Encoding, directory: impl AsFd, name: &OsStr) -> Result<()> {
    if encoding != Encoding::Image {
        return Ok(());
    }
    for suffix in ["-wal", "-journal"] {
        let sidecar = with_suffix(dest.as_os_str(), suffix);
        match statat(&directory, with_suffix(name, suffix), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => {
                let message = format!("{sidecar:?} exists and would be replayed onto {dest:?}; remove it first");
                return Err(Error::new(Status::AlreadyExists, message));
            }
            // No file can have such a name.
            Err(Errno::NOENT | Errno::NAMETOOLONG) => {}
            Err(error) => return Err(Error::os("cannot look at", Path::new(&sidecar), error)),
        }
    }
    Ok(())
}

/// The directory of a destination, and its name there.
pub fn dest_parts(dest: &Path) -> Result<(&Path, &OsStr)> {
    match (dest.parent(), dest.file_name()) {
        (Some(directory), Some(name)) => Ok((directory, name)),
        _ => Err(Error::invalid(format!("dest_path {dest:?} names no file"))),
    }
}

/// A destination's directory must be one.
pub fn check_directory(directory: &Path) -> Result<()> {
    let failed = |error| Error::os("cannot open the destination's directory", directory, error);
    let stat = rustix::fs::stat(directory).map_err(failed)?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => Ok(()),
        _ => Err(failed(Errno::NOTDIR)),
    }
}

/// Removes what crashed jobs have left in a directory that one is about to write in.
pub fn sweep(context: &Context, directory: &Directory) {
    for swept in directory.sweep() {
        context.log(LogLevel::Info, format!("removed {swept:?}, which an earlier run had left"));
    }
}

pub fn with_suffix(name: &OsStr, suffix: &str) -> OsString {
    let mut name = name.to_owned();
    name.push(suffix);
    name
}

/// The job, on the I/O side.
fn run(request: &Request, context: &Context, report: &mut Report) -> Result<()> {
    let job = &context.job;
    report.compressed = matches!(request.encoding, Encoding::Zstd { .. });
    job.control.check()?;

    let (directory, name) = dest_parts(&request.dest)?;
    let directory = Directory::open(directory)?;
    sweep(context, &directory);
    directory.check_free(name, request.existing)?;
    temporary::lend(context, &directory, |archive| fill_and_publish(request, context, report, archive, name))
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
    let mode = copied_mode(&request.source, snapshot.stat(), archive)?;
    let work = |image_bytes| total_work(request, &snapshot, image_bytes);
    job.set_image(report, snapshot.page_size(), Some(pages(request.encoding, &snapshot)), work);

    copy(request, context, report, snapshot, archive)?;

    job.control.check()?;
    job.progress.set_phase(Phase::Syncing);
    let mut clock = Stopwatch::start();
    temporary::sync(context, archive, mode)?;
    clock.lap(&mut report.syncing);

    if request.verify == Verify::Full {
        job.progress.set_phase(Phase::Verifying);
        verify_image(request, context, report, archive)?;
        clock.lap(&mut report.verifying);
    }

    job.control.check()?;
    check_no_sidecar(&request.dest, request.encoding, &**archive.directory(), name)?;
    archive.publish(name, request.existing)?;
    clock.lap(&mut report.syncing);
    Ok(())
}

/// Work is counted in bytes copied: staging counts half, reading back a quarter.
fn total_work(request: &Request, snapshot: &Snapshot, image_bytes: u64) -> u64 {
    let staged = if is_staged(request, snapshot) { image_bytes / 2 } else { 0 };
    let verified = if request.verify == Verify::None { 0 } else { archive::verify_work(image_bytes) };
    image_bytes + staged + verified
}

/// A compressed backup of a rollback-journal source is copied raw first: nobody can commit while it is read.
fn is_staged(request: &Request, snapshot: &Snapshot) -> bool {
    snapshot.blocks_writers() && request.encoding != Encoding::Image
}

/// The image into the file, and the proof that it is there.
fn copy(
    request: &Request,
    context: &Context,
    report: &mut Report,
    snapshot: Snapshot,
    archive: &Unpublished,
) -> Result<()> {
    let progress = context.job.progress;
    let staged = is_staged(request, &snapshot);
    // While writers wait, nothing is done that can be done later.
    let writers_wait = snapshot.blocks_writers() && !staged;
    let plan = Arc::new(plan(request, context, &snapshot, !writers_wait));
    let options = OutputOptions {
        digest: request.digest,
        settle: Some(request.verify.read_back()),
        later: writers_wait,
        counted: true,
    };
    let mut output = Output::new(context, archive.file(), &request.dest, options);
    if staged {
        temporary::lend(context, archive.directory(), |raw| {
            progress.set_phase(Phase::Copying);
            stage(context, report, &plan, snapshot, raw)?;
            progress.set_phase(Phase::Compressing);
            let mut image = Staged { file: raw.file(), source: &request.source };
            archive::write(context, report, &plan, &mut image, &mut output)
        })?;
    } else {
        progress.set_phase(if request.encoding == Encoding::Image { Phase::Copying } else { Phase::Compressing });
        archive.check_space(plan.least_bytes())?;
        archive::write(context, report, &plan, &mut Live::of(snapshot), &mut output)?;
    }
    let finished = output.finish(report)?;
    report.archive_bytes = finished.bytes;
    report.sha256 = finished.sha256;
    Ok(())
}

fn plan(request: &Request, context: &Context, snapshot: &Snapshot, throttled: bool) -> Plan {
    let parent = request.reuse.as_ref().and_then(|path| open_parent(context, path, snapshot.page_size()));
    Plan {
        encoding: request.encoding,
        page_size: snapshot.page_size(),
        page_count: pages(request.encoding, snapshot),
        // Other chunks would find nothing in the parent.
        chunk_bytes: request.chunk_bytes.or_else(|| parent.as_ref()?.chunk_bytes().map(u64::from)),
        throttled,
        parent,
        began: SystemTime::now(),
        written_by: versions(),
    }
}

/// Pages that the backup has.
fn pages(encoding: Encoding, snapshot: &Snapshot) -> u32 {
    if encoding == Encoding::Image { snapshot.plain_pages() } else { snapshot.page_count() }
}

fn versions() -> Versions {
    Versions {
        library: env!("CARGO_PKG_VERSION").into(),
        sqlite: source::sqlite_version().into(),
        zstd: archive::zstd_version().into(),
    }
}

/// What an earlier archive saves is time: if it cannot be used, that is no reason to have no backup.
fn open_parent(context: &Context, path: &Path, page_size: u32) -> Option<Parent> {
    match Parent::open(path) {
        Ok(parent) if parent.page_size() == page_size => Some(parent),
        Ok(parent) => {
            let message = format!(
                "nothing is taken from {path:?}: its pages have {} bytes, the source's {page_size}",
                parent.page_size()
            );
            context.log(LogLevel::Warning, message);
            None
        }
        Err(error) => {
            context.log(LogLevel::Warning, format!("nothing is taken from {path:?}: {error}"));
            None
        }
    }
}

/// A snapshot as an image; let go as soon as the last page is read.
pub struct Live(Option<Snapshot>);

impl Live {
    /// Of a snapshot that has not been read yet.
    pub fn of(snapshot: Snapshot) -> Live {
        Live(Some(snapshot))
    }
}

impl Image for Live {
    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        match &mut self.0 {
            Some(snapshot) => snapshot.read(offset, buffer),
            None => Err(Error::new(Status::Internal, "a snapshot was read after its end")),
        }
    }

    fn check(&self) -> Result<()> {
        self.0.as_ref().map_or(Ok(()), Snapshot::check_wal_growth)
    }

    fn finish(&mut self, report: &mut Report) -> Result<()> {
        match self.0.take() {
            Some(snapshot) => release(snapshot, report),
            None => Ok(()),
        }
    }
}

fn release(snapshot: Snapshot, report: &mut Report) -> Result<()> {
    report.wal_growth = snapshot.wal_growth()?;
    snapshot.check_wal_growth()?;
    report.source_lock = snapshot.finish()?;
    Ok(())
}

/// A raw copy as an image.
struct Staged<'a> {
    file: &'a File,
    source: &'a Path,
}

impl Image for Staged<'_> {
    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let failed = |error| Error::os("cannot read back the copy of", self.source, error);
        self.file.read_exact_at(buffer, offset).map_err(failed)
    }

    fn finish(&mut self, _: &mut Report) -> Result<()> {
        Ok(())
    }
}

/// Copies the image as it is to a private file, as fast as the disk takes it, and lets the source go.
fn stage(
    context: &Context,
    report: &mut Report,
    plan: &Plan,
    mut snapshot: Snapshot,
    staged: &Unpublished,
) -> Result<()> {
    let image_bytes = plan.image_bytes();
    staged.check_space(image_bytes)?;
    let mut clock = Stopwatch::start();
    let mut step = archive::zeros(STAGED_STEP as usize)?;
    let mut offset = 0;
    while offset < image_bytes {
        context.job.control.check()?;
        let bytes = (image_bytes - offset).min(STAGED_STEP) as usize;
        snapshot.read(offset, &mut step[..bytes])?;
        clock.lap(&mut report.reading);
        // No hints here: what is soon read again belongs into the cache, and need never reach the disk.
        temporary::write(staged, offset, &step[..bytes])?;
        clock.lap(&mut report.writing);
        offset += bytes as u64;
        context.job.progress.add_work(bytes as u64 / 2);
    }
    release(snapshot, report)
}

/// SQLite's own judgement, of the plain image or of what the archive decompresses to.
fn verify_image(request: &Request, context: &Context, report: &mut Report, archive: &mut Unpublished) -> Result<()> {
    let judge = |image: &mut Unpublished, report: &mut Report| {
        let path = image.hidden_path()?;
        let image = (&*path, image.file().stat());
        source::check_integrity(image, &request.dest, Checks::Integrity, &context.job, report)
    };
    if request.encoding == Encoding::Image {
        return judge(archive, report);
    }
    let input = Input::open_as(&archive.descriptor_path()?, &request.dest);
    let input = Arc::new(input.map_err(|damage| damage.note(report))?);
    temporary::lend(context, archive.directory(), |image| {
        image.check_space(report.image_bytes)?;
        let write = |piece: Piece, _: &mut Report| temporary::write(image, piece.offset, &piece);
        archive::decode(context, &input, report, |_, _| Ok(()), write)?;
        judge(image, report)
    })
}

/// A backup of a database that is held already, by defaults: what a restore is about to replace.
pub fn keep(context: &Context, dest: &Path, snapshot: &mut Snapshot) -> Result<()> {
    let (directory, name) = dest_parts(dest)?;
    let directory = Directory::open(directory)?;
    directory.check_free(name, Existing::Refuse)?;
    let encoding = kept_encoding(dest);
    let mut plan = Plan::plain_copy(snapshot.page_size(), pages(encoding, snapshot));
    plan = Plan { encoding, throttled: false, written_by: versions(), ..plan };
    temporary::lend(context, &directory, |file| {
        let mode = copied_mode(snapshot.path(), snapshot.stat(), file)?;
        file.check_space(plan.least_bytes())?;
        let mut report = Report::default();
        let options = OutputOptions { counted: false, ..OutputOptions::default() };
        let mut output = Output::new(context, file.file(), dest, options);
        archive::write(context, &mut report, &Arc::new(plan), &mut Held(snapshot), &mut output)?;
        output.finish(&mut report)?;
        temporary::sync(context, file, mode)?;
        check_no_sidecar(dest, encoding, &*directory, name)?;
        file.publish(name, Existing::Refuse)
    })
}

/// By the name alone.
pub fn kept_encoding(dest: &Path) -> Encoding {
    if is_named_compressed(dest) { Encoding::Zstd { level: DEFAULT_LEVEL } } else { Encoding::Image }
}

/// True for a destination whose name asks for compression.
pub fn is_named_compressed(dest: &Path) -> bool {
    dest.extension().is_some_and(|extension| extension == "zst")
}

/// A snapshot as an image that somebody else goes on using.
struct Held<'a>(&'a mut Snapshot);

impl Image for Held<'_> {
    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        self.0.read(offset, buffer)
    }

    fn finish(&mut self, _: &mut Report) -> Result<()> {
        Ok(())
    }
}
