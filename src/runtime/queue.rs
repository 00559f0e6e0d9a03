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
    pub observer: Option<Arc<dyn Observer>>,
}

pub struct Queue {
    limit: usize,
    state: Mutex<State>,
    available: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Entry>,
    running: Vec<Arc<Job>>,
    /// Threads that would take an entry right now.
    idle: usize,
    closed: bool,
}

impl Queue {
    /// Holds up to `limit` entries beyond what idle threads are about to take.
    pub fn new(limit: usize) -> Queue {
        Queue { limit, state: Mutex::new(State::default()), available: Condvar::new() }
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
            if let Some(entry) = state.waiting.pop_front() {
                state.idle -= 1;
                state.running.push(Arc::clone(&entry.job));
                return Some(entry);
            }
            self.available.wait(&mut state);
        }
        state.idle -= 1;
        None
    }

    /// A popped job has ended.
    pub fn done(&self, job: &Arc<Job>) {
        self.state.lock().running.retain(|one| !Arc::ptr_eq(one, job));
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
        for job in &state.running {
            job.control.cancel();
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
        Entry { job: lone_job(), work: Box::new(|_, _| Ok(())), observer: None }
    }

    #[test]
    fn one_entry_too_many_is_refused_and_named() {
        let queue = Queue::new(2);
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
        let queue = Queue::new(8);
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
        let queue = Queue::new(8);
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
            let queue = Arc::new(Queue::new(8));
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
