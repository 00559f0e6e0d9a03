//! Zstandard frames: one chunk each, with content size and checksum, independent of all others
//! (<https://www.rfc-editor.org/rfc/rfc8878>).

use super::buffer::{Buffer, Buffers};
use crate::error::{Error, Result, Status};
use crate::job::Job;
use parking_lot::Mutex;
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;
use zstd::zstd_safe::{self, CCtx, CParameter};

/// A job's compression contexts, as many as compress at the same time.
pub(super) struct Compressors {
    level: i32,
    idle: Mutex<Vec<CCtx<'static>>>,
}

impl Compressors {
    pub(super) fn new(level: i32) -> Arc<Compressors> {
        Arc::new(Compressors { level, idle: Mutex::default() })
    }

    /// `chunk` as a frame.
    pub(super) fn compress(&self, chunk: &[u8], buffers: &Arc<Buffers>) -> Result<Buffer> {
        let idle = self.idle.lock().pop();
        let mut context = match idle {
            Some(context) => context,
            None => self.new_context()?,
        };
        let mut frame = buffers.take(zstd_safe::compress_bound(chunk.len()))?;
        let length = context.compress2(&mut frame[..], chunk).map_err(|code| failed("compress", code))?;
        frame.truncate(length);
        self.idle.lock().push(context);
        Ok(frame)
    }

    fn new_context(&self) -> Result<CCtx<'static>> {
        let mut context =
            CCtx::try_create().ok_or_else(|| Error::new(Status::OutOfMemory, "no memory to compress with"))?;
        for parameter in [
            CParameter::CompressionLevel(self.level),
            CParameter::ContentSizeFlag(true),
            CParameter::ChecksumFlag(true),
        ] {
            context.set_parameter(parameter).map_err(|code| failed("set up compression", code))?;
        }
        Ok(context)
    }
}

fn failed(what: &str, code: usize) -> Error {
    let reason = zstd_safe::get_error_name(code);
    let status = if reason.contains("memory") { Status::OutOfMemory } else { Status::Internal };
    Error::new(status, format!("cannot {what}: {reason} (Zstandard)"))
}

/// Bytes decompressed between two looks at the cancel token.
const STEP: usize = 1 << 20;

/// Decompresses a whole file of frames to the end of another.
pub fn decompress(
    job: &Job,
    (archive, archive_path): (&File, &Path),
    (mut image, image_path): (&File, &Path),
) -> Result<()> {
    let damaged = |error| Error { status: Status::Corrupt, ..Error::os("cannot decompress", archive_path, error) };
    let mut decoder = zstd::Decoder::new(archive).map_err(damaged)?;
    let mut step = vec![0; STEP];
    loop {
        job.control.check()?;
        let bytes = decoder.read(&mut step).map_err(damaged)?;
        if bytes == 0 {
            return Ok(());
        }
        image.write_all(&step[..bytes]).map_err(|error| Error::os("cannot write", image_path, error))?;
    }
}
