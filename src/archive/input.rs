//! Backup files of all kinds, told apart by their content.

use super::decode::Damage;
use super::index::Index;
use super::manifest::Manifest;
use crate::error::{Error, Result, Status};
use crate::runtime::GuardedFile;
use rustix::fs::Stat;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What a backup file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A plain database.
    Image,
    /// An archive of ours.
    Archive,
    /// Another tool's Zstandard file.
    Zstd,
    /// A gzip file.
    Gzip,
}

enum Content {
    Image(ImageHeader),
    Archive(Arc<Index>),
    Zstd,
    Gzip,
}

/// An open backup file.
pub struct Input {
    file: GuardedFile,
    path: PathBuf,
    content: Content,
}

/// Bytes of the database header (<https://sqlite.org/fileformat2.html>, "The Database Header").
pub const IMAGE_HEADER_BYTES: usize = 100;
const IMAGE_MAGIC: &[u8] = b"SQLite format 3\0";

const ZSTD_MAGIC: u32 = 0xFD2F_B528;
/// RFC 8878, 3.1.2: the last four bits are free.
const SKIPPABLE_MAGIC: u32 = 0x184D_2A50;
/// RFC 1952, 2.3.1.
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

impl Input {
    /// Opens a file and looks at its beginning and its end; on the I/O side.
    pub fn open(path: &Path) -> std::result::Result<Input, Damage> {
        Input::open_as(path, path)
    }

    /// The same of a file that is `path` in messages.
    pub fn open_as(file: &Path, path: &Path) -> std::result::Result<Input, Damage> {
        GuardedFile::open(file, path).and_then(|file| Input::of(file, path)).map_err(Damage::of_structure)
    }

    fn of(file: GuardedFile, path: &Path) -> Result<Input> {
        let mut start = [0; IMAGE_HEADER_BYTES];
        let known = read_up_to(&file, &mut start).map_err(|error| Error::os("cannot read", path, error))?;
        let start = &start[..known];
        let magic = start.first_chunk().map(|bytes| u32::from_le_bytes(*bytes));
        let content = if start.starts_with(IMAGE_MAGIC) {
            Content::Image(ImageHeader::decode(start, path)?)
        } else if magic.is_some_and(|magic| magic == ZSTD_MAGIC || magic & !0xf == SKIPPABLE_MAGIC) {
            Index::read(&file, path)?.map_or(Content::Zstd, |index| Content::Archive(Arc::new(index)))
        } else if start.starts_with(&GZIP_MAGIC) {
            Content::Gzip
        } else {
            let what = if start.is_empty() { "is empty" } else { "is neither a database nor a compressed one" };
            return Err(Error::new(Status::NotADatabase, format!("{path:?} {what}")));
        };
        Ok(Input { file, path: path.to_owned(), content })
    }

    /// What it is.
    pub fn kind(&self) -> Kind {
        match self.content {
            Content::Image(_) => Kind::Image,
            Content::Archive(_) => Kind::Archive,
            Content::Zstd => Kind::Zstd,
            Content::Gzip => Kind::Gzip,
        }
    }

    /// The open file.
    pub fn file(&self) -> &GuardedFile {
        &self.file
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes of the file.
    pub fn file_bytes(&self) -> u64 {
        u64::try_from(self.file.stat().st_size).unwrap_or_default()
    }

    /// When the file was last modified.
    pub fn modified(&self) -> Option<SystemTime> {
        let stat = self.file.stat();
        let since = Duration::new(u64::try_from(stat.st_mtime).ok()?, u32::try_from(stat.st_mtime_nsec).ok()?);
        UNIX_EPOCH.checked_add(since)
    }

    /// Of an archive of ours.
    pub fn index(&self) -> Option<&Arc<Index>> {
        match &self.content {
            Content::Archive(index) => Some(index),
            _ => None,
        }
    }

    /// An error if the file is not as it was when it was opened: somebody writes to it.
    pub fn check_unchanged(&self) -> Result<()> {
        let then = self.file.stat();
        let failed = |error| Error::os("cannot look at", &self.path, error);
        let now = rustix::fs::fstat(&*self.file).map_err(failed)?;
        let of = |stat: &Stat| (stat.st_size, stat.st_mtime, stat.st_mtime_nsec);
        if of(then) == of(&now) {
            return Ok(());
        }
        Err(Error::new(Status::SourceChanged, format!("{:?} was changed while it was read", self.path)))
    }

    /// Of an archive of ours, or of a plain database.
    pub fn image_header(&self) -> Option<ImageHeader> {
        match &self.content {
            Content::Image(header) => Some(header.clone()),
            Content::Archive(index) => Some(ImageHeader::of_manifest(&index.manifest)),
            _ => None,
        }
    }
}

/// Fills `buffer` from the beginning of a file as far as the file goes.
fn read_up_to(file: &File, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut known = 0;
    while known < buffer.len() {
        match file.read_at(&mut buffer[known..], known as u64) {
            Ok(0) => break,
            Ok(bytes) => known += bytes,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(known)
}

/// What the header of a database says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageHeader {
    /// Bytes of a page.
    pub page_size: u32,
    /// Pages, if the header is one that tells them.
    pub page_count: Option<u32>,
    /// `PRAGMA application_id`.
    pub application_id: u32,
    /// `PRAGMA user_version`.
    pub user_version: i32,
    /// True in WAL mode: without a log beside it, nobody is changing the file.
    pub wal: bool,
    /// The version of the SQLite that last wrote it, as a number.
    sqlite_number: u32,
}

impl ImageHeader {
    /// From the first bytes of an image, which come from anywhere.
    pub fn decode(start: &[u8], path: &Path) -> Result<ImageHeader> {
        let damaged = |what: &str| Error::new(Status::Corrupt, format!("{path:?} is damaged: {what}"));
        if !start.starts_with(IMAGE_MAGIC) {
            return Err(Error::new(Status::NotADatabase, format!("{path:?} does not hold a database")));
        }
        let header: &[u8; IMAGE_HEADER_BYTES] =
            start.first_chunk().ok_or_else(|| damaged("it ends within the database's header"))?;
        let at = |offset: usize| {
            u32::from_be_bytes([header[offset], header[offset + 1], header[offset + 2], header[offset + 3]])
        };
        let page_size = match u32::from(header[16]) << 8 | u32::from(header[17]) {
            1 => 65_536,
            size => size,
        };
        if !(512..=65_536).contains(&page_size) || !page_size.is_power_of_two() {
            return Err(damaged(&format!("its header claims pages of {page_size} bytes")));
        }
        // Old versions of SQLite did not keep the count; it is valid if whoever counted also wrote last ("In-header
        // database size").
        let counted = at(28) > 0 && at(24) == at(92);
        Ok(ImageHeader {
            page_size,
            page_count: counted.then_some(at(28)),
            application_id: at(68),
            user_version: at(60) as i32,
            wal: header[18..20] == [2, 2],
            sqlite_number: at(96),
        })
    }

    fn of_manifest(manifest: &Manifest) -> ImageHeader {
        ImageHeader {
            page_size: manifest.geometry.page_size,
            page_count: Some(manifest.geometry.page_count),
            application_id: manifest.application_id,
            user_version: manifest.user_version,
            wal: false,
            sqlite_number: 0,
        }
    }

    /// Bytes of the image, if the header tells.
    pub fn bytes(&self) -> Option<u64> {
        self.page_count.map(|pages| u64::from(pages) * u64::from(self.page_size))
    }

    /// Such as "3.54.1"; empty if the header does not say.
    pub fn sqlite_version(&self) -> String {
        match self.sqlite_number {
            0 => String::new(),
            number => format!("{}.{}.{}", number / 1_000_000, number / 1000 % 1000, number % 1000),
        }
    }
}
