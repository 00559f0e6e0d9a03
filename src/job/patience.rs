//! How long, and in which steps, a job waits for somebody else's lock.

use super::{Control, Progress};
use crate::error::{Error, Result, Status};
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// What `attempt` gives once no lock refuses it any more; its error if that is still so after `timeout`. Errors that no
/// waiting can mend are given back at once, and so is a cancel. The pauses between grow and are jittered: two jobs that
/// wait for one lock do not ask in step.
pub fn patiently<T>(
    timeout: Duration,
    control: &Control,
    progress: &Progress,
    mut attempt: impl FnMut() -> Result<T>,
) -> Result<T> {
    let deadline = Instant::now() + timeout;
    let mut next = FIRST_PAUSE;
    loop {
        let error = match attempt() {
            Err(error) if error.status == Status::Busy => error,
            result => return result,
        };
        let now = Instant::now();
        if now >= deadline {
            let message = format!("{}; still so after {} ms", error.message, timeout.as_millis());
            return Err(Error { message, ..error });
        }
        let jitter = RandomState::new().hash_one(now) % 1000;
        let pause = next.mul_f64(0.5 + jitter as f64 / 2000.0);
        next = (next * 2).min(LONGEST_PAUSE);
        progress.add_retry();
        let wake = (now + pause).min(deadline);
        control.wait_until(|| wake)?;
    }
}
