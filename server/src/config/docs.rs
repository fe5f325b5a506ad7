//! The texts derived from the table: `--version`, `--help` and `docs/configuration.md`.

use std::fmt::Write as _;

use super::params::{Effect, KEPT_DIRECTIVES, Param, SECTIONS, Settable};

/// What `--version` prints.
pub fn version() -> String {
    let bits = usize::BITS;
    format!(
        "Basalt server v={} malloc=jemalloc bits={bits}",
        env!("CARGO_PKG_VERSION")
    )
}

/// What `--help` prints: how to call the server, and every directive.
pub fn help() -> String {
    let mut text = String::from(
        "Usage: basalt-server [/path/to/basalt.conf] [--directive value ...] [-]\n\
         \x20      basalt-server -v or --version\n\
         \x20      basalt-server -h or --help\n\
         \n\
         A redis.conf is a valid basalt.conf. A last argument of - reads more of it from standard input.\n\
         Directives on the command line override the files.\n\
         \n\
         Examples:\n\
         \x20      basalt-server --port 7777 --dir /var/lib/basalt\n\
         \x20      basalt-server /etc/basalt/basalt.conf --loglevel verbose\n\
         \x20      echo 'maxmemory 128mb' | basalt-server -\n\
         \n\
         Directives, with their defaults (bytes take the units kb, mb, gb, tb):\n",
    );
    for section in SECTIONS {
        let _ = writeln!(text, "\n{}", section.title);
        for param in section.params {
            let default = if param.default.is_empty() {
                "\"\""
            } else {
                param.default
            };
            let note = if param.effect == Effect::None {
                "  (accepted, no effect)"
            } else {
                ""
            };
            let _ = writeln!(text, "  --{} {default}{note}", param.name);
            if param.effect != Effect::None {
                let _ = writeln!(text, "        {}", param.kind.describe());
            }
        }
    }
    text
}

const PREFACE: &str = "\
<!-- Generated from the parameter table in server/src/config/params/ by
     `BASALT_BLESS=1 cargo test --release -p basalt-server config`. Edit the table, not this file. -->

# Configuration

    basalt-server [/path/to/basalt.conf] [--directive value ...] [-]

A configuration file is a `redis.conf`: one directive a line, `#` begins a comment line, arguments with blanks
are quoted, `include` reads another file (or, with `*` or `?`, several; a relative path is relative to the
working directory). Directives on the command line override the file, and `-` as the last argument reads
more of the file from standard input. A directive that Redis 7.0 or 8.2 knows and that has no meaning here
is accepted, answered by CONFIG GET, and named in the log when the server starts; one that nobody knows stops the start.

Bytes take units, whatever their case: `1k` is 1000, `1kb` 1024, and so on with `m`, `g` and `t`.

`CONFIG SET` changes what is marked *always* below; several parameters change together or not at all.
What is marked *protected* it changes only where `enable-protected-configs` allows it.
`CONFIG REWRITE` writes the changes into the file the server was started with: comments, order and unchanged
lines stay, and the file is replaced in one step.

`rename-command NAME NEW-NAME` gives a command another name, or none with `\"\"`.
";

/// The text of `docs/configuration.md`.
pub fn markdown() -> String {
    let mut text = String::from(PREFACE);
    for section in SECTIONS {
        let _ = write!(text, "\n## {}\n\n", section.title);
        let acting = || {
            section
                .params
                .iter()
                .filter(|param| param.effect != Effect::None)
        };
        let kept = || {
            section
                .params
                .iter()
                .filter(|param| param.effect == Effect::None)
        };
        if acting().next().is_some() {
            text.push_str(
                "| parameter | default | values | settable | meaning |\n|---|---|---|---|---|\n",
            );
            acting().for_each(|param| acting_row(&mut text, param));
        }
        if kept().next().is_some() {
            if acting().next().is_some() {
                text.push('\n');
            }
            text.push_str(
                "Accepted, without effect:\n\n| parameter | default | why |\n|---|---|---|\n",
            );
            kept().for_each(|param| kept_row(&mut text, param));
        }
    }
    text.push_str(
        "\n## Other directives accepted without effect\n\n| directive | why |\n|---|---|\n",
    );
    for (name, why) in KEPT_DIRECTIVES {
        let _ = writeln!(text, "| `{name}` | {why} |");
    }
    text
}

fn acting_row(text: &mut String, param: &Param) {
    let settable = match param.settable {
        Settable::Always => "always",
        Settable::AtStart => "at start",
        Settable::Protected => "protected",
    };
    let (names, default) = (names(param), shown_default(param));
    let values = param.kind.describe();
    let _ = writeln!(
        text,
        "| {names} | {default} | {values} | {settable} | {} |",
        param.doc
    );
}

fn kept_row(text: &mut String, param: &Param) {
    let _ = writeln!(
        text,
        "| {} | {} | {} |",
        names(param),
        shown_default(param),
        param.doc
    );
}

fn names(param: &Param) -> String {
    let mut names = format!("`{}`", param.name);
    for alias in param.aliases {
        let _ = write!(names, ", `{alias}`");
    }
    names
}

fn shown_default(param: &Param) -> String {
    if param.default.is_empty() {
        "empty".into()
    } else {
        format!("`{}`", param.default)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/configuration.md");
        if std::env::var_os("BASALT_BLESS").is_some() {
            std::fs::write(path, markdown()).expect("write the page");
        }
        let page = std::fs::read_to_string(path).expect("docs/configuration.md is there");
        assert!(
            page == markdown(),
            "docs/configuration.md is out of date; its first lines say how to renew it"
        );
    }
}
