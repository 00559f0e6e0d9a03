//! The models: each is run by loom in every order of its threads' steps, and with every value that a load may give. In a
//! world with a protection taken away (`build.rs`) one of them must fail.

use super::callbacks::UserData;
use super::handles::Table;
use super::types::lb_job;
use crate::error::{Error, Result};
use crate::job::{Control, Job, JobState, Outcome, Progress, ProgressSnapshot, Report};
use crate::runtime::callbacks::{Callbacks, LogLevel, Observer};
use crate::runtime::queue::{Entry, Queue};
use crate::watched::{Arc, AtomicUsize, Ordering};
use loom::thread;
use std::ptr;
use std::time::{Duration, Instant};

// ---- what jobs wait in

pub fn no_nudge_is_lost_between_look_and_sleep() {
    let control = Arc::new(Control::new(0));
    let waiter = Arc::clone(&control);
    let waiting = thread::spawn(move || waiter.wait_for(|| (waiter.rate() == 7).then_some(())));
    control.set_rate(7);
    assert_eq!(waiting.join().unwrap(), Ok(()));
}

pub fn a_cancel_ends_every_wait() {
    let control = Arc::new(Control::new(0));
    let (pausing, waiting) = (Arc::clone(&control), Arc::clone(&control));
    let tomorrow = Instant::now() + Duration::from_secs(86_400);
    let pausing = thread::spawn(move || pausing.wait_until(|| tomorrow));
    let waiting = thread::spawn(move || waiting.wait_for(|| None::<()>));
    control.cancel();
    assert_eq!(pausing.join().unwrap(), Err(Error::cancelled()));
    assert_eq!(waiting.join().unwrap(), Err(Error::cancelled()));
}

// ---- the end of a job

pub fn every_waiter_is_woken_with_the_outcome() {
    let job = lone_job();
    let waiters: Vec<_> = (0..2)
        .map(|_| {
            let job = Arc::clone(&job);
            thread::spawn(move || job.wait(None).is_some_and(|outcome| outcome.result.is_ok()))
        })
        .collect();
    end(&job, Ok(()));
    assert!(waiters.into_iter().all(|waiter| waiter.join().unwrap()));
}

/// What `lb_backup_cancel`, `lb_shutdown` and a job thread do at the same time to a job in the queue. `Job::end` itself
/// asserts that it is called once.
pub fn a_job_that_is_taken_cancelled_and_shut_down_ends_once() {
    let (queue, job) = (Arc::new(Queue::new(1, 1)), lone_job());
    queue.push(entry(&job, false)).unwrap();
    let worker = {
        let queue = Arc::clone(&queue);
        thread::spawn(move || {
            while let Some(entry) = queue.pop() {
                let result = entry.job.control.check();
                queue.done(&entry.job);
                end(&entry.job, result);
            }
        })
    };
    let canceller = {
        let (queue, job) = (Arc::clone(&queue), Arc::clone(&job));
        thread::spawn(move || {
            job.control.cancel();
            if let Some(entry) = queue.remove(&job) {
                end(&entry.job, Err(Error::cancelled()));
            }
        })
    };
    for entry in queue.close() {
        entry.job.control.cancel();
        end(&entry.job, Err(Error::cancelled()));
    }
    let outcome = job.wait(None).unwrap();
    let state = job.progress.look().state;
    assert_eq!(state, if outcome.result.is_ok() { JobState::Succeeded } else { JobState::Cancelled });
    worker.join().unwrap();
    canceller.join().unwrap();
}

/// `lb_backup_cancel` has taken a job off the queue when `lb_shutdown` lets the callback thread go: that stays until the
/// job is told.
pub fn a_job_that_is_cancelled_during_a_shutdown_is_told() {
    struct Silent;
    impl Observer for Silent {
        fn interval(&self) -> Option<Duration> {
            None
        }
        fn progress(&self, _: &ProgressSnapshot) {}
        fn complete(&self, _: &Outcome) {}
    }
    let (queue, callbacks, job) = (Arc::new(Queue::new(1, 1)), Arc::new(Callbacks::new(None)), lone_job());
    callbacks.expect();
    queue.push(Entry { observer: Some(std::sync::Arc::new(Silent)), ..entry(&job, false) }).unwrap();
    let callback_thread = {
        let callbacks = Arc::clone(&callbacks);
        thread::spawn(move || callbacks.run())
    };
    let end = |callbacks: &Callbacks, entry: Entry| {
        entry.job.end(Err(Error::cancelled()), Report::default());
        callbacks.end(entry.job, entry.observer.unwrap());
    };
    let canceller = {
        let (queue, callbacks, job) = (Arc::clone(&queue), Arc::clone(&callbacks), Arc::clone(&job));
        thread::spawn(move || queue.remove(&job).into_iter().for_each(|entry| end(&callbacks, entry)))
    };
    queue.close().into_iter().for_each(|entry| end(&callbacks, entry));
    callbacks.close();
    assert!(job.wait(None).is_some());
    callback_thread.join().unwrap();
    canceller.join().unwrap();
}

/// `lb_configure` after a start that has failed: once nothing is to be told, the log function's data may be freed.
pub fn a_log_function_that_is_not_told_any_more_has_returned_for_good() {
    let told = std::sync::Arc::new(AtomicUsize::new(0));
    let sink = {
        let told = told.clone();
        move |_: LogLevel, _: &str| {
            told.fetch_add(1, Ordering::Relaxed);
        }
    };
    let callbacks = Arc::new(Callbacks::new(Some(std::sync::Arc::new(sink))));
    let callback_thread = {
        let callbacks = Arc::clone(&callbacks);
        thread::spawn(move || callbacks.run())
    };
    callbacks.log(LogLevel::Warning, "a line".into());
    callbacks.close();
    if !callbacks.is_logging() {
        assert_eq!(told.load(Ordering::Relaxed), 1);
    }
    callback_thread.join().unwrap();
    assert!(!callbacks.is_logging());
}

/// `lb_backup_join` of one thread, `lb_backup_release` of another, and the job's end.
pub fn a_job_is_joined_or_released_never_both() {
    with_table(|table| {
        let (token, job) = open(table);
        let joiner = thread::spawn(move || {
            let Ok(open) = table.find(handle(token)) else { return 0 };
            assert!(open.job.wait(None).is_some());
            usize::from(table.close(handle(token)).is_ok())
        });
        let releaser = thread::spawn(move || usize::from(table.close(handle(token)).is_ok()));
        end(&job, Ok(()));
        assert_eq!(joiner.join().unwrap() + releaser.join().unwrap(), 1);
        assert!(table.find(handle(token)).is_err() && table.look(handle(token)).is_err());
    });
}

// ---- handles

pub fn progress_of_a_later_job_is_never_seen_through_an_earlier_handle() {
    with_table(|table| {
        let (first, job) = open(table);
        let cell = job.progress;
        cell.set_total(1, 1);
        drop(job);
        let looker = thread::spawn(move || table.look(handle(first)).map(|look| look.bytes_total));
        drop(table.close(handle(first)).unwrap());
        let (_second, job) = open(table);
        assert!(ptr::eq(job.progress, cell));
        cell.set_total(2, 2);
        // Refused, or what the first job has written: neither the second's, nor nobody's.
        assert!(matches!(looker.join().unwrap(), Ok(1) | Err(_)));
    });
}

pub fn a_late_look_at_an_earlier_job_does_not_end_a_later_one() {
    with_table(|table| {
        let (first, job) = open(table);
        let cell = job.progress;
        let looker = thread::spawn(move || table.look(handle(first)).map(|look| look.state));
        end(&job, Ok(()));
        drop(job);
        drop(table.close(handle(first)).unwrap());
        let (_second, job) = open(table);
        assert!(ptr::eq(job.progress, cell));
        assert!(matches!(looker.join().unwrap(), Ok(JobState::Queued | JobState::Succeeded) | Err(_)));
        let running = cell.look().elapsed_ns;
        end(&job, Ok(()));
        assert!(cell.look().elapsed_ns >= running);
    });
}

pub fn a_used_slot_is_given_on_after_its_jobs_last_write() {
    with_table(|table| {
        let (first, job) = open(table);
        let used = ptr::from_ref(job.progress).addr();
        let worker = thread::spawn(move || end(&job, Ok(())));
        drop(table.close(handle(first)).unwrap());
        open_with(table, |cell| {
            if ptr::from_ref(cell).addr() == used {
                assert_eq!(cell.look().state, JobState::Succeeded);
            }
        });
        worker.join().unwrap();
    });
}

pub fn of_several_closers_one_gets_the_job_and_none_a_later_one() {
    with_table(|table| {
        let (first, job) = open(table);
        drop(job);
        let closers: Vec<_> =
            (0..2).map(|_| thread::spawn(move || usize::from(table.close(handle(first)).is_ok()))).collect();
        let (second, later) = open(table);
        assert_eq!(closers.into_iter().map(|closer| closer.join().unwrap()).sum::<usize>(), 1);
        assert!(Arc::ptr_eq(&table.find(handle(second)).unwrap().job, &later));
    });
}

// ---- the queue

pub fn an_entry_is_popped_removed_or_handed_back_and_never_lost() {
    let queue = Arc::new(Queue::new(2, 1));
    let jobs = [lone_job(), lone_job()];
    jobs.iter().for_each(|job| queue.push(entry(job, false)).unwrap());
    let popper = {
        let queue = Arc::clone(&queue);
        thread::spawn(move || {
            let mut popped = Vec::new();
            while let Some(entry) = queue.pop() {
                queue.done(&entry.job);
                popped.push(entry.job);
            }
            popped
        })
    };
    let remover = {
        let (queue, job) = (Arc::clone(&queue), Arc::clone(&jobs[0]));
        thread::spawn(move || {
            let removed = queue.remove(&job).map(|entry| entry.job);
            assert!(removed.iter().all(|removed| Arc::ptr_eq(removed, &job)));
            removed
        })
    };
    let mut went: Vec<_> = queue.close().into_iter().map(|entry| entry.job).collect();
    went.extend(popper.join().unwrap());
    went.extend(remover.join().unwrap());
    for job in &jobs {
        assert_eq!(went.iter().filter(|gone| Arc::ptr_eq(gone, job)).count(), 1);
    }
}

pub fn a_push_is_refused_or_its_entry_goes_one_way() {
    let queue = Arc::new(Queue::new(1, 1));
    let popper = {
        let queue = Arc::clone(&queue);
        thread::spawn(move || usize::from(queue.pop().is_some()))
    };
    let pusher = {
        let queue = Arc::clone(&queue);
        thread::spawn(move || usize::from(queue.push(entry(&lone_job(), false)).is_ok()))
    };
    let handed_back = queue.close().len();
    assert_eq!(popper.join().unwrap() + handed_back, pusher.join().unwrap());
}

pub fn a_push_wakes_a_thread() {
    let queue = Arc::new(Queue::new(1, 1));
    let popper = Arc::clone(&queue);
    let popper = thread::spawn(move || popper.pop().is_some());
    queue.push(entry(&lone_job(), false)).unwrap();
    assert!(popper.join().unwrap());
}

pub fn closing_wakes_every_thread() {
    let queue = Arc::new(Queue::new(1, 2));
    let poppers: Vec<_> = (0..2)
        .map(|_| {
            let queue = Arc::clone(&queue);
            thread::spawn(move || queue.pop().is_none())
        })
        .collect();
    assert!(queue.close().is_empty());
    assert!(poppers.into_iter().all(|popper| popper.join().unwrap()));
}

/// Of three threads two may have large jobs; a third one waits for one of them to be done.
pub fn a_large_job_that_waits_for_another_is_woken_when_that_is_done() {
    let queue = Arc::new(Queue::new(3, 3));
    for _ in 0..3 {
        queue.push(entry(&lone_job(), true)).unwrap();
    }
    let running = [queue.pop().unwrap(), queue.pop().unwrap()];
    let waiting = Arc::clone(&queue);
    let waiting = thread::spawn(move || waiting.pop().is_some_and(|entry| entry.large));
    queue.done(&running[0].job);
    assert!(waiting.join().unwrap());
}

/// Two threads of three do large and small jobs: never two large ones too many, and all of them in the end.
pub fn large_and_small_jobs_all_have_their_turn() {
    let queue = Arc::new(Queue::new(3, 3));
    let large = Arc::new(AtomicUsize::new(0));
    let jobs = [lone_job(), lone_job(), lone_job()];
    // One large job runs for the whole time on the third thread.
    queue.push(entry(&lone_job(), true)).unwrap();
    let always = queue.pop().unwrap();
    let workers: Vec<_> = (0..2)
        .map(|_| {
            let (queue, large) = (Arc::clone(&queue), Arc::clone(&large));
            thread::spawn(move || {
                while let Some(entry) = queue.pop() {
                    if entry.large {
                        assert_eq!(large.fetch_add(1, Ordering::Relaxed), 0);
                        large.fetch_sub(1, Ordering::Relaxed);
                    }
                    queue.done(&entry.job);
                    end(&entry.job, Ok(()));
                }
            })
        })
        .collect();
    for (job, is_large) in jobs.iter().zip([true, true, false]) {
        queue.push(entry(job, is_large)).unwrap();
    }
    for job in &jobs {
        assert!(job.wait(None).is_some());
    }
    queue.done(&always.job);
    assert!(queue.close().is_empty());
    workers.into_iter().for_each(|worker| worker.join().unwrap());
}

// ---- what they share

fn lone_job() -> Arc<Job> {
    Job::new(Box::leak(Box::default()), 0)
}

fn entry(job: &Arc<Job>, large: bool) -> Entry {
    Entry { job: Arc::clone(job), work: Box::new(|| {}), large, observer: None }
}

/// As `Shared::end` of the runtime does for a job without callbacks.
fn end(job: &Arc<Job>, result: Result<()>) {
    job.end(result, Report::default());
    job.finish();
}

/// A table of the model's own, which goes with it.
fn with_table(model: impl FnOnce(&'static Table)) {
    let table = Box::into_raw(Box::new(Table::new()));
    // SAFETY: it lives until the line below; by then every thread of a model that did not fail has been joined.
    model(unsafe { &*table });
    // SAFETY: it is from the box above.
    drop(unsafe { Box::from_raw(table) });
}

/// A handle's number, which unlike the handle may go to another thread, and its job.
fn open(table: &'static Table) -> (usize, Arc<Job>) {
    open_with(table, |_| {})
}

fn open_with(table: &'static Table, look: impl FnOnce(&'static Progress)) -> (usize, Arc<Job>) {
    let make = |cell| {
        look(cell);
        Job::new(cell, 0)
    };
    let (token, job) = table.open("a.db".into(), UserData(ptr::null_mut()), make).unwrap();
    (token.addr(), job)
}

fn handle(number: usize) -> *mut lb_job {
    ptr::without_provenance_mut(number)
}
