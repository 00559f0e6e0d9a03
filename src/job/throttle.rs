//! Keeps a job at the rate that its [`Control`] asks for at the moment.

use super::Control;
use crate::error::Result;
use std::time::{Duration, Instant};

/// How far behind the present a job may have stayed without losing the right to catch up.
const BURST: Duration = Duration::from_millis(100);

/// How long a wait goes on without a look at what is watched.
const WATCH: Duration = Duration::from_millis(100);

/// A leaky bucket that is paid after the fact: work of `bytes` is done first, then the time that it should have taken
/// is waited out. A change of the rate acts at once, on the part that is still owed.
pub struct Throttle {
    /// Bytes that were done and are not yet paid for, as of `settled`.
    owed: f64,
    settled: Instant,
}

impl Throttle {
    /// Owes nothing.
    pub fn new() -> Throttle {
        Throttle { owed: 0.0, settled: Instant::now() }
    }

    /// Waits until `bytes` more are within the rate; an error once cancelled.
    pub fn pay(&mut self, bytes: u64, control: &Control) -> Result<()> {
        // A rate near zero would overflow; a year is long enough to wait for the next nudge.
        self.pay_in_turns(bytes, control, Duration::from_secs(365 * 86400), || Ok(()))
    }

    /// The same, and looks at something else in between, ten times a second: its error ends the wait.
    pub fn pay_watching(&mut self, bytes: u64, control: &Control, watch: impl FnMut() -> Result<()>) -> Result<()> {
        self.pay_in_turns(bytes, control, WATCH, watch)
    }

    fn pay_in_turns(
        &mut self,
        bytes: u64,
        control: &Control,
        longest: Duration,
        mut watch: impl FnMut() -> Result<()>,
    ) -> Result<()> {
        if control.rate() == 0 {
            *self = Throttle::new();
            return Ok(());
        }
        self.owed += bytes as f64;
        let mut rate = control.rate();
        loop {
            let turn = Instant::now() + longest;
            let mut is_paid = false;
            control.wait_until(|| {
                let now = Instant::now();
                if rate != 0 {
                    self.settle(now, rate as f64);
                }
                // What was waited so far counts at the rate that was in force; the rest at the new one.
                rate = control.rate();
                is_paid = rate == 0 || self.owed <= 0.0;
                if is_paid {
                    return now;
                }
                let wait = (self.owed / rate as f64).min(longest.as_secs_f64());
                turn.min(now + Duration::from_secs_f64(wait))
            })?;
            if is_paid {
                return Ok(());
            }
            watch()?;
        }
    }

    fn settle(&mut self, now: Instant, rate: f64) {
        let paid = now.duration_since(self.settled).as_secs_f64() * rate;
        self.owed = (self.owed - paid).max(-BURST.as_secs_f64() * rate);
        self.settled = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Error, Status};
    use std::sync::Arc;

    #[test]
    fn no_rate_owes_nothing() {
        let control = Control::new(0);
        let mut throttle = Throttle::new();
        for _ in 0..1000 {
            throttle.pay(u64::MAX / 4, &control).unwrap();
        }
        assert_eq!(throttle.owed, 0.0);
    }

    #[test]
    fn work_takes_at_least_its_time() {
        let control = Control::new(1_000_000);
        let mut throttle = Throttle::new();
        let start = Instant::now();
        for _ in 0..20 {
            throttle.pay(10_000, &control).unwrap();
        }
        assert!(start.elapsed() >= Duration::from_millis(200) - BURST);
    }

    #[test]
    fn a_lifted_limit_ends_the_wait_for_what_is_owed() {
        let control = Arc::new(Control::new(1));
        let payer = Arc::clone(&control);
        // At one byte a second this would take eleven days.
        let paying = std::thread::spawn(move || Throttle::new().pay(1_000_000, &payer));
        control.set_rate(0);
        paying.join().unwrap().unwrap();
    }

    #[test]
    fn what_is_watched_ends_the_wait_for_what_is_owed() {
        let mut looks = 0;
        let watch = || {
            looks += 1;
            if looks < 3 { Ok(()) } else { Err(Error::new(Status::WalLimit, "enough")) }
        };
        let error = Throttle::new().pay_watching(1_000_000, &Control::new(1), watch).unwrap_err();
        assert_eq!(error.status, Status::WalLimit);
    }

    #[test]
    fn cancel_ends_the_wait_for_what_is_owed() {
        let control = Arc::new(Control::new(1));
        let payer = Arc::clone(&control);
        let paying = std::thread::spawn(move || Throttle::new().pay(u64::MAX, &payer));
        control.cancel();
        assert!(paying.join().unwrap().is_err());
    }
}
