//! A verification.
use crate::error::{Error, Result, Status};
use crate::job::Report;
use crate::runtime::{Context, Operation};
use std::path::{Path, PathBuf};
#[derive(Clone, Debug)]
pub struct Request {
    pub archive: PathBuf,
    pub full: bool,
}
impl Operation for Request {
    fn check(&self) -> Result<u64> {
        Ok(0)
    }
    fn target(&self) -> &Path {
        &self.archive
    }
    fn run(&self, _: &Context, _: &mut Report) -> Result<()> {
        Err(Error::new(Status::Unsupported, ""))
    }
}
