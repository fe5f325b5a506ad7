//! The configuration file: what it sets survives CONFIG REWRITE, and what CONFIG GET shows can be set.

use basalt_server::config::{Config, words};

/// Any bytes as a configuration file.
pub fn config(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if text.lines().any(includes) {
        return;
    }
    let Ok(config) = Config::from_text(&text) else {
        return;
    };
    let old = text.as_bytes();
    let Ok(new) = config.rewritten(old) else {
        panic!("a file that could be read cannot be rewritten");
    };
    let line_end = |text: &[u8]| text.strip_suffix(b"\n").unwrap_or(text).to_vec();
    assert_eq!(line_end(&new), line_end(old), "there was nothing to change");
    let whole = config
        .rewritten(b"")
        .expect("an empty file can be rewritten");
    let again = Config::from_text(&String::from_utf8_lossy(&whole));
    let again = again.expect("what REWRITE writes can be read");
    // Values that are not UTF-8 do not survive `from_text`; CONFIG GET shows them all the same.
    if std::str::from_utf8(&whole).is_ok() {
        assert_eq!(again.get(&[b"*"]), config.get(&[b"*"]));
    }
}

/// Whether a line reads other files: a target must not depend on the machine.
fn includes(line: &str) -> bool {
    words::split(line.as_bytes())
        .and_then(|words| words.into_iter().next())
        .is_some_and(|name| name.eq_ignore_ascii_case(b"include"))
}
