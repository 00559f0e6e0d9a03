use std::any::Any;
use std::future::Future;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::native::{Api, RawResult};
use crate::{Error, Outcome, Progress, Status};

pub(crate) type OnProgress = Box<dyn FnMut(&Progress) + Send>;

#[derive(Default)]
struct State {
    outcome: Option<Result<Outcome, Error>>,
    panic: Option<Box<dyn Any + Send>>,
    waker: Option<Waker>,
    progress: Option<Progress>,
    seen: u64,
}

/// What a job and the library's callbacks share.
pub(crate) struct Shared {
    api: &'static Api,
    pub(crate) handle: AtomicUsize,
    callback: Mutex<Option<OnProgress>>,
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    pub(crate) fn new(api: &'static Api, callback: Option<OnProgress>) -> Arc<Self> {
        Arc::new(Self {
            api,
            handle: AtomicUsize::new(0),
            callback: Mutex::new(callback),
            state: Mutex::default(),
            changed: Condvar::new(),
        })
    }

    // A panic of the caller's closure cannot leave the state half changed: it runs under another lock.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn progressed(&self, progress: Progress) {
        let mut state = self.state();
        state.progress = Some(progress);
        state.seen += 1;
        drop(state);
        self.changed.notify_all();
        let mut callback = self.callback.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(call) = callback.as_mut() {
            call(&progress);
        }
    }

    pub(crate) fn completed(&self, result: &RawResult) {
        let mut state = self.state();
        state.outcome = Some(Outcome::from_raw(result));
        let waker = state.waker.take();
        drop(state);
        self.changed.notify_all();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The first panic of a callback ends the job; whoever waits gets it.
    pub(crate) fn panicked(&self, payload: Box<dyn Any + Send>) {
        let mut state = self.state();
        if state.panic.is_none() {
            state.panic = Some(payload);
        }
        drop(state);
        let _ = self.api.cancel(self.handle.load(Ordering::Acquire));
        // No more calls of a closure that has panicked. Last, for what its drop does may panic, too.
        let closure = self.callback.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(closure);
    }
}

/// A job that was started: wait for it, or `.await` it in any executor.
///
/// Dropping a job cancels it and does not wait: it ends within milliseconds and leaves nothing behind, or has published
/// its archive already. [`Job::detach`] lets it go on instead. So a job that nobody keeps takes no backup, of which the
/// compiler warns:
///
/// ```compile_fail
/// #![deny(unused_must_use)]
/// lb_backup_client::Library::load()?.backup("game.db", "game.db.zst").start()?;
/// # Ok::<(), lb_backup_client::Error>(())
/// ```
///
/// ```no_run
/// # #![deny(unused_must_use)]
/// lb_backup_client::Library::load()?.backup("game.db", "game.db.zst").start()?.detach();
/// # Ok::<(), lb_backup_client::Error>(())
/// ```
#[must_use = "a job that is dropped is cancelled: wait for it, await it, or detach it"]
pub struct Job {
    control: Control,
    shared: Arc<Shared>,
    detached: bool,
}

/// Looks at a job, changes its rate and cancels it, from any thread. Does not keep the job: once that is dropped, every
/// call gives [`Status::InvalidHandle`].
#[derive(Clone)]
pub struct Control {
    api: &'static Api,
    handle: usize,
}

impl Control {
    /// One look; wait-free.
    pub fn progress(&self) -> Result<Progress, Error> {
        Ok(self.api.progress(self.handle)?.into())
    }

    /// Asks the job to end as [`Status::Cancelled`]. Returns at once; idempotent.
    pub fn cancel(&self) -> Result<(), Error> {
        self.api.cancel(self.handle)
    }

    /// Changes the throttle, in bytes of the image per second; 0 for no limit.
    pub fn set_rate(&self, bytes_per_second: u64) -> Result<(), Error> {
        self.api.set_rate(self.handle, bytes_per_second)
    }
}

impl Job {
    pub(crate) fn new(api: &'static Api, handle: usize, shared: Arc<Shared>) -> Self {
        Self { control: Control { api, handle }, shared, detached: false }
    }

    /// Waits until the job has ended. May be called again, and by several threads: all get the same outcome.
    ///
    /// On the library's thread for callbacks, in a task that its waker polls there too, an unfinished job gives
    /// [`Status::WouldDeadlock`]; in a forked child every job gives [`Status::WrongProcess`].
    ///
    /// # Panics
    /// With the panic of the job's callback, once.
    pub fn wait(&self) -> Result<Outcome, Error> {
        self.may_wait()?;
        let mut state = self.shared.state();
        loop {
            match Self::ended(&mut state) {
                Some(Ok(outcome)) => return outcome,
                Some(Err(payload)) => {
                    drop(state);
                    resume_unwind(payload)
                }
                None => {}
            }
            state = self.shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The library knows which thread this is, and which process. To be asked before any lock of ours is taken: in a forked
    /// child it may be that of a thread that is not there.
    fn may_wait(&self) -> Result<(), Error> {
        self.control.api.may_wait(self.control.handle)
    }

    fn ended(state: &mut State) -> Option<Result<Result<Outcome, Error>, Box<dyn Any + Send>>> {
        let outcome = state.outcome.clone()?;
        Some(state.panic.take().map_or(Ok(outcome), Err))
    }

    /// One look; wait-free.
    pub fn progress(&self) -> Result<Progress, Error> {
        self.control.progress()
    }

    /// Asks the job to end as [`Status::Cancelled`]. Returns at once; idempotent.
    pub fn cancel(&self) -> Result<(), Error> {
        self.control.cancel()
    }

    /// Changes the throttle, in bytes of the image per second; 0 for no limit.
    pub fn set_rate(&self, bytes_per_second: u64) -> Result<(), Error> {
        self.control.set_rate(bytes_per_second)
    }

    /// For other threads, and for callbacks.
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// Progress as it comes, at most once per interval, the last state included; blocks between. A slow reader misses
    /// some. Ends with the job, and at once where [`Job::wait`] would fail instead of waiting.
    pub fn updates(&self) -> Updates<'_> {
        Updates { job: self, seen: 0 }
    }

    /// Lets the job go on without anybody who waits for it. Its callback is still called.
    pub fn detach(mut self) {
        self.detached = true;
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        if !self.detached {
            let _ = self.control.cancel();
        }
        let _ = self.control.api.release(self.control.handle);
    }
}

impl Future for Job {
    type Output = Result<Outcome, Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Err(error) = self.may_wait() {
            if error.status == Status::WrongProcess {
                return Poll::Ready(Err(error));
            }
        }
        let mut state = self.shared.state();
        match Self::ended(&mut state) {
            Some(Ok(outcome)) => Poll::Ready(outcome),
            Some(Err(payload)) => {
                drop(state);
                resume_unwind(payload)
            }
            None => {
                state.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

/// See [`Job::updates`].
#[must_use = "nothing is waited for before it is read"]
pub struct Updates<'a> {
    job: &'a Job,
    seen: u64,
}

impl Iterator for Updates<'_> {
    type Item = Progress;

    fn next(&mut self) -> Option<Progress> {
        self.job.may_wait().ok()?;
        let shared = &self.job.shared;
        let mut state = shared.state();
        loop {
            if state.seen > self.seen {
                self.seen = state.seen;
                return state.progress;
            }
            if state.outcome.is_some() {
                return None;
            }
            state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}
