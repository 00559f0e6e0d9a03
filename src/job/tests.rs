//! The job's promises: it ends once, finishes once, and its progress never goes backwards.

use super::*;
use crate::error::Error;
use std::time::Duration;

/// A cell that outlives every test.
pub(crate) fn leaked_progress() -> &'static Progress {
    Box::leak(Box::default())
}

/// A job that nobody else knows of.
pub(crate) fn lone_job() -> Arc<Job> {
    Job::new(leaked_progress(), 0)
}

#[test]
fn a_job_ends_before_it_finishes() {
    let job = lone_job();
    assert!(job.outcome().is_none());
    assert!(job.wait(Some(Instant::now())).is_none());
    job.end(Ok(()), Report::default());
    assert!(job.outcome().is_some() && job.finished().is_none());
    assert!(job.wait(Some(Instant::now())).is_none());
    job.finish();
    assert!(job.finished().is_some() && job.wait(None).is_some());
}

#[test]
fn every_waiter_is_woken() {
    let job = lone_job();
    let waiters: Vec<_> = (0..8)
        .map(|_| {
            let job = Arc::clone(&job);
            std::thread::spawn(move || job.wait(None).is_some())
        })
        .collect();
    job.end(Err(Error::cancelled()), Report::default());
    job.finish();
    assert!(waiters.into_iter().all(|waiter| waiter.join().unwrap()));
    assert_eq!(job.progress.look().state, JobState::Cancelled);
}

#[test]
fn progress_reaches_100_only_with_success() {
    for (result, state) in [
        (Ok(()), JobState::Succeeded),
        (Err(Error::new(Status::Io, "")), JobState::Failed),
        (Err(Error::cancelled()), JobState::Cancelled),
    ] {
        let job = lone_job();
        job.progress.set_running();
        job.progress.set_total(1000, 1250);
        job.progress.add_archived(1000, 10);
        job.progress.add_work(250);
        assert!(job.progress.look().percent < 100.0);
        job.end(result, Report::default());
        let look = job.progress.look();
        assert_eq!((look.state, look.eta_ns), (state, 0));
        assert_eq!(look.percent == 100.0, state == JobState::Succeeded);
    }
}

#[test]
fn looks_never_go_backwards_even_across_the_end() {
    for _ in 0..200 {
        let job = lone_job();
        let lookers: Vec<_> = (0..3)
            .map(|_| {
                let job = Arc::clone(&job);
                std::thread::spawn(move || {
                    let mut last = job.progress.look();
                    while !last.state.is_final() {
                        let next = job.progress.look();
                        assert!(next.bytes_done >= last.bytes_done && next.elapsed_ns >= last.elapsed_ns);
                        assert!(next.percent >= last.percent && next.phase >= last.phase);
                        last = next;
                    }
                    assert_eq!(job.progress.look().elapsed_ns, last.elapsed_ns);
                })
            })
            .collect();
        job.progress.set_running();
        job.progress.set_total(64, 64);
        for phase in [Phase::Copying, Phase::Syncing, Phase::Copying, Phase::Verifying] {
            job.progress.set_phase(phase);
            job.progress.add_archived(16, 16);
        }
        job.end(Ok(()), Report::default());
        for looker in lookers {
            looker.join().unwrap();
        }
    }
}

#[test]
fn patience_ends_at_its_timeout_and_keeps_the_error() {
    let job = lone_job();
    let busy = Error::new(Status::Busy, "locked");
    let start = Instant::now();
    let timeout = Duration::from_secs(1);
    let error = patiently(timeout, &job.control, job.progress, || Err::<(), _>(busy.clone())).unwrap_err();
    assert!(start.elapsed() >= timeout);
    assert_eq!(error.status, Status::Busy);
    assert!(error.message.starts_with("locked; still so after 1000 ms"));
    assert!(job.progress.retries() >= 1);
}

#[test]
fn patience_is_only_for_locks() {
    let job = lone_job();
    let corrupt = || Err::<(), _>(Error::new(Status::Corrupt, "damaged"));
    assert_eq!(patiently(Duration::from_secs(60), &job.control, job.progress, corrupt), corrupt());
    assert_eq!(job.progress.retries(), 0);
}
