//! The one host-side thread: it has the host's descriptor table, and all of the host's code runs here.

use crate::job::{Job, JobState, Outcome, ProgressSnapshot};
use parking_lot::{Condvar, Mutex};
use std::cell::Cell;
use std::collections::VecDeque;
use std::ptr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Whom a job tells about itself. Called on the callback thread only, one call at a time.
pub trait Observer: Send + Sync {
    /// Least time between two calls of [`Observer::progress`]; None if it is not to be called.
    fn interval(&self) -> Option<Duration>;
    /// Now and then, and once at the end.
    fn progress(&self, look: &ProgressSnapshot);
    /// Once, last.
    fn complete(&self, outcome: &Outcome);
}

/// How much a line of the log matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// Somebody should look at it.
    Warning,
    /// Nothing to do.
    Info,
}

/// Where lines of the log go. Called on the callback thread only.
pub type LogSink = Arc<dyn Fn(LogLevel, &str) + Send + Sync>;

/// Lines that may wait for a slow sink; then the oldest go.
const LOG_LIMIT: usize = 64;

#[derive(Default)]
pub struct Callbacks {
    log_sink: Option<LogSink>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Observed jobs that were accepted and have not ended.
    expected: usize,
    watched: Vec<Watch>,
    ended: VecDeque<(Arc<Job>, Arc<dyn Observer>)>,
    log: VecDeque<(LogLevel, String)>,
    /// The sink is being called.
    logging: bool,
    closed: bool,
}

struct Watch {
    job: Arc<Job>,
    observer: Arc<dyn Observer>,
    interval: Duration,
    due: Instant,
}

thread_local! {
    static ON_CALLBACK_THREAD: Cell<bool> = const { Cell::new(false) };
    /// The job whose [`Observer::complete`] is running.
    static COMPLETING: Cell<*const Job> = const { Cell::new(ptr::null()) };
}

/// True inside a callback.
pub fn in_callback() -> bool {
    ON_CALLBACK_THREAD.get()
}

/// True inside the last callback of this very job.
pub fn is_completing(job: &Job) -> bool {
    ptr::eq(COMPLETING.get(), job)
}

impl Callbacks {
    pub fn new(log_sink: Option<LogSink>) -> Callbacks {
        Callbacks { log_sink, ..Callbacks::default() }
    }

    /// An observed job is about to be accepted: the thread stays until its [`Callbacks::end`], whoever takes it off the
    /// queue, and however long after [`Callbacks::close`].
    pub fn expect(&self) {
        self.state.lock().expected += 1;
    }

    /// The job was refused.
    pub fn expect_no_more(&self) {
        self.state.lock().expected -= 1;
        self.changed.notify_one();
    }

    /// Calls `observer` about `job` from now on, if it wants that.
    pub fn watch(&self, job: &Arc<Job>, observer: &Arc<dyn Observer>) {
        if let Some(interval) = observer.interval() {
            let (job, observer) = (Arc::clone(job), Arc::clone(observer));
            self.state.lock().watched.push(Watch { job, observer, interval, due: Instant::now() });
            self.changed.notify_one();
        }
    }

    /// `job`, which was expected, has ended: its last callbacks, then [`Job::finish`].
    pub fn end(&self, job: Arc<Job>, observer: Arc<dyn Observer>) {
        let mut state = self.state.lock();
        state.expected -= 1;
        state.watched.retain(|watch| !Arc::ptr_eq(&watch.job, &job));
        state.ended.push_back((job, observer));
        self.changed.notify_one();
    }

    /// A line for the host's log.
    pub fn log(&self, level: LogLevel, message: String) {
        if self.log_sink.is_some() {
            let mut state = self.state.lock();
            if state.log.len() == LOG_LIMIT {
                state.log.pop_front();
            }
            state.log.push_back((level, message));
            self.changed.notify_one();
        }
    }

    /// True if the sink is being called, or lines wait for it. Else it is not called before the next [`Callbacks::log`].
    pub fn is_logging(&self) -> bool {
        let state = self.state.lock();
        state.logging || !state.log.is_empty()
    }

    /// Lets the thread go once nothing is left to tell, and nothing to come.
    pub fn close(&self) {
        self.state.lock().closed = true;
        self.changed.notify_one();
    }

    /// The thread's life. Callbacks run without the lock, so that they may call anything.
    pub fn run(&self) {
        ON_CALLBACK_THREAD.set(true);
        let mut state = self.state.lock();
        loop {
            if let Some((job, observer)) = state.ended.pop_front() {
                drop(state);
                tell_end(&job, &*observer);
                state = self.state.lock();
            } else if let Some((level, message)) = state.log.pop_front() {
                state.logging = true;
                drop(state);
                if let Some(sink) = &self.log_sink {
                    sink(level, &message);
                }
                state = self.state.lock();
                state.logging = false;
            } else if let Some((job, observer)) = take_due(&mut state.watched) {
                drop(state);
                let look = job.progress.look();
                // An ended job is about to be told with its last look.
                if look.state == JobState::Running {
                    observer.progress(&look);
                }
                state = self.state.lock();
            } else if state.closed && state.expected == 0 {
                return;
            } else {
                match state.watched.iter().map(|watch| watch.due).min() {
                    Some(due) => drop(self.changed.wait_until(&mut state, due)),
                    None => self.changed.wait(&mut state),
                }
            }
        }
    }
}

fn tell_end(job: &Arc<Job>, observer: &dyn Observer) {
    if let Some(outcome) = job.outcome() {
        if observer.interval().is_some() {
            observer.progress(&job.progress.look());
        }
        COMPLETING.set(Arc::as_ptr(job));
        observer.complete(&outcome);
        COMPLETING.set(ptr::null());
    }
    job.finish();
}

/// The job that has waited longest for its turn, if any is due; its next turn is an interval from now.
fn take_due(watched: &mut [Watch]) -> Option<(Arc<Job>, Arc<dyn Observer>)> {
    let now = Instant::now();
    let watch = watched.iter_mut().filter(|watch| watch.due <= now).min_by_key(|watch| watch.due)?;
    watch.due = now + watch.interval;
    Some((Arc::clone(&watch.job), Arc::clone(&watch.observer)))
}
