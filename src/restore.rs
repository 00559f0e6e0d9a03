//! A restore.
use crate::backup::Verify;
use crate::error::{Error, Result, Status};
use crate::job::Report;
use crate::publish::Existing;
use crate::runtime::{Context, Operation};
use std::path::{Path, PathBuf};
use std::time::Duration;
#[derive(Clone, Debug)]
pub struct Request {
    pub archive: PathBuf,
    pub dest: PathBuf,
    pub existing: Existing,
    pub verify: Verify,
    pub busy_timeout: Duration,
    pub keep_previous: Option<PathBuf>,
}
impl Operation for Request {
    fn check(&self) -> Result<u64> {
        Ok(0)
    }
    fn target(&self) -> &Path {
        &self.dest
    }
    fn run(&self, _: &Context, _: &mut Report) -> Result<()> {
        Err(Error::new(Status::Unsupported, ""))
    }
}
