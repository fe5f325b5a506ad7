//! What asks a running server.

#[path = "survey.rs"]
mod survey;

use std::io::{Read as _, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context as _, bail};
use basalt_resp::{ReplyDecoder, Value, encode_command};
use clap::{Args, Subcommand};

use self::survey::SurveyArgs;

const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// Which server.
#[derive(Args)]
struct Target {
    /// Name or address of the server
    #[arg(long, default_value = "127.0.0.1")]
    host: String,
    /// Its port
    #[arg(short, long, default_value_t = 6379)]
    port: u16,
    /// Its password; better given in the environment, where other users do not see it
    #[arg(short = 'a', long, env = "REDISCLI_AUTH", hide_env_values = true)]
    password: Option<String>,
}

#[derive(Args)]
pub(super) struct InfoArgs {
    #[command(flatten)]
    target: Target,
    /// Sections of INFO [default: those the server chooses]
    sections: Vec<String>,
}

#[derive(Args)]
pub(super) struct TierArgs {
    #[command(subcommand)]
    command: TierCommand,
}

#[derive(Subcommand)]
enum TierCommand {
    /// Print the figures of both tiers
    Stats(TargetOnly),
    /// Rewrite the cold tier without what was deleted; waits for the end
    Compact(TargetOnly),
    /// Write keys to disk and take them out of memory
    Spill(SpillArgs),
    /// Print the most used keys, as found in a sample of those in memory
    Hotkeys(SurveyArgs),
    /// Print the largest keys, as found in a sample of both tiers
    Bigkeys(SurveyArgs),
}

#[derive(Args)]
struct TargetOnly {
    #[command(flatten)]
    target: Target,
}

#[derive(Args)]
struct SpillArgs {
    #[command(flatten)]
    target: Target,
    /// All keys of all databases
    #[arg(long, conflicts_with = "keys", required_unless_present = "keys")]
    all: bool,
    /// Keys of database 0
    keys: Vec<String>,
}

pub(super) fn info(args: &InfoArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut command = vec!["INFO"];
    command.extend(args.sections.iter().map(String::as_str));
    let reply = Connection::open(&args.target)?.call(&command)?;
    print(&reply, out)
}

pub(super) fn tier(args: &TierArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let (target, command) = match &args.command {
        TierCommand::Stats(only) => (&only.target, vec!["TIER", "STATS"]),
        TierCommand::Hotkeys(args) => return survey::print("HOTKEYS", args, out),
        TierCommand::Bigkeys(args) => return survey::print("BIGKEYS", args, out),
        TierCommand::Compact(only) => (&only.target, vec!["TIER", "COMPACT"]),
        TierCommand::Spill(spill) if spill.all => (&spill.target, vec!["TIER", "SPILL", "ALL"]),
        TierCommand::Spill(spill) => {
            let mut command = vec!["TIER", "SPILL"];
            command.extend(spill.keys.iter().map(String::as_str));
            (&spill.target, command)
        }
    };
    let reply = Connection::open(target)?.call(&command)?;
    print(&reply, out)
}

struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    fn open(target: &Target) -> anyhow::Result<Connection> {
        use std::net::ToSocketAddrs as _;
        let name = format!("{}:{}", target.host, target.port);
        let addresses = (target.host.as_str(), target.port).to_socket_addrs();
        let addresses = addresses.with_context(|| format!("cannot find {name}"))?;
        let mut outcome = Err(std::io::Error::other("the name has no address"));
        for address in addresses {
            outcome = TcpStream::connect_timeout(&address, CONNECT_LIMIT);
            if outcome.is_ok() {
                break;
            }
        }
        let mut connection = Connection {
            stream: outcome.with_context(|| format!("cannot connect to {name}"))?,
            buffer: Vec::new(),
        };
        if let Some(password) = &target.password {
            connection.call(&["AUTH", password])?;
        }
        Ok(connection)
    }

    /// Sends a command and waits for its reply. An error reply is an error.
    fn call(&mut self, args: &[&str]) -> anyhow::Result<Value> {
        let mut request = Vec::new();
        encode_command(&mut request, args);
        self.stream
            .write_all(&request)
            .context("the server is gone")?;
        let mut decoder = ReplyDecoder::new();
        let mut piece = [0; 16 * 1024];
        loop {
            let decoded = decoder.decode(&self.buffer);
            if let Some((value, used)) =
                decoded.context("this is no server of the Redis protocol")?
            {
                self.buffer.drain(..used);
                if let Value::Error(text) = &value {
                    bail!("the server says: {}", String::from_utf8_lossy(text));
                }
                return Ok(value);
            }
            match self.stream.read(&mut piece).context("the server is gone")? {
                0 => bail!("the server closed the connection"),
                got => self.buffer.extend_from_slice(&piece[..got]),
            }
        }
    }
}

/// A reply for people: a map, or an array of names and values in turn, as lines of `name: value`.
fn print(reply: &Value, out: &mut dyn Write) -> anyhow::Result<()> {
    match reply {
        Value::Array(items) if items.len() % 2 == 0 => {
            for pair in items.chunks(2) {
                writeln!(out, "{}: {}", text(&pair[0]), text(&pair[1]))?;
            }
        }
        Value::Map(pairs) => {
            for (name, value) in pairs {
                writeln!(out, "{}: {}", text(name), text(value))?;
            }
        }
        other => writeln!(out, "{}", text(other).replace('\r', "").trim_end())?,
    }
    Ok(())
}

fn text(value: &Value) -> String {
    match value {
        Value::Simple(bytes) | Value::Bulk(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::Integer(number) => number.to_string(),
        null if null.is_null() => "(nil)".to_owned(),
        other => format!("{other:?}"),
    }
}
