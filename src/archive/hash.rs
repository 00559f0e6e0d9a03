//! Hashes of long stretches of memory, computed so that the host's threads can take over in between.

use crate::runtime;

/// Bytes hashed between two such moments.
pub(super) const STEP: usize = 256 << 10;

/// BLAKE3 of `data`.
pub(super) fn blake3(data: &[u8]) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    for step in data.chunks(STEP) {
        hasher.update(step);
        runtime::give_way();
    }
    hasher.finalize()
}
