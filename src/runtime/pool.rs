//! Threads for computing (compressing, hashing), shared by all jobs. Each job bounds what it has here by a [`Window`].

use crate::error::Result;
use crate::job::Job;
use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

type Task = Box<dyn FnOnce() + Send>;

pub struct Pool {
    workers: usize,
    state: Mutex<State>,
    available: Condvar,
}

#[derive(Default)]
struct State {
    /// Jobs with waiting tasks, in the order of their turns: each has one task done, then the next job has its turn.
    lanes: VecDeque<Lane>,
    closed: bool,
}

struct Lane {
    /// None for whoever asks without having a job.
    job: Option<Arc<Job>>,
    tasks: VecDeque<Task>,
}

impl State {
    fn push(&mut self, job: Option<&Arc<Job>>, task: Task) {
        let is_its = |lane: &&mut Lane| lane.job.as_ref().map(Arc::as_ptr) == job.map(Arc::as_ptr);
        match self.lanes.iter_mut().find(is_its) {
            Some(lane) => lane.tasks.push_back(task),
            None => self.lanes.push_back(Lane { job: job.cloned(), tasks: VecDeque::from([task]) }),
        }
    }

    fn pop(&mut self) -> Option<Task> {
        let mut lane = self.lanes.pop_front()?;
        let task = lane.tasks.pop_front();
        if !lane.tasks.is_empty() {
            self.lanes.push_back(lane);
        }
        task
    }
}

impl Pool {
    /// A pool for `workers` threads, each of which is to call [`Pool::work`].
    pub fn new(workers: usize) -> Pool {
        Pool { workers, state: Mutex::new(State::default()), available: Condvar::new() }
    }

    /// How many tasks run at the same time.
    pub fn workers(&self) -> usize {
        self.workers
    }

    /// How many tasks wait for a thread.
    pub fn pending(&self) -> usize {
        self.state.lock().lanes.iter().map(|lane| lane.tasks.len()).sum()
    }

    /// Runs `task` soon, for `job`: however many tasks others have waiting, it has its turn after one of each. It must
    /// not panic. Who submits bounds how many of its tasks are pending. After [`Pool::close`], when no thread may be left,
    /// the task is dropped.
    pub fn submit(&self, job: Option<&Arc<Job>>, task: impl FnOnce() + Send + 'static) {
        let mut state = self.state.lock();
        if !state.closed {
            state.push(job, Box::new(task));
            self.available.notify_one();
        }
    }

    /// A worker's life: until [`Pool::close`] and nothing is left to do.
    pub fn work(&self) {
        loop {
            let mut state = self.state.lock();
            let task = loop {
                match state.pop() {
                    Some(task) => break task,
                    None if state.closed => return,
                    None => self.available.wait(&mut state),
                }
            };
            drop(state);
            task();
        }
    }

    /// Lets the workers go once nothing is left to do.
    pub fn close(&self) {
        self.state.lock().closed = true;
        self.available.notify_all();
    }
}

/// What a pool thread has made of a task, or the panic that kept it from it.
type Slot<T> = Arc<Mutex<Option<std::thread::Result<T>>>>;

/// A job's tasks in the pool: at most `capacity` at a time, results in the order of submission.
pub struct Window<'a, T> {
    pool: &'a Pool,
    job: &'a Arc<Job>,
    capacity: usize,
    pending: VecDeque<Slot<T>>,
}

impl<'a, T: Send + 'static> Window<'a, T> {
    /// At most `capacity` results at a time that nobody has taken.
    pub fn new(pool: &'a Pool, job: &'a Arc<Job>, capacity: usize) -> Window<'a, T> {
        Window { pool, job, capacity, pending: VecDeque::new() }
    }

    /// True if a result must be taken before another task fits.
    pub fn is_full(&self) -> bool {
        self.pending.len() >= self.capacity
    }

    /// True if [`Window::next`] would not have to wait.
    pub fn is_front_ready(&self) -> bool {
        self.pending.front().is_some_and(|slot| slot.lock().is_some())
    }

    /// Adds a task; the window must not be full.
    pub fn submit(&mut self, task: impl FnOnce() -> T + Send + 'static) {
        debug_assert!(!self.is_full());
        let slot: Slot<T> = Arc::default();
        self.pending.push_back(Arc::clone(&slot));
        let job = Arc::clone(self.job);
        self.pool.submit(Some(self.job), move || {
            // Nobody waits for the results of a cancelled job.
            if !job.control.is_cancelled() {
                let result = catch_unwind(AssertUnwindSafe(task));
                *slot.lock() = Some(result);
                job.control.nudge();
            }
        });
    }

    /// The oldest result; waits for it. None if nothing is pending, an error once the job is cancelled.
    pub fn next(&mut self) -> Result<Option<T>> {
        let Some(slot) = self.pending.front() else { return Ok(None) };
        let result = self.job.control.wait_for(|| slot.lock().take())?;
        self.pending.pop_front();
        match result {
            Ok(value) => Ok(Some(value)),
            Err(panic) => resume_unwind(panic),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::tests::lone_job;

    #[test]
    fn jobs_take_turns_whatever_each_has_waiting() {
        let pool = Pool::new(1);
        let done = Arc::new(Mutex::new(Vec::new()));
        let (large, small) = (lone_job(), lone_job());
        let submit = |job, name| {
            let done = Arc::clone(&done);
            pool.submit(Some(job), move || done.lock().push(name));
        };
        for name in ["large 1", "large 2", "large 3"] {
            submit(&large, name);
        }
        for name in ["small 1", "small 2"] {
            submit(&small, name);
        }
        assert_eq!(pool.pending(), 5);
        pool.close();
        pool.work();
        assert_eq!(*done.lock(), ["large 1", "small 1", "large 2", "small 2", "large 3"]);
    }
}
