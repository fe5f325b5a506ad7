//! Two servers side by side: every command goes to both, and the replies must be the same.

use std::collections::BTreeSet;
use std::fmt;
use std::io;

use crate::compare::{is_dialogue, is_scan, rule, same, same_exec};
use crate::generate::{CONNECTIONS, Command, DATABASES, Step};
use crate::support::client::Client;
use crate::support::resp::{Reply, print_command};
use crate::support::script::replica;
use crate::support::server::Server;
use crate::support::world::World;

/// After so many steps a replica is compared.
const LOOK_EVERY: usize = 4000;

/// Where two servers disagree.
#[derive(Debug)]
pub(crate) struct Difference {
    /// Index of the step, or none for the final state.
    pub(crate) at: Option<usize>,
    what: String,
    ours: String,
    theirs: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}\n  under test: {}\n  peer:       {}",
            self.what, self.ours, self.theirs
        )
    }
}

/// Ours and theirs, with connections to both.
#[derive(Debug)]
pub(crate) struct Pair {
    world: World,
    ours: Server,
    theirs: Server,
    /// Follows ours in the world `replica`.
    replica: Option<Server>,
    conns: Vec<Conn>,
    spiller: Client,
    /// Commands in one write at most.
    most: usize,
}

#[derive(Debug)]
struct Conn {
    ours: Client,
    theirs: Client,
    /// Commands queued since MULTI.
    queued: Option<Vec<Command>>,
}

impl Conn {
    fn both(&mut self, command: &Command) -> io::Result<(Reply, Reply)> {
        self.ours.send(command)?;
        self.theirs.send(command)?;
        Ok((self.ours.read()?, self.theirs.read()?))
    }
}

impl Pair {
    pub(crate) fn new(world: World, ours: Server, theirs: Server, most: usize) -> Self {
        let spiller = ours.client();
        let replica = (world == World::Replica).then(|| replica::attach(&ours));
        let mut pair = Self {
            world,
            ours,
            theirs,
            replica,
            conns: Vec::new(),
            spiller,
            most,
        };
        pair.reconnect();
        pair
    }

    /// New connections to both servers: no selected database, no transaction, nothing watched.
    fn reconnect(&mut self) {
        self.spiller = self.ours.client();
        self.conns = (0..CONNECTIONS)
            .map(|_| Conn {
                ours: self.ours.client(),
                theirs: self.theirs.client(),
                queued: None,
            })
            .collect();
    }

    /// Runs all steps from empty servers and compares the final state.
    pub(crate) fn run(&mut self, steps: &[Step]) -> Result<(), Difference> {
        self.reconnect();
        for server in [&self.ours, &self.theirs] {
            assert!(server.client().words("FLUSHALL").is_ok());
        }
        let (mut at, mut looked_at) = (0, 0);
        while at < steps.len() {
            let count = self.batch(&steps[at..]);
            match &steps[at] {
                Step::Crash => {
                    self.ours.crash();
                    self.reconnect();
                }
                Step::Run { .. } => {
                    self.run_batch(&steps[at..at + count]).map_err(
                        |(behind, mut difference)| {
                            difference.at = Some(at + behind);
                            difference
                        },
                    )?;
                    if self.world == World::Cold {
                        let reply = self.spiller.words("TIER SPILL ALL");
                        assert!(!reply.is_error(), "TIER SPILL ALL: {reply}");
                    }
                }
            }
            at += count;
            if at - looked_at >= LOOK_EVERY {
                looked_at = at;
                self.compare_replica(Some(at - 1))?;
            }
        }
        self.reconnect();
        self.compare_databases()?;
        self.compare_replica(None)
    }

    /// Waits until the replica has come to hold what its master does.
    fn compare_replica(&self, at: Option<usize>) -> Result<(), Difference> {
        let same = match &self.replica {
            Some(replica) => replica::is_same(&self.ours, replica),
            None => Ok(()),
        };
        same.map_err(|wrong| Difference {
            at,
            what: "the replica".into(),
            ours: wrong,
            theirs: "(not asked)".into(),
        })
    }

    /// How many of the next steps go in one write: those of one connection, up to one that takes more than one exchange.
    fn batch(&self, steps: &[Step]) -> usize {
        let conn_of = |step: &Step| match step {
            Step::Run { conn, command } if !is_dialogue(command) => Some(*conn),
            _ => None,
        };
        let first = conn_of(&steps[0]);
        let alike = |step: &&Step| first.is_some() && conn_of(step) == first;
        steps
            .iter()
            .take(self.most)
            .take_while(alike)
            .count()
            .max(1)
    }

    /// Runs steps of one connection; with a difference comes which of them showed it.
    fn run_batch(&mut self, steps: &[Step]) -> Result<(), (usize, Difference)> {
        let commands = steps.iter().map(|step| match step {
            Step::Run { conn, command } => (*conn, command),
            Step::Crash => unreachable!("alone in its batch"),
        });
        let commands: Vec<(usize, &Command)> = commands.collect();
        if let [(at, command)] = commands[..] {
            return self.step(at, command).map_err(|difference| (0, difference));
        }
        let at = commands[0].0;
        let failed = |e: io::Error| {
            let difference = Difference {
                at: None,
                what: "a pipeline".into(),
                ours: format!("connection failed: {e}"),
                theirs: "(one of both)".into(),
            };
            (steps.len() - 1, difference)
        };
        let all: Vec<Command> = commands.iter().map(|(_, c)| (*c).clone()).collect();
        let conn = &mut self.conns[at];
        let ours = conn.ours.pipeline(&all).map_err(failed)?;
        let theirs = conn.theirs.pipeline(&all).map_err(failed)?;
        for (n, (ours, theirs)) in ours.into_iter().zip(theirs).enumerate() {
            judge(&mut self.conns[at], &all[n], &ours, &theirs)
                .map_err(|difference| (n, difference))?;
        }
        Ok(())
    }

    fn step(&mut self, at: usize, command: &Command) -> Result<(), Difference> {
        let conn = &mut self.conns[at];
        if is_scan(command) && conn.queued.is_none() {
            return full_scan(conn, command);
        }
        let (ours, theirs) = exchange(conn, command)?;
        judge(conn, command, &ours, &theirs)
    }

    /// Every key of every database: type, value, expiry, encoding; and the counts.
    fn compare_databases(&mut self) -> Result<(), Difference> {
        for db in 0..DATABASES {
            let db = db.to_string();
            self.step(0, &vec![b"SELECT".to_vec(), db.clone().into()])?;
            self.step(0, &vec![b"DBSIZE".to_vec()])?;
            let all = vec![b"KEYS".to_vec(), b"*".to_vec()];
            self.step(0, &all)?;
            let keys = self.conns[0].ours.call(&all).expect("just compared");
            for key in keys.items().unwrap_or_default() {
                let key = key.bytes().expect("a key is a bulk string").to_vec();
                for words in [
                    "TYPE _",
                    "GET _",
                    "HGETALL _",
                    "SMEMBERS _",
                    "ZRANGE _ 0 -1 WITHSCORES",
                    "LRANGE _ 0 -1",
                    "XRANGE _ - +",
                    "XINFO STREAM _ FULL COUNT 0",
                    "PEXPIRETIME _",
                    "OBJECT ENCODING _",
                ] {
                    let word = |w: &str| if w == "_" { key.clone() } else { w.into() };
                    let command: Command = words.split_whitespace().map(word).collect();
                    self.step(0, &command).map_err(|mut difference| {
                        difference.what = format!("at the end, db {db}: {}", difference.what);
                        difference
                    })?;
                }
            }
        }
        Ok(())
    }
}

/// Whether the replies to a command say the same; remembers what they say about transactions.
fn judge(
    conn: &mut Conn,
    command: &Command,
    ours: &Reply,
    theirs: &Reply,
) -> Result<(), Difference> {
    let name = command[0].to_ascii_uppercase();
    let agreed = match (name.as_slice(), conn.queued.take()) {
        (b"EXEC", Some(queued)) if command.len() == 1 => same_exec(&queued, ours, theirs),
        (b"DISCARD", Some(_)) if command.len() == 1 => same(rule(command), ours, theirs),
        (_, Some(mut queued)) => {
            if *theirs == Reply::Status(b"QUEUED".to_vec()) {
                queued.push(command.clone());
            }
            // A failed EXEC (wrong arity) ends the transaction too.
            conn.queued = (name != b"EXEC").then_some(queued);
            ours == theirs
        }
        (_, None) => {
            conn.queued = (name == b"MULTI" && theirs.is_ok()).then(Vec::new);
            same(rule(command), ours, theirs)
                && (name != b"RANDOMKEY" || exists(conn, ours, theirs)?)
        }
    };
    match agreed {
        true => Ok(()),
        false => Err(difference(print_command(command), ours, theirs)),
    }
}

fn exchange(conn: &mut Conn, command: &Command) -> Result<(Reply, Reply), Difference> {
    conn.both(command).map_err(|e| Difference {
        at: None,
        what: print_command(command),
        ours: format!("connection failed: {e}"),
        theirs: "(one of both)".into(),
    })
}

fn difference(what: String, ours: &Reply, theirs: &Reply) -> Difference {
    Difference {
        at: None,
        what,
        ours: ours.to_string(),
        theirs: theirs.to_string(),
    }
}

/// Whether both servers have the key that either named.
fn exists(conn: &mut Conn, ours: &Reply, theirs: &Reply) -> Result<bool, Difference> {
    let (Reply::Bulk(a), Reply::Bulk(b)) = (ours, theirs) else {
        return Ok(true);
    };
    for key in [a, b] {
        let both = exchange(conn, &vec![b"EXISTS".to_vec(), key.clone()])?;
        if both != (Reply::Int(1), Reply::Int(1)) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// SCAN to its end on both; the sets of keys must be the same.
fn full_scan(conn: &mut Conn, command: &Command) -> Result<(), Difference> {
    let mut found = Vec::new();
    for client in [&mut conn.ours, &mut conn.theirs] {
        found.push(scan_all(client, command.clone()).unwrap_or_else(|e| {
            BTreeSet::from([Reply::Error(format!("scan failed: {e}").into_bytes())])
        }));
    }
    if found[0] == found[1] {
        return Ok(());
    }
    let [ours, theirs] = [0, 1].map(|i| {
        let other = &found[1 - i];
        let only: Vec<Reply> = found[i].difference(other).cloned().collect();
        format!(
            "{} replies; it alone: {}",
            found[i].len(),
            Reply::Array(only)
        )
    });
    Err(Difference {
        at: None,
        what: format!("{}, run to its end", print_command(command)),
        ours,
        theirs,
    })
}

/// The keys of a whole scan, or the error reply to its first call.
fn scan_all(client: &mut Client, mut command: Command) -> io::Result<BTreeSet<Reply>> {
    let mut keys = BTreeSet::new();
    let cursor_at = if command[0].eq_ignore_ascii_case(b"SCAN") {
        1
    } else {
        2
    };
    for _ in 0..100_000 {
        let reply = client.call(&command)?;
        let (cursor, page) = match reply.items() {
            Some([cursor, page]) => (cursor, page),
            _ => return Ok(BTreeSet::from([reply])),
        };
        keys.extend(page.items().unwrap_or_default().iter().cloned());
        let cursor = cursor.bytes().unwrap_or_default().to_vec();
        if cursor == b"0" {
            return Ok(keys);
        }
        command[cursor_at] = cursor;
    }
    Err(io::Error::other("SCAN does not come to an end"))
}
