//! The one thing a worker waits on: epoll, edge-triggered, with timeouts finer than a millisecond.
//!
//! An open loop sends an operation every few microseconds, and what the wait oversleeps is counted
//! as latency; plain `epoll_wait` rounds to milliseconds. Hence `epoll_pwait2`, and plain
//! `epoll_wait` on a kernel older than 5.11.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

/// What happened to one registered descriptor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ready {
    pub(crate) token: usize,
    pub(crate) readable: bool,
    pub(crate) writable: bool,
}

pub(crate) struct Epoll {
    fd: OwnedFd,
    events: Vec<libc::epoll_event>,
    has_pwait2: bool,
}

impl Epoll {
    pub(crate) fn new() -> io::Result<Epoll> {
        // SAFETY: no pointers are passed; the result is checked before it is owned.
        let fd = check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        // SAFETY: the kernel has just given us this descriptor and nobody else knows it.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        Ok(Epoll {
            fd,
            events: vec![libc::epoll_event { events: 0, u64: 0 }; 1024],
            has_pwait2: true,
        })
    }

    /// Reports readiness of `target` as `token` from now on, once per change. The registration
    /// ends when the descriptor is closed.
    pub(crate) fn add(&self, target: BorrowedFd<'_>, token: usize) -> io::Result<()> {
        let interest = libc::EPOLLIN | libc::EPOLLOUT | libc::EPOLLRDHUP | libc::EPOLLET;
        let mut event = libc::epoll_event {
            events: interest as u32,
            u64: token as u64,
        };
        // SAFETY: both descriptors are open, and the event outlives the call.
        let added = unsafe {
            libc::epoll_ctl(
                self.fd.as_raw_fd(),
                libc::EPOLL_CTL_ADD,
                target.as_raw_fd(),
                &mut event,
            )
        };
        check(added).map(drop)
    }

    /// Waits for an event or the timeout; returns how many events [`Epoll::ready`] now holds.
    pub(crate) fn wait(&mut self, timeout: Duration) -> io::Result<usize> {
        loop {
            let outcome = if self.has_pwait2 {
                self.pwait2(timeout)
            } else {
                self.plain_wait(timeout)
            };
            match outcome {
                Err(error) if error.raw_os_error() == Some(libc::ENOSYS) && self.has_pwait2 => {
                    self.has_pwait2 = false;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(0),
                other => return other,
            }
        }
    }

    /// The `index`th event of the last wait.
    pub(crate) fn ready(&self, index: usize) -> Ready {
        let event = self.events[index];
        let ended = libc::EPOLLHUP | libc::EPOLLRDHUP | libc::EPOLLERR;
        Ready {
            token: event.u64 as usize,
            // A read finds out how the connection ended.
            readable: event.events & (libc::EPOLLIN | ended) as u32 != 0,
            writable: event.events & libc::EPOLLOUT as u32 != 0,
        }
    }

    fn pwait2(&mut self, timeout: Duration) -> io::Result<usize> {
        let timeout = libc::timespec {
            tv_sec: timeout.as_secs() as libc::time_t,
            tv_nsec: libc::c_long::from(timeout.subsec_nanos() as i32),
        };
        // SAFETY: the buffer is valid for as many events as its length says, the timespec outlives
        // the call, and a null signal mask is allowed.
        let count = unsafe {
            libc::syscall(
                libc::SYS_epoll_pwait2,
                self.fd.as_raw_fd(),
                self.events.as_mut_ptr(),
                self.events.len() as libc::c_int,
                &raw const timeout,
                std::ptr::null::<libc::sigset_t>(),
                0usize,
            )
        };
        if count < 0 {
            Err(io::Error::last_os_error())
        } else {
            Ok(count as usize)
        }
    }

    fn plain_wait(&mut self, timeout: Duration) -> io::Result<usize> {
        let timeout_ms = timeout.as_micros().div_ceil(1000).min(60_000) as libc::c_int;
        // SAFETY: the buffer is valid for as many events as its length says.
        let count = unsafe {
            libc::epoll_wait(
                self.fd.as_raw_fd(),
                self.events.as_mut_ptr(),
                self.events.len() as libc::c_int,
                timeout_ms,
            )
        };
        check(count).map(|count| count as usize)
    }
}

/// Lets timers of this thread fire on time rather than up to 50 µs late, which an open loop would
/// report as latency of the server.
pub(crate) fn sharpen_timers() {
    // SAFETY: this option takes one integer and touches no memory. A refusal costs only precision.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1u64) };
}

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::fd::AsFd as _;
    use std::os::unix::net::UnixStream;
    use std::time::Instant;

    use super::*;

    #[test]
    fn readiness_and_timeouts_arrive_with_either_system_call() {
        for has_pwait2 in [true, false] {
            let (mut near, far) = UnixStream::pair().unwrap();
            let mut epoll = Epoll::new().unwrap();
            epoll.has_pwait2 &= has_pwait2;
            epoll.add(far.as_fd(), 7).unwrap();
            assert_eq!(epoll.wait(Duration::from_secs(5)).unwrap(), 1);
            assert!(epoll.ready(0).writable && !epoll.ready(0).readable);
            near.write_all(b"x").unwrap();
            assert_eq!(epoll.wait(Duration::from_secs(5)).unwrap(), 1);
            assert!(epoll.ready(0).readable && epoll.ready(0).token == 7);
            let start = Instant::now();
            assert_eq!(
                epoll.wait(Duration::from_millis(3)).unwrap(),
                0,
                "an edge comes once"
            );
            assert!(start.elapsed() >= Duration::from_millis(3));
        }
    }
}
