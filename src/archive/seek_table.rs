//! Skippable frames (RFC 8878, 3.1.2), and the one that ends an archive: the seek table of the Zstandard seekable format
//! 0.1.0 (contrib/seekable_format/zstd_seekable_compression_format.md of Zstandard), by which any tool that knows it
//! finds the frames.

use super::buffer::zeros;
use crate::error::{Error, Result, Status};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Magic number and length of a skippable frame.
pub(super) const SKIPPABLE_HEADER: u64 = 8;

/// The skippable frame that a seek table is in.
const TABLE_MAGIC: u32 = 0x184D_2A5E;
/// The last four bytes of a file that ends with a seek table.
const FOOTER_MAGIC: u32 = 0x8F92_EAB1;
/// Number of frames, descriptor, magic number.
const FOOTER: usize = 9;
/// The descriptor's only flag: every entry has a checksum, too.
const HAS_CHECKSUMS: u8 = 0x80;
/// The descriptor's bits that must be zero.
const RESERVED: u8 = 0x7C;

/// Chunks of an archive at most: what bounds the memory of whoever reads one. The manifest has a frame, too.
pub(super) const MOST_CHUNKS: u64 = 1 << 20;

/// A frame, as the table tells of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Bytes in the file.
    pub(super) compressed: u32,
    /// Bytes that it decompresses to; 0 for a skippable frame.
    pub(super) decompressed: u32,
}

/// Puts `content` into a skippable frame.
pub(super) fn skippable(magic: u32, content: &[u8]) -> Result<Vec<u8>> {
    let too_long = |_| Error::new(Status::Internal, "the archive's manifest does not fit into a frame");
    let length = u32::try_from(content.len()).map_err(too_long)?;
    Ok([&magic.to_le_bytes()[..], &length.to_le_bytes(), content].concat())
}

/// The content of `frame`, which must be a skippable one with this magic number and nothing behind it.
pub(super) fn content_of(magic: u32, frame: &[u8]) -> Option<&[u8]> {
    let (header, content) = frame.split_at_checked(SKIPPABLE_HEADER as usize)?;
    (u32_at(header, 0)? == magic && u32_at(header, 4)? as usize == content.len()).then_some(content)
}

/// The table, as the frame that ends a file.
pub(super) fn encode(entries: &[Entry]) -> Result<Vec<u8>> {
    let mut content = Vec::with_capacity(entries.len() * 8 + FOOTER);
    for entry in entries {
        content.extend(entry.compressed.to_le_bytes());
        content.extend(entry.decompressed.to_le_bytes());
    }
    let too_many = |_| Error::new(Status::Internal, "the archive has too many frames for a seek table");
    content.extend(u32::try_from(entries.len()).map_err(too_many)?.to_le_bytes());
    content.push(0);
    content.extend(FOOTER_MAGIC.to_le_bytes());
    skippable(TABLE_MAGIC, &content)
}

/// A table that was found at the end of a file, and where it begins.
pub(super) struct Table {
    pub(super) entries: Vec<Entry>,
    pub(super) start: u64,
}

/// Reads the table at the end of a file of `file_bytes`. None if the file does not end with one; an error if it does and
/// the table is damaged. What is returned has at most [`MOST_CHUNKS`] + 1 entries, which together are exactly what
/// precedes the table.
pub(super) fn read(file: &File, path: &Path, file_bytes: u64) -> Result<Option<Table>> {
    let damaged = |what: &str| Error::new(Status::Corrupt, format!("the seek table of {path:?} is damaged: {what}"));
    let read_at = |offset, bytes: &mut [u8]| {
        file.read_exact_at(bytes, offset).map_err(|error| Error::os("cannot read", path, error))
    };
    let Some(footer_start) = file_bytes.checked_sub(FOOTER as u64) else { return Ok(None) };
    let mut footer = [0; FOOTER];
    read_at(footer_start, &mut footer)?;
    if u32_at(&footer, 5) != Some(FOOTER_MAGIC) {
        return Ok(None);
    }
    let count = u64::from(u32_at(&footer, 0).unwrap_or_default());
    if count > MOST_CHUNKS + 1 {
        return Err(damaged(&format!("it claims {count} frames, an archive has at most {}", MOST_CHUNKS + 1)));
    }
    let descriptor = footer[4];
    if descriptor & RESERVED != 0 {
        return Err(damaged("reserved bits are set"));
    }
    let entry_bytes = if descriptor & HAS_CHECKSUMS != 0 { 12 } else { 8 };
    let table_bytes = SKIPPABLE_HEADER + count * entry_bytes + FOOTER as u64;
    let start = file_bytes.checked_sub(table_bytes).ok_or_else(|| damaged("it would begin before the file"))?;
    let mut table = zeros(table_bytes as usize)?;
    read_at(start, &mut table)?;
    let content = content_of(TABLE_MAGIC, &table).ok_or_else(|| damaged("its frame does not say its length"))?;
    let entries: Vec<Entry> = content[..content.len() - FOOTER]
        .chunks_exact(entry_bytes as usize)
        .filter_map(|entry| Some(Entry { compressed: u32_at(entry, 0)?, decompressed: u32_at(entry, 4)? }))
        .collect();
    let covered: u64 = entries.iter().map(|entry| u64::from(entry.compressed)).sum();
    if covered != start {
        return Err(damaged(&format!("its frames make up {covered} bytes, {start} precede it")));
    }
    Ok(Some(Table { entries, start }))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn read_back(bytes: &[u8]) -> Result<Option<Table>> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        read(&file, Path::new("a.zst"), bytes.len() as u64)
    }

    fn entries() -> Vec<Entry> {
        [(30, 100), (20, 100), (50, 0)].map(|(compressed, decompressed)| Entry { compressed, decompressed }).to_vec()
    }

    fn file() -> Vec<u8> {
        [vec![7; 100], encode(&entries()).unwrap()].concat()
    }

    #[test]
    fn a_table_reads_back_as_it_was_written() {
        let table = read_back(&file()).unwrap().unwrap();
        assert_eq!((table.entries, table.start), (entries(), 100));
    }

    #[test]
    fn a_table_with_checksums_is_understood() {
        let mut content = Vec::new();
        for entry in entries() {
            content.extend([entry.compressed.to_le_bytes(), entry.decompressed.to_le_bytes(), [9; 4]].concat());
        }
        content.extend([&3u32.to_le_bytes()[..], &[HAS_CHECKSUMS], &FOOTER_MAGIC.to_le_bytes()].concat());
        let bytes = [vec![7; 100], skippable(TABLE_MAGIC, &content).unwrap()].concat();
        assert_eq!(read_back(&bytes).unwrap().unwrap().entries, entries());
    }

    #[test]
    fn a_file_without_a_table_has_none() {
        for bytes in [&b""[..], b"text", b"a longer text that ends otherwise"] {
            assert!(read_back(bytes).unwrap().is_none());
        }
    }

    #[test]
    fn no_flipped_or_missing_byte_goes_unnoticed() {
        let good = file();
        for at in 100..good.len() {
            for bit in 0..8 {
                let mut bytes = good.clone();
                bytes[at] ^= 1 << bit;
                // What the decompressed size and the two unused bits of the descriptor say is for the manifest to check.
                let told = read_back(&bytes).ok().flatten().map(|table| table.entries);
                assert!(told.is_none_or(|told| told != entries() || at == good.len() - 5 && bit < 2), "{at}.{bit}");
            }
            assert!(!matches!(read_back(&good[..at]), Ok(Some(_))), "cut at {at}");
        }
    }

    #[test]
    fn claims_are_checked_before_memory_is_taken_for_them() {
        let mut bytes = file();
        let count = bytes.len() - FOOTER;
        bytes[count..count + 4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(read_back(&bytes).err().unwrap().status, Status::Corrupt);
        bytes[count..count + 4].copy_from_slice(&1000u32.to_le_bytes());
        assert_eq!(read_back(&bytes).err().unwrap().status, Status::Corrupt);
    }
}
