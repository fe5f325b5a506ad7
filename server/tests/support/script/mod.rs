//! Tests as data: a script of commands and expected replies, run in a world.
//!
//! ```text
//! SET k v EX 100 -> +OK
//! TTL k -> 98..100
//! b> GET k -> "v"
//! ```
//!
//! The notation is described in `docs/testing.md`. Scripts share servers: between two scripts
//! FLUSHALL runs. A script that changes more than data begins with the line `server`, and gets
//! one of its own.

mod lex;
mod parse;
mod pattern;
pub(crate) mod replica;
mod run;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use super::server::{Binary, Server};
use super::world::World;
use parse::Script;
use run::Run;

/// A server, and in the world `replica` the one that follows it.
struct Stage {
    server: Server,
    replica: Option<Server>,
}

/// Servers that wait for the next script of their world.
static IDLE: Mutex<BTreeMap<World, Vec<Stage>>> = Mutex::new(BTreeMap::new());

/// Runs script `text` in the world called `world`.
///
/// # Panics
/// If a reply is not as expected.
pub(crate) fn check(world: &str, name: &str, text: &str) {
    let world = World::named(world);
    let script = Script::parse(text);
    if Binary::under_test().world_args(world).is_none() {
        eprintln!("{name}: a peer has no world {}", world.name());
        return;
    }
    let own: Option<Vec<&str>> = script
        .server
        .as_ref()
        .map(|args| args.iter().map(String::as_str).collect());
    if world == World::Replica && own.is_some() {
        eprintln!("{name}: a server of its own; a replica might not be let in");
        return;
    }
    let mut stage = match &own {
        Some(args) => Stage {
            server: Server::start(world, args).expect("the world exists"),
            replica: None,
        },
        None => take_shared(world),
    };
    if let Err(wrong) = Run::new(world, &mut stage.server).script(name, &script) {
        panic!("{wrong}");
    }
    if let Some(replica) = &stage.replica
        && let Err(wrong) = replica::is_same(&stage.server, replica)
    {
        panic!("{name}: {wrong}");
    }
    if own.is_none() {
        give_back(world, stage);
    }
}

fn take_shared(world: World) -> Stage {
    let idle = IDLE
        .lock()
        .expect("no panic under this lock")
        .get_mut(&world)
        .and_then(Vec::pop);
    idle.unwrap_or_else(|| {
        let server = Server::start(world, &[]).expect("the world exists");
        let replica = (world == World::Replica).then(|| replica::attach(&server));
        Stage { server, replica }
    })
}

fn give_back(world: World, stage: Stage) {
    let mut client = stage.server.client();
    assert!(client.words("FLUSHALL").is_ok(), "FLUSHALL between scripts");
    // The connections of the script are closed by now, but the server may not have noticed;
    // the next script must not see them in CLIENT LIST.
    for _ in 0..200 {
        let list = client.words("CLIENT LIST").text();
        let ordinary = list.lines().filter(|line| !line.contains("flags=S"));
        if ordinary.count() <= 1 {
            break;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let mut idle = IDLE.lock().expect("no panic under this lock");
    idle.entry(world).or_default().push(stage);
}

/// One test per script and world: `behaviour! { name [worlds] "script" … }`; without a list, in all worlds. The test is
/// called `name::world`.
#[macro_export]
macro_rules! behaviour {
    ($($name:ident $([$($world:ident)*])? $script:literal)*) => {
        $($crate::behaviour_of! { $name $([$($world)*])? $script })*
    };
}

/// One script of [`behaviour`].
#[macro_export]
macro_rules! behaviour_of {
    ($name:ident [$($world:ident)*] $script:literal) => {
        mod $name {
            $(
                #[test]
                fn $world() {
                    $crate::support::script::check(
                        stringify!($world),
                        stringify!($name),
                        $script,
                    );
                }
            )*
        }
    };
    ($name:ident $script:literal) => {
        $crate::behaviour_of! { $name [hot cold tiny restart memory replica] $script }
    };
}
