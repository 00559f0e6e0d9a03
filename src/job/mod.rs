//! One job: its state, its outcome, and what others may ask of it. Safe Rust that knows neither C nor SQLite.

mod control;
mod patience;
mod progress;
mod report;
mod throttle;

#[cfg(test)]
pub(crate) mod tests;

pub use control::Control;
pub use patience::patiently;
pub use progress::{JobState, Phase, Progress, ProgressSnapshot};
pub use report::{Check, Finding, Outcome, Report, Stopwatch};
pub use throttle::Throttle;

use crate::error::{Error, Status};
use parking_lot::{Condvar, Mutex};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

/// An asynchronous operation, shared by the thread that does it and everybody who holds its handle.
pub struct Job {
    /// Stop, and how fast.
    pub control: Control,
    /// Where it stands.
    pub progress: &'static Progress,
    accepted: (Instant, SystemTime),
    life: Mutex<Life>,
    advanced: Condvar,
}

/// A job ends once its work is over, and is finished once its callbacks are, too: whoever waited may then free what they
/// use.
enum Life {
    Open,
    Ended(Arc<Outcome>),
    Finished(Arc<Outcome>),
}

impl Job {
    /// Accepts a job now. `progress` is its own until the last reference to the job is gone.
    pub fn new(progress: &'static Progress, rate: u64) -> Arc<Job> {
        progress.reset();
        Arc::new(Job {
            control: Control::new(rate),
            progress,
            accepted: (Instant::now(), SystemTime::now()),
            life: Mutex::new(Life::Open),
            advanced: Condvar::new(),
        })
    }

    /// When the job was accepted.
    pub fn accepted(&self) -> (Instant, SystemTime) {
        self.accepted
    }

    /// What the image is: its page count may not be known before its end (see [`Report::set_image_bytes`]). The job as a
    /// whole moves as many bytes as `work` says of an image of so many.
    pub fn set_image(
        &self,
        report: &mut Report,
        page_size: u32,
        page_count: Option<u32>,
        work: impl FnOnce(u64) -> u64,
    ) {
        report.page_size = page_size;
        if let Some(page_count) = page_count {
            report.set_image_bytes(u64::from(page_size) * u64::from(page_count));
        }
        self.progress.set_total(report.image_bytes, work(report.image_bytes));
    }

    /// The work is over. Called once, by the side that did the work or took the job off the queue.
    pub fn end(&self, result: Result<(), Error>, mut report: Report) {
        report.start = Some(self.accepted.1);
        report.end = Some(SystemTime::now());
        report.retries = self.progress.retries();
        let state = match &result {
            Ok(()) => JobState::Succeeded,
            Err(error) if error.status == Status::Cancelled => JobState::Cancelled,
            Err(_) => JobState::Failed,
        };
        let mut life = self.life.lock();
        debug_assert!(matches!(*life, Life::Open), "a job ends once");
        *life = Life::Ended(Arc::new(Outcome { result, report }));
        self.progress.set_final(state);
    }

    /// The callbacks are over, too. Called once, after [`Job::end`].
    pub fn finish(&self) {
        let mut life = self.life.lock();
        if let Life::Ended(outcome) = &*life {
            *life = Life::Finished(Arc::clone(outcome));
        }
        self.advanced.notify_all();
    }

    /// The outcome, once the work is over.
    pub fn outcome(&self) -> Option<Arc<Outcome>> {
        match &*self.life.lock() {
            Life::Open => None,
            Life::Ended(outcome) | Life::Finished(outcome) => Some(Arc::clone(outcome)),
        }
    }

    /// The outcome, once the callbacks are over, too.
    pub fn finished(&self) -> Option<Arc<Outcome>> {
        match &*self.life.lock() {
            Life::Finished(outcome) => Some(Arc::clone(outcome)),
            _ => None,
        }
    }

    /// Waits for [`Job::finish`], until `deadline` if there is one.
    pub fn wait(&self, deadline: Option<Instant>) -> Option<Arc<Outcome>> {
        let mut life = self.life.lock();
        loop {
            if let Life::Finished(outcome) = &*life {
                return Some(Arc::clone(outcome));
            }
            match deadline {
                None => self.advanced.wait(&mut life),
                Some(deadline) => {
                    if self.advanced.wait_until(&mut life, deadline).timed_out() && !matches!(*life, Life::Finished(_))
                    {
                        return None;
                    }
                }
            }
        }
    }
}
