//! Heat: a replica asks its master now and then which keys are hot, and keeps them warm, so that it has the hot set
//! when it is promoted. On a connection of its own, outside the stream, and at the pace of `warmup-rate`.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use basalt_resp::{Encoder, Value, parse_i64};
use basalt_tiering::HotName;

use super::dialogue::Dialogue;
use super::role::Role;
use crate::errors;
use crate::server::Server;
use crate::session::{Next, SessionCtx};

/// How often a replica asks.
const PERIOD: Duration = Duration::from_secs(30);
/// How soon a replica that has just come to its master asks first.
const FIRST: Duration = Duration::from_secs(2);
/// How many keys it asks for.
const KEYS: usize = 200_000;
/// Keys warmed between two looks at the clock.
const PORTION: usize = 64;
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// BASALTSYNC HOT: database, counter and name of the hottest keys, hottest first.
pub fn hot(ctx: &mut SessionCtx<'_>) -> Next {
    let Some(count) = parse_i64(&ctx.args[2]).and_then(|count| usize::try_from(count).ok()) else {
        return errors::NOT_AN_INTEGER.into();
    };
    let data = ctx.server.current.get();
    Next::work(
        move |out: &mut Encoder<'_>| match data.store.hot_names(count) {
            Ok(names) => {
                out.array(names.len() * 3);
                for name in names {
                    out.integer(i64::from(name.db));
                    out.integer(i64::from(name.counter));
                    out.bulk(&name.key);
                }
            }
            Err(error) => out.error(errors::store_failed(&error).as_bytes()),
        },
    )
}

/// Starts the thread that keeps a replica warm; it ends with the server.
pub fn spawn(server: &Arc<Server>) -> io::Result<JoinHandle<()>> {
    let server = Arc::clone(server);
    std::thread::Builder::new()
        .name("replica-warmth".to_owned())
        .spawn(move || {
            let mut due: Option<Instant> = None;
            while !server.shutdown.is_requested() {
                std::thread::sleep(LOOK_EVERY);
                let Some((host, port)) = master_of(&server) else {
                    due = None;
                    continue;
                };
                if Instant::now() < *due.get_or_insert_with(|| Instant::now() + FIRST) {
                    continue;
                }
                match warm(&server, &host, port) {
                    Ok(keys) => tracing::debug!(keys, "warmed what is hot at the master"),
                    Err(error) => tracing::debug!(%error, "not warmed"),
                }
                due = Some(Instant::now() + PERIOD);
            }
        })
}

/// Whom to ask: a replica's master, while the link is up and the configuration wants it.
fn master_of(server: &Server) -> Option<(String, u16)> {
    let wanted = {
        let settings = server.config.peek();
        settings.replica_warm && settings.tiering
    };
    match server.replication.role() {
        Role::Replica { host, port } if wanted && server.replication.replica.is_connected() => {
            Some((host, port))
        }
        _ => None,
    }
}

fn warm(server: &Server, host: &str, port: u16) -> io::Result<u64> {
    let mut link = Dialogue::open(server, host, port)?;
    let count = KEYS.to_string();
    let answer = link.ask(&[&b"BASALTSYNC"[..], b"HOT", count.as_bytes()])?;
    drop(link);
    let names = parse(&answer).ok_or(io::ErrorKind::InvalidData)?;
    let (begun, mut asked, mut warmed) = (Instant::now(), 0u64, 0);
    for portion in names.chunks(PORTION) {
        let data = server.current.get();
        let Some(read) = data.store.warm_names(portion).map_err(io::Error::other)? else {
            break;
        };
        drop(data);
        warmed += read;
        asked += portion.len() as u64;
        let rate = u64::from(server.config.peek().warmup_rate).max(1);
        let ahead = Duration::from_millis(asked * 1000 / rate).checked_sub(begun.elapsed());
        std::thread::sleep(ahead.unwrap_or_default().min(Duration::from_secs(1)));
        if server.shutdown.is_requested() || master_of(server).is_none() {
            break;
        }
    }
    Ok(warmed)
}

fn parse(answer: &Value) -> Option<Vec<HotName>> {
    let (names, rest) = answer.items()?.as_chunks::<3>();
    let name = |[db, counter, key]: &[Value; 3]| {
        Some(HotName {
            db: u32::try_from(db.integer()?).ok()?,
            counter: u8::try_from(counter.integer()?).ok()?,
            key: key.bytes()?.into(),
        })
    };
    rest.is_empty().then(|| names.iter().map(name).collect())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_or_refused() {
        let item = |n: i64| [Value::Integer(n), Value::Integer(9), Value::bulk("k")];
        let whole = Value::Array([item(0), item(3)].concat());
        let names = parse(&whole).expect("well formed");
        assert_eq!((names.len(), names[1].db, names[1].counter), (2, 3, 9));
        assert_eq!(parse(&Value::Array(item(0)[..2].to_vec())), None);
        assert_eq!(parse(&Value::Array(item(-1).to_vec())), None);
        assert_eq!(parse(&Value::Integer(1)), None);
    }
}
