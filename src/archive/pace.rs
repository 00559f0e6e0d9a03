//! How much to read at a time.

use std::time::Duration;

/// Every page size divides this.
const UNIT: u64 = 64 << 10;

const LEAST: u64 = 256 << 10;
const FIRST: u64 = 1 << 20;
const MOST: u64 = 2 << 20;

/// Between these, a step is about right: short enough for whoever cancels, long enough for the disk.
const SHORT: Duration = Duration::from_millis(4);
const LONG: Duration = Duration::from_millis(16);

/// Of a second, what a throttled job reads at once: its rate is kept that evenly.
const THROTTLED_STEPS: u64 = 32;

/// Steps that follow the speed of the disk.
pub(super) struct Pace {
    step: u64,
}

impl Pace {
    pub(super) fn new() -> Pace {
        Pace { step: FIRST }
    }

    /// Bytes to read next; `rate` is the throttle's, 0 for none.
    pub(super) fn step(&self, rate: u64) -> usize {
        let step = match rate {
            0 => self.step,
            rate => self.step.min(rate / THROTTLED_STEPS / UNIT * UNIT).max(UNIT),
        };
        step as usize
    }

    /// `bytes` took so long.
    pub(super) fn took(&mut self, bytes: usize, time: Duration) {
        if time > LONG {
            self.step = (self.step / 2).max(LEAST);
        } else if time < SHORT && bytes as u64 >= self.step {
            self.step = (self.step * 2).min(MOST);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_shrink_on_a_slow_disk_and_grow_on_a_fast_one() {
        let mut pace = Pace::new();
        for _ in 0..9 {
            pace.took(pace.step(0), Duration::from_millis(500));
        }
        assert_eq!(pace.step(0) as u64, LEAST);
        for _ in 0..9 {
            pace.took(pace.step(0), Duration::from_micros(100));
        }
        assert_eq!(pace.step(0) as u64, MOST);
        pace.took(1, Duration::ZERO);
        assert_eq!(pace.step(0) as u64, MOST);
    }

    #[test]
    fn throttled_steps_are_small_and_whole_pages() {
        let pace = Pace::new();
        for rate in [1, 65_536, 1 << 20, 10_000_000, u64::MAX] {
            let step = pace.step(rate) as u64;
            assert!(step.is_multiple_of(UNIT) && (UNIT..=MOST).contains(&step), "{rate}: {step}");
        }
        assert_eq!(pace.step(16 << 20) as u64, 512 << 10);
    }
}
