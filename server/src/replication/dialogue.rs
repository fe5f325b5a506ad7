//! A short conversation with another node, beside the replication link: questions and answers, blocking, with a
//! limit on each wait.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use basalt_replication::wire::CAPA_BASALT;
use basalt_resp::{ReplyDecoder, Value, encode_command};

use crate::server::Server;

const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// No answer to a question of ours is longer.
const REPLY_MAX_BYTES: usize = 256 << 20;

/// See the module's text.
#[derive(Debug)]
pub(super) struct Dialogue {
    socket: BufReader<TcpStream>,
}

impl Dialogue {
    /// Connects, authenticates with `masterauth`, and says what it can do.
    pub(super) fn open(server: &Server, host: &str, port: u16) -> io::Result<Dialogue> {
        let mut failed = io::Error::from(io::ErrorKind::NotFound);
        for addr in (host, port).to_socket_addrs()? {
            match TcpStream::connect_timeout(&addr, CONNECT_LIMIT) {
                Ok(socket) => return Dialogue::greet(server, socket),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    fn greet(server: &Server, socket: TcpStream) -> io::Result<Dialogue> {
        let settings = server.config.load();
        let limit = Some(Duration::from_secs(settings.repl_timeout_seconds.into()));
        socket.set_read_timeout(limit)?;
        socket.set_write_timeout(limit)?;
        socket.set_nodelay(true)?;
        let mut link = Dialogue {
            socket: BufReader::new(socket),
        };
        if let Some(password) = &settings.masterauth {
            let user = settings.masteruser.as_deref();
            let words = [&b"AUTH"[..]].into_iter().chain(user);
            link.ask(&words.chain([password.as_slice()]).collect::<Vec<_>>())?;
        }
        let port = settings.port.to_string();
        link.ask(&[b"REPLCONF", b"listening-port", port.as_bytes()])?;
        link.ask(&[&b"REPLCONF"[..], b"capa", b"psync2", b"capa", CAPA_BASALT])?;
        Ok(link)
    }

    /// Sends bytes as they are.
    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.socket.get_mut().write_all(bytes)
    }

    /// A question and its answer; an error reply is an error.
    pub(super) fn ask(&mut self, words: &[&[u8]]) -> io::Result<Value> {
        let mut bytes = Vec::new();
        encode_command(&mut bytes, words);
        self.send(&bytes)?;
        let answer = self.value()?;
        match answer.error() {
            Some(text) => Err(io::Error::other(String::from_utf8_lossy(text).into_owned())),
            None => Ok(answer),
        }
    }

    fn value(&mut self) -> io::Result<Value> {
        let (mut bytes, mut decoder) = (Vec::new(), ReplyDecoder::default());
        loop {
            let room = self.socket.by_ref().fill_buf()?;
            if room.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let (before, got) = (bytes.len(), room.len());
            bytes.extend_from_slice(room);
            let decoded = decoder.decode(&bytes).map_err(io::Error::other)?;
            let Some((value, len)) = decoded else {
                self.socket.consume(got);
                if bytes.len() > REPLY_MAX_BYTES {
                    return Err(io::ErrorKind::FileTooLarge.into());
                }
                continue;
            };
            self.socket.consume(len - before);
            return Ok(value);
        }
    }

    /// A line without its end; empty ones are signs of life.
    pub(super) fn line(&mut self) -> io::Result<Vec<u8>> {
        loop {
            let mut line = Vec::new();
            if self.socket.read_until(b'\n', &mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let text = line.trim_ascii_end();
            if !text.is_empty() {
                return Ok(text.to_vec());
            }
        }
    }
}
