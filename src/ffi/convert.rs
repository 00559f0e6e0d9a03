//! From C's types to ours and back, with every check that a caller's mistake needs.

use super::types::*;
use crate::archive::{Encoding, FORMAT_VERSION, ImageHeader, Kind};
use crate::backup::{self, Verify};
use crate::error::{Error, Result, Status};
use crate::inspect;
use crate::job::{Check, Outcome, Progress, ProgressSnapshot};
use crate::publish::Existing;
use crate::restore;
use crate::runtime;
use crate::verify;
use std::ffi::{CStr, c_char};
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const CHUNK_SIZES: std::ops::RangeInclusive<u64> = 65_536..=8_388_608;
const LEVELS: std::ops::RangeInclusive<i32> = -7..=19;
const DEFAULT_BUSY_TIMEOUT_MS: u32 = 5000;
const DEFAULT_PROGRESS_INTERVAL_MS: u32 = 100;

/// A caller's path, made absolute: the working directory may change before the job runs.
///
/// # Safety
/// `pointer` is NULL or a NUL-terminated string.
pub(super) unsafe fn path(pointer: *const c_char, name: &str) -> Result<PathBuf> {
    if pointer.is_null() {
        return Err(Error::invalid(format!("{name} is NULL")));
    }
    // SAFETY: not NULL; the caller promises the rest.
    let text = unsafe { CStr::from_ptr(pointer) }
        .to_str()
        .map_err(|error| Error::invalid(format!("{name} is not UTF-8 from byte {} on", error.valid_up_to())))?;
    if text.is_empty() {
        return Err(Error::invalid(format!("{name} is empty")));
    }
    std::path::absolute(text).map_err(|error| Error::os(&format!("cannot make {name} absolute:"), text.as_ref(), error))
}

/// An inline message: whole, or without its middle, so that both the operation and the reason survive a long path.
pub(super) fn message(text: &str) -> [c_char; LB_MESSAGE_SIZE] {
    const GAP: &str = " … ";
    let room = LB_MESSAGE_SIZE - 1;
    let mut bytes = [0u8; LB_MESSAGE_SIZE];
    if text.len() <= room {
        bytes[..text.len()].copy_from_slice(text.as_bytes());
    } else {
        let half = (room - GAP.len()) / 2;
        let head = &text[..text.floor_char_boundary(half)];
        let tail = &text[text.ceil_char_boundary(text.len() - half)..];
        let parts = [head, GAP, tail].concat();
        bytes[..parts.len()].copy_from_slice(parts.as_bytes());
    }
    bytes.map(|byte| byte as c_char)
}

/// One of the values that an option may have; `values` are C's numbers from 0 on.
fn choice<T: Copy>(value: u32, field: &str, values: &[T]) -> Result<T> {
    values
        .get(value as usize)
        .copied()
        .ok_or_else(|| Error::invalid(format!("{field} is {value}; it may be 0 to {}", values.len() - 1)))
}

/// A number within bounds, with a default for 0.
fn bounded<T>(value: T, default: T, bounds: std::ops::RangeInclusive<T>, field: &str) -> Result<T>
where
    T: PartialOrd + Default + std::fmt::Display,
{
    match value {
        value if value == T::default() => Ok(default),
        value if bounds.contains(&value) => Ok(value),
        value => {
            let (least, most) = (bounds.start(), bounds.end());
            Err(Error::invalid(format!("{field} is {value}; it may be 0 (default) or {least} to {most}")))
        }
    }
}

/// Options, checked, with the defaults filled in.
pub(super) struct Options<Request> {
    pub(super) request: Request,
    pub(super) rate: u64,
    pub(super) interval: Duration,
}

fn busy_timeout(raw: u32) -> Result<Duration> {
    let milliseconds = bounded(raw, DEFAULT_BUSY_TIMEOUT_MS, 1..=u32::MAX, "busy_timeout_ms")?;
    Ok(Duration::from_millis(milliseconds.into()))
}

fn progress_interval(raw: u32) -> Result<Duration> {
    let milliseconds = bounded(raw, DEFAULT_PROGRESS_INTERVAL_MS, 1..=u32::MAX, "progress_interval_ms")?;
    Ok(Duration::from_millis(milliseconds.into()))
}

/// A path that may be NULL.
///
/// # Safety
/// As [`path`].
unsafe fn optional_path(pointer: *const c_char, name: &str) -> Result<Option<PathBuf>> {
    // SAFETY: passed on.
    if pointer.is_null() { Ok(None) } else { unsafe { path(pointer, name).map(Some) } }
}

fn existing(raw: u32) -> Result<Existing> {
    choice(raw, "existing", &[Existing::Refuse, Existing::Replace])
}

fn reserved(raw: u32) -> Result<()> {
    if raw == 0 { Ok(()) } else { Err(Error::invalid(format!("reserved is {raw}; it must be 0"))) }
}

/// Every option that is wrong is named by its field.
///
/// # Safety
/// What `raw` points to is as [`path`] needs it.
pub(super) unsafe fn backup_options(
    raw: &lb_backup_options,
    source: PathBuf,
    dest: PathBuf,
) -> Result<Options<backup::Request>> {
    let by_name = if backup::is_named_compressed(&dest) { LB_FORMAT_ZSTD } else { LB_FORMAT_IMAGE };
    let level = bounded(raw.compression_level, backup::DEFAULT_LEVEL, LEVELS, "compression_level")?;
    let format = choice(raw.format, "format", &[by_name, LB_FORMAT_IMAGE, LB_FORMAT_ZSTD])?;
    let encoding = if format == LB_FORMAT_ZSTD { Encoding::Zstd { level } } else { Encoding::Image };
    let chunk_bytes = match raw.chunk_size {
        0 => None,
        size => Some(bounded(size, 0, CHUNK_SIZES, "chunk_size")?),
    };
    // SAFETY: passed on.
    let reuse = unsafe { optional_path(raw.reuse_path, "reuse_path")? };
    if reuse.is_some() && encoding == Encoding::Image {
        return Err(Error::invalid("reuse_path is for compressed archives, and the format is a plain image"));
    }
    Ok(Options {
        request: backup::Request {
            source,
            dest,
            encoding,
            existing: existing(raw.existing)?,
            verify: choice(raw.verify, "verify", &[Verify::Quick, Verify::Full, Verify::None])?,
            digest: choice(raw.digest, "digest", &[true, false])?,
            chunk_bytes,
            reuse,
            busy_timeout: busy_timeout(raw.busy_timeout_ms)?,
            wal_limit: raw.wal_limit_bytes,
        },
        rate: raw.max_bytes_per_second,
        interval: progress_interval(raw.progress_interval_ms)?,
    })
}

/// Every option that is wrong is named by its field.
///
/// # Safety
/// What `raw` points to is as [`path`] needs it.
pub(super) unsafe fn restore_options(
    raw: &lb_restore_options,
    archive: PathBuf,
    dest: PathBuf,
) -> Result<Options<restore::Request>> {
    reserved(raw.reserved)?;
    Ok(Options {
        request: restore::Request {
            archive,
            dest,
            existing: existing(raw.existing)?,
            verify: choice(raw.verify, "verify", &[Verify::Quick, Verify::Full, Verify::None])?,
            busy_timeout: busy_timeout(raw.busy_timeout_ms)?,
            // SAFETY: passed on.
            keep_previous: unsafe { optional_path(raw.keep_previous, "keep_previous")? },
        },
        rate: raw.max_bytes_per_second,
        interval: progress_interval(raw.progress_interval_ms)?,
    })
}

/// Every option that is wrong is named by its field.
pub(super) fn verify_options(raw: &lb_verify_options, archive: PathBuf) -> Result<Options<verify::Request>> {
    reserved(raw.reserved)?;
    Ok(Options {
        request: verify::Request { archive, full: choice(raw.verify, "verify", &[false, true])? },
        rate: raw.max_bytes_per_second,
        interval: progress_interval(raw.progress_interval_ms)?,
    })
}

/// What a backup file says about itself, for C.
pub(super) fn archive_info(about: &inspect::About) -> lb_archive_info {
    let manifest = about.manifest.as_ref();
    let image = about.image.as_ref();
    lb_archive_info {
        struct_size: size_of::<lb_archive_info>() as u32,
        kind: match about.kind {
            Kind::Image => LB_KIND_IMAGE,
            Kind::Archive => LB_KIND_ARCHIVE,
            Kind::Zstd => LB_KIND_ZSTD,
            Kind::Gzip => LB_KIND_GZIP,
        },
        format_version: if manifest.is_some() { FORMAT_VERSION } else { 0 },
        page_size: image.map_or(0, |image| image.page_size),
        pages: image.and_then(|image| image.page_count).unwrap_or(0).into(),
        image_bytes: image.and_then(ImageHeader::bytes).unwrap_or(0),
        archive_bytes: about.file_bytes,
        chunk_size: manifest.map_or(0, |manifest| manifest.geometry.chunk_bytes.into()),
        chunks: manifest.map_or(0, |manifest| manifest.chunks.len() as u64),
        created_unix_ns: unix_ns(about.created),
        application_id: image.map_or(0, |image| image.application_id),
        user_version: image.map_or(0, |image| image.user_version),
        compression_level: manifest.map_or(0, |manifest| manifest.level),
        has_parent: manifest.is_some_and(|manifest| manifest.parent_id.is_some()).into(),
        archive_id: manifest.map_or([0; 16], |manifest| manifest.archive_id),
        parent_id: manifest.and_then(|manifest| manifest.parent_id).unwrap_or_default(),
        library_version: fixed_text(&about.versions.library),
        sqlite_version: fixed_text(&about.versions.sqlite),
        zstd_version: fixed_text(&about.versions.zstd),
    }
}

/// As much of `text` as fits, with its NUL; whole characters.
fn fixed_text<const N: usize>(text: &str) -> [c_char; N] {
    let mut bytes = [0 as c_char; N];
    let known = &text[..text.floor_char_boundary(N - 1)];
    for (to, from) in bytes.iter_mut().zip(known.bytes().take_while(|&byte| byte != 0)) {
        *to = from as c_char;
    }
    bytes
}

/// The configuration, but for its callback.
pub(super) fn config(raw: &lb_config) -> Result<runtime::Config> {
    let default = runtime::Config::default();
    let count = |value: u32, default: usize, most: u32, field: &str| {
        bounded(value, default as u32, 1..=most, field).map(|value| value as usize)
    };
    if raw.flags & !LB_CONFIG_SOURCE_NOT_OPEN_IN_PROCESS != 0 {
        return Err(Error::invalid(format!("flags is {:#x}, which has unknown bits", raw.flags)));
    }
    Ok(runtime::Config {
        workers: count(raw.workers, default.workers, 64, "workers")?,
        max_concurrent_jobs: count(raw.max_concurrent_jobs, default.max_concurrent_jobs, 64, "max_concurrent_jobs")?,
        queue_length: count(raw.queue_length, default.queue_length, 65_536, "queue_length")?,
        background: choice(raw.priority, "priority", &[true, false])?,
        source_not_open_in_process: raw.flags & LB_CONFIG_SOURCE_NOT_OPEN_IN_PROCESS != 0,
        log: None,
    })
}

/// A look, for C.
pub(super) fn progress(look: &ProgressSnapshot) -> lb_progress {
    lb_progress {
        struct_size: size_of::<lb_progress>() as u32,
        state: look.state,
        phase: look.phase,
        retries: look.retries,
        bytes_done: look.bytes_done,
        bytes_total: look.bytes_total,
        bytes_written: look.bytes_written,
        bytes_reused: look.bytes_reused,
        elapsed_ns: look.elapsed_ns,
        eta_ns: look.eta_ns,
        percent: look.percent,
    }
}

/// An outcome, for C.
pub(super) fn result(outcome: &Outcome) -> lb_result {
    let report = &outcome.report;
    let error = outcome.result.as_ref().err();
    lb_result {
        struct_size: size_of::<lb_result>() as u32,
        status: error.map_or(Status::Ok, |error| error.status),
        sqlite_code: error.map_or(0, |error| error.sqlite_code),
        sys_errno: error.map_or(0, |error| error.sys_errno),
        message: message(error.map_or("", |error| &error.message)),
        format: if report.compressed { LB_FORMAT_ZSTD } else { LB_FORMAT_IMAGE },
        page_size: report.page_size,
        pages: report.pages,
        image_bytes: report.image_bytes,
        archive_bytes: report.archive_bytes,
        bytes_reused: report.bytes_reused,
        has_sha256: report.sha256.is_some().into(),
        retries: report.retries,
        sha256: report.sha256.unwrap_or_default(),
        start_unix_ns: unix_ns(report.start),
        end_unix_ns: unix_ns(report.end),
        waiting_ns: nanos(report.waiting),
        reading_ns: nanos(report.reading),
        compressing_ns: nanos(report.compressing),
        writing_ns: nanos(report.writing),
        syncing_ns: nanos(report.syncing),
        verifying_ns: nanos(report.verifying),
        source_lock_ns: nanos(report.source_lock),
        wal_growth_bytes: report.wal_growth,
        failed_check: report.finding.map_or(LB_CHECK_NONE, |finding| match finding.check {
            Check::Structure => LB_CHECK_STRUCTURE,
            Check::Frame => LB_CHECK_FRAME,
            Check::Content => LB_CHECK_CONTENT,
            Check::Integrity => LB_CHECK_INTEGRITY,
            Check::ForeignKeys => LB_CHECK_FOREIGN_KEYS,
        }),
        reserved: 0,
        failed_chunk: report.finding.and_then(|finding| finding.chunk).unwrap_or(LB_NO_CHUNK),
        failed_page: report.finding.and_then(|finding| finding.page).unwrap_or(0),
    }
}

/// A job of the list, for C.
pub(super) fn job_info(
    job: *mut lb_job,
    progress_cell: &Progress,
    dest_name: &str,
    user_data: *mut std::ffi::c_void,
) -> lb_job_info {
    let look = progress_cell.look();
    lb_job_info {
        struct_size: size_of::<lb_job_info>() as u32,
        state: look.state,
        job,
        user_data,
        bytes_done: look.bytes_done,
        bytes_total: look.bytes_total,
        percent: look.percent,
        // A file name has at most 255 bytes (NAME_MAX), or the job would have been refused.
        dest_name: fixed_text(dest_name),
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn unix_ns(time: Option<SystemTime>) -> i64 {
    time.and_then(|time| time.duration_since(UNIX_EPOCH).ok())
        .and_then(|since| i64::try_from(since.as_nanos()).ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_messages_keep_both_ends_and_stay_utf8() {
        for text in [String::from("short"), "é".repeat(2000), format!("begin {} end", "x".repeat(5000))] {
            let bytes = message(&text).map(|byte| byte as u8);
            let copy = CStr::from_bytes_until_nul(&bytes).unwrap().to_str().unwrap();
            assert_eq!(copy.chars().next(), text.chars().next());
            assert_eq!(copy.chars().last(), text.chars().last());
            assert!(copy.len() == text.len() || copy.contains('…'));
        }
    }
}
