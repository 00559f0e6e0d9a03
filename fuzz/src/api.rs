//! The C interface, called as a C program would, with what must hold of every call and every job.

use lb_backup::ffi::*;
use std::ffi::{CStr, CString, c_char};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;

/// A status as C sees it: include/lb_backup.h, enum lb_status. The values are frozen.
pub type Status = i32;
pub const OK: Status = 0;
pub const INVALID_ARGUMENT: Status = 1;
pub const INVALID_HANDLE: Status = 2;
pub const NOT_FOUND: Status = 3;
pub const ALREADY_EXISTS: Status = 4;
pub const NOT_A_DATABASE: Status = 6;
pub const CORRUPT: Status = 7;
pub const BUSY: Status = 8;
pub const NO_SPACE: Status = 9;
pub const IO: Status = 10;
pub const CANCELLED: Status = 11;
pub const TIMED_OUT: Status = 12;
pub const QUEUE_FULL: Status = 13;
pub const UNSUPPORTED: Status = 16;
pub const SHUT_DOWN: Status = 20;
pub const INTERNAL: Status = 21;

pub const SUCCEEDED: u32 = 2;
pub const FAILED: u32 = 3;
pub const CANCELLED_STATE: u32 = 4;

/// No job of these sizes takes longer, on any machine.
const LONGEST_MS: u32 = 60_000;

/// A structure of zeros that says its size.
pub trait Sized32: Copy {
    fn new() -> Self;
}

macro_rules! sized {
    ($($name:ident),*) => { $(
        impl Sized32 for $name {
            fn new() -> $name {
                // SAFETY: plain data and nullable pointers; what a C program's `= {0}` makes.
                let zeros: $name = unsafe { std::mem::zeroed() };
                $name { struct_size: size_of::<$name>() as u32, ..zeros }
            }
        }
    )* };
}

sized!(
    lb_error,
    lb_progress,
    lb_result,
    lb_backup_options,
    lb_restore_options,
    lb_verify_options,
    lb_archive_info,
    lb_job_info,
    lb_config
);

pub fn c_string(path: &Path) -> CString {
    CString::new(path.as_os_str().as_bytes()).expect("names of scenes have no NUL")
}

pub fn text(message: &[c_char]) -> String {
    let bytes: Vec<u8> = message.iter().map(|&byte| byte as u8).collect();
    let text = CStr::from_bytes_until_nul(&bytes).expect("messages end");
    text.to_str().expect("messages are UTF-8").to_owned()
}

/// Why something failed.
#[derive(Clone, Debug)]
pub struct Failure {
    pub status: Status,
    pub message: String,
    /// Of a job: lb_result::failed_check.
    pub check: u32,
}

impl Failure {
    /// SQLite reads CHECK constraints only where it may write (build.c, sqlite3AddCheckConstraint). So a file in use is
    /// judged by them, and what is opened read-only, as images are, is not.
    pub fn is_of_check_constraints(&self) -> bool {
        ["CHECK constraint failed", "malformed database schema"].iter().any(|what| self.message.contains(what))
    }
}

pub type Outcome = Result<lb_result, Failure>;

/// No failure is a defect, and each says something.
fn typed(status: Status, message: &[c_char], check: u32) -> Failure {
    let failure = Failure { status, message: text(message), check };
    assert!((INVALID_ARGUMENT..INTERNAL).contains(&status), "{failure:?}");
    assert!(!failure.message.is_empty(), "status {status} without a message");
    failure
}

/// What a start has given, and, if that is a job, what becomes of it.
pub fn finish(start: impl FnOnce(*mut *mut lb_job, *mut lb_error) -> Status) -> Outcome {
    let mut error = lb_error::new();
    let mut job = ptr::without_provenance_mut(1);
    match start(&mut job, &mut error) {
        OK => join(job),
        status => {
            assert!(job.is_null() && error.status as Status == status);
            Err(typed(status, &error.message, LB_CHECK_NONE))
        }
    }
}

/// Waits for a job and ends its handle.
pub fn join(job: *mut lb_job) -> Outcome {
    assert_eq!(lb_backup_wait(job, LONGEST_MS) as Status, OK, "a job hangs");
    let mut look = lb_progress::new();
    let mut result = lb_result::new();
    // SAFETY: structures of their sizes.
    let (looked, status) =
        unsafe { (lb_backup_progress(job, &mut look) as Status, lb_backup_join(job, &mut result) as Status) };
    assert_eq!((looked, result.status as Status), (OK, status));
    let state = match status {
        OK => SUCCEEDED,
        CANCELLED => CANCELLED_STATE,
        _ => FAILED,
    };
    assert_eq!((look.state as u32, look.percent >= 100.0), (state, status == OK));
    if status == OK {
        assert!(text(&result.message).is_empty() && result.failed_check == 0);
        assert_eq!(result.image_bytes, result.pages * u64::from(result.page_size));
        return Ok(result);
    }
    Err(typed(status, &result.message, result.failed_check))
}

pub fn backup(source: &Path, dest: &Path, options: &lb_backup_options) -> Outcome {
    let (source, dest) = (c_string(source), c_string(dest));
    // SAFETY: strings that end, structures of their sizes.
    finish(|job, error| unsafe { lb_backup_start(source.as_ptr(), dest.as_ptr(), options, job, error) as Status })
}

pub fn restore(archive: &Path, dest: &Path, options: &lb_restore_options) -> Outcome {
    let (archive, dest) = (c_string(archive), c_string(dest));
    // SAFETY: as above.
    finish(|job, error| unsafe { lb_restore_start(archive.as_ptr(), dest.as_ptr(), options, job, error) as Status })
}

pub fn verify(archive: &Path, full: bool) -> Outcome {
    let archive = c_string(archive);
    let options = lb_verify_options { verify: full.into(), ..Sized32::new() };
    // SAFETY: as above.
    finish(|job, error| unsafe { lb_verify_start(archive.as_ptr(), &options, job, error) as Status })
}

pub fn inspect(archive: &Path) -> Result<lb_archive_info, Failure> {
    let archive = c_string(archive);
    let mut info = lb_archive_info::new();
    let mut error = lb_error::new();
    // SAFETY: as above.
    match unsafe { lb_backup_inspect(archive.as_ptr(), &mut info, &mut error) as Status } {
        OK => Ok(info),
        status => {
            assert_eq!(error.status as Status, status);
            Err(typed(status, &error.message, LB_CHECK_NONE))
        }
    }
}
