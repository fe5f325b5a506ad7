//! The lexical rules of a configuration line: splitting it into arguments, quoting an argument so
//! that it splits back into itself, and glob patterns over names.
//!
//! Used by the file reader, the command line and CONFIG REWRITE; knows nothing about parameters.

use crate::glob;

/// Splits a line into arguments by the quoting rules of inline commands, as Redis does.
///
/// `None` means that the quotes are unbalanced.
pub fn split(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    basalt_resp::split_words(line)
}

/// Appends `word` to `line`, in double quotes if it would not survive [`split`] bare.
pub fn push_quoted(line: &mut Vec<u8>, word: &[u8]) {
    let bare = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b'\\' | b'#');
    if !word.is_empty() && word.iter().all(bare) {
        line.extend_from_slice(word);
        return;
    }
    line.push(b'"');
    for &byte in word {
        match byte {
            b'"' | b'\\' => line.extend_from_slice(&[b'\\', byte]),
            b'\n' => line.extend_from_slice(b"\\n"),
            b'\r' => line.extend_from_slice(b"\\r"),
            b'\t' => line.extend_from_slice(b"\\t"),
            b' '..=b'~' => line.push(byte),
            _ => line.extend_from_slice(format!("\\x{byte:02x}").as_bytes()),
        }
    }
    line.push(b'"');
}

/// Whether `pattern` means more than itself.
pub fn is_glob(pattern: &[u8]) -> bool {
    pattern.iter().any(|byte| b"*?[".contains(byte))
}

/// Matches the name of a parameter against a glob pattern, ignoring case.
pub fn glob_match(pattern: &[u8], name: &[u8]) -> bool {
    glob::matches(pattern, name, glob::Case::Ignored)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(line: &str) -> Option<Vec<String>> {
        let text = |word: Vec<u8>| String::from_utf8_lossy(&word).into_owned();
        Some(split(line.as_bytes())?.into_iter().map(text).collect())
    }

    #[test]
    fn quotes_and_escapes_follow_redis() {
        let cases: &[(&str, Option<&[&str]>)] = &[
            ("", Some(&[])),
            ("  port   6379\t ", Some(&["port", "6379"])),
            (r#"a "b c" 'd e'"#, Some(&["a", "b c", "d e"])),
            (r#""\x41\n\t\"\\\q""#, Some(&["A\n\t\"\\q"])),
            (r#"'it\'s \n'"#, Some(&["it's \\n"])),
            (r#"save """#, Some(&["save", ""])),
            (r#"foo"bar""#, Some(&["foobar"])),
            (r#""open"#, None),
            ("'open", None),
            (r#""a"b"#, None),
            (r#""\xzz""#, Some(&["xzz"])),
        ];
        for (line, expected) in cases {
            let expected = expected.map(|list| list.iter().map(|s| s.to_string()).collect());
            assert_eq!(words(line), expected, "{line}");
        }
    }

    #[test]
    fn glob_patterns_match_names() {
        let cases = [
            ("*", "port", true),
            ("MAX*", "maxmemory", true),
            ("*memory", "maxmemory", true),
            ("max*policy", "maxmemory-policy", true),
            ("h?", "hz", true),
            ("h?", "h", false),
            ("[ph]*", "port", true),
            ("[^ph]*", "port", false),
            ("[a-i]z", "HZ", true),
            (r"h\z", "hz", true),
            ("port", "ports", false),
            ("*a*b*c", "aXbYbZc", true),
            ("*a*b*c", "aXbYbZ", false),
        ];
        for (pattern, name, expected) in cases {
            let found = glob_match(pattern.as_bytes(), name.as_bytes());
            assert_eq!(found, expected, "{pattern} on {name}");
        }
    }

    proptest! {
        #[test]
        fn a_quoted_word_splits_back_into_itself(word in proptest::collection::vec(any::<u8>(), 0..40)) {
            let mut line = b"name ".to_vec();
            push_quoted(&mut line, &word);
            prop_assert_eq!(split(&line), Some(vec![b"name".to_vec(), word]));
        }

        #[test]
        fn splitting_never_panics(line in proptest::collection::vec(any::<u8>(), 0..80)) {
            split(&line);
            glob_match(&line, b"maxmemory");
        }
    }
}
