//! A restore, from its request to a database with the archive's content: a new file, or an existing one that stays in use.

use crate::archive::{
    self, ChunkBuffer, Damage, Frames, Image, ImageHeader, Input, Kind, Output, OutputOptions, Piece, Plain, Plan,
};
use crate::backup::{self, Live, SIDECARS, Verify, with_suffix};
use crate::error::{Error, Result, Status};
use crate::job::{Phase, Report, Stopwatch};
use crate::publish::{Directory, Existing, Unpublished, copied_mode};
use crate::runtime::{Context, LogLevel, Operation};
use crate::source::{self, Checks, Snapshot, Target};
use crate::temporary;
use rustix::fs::{AtFlags, CWD, FileType, Stat, statat};
use rustix::io::Errno;
use std::cell::RefCell;
use std::ffi::OsStr;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// What is to be restored, where to, and how. Paths are absolute.
#[derive(Clone, Debug)]
pub struct Request {
    /// The backup file.
    pub archive: PathBuf,
    /// The database.
    pub dest: PathBuf,
    /// What to do about an existing one.
    pub existing: Existing,
    /// How much proof before it is touched.
    pub verify: Verify,
    /// How long to wait for locks.
    pub busy_timeout: Duration,
    /// Where a backup of the existing one goes first.
    pub keep_previous: Option<PathBuf>,
}

impl Operation for Request {
    fn check(&self) -> Result<u64> {
        source::check_sqlite()?;
        let archive = source::stat_file(&self.archive, "the archive")?;
        let (directory, _) = backup::dest_parts(&self.dest)?;
        backup::check_directory(directory)?;
        backup::check_not_own((&self.dest, "dest_path"), (&self.archive, "the archive"))?;
        self.check_archive_not_beside(&archive)?;
        match statat(CWD, &self.dest, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) if self.existing == Existing::Refuse => {
                let message = format!("the destination {:?} exists already", self.dest);
                return Err(Error::new(Status::AlreadyExists, message));
            }
            Ok(_) => {
                source::stat_destination(&self.dest)?;
                source::check_path(&self.dest, "dest_path")?;
                self.check_keep_previous()?;
            }
            Err(_) => {
                self.check_leftovers(CWD, self.dest.as_os_str())?;
                source::check_path(&self.dest, "dest_path")?;
            }
        }
        Ok(u64::try_from(archive.st_size).unwrap_or_default())
    }

    fn target(&self) -> &Path {
        &self.dest
    }

    fn run(&self, context: &Context, report: &mut Report) -> Result<()> {
        context.job.control.check()?;
        let archive = Archive::open(self, context, report)?;
        let (directory, name) = backup::dest_parts(&self.dest)?;
        let directory = Directory::open(directory)?;
        backup::sweep(context, &directory);
        match statat(CWD, &self.dest, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat)
                if self.existing == Existing::Replace
                    && FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile =>
            {
                restore_in_place(self, context, report, archive, &directory)
            }
            Err(error) if error != Errno::NOENT => Err(Error::os("cannot look at", &self.dest, error)),
            _ => {
                directory.check_free(name, Existing::Refuse)?;
                temporary::lend(context, &directory, |file| restore_to_new(self, context, report, archive, file, name))
            }
        }
    }
}

impl Request {
    /// An archive with such a name SQLite would take for the destination's own, and it would be removed as a leftover.
    fn check_archive_not_beside(&self, archive: &Stat) -> Result<()> {
        for suffix in SIDECARS {
            let beside = statat(CWD, with_suffix(self.dest.as_os_str(), suffix), AtFlags::SYMLINK_NOFOLLOW);
            if beside.is_ok_and(|beside| (beside.st_dev, beside.st_ino) == (archive.st_dev, archive.st_ino)) {
                let message =
                    format!("archive_path {:?} is what the destination has as its {suffix} file", self.archive);
                return Err(Error::invalid(message));
            }
        }
        Ok(())
    }

    /// What a database that is gone has left beside its name: SQLite would replay it onto the new one. A name too long for
    /// them is too long for a database: SQLite could not write to it.
    fn check_leftovers(&self, directory: impl AsFd, name: &OsStr) -> Result<()> {
        for suffix in SIDECARS {
            let leftover = with_suffix(self.dest.as_os_str(), suffix);
            match statat(&directory, with_suffix(name, suffix), AtFlags::SYMLINK_NOFOLLOW) {
                Ok(_) if self.existing == Existing::Refuse => {
                    let message =
                        format!("{leftover:?} exists without its database and would be replayed onto the destination");
                    return Err(Error::new(Status::AlreadyExists, message));
                }
                Err(Errno::NAMETOOLONG) => {
                    let message = format!("dest_path is too long for a database, which needs {leftover:?} beside it");
                    return Err(Error::invalid(message));
                }
                Ok(_) | Err(Errno::NOENT) => {}
                Err(error) => return Err(Error::os("cannot look at", Path::new(&leftover), error)),
            }
        }
        Ok(())
    }

    fn check_keep_previous(&self) -> Result<()> {
        let Some(path) = &self.keep_previous else { return Ok(()) };
        match statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => return Err(Error::new(Status::AlreadyExists, format!("keep_previous {path:?} exists already"))),
            Err(Errno::NAMETOOLONG) => return Err(Error::invalid(format!("keep_previous is too long: {path:?}"))),
            Err(_) => {}
        }
        let (directory, _) = backup::dest_parts(path)?;
        backup::check_directory(directory)?;
        backup::check_not_own((path, "keep_previous"), (&self.dest, "the destination"))?;
        backup::check_not_own((path, "keep_previous"), (&self.archive, "the archive"))?;
        backup::check_no_sidecar(path, backup::kept_encoding(path), CWD, path.as_os_str())
    }

    /// How SQLite judges what has no hashes of its own, or what the caller wants to be sure of.
    fn judged(&self, kind: Kind) -> Option<Checks> {
        match self.verify {
            Verify::None => None,
            Verify::Full => Some(Checks::IntegrityAndForeignKeys),
            Verify::Quick if kind == Kind::Archive => None,
            Verify::Quick => Some(Checks::Integrity),
        }
    }
}

/// Where the image comes from.
enum Archive {
    /// An archive of ours, or another compressed file.
    Compressed(Arc<Input>),
    /// A plain database that nobody writes to.
    Plain(Input),
    /// A plain database that somebody may be writing to.
    Live(Snapshot),
}

impl Archive {
    fn open(request: &Request, context: &Context, report: &mut Report) -> Result<Archive> {
        let input = Input::open(&request.archive).map_err(|damage| damage.note(report))?;
        report.archive_bytes = input.file_bytes();
        report.compressed = input.kind() != Kind::Image;
        if report.compressed {
            return Ok(Archive::Compressed(Arc::new(input)));
        }
        let wal = input.image_header().is_some_and(|header| header.wal);
        if source::may_be_in_use(&request.archive, wal)? {
            source::check_path(&request.archive, "archive_path")?;
            let snapshot = Snapshot::begin(&request.archive, &context.job, request.busy_timeout, 0);
            return snapshot.map(Archive::Live).map_err(|error| Damage::of_structure(error).note(report));
        }
        Ok(Archive::Plain(input))
    }

    fn kind(&self) -> Kind {
        match self {
            Archive::Compressed(input) => input.kind(),
            Archive::Plain(_) | Archive::Live(_) => Kind::Image,
        }
    }

    /// Its file's status.
    fn stat(&self) -> &Stat {
        match self {
            Archive::Compressed(input) => input.file().stat(),
            Archive::Plain(input) => input.file().stat(),
            Archive::Live(snapshot) => snapshot.stat(),
        }
    }

    /// The image, to the end of `output`, which is in `file`.
    fn write(self, context: &Context, report: &mut Report, file: &Unpublished, output: &mut Output<'_>) -> Result<()> {
        let begin = |page_size, page_count, report: &mut Report| {
            context.job.set_image(report, page_size, page_count, work);
            file.check_space(report.image_bytes)
        };
        match self {
            Archive::Compressed(input) => {
                let begin =
                    |header: &ImageHeader, report: &mut Report| begin(header.page_size, header.page_count, report);
                archive::decode(context, &input, report, begin, |piece, report| output.append_piece(piece, report))
            }
            Archive::Plain(input) => {
                let mut image = Plain::of(&input).map_err(|damage| damage.note(report))?;
                begin(image.page_size, Some(image.page_count), report)?;
                let plan = Arc::new(Plan::plain_copy(image.page_size, image.page_count));
                archive::write(context, report, &plan, &mut image, output)
            }
            Archive::Live(snapshot) => {
                begin(snapshot.page_size(), Some(snapshot.page_count()), report)?;
                let plan = Arc::new(Plan::plain_copy(snapshot.page_size(), snapshot.page_count()));
                archive::write(context, report, &plan, &mut Live::of(snapshot), output)
            }
        }
    }
}

/// Work is counted in bytes restored; see [`archive::verify_work`].
fn work(image_bytes: u64) -> u64 {
    image_bytes + archive::verify_work(image_bytes)
}

// ------------------------------------------------------------------------------------------------------- a new file

fn restore_to_new(
    request: &Request,
    context: &Context,
    report: &mut Report,
    archive: Archive,
    file: &mut Unpublished,
    name: &OsStr,
) -> Result<()> {
    let job = &context.job;
    let mode = copied_mode(&request.archive, archive.stat(), file)?;
    let judged = request.judged(archive.kind());
    job.progress.set_phase(Phase::Restoring);
    // What SQLite is about to read through need not be read back, and better stays in memory until then.
    let settle =
        if judged.is_some() && request.verify == Verify::Quick { None } else { Some(request.verify.read_back()) };
    let options = OutputOptions { settle, ..OutputOptions::default() };
    let mut output = Output::new(context, file.file(), &request.dest, options);
    archive.write(context, report, file, &mut output)?;
    let bytes = output.finish(report)?.bytes;
    report.set_image_bytes(bytes);

    let mut clock = Stopwatch::start();
    temporary::sync(context, file, mode)?;
    clock.lap(&mut report.syncing);
    if let Some(checks) = judged {
        let path = file.hidden_path()?;
        source::check_integrity((&path, file.file().stat()), &request.archive, checks, job, report)?;
        clock.lap(&mut report.verifying);
    }
    job.control.check()?;
    request.check_leftovers(&**file.directory(), name)?;
    remove_leftovers(file.directory(), name)?;
    file.publish(name, Existing::Refuse)?;
    clock.lap(&mut report.syncing);
    Ok(())
}

/// At the last moment, and durably: whoever opens the new file must not find them, after a power loss neither. Only while
/// the name is free: beside a database that somebody has made meanwhile, they are its own. To give the name first would be
/// worse: whoever opens the new file before they are gone has an old log replayed onto it. What remains is the moment
/// between a look and the removal after it, in which somebody would have to make the database and its log.
fn remove_leftovers(directory: &Directory, name: &OsStr) -> Result<()> {
    let mut removed = false;
    for suffix in SIDECARS {
        directory.check_free(name, Existing::Refuse)?;
        removed |= directory.remove(&with_suffix(name, suffix))?;
    }
    if removed { directory.sync() } else { Ok(()) }
}

// -------------------------------------------------------------------------------------------- an existing database

fn restore_in_place(
    request: &Request,
    context: &Context,
    report: &mut Report,
    archive: Archive,
    directory: &Arc<Directory>,
) -> Result<()> {
    context.job.progress.set_phase(Phase::Verifying);
    if let Some(path) = &request.keep_previous {
        // While nobody waits for the destination.
        let (kept_in, _) = backup::dest_parts(path)?;
        let kept_in = Directory::open(kept_in)?;
        backup::sweep(context, &kept_in);
    }
    let judged = request.judged(archive.kind());
    match archive {
        Archive::Compressed(input)
            if let Some(frames) = Frames::of(&input).filter(|_| request.verify != Verify::Full) =>
        {
            replace_by_frames(request, context, report, directory, &frames)
        }
        Archive::Plain(input) => {
            let mut image = Plain::of(&input).map_err(|damage| damage.note(report))?;
            context.job.set_image(report, image.page_size, Some(image.page_count), work);
            replace_by_file(request, context, report, judged, (&mut image, &request.archive))
        }
        archive => temporary::lend(context, directory, |file| {
            let options = OutputOptions { settle: None, counted: false, ..OutputOptions::default() };
            let mut output = Output::new(context, file.file(), &request.dest, options);
            archive.write(context, report, file, &mut output)?;
            let bytes = output.finish(report)?.bytes;
            report.set_image_bytes(bytes);
            let input = Input::open_as(&file.descriptor_path()?, &request.archive);
            let input = input.map_err(|damage| damage.note(report))?;
            let mut image = Plain::of(&input).map_err(|damage| damage.note(report))?;
            replace_by_file(request, context, report, judged, (&mut image, &file.hidden_path()?))
        }),
    }
}

/// Bytes compared at once.
const STEP: usize = 1 << 20;

/// By a plain image that is a file of its own.
fn replace_by_file(
    request: &Request,
    context: &Context,
    report: &mut Report,
    judged: Option<Checks>,
    (image, image_path): (&mut Plain<'_>, &Path),
) -> Result<()> {
    let job = &context.job;
    let mut clock = Stopwatch::start();
    let input = image.input();
    let found = (image_path, input.file().stat());
    if let Some(checks) = judged {
        source::check_integrity(found, &request.archive, checks, job, report)?;
    }
    job.progress.add_work(archive::verify_work(report.image_bytes));
    clock.lap(&mut report.verifying);
    let mut first_page = archive::zeros(image.page_size as usize)?;
    image.read(0, &mut first_page)?;
    let mut target = begin(request, context, report)?;
    if !target.fits(&first_page) {
        let target = alone(request, context, report, target, &first_page)?;
        input.check_unchanged()?;
        // And to the last moment: the copy ends with its own commit.
        return replace_whole(request, context, report, target, found, || input.check_unchanged());
    }
    keep_previous(request, context, report, &mut target)?;
    clock = Stopwatch::start();
    let (mut new, mut live) = (archive::zeros(STEP)?, archive::zeros(STEP)?);
    let mut offset = 0;
    while offset < report.image_bytes {
        job.control.check()?;
        let bytes = (report.image_bytes - offset).min(STEP as u64) as usize;
        image.read(offset, &mut new[..bytes])?;
        let held = read_live(&mut target, offset, &mut live[..bytes])?;
        clock.lap(&mut report.reading);
        let same = target.write_differing(offset, &new[..bytes], &live[..held])?;
        clock.lap(&mut report.writing);
        count(context, report, bytes as u64, same);
        offset += bytes as u64;
    }
    image.finish(report)?;
    finish(request, context, report, target, (&first_page, image.page_count))
}

/// What a pool thread has found out about a chunk.
enum Compared {
    /// The destination has it already.
    Same(u64),
    Differs(Piece, ChunkBuffer),
}

/// By an archive of ours, of which only the chunks are decompressed that the destination does not have.
fn replace_by_frames(
    request: &Request,
    context: &Context,
    report: &mut Report,
    directory: &Arc<Directory>,
    frames: &Arc<Frames>,
) -> Result<()> {
    let job = &context.job;
    let geometry = frames.index().manifest.geometry;
    job.set_image(report, geometry.page_size, Some(geometry.page_count), work);
    let (mut clock, waited) = (Stopwatch::start(), report.waiting);
    if request.verify == Verify::None {
        job.progress.add_work(archive::verify_work(report.image_bytes));
    } else {
        let checked = |bytes| job.progress.add_work(archive::verify_work(bytes));
        archive::check_frames(context, frames, report, checked)?;
    }
    let first = frames.chunk(0).map_err(|damage| damage.note(report))?;
    frames.check_header(&first).map_err(|damage| damage.note(report))?;
    clock.lap_without(report.waiting - waited, &mut report.verifying);
    let mut target = begin(request, context, report)?;
    if !target.fits(&first) {
        // Nobody is kept out while the image is made, at the job's rate.
        drop(target);
        return temporary::lend(context, directory, |file| {
            file.check_space(geometry.image_bytes())?;
            archive::decode_frames(context, frames, report, |piece, _| temporary::write(file, piece.offset, &piece))?;
            let target = begin(request, context, report)?;
            let target = alone(request, context, report, target, &first)?;
            let path = file.hidden_path()?;
            replace_whole(request, context, report, target, (&path, file.file().stat()), || Ok(()))
        });
    }
    keep_previous(request, context, report, &mut target)?;
    clock = Stopwatch::start();
    let target = RefCell::new(target);
    let read = |index: usize| {
        let (offset, bytes) = geometry.chunk(index as u64);
        let mut live = frames.buffer(bytes)?;
        let held = read_live(&mut target.borrow_mut(), offset, &mut live)?;
        live.truncate(held);
        Ok(live)
    };
    let compare = |frames: &Frames, index: usize, live: ChunkBuffer| {
        if frames.has_content(index, &live) {
            return Ok(Compared::Same(live.len() as u64));
        }
        frames.chunk(index).map(|piece| Compared::Differs(piece, live))
    };
    archive::for_each_chunk(context, frames, report, false, read, compare, |_, compared, report| {
        match compared.map_err(|damage| damage.note(report))? {
            Compared::Same(bytes) => count(context, report, bytes, bytes),
            Compared::Differs(piece, live) => {
                let same = target.borrow_mut().write_differing(piece.offset, &piece, &live)?;
                count(context, report, piece.len() as u64, same);
            }
        }
        Ok(())
    })?;
    clock.lap(&mut report.writing);
    let first_page = &first[..geometry.page_size as usize];
    finish(request, context, report, target.into_inner(), (first_page, geometry.page_count))
}

/// Takes the destination for writing.
fn begin(request: &Request, context: &Context, report: &mut Report) -> Result<Target> {
    let mut clock = Stopwatch::start();
    let target = Target::begin(&request.dest, &context.job, request.busy_timeout)?;
    clock.lap(&mut report.waiting);
    Ok(target)
}

/// Takes it for itself, to replace it as a whole by an image with this first page.
fn alone(
    request: &Request,
    context: &Context,
    report: &mut Report,
    target: Target,
    first_page: &[u8],
) -> Result<Target> {
    let mut clock = Stopwatch::start();
    let mut target = target.alone(first_page, request.busy_timeout)?;
    clock.lap(&mut report.waiting);
    keep_previous(request, context, report, &mut target)?;
    Ok(target)
}

/// A backup of the destination if one is wanted: of exactly what is about to be replaced.
fn keep_previous(request: &Request, context: &Context, report: &mut Report, target: &mut Target) -> Result<()> {
    let mut clock = Stopwatch::start();
    if let Some(path) = &request.keep_previous {
        backup::keep(context, path, target.snapshot())?;
        clock.lap(&mut report.reading);
    }
    context.job.progress.set_phase(Phase::Restoring);
    Ok(())
}

/// The same part of the present content; what lies beyond its end is not there. Tells how much is.
fn read_live(target: &mut Target, offset: u64, buffer: &mut [u8]) -> Result<usize> {
    let snapshot = target.snapshot();
    let held = snapshot.image_bytes().saturating_sub(offset).min(buffer.len() as u64) as usize;
    if held > 0 {
        snapshot.read(offset, &mut buffer[..held])?;
    }
    Ok(held)
}

fn count(context: &Context, report: &mut Report, bytes: u64, same: u64) {
    report.bytes_reused += same;
    context.job.progress.add_reused(same);
    context.job.progress.add_archived(bytes, bytes - same);
}

fn finish(
    request: &Request,
    context: &Context,
    report: &mut Report,
    target: Target,
    (first_page, page_count): (&[u8], u32),
) -> Result<()> {
    let mut clock = Stopwatch::start();
    let aside = target.finish(first_page, page_count, request.busy_timeout)?;
    log_aside(context, aside);
    clock.lap(&mut report.syncing);
    Ok(())
}

fn replace_whole(
    request: &Request,
    context: &Context,
    report: &mut Report,
    target: Target,
    image: (&Path, &Stat),
    check: impl Fn() -> Result<()>,
) -> Result<()> {
    let mut clock = Stopwatch::start();
    let mut left = report.image_bytes;
    let aside = target.replace_whole(image, &request.archive, |bytes| {
        let bytes = bytes.min(left);
        left -= bytes;
        context.job.progress.add_archived(bytes, bytes);
        check()
    })?;
    context.job.progress.add_archived(left, left);
    log_aside(context, aside);
    clock.lap(&mut report.writing);
    Ok(())
}

fn log_aside(context: &Context, aside: Option<Error>) {
    if let Some(error) = aside {
        context.log(LogLevel::Warning, format!("the restore succeeded, but {}", error.message));
    }
}
