//! The pipeline's beginning: the image in chunks, read in steps between which the job can be cancelled and slowed down.

use super::buffer::{Buffer, Buffers};
use super::geometry::{Geometry, SMALLEST_CHUNK, adaptive_chunk};
use super::pace::Pace;
use super::{Encoding, Image, Plan};
use crate::error::Result;
use crate::job::{Report, Stopwatch, Throttle};
use crate::runtime::Context;
use std::sync::Arc;
use std::time::Duration;

/// Where the next chunk ends.
#[derive(Clone, Copy)]
enum Cut {
    /// After as many bytes.
    Fixed(u32),
    /// After a step: nothing but the job itself knows of these chunks.
    EveryStep,
    /// As many as the first bytes of the image, once they are read, say for all chunks.
    ByFirstBytes,
}

pub(super) struct Reader<'a> {
    context: &'a Context,
    plan: &'a Plan,
    image: &'a mut dyn Image,
    buffers: Arc<Buffers>,
    cut: Cut,
    pace: Pace,
    throttle: Throttle,
    offset: u64,
    at_end: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(
        context: &'a Context,
        plan: &'a Plan,
        image: &'a mut dyn Image,
        buffers: &Arc<Buffers>,
    ) -> Reader<'a> {
        let fixed = |wanted| Cut::Fixed(Geometry::new(plan.page_size, plan.page_count, wanted).chunk_bytes);
        let adaptive = match plan.encoding {
            Encoding::Image => Cut::EveryStep,
            Encoding::Zstd { .. } => Cut::ByFirstBytes,
        };
        Reader {
            context,
            plan,
            image,
            buffers: Arc::clone(buffers),
            cut: plan.chunk_bytes.map_or(adaptive, fixed),
            pace: Pace::new(),
            throttle: Throttle::new(),
            offset: 0,
            at_end: false,
        }
    }

    /// How the image is cut, once the first chunk is read; of no meaning where chunks are steps.
    pub(super) fn geometry(&self) -> Geometry {
        let chunk_bytes = match self.cut {
            Cut::Fixed(bytes) => bytes,
            Cut::EveryStep | Cut::ByFirstBytes => 0,
        };
        Geometry { page_size: self.plan.page_size, page_count: self.plan.page_count, chunk_bytes }
    }

    /// The next chunk; None at the end. An empty image is one empty chunk.
    pub(super) fn next(&mut self, report: &mut Report) -> Result<Option<Buffer>> {
        if self.at_end {
            return Ok(None);
        }
        let chunk = match self.cut {
            Cut::Fixed(bytes) => self.read(bytes.into(), &[], report)?,
            Cut::EveryStep => self.read(self.step() as u64, &[], report)?,
            Cut::ByFirstBytes => {
                let before = report.reading;
                let first = self.read(SMALLEST_CHUNK, &[], report)?;
                let bytes = self.chunk_bytes_by(&first, report.reading - before);
                self.cut = Cut::Fixed(bytes);
                self.read(u64::from(bytes) - first.len() as u64, &first, report)?
            }
        };
        self.finish_at_end(report)?;
        Ok(Some(chunk))
    }

    /// Lets the image go as soon as all of it is read.
    fn finish_at_end(&mut self, report: &mut Report) -> Result<()> {
        if !self.at_end && self.offset == self.plan.image_bytes() {
            self.image.finish(report)?;
            self.at_end = true;
        }
        Ok(())
    }

    fn chunk_bytes_by(&self, first: &[u8], took: Duration) -> u32 {
        let wanted = adaptive_chunk(self.plan.image_bytes(), first.len() as u64, took);
        let bytes = Geometry::new(self.plan.page_size, self.plan.page_count, wanted).chunk_bytes;
        // Of an image shorter than that, all was read already.
        bytes.max(first.len() as u32)
    }

    fn step(&self) -> usize {
        let rate = if self.plan.throttled { self.context.job.control.rate() } else { 0 };
        self.pace.step(rate)
    }

    /// `first`, and up to `more` bytes of what follows it in the image.
    fn read(&mut self, more: u64, first: &[u8], report: &mut Report) -> Result<Buffer> {
        let more = more.min(self.plan.image_bytes() - self.offset) as usize;
        let mut chunk = self.buffers.take(first.len() + more)?;
        let (head, mut rest) = chunk.split_at_mut(first.len());
        head.copy_from_slice(first);
        while !rest.is_empty() {
            self.context.job.control.check()?;
            let (step, after) = rest.split_at_mut(self.step().min(rest.len()));
            let mut clock = Stopwatch::start();
            self.image.read(self.offset, step)?;
            self.pace.took(step.len(), clock.lap(&mut report.reading));
            self.offset += step.len() as u64;
            // Before the wait: nobody is to wait for a snapshot, or to keep a log for one, that is not read any more.
            self.finish_at_end(report)?;
            if self.plan.throttled {
                let (image, at_end) = (&self.image, self.at_end);
                let watch = || if at_end { Ok(()) } else { image.check() };
                self.throttle.pay_watching(step.len() as u64, &self.context.job.control, watch)?;
                clock.lap(&mut report.waiting);
            }
            rest = after;
        }
        Ok(chunk)
    }
}
