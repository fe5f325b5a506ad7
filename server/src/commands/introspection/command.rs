//! COMMAND and its subcommands: the table, told to clients.

use basalt_resp::Encoder;

use crate::args;
use crate::commands::{ArgSpec, Command, Find, KeySpec, all, describe, lookup};
use crate::dispatch;
use crate::errors::{self, Error};
use crate::glob::{self, Case};
use crate::session::{Next, SessionCtx};

const INVALID_COMMAND: Error = Error::new("ERR Invalid command specified");
const NO_KEYS: Error = Error::new("ERR The command has no key arguments");
const INVALID_COUNT: Error = Error::new("ERR Invalid number of arguments specified for command");
const INVALID_ARGUMENTS: Error = Error::new("ERR Invalid arguments specified for command");

/// COMMAND alone.
pub(super) fn bare(ctx: &mut SessionCtx<'_>) -> Next {
    ctx.out.array(all().count());
    for command in all() {
        info_of(&mut ctx.out, command);
    }
    Next::Done
}

pub(super) fn count(ctx: &mut SessionCtx<'_>) -> Next {
    ctx.out.integer(all().count() as i64);
    Next::Done
}

/// The command with this full name, `config|get` for a subcommand.
fn named(name: &[u8]) -> Option<&'static Command> {
    let container = name.split(|byte| *byte == b'|').next()?;
    let command = lookup(container)?;
    if container.len() == name.len() {
        return Some(command);
    }
    command
        .subcommands
        .iter()
        .find(|sub| sub.name.as_bytes().eq_ignore_ascii_case(name))
}

pub(super) fn info(ctx: &mut SessionCtx<'_>) -> Next {
    if ctx.args.len() == 2 {
        return bare(ctx);
    }
    ctx.out.array(ctx.args.len() - 2);
    for name in ctx.args.iter().skip(2) {
        match named(name) {
            Some(command) => info_of(&mut ctx.out, command),
            None => ctx.out.null(),
        }
    }
    Next::Done
}

pub(super) fn docs(ctx: &mut SessionCtx<'_>) -> Next {
    let wanted: Vec<&Command> = if ctx.args.len() == 2 {
        all().collect()
    } else {
        ctx.args.iter().skip(2).filter_map(named).collect()
    };
    ctx.out.map(wanted.len());
    for command in wanted {
        docs_of(&mut ctx.out, command);
    }
    Next::Done
}

fn info_of(out: &mut Encoder<'_>, command: &Command) {
    out.array(10);
    out.bulk(command.name);
    out.integer(i64::from(command.arity));
    let flags = describe::flags(command);
    out.set(flags.len());
    flags.iter().for_each(|flag| out.simple(flag));
    let (first, last, step) = describe::key_range(command);
    out.integer(first as i64);
    out.integer(last);
    out.integer(step as i64);
    let categories = describe::categories(command);
    out.set(categories.len());
    categories
        .iter()
        .for_each(|category| out.simple(format!("@{category}")));
    // Tips: none are given.
    out.set(0);
    out.set(command.keys.len());
    command.keys.iter().for_each(|spec| key_spec(out, spec));
    // An empty set, but an array of subcommands: so Redis has it.
    match command.subcommands.len() {
        0 => out.set(0),
        count => out.array(count),
    }
    command.subcommands.iter().for_each(|sub| info_of(out, sub));
}

fn key_spec(out: &mut Encoder<'_>, spec: &KeySpec) {
    out.map(3);
    out.bulk("flags");
    out.set(spec.flags.len());
    spec.flags.iter().for_each(|flag| out.simple(flag));
    out.bulk("begin_search");
    match spec.find {
        Find::HalfBehind(word) | Find::Behind(word) => search_word(out, word, spec.first),
        Find::Unknown | Find::SortStore => search(out, "unknown", &[]),
        Find::Range { .. } | Find::Count => {
            search(out, "index", &[("index", spec.first as i64)]);
        }
    }
    out.bulk("find_keys");
    match spec.find {
        Find::Range { last, step } => {
            search(
                out,
                "range",
                &[
                    ("lastkey", i64::from(last)),
                    ("keystep", step as i64),
                    ("limit", 0),
                ],
            );
        }
        Find::Unknown | Find::SortStore => search(out, "unknown", &[]),
        Find::Count => search(
            out,
            "keynum",
            &[("keynumidx", 0), ("firstkey", 1), ("keystep", 1)],
        ),
        Find::HalfBehind(_) => search(
            out,
            "range",
            &[("lastkey", -1), ("keystep", 1), ("limit", 2)],
        ),
        Find::Behind(_) => search(
            out,
            "range",
            &[("lastkey", 0), ("keystep", 1), ("limit", 0)],
        ),
    }
}

fn search_word(out: &mut Encoder<'_>, word: &str, from: usize) {
    out.map(2);
    pair(out, "type", "keyword");
    out.bulk("spec");
    out.map(2);
    pair(out, "keyword", word);
    out.bulk("startfrom");
    out.integer(from as i64);
}

fn search(out: &mut Encoder<'_>, kind: &str, numbers: &[(&str, i64)]) {
    out.map(2);
    out.bulk("type");
    out.bulk(kind);
    out.bulk("spec");
    out.map(numbers.len());
    for (name, number) in numbers {
        out.bulk(name);
        out.integer(*number);
    }
}

/// A pair of COMMAND DOCS: name and description.
fn docs_of(out: &mut Encoder<'_>, command: &Command) {
    out.bulk(command.name);
    out.map(
        4 + usize::from(!command.args.is_empty()) + usize::from(!command.subcommands.is_empty()),
    );
    for (name, text) in [
        ("summary", command.summary),
        ("since", command.since),
        ("group", command.group.name()),
        ("complexity", command.complexity),
    ] {
        out.bulk(name);
        out.bulk(text);
    }
    if !command.args.is_empty() {
        out.bulk("arguments");
        arguments(out, command.args, &mut 0, command.keys.len());
    }
    if !command.subcommands.is_empty() {
        out.bulk("subcommands");
        out.map(command.subcommands.len());
        command.subcommands.iter().for_each(|sub| docs_of(out, sub));
    }
}

/// `next_key` numbers the arguments that are keys: each belongs to the key spec of its place.
fn arguments(out: &mut Encoder<'_>, args: &[ArgSpec], next_key: &mut usize, specs: usize) {
    out.array(args.len());
    for arg in args {
        let key_spec = (arg.kind == "key" && specs > 0).then(|| {
            *next_key += 1;
            (*next_key - 1).min(specs - 1)
        });
        let optional = [
            arg.token.is_some(),
            arg.since.is_some(),
            !arg.flags.is_empty(),
            !arg.args.is_empty(),
        ];
        let pairs =
            2 + optional.iter().filter(|there| **there).count() + usize::from(key_spec.is_some());
        out.map(pairs);
        pair(out, "name", arg.name);
        pair(out, "type", arg.kind);
        if let Some(index) = key_spec {
            out.bulk("key_spec_index");
            out.integer(index as i64);
        }
        if let Some(token) = arg.token {
            pair(out, "token", token);
        }
        if let Some(since) = arg.since {
            pair(out, "since", since);
        }
        if !arg.flags.is_empty() {
            out.bulk("flags");
            out.set(arg.flags.len());
            arg.flags.iter().for_each(|flag| out.simple(flag));
        }
        if !arg.args.is_empty() {
            out.bulk("arguments");
            arguments(out, arg.args, next_key, specs);
        }
    }
}

fn pair(out: &mut Encoder<'_>, name: &str, value: &str) {
    out.bulk(name);
    out.bulk(value);
}

/// What COMMAND LIST lists.
enum Filter<'a> {
    All,
    /// There are no modules, so none has commands.
    Nothing,
    Category(&'a [u8]),
    Pattern(&'a [u8]),
}

impl Filter<'_> {
    fn passes(&self, command: &Command) -> bool {
        match self {
            Filter::All => true,
            Filter::Nothing => false,
            Filter::Category(wanted) => describe::categories(command)
                .iter()
                .any(|name| args::is(wanted, name)),
            Filter::Pattern(pattern) => {
                glob::matches(pattern, command.name.as_bytes(), Case::Ignored)
            }
        }
    }
}

pub(super) fn list(ctx: &mut SessionCtx<'_>) -> Next {
    let words: Vec<&[u8]> = ctx.args.iter().skip(2).collect();
    let filter = match words[..] {
        [] => Filter::All,
        [by, kind, value] if args::is(by, "FILTERBY") => {
            if args::is(kind, "MODULE") {
                Filter::Nothing
            } else if args::is(kind, "ACLCAT") {
                Filter::Category(value)
            } else if args::is(kind, "PATTERN") {
                Filter::Pattern(value)
            } else {
                return errors::SYNTAX.into();
            }
        }
        _ => return errors::SYNTAX.into(),
    };
    let with_subcommands =
        all().flat_map(|command| std::iter::once(command).chain(command.subcommands));
    let names: Vec<&str> = with_subcommands
        .filter(|c| filter.passes(c))
        .map(|c| c.name)
        .collect();
    ctx.out.array(names.len());
    names.iter().for_each(|name| ctx.out.bulk(name));
    Next::Done
}

pub(super) fn getkeys(ctx: &mut SessionCtx<'_>) -> Next {
    match keys(ctx) {
        Ok(keys) => {
            ctx.out.array(keys.len());
            keys.iter().for_each(|(key, _)| ctx.out.bulk(key));
            Next::Done
        }
        Err(error) => error.into(),
    }
}

pub(super) fn getkeysandflags(ctx: &mut SessionCtx<'_>) -> Next {
    match keys(ctx) {
        Ok(keys) => {
            ctx.out.array(keys.len());
            for (key, flags) in keys {
                ctx.out.array(2);
                ctx.out.bulk(key);
                ctx.out.set(flags.len());
                flags.iter().for_each(|flag| ctx.out.simple(flag));
            }
            Next::Done
        }
        Err(error) => error.into(),
    }
}

type KeyWithFlags<'a> = (&'a [u8], Vec<&'static str>);

/// The keys of the command that follows COMMAND GETKEYS.
fn keys<'a>(ctx: &SessionCtx<'a>) -> Result<Vec<KeyWithFlags<'a>>, Error> {
    let call = ctx.args.tail(2);
    let command = dispatch::find(&call).ok_or(INVALID_COMMAND)?.command;
    if command.keys.is_empty() {
        return Err(NO_KEYS);
    }
    if !command.fits(call.len()) {
        return Err(INVALID_COUNT);
    }
    let mut keys = Vec::new();
    for spec in command.keys {
        let fits = spec.for_each_index(&call, |index| {
            keys.push((
                call.get(index).unwrap_or_default(),
                describe::key_flags(command, spec, &call),
            ));
        });
        if !fits {
            return Err(INVALID_ARGUMENTS);
        }
    }
    Ok(keys)
}
