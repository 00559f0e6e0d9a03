//! How an image is cut into chunks.

use super::seek_table::MOST_CHUNKS;
use std::time::Duration;

/// Chunk sizes that the library chooses by itself.
pub(super) const SMALLEST_CHUNK: u64 = 256 << 10;
pub(super) const LARGEST_CHUNK: u64 = 8 << 20;
/// Larger ones are for images whose list of chunks would grow too long.
const LARGEST_ORDINARY_CHUNK: u64 = 2 << 20;

/// Chunks that a small image has at least, so that all threads are busy to its end; and a large one at most.
const FEW_CHUNKS: u64 = 64;
const MANY_CHUNKS: u64 = 8192;

/// What reading a chunk may take: a cancel waits for it.
const CHUNK_TIME: Duration = Duration::from_millis(25);

/// The shape of an image: whole pages, in chunks of whole pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Bytes of a page.
    pub page_size: u32,
    /// Pages of the image.
    pub page_count: u32,
    /// Bytes of every chunk but the last.
    pub chunk_bytes: u32,
}

impl Geometry {
    /// Chunks of about `wanted` bytes, but no more of them than an archive may have.
    pub fn new(page_size: u32, page_count: u32, wanted: u64) -> Geometry {
        let page = u64::from(page_size.max(1));
        let chunk_bytes = (wanted / page * page).max(page).max(least_chunk(page_size, page_count));
        // At most 2^32 pages of 64 KiB in 2^20 chunks: 256 MiB.
        Geometry { page_size, page_count, chunk_bytes: chunk_bytes as u32 }
    }

    /// Bytes of the image.
    pub fn image_bytes(&self) -> u64 {
        u64::from(self.page_size) * u64::from(self.page_count)
    }

    /// Chunks of the image. An empty one has one, empty: a Zstandard file needs a frame.
    pub fn chunks(&self) -> u64 {
        self.image_bytes().div_ceil(self.chunk_bytes.max(1).into()).max(1)
    }

    /// Where chunk `index` begins, and its length.
    pub fn chunk(&self, index: u64) -> (u64, usize) {
        let start = index * u64::from(self.chunk_bytes);
        (start, (self.image_bytes() - start).min(self.chunk_bytes.into()) as usize)
    }

    /// True for what SQLite and this format can have (<https://sqlite.org/fileformat2.html>, "Page Size"). A chunk is what
    /// readers have in memory, so an archive that merely claims a large one is refused.
    pub fn is_valid(&self) -> bool {
        (512..=65_536).contains(&self.page_size)
            && self.page_size.is_power_of_two()
            && self.chunk_bytes > 0
            && self.chunk_bytes.is_multiple_of(self.page_size)
            && u64::from(self.chunk_bytes) <= LARGEST_CHUNK.max(least_chunk(self.page_size, self.page_count))
            && self.chunks() <= MOST_CHUNKS
    }
}

/// The smallest chunk of which there are not too many.
fn least_chunk(page_size: u32, page_count: u32) -> u64 {
    let page = u64::from(page_size.max(1));
    (page * u64::from(page_count)).div_ceil(MOST_CHUNKS).next_multiple_of(page)
}

/// The chunk size for an image, from its size and from how long the disk took for its first bytes. Large chunks compress
/// better, small ones keep all threads busy to the end and a cancel short.
pub(super) fn adaptive_chunk(image_bytes: u64, first_bytes: u64, first_took: Duration) -> u64 {
    let by_size = (image_bytes / FEW_CHUNKS)
        .next_power_of_two()
        .min(LARGEST_ORDINARY_CHUNK)
        .max((image_bytes / MANY_CHUNKS).next_power_of_two())
        .clamp(SMALLEST_CHUNK, LARGEST_CHUNK);
    let within_time = first_bytes as f64 * CHUNK_TIME.as_secs_f64() / first_took.as_secs_f64().max(1e-9);
    let mut chunk = by_size;
    while chunk > SMALLEST_CHUNK && chunk as f64 > within_time {
        chunk /= 2;
    }
    chunk
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;
    const INSTANTLY: Duration = Duration::ZERO;

    #[test]
    fn chunks_cover_the_image_exactly() {
        for (page_size, page_count, wanted) in
            [(4096, 1, MIB), (512, 4097, 65_536), (65_536, 100, 65_536), (4096, 1000, 100_000), (1024, 0, MIB)]
        {
            let geometry = Geometry::new(page_size, page_count, wanted);
            assert!(geometry.is_valid());
            let covered: u64 = (0..geometry.chunks()).map(|index| geometry.chunk(index).1 as u64).sum();
            assert_eq!(covered, geometry.image_bytes());
        }
    }

    #[test]
    fn no_archive_has_more_chunks_than_readers_accept() {
        for page_size in [512, 65_536] {
            let geometry = Geometry::new(page_size, u32::MAX - 1, 65_536);
            assert!(geometry.is_valid() && geometry.chunks() <= MOST_CHUNKS, "{geometry:?}");
        }
    }

    #[test]
    fn larger_chunks_than_an_image_needs_are_refused() {
        let is_valid = |page_size, page_count, chunk_bytes| Geometry { page_size, page_count, chunk_bytes }.is_valid();
        let largest = LARGEST_CHUNK as u32;
        assert!(is_valid(4096, 1, largest) && !is_valid(4096, 1, largest + 4096));
        assert!(!is_valid(65_536, 65_535, 65_535 << 16));
        // 256 TiB in 2^20 chunks.
        assert!(is_valid(65_536, u32::MAX - 1, 256 << 20) && !is_valid(65_536, u32::MAX - 1, (256 << 20) + 65_536));
    }

    #[test]
    fn chunk_size_follows_the_image_within_its_bounds() {
        let chunk = |image| adaptive_chunk(image, MIB, INSTANTLY);
        assert_eq!(chunk(0), SMALLEST_CHUNK);
        assert_eq!(chunk(MIB), SMALLEST_CHUNK);
        assert_eq!(chunk(64 * MIB), MIB);
        assert_eq!(chunk(1024 * MIB), 2 * MIB);
        assert_eq!(chunk(16 << 30), 2 * MIB);
        assert_eq!(chunk(64 << 30), LARGEST_CHUNK);
        assert_eq!(chunk(1 << 46), LARGEST_CHUNK);
    }

    #[test]
    fn chunk_size_follows_the_disk_within_its_bounds() {
        let chunk = |took| adaptive_chunk(1024 * MIB, SMALLEST_CHUNK, Duration::from_millis(took));
        assert_eq!(chunk(0), 2 * MIB);
        assert_eq!(chunk(10), SMALLEST_CHUNK * 2);
        assert_eq!(chunk(1000), SMALLEST_CHUNK);
    }
}
