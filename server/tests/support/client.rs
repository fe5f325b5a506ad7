//! One blocking connection to a server, with a deadline on every read.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::time::Duration;

use super::resp::{Reply, decode, encode};

/// No honest reply takes longer than this, even on a busy machine.
const READ_LIMIT: Duration = Duration::from_secs(60);

/// A connection.
#[derive(Debug)]
pub(crate) struct Client {
    reader: BufReader<TcpStream>,
    out: Vec<u8>,
}

impl Client {
    pub(crate) fn connect(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(READ_LIMIT))?;
        stream.set_write_timeout(Some(READ_LIMIT))?;
        Ok(Self {
            reader: BufReader::with_capacity(64 * 1024, stream),
            out: Vec::new(),
        })
    }

    pub(crate) fn stream(&self) -> &TcpStream {
        self.reader.get_ref()
    }

    /// Sends one command and reads one reply.
    pub(crate) fn call<A: AsRef<[u8]>>(&mut self, args: &[A]) -> io::Result<Reply> {
        self.send(args)?;
        self.read()
    }

    /// As `call`, for a command written as words: `words("SET k v")`.
    ///
    /// # Panics
    /// If the connection fails.
    pub(crate) fn words(&mut self, line: &str) -> Reply {
        let args: Vec<&str> = line.split_whitespace().collect();
        self.call(&args)
            .unwrap_or_else(|e| panic!("{line}: connection failed: {e}"))
    }

    pub(crate) fn send<A: AsRef<[u8]>>(&mut self, args: &[A]) -> io::Result<()> {
        self.out.clear();
        encode(args, &mut self.out);
        self.reader.get_mut().write_all(&self.out)
    }

    /// Sends many commands in one write and reads all replies.
    pub(crate) fn pipeline<A: AsRef<[u8]>>(&mut self, all: &[Vec<A>]) -> io::Result<Vec<Reply>> {
        self.out.clear();
        for args in all {
            encode(args, &mut self.out);
        }
        self.reader.get_mut().write_all(&self.out)?;
        all.iter().map(|_| self.read()).collect()
    }

    pub(crate) fn read(&mut self) -> io::Result<Reply> {
        decode(&mut self.reader)
    }

    pub(crate) fn send_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.reader.get_mut().write_all(bytes)
    }

    /// Reads exactly `len` bytes, whatever they are.
    pub(crate) fn read_raw(&mut self, len: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; len];
        self.reader.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// Whether the server closes the connection within `limit` without sending anything more.
    pub(crate) fn closed_within(&mut self, limit: Duration) -> io::Result<bool> {
        self.with_deadline(limit, |r| match r.fill_buf() {
            Ok(bytes) => Ok(bytes.is_empty()),
            Err(e) if e.kind() == io::ErrorKind::ConnectionReset => Ok(true),
            Err(e) if is_timeout(&e) => Ok(false),
            Err(e) => Err(e),
        })
    }

    /// Whether nothing arrives for `span` and the connection stays open.
    pub(crate) fn silent_for(&mut self, span: Duration) -> io::Result<bool> {
        self.with_deadline(span, |r| match r.fill_buf() {
            Ok(_) => Ok(false),
            Err(e) if is_timeout(&e) => Ok(true),
            Err(e) => Err(e),
        })
    }

    fn with_deadline<T>(
        &mut self,
        limit: Duration,
        read: impl FnOnce(&mut BufReader<TcpStream>) -> io::Result<T>,
    ) -> io::Result<T> {
        self.stream().set_read_timeout(Some(limit))?;
        let result = read(&mut self.reader);
        self.stream().set_read_timeout(Some(READ_LIMIT))?;
        result
    }
}

/// Whether a read ran into its deadline.
pub(crate) fn is_timeout(e: &io::Error) -> bool {
    matches!(
        e.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}
