//! A proxy between replica and master that cuts the link after some number of bytes from the master.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

pub(crate) struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    target: u16,
    /// Each link gets at most so many bytes, chosen at random; 0: as many as it wants.
    most_bytes: AtomicU64,
    cuts: AtomicU64,
    /// Links are accepted and nothing is passed on any more.
    mute: AtomicBool,
    over: AtomicBool,
}

impl Proxy {
    pub(crate) fn start(target: u16, seed: u64) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let shared = Arc::new(Shared {
            target,
            most_bytes: AtomicU64::new(0),
            cuts: AtomicU64::new(0),
            mute: AtomicBool::new(false),
            over: AtomicBool::new(false),
        });
        let own = Arc::clone(&shared);
        thread::spawn(move || {
            let mut rng = SmallRng::seed_from_u64(seed);
            for link in listener.incoming() {
                if own.over.load(Ordering::SeqCst) {
                    return;
                }
                let (Ok(link), own) = (link, Arc::clone(&own)) else {
                    continue;
                };
                let budget = match own.most_bytes.load(Ordering::SeqCst) {
                    0 => u64::MAX,
                    most => rng.random_range(1..=most),
                };
                thread::spawn(move || pass(&own, link, budget));
            }
        });
        Proxy { port, shared }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn cut_within(&self, most_bytes: u64) {
        self.shared.most_bytes.store(most_bytes, Ordering::SeqCst);
    }

    pub(crate) fn cuts(&self) -> u64 {
        self.shared.cuts.load(Ordering::SeqCst)
    }

    pub(crate) fn mute(&self, mute: bool) {
        self.shared.mute.store(mute, Ordering::SeqCst);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn pass(shared: &Arc<Shared>, replica: TcpStream, budget: u64) {
    let Ok(master) = TcpStream::connect(("127.0.0.1", shared.target)) else {
        return;
    };
    let (Ok(mut from), Ok(mut to)) = (replica.try_clone(), master.try_clone()) else {
        return;
    };
    let up = thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Both);
    });
    down(shared, &master, &replica, budget);
    let _ = replica.shutdown(Shutdown::Both);
    let _ = master.shutdown(Shutdown::Both);
    let _ = up.join();
}

fn down(shared: &Shared, mut master: &TcpStream, mut replica: &TcpStream, mut budget: u64) {
    let mut bytes = vec![0; 64 * 1024];
    let _ = master.set_read_timeout(Some(Duration::from_millis(50)));
    while !shared.over.load(Ordering::SeqCst) {
        let read = match master.read(&mut bytes) {
            Ok(0) => return,
            Ok(read) => read,
            Err(error) if crate::support::client::is_timeout(&error) => continue,
            Err(_) => return,
        };
        while shared.mute.load(Ordering::SeqCst) && !shared.over.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(10));
        }
        let passed = (read as u64).min(budget);
        budget -= passed;
        if replica.write_all(&bytes[..passed as usize]).is_err() {
            return;
        }
        if budget == 0 {
            shared.cuts.fetch_add(1, Ordering::SeqCst);
            return;
        }
    }
}
