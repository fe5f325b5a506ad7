//! The bytes of a frame as commands.

use anyhow::bail;
use basalt_resp::{ArgRanges, Args, Decoder, Limits};
use serde_json::{Value, json};

/// A command and its arguments.
pub(super) type Words = Vec<Vec<u8>>;

/// Splits the payload of a frame. Fails if it is not commands from end to end.
pub(super) fn split(payload: &[u8]) -> anyhow::Result<Vec<Words>> {
    let limits = Limits {
        max_bulk_bytes: usize::MAX,
        max_args: usize::MAX,
        ..Limits::default()
    };
    let (mut all, mut rest, mut ranges) = (Vec::new(), payload, ArgRanges::new());
    while !rest.is_empty() {
        match Decoder::new().decode(rest, &limits, &mut ranges) {
            Ok(Some(len)) => {
                let (command, next) = rest.split_at(len);
                let args = Args::new(command, &ranges);
                all.push(args.iter().map(<[u8]>::to_vec).collect());
                rest = next;
            }
            Ok(None) => bail!("it ends inside a command"),
            Err(error) => bail!("it holds no command: {error}"),
        }
    }
    Ok(all)
}

/// A command as one would type it: words that need it in double quotes.
pub(super) fn print(words: &Words) -> String {
    words
        .iter()
        .map(|word| quoted(word))
        .collect::<Vec<_>>()
        .join(" ")
}

/// A word as one would type it.
pub(super) fn quoted(word: &[u8]) -> String {
    let bare = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b'\\');
    if !word.is_empty() && word.iter().all(bare) {
        return String::from_utf8_lossy(word).into_owned();
    }
    let mut text = String::from("\"");
    for &byte in word {
        match byte {
            b'"' | b'\\' => text.extend(['\\', char::from(byte)]),
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b'\t' => text.push_str("\\t"),
            b' '..=b'~' => text.push(char::from(byte)),
            _ => text.push_str(&format!("\\x{byte:02x}")),
        }
    }
    text.push('"');
    text
}

/// A command as JSON: words as strings; one that is not UTF-8 as `{"hex": "…"}`, so that nothing is lost.
pub(super) fn as_json(words: &Words) -> Value {
    let word = |word: &Vec<u8>| match std::str::from_utf8(word) {
        Ok(text) => json!(text),
        Err(_) => {
            let hex: String = word.iter().map(|byte| format!("{byte:02x}")).collect();
            json!({ "hex": hex })
        }
    };
    words.iter().map(word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_are_split_and_printed() {
        let payload = b"*1\r\n$5\r\nMULTI\r\n*3\r\n$3\r\nSET\r\n$3\r\na b\r\n$2\r\n\xff\n\r\n";
        let all = split(payload).expect("two commands");
        assert_eq!(print(&all[0]), "MULTI");
        assert_eq!(print(&all[1]), "SET \"a b\" \"\\xff\\n\"");
        assert_eq!(
            as_json(&all[1]).to_string(),
            r#"["SET","a b",{"hex":"ff0a"}]"#
        );
        assert!(split(&payload[..20]).is_err());
        assert!(split(b"*x\r\n").is_err());
        assert_eq!(print(&vec![vec![]]), "\"\"");
    }
}
