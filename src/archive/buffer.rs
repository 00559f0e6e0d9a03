//! Buffers that are used again: a job's memory is what it has in flight, whatever the size of the database.

use crate::error::{Error, Result, Status};
use parking_lot::Mutex;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

/// `length` zeros; an error where there is no memory for them.
pub fn zeros(length: usize) -> Result<Vec<u8>> {
    let mut data = Vec::new();
    extend(&mut data, length)?;
    Ok(data)
}

fn extend(data: &mut Vec<u8>, length: usize) -> Result<()> {
    if let Some(more) = length.checked_sub(data.len())
        && more > 0
    {
        data.try_reserve_exact(more)
            .map_err(|_| Error::new(Status::OutOfMemory, format!("no memory for a chunk of {length} bytes")))?;
        data.resize(length, 0);
    }
    Ok(())
}

/// A job's idle buffers.
pub(super) struct Buffers {
    idle: Mutex<Vec<Vec<u8>>>,
}

impl Buffers {
    pub(super) fn new() -> Arc<Buffers> {
        Arc::new(Buffers { idle: Mutex::default() })
    }

    /// A buffer of `length` bytes with any content; an error where there is no memory for it.
    pub(super) fn take(self: &Arc<Self>, length: usize) -> Result<Buffer> {
        let mut data = self.idle.lock().pop().unwrap_or_default();
        extend(&mut data, length)?;
        Ok(Buffer { data, length, home: Arc::clone(self) })
    }

    /// A buffer that holds `bytes`.
    pub(super) fn copy_of(self: &Arc<Self>, bytes: &[u8]) -> Result<Buffer> {
        let mut buffer = self.take(bytes.len())?;
        buffer.copy_from_slice(bytes);
        Ok(buffer)
    }
}

/// Goes back to its job's idle ones when dropped.
pub(super) struct Buffer {
    /// Never made shorter: growing again would mean to clear what is overwritten anyway.
    data: Vec<u8>,
    length: usize,
    home: Arc<Buffers>,
}

impl Buffer {
    /// Forgets what is beyond `length`.
    pub(super) fn truncate(&mut self, length: usize) {
        self.length = self.length.min(length);
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.home.idle.lock().push(std::mem::take(&mut self.data));
    }
}

impl Deref for Buffer {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.data[..self.length]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.data[..self.length]
    }
}
