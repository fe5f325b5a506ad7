//! Fetching a snapshot: what is asked for next, what came, what is left after a cut.
//!
//! Pieces of a file come in order, so the length of a file is all that has to be remembered of it. Several requests
//! are under way at once, for the round trip not to count.

use std::collections::VecDeque;
use std::io;

use basalt_resp::Value;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::link::{LinkError, Wire};
use crate::wire::Manifest;

/// Bytes asked for at a time.
pub const PIECE_BYTES: u64 = 1 << 20;
/// Requests under way at once.
const AHEAD: usize = 4;

/// Where the files of a snapshot are put.
pub trait Sink: Send {
    /// Bytes of a file that are there already.
    ///
    /// # Errors
    /// The system's.
    fn held(&mut self, file: &str) -> io::Result<u64>;
    /// Appends to a file (created if it is not there); what it had is exactly `at` bytes.
    ///
    /// # Errors
    /// The system's.
    fn append(&mut self, file: &str, at: u64, bytes: &[u8]) -> io::Result<()>;
}

/// A piece of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Piece {
    file: usize,
    at: u64,
    bytes: u64,
}

/// Which pieces are still to be asked for.
#[derive(Debug)]
struct Plan {
    /// Size of each file, and up to where it was asked for.
    files: Vec<(u64, u64)>,
    next: usize,
}

impl Plan {
    fn new(manifest: &Manifest, sink: &mut dyn Sink) -> Result<Plan, LinkError> {
        let mut files = Vec::new();
        for file in &manifest.files {
            let held = sink.held(&file.name)?;
            if held > file.bytes {
                return Err(LinkError::Damaged(format!(
                    "{} is longer here than there",
                    file.name
                )));
            }
            // An empty file has to come into being, too.
            if file.bytes == 0 {
                sink.append(&file.name, 0, &[])?;
            }
            files.push((file.bytes, held));
        }
        Ok(Plan { files, next: 0 })
    }

    fn held(&self) -> u64 {
        self.files.iter().map(|(_, held)| held).sum()
    }
}

impl Iterator for Plan {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        loop {
            let (bytes, asked) = self.files.get_mut(self.next)?;
            if asked == bytes {
                self.next += 1;
                continue;
            }
            let piece = Piece {
                file: self.next,
                at: *asked,
                bytes: PIECE_BYTES.min(*bytes - *asked),
            };
            *asked += piece.bytes;
            return Some(piece);
        }
    }
}

/// Asks what a snapshot holds.
///
/// # Errors
/// The link's.
pub async fn manifest<S: AsyncRead + AsyncWrite + Unpin>(
    wire: &mut Wire<S>,
    snapshot: &str,
) -> Result<Manifest, LinkError> {
    let reply = wire
        .call(&[b"BASALTSYNC", b"MANIFEST", snapshot.as_bytes()])
        .await?;
    Manifest::from_value(&reply)
        .filter(|manifest| manifest.snapshot == snapshot)
        .ok_or_else(|| LinkError::Damaged("no manifest".to_owned()))
}

/// Fetches what `sink` lacks of a snapshot; `progress` is told how many bytes it holds.
///
/// # Errors
/// The link's, or the sink's. What arrived stays.
pub async fn fetch<S: AsyncRead + AsyncWrite + Unpin>(
    wire: &mut Wire<S>,
    manifest: &Manifest,
    sink: &mut dyn Sink,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<(), LinkError> {
    let mut plan = Plan::new(manifest, sink)?;
    let mut held = plan.held();
    progress(held);
    let mut under_way: VecDeque<Piece> = VecDeque::new();
    loop {
        let mut asks = Vec::new();
        while under_way.len() < AHEAD
            && let Some(piece) = plan.next()
        {
            encode_read(&mut asks, manifest, &piece);
            under_way.push_back(piece);
        }
        if !asks.is_empty() {
            wire.send(&asks).await?;
        }
        let Some(piece) = under_way.pop_front() else {
            break;
        };
        let reply = wire.reply().await?;
        let name = &manifest.files[piece.file].name;
        let bytes = checked(&reply, &piece, name)?;
        sink.append(name, piece.at, bytes)?;
        held += piece.bytes;
        progress(held);
    }
    wire.call(&[b"BASALTSYNC", b"DONE", manifest.snapshot.as_bytes()])
        .await
        .map(drop)
}

fn encode_read(out: &mut Vec<u8>, manifest: &Manifest, piece: &Piece) {
    let (at, bytes) = (piece.at.to_string(), piece.bytes.to_string());
    let words: [&[u8]; 6] = [
        b"BASALTSYNC",
        b"READ",
        manifest.snapshot.as_bytes(),
        manifest.files[piece.file].name.as_bytes(),
        at.as_bytes(),
        bytes.as_bytes(),
    ];
    basalt_resp::encode_command(out, &words);
}

fn checked<'v>(reply: &'v Value, piece: &Piece, name: &str) -> Result<&'v [u8], LinkError> {
    if let Some(text) = reply.error() {
        let text = String::from_utf8_lossy(text).into_owned();
        return Err(LinkError::Refused("the master cannot read a piece", text));
    }
    let damaged = |why: &str| LinkError::Damaged(format!("{name} at {}: {why}", piece.at));
    let Some([crc, bytes]) = reply.items() else {
        return Err(damaged("no piece"));
    };
    let (Some(crc), Some(bytes)) = (crc.integer(), bytes.bytes()) else {
        return Err(damaged("no piece"));
    };
    if bytes.len() as u64 != piece.bytes {
        return Err(damaged("another length"));
    }
    if i64::from(crc32fast::hash(bytes)) != crc {
        return Err(damaged("another checksum"));
    }
    Ok(bytes)
}

#[cfg(test)]
#[path = "fetch_tests.rs"]
mod tests;
