//! The forms in which changes of strings and keys are logged.
//!
//! Every form names one key, is deterministic, and is a command of the table, so that replay runs the
//! handlers which serve clients. Times are absolute.

use std::collections::BTreeMap;

use basalt_resp::{Args, format_f64};
use basalt_tiering::{Kind, MAIN, Snapshot, UnixMs, bytes_score};

use crate::commands::{bloom, streams};
use crate::dispatch;
use crate::effects::Effects;

impl Effects {
    /// Logs the client's command as it is, for one that is an effect already; its own bytes if they are
    /// in canonical form.
    pub fn as_given(&mut self, db: u32, args: &Args<'_>) {
        let own_name = dispatch::own_name(args);
        if args.is_canonical() && own_name.is_none() {
            self.raw(db, args.raw());
            return;
        }
        let mut words: Vec<&[u8]> = args.iter().collect();
        if let Some(name) = own_name {
            words[0] = name.as_bytes();
        }
        self.command(db, &words);
    }

    /// The key now holds the string `value` and expires at `deadline`.
    pub fn set(&mut self, db: u32, key: &[u8], value: &[u8], deadline: Option<UnixMs>) {
        match deadline {
            None => self.command(db, &[b"SET", key, value]),
            Some(at) => {
                let mut digits = itoa::Buffer::new();
                self.command(
                    db,
                    &[b"SET", key, value, b"PXAT", digits.format(at.0).as_bytes()],
                );
            }
        }
    }

    /// The key is gone.
    pub fn delete(&mut self, db: u32, key: &[u8]) {
        self.command(db, &[b"DEL", key]);
    }

    /// The key, which holds nothing, now holds a copy of `value` and expires at `deadline`.
    ///
    /// A collection is logged as the commands that fill it, a portion of its elements in each; so is a large string.
    pub fn copy_of(&mut self, db: u32, key: &[u8], value: &Snapshot, deadline: Option<UnixMs>) {
        if let Some(string) = value.string() {
            return self.set(db, key, string, deadline);
        }
        match value.kind {
            Kind::LargeString => self.text(db, key, value.text_len(), |add| value.text_pieces(add)),
            Kind::Stream => streams::whole::log_copy(self, db, key, value),
            Kind::Bloom => bloom::log_copy(self, db, key, value),
            _ => self.elements_of(db, key, value),
        }
        if let Some(deadline) = deadline {
            self.expire_at(db, key, deadline);
        }
    }

    /// The key, which holds nothing, now holds a string of `len` bytes, zeroes but for what `fill` adds, in order.
    ///
    /// It is logged as the writes that make it, so that what is sparse is sparse in the log, too.
    pub fn text(
        &mut self,
        db: u32,
        key: &[u8],
        len: u64,
        fill: impl FnOnce(&mut dyn FnMut(u64, &[u8])),
    ) {
        let mut run = Run {
            at: 0,
            bytes: Vec::new(),
        };
        fill(&mut |at, bytes| {
            let end = run.at + run.bytes.len() as u64;
            if at > end + RUN_GAP || run.bytes.len() + bytes.len() > RUN_BYTES {
                run.log(self, db, key);
            }
            if run.bytes.is_empty() {
                run.at = at;
            }
            run.bytes.resize((at - run.at) as usize, 0);
            run.bytes.extend_from_slice(bytes);
        });
        if run.at + (run.bytes.len() as u64) < len {
            run.log(self, db, key);
            run.at = len - 1;
            run.bytes.push(0);
        }
        run.log(self, db, key);
    }

    fn elements_of(&mut self, db: u32, key: &[u8], value: &Snapshot) {
        let mut portion = Portion {
            name: match value.kind {
                Kind::Hash => b"HSET",
                Kind::Set => b"SADD",
                Kind::ZSet => b"ZADD",
                Kind::List => b"RPUSH",
                Kind::String | Kind::RawString | Kind::LargeString | Kind::Stream | Kind::Bloom => {
                    unreachable!("logged in forms of their own")
                }
            },
            words: Vec::new(),
        };
        let mut deadlines: BTreeMap<UnixMs, Vec<Vec<u8>>> = BTreeMap::new();
        value.each(MAIN, |element, content| {
            match value.kind {
                Kind::Hash => {
                    if let Some(at) = content.deadline() {
                        deadlines.entry(at).or_default().push(element.to_vec());
                    }
                    portion.words.extend([element.to_vec(), content.to_vec()]);
                }
                Kind::ZSet => {
                    let (score, member) =
                        element.split_first_chunk().expect("eight bytes of score");
                    let score = format_f64(bytes_score(*score));
                    portion.words.extend([score.into_bytes(), member.to_vec()]);
                }
                Kind::List => portion.words.push(content.to_vec()),
                _ => portion.words.push(element.to_vec()),
            }
            if portion.words.len() >= PORTION_WORDS {
                portion.log(self, db, key);
            }
        });
        portion.log(self, db, key);
        for (at, fields) in deadlines {
            self.fields_expire_at(db, key, at, &fields);
        }
    }

    /// The key now expires at `deadline`.
    pub fn expire_at(&mut self, db: u32, key: &[u8], deadline: UnixMs) {
        let mut digits = itoa::Buffer::new();
        self.command(
            db,
            &[b"PEXPIREAT", key, digits.format(deadline.0).as_bytes()],
        );
    }

    /// Fields of a hash now expire at `deadline`.
    pub fn fields_expire_at(&mut self, db: u32, key: &[u8], deadline: UnixMs, fields: &[Vec<u8>]) {
        for fields in fields.chunks(PORTION_WORDS) {
            let (mut at, mut count) = (itoa::Buffer::new(), itoa::Buffer::new());
            let at = at.format(deadline.0).as_bytes();
            let count = count.format(fields.len()).as_bytes();
            let mut command: Vec<&[u8]> = vec![b"HPEXPIREAT", key, at, b"FIELDS", count];
            command.extend(fields.iter().map(Vec::as_slice));
            self.command(db, &command);
        }
    }

    /// The key now stays.
    pub fn persist(&mut self, db: u32, key: &[u8]) {
        self.command(db, &[b"PERSIST", key]);
    }
}

/// Logs a command on `key` with these words, a portion of them at a time. With none nothing is logged.
pub fn log_in_portions(effects: &mut Effects, db: u32, name: &[u8], key: &[u8], words: &[Vec<u8>]) {
    for portion in words.chunks(PORTION_WORDS) {
        let mut command = vec![name, key];
        command.extend(portion.iter().map(Vec::as_slice));
        effects.command(db, &command);
    }
}

/// Words of one command of a copy; even, so that pairs stay together.
const PORTION_WORDS: usize = 512;

/// Some elements of a collection that is logged.
struct Portion {
    name: &'static [u8],
    words: Vec<Vec<u8>>,
}

impl Portion {
    fn log(&mut self, effects: &mut Effects, db: u32, key: &[u8]) {
        if self.words.is_empty() {
            return;
        }
        let mut command = vec![self.name, key];
        command.extend(self.words.iter().map(Vec::as_slice));
        effects.command(db, &command);
        self.words.clear();
    }
}

/// Most bytes of one write of a string that is logged in parts.
const RUN_BYTES: usize = 1 << 20;
/// Fewer zeroes than this between two pieces are written with them.
const RUN_GAP: u64 = 32;

/// Bytes of a string that is logged in parts.
struct Run {
    at: u64,
    bytes: Vec<u8>,
}

impl Run {
    fn log(&mut self, effects: &mut Effects, db: u32, key: &[u8]) {
        if self.bytes.is_empty() {
            return;
        }
        let mut digits = itoa::Buffer::new();
        let at = digits.format(self.at).as_bytes();
        effects.command(db, &[b"SETRANGE", key, at, &self.bytes]);
        self.bytes.clear();
    }
}

/// A score as C's `%.17g` prints it, which reads back as the same number.
#[must_use]
pub fn double_text(number: f64) -> String {
    const DIGITS: i32 = 17;
    /// Whole numbers below this have no more digits, and are exact.
    const WHOLE_LIMIT: f64 = 1e15;
    if number.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    if number.trunc() == number && number.abs() < WHOLE_LIMIT {
        // Most scores; a number of digits that is asked for is slow to find.
        return (number as i64).to_string();
    }
    let scientific = format!("{number:.16e}");
    let (mantissa, exponent) = scientific.split_once('e').expect("it has an exponent");
    let exponent: i32 = exponent.parse().expect("a small number");
    let trimmed = |text: &str| {
        let text = if text.contains('.') {
            text.trim_end_matches('0')
        } else {
            text
        };
        text.trim_end_matches('.').to_owned()
    };
    if !(-4..DIGITS).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{}e{sign}{:02}", trimmed(mantissa), exponent.abs());
    }
    trimmed(&format!("{number:.*}", (DIGITS - 1 - exponent) as usize))
}

#[cfg(test)]
mod tests {
    use basalt_resp::{ArgRanges, Decoder, Limits, OwnedArgs};

    use super::*;

    fn payload(log: impl FnOnce(&mut Effects)) -> String {
        let mut effects = Effects::default();
        log(&mut effects);
        assert_eq!(effects.count(), 1);
        String::from_utf8(effects.payload().to_vec()).expect("the cases are text")
    }

    #[test]
    fn a_set_names_its_deadline_in_unix_milliseconds() {
        assert_eq!(
            payload(|e| e.set(0, b"k", b"v", None)),
            "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n"
        );
        assert_eq!(
            payload(|e| e.set(0, b"k", b"", Some(UnixMs(1234)))),
            "*5\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\n$4\r\nPXAT\r\n$4\r\n1234\r\n"
        );
    }

    #[test]
    fn scores_print_as_in_c() {
        for (number, text) in [
            (0.0, "0"),
            (1.0, "1"),
            (-2.5, "-2.5"),
            (0.1, "0.10000000000000001"),
            (3.3, "3.2999999999999998"),
            (1e16, "10000000000000000"),
            (1e17, "1e+17"),
            (1.5e300, "1.5000000000000001e+300"),
            (0.0001, "0.0001"),
            (0.00001, "1.0000000000000001e-05"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(double_text(number), text);
        }
    }

    #[test]
    fn an_inline_command_is_logged_in_canonical_form() {
        let line = b"append 'a b' c\r\n";
        let mut ranges = ArgRanges::new();
        assert_eq!(
            Decoder::new().decode(line, &Limits::default(), &mut ranges),
            Ok(Some(line.len()))
        );
        let logged = payload(|e| e.as_given(0, &Args::new(line, &ranges)));
        assert_eq!(logged, "*3\r\n$6\r\nappend\r\n$3\r\na b\r\n$1\r\nc\r\n");
        let same = OwnedArgs::from_slices(&["append", "a b", "c"]);
        assert_eq!(payload(|e| e.as_given(0, &same.as_args())), logged);
    }
}
