//! The archive that a new one takes unchanged chunks from. Each frame is taken whole and is checked first; the new archive
//! needs its parent for nothing afterwards.

use super::buffer::{Buffer, Buffers};
use super::frame::content_size;
use super::geometry::LARGEST_CHUNK;
use super::hash;
use super::index::Index;
use super::manifest::{ArchiveId, Chunk};
use crate::error::{Error, Result, Status};
use crate::runtime::GuardedFile;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// An earlier archive of (usually) the same database.
pub struct Parent {
    file: GuardedFile,
    path: PathBuf,
    index: Index,
}

/// What the parent has for a chunk.
pub(super) enum Found {
    /// Its frame, as it is in the parent.
    Frame(Buffer),
    /// Another content.
    Changed,
    /// The right content once, and now something else.
    Damaged,
}

impl Parent {
    /// Opens an archive of ours; on the I/O side.
    pub fn open(path: &Path) -> Result<Parent> {
        let file = GuardedFile::open(path, path)?;
        let foreign = || Error::new(Status::Unsupported, format!("{path:?} is no archive of lb_backup"));
        let index = Index::read(&file, path)?.ok_or_else(foreign)?;
        Ok(Parent { file, path: path.to_owned(), index })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its own id.
    pub fn id(&self) -> ArchiveId {
        self.index.manifest.archive_id
    }

    /// Bytes of its pages.
    pub fn page_size(&self) -> u32 {
        self.index.manifest.geometry.page_size
    }

    /// Bytes of its chunks: what a new archive must have, too, to find the same ones. None for what would take more memory
    /// than any that a caller may ask for.
    pub fn chunk_bytes(&self) -> Option<u32> {
        let bytes = self.index.manifest.geometry.chunk_bytes;
        (u64::from(bytes) <= LARGEST_CHUNK).then_some(bytes)
    }

    /// Looks for the chunk `index` with this content.
    pub(super) fn find(
        &self,
        index: usize,
        content: &blake3::Hash,
        content_bytes: usize,
        buffers: &Arc<Buffers>,
    ) -> Result<Found> {
        let wanted = |chunk: &&Chunk| chunk.content == *content;
        let Some(chunk) = self.index.manifest.chunks.get(index).filter(wanted) else { return Ok(Found::Changed) };
        let start = self.index.frame_start(index);
        // No longer than Zstandard makes it, as the index has checked.
        let mut frame = buffers.take(chunk.frame_bytes as usize)?;
        let sound = self.file.read_exact_at(&mut frame, start).is_ok()
            && hash::blake3(&frame) == chunk.frame
            && content_size(&frame) == Some(content_bytes as u64);
        Ok(if sound { Found::Frame(frame) } else { Found::Damaged })
    }
}

#[cfg(test)]
mod tests {
    use super::super::closing_frames;
    use super::super::frame::most_bytes;
    use super::super::geometry::Geometry;
    use super::super::manifest::{Manifest, Versions};
    use super::*;
    use std::io::Write;
    use std::time::SystemTime;

    const CONTENT: &[u8] = &[7; 4096];

    /// An archive of one page, in one chunk.
    fn parent(frame: &[u8], chunk_bytes: u32) -> Result<Parent> {
        let (content, frame_hash) = (hash::blake3(CONTENT), hash::blake3(frame));
        let chunk = Chunk { content, frame: frame_hash, frame_bytes: frame.len() as u32 };
        let versions = || "1".to_owned();
        let manifest = Manifest {
            written_by: Versions { library: versions(), sqlite: versions(), zstd: versions() },
            created: SystemTime::now(),
            archive_id: ArchiveId::default(),
            parent_id: None,
            level: 3,
            geometry: Geometry { page_size: 4096, page_count: 1, chunk_bytes },
            application_id: 0,
            user_version: 0,
            chunks: vec![chunk],
        };
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(frame).unwrap();
        closing_frames(&manifest).unwrap().iter().for_each(|frame| file.write_all(frame).unwrap());
        Parent::open(file.path())
    }

    fn find(parent: &Parent) -> Found {
        parent.find(0, &hash::blake3(CONTENT), CONTENT.len(), &Buffers::new()).unwrap()
    }

    #[test]
    fn a_frame_is_taken_as_it_is() {
        let frame = zstd::bulk::compress(CONTENT, 3).unwrap();
        let parent = parent(&frame, 65_536).unwrap();
        assert!(matches!(find(&parent), Found::Frame(taken) if taken[..] == frame[..]));
        assert_eq!(parent.chunk_bytes(), Some(65_536));
    }

    #[test]
    fn no_memory_is_taken_for_a_frame_that_cannot_be_so_long() {
        let mut padded = zstd::bulk::compress(CONTENT, 3).unwrap();
        padded.resize(most_bytes(CONTENT.len()), 0);
        assert!(parent(&padded, 65_536).is_ok());
        padded.push(0);
        let error = parent(&padded, 65_536).err().unwrap();
        assert_eq!(error.status, Status::Corrupt);
        assert!(error.message.contains("the frame of chunk 0 would be longer"), "{error}");
    }

    #[test]
    fn the_largest_chunk_that_anybody_may_ask_for_is_followed() {
        assert_eq!(parent(b"", LARGEST_CHUNK as u32).unwrap().chunk_bytes(), Some(LARGEST_CHUNK as u32));
    }
}
