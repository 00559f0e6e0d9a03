//! The archive that a new one takes unchanged chunks from. Each frame is taken whole and is checked first; the new archive
//! needs its parent for nothing afterwards.

use super::buffer::{Buffer, Buffers};
use super::frame::content_size;
use super::index::Index;
use super::manifest::{ArchiveId, Chunk};
use crate::error::{Error, Result, Status};
use crate::runtime::ReadFile;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// An earlier archive of (usually) the same database.
pub struct Parent {
    file: ReadFile,
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
        let file = ReadFile::open(path)?;
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

    /// Bytes of its chunks: what a new archive must have, too, to find the same ones.
    pub fn chunk_bytes(&self) -> u32 {
        self.index.manifest.geometry.chunk_bytes
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
        let Some(start) = self.index.frame_start(index) else { return Ok(Found::Changed) };
        // No longer than the file, as the index has checked.
        let mut frame = buffers.take(chunk.frame_bytes as usize)?;
        let sound = self.file.read_exact_at(&mut frame, start).is_ok()
            && blake3::hash(&frame) == chunk.frame
            && content_size(&frame) == Some(content_bytes as u64);
        Ok(if sound { Found::Frame(frame) } else { Found::Damaged })
    }
}
