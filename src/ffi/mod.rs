//! The C surface: the only `extern "C"` of the crate. Every function is one call to [`boundary::door`] around checks,
//! one call of safe code, and the outs.

// What a caller owes is said once, for C, in the header's preamble (cbindgen.toml).
#![allow(clippy::missing_safety_doc)]

mod boundary;
mod callbacks;
mod convert;
mod handles;
mod layout;
mod sized;
mod types;

use crate::error::{Error, Result, Status};
use crate::inspect;
use crate::job::{Job, Outcome, Report};
use crate::runtime::{self, Operation};
use boundary::{door, door_with_error};
use callbacks::{Callbacks, UserData};
use handles::HANDLES;
use sized::Out;
use std::ffi::{CString, c_char};
use std::ptr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
pub use types::*;

/// Starts a backup of the SQLite database at `source_path` into the new file `dest_path`.
///
/// Returns at once; the work is done by the library's own threads. The archive appears under its name only when it is
/// complete, durable and verified. On any failure and on cancel nothing is left, and an earlier file stays as it was.
/// One exception: where the file system can neither exchange names nor give a file a second one, the new file stays when
/// its directory cannot be synced; the message says so.
///
/// The source may be open and being written, in this process or another. In WAL mode no writer ever waits. The backup
/// holds every transaction that was committed before this call.
///
/// @param source_path  The database; a symbolic link is followed. Its -wal or -journal must be beside it.
/// @param dest_path    Where the archive appears. Its directory must exist. A symbolic link is refused.
/// @param options      NULL for the defaults.
/// @param out_job      Receives the handle, to be ended by lb_backup_join or lb_backup_release.
/// @param out_error    NULL, or receives the reason.
/// @return LB_STATUS_OK, or INVALID_ARGUMENT, NOT_FOUND, ALREADY_EXISTS, PERMISSION_DENIED, NOT_A_DATABASE, QUEUE_FULL,
///         UNSUPPORTED, OUT_OF_MEMORY, WRONG_PROCESS, SHUT_DOWN, IO, INTERNAL. What is found later is the job's outcome.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lb_backup_start(
    source_path: *const c_char,
    dest_path: *const c_char,
    options: *const lb_backup_options,
    out_job: *mut *mut lb_job,
    out_error: *mut lb_error,
) -> Status {
    // SAFETY: the header asks the caller for what these need: strings that end, structures with their size.
    unsafe {
        start_door(out_job, out_error, || {
            let source = convert::path(source_path, "source_path")?;
            let dest = convert::path(dest_path, "dest_path")?;
            let raw: lb_backup_options =
                if options.is_null() { sized::defaults() } else { sized::read(options, "options")? };
            let options = convert::backup_options(&raw, source, dest)?;
            start(options, Callbacks { progress: raw.on_progress, complete: raw.on_complete, user_data: raw.user_data })
        })
    }
}

/// Starts restoring a backup: to a new file, or, when asked to, onto an existing database while it is in use.
///
/// Reads plain databases, archives of this library, and other tools' Zstandard and gzip files of a database, told apart by
/// their content. A new file appears under its name only when it is complete, durable and verified. An existing database
/// is changed in one write transaction of SQLite, page by page, and only the pages that differ: whoever has it open sees
/// the old content or the new one, readers keep their snapshot, writers wait or get SQLITE_BUSY as for any transaction.
/// On any failure and on cancel the destination is as it was. In WAL mode the change is in the -wal file until the next
/// checkpoint, as after any commit. The destination keeps its journal mode, its permissions and its owner; counters in
/// its header go on.
///
/// An existing database of another page size, text encoding or auto_vacuum mode is changed only where nobody else has it
/// open: otherwise the outcome is LB_STATUS_BUSY, and the message names both. In a rollback-journal mode a connection that
/// does nothing cannot be seen: it goes on with the new content, except that after a change of the text encoding it gets
/// SQLITE_ERROR until it is opened anew. Somebody who opens the database just after such a change, and stays, may keep it
/// in another journal mode than it had: the restore has succeeded, and lb_config::on_log gets a warning.
///
/// @param archive_path  The backup. A plain database that is in use is read as lb_backup_start would.
/// @param dest_path     The database. Its directory must exist. A symbolic link is refused, and a database with a second
///                      name (hard link) is: LB_STATUS_ALREADY_EXISTS.
/// @param options       NULL for the defaults: the destination must not exist.
/// @param out_job       Receives the handle, to be ended by lb_backup_join or lb_backup_release.
/// @param out_error     NULL, or receives the reason.
/// @return As lb_backup_start. What is found later is the job's outcome.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lb_restore_start(
    archive_path: *const c_char,
    dest_path: *const c_char,
    options: *const lb_restore_options,
    out_job: *mut *mut lb_job,
    out_error: *mut lb_error,
) -> Status {
    // SAFETY: the header asks the caller for what these need: strings that end, structures with their size.
    unsafe {
        start_door(out_job, out_error, || {
            let archive = convert::path(archive_path, "archive_path")?;
            let dest = convert::path(dest_path, "dest_path")?;
            let raw: lb_restore_options =
                if options.is_null() { sized::defaults() } else { sized::read(options, "options")? };
            let options = convert::restore_options(&raw, archive, dest)?;
            start(options, Callbacks { progress: raw.on_progress, complete: raw.on_complete, user_data: raw.user_data })
        })
    }
}

/// Starts verifying a backup file of any kind that lb_restore_start reads. Its content stays as it is: only the journal of
/// a transaction that a crash cut short, beside a plain database, is rolled back, and the index (-shm) of a log beside it
/// is made, as by any reader. A full verification of a compressed file makes a temporary file beside it, or in TMPDIR, and
/// removes there what killed jobs have left.
///
/// A file that fails is the outcome LB_STATUS_CORRUPT (or NOT_A_DATABASE, UNSUPPORTED); lb_result says which check it
/// failed, and where.
///
/// @param archive_path  The file; a plain database may be in use.
/// @param options       NULL for the defaults.
/// @param out_job       Receives the handle, to be ended by lb_backup_join or lb_backup_release.
/// @param out_error     NULL, or receives the reason.
/// @return As lb_backup_start. What is found later is the job's outcome.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lb_verify_start(
    archive_path: *const c_char,
    options: *const lb_verify_options,
    out_job: *mut *mut lb_job,
    out_error: *mut lb_error,
) -> Status {
    // SAFETY: the header asks the caller for what these need: strings that end, structures with their size.
    unsafe {
        start_door(out_job, out_error, || {
            let archive = convert::path(archive_path, "archive_path")?;
            let raw: lb_verify_options =
                if options.is_null() { sized::defaults() } else { sized::read(options, "options")? };
            let options = convert::verify_options(&raw, archive)?;
            start(options, Callbacks { progress: raw.on_progress, complete: raw.on_complete, user_data: raw.user_data })
        })
    }
}

/// Tells what a backup file says about itself, from a few kilobytes of it. Verifies no more than that: lb_verify_start
/// does.
///
/// Waits for a thread of the library, which reads; usually well under a millisecond. May be called in a callback. Starts
/// the library if it does not run.
///
/// @param archive_path  The file; a plain database may be in use.
/// @param out_info      Receives what is known.
/// @param out_error     NULL, or receives the reason.
/// @return LB_STATUS_OK, INVALID_ARGUMENT, NOT_FOUND, PERMISSION_DENIED, NOT_A_DATABASE (no backup of any kind), CORRUPT,
///         UNSUPPORTED (a newer format), OUT_OF_MEMORY, WRONG_PROCESS, SHUT_DOWN, IO, INTERNAL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lb_backup_inspect(
    archive_path: *const c_char,
    out_info: *mut lb_archive_info,
    out_error: *mut lb_error,
) -> Status {
    // SAFETY: the header asks the caller for what these need: strings that end, structures with their size.
    unsafe {
        door_with_error(out_error, || {
            let out = Out::new(out_info, "out_info")?;
            let archive = convert::path(archive_path, "archive_path")?;
            let about = runtime::on_io_side(move || inspect::read(&archive))?;
            out.write(convert::archive_info(&about));
            Ok(())
        })
    }
}

/// Looks at a job. Wait-free: no lock, no system call but the clock, well under a microsecond; made for a frame loop.
///
/// @return LB_STATUS_OK, INVALID_HANDLE, INVALID_ARGUMENT or WRONG_PROCESS.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lb_backup_progress(job: *const lb_job, out_progress: *mut lb_progress) -> Status {
    door(|| {
        // SAFETY: the header asks the caller for a structure with its size.
        let out = unsafe { Out::new(out_progress, "out_progress")? };
        out.write(convert::progress(&HANDLES.look(job)?));
        Ok(())
    })
}

/// Asks a job to end as LB_STATUS_CANCELLED. Returns at once; idempotent; also for a job that waits in the queue.
///
/// The job ends within milliseconds, leaves nothing behind, and still has to be joined or released. The disk space of what
/// it had written may come back a moment later. A job that has published its archive succeeds all the same.
///
/// @return LB_STATUS_OK, INVALID_HANDLE or WRONG_PROCESS.
#[unsafe(no_mangle)]
pub extern "C" fn lb_backup_cancel(job: *mut lb_job) -> Status {
    door(|| {
        runtime::cancel(&HANDLES.find(job)?.job);
        Ok(())
    })
}

/// Waits until a job has ended and its on_complete has returned.
///
/// For whichever of several jobs ends first, or for a job beside other events, wait for what its on_complete signals: a
/// condition variable, an eventfd(2), an event loop.
///
/// @param job         The job.
/// @param timeout_ms  0 only looks (in a callback, too, where it tells LB_STATUS_WOULD_DEADLOCK of an unfinished job);
///                    UINT32_MAX waits for ever.
/// @return LB_STATUS_OK once it has ended (well or not), TIMED_OUT, INVALID_HANDLE, WOULD_DEADLOCK or WRONG_PROCESS.
#[unsafe(no_mangle)]
pub extern "C" fn lb_backup_wait(job: *mut lb_job, timeout_ms: u32) -> Status {
    door(|| wait(&HANDLES.find(job)?.job, deadline(timeout_ms)).map(|_| ()))
}

/// Waits as lb_backup_wait does, without limit, then ends the handle and tells the outcome.
///
/// Of several threads that join one job, one gets the outcome and the others LB_STATUS_INVALID_HANDLE.
///
/// @param job         The job.
/// @param out_result  NULL, or receives the result, whatever the outcome.
/// @return The job's outcome; or, with the handle still open, INVALID_ARGUMENT, WOULD_DEADLOCK or WRONG_PROCESS; or
///         INVALID_HANDLE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lb_backup_join(job: *mut lb_job, out_result: *mut lb_result) -> Status {
    door(|| {
        // SAFETY: the header asks the caller for a structure with its size.
        let out = unsafe { Out::optional(out_result, "out_result")? };
        let outcome = wait(&HANDLES.find(job)?.job, None)?;
        HANDLES.close(job)?;
        if let Some(out) = out {
            out.write(convert::result(&outcome));
        }
        outcome.result.clone()
    })
}

/// Ends a handle without waiting. The job goes on, and its callbacks are still called.
///
/// From then on only lb_shutdown tells that on_complete has returned, by LB_STATUS_OK. Whoever has to know that of one job
/// calls lb_backup_wait before this.
///
/// @return LB_STATUS_OK, INVALID_HANDLE or WRONG_PROCESS.
#[unsafe(no_mangle)]
pub extern "C" fn lb_backup_release(job: *mut lb_job) -> Status {
    door(|| HANDLES.close(job).map(|_| ()))
}

/// Changes the throttle of a queued or running job, at once. What it slows: lb_backup_options::max_bytes_per_second.
///
/// @param job                   The job.
/// @param max_bytes_per_second  Bytes of the image per second; 0 for no limit.
/// @return LB_STATUS_OK, INVALID_HANDLE or WRONG_PROCESS.
#[unsafe(no_mangle)]
pub extern "C" fn lb_backup_set_rate(job: *mut lb_job, max_bytes_per_second: u64) -> Status {
    door(|| {
        HANDLES.find(job)?.job.control.set_rate(max_bytes_per_second);
        Ok(())
    })
}

/// Lists the jobs whose handles are open, in no particular order.
///
/// @param out_jobs   NULL with capacity 0, or an array whose first element has struct_size set.
/// @param capacity   Elements of the array.
/// @param out_count  Receives the number of jobs, which may be larger than capacity; only capacity elements are written.
/// @return LB_STATUS_OK, INVALID_ARGUMENT or WRONG_PROCESS.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lb_backup_jobs(out_jobs: *mut lb_job_info, capacity: usize, out_count: *mut usize) -> Status {
    door(|| {
        check_out(out_count, "out_count")?;
        // SAFETY: the header asks the caller for an array of `capacity` elements of the size that the first one tells.
        let out = if capacity == 0 { None } else { Some(unsafe { Out::new(out_jobs, "out_jobs")? }) };
        let jobs = HANDLES.all();
        for (index, (token, open)) in jobs.iter().enumerate().take(capacity) {
            if let Some(out) = &out {
                let info = convert::job_info(*token, open.job.progress, &open.dest_name, open.user_data.0);
                out.element(index).write(info);
            }
        }
        // SAFETY: checked above: not NULL, aligned; the caller promises that it is writable.
        unsafe { out_count.write(jobs.len()) };
        Ok(())
    })
}

/// Sets up the library, until the next lb_shutdown; before its first job, or after lb_shutdown. Without it everything has
/// its default.
///
/// @param config     NULL for the defaults.
/// @param out_error  NULL, or receives the reason.
/// @return LB_STATUS_OK, INVALID_ARGUMENT, BUSY (the library already runs, or on_log is still told of a start that failed, for
///         which lb_shutdown waits), WRONG_PROCESS.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lb_configure(config: *const lb_config, out_error: *mut lb_error) -> Status {
    // SAFETY: the header asks the caller for structures with their sizes.
    unsafe {
        door_with_error(out_error, || {
            let mut wanted = runtime::Config::default();
            if !config.is_null() {
                let raw: lb_config = sized::read(config, "config")?;
                wanted = convert::config(&raw)?;
                wanted.log = callbacks::log_sink(&raw);
            }
            runtime::configure(wanted)
        })
    }
}

/// Cancels every job, waits for their callbacks, joins every thread of the library, and forgets what lb_configure has set.
/// A later start begins afresh.
///
/// Handles stay valid: a job that was cancelled by this can still be joined. A program need not call this before it
/// exits.
///
/// @param timeout_ms  0 only asks and looks; UINT32_MAX waits for ever. After LB_STATUS_TIMED_OUT the shutdown goes on,
///                    starts give LB_STATUS_SHUT_DOWN, and another call waits again.
/// @return LB_STATUS_OK (also when nothing ran), TIMED_OUT, WOULD_DEADLOCK (in a callback) or WRONG_PROCESS.
#[unsafe(no_mangle)]
pub extern "C" fn lb_shutdown(timeout_ms: u32) -> Status {
    door(|| {
        if runtime::in_callback() {
            return Err(Error::new(Status::WouldDeadlock, "a callback cannot wait for its own end"));
        }
        match runtime::shutdown(deadline(timeout_ms)) {
            true => Ok(()),
            false => Err(Error::new(Status::TimedOut, "jobs are still ending")),
        }
    })
}

/// The name of a status, such as "LB_STATUS_NO_SPACE"; "LB_STATUS_UNKNOWN" for any other number. Never NULL; static.
#[unsafe(no_mangle)]
pub extern "C" fn lb_status_name(status: StatusNumber) -> *const c_char {
    let names = &Status::ALL;
    names.iter().find(|(known, _)| *known as i32 == status.0).map_or(c"LB_STATUS_UNKNOWN", |(_, name)| name).as_ptr()
}

/// What a status means, in English, such as "the operating system refused access"; "unknown status" for any other number.
/// Never NULL; static; for people, and may change. For where there is no message that tells more: the functions without an
/// lb_error. Begins with a small letter and has no full stop, so that the name of what failed can stand before it.
#[unsafe(no_mangle)]
pub extern "C" fn lb_status_message(status: StatusNumber) -> *const c_char {
    let all = &Status::ALL;
    all.iter()
        .find(|(known, _)| *known as i32 == status.0)
        .map_or(c"unknown status", |(known, _)| known.message())
        .as_ptr()
}

/// The versions of this library, its SQLite and its Zstandard: "0.1.0 (sqlite 3.x.y, zstd 1.x.y)". Static.
#[unsafe(no_mangle)]
pub extern "C" fn lb_version() -> *const c_char {
    static TEXT: OnceLock<CString> = OnceLock::new();
    TEXT.get_or_init(|| {
        let (sqlite, zstd) = (rusqlite::version(), zstd::zstd_safe::version_string());
        CString::new(format!("{} (sqlite {sqlite}, zstd {zstd})", env!("CARGO_PKG_VERSION"))).unwrap_or_default()
    })
    .as_ptr()
}

/// The LB_ABI_VERSION that this library was built with.
#[unsafe(no_mangle)]
pub extern "C" fn lb_abi_version() -> u32 {
    LB_ABI_VERSION
}

/// Bytes of a source whose backup a small one does not have to wait for.
const LARGE_SOURCE: u64 = 16 << 20;

/// The door of the three functions that start a job: its handle is the out.
///
/// # Safety
/// As [`door_with_error`].
unsafe fn start_door(
    out_job: *mut *mut lb_job,
    out_error: *mut lb_error,
    body: impl FnOnce() -> Result<*mut lb_job>,
) -> Status {
    let out_job_checked = check_out(out_job, "out_job");
    // SAFETY: checked here as far as it can be; the caller promises the rest.
    unsafe {
        if out_job_checked.is_ok() {
            out_job.write(ptr::null_mut());
        }
        door_with_error(out_error, || {
            out_job_checked?;
            if crate::hooks::on("panic-in-call") {
                panic!("a test asked for it");
            }
            out_job.write(body()?);
            Ok(())
        })
    }
}

/// Opens a handle and queues its job; all or nothing.
fn start<Request: Operation>(options: convert::Options<Request>, callbacks: Callbacks) -> Result<*mut lb_job> {
    let convert::Options { request, rate, interval } = options;
    let large = request.check()? > LARGE_SOURCE;
    let name = request.target().file_name().unwrap_or_default().to_string_lossy().into();
    let (token, job) = HANDLES.open(name, UserData(callbacks.user_data), |progress| Job::new(progress, rate))?;
    let observer = callbacks.observer(token.addr(), interval);
    let work: runtime::Work = Box::new(move |context, report| request.run(context, report));
    let entry = runtime::Entry { job: Arc::clone(&job), work, large, observer };
    runtime::submit(entry).inspect_err(|error| {
        // lb_backup_jobs may have shown the handle: whoever waits for the job already learns that it is over, and whoever
        // has ended the handle already has done what is left to do.
        job.end(Err(error.clone()), Report::default());
        job.finish();
        let _ = HANDLES.close(token);
    })?;
    Ok(token)
}

/// Waits for a job and its callbacks. In a callback nothing is waited for.
fn wait(job: &Arc<Job>, deadline: Option<Instant>) -> Result<Arc<Outcome>> {
    if runtime::in_callback() {
        let outcome = if runtime::is_completing(job) { job.outcome() } else { job.finished() };
        return outcome.ok_or_else(|| {
            Error::new(Status::WouldDeadlock, "a callback cannot wait: the job needs its thread to finish")
        });
    }
    job.wait(deadline).ok_or_else(|| Error::new(Status::TimedOut, "the job has not ended yet"))
}

/// C's milliseconds: UINT32_MAX is for ever.
fn deadline(timeout_ms: u32) -> Option<Instant> {
    (timeout_ms != u32::MAX).then(|| Instant::now() + Duration::from_millis(timeout_ms.into()))
}

/// Refuses an out pointer that cannot be one.
fn check_out<T>(out: *mut T, name: &str) -> Result<()> {
    if out.is_null() || !out.is_aligned() {
        return Err(Error::invalid(format!("{name} is {}", if out.is_null() { "NULL" } else { "misaligned" })));
    }
    Ok(())
}
