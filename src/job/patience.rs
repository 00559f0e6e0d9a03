//! How long, and in which steps, a job waits for somebody else's lock.

use super::{Control, Progress};
use crate::error::{Error, Result, Status};
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// Growing, jittered pauses up to a deadline. Two jobs that wait for one lock do not ask in step.
pub struct Patience {
    timeout: Duration,
    deadline: Instant,
    next: Duration,
}

impl Patience {
    /// Begins now and ends after `timeout`.
    pub fn new(timeout: Duration) -> Patience {
        Patience { timeout, deadline: Instant::now() + timeout, next: FIRST_PAUSE }
    }

    /// Pauses before another try after `error`, or gives it back once the timeout is over. Errors that no waiting can
    /// mend are given back at once.
    pub fn pause(&mut self, error: Error, control: &Control, progress: &Progress) -> Result<()> {
        if error.status != Status::Busy {
            return Err(error);
        }
        let now = Instant::now();
        if now >= self.deadline {
            let message = format!("{}; still so after {} ms", error.message, self.timeout.as_millis());
            return Err(Error { message, ..error });
        }
        let jitter = RandomState::new().hash_one(now) % 1000;
        let pause = self.next.mul_f64(0.5 + jitter as f64 / 2000.0);
        self.next = (self.next * 2).min(LONGEST_PAUSE);
        progress.add_retry();
        let wake = (now + pause).min(self.deadline);
        control.wait_until(|| wake)
    }
}
