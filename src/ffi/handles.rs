//! Handles as tokens: a slot of a table and the generation of its occupant, never an address. Slots are static and are used
//! again; tokens are not. So a stale handle is found out, in every language, and a look at a job's progress takes no lock
//! and touches no memory that could go away.

use super::callbacks::UserData;
use super::types::lb_job;
use crate::error::{Error, Result, Status};
use crate::job::{Job, Progress, ProgressSnapshot};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering, fence};
use std::sync::{Arc, OnceLock, Weak};

#[cfg(not(target_pointer_width = "64"))]
compile_error!("a handle needs a 64-bit pointer");

const SLOT_BITS: u32 = 16;
const SEGMENT: usize = 256;
const SEGMENTS: usize = (1 << SLOT_BITS) / SEGMENT;
/// Set in every token, so that none is NULL or the address of anything.
const MARK: u64 = 1 << 63;

/// A place for one job after another.
#[derive(Default)]
struct Slot {
    /// Odd while a handle is open; never the same odd number twice.
    generation: AtomicU64,
    progress: Progress,
    holder: Mutex<Holder>,
}

#[derive(Default)]
enum Holder {
    #[default]
    Free,
    Open(Open),
    /// The handle has ended; the job may still write its progress.
    Draining(Weak<Job>),
}

/// What an open handle leads to.
#[derive(Clone)]
pub(super) struct Open {
    pub(super) job: Arc<Job>,
    pub(super) dest_name: Arc<str>,
    pub(super) user_data: UserData,
}

/// All handles, and where their jobs' progress is.
pub(super) struct Table {
    segments: [OnceLock<Box<[Slot]>>; SEGMENTS],
    free: Mutex<Free>,
}

struct Free {
    /// Slots whose handle has ended, the one that ended first in front.
    ended: VecDeque<usize>,
    /// Slots from here on were never used.
    fresh: usize,
}

/// The handles of this process.
pub(super) static HANDLES: Table = Table::new();

/// Scrambles tokens, so that an invented small number or a token of another process is not one of ours by accident.
fn key() -> u64 {
    static KEY: OnceLock<u64> = OnceLock::new();
    // Without random bytes, an address will do, which is another in every process.
    *KEY.get_or_init(|| crate::random::bytes().map_or((&raw const KEY).addr() as u64, u64::from_ne_bytes) & !MARK)
}

impl Slot {
    /// What the handle of `generation` leads to, while it is open; `holder` is this slot's, locked.
    fn opened<'a>(&self, holder: &'a Holder, generation: u64) -> Result<&'a Open> {
        match holder {
            Holder::Open(open) if self.generation.load(Ordering::Relaxed) == generation => Ok(open),
            _ => Err(invalid()),
        }
    }
}

impl Table {
    pub(super) const fn new() -> Table {
        Table {
            segments: [const { OnceLock::new() }; SEGMENTS],
            free: Mutex::new(Free { ended: VecDeque::new(), fresh: 0 }),
        }
    }

    /// Opens a handle to a new job, which is made around the progress that the handle can look at.
    pub(super) fn open(
        &'static self,
        dest_name: Arc<str>,
        user_data: UserData,
        make: impl FnOnce(&'static Progress) -> Arc<Job>,
    ) -> Result<(*mut lb_job, Arc<Job>)> {
        let (index, slot) = self.take_slot()?;
        let mut holder = slot.holder.lock();
        let job = make(&slot.progress);
        *holder = Holder::Open(Open { job: Arc::clone(&job), dest_name, user_data });
        // Release: whoever sees the new generation sees the progress as it was reset.
        let generation = slot.generation.fetch_add(1, Ordering::Release) + 1;
        Ok((encode(index, generation), job))
    }

    /// Finds what an open handle leads to.
    pub(super) fn find(&'static self, token: *const lb_job) -> Result<Open> {
        let (_, slot, generation) = self.decode(token)?;
        let holder = slot.holder.lock();
        slot.opened(&holder, generation).cloned()
    }

    /// Ends a handle. Of several threads that try, one gets the job.
    pub(super) fn close(&'static self, token: *const lb_job) -> Result<Arc<Job>> {
        let (index, slot, generation) = self.decode(token)?;
        let mut holder = slot.holder.lock();
        let job = Arc::clone(&slot.opened(&holder, generation)?.job);
        slot.generation.fetch_add(1, Ordering::Release);
        *holder = Holder::Draining(Arc::downgrade(&job));
        drop(holder);
        self.free.lock().ended.push_back(index);
        Ok(job)
    }

    /// Looks at a job's progress. Wait-free: a sequence lock's read side that never tries again, since a generation that
    /// has changed is an answer.
    pub(super) fn look(&'static self, token: *const lb_job) -> Result<ProgressSnapshot> {
        let (_, slot, generation) = self.decode(token)?;
        if slot.generation.load(Ordering::Acquire) != generation {
            return Err(invalid());
        }
        let look = slot.progress.look();
        // Pairs with the fence in `Progress::reset`: values of a later job come with a later generation.
        fence(Ordering::Acquire);
        if slot.generation.load(Ordering::Relaxed) != generation {
            return Err(invalid());
        }
        Ok(look)
    }

    /// Every open handle.
    pub(super) fn all(&'static self) -> Vec<(*mut lb_job, Open)> {
        let used = self.free.lock().fresh;
        (0..used)
            .filter_map(|index| {
                let slot = self.slot(index)?;
                let holder = slot.holder.lock();
                match &*holder {
                    Holder::Open(open) => Some((encode(index, slot.generation.load(Ordering::Relaxed)), open.clone())),
                    _ => None,
                }
            })
            .collect()
    }

    fn slot(&'static self, index: usize) -> Option<&'static Slot> {
        self.segments.get(index / SEGMENT)?.get()?.get(index % SEGMENT)
    }

    fn slot_or_new(&'static self, index: usize) -> Option<&'static Slot> {
        let segment = self.segments.get(index / SEGMENT)?;
        segment.get_or_init(|| (0..SEGMENT).map(|_| Slot::default()).collect()).get(index % SEGMENT)
    }

    /// The slot that a token means and its index, with the generation of the token, which may be stale.
    fn decode(&'static self, token: *const lb_job) -> Result<(usize, &'static Slot, u64)> {
        let value = token.addr() as u64 ^ key();
        let (index, generation) = ((value & ((1 << SLOT_BITS) - 1)) as usize, (value & !MARK) >> SLOT_BITS);
        let slot = self.slot(index).filter(|_| value & MARK != 0 && generation % 2 == 1).ok_or_else(invalid)?;
        Ok((index, slot, generation))
    }

    /// A slot that nobody writes to any more.
    fn take_slot(&'static self) -> Result<(usize, &'static Slot)> {
        let mut free = self.free.lock();
        // A slot whose released job still runs goes to the end; each is looked at once.
        for _ in 0..free.ended.len() {
            let Some(index) = free.ended.pop_front() else { break };
            if let Some(slot) = self.slot(index) {
                if matches!(&*slot.holder.lock(), Holder::Draining(job) if job.strong_count() > 0) {
                    free.ended.push_back(index);
                } else {
                    // The count alone orders nothing: whatever the last job wrote comes before the next one's reset.
                    fence(Ordering::Acquire);
                    return Ok((index, slot));
                }
            }
        }
        let index = free.fresh;
        let slot = self.slot_or_new(index).ok_or_else(|| {
            let message = format!("{} handles are open; join or release some", 1 << SLOT_BITS);
            Error::new(Status::QueueFull, message)
        })?;
        free.fresh += 1;
        Ok((index, slot))
    }
}

fn encode(index: usize, generation: u64) -> *mut lb_job {
    let value = MARK | generation << SLOT_BITS | index as u64;
    ptr::without_provenance_mut((value ^ key()) as usize)
}

fn invalid() -> Error {
    Error::new(Status::InvalidHandle, "the handle was joined, released, or never given out")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Report;

    fn open_one() -> (*mut lb_job, Arc<Job>) {
        HANDLES.open("a.db".into(), UserData(ptr::null_mut()), |progress| Job::new(progress, 0)).unwrap()
    }

    #[test]
    fn a_handle_is_never_given_out_twice() {
        let mut seen = std::collections::HashSet::new();
        for _ in 0..5000 {
            let (token, job) = open_one();
            assert!(!token.is_null() && seen.insert(token.addr()));
            assert!(Arc::ptr_eq(&HANDLES.find(token).unwrap().job, &job));
            HANDLES.close(token).unwrap();
            assert!(HANDLES.find(token).is_err() && HANDLES.look(token).is_err() && HANDLES.close(token).is_err());
        }
    }

    #[test]
    fn invented_handles_lead_nowhere() {
        let (token, _job) = open_one();
        // One bit off: the mark, or another generation of the same slot. (Another slot may be another test's.)
        let near = (SLOT_BITS..64).map(|bit| token.addr() ^ (1 << bit));
        for value in (0..4096).chain(near).chain([usize::MAX]) {
            let invented = ptr::without_provenance_mut(value);
            assert!(
                HANDLES.look(invented).is_err() && HANDLES.find(invented).is_err() && HANDLES.close(invented).is_err(),
                "{value:#x}"
            );
        }
        HANDLES.close(token).unwrap();
    }

    #[test]
    fn a_released_jobs_progress_is_not_given_to_another_while_it_runs() {
        let (token, job) = open_one();
        HANDLES.close(token).unwrap();
        let others: Vec<_> = (0..600).map(|_| open_one()).collect();
        assert!(others.iter().all(|(_, other)| !ptr::eq(other.progress, job.progress)));
        for (token, _) in others {
            HANDLES.close(token).unwrap();
        }
        job.end(Ok(()), Report::default());
    }

    #[test]
    fn looks_race_with_closing_and_reuse_but_never_lie() {
        let (sender, receiver) = std::sync::mpsc::sync_channel::<usize>(0);
        let looker = std::thread::spawn(move || {
            for token in receiver {
                let token = ptr::without_provenance_mut(token);
                // Each job's total is its token: a look that succeeds shows this job, never the slot's next.
                while let Ok(look) = HANDLES.look(token) {
                    assert!([0, token.addr() as u64].contains(&look.bytes_total));
                }
            }
        });
        for _ in 0..2000 {
            let (token, job) = open_one();
            job.progress.set_total(token.addr() as u64, 1);
            sender.send(token.addr()).unwrap();
            drop(job);
            HANDLES.close(token).unwrap();
        }
        drop(sender);
        looker.join().unwrap();
    }
}
