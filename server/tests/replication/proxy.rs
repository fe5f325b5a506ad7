//! A proxy between replica and master: it cuts links after some number of bytes from the master, slows them down,
//! silences either side, or has them die without a word.

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
    /// What replicas say is swallowed.
    deaf: AtomicBool,
    /// Bytes per second from the master; 0: no limit.
    pace: AtomicU64,
    /// Links so far; the first `dead` of them pass nothing on any more, and are not closed.
    links: AtomicU64,
    dead: AtomicU64,
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
            deaf: AtomicBool::new(false),
            pace: AtomicU64::new(0),
            links: AtomicU64::new(0),
            dead: AtomicU64::new(0),
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
                let number = own.links.fetch_add(1, Ordering::SeqCst) + 1;
                thread::spawn(move || pass(&own, link, budget, number));
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

impl Proxy {
    pub(crate) fn deaf(&self, deaf: bool) {
        self.shared.deaf.store(deaf, Ordering::SeqCst);
    }

    pub(crate) fn pace(&self, bytes_per_second: u64) {
        self.shared.pace.store(bytes_per_second, Ordering::SeqCst);
    }

    pub(crate) fn links(&self) -> u64 {
        self.shared.links.load(Ordering::SeqCst)
    }

    /// The links there are now are dead from here on, and neither side is told; new ones live.
    pub(crate) fn kill_links_silently(&self) {
        self.shared.dead.store(self.links(), Ordering::SeqCst);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn pass(shared: &Arc<Shared>, replica: TcpStream, budget: u64, number: u64) {
    let Ok(master) = TcpStream::connect(("127.0.0.1", shared.target)) else {
        return;
    };
    let (Ok(from), Ok(to)) = (replica.try_clone(), master.try_clone()) else {
        return;
    };
    let own = Arc::clone(shared);
    let up = thread::spawn(move || {
        carry(&own, &from, &to, Way::Up, u64::MAX, number);
        let _ = to.shutdown(Shutdown::Both);
    });
    carry(shared, &master, &replica, Way::Down, budget, number);
    let _ = replica.shutdown(Shutdown::Both);
    let _ = master.shutdown(Shutdown::Both);
    let _ = up.join();
}

#[derive(Clone, Copy, PartialEq)]
enum Way {
    /// From the replica to the master.
    Up,
    /// From the master to the replica.
    Down,
}

fn carry(
    shared: &Shared,
    mut from: &TcpStream,
    mut to: &TcpStream,
    way: Way,
    mut budget: u64,
    number: u64,
) {
    let mut bytes = vec![0; 64 * 1024];
    let _ = from.set_read_timeout(Some(Duration::from_millis(50)));
    let pause = || thread::sleep(Duration::from_millis(10));
    let is_over = || shared.over.load(Ordering::SeqCst);
    while !is_over() {
        let pace = shared.pace.load(Ordering::SeqCst);
        let slow = way == Way::Down && pace > 0;
        let most = if slow {
            (pace / 50).clamp(1, 65_536)
        } else {
            65_536
        };
        let read = match from.read(&mut bytes[..most as usize]) {
            Ok(0) => return,
            Ok(read) => read,
            Err(error) if crate::support::client::is_timeout(&error) => continue,
            Err(_) => return,
        };
        if slow {
            thread::sleep(Duration::from_millis(20));
        }
        while way == Way::Down && shared.mute.load(Ordering::SeqCst) && !is_over() {
            pause();
        }
        while number <= shared.dead.load(Ordering::SeqCst) && !is_over() {
            pause();
        }
        if way == Way::Up && shared.deaf.load(Ordering::SeqCst) {
            continue;
        }
        let passed = (read as u64).min(budget);
        budget -= passed;
        if to.write_all(&bytes[..passed as usize]).is_err() {
            return;
        }
        if budget == 0 {
            shared.cuts.fetch_add(1, Ordering::SeqCst);
            return;
        }
    }
}
