//! Reading a database without a trace in the page cache: what the host had there stays, what only this reading brought
//! goes. Without it a backup of a large database would put out of memory what the host is about to use.

use super::raw::Descriptor;
use rustix::fs::Stat;
use std::collections::VecDeque;

/// What is looked at, fetched and forgotten as a whole: some of it in memory, and it is taken for the host's.
const BLOCK: u64 = 1 << 20;
/// How far the disk fetches ahead of the reader. The kernel's own read-ahead is switched off: it would bring in what this
/// then took for the host's.
const AHEAD: u64 = 4 << 20;

/// A reader's way through a file, from its beginning to its end.
pub(super) struct Footprint {
    /// None where SQLite's descriptor is not found, for whatever reason: then nothing is done, and the kernel does as it likes.
    descriptor: Option<Descriptor>,
    /// Blocks before this were looked at.
    looked: u64,
    /// Blocks that were not in memory when they were looked at, and that are not yet read.
    ours: VecDeque<u64>,
}

impl Footprint {
    /// For a connection that has just been opened to the file that `stat` tells of.
    pub(super) fn new(stat: &Stat) -> Footprint {
        let descriptor = Descriptor::of(stat).ok().flatten();
        if let Some(descriptor) = &descriptor {
            descriptor.expect_random_reads();
        }
        Footprint { descriptor, looked: 0, ours: VecDeque::new() }
    }

    /// What is before `end` is about to be read.
    pub(super) fn approach(&mut self, end: u64) {
        let Some(descriptor) = &self.descriptor else { return };
        while self.looked < end + AHEAD {
            if descriptor.is_absent(self.looked, BLOCK) {
                descriptor.fetch(self.looked, BLOCK);
                self.ours.push_back(self.looked);
            }
            self.looked += BLOCK;
        }
    }

    /// What is before `end` was read and is not needed again.
    pub(super) fn leave(&mut self, end: u64) {
        let Some(descriptor) = &self.descriptor else { return };
        while let Some(&start) = self.ours.front()
            && start + BLOCK <= end
        {
            if !crate::hooks::on("keep-cache") {
                descriptor.forget(start, BLOCK);
            }
            self.ours.pop_front();
        }
    }
}

impl Drop for Footprint {
    /// The last block, and what was fetched for a reader that gave up.
    fn drop(&mut self) {
        self.leave(u64::MAX);
    }
}
