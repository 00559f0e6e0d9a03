//! Plain database files.

use super::Image;
use super::decode::Damage;
use super::input::Input;
use crate::error::{Error, Result, Status};
use crate::job::Report;
use std::os::unix::fs::FileExt;

/// A plain file as an image.
pub struct Plain<'a> {
    input: &'a Input,
    /// Bytes of a page.
    pub page_size: u32,
    /// Pages of the image.
    pub page_count: u32,
}

impl<'a> Plain<'a> {
    /// Of a database file, which must hold what its header says.
    pub fn of(input: &'a Input) -> std::result::Result<Plain<'a>, Damage> {
        let damaged = |pages: u64| {
            let bytes = input.file_bytes();
            let message =
                format!("{:?} is damaged: it has {bytes} bytes, and its header tells of {pages} pages", input.path());
            Damage::of_structure(Error::new(Status::Corrupt, message))
        };
        let Some(header) = input.image_header() else { return Err(damaged(0)) };
        let page_size = u64::from(header.page_size);
        let in_file = input.file_bytes() / page_size;
        let whole = input.file_bytes().is_multiple_of(page_size);
        let pages = header.page_count.map_or(in_file, u64::from);
        match u32::try_from(pages) {
            Ok(page_count) if pages <= in_file && (whole || header.page_count.is_some()) => {
                Ok(Plain { input, page_size: header.page_size, page_count })
            }
            _ => Err(damaged(pages)),
        }
    }

    /// The file that it is in.
    pub fn input(&self) -> &'a Input {
        self.input
    }
}

impl Image for Plain<'_> {
    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let file = self.input.file();
        file.read_exact_at(buffer, offset).map_err(|error| Error::os("cannot read", self.input.path(), error))
    }

    fn finish(&mut self, _: &mut Report) -> Result<()> {
        self.input.check_unchanged()
    }
}
