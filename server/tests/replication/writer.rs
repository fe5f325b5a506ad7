//! Clients that write all kinds of things until they are told to stop, whatever becomes of their server.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use crate::support::client::Client;

pub(crate) struct Writers {
    over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Writers {
    pub(crate) fn start(port: u16, count: usize, seed: u64) -> Writers {
        let over = Arc::new(AtomicBool::new(false));
        let threads = (0..count as u64)
            .map(|number| {
                let over = Arc::clone(&over);
                thread::spawn(move || {
                    let mut rng = SmallRng::seed_from_u64(seed * 1000 + number);
                    while !over.load(Ordering::SeqCst) {
                        // Its server may be down for a while.
                        if let Ok(client) = Client::connect(port) {
                            write(client, &mut rng, &over);
                        }
                        thread::sleep(Duration::from_millis(5));
                    }
                })
            })
            .collect();
        Writers { over, threads }
    }

    pub(crate) fn stop(self) {
        self.over.store(true, Ordering::SeqCst);
        for thread in self.threads {
            thread.join().expect("a writer does not panic");
        }
    }
}

fn write(mut client: Client, rng: &mut SmallRng, over: &AtomicBool) {
    while !over.load(Ordering::SeqCst) {
        let batch: Vec<Vec<String>> = (0..rng.random_range(1..30))
            .flat_map(|_| commands(rng))
            .collect();
        if client.pipeline(&batch).is_err() {
            return;
        }
    }
}

/// A command, or a transaction.
pub(crate) fn commands(rng: &mut SmallRng) -> Vec<Vec<String>> {
    let key = |rng: &mut SmallRng| format!("key:{}", rng.random_range(0..400));
    let text = |rng: &mut SmallRng| "v".repeat(rng.random_range(0..400));
    let words = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
    let one = match rng.random_range(0..100) {
        0..25 => words(&["SET", &key(rng), &text(rng)]),
        25..35 => words(&["APPEND", &key(rng), "x"]),
        35..50 => words(&["INCR", &format!("n:{}", rng.random_range(0..50))]),
        50..58 => words(&["DEL", &key(rng)]),
        58..64 => words(&["SET", &key(rng), "soon gone", "PX", "300"]),
        64..70 => words(&["EXPIRE", &key(rng), "1000"]),
        70..74 => words(&["GETDEL", &key(rng)]),
        74..80 => words(&[
            "MSET",
            &key(rng),
            "a",
            &key(rng),
            "b",
            &key(rng),
            &text(rng),
        ]),
        80..84 => words(&["RENAME", &key(rng), &key(rng)]),
        84..88 => words(&["SELECT", &rng.random_range(0..4).to_string()]),
        88..98 => {
            return vec![
                words(&["MULTI"]),
                words(&["INCR", "n:1"]),
                words(&["SET", &key(rng), &text(rng)]),
                words(&["APPEND", &key(rng), "y"]),
                words(&["EXEC"]),
            ];
        }
        98 => words(&["SETRANGE", &key(rng), "20", "abc"]),
        _ if rng.random_bool(0.05) => words(&["FLUSHDB"]),
        _ if rng.random_bool(0.1) => words(&["SWAPDB", "1", "2"]),
        _ => words(&["PERSIST", &key(rng)]),
    };
    vec![one]
}
