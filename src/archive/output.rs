//! Writing a file so that neither the final fsync nor the host's page cache suffers.

use crate::error::{Error, Result};
use rustix::fs::{Advice, fadvise};
use std::fs::File;
use std::io::Write;
use std::num::NonZeroU64;
use std::path::Path;

/// How far behind the end pages are dropped from the cache; by then the disk should have them.
const DROP_BEHIND: u64 = 32 << 20;

/// Appends to a file, has the disk begin with what was appended, and drops from the page cache what it has.
pub struct Output<'a> {
    file: &'a File,
    path: &'a Path,
    written: u64,
    dropped: u64,
}

impl<'a> Output<'a> {
    /// At the beginning of an empty file; `path` is for messages.
    pub fn new(file: &'a File, path: &'a Path) -> Output<'a> {
        Output { file, path, written: 0, dropped: 0 }
    }

    /// Appends `bytes`.
    pub fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(|error| Error::os("cannot write", self.path, error))?;
        // Linux begins to write out what is dirty of a range that is not needed, and drops what is clean
        // (mm/fadvise.c). So the first word starts the disk, and a later one frees the memory.
        self.not_needed(self.written, bytes.len() as u64);
        self.written += bytes.len() as u64;
        if self.written - self.dropped >= 2 * DROP_BEHIND {
            self.not_needed(self.dropped, DROP_BEHIND);
            self.dropped += DROP_BEHIND;
        }
        Ok(())
    }

    fn not_needed(&self, offset: u64, length: u64) {
        if let Some(length) = NonZeroU64::new(length) {
            // Advice: a file system that ignores it has a longer fsync, and that is all.
            let _ = fadvise(self.file, offset, Some(length), Advice::DontNeed);
        }
    }
}
