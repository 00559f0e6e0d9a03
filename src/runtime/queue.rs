//! Jobs on their way to a thread: a bounded queue that can be searched (a waiting job is cancelled at once) and closed.

use super::{Observer, Work};
use crate::error::{Error, Result, Status};
use crate::job::Job;
use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;
use std::sync::Arc;

/// A job with what it has to do and whom it tells.
pub struct Entry {
    pub job: Arc<Job>,
    pub work: Work,
    /// Likely to take long.
    pub large: bool,
    pub observer: Option<Arc<dyn Observer>>,
}

pub struct Queue {
    limit: usize,
    /// Large jobs that may run at the same time.
    large_limit: usize,
    state: Mutex<State>,
    available: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Entry>,
    running: Vec<Running>,
    /// Threads that would take an entry right now.
    idle: usize,
    closed: bool,
}

struct Running {
    job: Arc<Job>,
    large: bool,
}

/// With at least so many threads, one of them is kept from large jobs.
const ENOUGH_THREADS: usize = 3;

impl State {
    /// The first that may run now.
    fn take(&mut self, large_limit: usize) -> Option<Entry> {
        let full = self.running.iter().filter(|running| running.large).count() >= large_limit;
        let index = self.waiting.iter().position(|entry| !(entry.large && full))?;
        self.waiting.remove(index)
    }
}

impl Queue {
    /// Holds up to `limit` entries beyond what idle threads, of which there are `threads`, are about to take. A small job
    /// is never stuck behind large ones: where there are threads enough, one of them takes no large jobs.
    pub fn new(limit: usize, threads: usize) -> Queue {
        let large_limit = if threads < ENOUGH_THREADS { threads } else { threads - 1 };
        Queue { limit, large_limit, state: Mutex::new(State::default()), available: Condvar::new() }
    }

    /// Adds an entry at the end.
    pub fn push(&self, entry: Entry) -> Result<()> {
        let mut state = self.state.lock();
        if state.closed {
            return Err(Error::new(Status::ShutDown, "the library is shutting down"));
        }
        if state.waiting.len() >= self.limit + state.idle {
            let message = format!("{} jobs are waiting, as many as lb_config::queue_length allows", self.limit);
            return Err(Error::new(Status::QueueFull, message));
        }
        state.waiting.push_back(entry);
        self.available.notify_one();
        Ok(())
    }

    /// The next entry, now counted as running; waits for one. None once the queue is closed.
    pub fn pop(&self) -> Option<Entry> {
        let mut state = self.state.lock();
        state.idle += 1;
        while !state.closed {
            if let Some(entry) = state.take(self.large_limit) {
                state.idle -= 1;
                state.running.push(Running { job: Arc::clone(&entry.job), large: entry.large });
                return Some(entry);
            }
            self.available.wait(&mut state);
        }
        state.idle -= 1;
        None
    }

    /// A popped job has ended.
    pub fn done(&self, job: &Arc<Job>) {
        self.state.lock().running.retain(|running| !Arc::ptr_eq(&running.job, job));
        // A large one may have waited for that on another thread.
        self.available.notify_one();
    }

    /// Takes a waiting job out.
    pub fn remove(&self, job: &Arc<Job>) -> Option<Entry> {
        let mut state = self.state.lock();
        let index = state.waiting.iter().position(|entry| Arc::ptr_eq(&entry.job, job))?;
        state.waiting.remove(index)
    }

    /// Accepts nothing more, cancels what runs, and gives back what waited.
    pub fn close(&self) -> VecDeque<Entry> {
        let mut state = self.state.lock();
        state.closed = true;
        for running in &state.running {
            running.job.control.cancel();
        }
        self.available.notify_all();
        std::mem::take(&mut state.waiting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::tests::lone_job;

    fn entry() -> Entry {
        Entry { job: lone_job(), work: Box::new(|_, _| Ok(())), large: false, observer: None }
    }

    #[test]
    fn a_small_job_is_not_stuck_behind_large_ones() {
        for threads in [3, 4, 8] {
            let queue = Queue::new(100, threads);
            let large: Vec<_> = (0..threads).map(|_| Entry { large: true, ..entry() }).collect();
            let last = Arc::clone(&large[threads - 1].job);
            large.into_iter().for_each(|entry| queue.push(entry).unwrap());
            let running: Vec<_> = (0..threads - 1).map(|_| queue.pop().unwrap().job).collect();
            let (first, second) = (entry(), entry());
            let small = [Arc::clone(&first.job), Arc::clone(&second.job)];
            queue.push(first).unwrap();
            queue.push(second).unwrap();
            for wanted in &small {
                let next = queue.pop().unwrap();
                assert!(Arc::ptr_eq(&next.job, wanted));
                queue.done(&next.job);
            }
            queue.done(&running[0]);
            assert!(Arc::ptr_eq(&queue.pop().unwrap().job, &last));
        }
    }

    #[test]
    fn few_threads_are_for_all_jobs() {
        for threads in [1, 2] {
            let queue = Queue::new(100, threads);
            for _ in 0..threads {
                queue.push(Entry { large: true, ..entry() }).unwrap();
            }
            for _ in 0..threads {
                assert!(queue.pop().unwrap().large);
            }
        }
    }

    #[test]
    fn one_entry_too_many_is_refused_and_named() {
        let queue = Queue::new(2, 2);
        queue.push(entry()).unwrap();
        queue.push(entry()).unwrap();
        let error = queue.push(entry()).unwrap_err();
        assert_eq!(error.status, Status::QueueFull);
        assert!(error.message.contains("queue_length"));
        assert!(queue.pop().is_some());
        queue.push(entry()).unwrap();
    }

    #[test]
    fn a_waiting_job_is_taken_out_once() {
        let queue = Queue::new(8, 2);
        let (first, second) = (entry(), entry());
        let job = Arc::clone(&first.job);
        queue.push(first).unwrap();
        queue.push(second).unwrap();
        assert!(queue.remove(&job).is_some_and(|entry| Arc::ptr_eq(&entry.job, &job)));
        assert!(queue.remove(&job).is_none());
        assert!(queue.pop().is_some_and(|entry| !Arc::ptr_eq(&entry.job, &job)));
    }

    #[test]
    fn closing_cancels_what_runs_and_hands_back_what_waits() {
        let queue = Queue::new(8, 2);
        queue.push(entry()).unwrap();
        queue.push(entry()).unwrap();
        let running = queue.pop().unwrap();
        assert_eq!(queue.close().len(), 1);
        assert!(running.job.control.is_cancelled());
        assert!(queue.pop().is_none());
        assert_eq!(queue.push(entry()).unwrap_err().status, Status::ShutDown);
    }

    #[test]
    fn a_job_is_either_taken_out_or_popped_never_both() {
        for _ in 0..500 {
            let queue = Arc::new(Queue::new(8, 2));
            let entry = entry();
            let job = Arc::clone(&entry.job);
            let popper = Arc::clone(&queue);
            let popping = std::thread::spawn(move || popper.pop().is_some());
            queue.push(entry).unwrap();
            let removed = queue.remove(&job).is_some();
            queue.close();
            assert_ne!(removed, popping.join().unwrap());
        }
    }
}
