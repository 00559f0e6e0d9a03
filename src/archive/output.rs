//! Writing a file so that the disk begins early and the final fsync is short.

use crate::error::{Error, Result};
use rustix::fs::{Advice, fadvise};
use std::fs::File;
use std::io::Write;
use std::num::NonZeroU64;
use std::path::Path;

/// Appends to a file and has the disk begin with what was appended.
pub struct Output<'a> {
    file: &'a File,
    path: &'a Path,
    written: u64,
}

impl<'a> Output<'a> {
    /// At the beginning of an empty file; `path` is for messages.
    pub fn new(file: &'a File, path: &'a Path) -> Output<'a> {
        Output { file, path, written: 0 }
    }

    /// Appends `bytes`.
    pub fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(|error| Error::os("cannot write", self.path, error))?;
        if let Some(length) = NonZeroU64::new(bytes.len() as u64) {
            // Of a range that is not needed Linux begins to write out what is dirty, and drops only what is clean
            // (mm/fadvise.c): the pages stay for the verification. A file system that ignores it has a longer fsync.
            let _ = fadvise(self.file, self.written, Some(length), Advice::DontNeed);
            self.written += length.get();
        }
        Ok(())
    }
}
