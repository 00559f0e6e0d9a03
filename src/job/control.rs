//! The two things that others may ask of a running job: to stop, and to go at another speed. Every wait of a job is a
//! wait in here, so that both act at once.

use crate::error::{Error, Result};
use parking_lot::{Condvar, Mutex};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

/// Shared by a job and those who hold its handle. Every method may be called from any thread and none blocks, except
/// where its name says wait.
pub struct Control {
    cancelled: AtomicBool,
    /// Bytes per second, 0 for no limit.
    rate: AtomicU64,
    /// Guards nothing but the moment between a waiter's look at the world and its sleep.
    lock: Mutex<()>,
    changed: Condvar,
}

impl Control {
    /// A job that may go on, at `rate` bytes per second (0 for no limit).
    pub fn new(rate: u64) -> Control {
        Control {
            cancelled: AtomicBool::new(false),
            rate: AtomicU64::new(rate),
            lock: Mutex::new(()),
            changed: Condvar::new(),
        }
    }

    /// Asks the job to stop. There is no way back.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Release);
        self.nudge();
    }

    /// True once [`Control::cancel`] was called.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }

    /// A cancellation point.
    pub fn check(&self) -> Result<()> {
        #[cfg(feature = "test-hooks")]
        if crate::hooks::cancel_at_this_step() {
            self.cancel();
        }
        if self.is_cancelled() { Err(Error::cancelled()) } else { Ok(()) }
    }

    /// Changes the throttle; 0 lifts it.
    pub fn set_rate(&self, rate: u64) {
        self.rate.store(rate, Ordering::Release);
        self.nudge();
    }

    /// Bytes per second, 0 for no limit.
    pub fn rate(&self) -> u64 {
        self.rate.load(Ordering::Acquire)
    }

    /// Wakes the job's waits, so that they look again.
    pub fn nudge(&self) {
        // Taking the lock orders this after a waiter's look: no wake-up falls between its look and its sleep.
        drop(self.lock.lock());
        self.changed.notify_all();
    }

    /// Waits until `ready` gives something, which it is asked after every [`Control::nudge`]; an error once cancelled.
    pub fn wait_for<T>(&self, mut ready: impl FnMut() -> Option<T>) -> Result<T> {
        let mut guard = self.lock.lock();
        loop {
            if self.is_cancelled() {
                return Err(Error::cancelled());
            }
            if let Some(value) = ready() {
                return Ok(value);
            }
            self.changed.wait(&mut guard);
        }
    }

    /// Waits until `deadline`, which is computed anew after every [`Control::nudge`]; an error once cancelled.
    pub fn wait_until(&self, mut deadline: impl FnMut() -> Instant) -> Result<()> {
        let mut guard = self.lock.lock();
        loop {
            if self.is_cancelled() {
                return Err(Error::cancelled());
            }
            let deadline = deadline();
            if Instant::now() >= deadline {
                return Ok(());
            }
            self.changed.wait_until(&mut guard, deadline);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::time::Duration;

    #[test]
    fn cancel_ends_a_wait_without_end() {
        let control = Arc::new(Control::new(0));
        let waiter = Arc::clone(&control);
        let waiting = std::thread::spawn(move || waiter.wait_for(|| None::<()>));
        control.cancel();
        assert_eq!(waiting.join().unwrap(), Err(Error::cancelled()));
        assert!(control.check().is_err());
    }

    #[test]
    fn no_nudge_is_lost_between_look_and_sleep() {
        for _ in 0..1000 {
            let control = Arc::new(Control::new(0));
            let waiter = Arc::clone(&control);
            let waiting = std::thread::spawn(move || waiter.wait_for(|| (waiter.rate() == 7).then_some(())));
            control.set_rate(7);
            waiting.join().unwrap().unwrap();
        }
    }

    #[test]
    fn a_deadline_in_the_past_is_no_wait() {
        let past = Instant::now() - Duration::from_secs(1);
        assert_eq!(Control::new(0).wait_until(|| past), Ok(()));
    }
}
