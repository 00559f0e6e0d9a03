//! Temporary files of jobs: what they hold while they are made, and how they go.

use crate::error::{Error, Result};
use crate::publish::{Directory, Unpublished};
use crate::runtime::Context;
use rustix::fs::{Advice, Mode, fadvise};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// Lends a file that is removed afterwards unless it was published.
pub fn lend<T>(
    context: &Context,
    directory: &Arc<Directory>,
    body: impl FnOnce(&mut Unpublished) -> Result<T>,
) -> Result<T> {
    let mut file = Unpublished::create(directory)?;
    let result = body(&mut file);
    file.discard();
    // A disk may take long to free what was written, or to forget its pages in favour of the host's. Nobody waits for
    // that who cancelled or who has got what he wanted; whoever has run out of space finds it free again.
    if result.is_ok() || context.job.control.is_cancelled() {
        context.later(move || {
            let _ = fadvise(&**file.file(), 0, None, Advice::DontNeed);
        });
    }
    result
}

/// Writes a part of what a file that nobody will publish is to hold.
pub fn write(file: &Unpublished, offset: u64, bytes: &[u8]) -> Result<()> {
    let failed = |error| Error::os("cannot write a temporary file in", file.directory().path(), error);
    file.file().write_all_at(bytes, offset).map_err(failed)
}

/// An fsync that a cancel does not wait for.
pub fn sync(context: &Context, file: &Unpublished, mode: Mode) -> Result<()> {
    let (file, directory) = (Arc::clone(file.file()), Arc::clone(file.directory()));
    context.blocking(move || Unpublished::sync(&file, &directory, mode))?
}
