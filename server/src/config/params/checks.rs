//! Rules for the few parameters whose text has a form of its own. Each says in Redis' words what
//! is wrong.

use crate::config::kind::{Args, Reason, parse_int};

/// The addresses of `bind`.
pub(super) fn addresses(words: Args) -> Result<Args, Reason> {
    match words.len() {
        0..=16 => Ok(words),
        _ => Err("Too many bind addresses specified.".into()),
    }
}

/// Host and port of `replicaof`; `no one` is nobody.
pub(super) fn master(words: Args) -> Result<Args, Reason> {
    match words.as_slice() {
        [] => Ok(words),
        [no, one] if no.eq_ignore_ascii_case(b"no") && one.eq_ignore_ascii_case(b"one") => {
            Ok(Vec::new())
        }
        [_, port] if parse_int(port).is_some_and(|port| (0..=65535).contains(&port)) => Ok(words),
        [_, _] => Err("Invalid master port".into()),
        _ => Err("wrong number of arguments".into()),
    }
}

/// The three numbers of `oom-score-adj-values`.
pub(super) fn oom_scores(words: Args) -> Result<Args, Reason> {
    if words.len() != 3 {
        return Err("wrong number of arguments".into());
    }
    let fits =
        |word: &Vec<u8>| parse_int(word).is_some_and(|score| (-2000..=2000).contains(&score));
    match words.iter().all(fits) {
        true => Ok(words),
        false => {
            Err("Invalid oom-score-adj-values, elements must be between -2000 and 2000.".into())
        }
    }
}

/// The numbers of `latency-tracking-info-percentiles`.
pub(super) fn percentiles(words: Args) -> Result<Args, Reason> {
    for word in &words {
        let number = std::str::from_utf8(word)
            .ok()
            .and_then(|text| text.parse::<f64>().ok());
        match number {
            Some(percentile) if (0.0..=100.0).contains(&percentile) => {}
            Some(_) => {
                return Err(
                    "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]"
                        .into(),
                );
            }
            None => return Err("Invalid latency-tracking-info-percentiles parameters".into()),
        }
    }
    Ok(words)
}

/// The options of `shutdown-on-sigint` and `shutdown-on-sigterm`.
pub(super) fn shutdown_options(words: Args) -> Result<Args, Reason> {
    const NAMES: [&str; 5] = ["default", "save", "nosave", "now", "force"];
    let words: Args = words.iter().map(|word| word.to_ascii_lowercase()).collect();
    let known = |word: &Vec<u8>| NAMES.iter().any(|name| name.as_bytes() == word);
    if words.is_empty() || !words.iter().all(known) {
        return Err(format!(
            "argument(s) must be one of the following: {}",
            NAMES.join(", ")
        )
        .into());
    }
    let has = |name: &str| words.iter().any(|word| word == name.as_bytes());
    if has("save") && has("nosave") {
        return Err("shutdown options SAVE and NOSAVE can't be used simultaneously".into());
    }
    Ok(words)
}

/// The file name of `dbfilename`.
pub(super) fn dump_file_name(name: &[u8]) -> Result<(), &'static str> {
    match name.contains(&b'/') {
        true => Err("dbfilename can't be a path, just a filename"),
        false => Ok(()),
    }
}

/// The file name of `appendfilename`.
pub(super) fn append_file_name(name: &[u8]) -> Result<(), &'static str> {
    match name {
        [] => Err("appendfilename can't be empty"),
        name if name.contains(&b'/') => Err("appendfilename can't be a path, just a filename"),
        _ => Ok(()),
    }
}

/// The directory name of `appenddirname`.
pub(super) fn append_dir_name(name: &[u8]) -> Result<(), &'static str> {
    match name {
        [] => Err("appenddirname can't be empty"),
        name if name.contains(&b'/') => Err("appenddirname can't be a path, just a dirname"),
        _ => Ok(()),
    }
}

/// A host name to announce.
pub(super) fn host_name(name: &[u8]) -> Result<(), &'static str> {
    let fine = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    match name.iter().all(fine) {
        true => Ok(()),
        false => Err("Hostnames may only contain alphanumeric characters, hyphens or dots"),
    }
}

/// A node name for people.
pub(super) fn node_name(name: &[u8]) -> Result<(), &'static str> {
    let fine = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    match name.iter().all(fine) {
        true => Ok(()),
        false => Err("Announced human node name contained invalid character"),
    }
}
