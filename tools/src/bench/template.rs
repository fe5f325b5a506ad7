//! Commands of the mix: the table of known ones, and their compilation into pieces.
//!
//! A command is a template such as `SET {key} {value}`. Its words become a list of [`Piece`]s, in
//! which everything that does not change between two requests is one run of bytes, protocol
//! headers included, so that building a request is a few copies and the digits of a key.
//!
//! | in a template | becomes |
//! |---|---|
//! | `{key}` | `--key-prefix` and the digits of a drawn key |
//! | `{key:other:}` | the same with another prefix, for keys of other types |
//! | `{n}` | the digits of a drawn key, alone |
//! | `{element}` | the number of an element of the last drawn key, one of `--elements` |
//! | `{value}` | the value that belongs to the last drawn key |
//! | `[ … ]` | the words inside, as often as `name:COUNT` says |

use std::collections::VecDeque;

use rand::Rng as _;
use rand::rngs::SmallRng;

use super::dist::Picker;
use super::values::Values;

/// One row per command that `--commands` knows.
struct Known {
    name: &'static str,
    template: &'static str,
    /// The bulk strings of the reply are the values of the drawn keys, in order.
    reads_values: bool,
}

const fn known(name: &'static str, template: &'static str) -> Known {
    Known {
        name,
        template,
        reads_values: false,
    }
}

const fn reading(name: &'static str, template: &'static str) -> Known {
    Known {
        name,
        template,
        reads_values: true,
    }
}

const KNOWN: &[Known] = &[
    known("ping", "PING"),
    reading("get", "GET {key}"),
    known("set", "SET {key} {value}"),
    known("setnx", "SETNX {key} {value}"),
    known("setex", "SETEX {key} 3600 {value}"),
    reading("getset", "GETSET {key} {value}"),
    reading("getex", "GETEX {key}"),
    reading("getdel", "GETDEL {key}"),
    known("getrange", "GETRANGE {key} 0 15"),
    known("strlen", "STRLEN {key}"),
    reading("mget", "MGET [{key}]"),
    known("mset", "MSET [{key} {value}]"),
    known("incr", "INCR {key:counter:}"),
    known("decr", "DECR {key:counter:}"),
    known("incrby", "INCRBY {key:counter:} 7"),
    known("append", "APPEND {key:append:} {value}"),
    known("exists", "EXISTS [{key}]"),
    known("type", "TYPE {key}"),
    known("touch", "TOUCH [{key}]"),
    known("del", "DEL [{key}]"),
    known("unlink", "UNLINK [{key}]"),
    known("expire", "EXPIRE {key} 3600"),
    known("pexpire", "PEXPIRE {key} 3600000"),
    known("persist", "PERSIST {key}"),
    known("ttl", "TTL {key}"),
    known("hset", "HSET {key:hash:} field:{n} {value}"),
    known("hget", "HGET {key:hash:} field:{n}"),
    known("lpush", "LPUSH {key:list:} {value}"),
    known("rpush", "RPUSH {key:list:} {value}"),
    known("lpop", "LPOP {key:list:}"),
    known("rpop", "RPOP {key:list:}"),
    known("sadd", "SADD {key:set:} member:{n}"),
    known("sismember", "SISMEMBER {key:set:} member:{n}"),
    known("spop", "SPOP {key:set:}"),
    known("zadd", "ZADD {key:zset:} {n} member:{n}"),
    known("zscore", "ZSCORE {key:zset:} member:{n}"),
];

/// How keys are written.
#[derive(Clone, Debug)]
pub(crate) struct KeyFormat {
    pub(crate) prefix: String,
    /// Digits, with leading zeroes; 0 means as many as the number has.
    pub(crate) digits: usize,
}

/// A command ready to be written again and again.
#[derive(Clone, Debug)]
pub(crate) struct Command {
    pub(crate) name: String,
    /// Its share of the mix, in relation to the other commands' weights.
    pub(crate) weight: u32,
    /// How many keys one request draws.
    pub(crate) draws: usize,
    /// The bulk strings of the reply are the values of the drawn keys, in order.
    pub(crate) reads_values: bool,
    writes: bool,
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Raw(Vec<u8>),
    /// Draws the key that the pieces up to the next draw speak of.
    Draw,
    /// The header of an argument that is this long, and the digits of the key besides.
    Header(usize),
    Digits,
    Value,
    /// The header of an argument that is this long, and the digits of the element besides.
    ElementHeader(usize),
    Element,
}

impl Command {
    /// One item of `--commands`: `name`, `name:COUNT`, each with `@WEIGHT` if wanted.
    pub(crate) fn parse(item: &str, format: &KeyFormat) -> Result<Command, String> {
        let (call, weight) = split_weight(item)?;
        let (name, count) = match call.split_once(':') {
            None => (call, 1),
            Some((name, count)) => match count.parse::<usize>() {
                Ok(count @ 1..=100_000) => (name, count),
                _ => {
                    return Err(format!(
                        "the count in '{item}' is not a number from 1 to 100000"
                    ));
                }
            },
        };
        let Some(row) = KNOWN.iter().find(|row| row.name.eq_ignore_ascii_case(name)) else {
            let names: Vec<&str> = KNOWN.iter().map(|row| row.name).collect();
            return Err(format!(
                "unknown command '{name}'; known are {}",
                names.join(", ")
            ));
        };
        if call.contains(':') && !row.template.contains('[') {
            return Err(format!("'{name}' takes one key, so it takes no count"));
        }
        let mut command =
            Command::compile(&call.to_ascii_lowercase(), row.template, count, format)?;
        command.weight = weight;
        command.reads_values = row.reads_values;
        Ok(command)
    }

    /// A command given as a template of its own, with `@WEIGHT` if wanted.
    pub(crate) fn parse_template(text: &str, format: &KeyFormat) -> Result<Command, String> {
        let (template, weight) = split_weight(text)?;
        let mut command = Command::compile(template, template, 1, format)?;
        command.weight = weight;
        Ok(command)
    }

    fn compile(
        name: &str,
        template: &str,
        count: usize,
        format: &KeyFormat,
    ) -> Result<Command, String> {
        let words = repeat_group(template, count)?;
        if words.is_empty() {
            return Err("an empty command".to_owned());
        }
        let mut pieces = Pieces::default();
        pieces.raw(format!("*{}\r\n", words.len()).as_bytes());
        for word in &words {
            pieces.argument(word, format)?;
        }
        let list = pieces.list;
        Ok(Command {
            name: name.to_owned(),
            weight: 1,
            draws: list.iter().filter(|piece| **piece == Piece::Draw).count(),
            reads_values: false,
            writes: list.contains(&Piece::Value),
            pieces: list,
        })
    }

    /// Appends one request; the drawn keys go to `keys` if somebody wants to check the reply.
    /// Returns whether all of them are hot.
    #[inline]
    pub(crate) fn append(
        &self,
        draw: &mut Source<'_>,
        out: &mut Vec<u8>,
        mut keys: Option<&mut VecDeque<u64>>,
    ) -> bool {
        // A draw names a key and one of its elements.
        let (mut key, mut drawn_key, mut element) = (0, 0, 0);
        let mut hot = self.draws > 0;
        for piece in &self.pieces {
            match piece {
                Piece::Raw(bytes) => out.extend_from_slice(bytes),
                Piece::Draw => {
                    let drawn = draw.picker.next(draw.rng, self.writes);
                    drawn_key = drawn.key;
                    (key, element) = (drawn_key / draw.elements, drawn_key % draw.elements);
                    hot &= drawn.hot;
                    if let Some(keys) = &mut keys {
                        keys.push_back(drawn_key);
                    }
                }
                Piece::Header(fixed) => append_header(out, *fixed + decimal_digits(key)),
                Piece::Digits => append_digits(out, key, draw.digits),
                Piece::Value => {
                    append_header(out, draw.values.len_of(drawn_key) as usize);
                    draw.values.append(drawn_key, out);
                    out.extend_from_slice(b"\r\n");
                }
                Piece::ElementHeader(fixed) => {
                    append_header(out, *fixed + decimal_digits(element));
                }
                Piece::Element => append_digits(out, element, 0),
            }
        }
        hot
    }
}

/// What a worker's commands draw from.
pub(crate) struct Source<'a> {
    pub(crate) picker: &'a Picker,
    pub(crate) values: &'a Values,
    pub(crate) digits: usize,
    /// Elements of each key.
    pub(crate) elements: u64,
    pub(crate) rng: &'a mut SmallRng,
}

impl Source<'_> {
    /// Chooses a command by weight.
    #[inline]
    pub(crate) fn choose(&mut self, commands: &[Command], weight_sum: u32) -> usize {
        if commands.len() == 1 {
            return 0;
        }
        let mut left = self.rng.random_range(0..weight_sum);
        for (index, command) in commands.iter().enumerate() {
            if left < command.weight {
                return index;
            }
            left -= command.weight;
        }
        unreachable!("the weights add up to {weight_sum}")
    }
}

#[derive(Default)]
struct Pieces {
    list: Vec<Piece>,
}

impl Pieces {
    fn raw(&mut self, bytes: &[u8]) {
        match self.list.last_mut() {
            Some(Piece::Raw(run)) => run.extend_from_slice(bytes),
            _ => self.list.push(Piece::Raw(bytes.to_vec())),
        }
    }

    /// One word of the template: literal text around at most one placeholder.
    fn argument(&mut self, word: &str, format: &KeyFormat) -> Result<(), String> {
        let Some((before, rest)) = word.split_once('{') else {
            self.raw(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
            return Ok(());
        };
        let Some((inside, after)) = rest.split_once('}') else {
            return Err(format!("no closing brace in '{word}'"));
        };
        if after.contains('{') {
            return Err(format!("more than one placeholder in '{word}'"));
        }
        let prefix = match inside.split_once(':') {
            Some(("key", prefix)) => prefix,
            None if inside == "key" => &format.prefix,
            None if inside == "n" => "",
            None if inside == "element" => {
                self.list
                    .push(Piece::ElementHeader(before.len() + after.len()));
                self.raw(before.as_bytes());
                self.list.push(Piece::Element);
                self.raw(format!("{after}\r\n").as_bytes());
                return Ok(());
            }
            None if inside == "value" && before.is_empty() && after.is_empty() => {
                self.list.push(Piece::Value);
                return Ok(());
            }
            _ => {
                return Err(format!(
                    "'{word}': a placeholder is {{key}}, {{key:PREFIX}}, {{n}}, {{element}}, or {{value}} alone"
                ));
            }
        };
        let fixed = before.len() + prefix.len() + after.len();
        if format.digits == 0 {
            // The length of the argument depends on the key.
            self.list.extend([Piece::Draw, Piece::Header(fixed)]);
            self.raw(format!("{before}{prefix}").as_bytes());
        } else {
            self.raw(format!("${}\r\n{before}{prefix}", fixed + format.digits).as_bytes());
            self.list.push(Piece::Draw);
        }
        self.list.push(Piece::Digits);
        self.raw(format!("{after}\r\n").as_bytes());
        Ok(())
    }
}

fn split_weight(item: &str) -> Result<(&str, u32), String> {
    match item.rsplit_once('@') {
        None => Ok((item, 1)),
        Some((call, weight)) => match weight.parse::<u32>() {
            Ok(weight @ 1..=1_000_000) => Ok((call, weight)),
            _ => Err(format!(
                "the weight in '{item}' is not a number from 1 to 1000000"
            )),
        },
    }
}

/// The words of a template, those in brackets `count` times.
fn repeat_group(template: &str, count: usize) -> Result<Vec<&str>, String> {
    let words = |text| str::split_whitespace(text);
    let Some((before, rest)) = template.split_once('[') else {
        return Ok(words(template).collect());
    };
    let Some((group, after)) = rest.split_once(']') else {
        return Err(format!("no closing bracket in '{template}'"));
    };
    let repeated = (0..count).flat_map(|_| words(group));
    Ok(words(before).chain(repeated).chain(words(after)).collect())
}

/// How many decimal digits a number has.
pub(crate) fn decimal_digits(number: u64) -> usize {
    number.checked_ilog10().map_or(1, |log| log as usize + 1)
}

fn append_header(out: &mut Vec<u8>, len: usize) {
    out.push(b'$');
    append_digits(out, len as u64, 0);
    out.extend_from_slice(b"\r\n");
}

/// Appends a number with at least `width` digits.
#[inline]
fn append_digits(out: &mut Vec<u8>, mut number: u64, width: usize) {
    let mut digits = [b'0'; 20];
    let mut at = digits.len();
    while number > 0 {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
    }
    let width = width.clamp(1, digits.len());
    out.extend_from_slice(&digits[at.min(digits.len() - width)..]);
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;
    use crate::bench::dist::Dist;

    fn format(prefix: &str, digits: usize) -> KeyFormat {
        KeyFormat {
            prefix: prefix.to_owned(),
            digits,
        }
    }

    /// The text of the first `count` requests over sequential keys, with `-` for line ends.
    fn requests(command: &Command, digits: usize, count: usize) -> (String, Vec<u64>) {
        let picker = Picker::new(Dist::Sequential, 1_000_000, 0);
        for _ in 0..9 {
            picker.next(&mut SmallRng::seed_from_u64(0), false);
        }
        let mut source = Source {
            picker: &picker,
            values: &Values {
                bytes: 3..=3,
                random: false,
            },
            digits,
            elements: 1,
            rng: &mut SmallRng::seed_from_u64(0),
        };
        let (mut out, mut keys) = (Vec::new(), VecDeque::new());
        for _ in 0..count {
            command.append(&mut source, &mut out, Some(&mut keys));
        }
        (
            String::from_utf8(out).unwrap().replace("\r\n", "-"),
            keys.into(),
        )
    }

    #[test]
    fn padded_keys_make_one_run_of_bytes_and_digits() {
        let command = Command::parse("get", &format("key:", 12)).unwrap();
        assert_eq!(command.pieces.len(), 4, "{:?}", command.pieces);
        let (text, keys) = requests(&command, 12, 2);
        assert_eq!(
            text,
            "*2-$3-GET-$16-key:000000000009-*2-$3-GET-$16-key:000000000010-"
        );
        assert_eq!(keys, [9, 10]);
    }

    #[test]
    fn unpadded_keys_have_headers_of_their_own() {
        let command = Command::parse("mget:3", &format("k", 0)).unwrap();
        assert_eq!(
            requests(&command, 0, 1).0,
            "*4-$4-MGET-$2-k9-$3-k10-$3-k11-"
        );
        assert_eq!(command.draws, 3);
    }

    #[test]
    fn values_belong_to_the_key_before_them() {
        let command = Command::parse("mset:2@7", &format("", 2)).unwrap();
        let values = Values {
            bytes: 3..=3,
            random: false,
        };
        let value = |key| {
            let mut out = Vec::new();
            values.append(key, &mut out);
            String::from_utf8(out).unwrap()
        };
        let expected = format!("*5-$4-MSET-$2-09-$3-{}-$2-10-$3-{}-", value(9), value(10));
        assert_eq!(requests(&command, 2, 1).0, expected);
        assert_eq!((command.weight, command.writes), (7, true));
    }

    #[test]
    fn templates_take_literals_prefixes_and_numbers() {
        let text = "ZADD {key:z:} {n} m{n}x @3";
        let command = Command::parse_template(text, &format("key:", 0)).unwrap();
        assert_eq!(
            requests(&command, 0, 1).0,
            "*4-$4-ZADD-$3-z:9-$2-10-$4-m11x-"
        );
        assert_eq!(command.weight, 3);
        let ping = Command::parse_template("PING", &format("key:", 12)).unwrap();
        assert_eq!(requests(&ping, 12, 1).0, "*1-$4-PING-");
    }

    #[test]
    fn every_known_command_compiles_with_either_kind_of_key() {
        for row in KNOWN {
            for digits in [0, 12] {
                let command = Command::parse(row.name, &format("key:", digits)).unwrap();
                let (text, keys) = requests(&command, digits, 1);
                assert!(text.starts_with('*') && text.ends_with('-'), "{text}");
                assert_eq!(keys.len(), command.draws);
            }
        }
    }

    #[test]
    fn a_draw_names_a_key_and_an_element() {
        let text = "HSET {key:h:} f{element} {element}x";
        let command = Command::parse_template(text, &format("key:", 2)).unwrap();
        let picker = Picker::new(Dist::Sequential, 1_000, 0);
        let mut source = Source {
            picker: &picker,
            values: &Values {
                bytes: 3..=3,
                random: false,
            },
            digits: 2,
            elements: 11,
            rng: &mut SmallRng::seed_from_u64(0),
        };
        let mut out = Vec::new();
        for _ in 0..22 {
            out.clear();
            command.append(&mut source, &mut out, None);
        }
        let text = String::from_utf8(out).unwrap().replace("\r\n", "-");
        assert_eq!(text, "*4-$4-HSET-$4-h:01-$3-f10-$3-10x-");
        assert_eq!(command.draws, 1);
    }

    #[test]
    fn mistakes_are_named() {
        let parse = |item| Command::parse(item, &format("key:", 12)).unwrap_err();
        assert!(parse("gett").contains("unknown command 'gett'"));
        assert!(parse("get:2").contains("takes no count"));
        assert!(parse("mget:0").contains("count"));
        assert!(parse("get@0").contains("weight"));
        let template = |text| Command::parse_template(text, &format("key:", 12)).unwrap_err();
        assert!(template("GET {key").contains("closing brace"));
        assert!(template("GET {what}").contains("placeholder"));
        assert!(template("GET {key}{key}").contains("more than one"));
        assert!(template("MGET [{key}").contains("closing bracket"));
        assert!(template("  ").contains("empty"));
    }

    #[test]
    fn digits_of_any_number() {
        for (number, width, text) in [
            (0, 0, "0"),
            (7, 0, "7"),
            (7, 3, "007"),
            (1234, 3, "1234"),
            (u64::MAX, 0, "18446744073709551615"),
        ] {
            let mut out = Vec::new();
            append_digits(&mut out, number, width);
            assert_eq!(String::from_utf8(out).unwrap(), text);
            assert_eq!(decimal_digits(number), number.to_string().len());
        }
    }
}
