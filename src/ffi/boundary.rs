//! The one door: whatever happens behind it, C gets a status.

use super::convert::message;
use super::sized::Out;
use super::types::lb_error;
use crate::error::{Error, Result, Status};
use crate::runtime;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs the body of an exported function: not in a forked child, and never unwinding into C.
pub(super) fn door(body: impl FnOnce() -> Result<()>) -> Status {
    match guarded(body) {
        Ok(()) => Status::Ok,
        Err(error) => error.status,
    }
}

/// As [`door`], for functions that tell the reason.
///
/// # Safety
/// `out_error` is NULL or points to an `lb_error` with its `struct_size` set.
pub(super) unsafe fn door_with_error(out_error: *mut lb_error, body: impl FnOnce() -> Result<()>) -> Status {
    // SAFETY: passed on.
    let Ok(out) = (unsafe { Out::optional(out_error, "out_error") }) else { return Status::InvalidArgument };
    let Err(error) = guarded(body) else { return Status::Ok };
    if let Some(out) = out {
        out.write(lb_error {
            struct_size: 0,
            status: error.status,
            sqlite_code: error.sqlite_code,
            sys_errno: error.sys_errno,
            message: message(&error.message),
        });
    }
    error.status
}

fn guarded(body: impl FnOnce() -> Result<()>) -> Result<()> {
    if runtime::in_child() {
        let reason = Status::WrongProcess.message().to_string_lossy();
        return Err(Error::new(Status::WrongProcess, reason));
    }
    // A defect may leave a structure of ours half-changed; parking_lot's locks are free again, and what they guard is
    // consistent at every point that can panic.
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|panic| Err(Error::from_panic(&*panic)))
}
