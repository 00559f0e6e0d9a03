//! Which pages the write-ahead log holds.

use super::raw::{self, Failure, Which};
use crate::job::Control;
use rusqlite::Connection;

/// Header of the log, before its first frame (<https://sqlite.org/fileformat2.html#walformat>).
const WAL_HEADER: u64 = 32;
/// Header of a frame, before its page.
const FRAME_HEADER: u64 = 24;
/// Frames between two looks at the cancel token.
const FRAMES_PER_CHECK: u64 = 4096;

const BLOCK_PAGES: usize = 1 << 16;

/// A set of page numbers. Memory follows what is in it: 8 KiB for every 65536 consecutive pages of which one is a member.
#[derive(Default)]
pub(super) struct PageSet {
    blocks: Vec<Option<Box<[u64; BLOCK_PAGES / 64]>>>,
}

impl PageSet {
    /// Adds a page number.
    fn insert(&mut self, page: u32) {
        let (block, bit) = (page as usize / BLOCK_PAGES, page as usize % BLOCK_PAGES);
        if self.blocks.len() <= block {
            self.blocks.resize_with(block + 1, || None);
        }
        let words = self.blocks[block].get_or_insert_with(|| Box::new([0; BLOCK_PAGES / 64]));
        words[bit / 64] |= 1 << (bit % 64);
    }

    /// True for a member.
    pub(super) fn contains(&self, page: u32) -> bool {
        let (block, bit) = (page as usize / BLOCK_PAGES, page as usize % BLOCK_PAGES);
        self.blocks.get(block).and_then(Option::as_ref).is_some_and(|words| words[bit / 64] >> (bit % 64) & 1 == 1)
    }
}

/// Every page up to `page_count` that any frame of the log names, whether the frame belongs to our snapshot, is older or
/// newer: each is read through the pager later, which knows. Called after the snapshot has begun (ARCHITECTURE.md,
/// "The snapshot", says why this is exact). None if `control` was cancelled.
pub(super) fn pages_in_wal(
    connection: &Connection,
    page_size: u32,
    page_count: u32,
    control: &Control,
) -> Result<Option<PageSet>, Failure> {
    let mut pages = PageSet::default();
    let frame = FRAME_HEADER + u64::from(page_size);
    let frames = raw::size(connection, Which::Journal)?.saturating_sub(WAL_HEADER) / frame;
    for index in 0..frames {
        if index % FRAMES_PER_CHECK == 0 && control.is_cancelled() {
            return Ok(None);
        }
        let mut number = [0; 4];
        raw::read_at(connection, Which::Journal, &mut number, WAL_HEADER + index * frame)?;
        let page = u32::from_be_bytes(number);
        if (1..=page_count).contains(&page) {
            pages.insert(page);
        }
    }
    Ok(Some(pages))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_set_holds_what_was_put_in_and_nothing_else() {
        let members = [1, 2, 63, 64, 65_535, 65_536, 65_537, 1 << 20, u32::MAX];
        let mut pages = PageSet::default();
        for page in members {
            pages.insert(page);
        }
        for page in members {
            assert!(pages.contains(page));
            assert_eq!(pages.contains(page.wrapping_add(5)), members.contains(&page.wrapping_add(5)));
        }
        assert!(!pages.contains(0));
        assert!(!PageSet::default().contains(7));
    }
}
