//! What is said on a replica's connection: reading it on one side, writing it on the other.
//!
//! ```text
//!   replica                                              master
//!   PING, [AUTH], REPLCONF listening-port … capa …   ──▶  +PONG, +OK, …
//!   PSYNC <id> <offset + 1> [FAILOVER]               ──▶  +CONTINUE <id>                   the stream follows
//!                                                         +BASALTSYNC <id> <snapshot>      a full sync is due
//!                                                         +FULLRESYNC <id> <offset>        the same from a Redis master
//!                                                         -NOMASTERLINK, -LOADING, …       later
//!   REPLCONF ACK <offset> [FACK <offset>]            ──▶  no answer
//! ```
//!
//! On the wire PSYNC counts the first byte wanted, from 1; here an [`Offset`] is always the number of bytes held.

use basalt_binlog::Offset;
use basalt_resp::{Args, CommandWriter, Value, encode_command, parse_i64};

use crate::ids::ReplicationId;

/// The capability by which one Basalt knows another.
pub const CAPA_BASALT: &[u8] = b"basalt";

/// A PSYNC as the master reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Psync {
    /// The id whose history the replica holds; none for `?`.
    pub id: Option<ReplicationId>,
    /// Up to where it holds it; none if it holds nothing.
    pub from: Option<Offset>,
    /// The master hands its role over to us.
    pub failover: bool,
}

impl Psync {
    /// Reads `PSYNC id offset [FAILOVER]`; `None` if the offset is no number.
    ///
    /// An id of another form than ours is no error: it is nobody's.
    #[must_use]
    pub fn parse(args: &Args<'_>) -> Option<Psync> {
        let wanted = parse_i64(args.get(2)?)?;
        let from = u64::try_from(wanted).ok().filter(|wanted| *wanted > 0);
        Some(Psync {
            id: ReplicationId::parse(args.get(1)?),
            from: from.map(|wanted| Offset(wanted - 1)),
            failover: args
                .get(3)
                .is_some_and(|word| word.eq_ignore_ascii_case(b"FAILOVER")),
        })
    }

    /// Writes the command.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let argc = if self.failover { 4 } else { 3 };
        let writer = CommandWriter::begin(out, argc).arg(b"PSYNC");
        let writer = match (&self.id, self.from) {
            (Some(id), Some(from)) => writer.arg(id.as_bytes()).arg_int(from.0 as i64 + 1),
            _ => writer.arg(b"?").arg(b"-1"),
        };
        if self.failover {
            writer.arg(b"FAILOVER").finish();
        } else {
            writer.finish();
        }
    }
}

/// One pair of REPLCONF's arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Conf {
    /// The port the replica listens on.
    ListeningPort(u16),
    /// The address it wants to be known by.
    IpAddress(String),
    /// Something it can do.
    Capa(Vec<u8>),
    /// What it has, and what of it is on its disk.
    Ack(Offset, Option<Offset>),
    /// The master wants to hear an ACK at once.
    GetAck,
    /// It wants a snapshot and no stream.
    RdbOnly(bool),
    /// It wants a part of the snapshot only.
    RdbFilter(Vec<u8>),
    /// Its version of Redis.
    Version(Vec<u8>),
}

/// Why a REPLCONF is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfError {
    /// An option without its value.
    Syntax,
    /// A number that is none.
    NotANumber,
    /// An option nobody knows.
    Unknown(Vec<u8>),
}

/// Reads the pairs of `REPLCONF option value …`.
///
/// # Errors
/// See [`ConfError`]; nothing of it counts then.
pub fn parse_conf(args: &Args<'_>) -> Result<Vec<Conf>, ConfError> {
    if args.len().is_multiple_of(2) {
        return Err(ConfError::Syntax);
    }
    let mut pairs: Vec<Conf> = Vec::new();
    for at in (1..args.len()).step_by(2) {
        let (option, value) = (&args[at], &args[at + 1]);
        if option.eq_ignore_ascii_case(b"fack")
            && let Some(Conf::Ack(_, fack)) = pairs.last_mut()
        {
            *fack = Some(offset(value)?);
        } else {
            pairs.push(parse_pair(option, value)?);
        }
    }
    Ok(pairs)
}

fn parse_pair(option: &[u8], value: &[u8]) -> Result<Conf, ConfError> {
    let number = || parse_i64(value).ok_or(ConfError::NotANumber);
    Ok(match option.to_ascii_lowercase().as_slice() {
        b"listening-port" => {
            Conf::ListeningPort(u16::try_from(number()?).map_err(|_| ConfError::NotANumber)?)
        }
        b"ip-address" => Conf::IpAddress(String::from_utf8_lossy(value).into_owned()),
        b"capa" => Conf::Capa(value.to_ascii_lowercase()),
        b"ack" => Conf::Ack(offset(value)?, None),
        b"getack" => Conf::GetAck,
        b"rdb-only" => Conf::RdbOnly(number()? != 0),
        b"rdb-filter-only" => Conf::RdbFilter(value.to_vec()),
        b"version" => Conf::Version(value.to_vec()),
        _ => return Err(ConfError::Unknown(option.to_vec())),
    })
}

fn offset(text: &[u8]) -> Result<Offset, ConfError> {
    parse_i64(text)
        .and_then(|n| u64::try_from(n).ok())
        .map(Offset)
        .ok_or(ConfError::NotANumber)
}

/// Writes `REPLCONF ACK offset [FACK synced]`.
pub fn encode_ack(out: &mut Vec<u8>, held: Offset, synced: Option<Offset>) {
    let argc = if synced.is_some() { 5 } else { 3 };
    let writer = CommandWriter::begin(out, argc)
        .arg(b"REPLCONF")
        .arg(b"ACK")
        .arg_int(held.0 as i64);
    match synced {
        Some(synced) => writer.arg(b"FACK").arg_int(synced.0 as i64).finish(),
        None => writer.finish(),
    }
}

/// `PING` as it stands in the stream.
#[must_use]
pub fn ping() -> Vec<u8> {
    let mut out = Vec::new();
    encode_command(&mut out, &[b"PING"]);
    out
}

/// `REPLCONF GETACK *` as it stands in the stream.
#[must_use]
pub fn getack() -> Vec<u8> {
    let mut out = Vec::new();
    encode_command(&mut out, &[&b"REPLCONF"[..], b"GETACK", b"*"]);
    out
}

/// The answer to PSYNC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The stream follows; with the master's id, if it told it.
    Continue(Option<ReplicationId>),
    /// A snapshot is to be fetched first.
    BasaltSync(ReplicationId, String),
    /// From a Redis master: an RDB follows, the stream goes on at the offset behind it.
    FullResync(ReplicationId, Offset),
    /// Refused; the text, without the dash.
    Error(String),
}

impl Answer {
    /// Reads a line (without its end); `None` if it is no such answer.
    #[must_use]
    pub fn parse(line: &[u8]) -> Option<Answer> {
        if let Some(text) = line.strip_prefix(b"-") {
            return Some(Answer::Error(String::from_utf8_lossy(text).into_owned()));
        }
        let line = std::str::from_utf8(line.strip_prefix(b"+")?).ok()?;
        let mut words = line.split(' ');
        let word = words.next()?;
        let id = words.next().map(|id| ReplicationId::parse(id.as_bytes()));
        let answer = match (word, id) {
            ("CONTINUE", None) => Answer::Continue(None),
            ("CONTINUE", Some(id)) => Answer::Continue(Some(id?)),
            ("BASALTSYNC", Some(id)) => Answer::BasaltSync(id?, words.next()?.to_owned()),
            ("FULLRESYNC", Some(id)) => {
                Answer::FullResync(id?, Offset(words.next()?.parse().ok()?))
            }
            _ => return None,
        };
        words.next().is_none().then_some(answer)
    }

    /// Writes the line, its end included.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let line = match self {
            Answer::Continue(None) => "+CONTINUE".to_owned(),
            Answer::Continue(Some(id)) => format!("+CONTINUE {id}"),
            Answer::BasaltSync(id, snapshot) => format!("+BASALTSYNC {id} {snapshot}"),
            Answer::FullResync(id, offset) => format!("+FULLRESYNC {id} {offset}"),
            Answer::Error(text) => format!("-{text}"),
        };
        out.extend_from_slice(line.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
}

/// What a snapshot holds: the reply to `BASALTSYNC MANIFEST`.
///
/// ```text
///   [snapshot, replication id, replay offset, end offset, database, [name, bytes], …]
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The snapshot's name.
    pub snapshot: String,
    /// Whose history it belongs to.
    pub id: ReplicationId,
    /// Where the stream has to be replayed from, and a frame begins.
    pub replay: Offset,
    /// Where the log ended when the snapshot was cut: records may hold effects up to here, and with the stream up
    /// to here it is complete.
    pub end: Offset,
    /// The database the stream is in at the replay offset; none if the first data there says it by itself.
    pub db: Option<u16>,
    /// The files.
    pub files: Vec<SnapshotFile>,
}

/// A file of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotFile {
    /// Its name: a plain one, without a directory.
    pub name: String,
    /// Its size.
    pub bytes: u64,
}

impl Manifest {
    /// Bytes of all files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// As a reply.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let mut items = vec![
            Value::bulk(self.snapshot.as_bytes()),
            Value::bulk(self.id.as_bytes().as_slice()),
            Value::Integer(self.replay.0 as i64),
            Value::Integer(self.end.0 as i64),
            Value::Integer(self.db.map_or(-1, i64::from)),
        ];
        items.extend(self.files.iter().map(|file| {
            Value::Array(vec![
                Value::bulk(file.name.as_bytes()),
                Value::Integer(file.bytes as i64),
            ])
        }));
        Value::Array(items)
    }

    /// Reads the reply; `None` if it is none, or names a file outside its directory.
    #[must_use]
    pub fn from_value(value: &Value) -> Option<Manifest> {
        let [snapshot, id, replay, end, db, files @ ..] = value.items()? else {
            return None;
        };
        let number = |value: &Value| u64::try_from(value.integer()?).ok();
        let db = match db.integer()? {
            -1 => None,
            db => Some(u16::try_from(db).ok()?),
        };
        let file = |value: &Value| {
            let [name, bytes] = value.items()? else {
                return None;
            };
            let name = String::from_utf8(name.bytes()?.to_vec()).ok()?;
            is_plain_name(&name).then_some(SnapshotFile {
                name,
                bytes: number(bytes)?,
            })
        };
        Some(Manifest {
            snapshot: String::from_utf8(snapshot.bytes()?.to_vec()).ok()?,
            id: ReplicationId::parse(id.bytes()?)?,
            replay: Offset(number(replay)?),
            end: Offset(number(end)?),
            db,
            files: files.iter().map(file).collect::<Option<_>>()?,
        })
    }
}

/// A name that leads nowhere but into the directory it is used in.
#[must_use]
pub fn is_plain_name(name: &str) -> bool {
    !name.is_empty()
        && name != "."
        && name != ".."
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
}

/// A piece of a file, with the check of its bytes: the reply to `BASALTSYNC READ`.
pub fn encode_piece(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(
        format!("*2\r\n:{}\r\n${}\r\n", crc32fast::hash(bytes), bytes.len()).as_bytes(),
    );
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}

/// Reads the reply; `None` if it is none, or its bytes are not what was sent.
#[must_use]
pub fn parse_piece(value: &Value) -> Option<&[u8]> {
    let [crc, bytes] = value.items()? else {
        return None;
    };
    let bytes = bytes.bytes()?;
    (crc.integer()? == i64::from(crc32fast::hash(bytes))).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use basalt_resp::{OwnedArgs, ReplyDecoder};
    use proptest::prelude::*;

    fn words(text: &str) -> OwnedArgs {
        OwnedArgs::from_slices(&text.split(' ').collect::<Vec<_>>())
    }

    fn id() -> ReplicationId {
        ReplicationId::parse(&[b'a'; 40]).unwrap()
    }

    #[test]
    fn psync_counts_the_first_byte_wanted() {
        let text = format!("PSYNC {} 101", id());
        let psync = Psync::parse(&words(&text).as_args()).unwrap();
        assert_eq!((psync.id, psync.from), (Some(id()), Some(Offset(100))));
        let none = Psync::parse(&words("psync ? -1").as_args()).unwrap();
        assert_eq!((none.id, none.from, none.failover), (None, None, false));
        assert_eq!(Psync::parse(&words("psync ? x").as_args()), None);
        let handover = words(&format!("PSYNC {} 1 failover", id()));
        assert!(Psync::parse(&handover.as_args()).unwrap().failover);
        let mut out = Vec::new();
        psync.encode(&mut out);
        assert!(out.ends_with(b"$3\r\n101\r\n"));
    }

    #[test]
    fn replconf_reads_what_redis_sends_and_more() {
        let conf = |text: &str| parse_conf(&words(text).as_args());
        assert_eq!(
            conf("replconf capa eof capa psync2 capa basalt")
                .unwrap()
                .len(),
            3
        );
        assert_eq!(
            conf("replconf ack 7 fack 5"),
            Ok(vec![Conf::Ack(Offset(7), Some(Offset(5)))])
        );
        assert_eq!(
            conf("REPLCONF listening-port 6380"),
            Ok(vec![Conf::ListeningPort(6380)])
        );
        assert_eq!(conf("replconf capa"), Err(ConfError::Syntax));
        assert_eq!(
            conf("replconf listening-port x"),
            Err(ConfError::NotANumber)
        );
        assert_eq!(
            conf("replconf Nosuch 1"),
            Err(ConfError::Unknown(b"Nosuch".to_vec()))
        );
        let mut out = Vec::new();
        encode_ack(&mut out, Offset(9), Some(Offset(8)));
        assert!(out.starts_with(b"*5\r\n$8\r\nREPLCONF\r\n$3\r\nACK\r\n$1\r\n9\r\n"));
    }

    #[test]
    fn answers_are_read_as_they_are_written() {
        for answer in [
            Answer::Continue(None),
            Answer::Continue(Some(id())),
            Answer::BasaltSync(id(), "s-1".into()),
            Answer::FullResync(id(), Offset(44)),
            Answer::Error("NOMASTERLINK Can't SYNC".into()),
        ] {
            let mut out = Vec::new();
            answer.encode(&mut out);
            assert_eq!(
                Answer::parse(out.strip_suffix(b"\r\n").unwrap()),
                Some(answer)
            );
        }
        for line in ["", "+OK", "+CONTINUE abc", "+BASALTSYNC", "+FULLRESYNC x 1"] {
            assert_eq!(Answer::parse(line.as_bytes()), None);
        }
    }

    #[test]
    fn a_manifest_names_no_file_elsewhere() {
        for name in ["", "..", "a/b", "../x", "a b"] {
            assert!(!is_plain_name(name));
        }
        assert!(is_plain_name("000012.sst") && is_plain_name("MANIFEST-000004"));
    }

    #[test]
    fn a_piece_that_changed_is_refused() {
        let mut out = Vec::new();
        encode_piece(&mut out, b"some bytes");
        let (value, _) = ReplyDecoder::default().decode(&out).unwrap().unwrap();
        assert_eq!(parse_piece(&value), Some(&b"some bytes"[..]));
        let at = out.len() - 5;
        out[at] ^= 1;
        let (value, _) = ReplyDecoder::default().decode(&out).unwrap().unwrap();
        assert_eq!(parse_piece(&value), None);
    }

    proptest! {
        #[test]
        fn a_manifest_comes_back(replay: u32, end: u32, db in prop::option::of(any::<u16>()), sizes in prop::collection::vec(any::<u32>(), 0..9)) {
            let files = sizes.iter().enumerate().map(|(n, bytes)| SnapshotFile { name: format!("{n:06}.sst"), bytes: u64::from(*bytes) });
            let manifest = Manifest {
                snapshot: "s".into(), id: id(), replay: Offset(replay.into()), end: Offset(end.into()), db, files: files.collect(),
            };
            prop_assert_eq!(Manifest::from_value(&manifest.to_value()), Some(manifest));
        }

        #[test]
        fn any_words_are_read_or_refused(words in prop::collection::vec(".{0,12}", 1..8)) {
            let args = OwnedArgs::from_slices(&words);
            let _ = parse_conf(&args.as_args());
            let _ = Psync::parse(&args.as_args());
            let _ = Answer::parse(words.join(" ").as_bytes());
        }
    }
}
