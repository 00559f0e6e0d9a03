//! The host's functions as observers of jobs and of the log.

use super::convert;
use super::types::*;
use crate::job::{Outcome, ProgressSnapshot};
use crate::runtime::{LogLevel, LogSink, Observer};
use std::ffi::{CString, c_int, c_void};
use std::sync::Arc;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The host's pointer. We only hand it back.
#[derive(Clone, Copy)]
pub(super) struct UserData(pub(super) *mut c_void);

// SAFETY: never dereferenced by us; that it may be handed to a callback on another thread is part of the documented
// contract of `user_data`.
unsafe impl Send for UserData {}
// SAFETY: as above.
unsafe impl Sync for UserData {}

/// Once exit(3) has come to what is older than the first observer, the host's static objects are being destroyed under its
/// callbacks: no new one is begun.
static EXITING: AtomicBool = AtomicBool::new(false);

extern "C" fn on_exit() {
    EXITING.store(true, Ordering::Release);
}

fn host_is_alive() -> bool {
    !EXITING.load(Ordering::Acquire)
}

fn watch_for_exit() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: the library is never unloaded (-z nodelete), so the function stays. A table that is full (ENOMEM) leaves
        // the host as any library without this would.
        let _: c_int = unsafe { libc::atexit(on_exit) };
    });
}

/// The callbacks of one job.
struct HostObserver {
    job: usize,
    interval: Duration,
    user_data: UserData,
    on_progress: lb_progress_fn,
    on_complete: lb_complete_fn,
}

/// What a job's options say about its callbacks.
pub(super) struct Callbacks {
    pub(super) progress: lb_progress_fn,
    pub(super) complete: lb_complete_fn,
    pub(super) user_data: *mut c_void,
}

impl Callbacks {
    /// None if the host wants to hear nothing.
    pub(super) fn observer(self, token: usize, interval: Duration) -> Option<Arc<dyn Observer>> {
        if self.progress.is_none() && self.complete.is_none() {
            return None;
        }
        watch_for_exit();
        Some(Arc::new(HostObserver {
            job: token,
            interval,
            user_data: UserData(self.user_data),
            on_progress: self.progress,
            on_complete: self.complete,
        }))
    }
}

impl Observer for HostObserver {
    fn interval(&self) -> Option<Duration> {
        self.on_progress.map(|_| self.interval)
    }

    fn progress(&self, look: &ProgressSnapshot) {
        if let Some(on_progress) = self.on_progress.filter(|_| host_is_alive()) {
            let progress = convert::progress(look);
            // SAFETY: the caller of lb_backup_start promised a function of this type that does not unwind and a user_data
            // that is valid until on_complete has returned; the other pointers live for the call.
            unsafe { on_progress(std::ptr::without_provenance_mut(self.job), &progress, self.user_data.0) }
        }
    }

    fn complete(&self, outcome: &Outcome) {
        if let Some(on_complete) = self.on_complete.filter(|_| host_is_alive()) {
            let result = convert::result(outcome);
            // SAFETY: as in `progress`.
            unsafe { on_complete(std::ptr::without_provenance_mut(self.job), &result, self.user_data.0) }
        }
    }
}

/// The host's log, if it wants one.
pub(super) fn log_sink(config: &lb_config) -> Option<LogSink> {
    let on_log = config.on_log?;
    let user_data = UserData(config.user_data);
    watch_for_exit();
    Some(Arc::new(move |level, text: &str| {
        // The whole wrapper, not its field, moves into the closure.
        let UserData(user_data) = { user_data };
        let level = match level {
            LogLevel::Warning => LB_LOG_WARNING,
            LogLevel::Info => LB_LOG_INFO,
        };
        // A message of ours has no NUL but what a path smuggled in.
        let text = CString::new(text.replace('\0', "\u{fffd}")).unwrap_or_default();
        if host_is_alive() {
            // SAFETY: the caller of lb_configure promised a function of this type that does not unwind and a user_data
            // that is valid until lb_shutdown; the text lives for the call.
            unsafe { on_log(level, text.as_ptr(), user_data) }
        }
    }))
}
