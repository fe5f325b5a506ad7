//! From a long run that shows a difference to a short one: steps are left out as long as some
//! difference remains, within a limit of time.

use std::time::{Duration, Instant};

use crate::generate::Step;
use crate::pair::{Difference, Pair};
use crate::support::env_number;
use crate::support::resp::print_command;

const TIME_SECONDS: u64 = 60;
const SHOWN: usize = 60;

/// Describes `difference` by the fewest steps found that lead to one.
pub(crate) fn report(pair: &mut Pair, mut steps: Vec<Step>, difference: Difference) -> String {
    let started = Instant::now();
    let time = Duration::from_secs(env_number("BASALT_DIFF_SHRINK_SECONDS", TIME_SECONDS));
    let first = difference.to_string();
    let mut last = difference;
    cut_behind(&mut steps, &last);
    let mut piece = steps.len() / 2;
    while piece > 0 && started.elapsed() < time {
        let mut at = 0;
        while at < steps.len() && started.elapsed() < time {
            let mut fewer = steps.clone();
            fewer.drain(at..(at + piece).min(steps.len()));
            match pair.run(&fewer) {
                Err(difference) => {
                    steps = fewer;
                    cut_behind(&mut steps, &difference);
                    last = difference;
                }
                Ok(()) => at += piece,
            }
        }
        piece /= 2;
    }
    let shown: Vec<String> = steps.iter().rev().take(SHOWN).rev().map(print).collect();
    format!(
        "{first}\n{} steps that show a difference{}:\n{}\nwhich is: {last}",
        steps.len(),
        if steps.len() > SHOWN {
            " (the last)"
        } else {
            ""
        },
        shown.join("\n")
    )
}

/// Steps after the difference do not matter.
fn cut_behind(steps: &mut Vec<Step>, difference: &Difference) {
    if let Some(at) = difference.at {
        steps.truncate(at + 1);
    }
}

fn print(step: &Step) -> String {
    match step {
        Step::Crash => "  (kill -9, start)".into(),
        Step::Run { conn, command } => format!("  {conn}> {}", print_command(command)),
    }
}
