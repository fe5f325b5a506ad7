//! Replies: a skipper that counts and inspects them as they stream by, and a small blocking client
//! for the few commands of the harness itself (PING, INFO, AUTH, SELECT).
//!
//! The skipper keeps no bytes and builds no values: what it needs between two reads is three
//! numbers, however large a value is. It understands RESP2 and RESP3. Unlike the skipper of the codec
//! crate, which classes whole replies, it shows the bytes of values as they pass, for `--verify`, and
//! the texts of errors.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use anyhow::{Context as _, bail};
use memchr::memchr;

/// The longest line (type, number, simple string or error) we take for a reply.
const LINE_LIMIT: usize = 64 * 1024;

/// Told about the parts of replies, in order.
pub(crate) trait Sink {
    /// A null.
    fn nil(&mut self);
    /// An error, without its leading `-`.
    fn error(&mut self, text: &[u8]);
    /// A bulk string of this length begins; its bytes follow in pieces.
    fn bulk(&mut self, len: u64);
    /// The next bytes of that bulk string.
    fn piece(&mut self, bytes: &[u8]);
    /// The reply is complete.
    fn end(&mut self);
}

/// Where in the stream of replies we are.
#[derive(Debug, Default)]
pub(crate) struct ReplySkipper {
    /// Elements still to come of the reply that has begun; 0 between two replies.
    missing: u64,
    /// Payload bytes still to come of the bulk string that has begun, its line end besides.
    payload: u64,
    /// Bytes still to come of the line end after the payload.
    line_end: u8,
}

impl ReplySkipper {
    /// Consumes what it can of `buf` and returns how much; the rest is an incomplete line, to be
    /// handed in again with more behind it.
    #[inline]
    pub(crate) fn feed(&mut self, buf: &[u8], sink: &mut impl Sink) -> Result<usize, String> {
        let mut at = 0;
        loop {
            if self.payload > 0 || self.line_end > 0 {
                at += self.skip_payload(&buf[at..], sink);
                if self.payload > 0 || self.line_end > 0 {
                    return Ok(at);
                }
                self.element_done(sink);
            }
            let Some(line) = next_line(&buf[at..])? else {
                return Ok(at);
            };
            at += line.len() + 2;
            self.line(line, sink)?;
        }
    }

    fn skip_payload(&mut self, buf: &[u8], sink: &mut impl Sink) -> usize {
        let taken = self.payload.min(buf.len() as u64) as usize;
        if taken > 0 {
            sink.piece(&buf[..taken]);
            self.payload -= taken as u64;
        }
        let line_end = usize::from(self.line_end).min(buf.len() - taken);
        self.line_end -= line_end as u8;
        taken + line_end
    }

    fn element_done(&mut self, sink: &mut impl Sink) {
        self.missing -= 1;
        if self.missing == 0 {
            sink.end();
        }
    }

    #[inline]
    fn line(&mut self, line: &[u8], sink: &mut impl Sink) -> Result<(), String> {
        let (&kind, rest) = line
            .split_first()
            .ok_or("an empty line where a reply should begin")?;
        if self.missing == 0 {
            self.missing = 1;
        }
        match kind {
            b'+' | b':' | b'#' | b',' | b'(' => {}
            b'-' => sink.error(rest),
            b'_' => sink.nil(),
            b'$' | b'=' | b'!' => match parse_len(rest)? {
                None => sink.nil(),
                Some(len) => {
                    sink.bulk(len);
                    self.payload = len;
                    self.line_end = 2;
                    return Ok(());
                }
            },
            b'*' | b'~' | b'>' => match parse_len(rest)? {
                None => sink.nil(),
                Some(len) => self.missing += len,
            },
            b'%' => self.missing += 2 * parse_len(rest)?.unwrap_or(0),
            // Attributes come before the reply they belong to, and are not an element themselves.
            b'|' => self.missing += 2 * parse_len(rest)?.unwrap_or(0) + 1,
            other => return Err(format!("a reply begins with byte {:?}", char::from(other))),
        }
        self.element_done(sink);
        Ok(())
    }
}

/// The line at the start of `buf` without its end, if it is all there.
#[inline]
fn next_line(buf: &[u8]) -> Result<Option<&[u8]>, String> {
    // Most lines are a few bytes long ("+OK", "$64"), where a plain loop is the fastest search.
    let near = buf.len().min(8);
    let end = match buf[..near].iter().position(|byte| *byte == b'\r') {
        Some(end) => Some(end),
        None => memchr(b'\r', &buf[near..]).map(|end| near + end),
    };
    match end {
        Some(end) if end + 1 == buf.len() => Ok(None),
        Some(end) if buf[end + 1] == b'\n' => Ok(Some(&buf[..end])),
        Some(_) => Err("a carriage return without a line feed in a reply".to_owned()),
        None if buf.len() > LINE_LIMIT => {
            Err(format!("a reply line longer than {LINE_LIMIT} bytes"))
        }
        None => Ok(None),
    }
}

/// A length; `None` stands for -1, which is null.
#[inline]
fn parse_len(digits: &[u8]) -> Result<Option<u64>, String> {
    if digits == b"-1" {
        return Ok(None);
    }
    let malformed = || {
        format!(
            "a reply has the length '{}'",
            String::from_utf8_lossy(digits)
        )
    };
    if digits.is_empty() || digits.len() > 12 {
        return Err(malformed());
    }
    let mut len = 0;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return Err(malformed());
        }
        len = len * 10 + u64::from(digit - b'0');
    }
    Ok(Some(len))
}

/// Where a server listens and how to log in.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) db: u32,
}

impl Target {
    /// A server on this machine.
    pub(crate) fn local(port: u16) -> Target {
        Target {
            host: "127.0.0.1".to_owned(),
            port,
            user: None,
            password: None,
            db: 0,
        }
    }

    /// Connects, logs in, and makes sure the server answers. The socket is still blocking.
    pub(crate) fn connect(&self) -> anyhow::Result<Client> {
        let place = format!("{}:{}", self.host, self.port);
        let address = (self.host.as_str(), self.port)
            .to_socket_addrs()
            .with_context(|| format!("cannot resolve {place}"))?
            .next()
            .with_context(|| format!("no address for {place}"))?;
        let stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))
            .with_context(|| format!("cannot connect to {place}"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        let mut client = Client {
            stream: BufReader::with_capacity(4096, stream),
        };
        if let Some(password) = &self.password {
            let user = self.user.iter().map(String::as_str);
            let words: Vec<&str> = ["AUTH"]
                .into_iter()
                .chain(user)
                .chain([password.as_str()])
                .collect();
            client
                .call(&words)
                .with_context(|| format!("{place} refused AUTH"))?;
        }
        if self.db != 0 {
            client
                .call(&["SELECT", &self.db.to_string()])
                .with_context(|| format!("{place} refused SELECT"))?;
        }
        client
            .call(&["PING"])
            .with_context(|| format!("{place} does not answer PING"))?;
        Ok(client)
    }
}

/// A blocking connection, one command at a time.
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    /// Sends a command; returns its simple or bulk reply, or its error as an error.
    pub(crate) fn call(&mut self, words: &[&str]) -> anyhow::Result<String> {
        let mut request = format!("*{}\r\n", words.len());
        for word in words {
            request.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
        self.stream.get_mut().write_all(request.as_bytes())?;
        let line = self.read_line()?;
        match line.split_at_checked(1) {
            Some(("+" | ":", text)) => Ok(text.to_owned()),
            Some(("-", text)) => bail!("{text}"),
            Some(("$", len)) => {
                let Some(len) = parse_len(len.as_bytes()).map_err(anyhow::Error::msg)? else {
                    bail!("{} answered null", words[0]);
                };
                let mut text = vec![0; len as usize + 2];
                self.stream.read_exact(&mut text)?;
                text.truncate(len as usize);
                Ok(String::from_utf8_lossy(&text).into_owned())
            }
            _ => bail!("an unexpected reply to {}: {line:?}", words[0]),
        }
    }

    /// The fields of INFO.
    pub(crate) fn info(&mut self) -> anyhow::Result<HashMap<String, String>> {
        let text = self.call(&["INFO"])?;
        let fields = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.split_once(':'));
        Ok(fields
            .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
            .collect())
    }

    /// The socket, for a worker to drive; all replies have been read.
    pub(crate) fn into_stream(self) -> TcpStream {
        debug_assert!(self.stream.buffer().is_empty());
        self.stream.into_inner()
    }

    fn read_line(&mut self) -> anyhow::Result<String> {
        let mut line = Vec::new();
        self.stream
            .by_ref()
            .take(LINE_LIMIT as u64)
            .read_until(b'\n', &mut line)?;
        let Some(text) = line.strip_suffix(b"\r\n") else {
            bail!("the server closed the connection");
        };
        Ok(String::from_utf8_lossy(text).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Log(String);

    impl Sink for Log {
        fn nil(&mut self) {
            self.0.push('~');
        }
        fn error(&mut self, text: &[u8]) {
            self.0
                .push_str(&format!("!{}", String::from_utf8_lossy(text)));
        }
        fn bulk(&mut self, len: u64) {
            self.0.push_str(&format!("{len}="));
        }
        fn piece(&mut self, bytes: &[u8]) {
            self.0.push_str(&String::from_utf8_lossy(bytes));
        }
        fn end(&mut self) {
            self.0.push('.');
        }
    }

    const STREAM: &str = "+OK\r\n:42\r\n$5\r\na\r\nbc\r\n$-1\r\n-ERR no\r\n*3\r\n$1\r\nx\r\n*2\r\n:1\r\n$-1\r\n$0\r\n\r\n\
                          *0\r\n*-1\r\n%1\r\n+k\r\n_\r\n|1\r\n+a\r\n+b\r\n#t\r\n$12\r\nlonger-value\r\n+a line beyond eight\r\n";
    const SEEN: &str = "..5=a\r\nbc.~.!ERR no.1=x~0=..~.~..12=longer-value..";

    #[test]
    fn replies_are_the_same_however_they_are_cut() {
        for step in 1..STREAM.len() {
            let (mut skipper, mut log) = (ReplySkipper::default(), Log::default());
            let (mut start, mut end) = (0, 0);
            while end < STREAM.len() {
                end = (end + step).min(STREAM.len());
                start += skipper
                    .feed(&STREAM.as_bytes()[start..end], &mut log)
                    .unwrap();
            }
            assert_eq!(start, STREAM.len());
            assert_eq!(log.0, SEEN, "in steps of {step}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for bad in [
            "hello\r\n",
            "$x\r\n",
            "$\r\n",
            "*99999999999999\r\n",
            "\r\n",
            "+a\rb\r\n",
            "$-2\r\n",
        ] {
            let mut log = Log::default();
            assert!(
                ReplySkipper::default()
                    .feed(bad.as_bytes(), &mut log)
                    .is_err(),
                "{bad:?}"
            );
        }
        let endless = vec![b'+'; LINE_LIMIT + 1];
        assert!(
            ReplySkipper::default()
                .feed(&endless, &mut Log::default())
                .is_err()
        );
    }
}
