//! The verification of a backup file.

use crate::archive::{self, Damage, Frames, Image, Input, Kind, Piece};
use crate::backup;
use crate::error::{Result, Status};
use crate::job::{Phase, Report, Stopwatch};
use crate::publish::{Directory, Unpublished};
use crate::runtime::{Context, Operation};
use crate::source::{self, Checks, Snapshot};
use crate::temporary;
use rustix::fs::Stat;
use std::convert::identity;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// What is to be verified, and how. The path is absolute.
#[derive(Clone, Debug)]
pub struct Request {
    /// The backup file.
    pub archive: PathBuf,
    /// Decompress everything, and have SQLite judge it.
    pub full: bool,
}

/// For the locks of a plain database that is in use.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

impl Operation for Request {
    fn check(&self) -> Result<u64> {
        source::check_sqlite()?;
        let archive = source::stat_file(&self.archive, "the archive")?;
        Ok(u64::try_from(archive.st_size).unwrap_or_default())
    }

    fn target(&self) -> &Path {
        &self.archive
    }

    fn run(&self, context: &Context, report: &mut Report) -> Result<()> {
        context.job.control.check()?;
        context.job.progress.set_phase(Phase::Verifying);
        let (mut clock, waited) = (Stopwatch::start(), report.waiting);
        let result = verify(self, context, report);
        clock.lap_without(report.waiting - waited, &mut report.verifying);
        result
    }
}

fn verify(request: &Request, context: &Context, report: &mut Report) -> Result<()> {
    let input = Arc::new(Input::open(&request.archive).map_err(|damage| damage.note(report))?);
    report.archive_bytes = input.file_bytes();
    report.compressed = input.kind() != Kind::Image;
    match Frames::of(&input) {
        _ if input.kind() == Kind::Image => verify_plain(request, context, report, &input),
        _ if request.full => verify_image(request, context, report, &input),
        Some(frames) => {
            let geometry = frames.index().manifest.geometry;
            context.job.set_image(report, geometry.page_size, Some(geometry.page_count), identity);
            let checked = |bytes| context.job.progress.add_archived(bytes, 0);
            archive::check_frames(context, &frames, report, checked)
        }
        None => decode(context, report, &input, |_| Ok(())),
    }
}

/// The image of a compressed file, which is compared on the way.
fn decode(
    context: &Context,
    report: &mut Report,
    input: &Arc<Input>,
    mut consume: impl FnMut(Piece) -> Result<()>,
) -> Result<()> {
    let mut bytes = 0;
    let begin = |header: &archive::ImageHeader, report: &mut Report| {
        context.job.set_image(report, header.page_size, header.page_count, identity);
        Ok(())
    };
    archive::decode(context, input, report, begin, |piece, _| {
        let length = piece.len() as u64;
        consume(piece)?;
        bytes += length;
        context.job.progress.add_archived(length, 0);
        Ok(())
    })?;
    report.set_image_bytes(bytes);
    Ok(())
}

fn verify_image(request: &Request, context: &Context, report: &mut Report, input: &Arc<Input>) -> Result<()> {
    let directory = writable_directory(&request.archive)?;
    backup::sweep(context, &directory);
    temporary::lend(context, &directory, |image| {
        if let Some(bytes) = input.image_header().and_then(|header| header.bytes()) {
            image.check_space(bytes)?;
        }
        decode(context, report, input, |piece| temporary::write(image, piece.offset, &piece))?;
        let path = image.hidden_path()?;
        judge(request, context, report, (&path, image.file().stat()))
    })
}

/// Beside the archive, or where temporary files go if that is not ours to read or write.
fn writable_directory(archive: &Path) -> Result<Arc<Directory>> {
    let beside = archive.parent().map(Directory::open);
    if let Some(Ok(directory)) = beside
        && Unpublished::create(&directory).is_ok()
    {
        return Ok(directory);
    }
    Directory::open(&std::env::temp_dir())
}

fn judge(request: &Request, context: &Context, report: &mut Report, image: (&Path, &Stat)) -> Result<()> {
    source::check_integrity(image, &request.archive, request.checks(), &context.job, report)
}

fn verify_plain(request: &Request, context: &Context, report: &mut Report, input: &Input) -> Result<()> {
    let wal = input.image_header().is_some_and(|header| header.wal);
    if !source::may_be_in_use(&request.archive, wal)? {
        let mut image = archive::Plain::of(input).map_err(|damage| damage.note(report))?;
        context.job.set_image(report, image.page_size, Some(image.page_count), identity);
        let judged = judge(request, context, report, (&request.archive, input.file().stat()));
        let Err(error) = judged else {
            context.job.progress.add_archived(report.image_bytes, 0);
            return Ok(());
        };
        let finding = report.finding.take();
        if error.status == Status::Cancelled {
            return Err(error);
        }
        // Unless somebody has begun to use it: what was found may be the middle of a change.
        if image.finish(report).is_ok() && !source::may_be_in_use(&request.archive, wal)? {
            report.finding = finding;
            return Err(error);
        }
    }
    source::check_path(&request.archive, "archive_path")?;
    let snapshot = Snapshot::begin(&request.archive, &context.job, BUSY_TIMEOUT, 0)
        .map_err(|error| Damage::of_structure(error).note(report))?;
    context.job.set_image(report, snapshot.page_size(), Some(snapshot.page_count()), identity);
    snapshot.check_complete().map_err(|error| Damage::of_structure(error).note(report))?;
    snapshot.check_integrity(request.checks(), report)?;
    context.job.progress.add_archived(report.image_bytes, 0);
    Ok(())
}

impl Request {
    fn checks(&self) -> Checks {
        if self.full { Checks::IntegrityAndForeignKeys } else { Checks::Integrity }
    }
}
