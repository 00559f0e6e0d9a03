//! Checksums made right again after a mutation: without that, nothing behind the first comparison would ever be fuzzed.
//! Written after docs/FORMAT.md and <https://sqlite.org/fileformat2.html>, without the library's own code.

use super::input::Input;
use minicbor::data::Type;
use minicbor::{Decoder, Encoder};
use std::io::Read;

const MANIFEST_MAGIC: u32 = 0x184D_2A5B;
const TABLE_MAGIC: u32 = 0x184D_2A5E;
const FOOTER_MAGIC: u32 = 0x8F92_EAB1;
const FOOTER: usize = 9;

/// A chunk is decompressed as far as this, to hash it.
const MOST_DECOMPRESSED: u64 = 1 << 20;

type Encoded<T> = Result<T, minicbor::encode::Error<std::convert::Infallible>>;

fn skippable(magic: u32, content: &[u8]) -> Vec<u8> {
    [&magic.to_le_bytes()[..], &(content.len() as u32).to_le_bytes(), content].concat()
}

fn with_hash(mut map: Vec<u8>) -> Vec<u8> {
    let hash = blake3::hash(&map);
    map.extend([0x58, 32]);
    map.extend(hash.as_bytes());
    map
}

fn last_position(data: &[u8], magic: u32) -> Option<usize> {
    data.windows(4).rposition(|window| window == magic.to_le_bytes())
}

/// An archive whose frames, table, lengths and hashes agree again, whatever else its manifest claims. None if there is
/// nothing left of its manifest or of its table.
pub fn archive(data: &[u8], contents: bool) -> Option<Vec<u8>> {
    let table = last_position(data, TABLE_MAGIC)?;
    let manifest = last_position(&data[..table], MANIFEST_MAGIC)?;
    let map = data.get(manifest + 8..table.checked_sub(34)?)?;
    let entries = data.get(table + 8..data.len().checked_sub(FOOTER)?)?;
    let mut entries: Vec<(usize, u32)> = entries
        .chunks_exact(8)
        .map(|entry| {
            let (mut entry, number) = (Input::new(entry), 0);
            let compressed = entry.u32() as usize;
            (compressed, entry.u32() + number)
        })
        .collect();
    entries.pop()?;
    // The frames take what they claim, as far as it is there; the last takes the rest.
    let mut start = 0;
    let mut frames = Vec::new();
    let last = entries.len().checked_sub(1)?;
    for (index, (compressed, _)) in entries.iter().enumerate() {
        let end = if index == last { manifest } else { manifest.min(start + compressed) };
        frames.push(&data[start..end]);
        start = end;
    }
    let map = with_frames(map, &frames, contents).unwrap_or_else(|| map.to_vec());
    let manifest = skippable(MANIFEST_MAGIC, &with_hash(map));
    let sizes = frames.iter().zip(&entries).map(|(frame, entry)| (frame.len() as u32, entry.1));
    let table = seek_table(sizes.chain([(manifest.len() as u32, 0)]), data[data.len() - 5]);
    Some([&frames.concat()[..], &manifest, &table].concat())
}

fn seek_table(entries: impl Iterator<Item = (u32, u32)>, descriptor: u8) -> Vec<u8> {
    let mut content = Vec::new();
    for (compressed, decompressed) in entries {
        content.extend(compressed.to_le_bytes());
        content.extend(decompressed.to_le_bytes());
    }
    let count = (content.len() / 8) as u32;
    content.extend(count.to_le_bytes());
    content.push(descriptor);
    content.extend(FOOTER_MAGIC.to_le_bytes());
    skippable(TABLE_MAGIC, &content)
}

/// The manifest's map with other chunks.
fn with_frames(map: &[u8], frames: &[&[u8]], contents: bool) -> Option<Vec<u8>> {
    let mut decoder = Decoder::new(map);
    for _ in 0..decoder.map().ok()?? {
        if decoder.str().ok()? != "chunks" {
            decoder.skip().ok()?;
            continue;
        }
        let start = decoder.position();
        let mut old = Vec::new();
        for _ in 0..decoder.array().ok()?? {
            if decoder.datatype().ok()? != Type::Array || decoder.array().ok()? != Some(3) {
                return None;
            }
            old.push(decoder.bytes().ok()?);
            decoder.skip().ok()?;
            decoder.skip().ok()?;
        }
        let mut chunks = Encoder::new(Vec::new());
        chunks.array(frames.len() as u64).ok()?;
        for (index, frame) in frames.iter().enumerate() {
            let told = old.get(index).copied().unwrap_or_default();
            let content = if contents { blake3::hash(&decompressed(frame)).as_bytes().to_vec() } else { told.to_vec() };
            chunks.array(3).ok()?.bytes(&content).ok()?.bytes(blake3::hash(frame).as_bytes()).ok()?;
            chunks.u32(frame.len() as u32).ok()?;
        }
        return Some([&map[..start], &chunks.into_writer(), &map[decoder.position()..]].concat());
    }
    None
}

fn decompressed(frame: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    if let Ok(decoder) = zstd::Decoder::new(frame) {
        // What comes before an error counts.
        let _ = decoder.take(MOST_DECOMPRESSED).read_to_end(&mut content);
    }
    content
}

/// What a composed archive says, and what it holds.
struct Plan {
    version: u64,
    page_size: u64,
    page_count: u64,
    chunk_size: u64,
    application_id: u64,
    user_version: i64,
    level: i64,
    created_ns: i64,
    text: String,
    /// Claimed besides the true number of chunks.
    more_chunks: u64,
    dropped_key: u8,
    doubled_key: u8,
    behind_map: bool,
    chunks: Vec<Chunk>,
}

struct Chunk {
    content: Vec<u8>,
    frame: Vec<u8>,
    decompressed: u32,
    frame_bytes: u32,
    content_hash: [u8; 32],
    frame_hash: [u8; 32],
}

impl Chunk {
    fn new(content: Vec<u8>) -> Chunk {
        Chunk { decompressed: content.len() as u32, ..Chunk::claiming(content) }
    }

    fn claiming(content: Vec<u8>) -> Chunk {
        let frame = zstd::bulk::compress(&content, 1).expect("memory compresses");
        Chunk {
            decompressed: 0,
            frame_bytes: frame.len() as u32,
            content_hash: blake3::hash(&content).into(),
            frame_hash: blake3::hash(&frame).into(),
            content,
            frame,
        }
    }
}

/// An archive of the image that the input ends with, made to a plan that its beginning changes: hashes and lengths are
/// right unless the plan says otherwise.
pub fn composed(input: &mut Input<'_>) -> Vec<u8> {
    let changes: Vec<_> = (0..input.byte() % 8).map(|_| (input.byte(), input.byte(), input.u32())).collect();
    let chunk_pages = usize::from(input.byte() % 8) + 1;
    let image = input.rest();
    let at = |offset: usize| Input::new(image.get(offset..).unwrap_or_default()).u32().swap_bytes();
    let page_size = match at(14) & 0xffff {
        1 => 65_536,
        size => size as usize,
    };
    let chunk_size = page_size.max(1) * chunk_pages;
    let mut chunks: Vec<_> = image.chunks(chunk_size).map(|chunk| Chunk::new(chunk.to_vec())).collect();
    if chunks.is_empty() {
        chunks.push(Chunk::new(Vec::new()));
    }
    let mut plan = Plan {
        version: 1,
        page_size: page_size as u64,
        page_count: (image.len() / page_size.max(1)) as u64,
        chunk_size: chunk_size as u64,
        application_id: at(68).into(),
        user_version: (at(60) as i32).into(),
        level: 3,
        created_ns: 1_800_000_000_000_000_000,
        text: "0.1.0".into(),
        more_chunks: 0,
        dropped_key: u8::MAX,
        doubled_key: u8::MAX,
        behind_map: false,
        chunks,
    };
    for (what, which, value) in changes {
        plan.change(what, which, value);
    }
    plan.archive().unwrap_or_default()
}

impl Plan {
    fn change(&mut self, what: u8, which: u8, value: u32) {
        let count = self.chunks.len();
        let chunk = &mut self.chunks[usize::from(which) % count];
        // A number near what it should be, or any.
        let near = |number: u64| if value < 256 { number.wrapping_add(value.into()) } else { value.into() };
        match what % 22 {
            0 => self.page_size = near(self.page_size),
            1 => self.page_count = near(self.page_count),
            2 => self.chunk_size = near(self.chunk_size),
            3 => self.application_id = near(self.application_id),
            4 => self.user_version = i64::from(value as i32),
            5 => self.version = near(self.version),
            6 => chunk.frame_bytes = near(chunk.frame_bytes.into()) as u32,
            7 => chunk.decompressed = near(chunk.decompressed.into()) as u32,
            8 => chunk.content_hash[0] ^= 1,
            9 => chunk.frame_hash[0] ^= 1,
            10 => self.dropped_key = which,
            11 => self.doubled_key = which,
            12 => self.more_chunks = near(0),
            13 => self.behind_map = true,
            14 => self.text = "\u{0}é".repeat(value as usize % 64),
            15 => self.level = i64::from(value as i32) << (which % 32),
            16 => self.created_ns = i64::from(value as i32) << (which % 33),
            // Much out of little: all the sizes that the chunk claims, of zeros.
            17 => *chunk = Chunk::claiming(vec![0; value as usize % (16 << 20)]),
            // A frame that does not tell its size.
            18 => {
                let streamed = zstd::encode_all(&chunk.content[..], 1).expect("memory compresses");
                chunk.frame_bytes = streamed.len() as u32;
                chunk.frame_hash = blake3::hash(&streamed).into();
                chunk.frame = streamed;
            }
            // Two frames in the place of one.
            19 => {
                chunk.frame = [chunk.frame.clone(), chunk.frame.clone()].concat();
                chunk.frame_bytes = chunk.frame.len() as u32;
                chunk.frame_hash = blake3::hash(&chunk.frame).into();
            }
            20 => chunk.frame.truncate(value as usize % (chunk.frame.len() + 1)),
            // One chunk of everything, however large.
            _ => {
                self.page_size = 65_536;
                self.page_count = near(1).clamp(1, 65_535);
                self.chunk_size = self.page_count << 16;
                self.chunks.truncate(1);
                self.chunks[0].decompressed = self.chunk_size as u32;
            }
        }
    }

    fn archive(&self) -> Option<Vec<u8>> {
        let manifest = skippable(MANIFEST_MAGIC, &with_hash(self.map().ok()?));
        let mut archive: Vec<u8> = self.chunks.iter().flat_map(|chunk| &chunk.frame).copied().collect();
        archive.extend(&manifest);
        let entries = self.chunks.iter().map(|chunk| (chunk.frame.len() as u32, chunk.decompressed));
        archive.extend(seek_table(entries.chain([(manifest.len() as u32, 0)]), 0));
        Some(archive)
    }

    fn map(&self) -> Encoded<Vec<u8>> {
        const KEYS: u8 = 13;
        let mut keys: Vec<u8> = (0..KEYS).filter(|key| *key != self.dropped_key).collect();
        keys.extend((0..KEYS).filter(|key| *key == self.doubled_key));
        let mut e = Encoder::new(Vec::new());
        e.map(keys.len() as u64)?;
        for key in keys {
            match key {
                0 => e.str("lb_backup")?.u64(self.version)?,
                1 => e.str("library")?.str(&self.text)?,
                2 => e.str("sqlite")?.str("3.54.1")?,
                3 => e.str("zstd")?.str("1.5.7")?,
                4 => e.str("created_ns")?.i64(self.created_ns)?,
                5 => e.str("archive_id")?.bytes(&[7; 16])?,
                6 => e.str("level")?.i64(self.level)?,
                7 => e.str("page_size")?.u64(self.page_size)?,
                8 => e.str("page_count")?.u64(self.page_count)?,
                9 => e.str("application_id")?.u64(self.application_id)?,
                10 => e.str("user_version")?.i64(self.user_version)?,
                11 => e.str("chunk_size")?.u64(self.chunk_size)?,
                _ => self.chunk_list(&mut e)?,
            };
        }
        if self.behind_map {
            e.null()?;
        }
        Ok(e.into_writer())
    }

    fn chunk_list<'e>(&self, e: &'e mut Encoder<Vec<u8>>) -> Encoded<&'e mut Encoder<Vec<u8>>> {
        e.str("chunks")?.array(self.chunks.len() as u64 + self.more_chunks)?;
        for chunk in &self.chunks {
            e.array(3)?.bytes(&chunk.content_hash)?.bytes(&chunk.frame_hash)?.u32(chunk.frame_bytes)?;
        }
        Ok(e)
    }
}

/// The first bytes of a database, so that SQLite takes the rest for one: magic, and a page size that there is.
pub fn database(database: &mut [u8]) {
    let Some(header) = database.first_chunk_mut::<100>() else { return };
    header[..16].copy_from_slice(b"SQLite format 3\0");
    let size = u16::from_be_bytes([header[16], header[17]]);
    if size != 1 && !(size.is_power_of_two() && size >= 512) {
        header[16..18].copy_from_slice(&512u16.to_be_bytes());
    }
    // Payload fractions, which have one value each.
    header[21..24].copy_from_slice(&[64, 32, 32]);
}

fn page_size(database: &[u8]) -> usize {
    match database.get(16..18) {
        Some([0, 1]) => 65_536,
        Some(&[high, low]) => usize::from(u16::from_be_bytes([high, low])).max(512),
        _ => 512,
    }
}

/// A write-ahead log that belongs to `database`: header and frames with its page size, one salt and running checksums.
/// Page numbers and commit marks stay as they are.
pub fn wal(wal: &mut [u8], database: &[u8]) {
    let page_size = page_size(database);
    let Some((header, frames)) = wal.split_first_chunk_mut::<32>() else { return };
    let big_endian = header[3] & 1;
    header[..4].copy_from_slice(&(0x377f_0682u32 | u32::from(big_endian)).to_be_bytes());
    header[4..8].copy_from_slice(&3_007_000u32.to_be_bytes());
    header[8..12].copy_from_slice(&(page_size as u32).to_be_bytes());
    let mut sum = wal_sum(&header[..24], (0, 0), big_endian == 1);
    put_sum(&mut header[24..], sum);
    for frame in frames.chunks_exact_mut(24 + page_size) {
        frame[8..16].copy_from_slice(&header[16..24]);
        sum = wal_sum(&frame[..8], sum, big_endian == 1);
        sum = wal_sum(&frame[24..], sum, big_endian == 1);
        put_sum(&mut frame[16..], sum);
    }
}

/// "Checksum Algorithm" of the file format.
fn wal_sum(bytes: &[u8], sum: (u32, u32), big_endian: bool) -> (u32, u32) {
    let word = |bytes: &[u8]| {
        let word = Input::new(bytes).u32();
        if big_endian { word.swap_bytes() } else { word }
    };
    bytes.chunks_exact(8).fold(sum, |(s0, s1), pair| {
        let s0 = s0.wrapping_add(word(&pair[..4])).wrapping_add(s1);
        (s0, s1.wrapping_add(word(&pair[4..])).wrapping_add(s0))
    })
}

fn put_sum(to: &mut [u8], (s0, s1): (u32, u32)) {
    to[..4].copy_from_slice(&s0.to_be_bytes());
    to[4..8].copy_from_slice(&s1.to_be_bytes());
}

/// A rollback journal that is hot: "The Rollback Journal" of the file format.
pub fn journal(journal: &mut [u8], database: &[u8]) {
    const SECTOR: usize = 512;
    const MAGIC: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];
    let page_size = page_size(database);
    let Some((header, records)) = journal.split_first_chunk_mut::<SECTOR>() else { return };
    header[..8].copy_from_slice(&MAGIC);
    header[20..24].copy_from_slice(&(SECTOR as u32).to_be_bytes());
    header[24..28].copy_from_slice(&(page_size as u32).to_be_bytes());
    let nonce = Input::new(&header[12..16]).u32().swap_bytes();
    let mut count = 0u32;
    for record in records.chunks_exact_mut(4 + page_size + 4) {
        let (page, sum) = record[4..].split_at_mut(page_size);
        let words = (1..).map_while(|step| page_size.checked_sub(200 * step)).filter(|at| *at > 0);
        let checksum = words.fold(nonce, |sum, at| sum.wrapping_add(page[at].into()));
        sum.copy_from_slice(&checksum.to_be_bytes());
        count += 1;
    }
    header[8..12].copy_from_slice(&count.to_be_bytes());
}
