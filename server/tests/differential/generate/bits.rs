//! Commands on the bits of strings.

use rand::Rng;
use rand::seq::IndexedRandom;

use super::{Command, Generator};

impl Generator {
    fn bit(&mut self) -> Vec<u8> {
        // Beyond 16 KiB a string is a tree.
        let end = match self.rng.random_range(0..40) {
            0 => 100_000,
            1..4 => 600_000,
            _ => 200,
        };
        self.rng.random_range(0..end).to_string().into_bytes()
    }

    fn bool_digit(&mut self) -> Vec<u8> {
        vec![*b"01".choose(&mut self.rng).expect("not empty")]
    }

    /// Nothing, or a start and an end with or without a unit.
    fn push_bit_range(&mut self, command: &mut Command) {
        if self.rng.random_ratio(1, 4) {
            return;
        }
        let far = match self.rng.random_range(0..16) {
            0 => 50_000,
            1 => 500_000,
            _ => 300,
        };
        for _ in 0..2 {
            command.push(self.rng.random_range(-far..far).to_string().into());
        }
        if self.rng.random() {
            let unit = ["BYTE", "BIT", "bit"].choose(&mut self.rng);
            command.push((*unit.expect("not empty")).into());
        }
    }

    fn push_field(&mut self, command: &mut Command) {
        let signed = self.rng.random::<bool>();
        let width = match self.rng.random_range(0..4) {
            0 => 8,
            1 => *[1, 16, 32, 63].choose(&mut self.rng).expect("not empty"),
            _ => self.rng.random_range(1..if signed { 65 } else { 64 }),
        };
        let kind = if signed { 'i' } else { 'u' };
        command.push(format!("{kind}{width}").into());
        let offset = self.bit();
        let nth = self.rng.random_range(0..20);
        command.push(match self.rng.random_ratio(1, 3) {
            true => format!("#{nth}").into(),
            false => offset,
        });
    }

    fn field_number(&mut self) -> Vec<u8> {
        let number = match self.rng.random_range(0..4) {
            0 => self.rng.random::<i64>(),
            1 => *[i64::MIN, i64::MAX, -1, 0, 127, 128, 255, 256]
                .choose(&mut self.rng)
                .expect("not empty"),
            _ => self.rng.random_range(-300..300),
        };
        number.to_string().into_bytes()
    }
}

pub(super) fn setbit(g: &mut Generator) -> Command {
    vec!["SETBIT".into(), g.key(), g.bit(), g.bool_digit()]
}

pub(super) fn getbit(g: &mut Generator) -> Command {
    vec!["GETBIT".into(), g.key(), g.bit()]
}

pub(super) fn bitcount(g: &mut Generator) -> Command {
    let mut command = vec!["BITCOUNT".into(), g.key()];
    g.push_bit_range(&mut command);
    command
}

pub(super) fn bitpos(g: &mut Generator) -> Command {
    let mut command = vec!["BITPOS".into(), g.key(), g.bool_digit()];
    g.push_bit_range(&mut command);
    if command.len() > 3 && g.rng.random_ratio(1, 4) {
        command.truncate(4);
    }
    command
}

/// The operations that redis-server 7.0 knows.
pub(super) fn bitop(g: &mut Generator) -> Command {
    let operation = *["AND", "OR", "xor", "NOT"]
        .choose(&mut g.rng)
        .expect("not empty");
    let sources = match operation {
        "NOT" => 1,
        _ => g.rng.random_range(1..5),
    };
    let mut command = vec!["BITOP".into(), operation.into(), g.key()];
    command.extend((0..sources).map(|_| g.key()));
    command
}

pub(super) fn bitfield(g: &mut Generator) -> Command {
    let mut command = vec!["BITFIELD".into(), g.key()];
    for _ in 0..g.rng.random_range(1..4) {
        match g.rng.random_range(0..5) {
            0 => {
                command.push("GET".into());
                g.push_field(&mut command);
            }
            1 => {
                let how = ["WRAP", "SAT", "fail"].choose(&mut g.rng);
                command.extend(["OVERFLOW".into(), (*how.expect("not empty")).into()]);
            }
            what => {
                command.push(if what == 2 { "SET" } else { "INCRBY" }.into());
                g.push_field(&mut command);
                let number = g.field_number();
                command.push(number);
            }
        }
    }
    if command
        .iter()
        .any(|word| word == b"SET" || word == b"INCRBY")
    {
        // Where no field changes, redis-server does not say that the value may have grown.
        command.extend(["OVERFLOW", "WRAP", "INCRBY", "u8", "0", "1"].map(Into::into));
    }
    command
}

pub(super) fn bitfield_ro(g: &mut Generator) -> Command {
    let mut command = vec!["BITFIELD_RO".into(), g.key(), "GET".into()];
    g.push_field(&mut command);
    command
}
