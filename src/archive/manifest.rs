//! What an archive says about itself: a CBOR map (RFC 8949) in a skippable frame, followed by its own hash. The keys are
//! described in docs/FORMAT.md.

use super::geometry::Geometry;
use super::seek_table::MOST_CHUNKS;
use crate::error::{Error, Result, Status};
use minicbor::data::Type;
use minicbor::{Decoder, Encoder};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// The version of the format that this library writes, and the newest that it reads.
pub const FORMAT_VERSION: u32 = 1;

/// The skippable frame that a manifest is in. Seek tables have 0x184D2A5E.
pub(super) const MANIFEST_MAGIC: u32 = 0x184D_2A5B;

/// The largest manifest that is read: room for [`MOST_CHUNKS`] chunks and the rest.
pub(super) const MOST_BYTES: u64 = MOST_CHUNKS * CHUNK_BYTES + 65_536;

/// A chunk in the manifest, at most: an array of two hashes and a length.
const CHUNK_BYTES: u64 = 1 + 34 + 34 + 5;

/// The manifest's own hash, behind it: the head of a byte string of 32 bytes.
const HASH_HEAD: [u8; 2] = [0x58, 32];

/// An archive's random name.
pub type ArchiveId = [u8; 16];

/// What an archive is, besides its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// What wrote it: versions of this library, of SQLite and of Zstandard.
    pub written_by: Versions,
    /// When it was begun.
    pub created: SystemTime,
    /// Its own.
    pub archive_id: ArchiveId,
    /// That of the archive which frames may have been taken from.
    pub parent_id: Option<ArchiveId>,
    /// The level that frames were compressed with, unless they were taken from the parent.
    pub level: i32,
    /// Pages and chunks.
    pub geometry: Geometry,
    /// `PRAGMA application_id` of the image.
    pub application_id: u32,
    /// `PRAGMA user_version` of the image.
    pub user_version: i32,
    /// In the order of their frames.
    pub chunks: Vec<Chunk>,
}

/// Versions of the three that make an archive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Versions {
    /// This library's.
    pub library: String,
    /// Of the SQLite inside.
    pub sqlite: String,
    /// Of the Zstandard inside.
    pub zstd: String,
}

/// A chunk of the image and its frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// BLAKE3 of what the frame decompresses to.
    pub content: blake3::Hash,
    /// BLAKE3 of the frame.
    pub frame: blake3::Hash,
    /// Bytes of the frame.
    pub frame_bytes: u32,
}

type Encoded<T> = std::result::Result<T, minicbor::encode::Error<std::convert::Infallible>>;
type Decoded<T> = std::result::Result<T, minicbor::decode::Error>;

impl Manifest {
    /// The content of the manifest's frame.
    pub(super) fn encode(&self) -> Result<Vec<u8>> {
        let failed = |error| Error::new(Status::Internal, format!("cannot encode the archive's manifest: {error}"));
        let mut bytes = self.encode_map().map_err(failed)?;
        let hash = blake3::hash(&bytes);
        bytes.extend(HASH_HEAD);
        bytes.extend(hash.as_bytes());
        Ok(bytes)
    }

    fn encode_map(&self) -> Encoded<Vec<u8>> {
        let mut e = Encoder::new(Vec::with_capacity(self.chunks.len() * CHUNK_BYTES as usize + 512));
        let entries = 13 + u64::from(self.parent_id.is_some());
        e.map(entries)?.str("lb_backup")?.u32(FORMAT_VERSION)?;
        e.str("library")?.str(&self.written_by.library)?;
        e.str("sqlite")?.str(&self.written_by.sqlite)?;
        e.str("zstd")?.str(&self.written_by.zstd)?;
        e.str("created_ns")?.i64(unix_ns(self.created))?;
        e.str("archive_id")?.bytes(&self.archive_id)?;
        if let Some(parent) = &self.parent_id {
            e.str("parent_id")?.bytes(parent)?;
        }
        e.str("level")?.i32(self.level)?;
        e.str("page_size")?.u32(self.geometry.page_size)?;
        e.str("page_count")?.u32(self.geometry.page_count)?;
        e.str("application_id")?.u32(self.application_id)?;
        e.str("user_version")?.i32(self.user_version)?;
        e.str("chunk_size")?.u32(self.geometry.chunk_bytes)?;
        e.str("chunks")?.array(self.chunks.len() as u64)?;
        for chunk in &self.chunks {
            e.array(3)?.bytes(chunk.content.as_bytes())?.bytes(chunk.frame.as_bytes())?.u32(chunk.frame_bytes)?;
        }
        Ok(e.into_writer())
    }

    /// From the content of the manifest's frame, which comes from anywhere. What is returned is consistent in itself:
    /// sizes that SQLite can have, and as many chunks as they need.
    pub(super) fn decode(content: &[u8], path: &Path) -> Result<Manifest> {
        let damaged = |what: &str| Error::new(Status::Corrupt, format!("the manifest of {path:?} is damaged: {what}"));
        let (map, tail) = content
            .len()
            .checked_sub(HASH_HEAD.len() + blake3::OUT_LEN)
            .and_then(|at| content.split_at_checked(at))
            .ok_or_else(|| damaged("it is too short"))?;
        let (head, hash) = tail.split_at(HASH_HEAD.len());
        if head != HASH_HEAD || hash != blake3::hash(map).as_bytes() {
            return Err(damaged("its hash differs"));
        }
        let fields = Fields::decode(map).map_err(|error| damaged(&error.to_string()))?;
        match fields.version {
            Some(1..=FORMAT_VERSION) => {}
            Some(newer) => {
                let message = format!(
                    "{path:?} has version {newer} of the archive format, this library reads up to {FORMAT_VERSION}"
                );
                return Err(Error::new(Status::Unsupported, message));
            }
            None => return Err(damaged("it is not one of lb_backup")),
        }
        let manifest = fields.complete().ok_or_else(|| damaged("a field is missing"))?;
        let geometry = &manifest.geometry;
        if !geometry.is_valid() {
            return Err(damaged(&format!("page size {}, chunk size {}", geometry.page_size, geometry.chunk_bytes)));
        }
        if geometry.chunks() != manifest.chunks.len() as u64 {
            return Err(damaged(&format!("{} chunks, its sizes need {}", manifest.chunks.len(), geometry.chunks())));
        }
        Ok(manifest)
    }
}

/// What was found so far.
#[derive(Default)]
struct Fields {
    version: Option<u32>,
    library: Option<String>,
    sqlite: Option<String>,
    zstd: Option<String>,
    created_ns: Option<i64>,
    archive_id: Option<ArchiveId>,
    parent_id: Option<ArchiveId>,
    level: Option<i32>,
    page_size: Option<u32>,
    page_count: Option<u32>,
    application_id: Option<u32>,
    user_version: Option<i32>,
    chunk_bytes: Option<u32>,
    chunks: Option<Vec<Chunk>>,
}

impl Fields {
    fn decode(map: &[u8]) -> Decoded<Fields> {
        let mut d = Decoder::new(map);
        let mut fields = Fields::default();
        for _ in 0..d.map()?.ok_or_else(|| minicbor::decode::Error::message("a map without a length"))? {
            match d.str()? {
                "lb_backup" => fields.version = Some(d.u32()?),
                // Later versions may say all else in another way.
                _ if fields.version.is_some_and(|version| version > FORMAT_VERSION) => return Ok(fields),
                "library" => fields.library = Some(d.str()?.to_owned()),
                "sqlite" => fields.sqlite = Some(d.str()?.to_owned()),
                "zstd" => fields.zstd = Some(d.str()?.to_owned()),
                "created_ns" => fields.created_ns = Some(d.i64()?),
                "archive_id" => fields.archive_id = Some(fixed(&mut d)?),
                "parent_id" => fields.parent_id = Some(fixed(&mut d)?),
                "level" => fields.level = Some(d.i32()?),
                "page_size" => fields.page_size = Some(d.u32()?),
                "page_count" => fields.page_count = Some(d.u32()?),
                "application_id" => fields.application_id = Some(d.u32()?),
                "user_version" => fields.user_version = Some(d.i32()?),
                "chunk_size" => fields.chunk_bytes = Some(d.u32()?),
                "chunks" => fields.chunks = Some(chunks(&mut d)?),
                _ => d.skip()?,
            }
        }
        match d.datatype() {
            Err(error) if error.is_end_of_input() => Ok(fields),
            _ => Err(minicbor::decode::Error::message("something follows the map")),
        }
    }

    fn complete(self) -> Option<Manifest> {
        Some(Manifest {
            written_by: Versions { library: self.library?, sqlite: self.sqlite?, zstd: self.zstd? },
            created: system_time(self.created_ns?),
            archive_id: self.archive_id?,
            parent_id: self.parent_id,
            level: self.level?,
            geometry: Geometry {
                page_size: self.page_size?,
                page_count: self.page_count?,
                chunk_bytes: self.chunk_bytes?,
            },
            application_id: self.application_id?,
            user_version: self.user_version?,
            chunks: self.chunks?,
        })
    }
}

fn chunks(d: &mut Decoder<'_>) -> Decoded<Vec<Chunk>> {
    let claimed = d.array()?.ok_or_else(|| minicbor::decode::Error::message("chunks without a count"))?;
    // Each takes at least 70 bytes: no memory for more than can follow.
    let possible = (d.input().len() - d.position()) / (CHUNK_BYTES as usize - 4);
    let mut chunks = Vec::with_capacity(possible.min(usize::try_from(claimed).unwrap_or(usize::MAX)));
    for _ in 0..claimed {
        if d.datatype()? != Type::Array || d.array()? != Some(3) {
            return Err(minicbor::decode::Error::message("a chunk is not three things"));
        }
        chunks.push(Chunk { content: fixed(d)?.into(), frame: fixed(d)?.into(), frame_bytes: d.u32()? });
    }
    Ok(chunks)
}

fn fixed<const N: usize>(d: &mut Decoder<'_>) -> Decoded<[u8; N]> {
    d.bytes()?.try_into().map_err(|_| minicbor::decode::Error::message(format!("not {N} bytes")))
}

fn unix_ns(time: SystemTime) -> i64 {
    let saturated = |nanos: u128| i64::try_from(nanos).unwrap_or(i64::MAX);
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => saturated(since.as_nanos()),
        Err(before) => -saturated(before.duration().as_nanos()),
    }
}

fn system_time(unix_ns: i64) -> SystemTime {
    let distance = std::time::Duration::from_nanos(unix_ns.unsigned_abs());
    if unix_ns < 0 { UNIX_EPOCH - distance } else { UNIX_EPOCH + distance }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(chunks: u32) -> Manifest {
        let versions = |version: &str| version.to_owned();
        Manifest {
            written_by: Versions { library: versions("0.1.0"), sqlite: versions("3.54.1"), zstd: versions("1.5.7") },
            created: system_time(1_800_000_000_123_456_789),
            archive_id: [7; 16],
            parent_id: Some([8; 16]),
            level: -3,
            geometry: Geometry { page_size: 4096, page_count: 16 * chunks, chunk_bytes: 65_536 },
            application_id: 0xFFFF_FFFE,
            user_version: -5,
            chunks: (0..chunks)
                .map(|index| Chunk {
                    content: blake3::hash(&index.to_le_bytes()),
                    frame: blake3::hash(&(!index).to_le_bytes()),
                    frame_bytes: index * 1000 + 9,
                })
                .collect(),
        }
    }

    fn decode(content: &[u8]) -> Result<Manifest> {
        Manifest::decode(content, Path::new("a.zst"))
    }

    /// As somebody would do it who has the format's description.
    fn sealed(map: Vec<u8>) -> Vec<u8> {
        let hash = blake3::hash(&map);
        [&map, &HASH_HEAD[..], hash.as_bytes()].concat()
    }

    #[test]
    fn a_manifest_reads_back_as_it_was_written() {
        for chunks in [1, 2, 300] {
            // The other by a clock that runs before 1970.
            for (parent_id, created_ns) in [(None, 1_800_000_000_123_456_789), (Some([9; 16]), -1_000_000_007)] {
                let manifest = Manifest { parent_id, created: system_time(created_ns), ..manifest(chunks) };
                let content = manifest.encode().unwrap();
                assert!(content.len() as u64 <= u64::from(chunks) * CHUNK_BYTES + 512);
                assert_eq!(decode(&content).unwrap(), manifest);
            }
        }
    }

    #[test]
    fn no_flipped_or_missing_byte_goes_unnoticed() {
        let content = manifest(3).encode().unwrap();
        for at in 0..content.len() {
            let mut bytes = content.clone();
            bytes[at] ^= 0x10;
            assert_eq!(decode(&bytes).unwrap_err().status, Status::Corrupt, "byte {at}");
            assert_eq!(decode(&content[..at]).unwrap_err().status, Status::Corrupt, "cut at {at}");
        }
    }

    #[test]
    fn a_newer_version_is_told_apart_from_damage() {
        let mut e = Encoder::new(Vec::new());
        e.map(2)
            .unwrap()
            .str("lb_backup")
            .unwrap()
            .u32(2)
            .unwrap()
            .str("chunks")
            .unwrap()
            .str("are elsewhere")
            .unwrap();
        let error = decode(&sealed(e.into_writer())).unwrap_err();
        assert_eq!(error.status, Status::Unsupported);
        assert!(error.message.contains("version 2"), "{error}");
    }

    #[test]
    fn unknown_keys_are_passed_over() {
        let mut map = manifest(2).encode_map().unwrap();
        assert_eq!(map[0], 0xA0 + 14);
        map[0] += 1;
        let mut e = Encoder::new(map);
        e.str("remark").unwrap().array(2).unwrap().str("by").unwrap().str("somebody").unwrap();
        assert_eq!(decode(&sealed(e.into_writer())).unwrap(), manifest(2));
    }

    #[test]
    fn lies_with_a_right_hash_are_found() {
        let good = manifest(2);
        let geometry = |page_size, page_count, chunk_bytes| Geometry { page_size, page_count, chunk_bytes };
        let lies = [
            Manifest { geometry: geometry(0, 32, 65_536), ..good.clone() },
            Manifest { geometry: geometry(4095, 32, 65_536), ..good.clone() },
            Manifest { geometry: geometry(1 << 17, 1, 1 << 17), ..good.clone() },
            Manifest { geometry: geometry(4096, 32, 0), ..good.clone() },
            Manifest { geometry: geometry(4096, 32, 65_537), ..good.clone() },
            Manifest { geometry: geometry(4096, u32::MAX, 65_536), ..good.clone() },
            Manifest { geometry: geometry(4096, 0, 65_536), ..good.clone() },
            Manifest { chunks: Vec::new(), ..good.clone() },
        ];
        for lie in lies {
            let error = decode(&lie.encode().unwrap()).unwrap_err();
            assert_eq!(error.status, Status::Corrupt, "{:?}", lie.geometry);
        }
    }

    #[test]
    fn what_follows_the_map_is_damage() {
        let mut map = manifest(2).encode_map().unwrap();
        map.push(0);
        assert_eq!(decode(&sealed(map)).unwrap_err().status, Status::Corrupt);
    }

    #[test]
    fn a_chunk_of_two_things_is_damage() {
        let mut e = Encoder::new(Vec::new());
        e.map(2).unwrap().str("lb_backup").unwrap().u32(1).unwrap().str("chunks").unwrap().array(1).unwrap();
        e.array(2).unwrap().bytes(&[0; 32]).unwrap().bytes(&[0; 32]).unwrap();
        assert_eq!(decode(&sealed(e.into_writer())).unwrap_err().status, Status::Corrupt);
    }

    #[test]
    fn no_memory_is_taken_for_chunks_that_cannot_be_there() {
        let mut e = Encoder::new(Vec::new());
        e.map(2).unwrap().str("lb_backup").unwrap().u32(1).unwrap().str("chunks").unwrap().array(u64::MAX).unwrap();
        assert_eq!(decode(&sealed(e.into_writer())).unwrap_err().status, Status::Corrupt);
    }
}
