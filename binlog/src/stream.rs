//! The log as a plain stream of payload bytes: what a replica receives.
//!
//! Starts at any offset, in the middle of a frame too, and gives bytes without headers.

use crate::error::{Error, Result};
use crate::long::Long;
use crate::reader::Reader;
use crate::shared::Shared;
use crate::types::Offset;
use std::sync::Arc;
use std::time::Duration;

/// A cursor over payload bytes.
pub struct Stream {
    reader: Reader,
    /// A long frame, of which the bytes before `at` were given.
    long: Option<Long>,
    at: u64,
}

impl Stream {
    pub(crate) fn new(log: Arc<Shared>, from: Offset) -> Result<Stream> {
        Ok(Stream {
            reader: Reader::at_offset(log, from)?,
            long: None,
            at: from.0,
        })
    }

    /// The offset of the next byte.
    #[must_use]
    pub fn offset(&self) -> Offset {
        Offset(self.at)
    }

    /// Adds bytes to `out`, `max` at most; returns how many, 0 at the end of the log.
    pub fn read(&mut self, out: &mut Vec<u8>, max: usize) -> Result<usize> {
        let before = out.len();
        while out.len() - before < max {
            if self.read_long(out, max - (out.len() - before))? {
                continue;
            }
            let Some(here) = self.reader.peek()? else {
                break;
            };
            let skip = (self.at - here.header.offset) as usize;
            let payload = &self.reader.bytes(here.payload.clone())[skip..];
            let n = payload.len().min(max - (out.len() - before));
            out.extend_from_slice(&payload[..n]);
            self.at += n as u64;
            if self.at == here.header.end() {
                self.reader.take(&here);
            }
        }
        Ok(out.len() - before)
    }

    /// Adds bytes of a long frame; false if the next one is none.
    fn read_long(&mut self, out: &mut Vec<u8>, max: usize) -> Result<bool> {
        if self.long.is_none() {
            self.long = self.reader.long_front()?;
        }
        let Some(long) = &mut self.long else {
            return Ok(false);
        };
        let read = long.read(self.at - long.header.offset, out, max);
        let read = read.map_err(Error::io("read a long frame"))?;
        if read == 0 {
            return Err(Error::Damaged {
                offset: Offset(self.at),
                file: String::new(),
                why: "the file is cut short".to_owned(),
            });
        }
        self.at += read as u64;
        if self.at == long.header.end() {
            self.reader.skip_long(long);
            self.long = None;
        }
        Ok(true)
    }

    /// Waits until there is something to read; false if the time is over first, or the log is closed.
    pub fn wait_for_more(&self, timeout: Duration) -> bool {
        self.at
            < self
                .reader
                .log()
                .front
                .end
                .load(std::sync::atomic::Ordering::Acquire)
            || self.reader.wait_for_more(timeout)
    }
}
