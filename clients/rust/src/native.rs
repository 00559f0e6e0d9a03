//! The C interface: the structures of lb_backup.h, the functions of the library, and every unsafe block of this crate.

use std::ffi::{c_char, c_void, CStr, CString};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::Path;
use std::ptr::{copy_nonoverlapping, null, null_mut};
use std::sync::atomic::Ordering;
use std::sync::Arc;

use crate::job::Shared;
use crate::{Error, LogLevel, Status};

pub(crate) const ABI_VERSION: u32 = 0;
pub(crate) const MESSAGE_SIZE: usize = 1024;

pub(crate) type JobPointer = *mut c_void;
pub(crate) type ProgressFn = unsafe extern "C" fn(JobPointer, *const RawProgress, *mut c_void);
pub(crate) type CompleteFn = unsafe extern "C" fn(JobPointer, *const RawResult, *mut c_void);
pub(crate) type LogFn = unsafe extern "C" fn(u32, *const c_char, *mut c_void);

macro_rules! structures {
    ($($name:ident = $c:literal { $($field:ident: $type:ty),* $(,)? })*) => {
        $(
            #[repr(C)]
            #[derive(Clone, Copy)]
            pub(crate) struct $name { $(pub $field: $type),* }

            // Not every structure is both made here and given to a callback.
            #[allow(dead_code)]
            impl $name {
                pub(crate) fn sized() -> Self {
                    // SAFETY: integers, floats, raw pointers and optional functions are all valid as zero.
                    let mut structure: Self = unsafe { std::mem::zeroed() };
                    structure.struct_size = size_of::<Self>() as u32;
                    structure
                }

                /// What a callback is given has the library's size: an older library's ends earlier, and the rest is zero.
                ///
                /// # Safety
                /// So many bytes as the first field says are there.
                unsafe fn given(structure: *const Self) -> Self {
                    let mut copy = Self::sized();
                    // SAFETY: as the caller promises, and no more than there is room for.
                    unsafe {
                        let size = structure.cast::<u32>().read() as usize;
                        let bytes = structure.cast::<u8>();
                        copy_nonoverlapping(bytes, (&raw mut copy).cast(), size.min(size_of::<Self>()));
                    }
                    copy
                }
            }
        )*

        /// Name and size of each structure; name, offset and size of each field.
        #[cfg(test)]
        #[allow(clippy::type_complexity)]
        pub(crate) fn layouts() -> Vec<(&'static str, usize, Vec<(&'static str, usize, usize)>)> {
            vec![$((
                $c,
                size_of::<$name>(),
                vec![$((stringify!($field), std::mem::offset_of!($name, $field), size_of::<$type>())),*],
            )),*]
        }
    };
}

structures! {
    RawError = "lb_error" {
        struct_size: u32, status: i32, sqlite_code: i32, sys_errno: i32, message: [c_char; MESSAGE_SIZE],
    }
    RawProgress = "lb_progress" {
        struct_size: u32, state: u32, phase: u32, retries: u32, bytes_done: u64, bytes_total: u64, bytes_written: u64,
        bytes_reused: u64, elapsed_ns: u64, eta_ns: u64, percent: f64,
    }
    RawResult = "lb_result" {
        struct_size: u32, status: i32, sqlite_code: i32, sys_errno: i32, message: [c_char; MESSAGE_SIZE], format: u32,
        page_size: u32, pages: u64, image_bytes: u64, archive_bytes: u64, bytes_reused: u64, has_sha256: u32,
        retries: u32, sha256: [u8; 32], start_unix_ns: i64, end_unix_ns: i64, waiting_ns: u64, reading_ns: u64,
        compressing_ns: u64, writing_ns: u64, syncing_ns: u64, verifying_ns: u64, source_lock_ns: u64,
        wal_growth_bytes: u64, failed_check: u32, reserved: u32, failed_chunk: u64, failed_page: u64,
    }
    BackupOptions = "lb_backup_options" {
        struct_size: u32, format: u32, compression_level: i32, existing: u32, verify: u32, digest: u32,
        chunk_size: u64, max_bytes_per_second: u64, busy_timeout_ms: u32, progress_interval_ms: u32,
        wal_limit_bytes: u64, user_data: *mut c_void, on_progress: Option<ProgressFn>,
        on_complete: Option<CompleteFn>, reuse_path: *const c_char,
    }
    RestoreOptions = "lb_restore_options" {
        struct_size: u32, existing: u32, verify: u32, busy_timeout_ms: u32, max_bytes_per_second: u64,
        progress_interval_ms: u32, reserved: u32, keep_previous: *const c_char, user_data: *mut c_void,
        on_progress: Option<ProgressFn>, on_complete: Option<CompleteFn>,
    }
    VerifyOptions = "lb_verify_options" {
        struct_size: u32, verify: u32, max_bytes_per_second: u64, progress_interval_ms: u32, reserved: u32,
        user_data: *mut c_void, on_progress: Option<ProgressFn>, on_complete: Option<CompleteFn>,
    }
    RawArchiveInfo = "lb_archive_info" {
        struct_size: u32, kind: u32, format_version: u32, page_size: u32, pages: u64, image_bytes: u64,
        archive_bytes: u64, chunk_size: u64, chunks: u64, created_unix_ns: i64, application_id: u32,
        user_version: i32, compression_level: i32, has_parent: u32, archive_id: [u8; 16], parent_id: [u8; 16],
        library_version: [c_char; 32], sqlite_version: [c_char; 32], zstd_version: [c_char; 32],
    }
    RawJobInfo = "lb_job_info" {
        struct_size: u32, state: u32, job: JobPointer, user_data: *mut c_void, bytes_done: u64, bytes_total: u64,
        percent: f64, dest_name: [c_char; 256],
    }
    RawConfig = "lb_config" {
        struct_size: u32, flags: u32, workers: u32, max_concurrent_jobs: u32, queue_length: u32, priority: u32,
        user_data: *mut c_void, on_log: Option<LogFn>,
    }
}

macro_rules! functions {
    ($($name:ident: fn($($type:ty),*) -> $result:ty;)*) => {
        /// The functions of a loaded library. It is never unloaded: its threads may run until the process ends.
        pub(crate) struct Api {
            $($name: unsafe extern "C" fn($($type),*) -> $result,)*
        }

        fn bind(library: &libloading::Library) -> Result<Api, libloading::Error> {
            // SAFETY: the types are those of lb_backup.h, and the ABI's version is compared before any other call.
            unsafe { Ok(Api { $($name: *library.get(concat!(stringify!($name), "\0").as_bytes())?,)* }) }
        }
    };
}

functions! {
    lb_backup_start: fn(*const c_char, *const c_char, *const BackupOptions, *mut JobPointer, *mut RawError) -> i32;
    lb_restore_start: fn(*const c_char, *const c_char, *const RestoreOptions, *mut JobPointer, *mut RawError) -> i32;
    lb_verify_start: fn(*const c_char, *const VerifyOptions, *mut JobPointer, *mut RawError) -> i32;
    lb_backup_inspect: fn(*const c_char, *mut RawArchiveInfo, *mut RawError) -> i32;
    lb_backup_progress: fn(JobPointer, *mut RawProgress) -> i32;
    lb_backup_cancel: fn(JobPointer) -> i32;
    lb_backup_wait: fn(JobPointer, u32) -> i32;
    lb_backup_release: fn(JobPointer) -> i32;
    lb_backup_set_rate: fn(JobPointer, u64) -> i32;
    lb_backup_jobs: fn(*mut RawJobInfo, usize, *mut usize) -> i32;
    lb_configure: fn(*const RawConfig, *mut RawError) -> i32;
    lb_shutdown: fn(u32) -> i32;
    lb_status_message: fn(i32) -> *const c_char;
    lb_version: fn() -> *const c_char;
    lb_abi_version: fn() -> u32;
}

pub(crate) type OnLog = Box<dyn Fn(LogLevel, &str) + Send + Sync>;

/// What a start is asked for, with the paths that its options point to.
pub(crate) enum Start {
    Backup { source: CString, dest: CString, reuse: Option<CString>, options: BackupOptions },
    Restore { archive: CString, dest: CString, keep_previous: Option<CString>, options: RestoreOptions },
    Verify { archive: CString, options: VerifyOptions },
}

impl Api {
    pub(crate) fn load(path: &Path) -> Result<&'static Self, Error> {
        let unloadable = |cause: String| Error::local(Status::Unsupported, format!("{}: {cause}", path.display()));
        // SAFETY: the initialisers of liblb_backup have no requirement; which file it is the caller decides.
        let library = unsafe { libloading::Library::new(path) }.map_err(|e| unloadable(e.to_string()))?;
        let api = bind(&library).map_err(|e| unloadable(e.to_string()))?;
        // SAFETY: takes nothing; the same in every version of the ABI.
        let version = unsafe { (api.lb_abi_version)() };
        if version != ABI_VERSION {
            return Err(unloadable(format!("its ABI is version {version}, not {ABI_VERSION}")));
        }
        std::mem::forget(library);
        Ok(Box::leak(Box::new(api)))
    }

    pub(crate) fn start(&self, start: &mut Start, shared: &Arc<Shared>) -> Result<usize, Error> {
        // One reference is the library's, until on_complete.
        let user_data = Arc::into_raw(Arc::clone(shared)) as *mut c_void;
        let mut job: JobPointer = null_mut();
        let mut error = RawError::sized();
        // SAFETY: every pointer outlives the call, and user_data lives until on_complete takes it back.
        let status = unsafe {
            match start {
                Start::Backup { source, dest, reuse, options } => {
                    options.user_data = user_data;
                    options.on_progress = Some(on_progress);
                    options.on_complete = Some(on_complete);
                    options.reuse_path = reuse.as_ref().map_or(null(), |path| path.as_ptr());
                    (self.lb_backup_start)(source.as_ptr(), dest.as_ptr(), options, &mut job, &mut error)
                }
                Start::Restore { archive, dest, keep_previous, options } => {
                    options.user_data = user_data;
                    options.on_progress = Some(on_progress);
                    options.on_complete = Some(on_complete);
                    options.keep_previous = keep_previous.as_ref().map_or(null(), |path| path.as_ptr());
                    (self.lb_restore_start)(archive.as_ptr(), dest.as_ptr(), options, &mut job, &mut error)
                }
                Start::Verify { archive, options } => {
                    options.user_data = user_data;
                    options.on_progress = Some(on_progress);
                    options.on_complete = Some(on_complete);
                    (self.lb_verify_start)(archive.as_ptr(), options, &mut job, &mut error)
                }
            }
        };
        if status == 0 {
            return Ok(job as usize);
        }
        // SAFETY: a start that failed calls nothing back: the reference is ours again.
        drop(unsafe { Arc::from_raw(user_data as *const Shared) });
        Err(failure(status, &error))
    }

    pub(crate) fn inspect(&self, archive: &CStr) -> Result<RawArchiveInfo, Error> {
        let mut info = RawArchiveInfo::sized();
        let mut error = RawError::sized();
        // SAFETY: every pointer outlives the call; the sizes are set.
        match unsafe { (self.lb_backup_inspect)(archive.as_ptr(), &mut info, &mut error) } {
            0 => Ok(info),
            status => Err(failure(status, &error)),
        }
    }

    pub(crate) fn progress(&self, job: usize) -> Result<RawProgress, Error> {
        let mut progress = RawProgress::sized();
        // SAFETY: a handle is a token, which the library checks; the structure outlives the call.
        self.check("progress", unsafe { (self.lb_backup_progress)(job as JobPointer, &mut progress) })?;
        Ok(progress)
    }

    /// Whether this thread of this process could wait for the job, or need not any more.
    pub(crate) fn may_wait(&self, job: usize) -> Result<(), Error> {
        // SAFETY: a handle is a token, which the library checks. A time of 0 only looks.
        match self.check("wait", unsafe { (self.lb_backup_wait)(job as JobPointer, 0) }) {
            Err(error) if error.status == Status::TimedOut => Ok(()),
            other => other,
        }
    }

    pub(crate) fn cancel(&self, job: usize) -> Result<(), Error> {
        // SAFETY: a handle is a token, which the library checks.
        self.check("cancel", unsafe { (self.lb_backup_cancel)(job as JobPointer) })
    }

    pub(crate) fn release(&self, job: usize) -> Result<(), Error> {
        // SAFETY: a handle is a token, which the library checks.
        self.check("release", unsafe { (self.lb_backup_release)(job as JobPointer) })
    }

    pub(crate) fn set_rate(&self, job: usize, bytes_per_second: u64) -> Result<(), Error> {
        // SAFETY: a handle is a token, which the library checks.
        self.check("set_rate", unsafe { (self.lb_backup_set_rate)(job as JobPointer, bytes_per_second) })
    }

    pub(crate) fn jobs(&self) -> Result<Vec<RawJobInfo>, Error> {
        let mut jobs = vec![RawJobInfo::sized(); 16];
        loop {
            let mut count = 0;
            // SAFETY: an array of so many elements, whose first one has its size; both pointers outlive the call.
            self.check("jobs", unsafe { (self.lb_backup_jobs)(jobs.as_mut_ptr(), jobs.len(), &mut count) })?;
            if count <= jobs.len() {
                jobs.truncate(count);
                return Ok(jobs);
            }
            jobs.resize(count + 16, RawJobInfo::sized()); // some may be started meanwhile
        }
    }

    pub(crate) fn configure(&self, config: &mut RawConfig, on_log: Option<OnLog>) -> Result<(), Error> {
        // One more pointer, as that to a closure of unknown type is two.
        let user_data = on_log.map_or(null_mut(), |closure| Box::into_raw(Box::new(closure)));
        config.user_data = user_data.cast();
        config.on_log = (!user_data.is_null()).then_some(self::on_log as LogFn);
        let mut error = RawError::sized();
        // SAFETY: both structures outlive the call; what user_data points to is never freed from now on.
        match unsafe { (self.lb_configure)(config, &mut error) } {
            0 => Ok(()),
            status => {
                if !user_data.is_null() {
                    // SAFETY: made above, and the library has not taken it.
                    drop(unsafe { Box::from_raw(user_data) });
                }
                Err(failure(status, &error))
            }
        }
    }

    pub(crate) fn shutdown(&self, timeout_ms: u32) -> Result<(), Error> {
        // SAFETY: takes no pointer.
        self.check("shutdown", unsafe { (self.lb_shutdown)(timeout_ms) })
    }

    pub(crate) fn version(&self) -> String {
        // SAFETY: a static string with its NUL.
        unsafe { CStr::from_ptr((self.lb_version)()) }.to_string_lossy().into_owned()
    }

    pub(crate) fn status_message(&self, status: i32) -> String {
        // SAFETY: a static string with its NUL, for any number.
        unsafe { CStr::from_ptr((self.lb_status_message)(status)) }.to_string_lossy().into_owned()
    }

    fn check(&self, call: &str, status: i32) -> Result<(), Error> {
        match status {
            0 => Ok(()),
            status => Err(Error::local(Status::from_code(status), format!("{call}: {}", self.status_message(status)))),
        }
    }
}

fn failure(status: i32, error: &RawError) -> Error {
    Error {
        sqlite_code: error.sqlite_code,
        errno: error.sys_errno,
        ..Error::local(Status::from_code(status), text(&error.message))
    }
}

pub(crate) fn text(field: &[c_char]) -> String {
    let bytes: Vec<u8> = field.iter().take_while(|&&byte| byte != 0).map(|&byte| byte as u8).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

unsafe extern "C" fn on_progress(job: JobPointer, progress: *const RawProgress, user_data: *mut c_void) {
    // SAFETY: the start put an Arc's pointer there, and on_complete, the last callback, has not yet taken it.
    let shared = unsafe { &*(user_data as *const Shared) };
    // SAFETY: the library's structure, until this returns.
    let progress = unsafe { RawProgress::given(progress) };
    // May come before the start has written its out: the handle is taken from here.
    shared.handle.store(job as usize, Ordering::Release);
    guarded(shared, || shared.progressed(progress.into()));
}

unsafe extern "C" fn on_complete(_: JobPointer, result: *const RawResult, user_data: *mut c_void) {
    // SAFETY: the reference that the start gave; this is the job's last callback, called once.
    let shared = unsafe { Arc::from_raw(user_data as *const Shared) };
    // SAFETY: the library's structure, until this returns.
    let result = unsafe { RawResult::given(result) };
    guarded(&shared, || shared.completed(&result));
    // The caller's closure goes with the last reference: what its drop does may panic, too.
    quietly(|| drop(shared));
}

unsafe extern "C" fn on_log(level: u32, message: *const c_char, user_data: *mut c_void) {
    // SAFETY: what configure put there, and never frees.
    let log = unsafe { &*(user_data as *const OnLog) };
    // SAFETY: the library's string, with its NUL, until this returns.
    let message = unsafe { CStr::from_ptr(message) }.to_string_lossy();
    quietly(|| log(LogLevel::from_code(level), &message));
}

fn guarded(shared: &Shared, call: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(call)) {
        quietly(|| shared.panicked(payload));
    }
}

/// A panic of the caller's code that nobody waits for. Its payload is kept for ever: dropping it may panic, too.
fn quietly(call: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(call)) {
        std::mem::forget(payload);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Check, Job, Library};
    use std::future::Future;
    use std::mem::offset_of;
    use std::pin::Pin;
    use std::sync::mpsc;
    use std::task::{Context, Poll, Waker};

    // What lies behind an older library's structure is not of it.
    #[test]
    fn callbacks_read_no_more_than_the_library_has_written() {
        let api = Library::load().unwrap().api;
        let (send, receive) = mpsc::channel();
        let shared = Shared::new(api, Some(Box::new(move |progress| send.send(*progress).unwrap())));
        let user_data = Arc::into_raw(Arc::clone(&shared)) as *mut c_void;
        let mut progress = RawProgress { bytes_done: 7, percent: 8.0, ..RawProgress::sized() };
        progress.struct_size = offset_of!(RawProgress, percent) as u32;
        let mut result =
            RawResult { status: 7, sqlite_code: 11, failed_check: 2, failed_page: 9, ..RawResult::sized() };
        result.struct_size = offset_of!(RawResult, failed_check) as u32;
        // SAFETY: both structures are larger than they say, and user_data is an Arc's, given once.
        unsafe {
            on_progress(null_mut(), &progress, user_data);
            on_complete(null_mut(), &result, user_data);
        }
        let seen = receive.recv().unwrap();
        assert_eq!((seen.bytes_done, seen.percent), (7, 0.0));
        let mut job = Job::new(api, 0, shared);
        let Poll::Ready(outcome) = Pin::new(&mut job).poll(&mut Context::from_waker(Waker::noop())) else {
            panic!("the job has not ended");
        };
        let error = outcome.unwrap_err();
        assert_eq!((error.status, error.sqlite_code), (Status::Corrupt, 11));
        assert_eq!((error.check, error.chunk, error.page), (Check::None, None, None));
    }
}
