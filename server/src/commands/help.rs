//! HELP of every command that has subcommands, derived from the table.

use basalt_resp::Encoder;

use super::{Command, all, describe};
use crate::session::{Next, SessionCtx};

/// Answers `<container> HELP`.
pub fn help(ctx: &mut SessionCtx<'_>) -> Next {
    let container = ctx.command.name.split('|').next().unwrap_or_default();
    if let Some(container) = all().find(|command| command.name == container) {
        reply(&mut ctx.out, &lines(container));
    }
    Next::Done
}

/// Writes the lines of a help.
pub fn reply(out: &mut Encoder<'_>, lines: &[String]) {
    out.array(lines.len());
    for line in lines {
        out.simple(line);
    }
}

fn lines(container: &Command) -> Vec<String> {
    let name = container.name.to_ascii_uppercase();
    let mut lines = vec![format!(
        "{name} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"
    )];
    for command in container.subcommands {
        let name = command
            .name
            .split_once('|')
            .map_or(command.name, |(_, sub)| sub)
            .to_ascii_uppercase();
        lines.push(
            format!("{name} {}", describe::syntax(command.args))
                .trim_end()
                .to_owned(),
        );
        lines.push(format!("    {}.", command.summary));
    }
    lines
}
