//! The replica's side of the dialogue with its master, over any pair of byte streams.
//!
//! ```text
//!   greet ─▶ psync ─▶ +CONTINUE ─────────────────────────────▶ stream
//!                 └─▶ +BASALTSYNC ─▶ fetch (`fetch`) ─▶ psync ─▶ +CONTINUE ─▶ stream
//! ```
//!
//! Everything that waits for the master has the same limit, `repl-timeout`. Dropping a future here leaves nothing
//! behind but a connection that is of no use.

use std::io;
use std::time::Duration;

use basalt_resp::{ReplyDecoder, ReplyError, Value, encode_command};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use crate::wire::{Answer, CAPA_BASALT, Psync};

/// Bytes read at a time.
const READ_BYTES: usize = 256 * 1024;

/// Why a link ended, or did not come to be.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The connection is gone.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The master said nothing for too long.
    #[error("timeout")]
    Timeout,
    /// What it said is no reply.
    #[error("{0}")]
    Protocol(#[from] ReplyError),
    /// It refused what was asked.
    #[error("{0}: {1}")]
    Refused(&'static str, String),
    /// It cannot serve us now, and may later.
    #[error("the master cannot serve replicas now: {0}")]
    Later(String),
    /// What it sent of a snapshot is not what it announced.
    #[error("the snapshot is damaged in transit: {0}")]
    Damaged(String),
}

/// How a replica introduces itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Greeting {
    /// User (if not the default one) and password.
    pub auth: Option<(Option<Vec<u8>>, Vec<u8>)>,
    /// The port it can be reached at.
    pub port: u16,
    /// The address it wants to be known by.
    pub ip: Option<String>,
}

/// A connection to a master.
#[derive(Debug)]
pub struct Wire<S> {
    stream: S,
    input: Vec<u8>,
    decoder: ReplyDecoder,
    limit: Duration,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    /// A fresh connection, on which `limit` is as long as the master may stay silent.
    pub fn new(stream: S, limit: Duration) -> Self {
        Wire {
            stream,
            input: Vec::new(),
            decoder: ReplyDecoder::new(),
            limit,
        }
    }

    /// Sends bytes.
    ///
    /// # Errors
    /// The connection is gone, or takes nothing for too long.
    pub async fn send(&mut self, bytes: &[u8]) -> Result<(), LinkError> {
        timeout(self.limit, self.stream.write_all(bytes))
            .await
            .map_err(|_| LinkError::Timeout)?
            .map_err(LinkError::Io)
    }

    /// The next reply.
    ///
    /// # Errors
    /// See [`LinkError`].
    pub async fn reply(&mut self) -> Result<Value, LinkError> {
        loop {
            // A master that is busy says that it lives with an empty line.
            while self.input.first() == Some(&b'\n') {
                self.input.remove(0);
            }
            if let Some((value, len)) = self.decoder.decode(&self.input)? {
                self.input.drain(..len);
                return Ok(value);
            }
            self.read_more().await?;
        }
    }

    async fn read_more(&mut self) -> Result<usize, LinkError> {
        self.input.reserve(READ_BYTES);
        let read = timeout(self.limit, self.stream.read_buf(&mut self.input))
            .await
            .map_err(|_| LinkError::Timeout)??;
        if read == 0 {
            return Err(LinkError::Io(io::ErrorKind::UnexpectedEof.into()));
        }
        Ok(read)
    }

    /// The next bytes of the stream that follows `+CONTINUE`.
    ///
    /// # Errors
    /// See [`LinkError`].
    pub async fn stream_bytes(&mut self) -> Result<Vec<u8>, LinkError> {
        if self.input.is_empty() {
            self.read_more().await?;
        }
        Ok(std::mem::take(&mut self.input))
    }

    async fn ask(&mut self, command: &[u8]) -> Result<Value, LinkError> {
        self.send(command).await?;
        self.reply().await
    }

    /// Introduces this replica.
    ///
    /// # Errors
    /// See [`LinkError`].
    pub async fn greet(&mut self, greeting: &Greeting) -> Result<(), LinkError> {
        let pong = self.ask(&command(&[b"PING"])).await?;
        check_ping(&pong)?;
        if let Some((user, password)) = &greeting.auth {
            let words: Vec<&[u8]> = [&b"AUTH"[..]]
                .into_iter()
                .chain(user.as_deref())
                .chain([&password[..]])
                .collect();
            if let Some(text) = self.ask(&command(&words)).await?.error() {
                return Err(refused("cannot authenticate to the master", text));
            }
        }
        let port = greeting.port.to_string();
        let mut confs: Vec<Vec<&[u8]>> = vec![vec![b"listening-port", port.as_bytes()]];
        if let Some(ip) = &greeting.ip {
            confs.push(vec![b"ip-address", ip.as_bytes()]);
        }
        confs.push(vec![
            b"capa",
            b"eof",
            b"capa",
            b"psync2",
            b"capa",
            CAPA_BASALT,
        ]);
        for conf in confs {
            let words: Vec<&[u8]> = [&b"REPLCONF"[..]].into_iter().chain(conf).collect();
            if let Some(text) = self.ask(&command(&words)).await?.error() {
                if is_transient(text) {
                    return Err(LinkError::Later(lossy(text)));
                }
                if text.starts_with(b"NOAUTH") {
                    return Err(refused("the master wants a password (masterauth)", text));
                }
                tracing::info!(
                    "the master does not know a REPLCONF option: {}",
                    lossy(text)
                );
            }
        }
        Ok(())
    }

    /// Asks for the stream.
    ///
    /// # Errors
    /// See [`LinkError`].
    pub async fn psync(&mut self, psync: &Psync) -> Result<Answer, LinkError> {
        let mut ask = Vec::new();
        psync.encode(&mut ask);
        let reply = self.ask(&ask).await?;
        if let Some(text) = reply.error() {
            return Err(if is_transient(text) {
                LinkError::Later(lossy(text))
            } else {
                refused("the master refused PSYNC", text)
            });
        }
        let line = [b"+", reply.bytes().unwrap_or_default()].concat();
        Answer::parse(&line).ok_or_else(|| refused("unexpected answer to PSYNC", &line))
    }

    /// One command and its reply, which must be no error.
    ///
    /// # Errors
    /// See [`LinkError`].
    pub async fn call(&mut self, words: &[&[u8]]) -> Result<Value, LinkError> {
        let reply = self.ask(&command(words)).await?;
        match reply.error() {
            Some(text) => Err(refused("the master refused a request", text)),
            None => Ok(reply),
        }
    }
}

fn command(words: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    encode_command(&mut out, words);
    out
}

fn lossy(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}

fn refused(what: &'static str, text: &[u8]) -> LinkError {
    LinkError::Refused(what, lossy(text))
}

/// It passes by itself.
fn is_transient(text: &[u8]) -> bool {
    [&b"NOMASTERLINK"[..], b"LOADING", b"MASTERDOWN", b"BUSY"]
        .iter()
        .any(|code| text.starts_with(code))
}

/// A master that wants a password first is there as well.
fn check_ping(pong: &Value) -> Result<(), LinkError> {
    match pong.error() {
        None => Ok(()),
        Some(text)
            if text.starts_with(b"NOAUTH")
                || text.starts_with(b"NOPERM")
                || text.starts_with(b"ERR operation not permitted") =>
        {
            Ok(())
        }
        Some(text) if is_transient(text) => Err(LinkError::Later(lossy(text))),
        Some(text) => Err(refused("the master did not answer PING", text)),
    }
}

/// How long to wait before the next attempt: longer after each failure, up to a limit, so that a master that
/// comes back is not met by all its replicas at the same moment (`spread`, 0..=100).
#[must_use]
pub fn back_off(failures: u32, spread: u8) -> Duration {
    const FIRST_MS: u64 = 100;
    const LONGEST_MS: u64 = 3000;
    let full = (FIRST_MS << failures.min(10)).min(LONGEST_MS);
    Duration::from_millis(full / 2 + full / 2 * u64::from(spread.min(100)) / 100)
}

#[cfg(test)]
#[path = "link_tests.rs"]
mod tests;
