//! The C surface: the only `extern "C"` of the crate. Every function is one call to [`boundary::door`] around checks,
//! one call of safe code, and the outs.

mod boundary;
mod callbacks;
mod convert;
mod handles;
mod sized;
mod types;

use crate::error::Status;
use boundary::door;
use convert::{Out, OutArray};
use std::ffi::c_char;
pub use types::*;

/// Starts a backup of the SQLite database at `source_path` into the new file `dest_path`.
///
/// Returns at once; the work is done by the library's own threads. The archive appears under its name only when it is
/// complete, durable and verified. On any failure and on cancel nothing is left, and an earlier file stays as it was.
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
    todo!()
}

/// Looks at a job. Wait-free: no lock, no system call but the clock, well under a microsecond; made for a frame loop.
///
/// @return LB_STATUS_OK, INVALID_HANDLE, INVALID_ARGUMENT or WRONG_PROCESS.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lb_backup_progress(job: *const lb_job, out_progress: *mut lb_progress) -> Status {
    todo!()
}

/// Asks a job to end as LB_STATUS_CANCELLED. Returns at once; idempotent; also for a job that waits in the queue.
///
/// The job ends within milliseconds, leaves nothing behind, and still has to be joined or released. A job that has
/// published its archive succeeds all the same.
///
/// @return LB_STATUS_OK, INVALID_HANDLE or WRONG_PROCESS.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lb_backup_cancel(job: *mut lb_job) -> Status {
    todo!()
}

/// Waits until a job has ended and its on_complete has returned.
///
/// @param timeout_ms  0 only looks; UINT32_MAX waits for ever.
/// @return LB_STATUS_OK once it has ended (well or not), TIMED_OUT, INVALID_HANDLE, WOULD_DEADLOCK or WRONG_PROCESS.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lb_backup_wait(job: *mut lb_job, timeout_ms: u32) -> Status {
    todo!()
}

/// Waits as lb_backup_wait does, without limit, then ends the handle and tells the outcome.
///
/// Of several threads that join one job, one gets the outcome and the others LB_STATUS_INVALID_HANDLE.
///
/// @param out_result  NULL, or receives the result, whatever the outcome.
/// @return The job's outcome; or, with the handle still open, INVALID_ARGUMENT, WOULD_DEADLOCK or WRONG_PROCESS; or
///         INVALID_HANDLE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lb_backup_join(job: *mut lb_job, out_result: *mut lb_result) -> Status {
    todo!()
}

/// Ends a handle without waiting. The job goes on, and its callbacks are still called.
///
/// @return LB_STATUS_OK, INVALID_HANDLE or WRONG_PROCESS.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lb_backup_release(job: *mut lb_job) -> Status {
    todo!()
}

/// Changes the throttle of a queued or running job, at once.
///
/// @param max_bytes_per_second  Bytes of the image per second; 0 for no limit.
/// @return LB_STATUS_OK, INVALID_HANDLE or WRONG_PROCESS.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lb_backup_set_rate(job: *mut lb_job, max_bytes_per_second: u64) -> Status {
    todo!()
}

/// Lists the jobs whose handles are open, in no particular order.
///
/// @param out_jobs   NULL with capacity 0, or an array whose first element has struct_size set.
/// @param capacity   Elements of the array.
/// @param out_count  Receives the number of jobs, which may be larger than capacity; only capacity elements are written.
/// @return LB_STATUS_OK, INVALID_ARGUMENT or WRONG_PROCESS.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lb_backup_jobs(out_jobs: *mut lb_job_info, capacity: usize, out_count: *mut usize) -> Status {
    todo!()
}

/// Sets up the library; before its first job, or after lb_shutdown. Without it everything has its default.
///
/// @param config  NULL for the defaults.
/// @return LB_STATUS_OK, INVALID_ARGUMENT, BUSY (the library already runs), WRONG_PROCESS.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lb_configure(config: *const lb_config, out_error: *mut lb_error) -> Status {
    todo!()
}

/// Cancels every job, waits for their callbacks, and joins every thread of the library. A later start begins afresh.
///
/// Handles stay valid: a job that was cancelled by this can still be joined. A program need not call this before it
/// exits.
///
/// @param timeout_ms  0 only asks and looks; UINT32_MAX waits for ever. After LB_STATUS_TIMED_OUT the shutdown goes on,
///                    starts give LB_STATUS_SHUT_DOWN, and another call waits again.
/// @return LB_STATUS_OK (also when nothing ran), TIMED_OUT, WOULD_DEADLOCK (in a callback) or WRONG_PROCESS.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lb_shutdown(timeout_ms: u32) -> Status {
    todo!()
}

/// The name of a status, such as "LB_STATUS_NO_SPACE"; "LB_STATUS_UNKNOWN" for any other number. Never NULL; static.
#[unsafe(no_mangle)]
pub extern "C" fn lb_status_name(status: StatusNumber) -> *const c_char {
    todo!()
}

/// The versions of this library, its SQLite and its Zstandard: "0.1.0 (sqlite 3.x.y, zstd 1.x.y)". Static.
#[unsafe(no_mangle)]
pub extern "C" fn lb_version() -> *const c_char {
    todo!()
}

/// The LB_ABI_VERSION that this library was built with.
#[unsafe(no_mangle)]
pub extern "C" fn lb_abi_version() -> u32 {
    todo!()
}
