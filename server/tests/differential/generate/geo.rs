//! Places on the earth. Coordinates are fine-grained, so that hardly two distances are the same: the order of equals is
//! each server's own. No STOREDIST, since redis-server 7.0 prints such scores with 17 digits.

use rand::Rng;
use rand::seq::IndexedRandom;

use super::{Command, Generator};

impl Generator {
    fn geo_key(&mut self) -> Vec<u8> {
        match self.rng.random_ratio(1, 15) {
            true => self.key(),
            false => format!("geo:{}", self.rng.random_range(0..3)).into_bytes(),
        }
    }

    fn place(&mut self) -> Vec<u8> {
        format!("place:{}", self.rng.random_range(0..800)).into_bytes()
    }

    /// A point: anywhere, or in the one region where most places are.
    fn push_point(&mut self, command: &mut Command) {
        let (longitude, latitude) = match self.rng.random_range(0..10) {
            0..3 => (
                self.rng.random_range(-180.0..180.0),
                self.rng.random_range(-85.0..85.0),
            ),
            3 => (180.0, self.rng.random_range(80.0..86.0)),
            _ => (
                self.rng.random_range(10.0..14.0),
                self.rng.random_range(40.0..44.0),
            ),
        };
        command.push(format!("{longitude:.7}").into());
        command.push(format!("{latitude:.7}").into());
    }

    fn push_length(&mut self, command: &mut Command) {
        let length: f64 = 10f64.powf(self.rng.random_range(-1.0..4.4));
        command.push(format!("{length:.3}").into());
    }

    fn push_unit(&mut self, command: &mut Command) {
        self.push_word(command, &["km", "km", "m", "mi", "FT"]);
    }

    fn push_word(&mut self, command: &mut Command, words: &[&str]) {
        let word = *words.choose(&mut self.rng).expect("not empty");
        command.extend(word.split_whitespace().map(|word| word.into()));
    }

    fn push_reply_options(&mut self, command: &mut Command) {
        self.push_word(command, &["", "ASC", "DESC"]);
        self.push_word(
            command,
            &["", "", "COUNT 1", "COUNT 10", "COUNT 3 ANY", "COUNT 40 ANY"],
        );
    }

    fn push_withs(&mut self, command: &mut Command) {
        self.push_word(
            command,
            &[
                "",
                "WITHDIST",
                "WITHDIST WITHCOORD",
                "WITHHASH",
                "WITHCOORD",
            ],
        );
    }
}

pub(super) fn geoadd(g: &mut Generator) -> Command {
    let mut command = vec!["GEOADD".into(), g.geo_key()];
    g.push_word(&mut command, &["", "", "", "NX", "XX", "CH", "XX CH"]);
    for _ in 0..*[1, 3, 60].choose(&mut g.rng).expect("not empty") {
        g.push_point(&mut command);
        let place = g.place();
        command.push(place);
    }
    command
}

pub(super) fn ask(g: &mut Generator) -> Command {
    let name = *["GEOPOS", "GEODIST", "GEOHASH"]
        .choose(&mut g.rng)
        .expect("not empty");
    let mut command = vec![name.into(), g.geo_key(), g.place(), g.place()];
    if name == "GEODIST" {
        g.push_word(&mut command, &["", "km", "ft"]);
    }
    command
}

pub(super) fn search(g: &mut Generator) -> Command {
    let stores = g.rng.random_ratio(1, 5);
    let mut command: Command = match stores {
        true => vec!["GEOSEARCHSTORE".into(), g.geo_key(), g.geo_key()],
        false => vec!["GEOSEARCH".into(), g.geo_key()],
    };
    match g.rng.random() {
        true => command.extend(["FROMMEMBER".into(), g.place()]),
        false => {
            command.push("FROMLONLAT".into());
            g.push_point(&mut command);
        }
    }
    match g.rng.random() {
        true => command.push("BYRADIUS".into()),
        false => {
            command.push("BYBOX".into());
            g.push_length(&mut command);
        }
    }
    g.push_length(&mut command);
    g.push_unit(&mut command);
    g.push_reply_options(&mut command);
    if !stores {
        g.push_withs(&mut command);
    }
    command
}

pub(super) fn radius(g: &mut Generator) -> Command {
    let name = *[
        "GEORADIUS",
        "GEORADIUS_RO",
        "GEORADIUSBYMEMBER",
        "GEORADIUSBYMEMBER_RO",
    ]
    .choose(&mut g.rng)
    .expect("not empty");
    let mut command = vec![name.into(), g.geo_key()];
    match name.contains("MEMBER") {
        true => {
            let place = g.place();
            command.push(place);
        }
        false => g.push_point(&mut command),
    }
    g.push_length(&mut command);
    g.push_unit(&mut command);
    g.push_reply_options(&mut command);
    if !name.ends_with("RO") && g.rng.random_ratio(1, 4) {
        command.extend(["STORE".into(), g.geo_key()]);
    } else {
        g.push_withs(&mut command);
    }
    command
}
