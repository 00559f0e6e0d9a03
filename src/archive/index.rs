//! Finding one's way in an archive, which comes from anywhere: nothing that it says is believed before it is checked, and
//! no memory is taken for what it merely claims.

use super::buffer::zeros;
use super::frame::most_bytes;
use super::manifest::{MANIFEST_MAGIC, MOST_BYTES, Manifest};
use super::seek_table::{self, Entry, SKIPPABLE_HEADER};
use crate::error::{Error, Result, Status};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// An archive of ours: its manifest, and where its frames are.
pub struct Index {
    /// Agrees with the seek table, and both with the length of the file. No frame is longer than compressing its chunk can
    /// make it: a sparse file is as long as it likes.
    pub manifest: Manifest,
    /// Where each frame begins.
    starts: Vec<u64>,
}

impl Index {
    /// Reads the end of a file. None if it is no archive of ours (another tool's, a plain image, anything); an error if it
    /// is one and is damaged, or of a newer version.
    pub fn read(file: &File, path: &Path) -> Result<Option<Index>> {
        let failed = |error| Error::os("cannot read", path, error);
        let damaged = |what: &str| Error::new(Status::Corrupt, format!("the archive {path:?} is damaged: {what}"));
        let file_bytes = file.metadata().map_err(failed)?.len();
        let Some(table) = seek_table::read(file, path, file_bytes)? else { return Ok(None) };
        let Some((last, frames)) = table.entries.split_last() else { return Ok(None) };
        if u64::from(last.compressed) < SKIPPABLE_HEADER {
            return Ok(None);
        }
        // Not beyond the file: the table's entries add up to where it begins.
        let last_start = table.start - u64::from(last.compressed);
        let mut magic = [0; size_of::<u32>()];
        file.read_exact_at(&mut magic, last_start).map_err(failed)?;
        // Others' tables end with a frame of content.
        if u32::from_le_bytes(magic) != MANIFEST_MAGIC {
            return Ok(None);
        }
        if u64::from(last.compressed) > MOST_BYTES {
            return Err(damaged(&format!("its manifest would take {} bytes", last.compressed)));
        }
        let mut frame = zeros(last.compressed as usize)?;
        file.read_exact_at(&mut frame, last_start).map_err(failed)?;
        let content = seek_table::content_of(MANIFEST_MAGIC, &frame)
            .filter(|_| last.decompressed == 0)
            .ok_or_else(|| damaged("its manifest and its seek table differ in how long it is"))?;
        let manifest = Manifest::decode(content, path)?;
        let starts = starts_of(&manifest, frames).ok_or_else(|| damaged("its seek table and its manifest differ"))?;
        if let Some(index) = first_overlong(&manifest) {
            return Err(damaged(&format!("the frame of chunk {index} would be longer than any of its content")));
        }
        Ok(Some(Index { manifest, starts }))
    }

    /// Where frame `index` begins in the file.
    pub fn frame_start(&self, index: usize) -> u64 {
        self.starts[index]
    }
}

/// Where the frames begin; None if table and manifest disagree about any of them.
fn starts_of(manifest: &Manifest, frames: &[Entry]) -> Option<Vec<u64>> {
    if frames.len() != manifest.chunks.len() {
        return None;
    }
    let mut next = 0;
    let starts = frames.iter().zip(&manifest.chunks).enumerate().map(|(index, (entry, chunk))| {
        let (_, bytes) = manifest.geometry.chunk(index as u64);
        let agrees = entry.compressed == chunk.frame_bytes && entry.decompressed as usize == bytes;
        let start = next;
        next += u64::from(entry.compressed);
        agrees.then_some(start)
    });
    starts.collect()
}

/// The first chunk whose frame is longer than Zstandard makes any of so many bytes.
fn first_overlong(manifest: &Manifest) -> Option<usize> {
    manifest.chunks.iter().enumerate().position(|(index, chunk)| {
        let (_, bytes) = manifest.geometry.chunk(index as u64);
        chunk.frame_bytes as usize > most_bytes(bytes)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_larger_than_any_is_damage() {
        let file = tempfile::tempfile().unwrap();
        let compressed = MOST_BYTES as u32 + 1;
        file.write_all_at(&MANIFEST_MAGIC.to_le_bytes(), 0).unwrap();
        let table = seek_table::encode(&[Entry { compressed, decompressed: 0 }]).unwrap();
        file.write_all_at(&table, compressed.into()).unwrap();
        let error = Index::read(&file, Path::new("a.zst")).err().unwrap();
        assert_eq!(error.status, Status::Corrupt);
        assert!(error.message.contains("its manifest would take"), "{error}");
    }
}
