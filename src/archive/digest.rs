//! SHA-256 of a file while it is written or read, beside the thread that does that.

use super::buffer::Buffer;
use super::hash;
use crate::error::Result;
use crate::job::Job;
use crate::runtime::{self, Context, Pool};
use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};
use std::collections::VecDeque;
use std::sync::Arc;

/// Pieces that may wait to be hashed; they hold their memory.
const LIMIT: usize = 4;

/// Takes pieces in their order and hashes them in that order, one pool task a piece, so that other jobs get their turns.
pub struct Digest {
    shared: Arc<Shared>,
}

struct Shared {
    queue: Mutex<Queue>,
    /// Locked only by the one task at work, and at the end.
    sha256: Mutex<Sha256>,
}

#[derive(Default)]
struct Queue {
    pieces: VecDeque<Buffer>,
    at_work: bool,
}

impl Digest {
    /// Of nothing yet.
    pub fn new() -> Digest {
        Digest { shared: Arc::new(Shared { queue: Mutex::default(), sha256: Mutex::new(Sha256::new()) }) }
    }

    /// Adds a piece; waits while too many wait already.
    pub(super) fn push(&self, context: &Context, piece: Buffer) -> Result<()> {
        let room = || (self.shared.queue.lock().pieces.len() < LIMIT).then_some(());
        context.job.control.wait_for(room)?;
        let mut queue = self.shared.queue.lock();
        queue.pieces.push_back(piece);
        if !queue.at_work {
            queue.at_work = true;
            submit(Arc::clone(context.pool()), Arc::clone(&context.job), Arc::clone(&self.shared));
        }
        Ok(())
    }

    /// The digest of all pieces; waits for the last.
    pub fn finish(self, context: &Context) -> Result<[u8; 32]> {
        context.job.control.wait_for(|| (!self.shared.queue.lock().at_work).then_some(()))?;
        Ok(self.shared.sha256.lock().clone().finalize().into())
    }
}

fn submit(pool: Arc<Pool>, job: Arc<Job>, shared: Arc<Shared>) {
    let next = Arc::clone(&pool);
    pool.submit(Some(&Arc::clone(&job)), move || {
        let piece = shared.queue.lock().pieces.pop_front();
        if let Some(piece) = piece
            && !job.control.is_cancelled()
        {
            let mut sha256 = shared.sha256.lock();
            for step in piece.chunks(hash::STEP) {
                sha256.update(step);
                runtime::give_way();
            }
        }
        let mut queue = shared.queue.lock();
        queue.at_work = !queue.pieces.is_empty();
        let more = queue.at_work;
        drop(queue);
        job.control.nudge();
        if more {
            submit(next, job, shared);
        }
    });
}
