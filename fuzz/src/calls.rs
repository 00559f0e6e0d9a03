//! Sequences of calls, beside a model that knows which answers are allowed.

use super::api::{
    self, ALREADY_EXISTS, BUSY, CANCELLED, INVALID_ARGUMENT, INVALID_HANDLE, NOT_A_DATABASE, NOT_FOUND, OK, QUEUE_FULL,
    SHUT_DOWN, Sized32, Status, TIMED_OUT,
};
use super::input::Input;
use super::scene::Scene;
use lb_backup::ffi::*;
use std::collections::BTreeSet;
use std::ffi::{CString, c_void};
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};

const DATABASE: &[u8] = include_bytes!("../live.db");

const MOST_CALLS: usize = 64;
const MOST_JOBS: usize = 16;
const WOULD_DEADLOCK: Status = 19;

/// How often each job's on_complete was called.
static COMPLETED: [AtomicU32; MOST_JOBS] = [const { AtomicU32::new(0) }; MOST_JOBS];

pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let mut model = Model::new();
    for _ in 0..MOST_CALLS {
        if input.is_empty() {
            break;
        }
        model.step(&mut input);
    }
    model.end();
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Library {
    Stopped,
    Running,
    Stopping,
}

struct Handle {
    token: *mut lb_job,
    open: bool,
    /// What becomes of it if nobody interferes.
    outcome: Status,
    /// Cancelled, or the library was shut down: the other thing that may become of it.
    interrupted: bool,
    slow: bool,
    /// Seen to have ended.
    finished: bool,
    completes: bool,
    last: lb_progress,
}

struct Model {
    scene: Scene,
    library: Library,
    /// The queue may be full.
    small: bool,
    handles: Vec<Handle>,
}

/// What a start is asked for, what it says to that, and, if that is OK, what becomes of the job.
const KINDS: [(Kind, Status, Status); 9] = [
    (Kind::Backup("database", "zst"), OK, OK),
    (Kind::Backup("database", "db"), OK, OK),
    (Kind::Backup("garbage", "zst"), OK, NOT_A_DATABASE),
    (Kind::Backup("nothing", "db"), NOT_FOUND, OK),
    (Kind::Restore("archive"), OK, OK),
    (Kind::Restore("garbage"), OK, NOT_A_DATABASE),
    (Kind::Verify("archive"), OK, OK),
    (Kind::Verify("nothing"), NOT_FOUND, OK),
    (Kind::OntoExisting, ALREADY_EXISTS, OK),
];

#[derive(Clone, Copy)]
enum Kind {
    Backup(&'static str, &'static str),
    Restore(&'static str),
    Verify(&'static str),
    OntoExisting,
}

impl Model {
    fn new() -> Model {
        for completed in &COMPLETED {
            completed.store(0, Ordering::Relaxed);
        }
        let scene = Scene::new();
        let database = scene.write("database", DATABASE);
        scene.write("garbage", &[b'x'; 2000]);
        let made = api::backup(
            &database,
            &scene.path("archive"),
            &lb_backup_options { format: LB_FORMAT_ZSTD, ..Sized32::new() },
        );
        assert!(made.is_ok(), "{:?}", made.err());
        Model { scene, library: Library::Running, small: false, handles: Vec::new() }
    }

    fn step(&mut self, input: &mut Input<'_>) {
        match input.byte() % 16 {
            0..=3 => self.start(input),
            4 => self.progress(input),
            5 => self.cancel(input),
            6 => self.wait(input),
            7 => self.join(input),
            8 => self.join_twice_at_once(input),
            9 => self.release(input),
            10 => self.set_rate(input),
            11 => self.jobs(),
            12 => self.configure(input),
            13 => self.shutdown(input),
            14 => self.inspect(),
            _ => self.invented(input),
        }
    }

    /// Any handle, open or not.
    fn pick(&mut self, input: &mut Input<'_>) -> Option<&mut Handle> {
        let which = usize::from(input.byte());
        let count = self.handles.len();
        (count > 0).then(|| &mut self.handles[which % count])
    }

    fn start(&mut self, input: &mut Input<'_>) {
        let (kind, answer, outcome) = input.choice(&KINDS);
        let how = input.byte();
        let number = self.handles.len();
        if number == MOST_JOBS {
            return;
        }
        let (slow, completes, progresses) = (how & 1 != 0, how & 2 != 0, how & 4 != 0);
        let rate = u64::from(slow);
        let user_data = ptr::without_provenance_mut::<c_void>(number);
        let on_progress: lb_progress_fn = if progresses { Some(on_progress) } else { None };
        let on_complete: lb_complete_fn = if completes { Some(on_complete) } else { None };
        let name = |name: &str| api::c_string(&self.scene.path(name));
        let mut job = ptr::without_provenance_mut(1);
        let mut error = lb_error::new();
        let common = (rate, 1, user_data, on_progress, on_complete);
        // SAFETY: strings that end, structures of their sizes, callbacks of their types that do not unwind.
        let status = unsafe {
            match kind {
                Kind::Backup(source, suffix) => {
                    let (max_bytes_per_second, progress_interval_ms, user_data, on_progress, on_complete) = common;
                    let options = lb_backup_options {
                        max_bytes_per_second,
                        progress_interval_ms,
                        user_data,
                        on_progress,
                        on_complete,
                        ..Sized32::new()
                    };
                    let (source, dest): (CString, CString) = (name(source), name(&format!("{number}.{suffix}")));
                    lb_backup_start(source.as_ptr(), dest.as_ptr(), &options, &mut job, &mut error)
                }
                Kind::Restore(_) | Kind::OntoExisting => {
                    let (max_bytes_per_second, progress_interval_ms, user_data, on_progress, on_complete) = common;
                    let options = lb_restore_options {
                        max_bytes_per_second,
                        progress_interval_ms,
                        user_data,
                        on_progress,
                        on_complete,
                        ..Sized32::new()
                    };
                    let (archive, dest) = match kind {
                        Kind::Restore(archive) => (name(archive), name(&format!("{number}.restored"))),
                        _ => (name("archive"), name("database")),
                    };
                    lb_restore_start(archive.as_ptr(), dest.as_ptr(), &options, &mut job, &mut error)
                }
                Kind::Verify(archive) => {
                    let (max_bytes_per_second, progress_interval_ms, user_data, on_progress, on_complete) = common;
                    let options = lb_verify_options {
                        max_bytes_per_second,
                        progress_interval_ms,
                        user_data,
                        on_progress,
                        on_complete,
                        ..Sized32::new()
                    };
                    lb_verify_start(name(archive).as_ptr(), &options, &mut job, &mut error)
                }
            }
        } as Status;
        let expected = match (answer, self.library) {
            (OK, Library::Stopping) => SHUT_DOWN,
            _ => answer,
        };
        if expected == OK {
            self.library = Library::Running;
        }
        if status == QUEUE_FULL && self.small && expected == OK {
            assert!(job.is_null());
            return;
        }
        assert_eq!(status, expected, "{}", api::text(&error.message));
        assert_eq!(job.is_null(), status != OK);
        if status != OK {
            return;
        }
        assert!(self.handles.iter().all(|known| known.token != job), "a handle was given out twice");
        self.handles.push(Handle {
            token: job,
            open: true,
            outcome,
            interrupted: false,
            slow,
            finished: false,
            completes,
            last: lb_progress::new(),
        });
    }

    fn progress(&mut self, input: &mut Input<'_>) {
        if let Some(handle) = self.pick(input) {
            handle.look();
        }
    }

    fn cancel(&mut self, input: &mut Input<'_>) {
        if let Some(handle) = self.pick(input) {
            handle.cancel();
        }
    }

    fn wait(&mut self, input: &mut Input<'_>) {
        let timeout = u32::from(input.byte() % 3);
        if let Some(handle) = self.pick(input) {
            let status = lb_backup_wait(handle.token, timeout) as Status;
            match (handle.open, handle.finished) {
                (false, _) => assert_eq!(status, INVALID_HANDLE),
                (true, true) => assert_eq!(status, OK),
                (true, false) => assert!([OK, TIMED_OUT].contains(&status), "{status}"),
            }
            handle.finished |= status == OK;
            if status == OK {
                handle.look();
            }
        }
    }

    /// No slow job keeps others from their turn any more.
    fn let_run(&mut self) {
        for handle in self.handles.iter_mut().filter(|handle| handle.open && handle.slow) {
            handle.slow = false;
            assert_eq!(lb_backup_set_rate(handle.token, 0) as Status, OK);
        }
    }

    fn join(&mut self, input: &mut Input<'_>) {
        self.let_run();
        if let Some(handle) = self.pick(input) {
            let mut result = lb_result::new();
            // SAFETY: a structure of its size.
            let status = unsafe { lb_backup_join(handle.token, &mut result) as Status };
            handle.joined(status);
        }
    }

    /// One gets the outcome, the other none.
    fn join_twice_at_once(&mut self, input: &mut Input<'_>) {
        self.let_run();
        if let Some(handle) = self.pick(input) {
            let token = handle.token.addr();
            // SAFETY: NULL is allowed.
            let join = move || unsafe { lb_backup_join(ptr::without_provenance_mut(token), ptr::null_mut()) as Status };
            let statuses = std::thread::scope(|scope| {
                let other = scope.spawn(join);
                [join(), other.join().expect("a join does not panic")]
            });
            let refused = statuses.iter().filter(|status| **status == INVALID_HANDLE).count();
            assert_eq!(refused, if handle.open { 1 } else { 2 });
            handle.joined(statuses.into_iter().find(|status| *status != INVALID_HANDLE).unwrap_or(INVALID_HANDLE));
        }
    }

    fn release(&mut self, input: &mut Input<'_>) {
        self.let_run();
        if let Some(handle) = self.pick(input) {
            let expected = if handle.open { OK } else { INVALID_HANDLE };
            assert_eq!(lb_backup_release(handle.token) as Status, expected);
            handle.open = false;
        }
    }

    fn set_rate(&mut self, input: &mut Input<'_>) {
        let rate = input.choice(&[0, 1, 1000, u64::MAX]);
        if let Some(handle) = self.pick(input) {
            let expected = if handle.open { OK } else { INVALID_HANDLE };
            assert_eq!(lb_backup_set_rate(handle.token, rate) as Status, expected);
            handle.slow = matches!(rate, 1 | 1000);
        }
    }

    fn jobs(&mut self) {
        let mut list = [lb_job_info::new(); MOST_JOBS];
        let mut count = 0;
        // SAFETY: an array whose first element has its size.
        let status = unsafe { lb_backup_jobs(list.as_mut_ptr(), MOST_JOBS, &mut count) as Status };
        assert_eq!(status, OK);
        let told: BTreeSet<_> = list[..count].iter().map(|info| info.job.addr()).collect();
        let known: BTreeSet<_> =
            self.handles.iter().filter(|handle| handle.open).map(|handle| handle.token.addr()).collect();
        assert_eq!(told, known);
        for info in &list[..count] {
            assert!(self.handles[info.user_data.addr()].token == info.job && (0.0..=100.0).contains(&info.percent));
        }
    }

    fn configure(&mut self, input: &mut Input<'_>) {
        let (workers, small) = (u32::from(input.byte()), input.byte() & 1 != 0);
        let config = lb_config {
            workers: if workers < 250 { workers % 4 } else { workers },
            max_concurrent_jobs: small.into(),
            queue_length: small.into(),
            ..Sized32::new()
        };
        let mut error = lb_error::new();
        // SAFETY: structures of their sizes.
        let status = unsafe { lb_configure(&config, &mut error) as Status };
        let expected = match self.library {
            _ if config.workers > 64 => INVALID_ARGUMENT,
            Library::Stopped => OK,
            Library::Running | Library::Stopping => BUSY,
        };
        assert_eq!(status, expected);
        if status == OK {
            self.small = small;
        }
    }

    fn shutdown(&mut self, input: &mut Input<'_>) {
        self.shut_down(if input.byte() & 1 != 0 { 0 } else { u32::MAX });
    }

    fn shut_down(&mut self, timeout: u32) {
        let status = lb_shutdown(timeout) as Status;
        let patient = timeout == u32::MAX || self.library == Library::Stopped;
        assert!(status == OK || status == TIMED_OUT && !patient, "{status}");
        for handle in &mut self.handles {
            handle.interrupted |= !handle.finished;
            handle.finished |= status == OK;
        }
        self.library = if status == OK { Library::Stopped } else { Library::Stopping };
    }

    fn inspect(&mut self) {
        match api::inspect(&self.scene.path("archive")) {
            Ok(info) => {
                assert_eq!(info.kind, LB_KIND_ARCHIVE);
                assert!(self.library != Library::Stopping);
                self.library = Library::Running;
            }
            Err(failure) => {
                assert!(self.library == Library::Stopping && failure.status == SHUT_DOWN, "{failure:?}");
            }
        }
    }

    /// Any number, or one near a handle, is no handle.
    fn invented(&mut self, input: &mut Input<'_>) {
        let call = input.byte();
        let mut value = input.u64() as usize;
        if call & 0x80 != 0 {
            let near = 1 << (value % 64);
            value = self.pick(input).map_or(0, |handle| handle.token.addr()) ^ near;
        }
        if self.handles.iter().any(|handle| handle.token.addr() == value) {
            return;
        }
        let token = ptr::without_provenance_mut(value);
        let mut look = lb_progress::new();
        // SAFETY: NULL is allowed; a structure of its size.
        let status = unsafe {
            match call % 6 {
                0 => lb_backup_progress(token, &mut look),
                1 => lb_backup_cancel(token),
                2 => lb_backup_wait(token, u32::MAX),
                3 => lb_backup_join(token, ptr::null_mut()),
                4 => lb_backup_release(token),
                _ => lb_backup_set_rate(token, 1),
            }
        };
        assert_eq!(status as Status, INVALID_HANDLE);
    }

    /// Ends what is left, and looks whether everybody was told.
    fn end(&mut self) {
        self.let_run();
        let released = self.handles.iter().any(|handle| !handle.open && !handle.finished);
        for handle in self.handles.iter_mut().filter(|handle| handle.open) {
            handle.cancel();
            // SAFETY: NULL is allowed.
            let status = unsafe { lb_backup_join(handle.token, ptr::null_mut()) as Status };
            handle.joined(status);
        }
        if released || self.small || self.library == Library::Stopping {
            self.shut_down(u32::MAX);
        }
        if self.library == Library::Stopped {
            // SAFETY: NULLs are allowed.
            assert_eq!(unsafe { lb_configure(ptr::null(), ptr::null_mut()) as Status }, OK);
        }
        self.jobs();
        for (handle, completed) in self.handles.iter().zip(&COMPLETED) {
            assert_eq!(completed.load(Ordering::Relaxed), u32::from(handle.completes));
        }
    }
}

impl Handle {
    fn look(&mut self) {
        let mut look = lb_progress::new();
        // SAFETY: a structure of its size.
        let status = unsafe { lb_backup_progress(self.token, &mut look) as Status };
        assert_eq!(status, if self.open { OK } else { INVALID_HANDLE });
        if !self.open {
            return;
        }
        let last = &self.last;
        let was_final = last.state as u32 >= api::SUCCEEDED;
        let numbers = |look: &lb_progress| {
            [look.state as u64, look.phase as u64, look.bytes_done, look.bytes_written, look.elapsed_ns]
        };
        assert!(numbers(last).iter().zip(numbers(&look)).all(|(last, now)| *last <= now), "it goes backwards");
        assert!(last.percent <= look.percent && look.percent <= 100.0);
        assert!(!was_final || (last.state as u32, last.elapsed_ns) == (look.state as u32, look.elapsed_ns));
        assert!(!self.finished || look.state as u32 >= api::SUCCEEDED);
        assert_eq!(look.percent >= 100.0, look.state as u32 == api::SUCCEEDED);
        self.last = look;
    }

    fn cancel(&mut self) {
        let status = lb_backup_cancel(self.token) as Status;
        assert_eq!(status, if self.open { OK } else { INVALID_HANDLE });
        self.interrupted |= self.open && !self.finished;
    }

    fn joined(&mut self, status: Status) {
        if !self.open {
            assert_eq!(status, INVALID_HANDLE);
            return;
        }
        assert!(status == self.outcome || status == CANCELLED && self.interrupted, "{status}, not {}", self.outcome);
        (self.open, self.finished) = (false, true);
    }
}

unsafe extern "C" fn on_progress(job: *mut lb_job, _: *const lb_progress, _: *mut c_void) {
    // It may have been released.
    let status = lb_backup_wait(job, u32::MAX) as Status;
    assert!([WOULD_DEADLOCK, INVALID_HANDLE].contains(&status), "{status}");
    assert_eq!(lb_shutdown(u32::MAX) as Status, WOULD_DEADLOCK);
}

unsafe extern "C" fn on_complete(job: *mut lb_job, result: *const lb_result, user_data: *mut c_void) {
    // SAFETY: valid for the call.
    let status = unsafe { (*result).status as Status };
    let waited = lb_backup_wait(job, u32::MAX) as Status;
    assert!([OK, INVALID_HANDLE].contains(&waited), "{waited}");
    let cancelled = lb_backup_cancel(job) as Status;
    assert!([OK, INVALID_HANDLE].contains(&cancelled) && status < api::INTERNAL);
    COMPLETED[user_data.addr()].fetch_add(1, Ordering::Relaxed);
}
