//! The few system calls that std does not offer. The only module with `unsafe`; each block says why it is sound.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

/// What [`poll`] waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    /// Something to read, or the end.
    Read,
    /// Room to write.
    Write,
    /// Only that the other side has closed or is gone, whatever it sent before.
    Hangup,
}

impl Interest {
    fn events(self) -> libc::c_short {
        match self {
            Interest::Read => libc::POLLIN,
            Interest::Write => libc::POLLOUT,
            // POLLHUP and POLLERR are always reported; the half-close needs its own bit where there is one.
            #[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
            Interest::Hangup => libc::POLLRDHUP,
            #[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
            Interest::Hangup => 0,
        }
    }
}

/// Waits until one of the descriptors is ready or `timeout` has passed, and tells which are ready.
///
/// A signal ends the wait early with nothing ready: callers keep their own deadline. (poll(2))
pub fn poll<const N: usize>(
    watches: [(BorrowedFd<'_>, Interest); N],
    timeout: Duration,
) -> io::Result<[bool; N]> {
    let mut fds = watches.map(|(fd, interest)| libc::pollfd {
        fd: fd.as_raw_fd(),
        events: interest.events(),
        revents: 0,
    });
    // Rounded up: rounding down would spin through the last millisecond.
    let timeout_ms = timeout.as_nanos().div_ceil(1_000_000).min(i32::MAX as u128) as i32;
    // SAFETY: `fds` is an array of N initialised pollfd that outlives the call, and the descriptors are borrowed.
    let ready = unsafe { libc::poll(fds.as_mut_ptr(), N as libc::nfds_t, timeout_ms) };
    if ready < 0 {
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
        return Ok([false; N]);
    }
    Ok(fds.map(|fd| fd.revents != 0))
}

/// Lets `waiting` connections queue up before the kernel refuses more; std asks for 128. (listen(2))
pub fn set_backlog(listener: BorrowedFd<'_>, waiting: i32) -> io::Result<()> {
    // SAFETY: plain call on a borrowed descriptor; listening again only changes the length of the queue.
    check(unsafe { libc::listen(listener.as_raw_fd(), waiting) }).map(drop)
}

/// Takes a listening socket that the parent process left open under this number, and closes it on exec.
///
/// Fails if nothing is open there, or something that is not a listening stream socket. To be called once per number:
/// a second owner would close it under the first. (sd_listen_fds(3))
pub fn adopt_listener(number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: fcntl with F_GETFD takes any number and fails with EBADF where nothing is open.
    let flags = check(unsafe { libc::fcntl(number, libc::F_GETFD) })?;
    let mut listening: libc::c_int = 0;
    let mut size = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: both pointers are to live variables and `size` is the size of the first.
    check(unsafe {
        libc::getsockopt(
            number,
            libc::SOL_SOCKET,
            libc::SO_ACCEPTCONN,
            (&raw mut listening).cast(),
            &raw mut size,
        )
    })?;
    if listening == 0 {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a listening socket"));
    }
    // SAFETY: fcntl with F_SETFD changes a flag of a descriptor just seen to be open.
    check(unsafe { libc::fcntl(number, libc::F_SETFD, flags | libc::FD_CLOEXEC) })?;
    // SAFETY: the descriptor is open, and by the protocol of socket activation it is ours alone.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// A signal that asks the program to stop, or to read its files again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopSignal {
    /// SIGTERM: systemd and container runtimes.
    Terminate,
    /// SIGINT: Ctrl-C.
    Interrupt,
    /// SIGHUP: the terminal went away, or by custom a reload.
    Hangup,
}

/// SIGTERM, SIGINT and SIGHUP, kept from interrupting the program so that one thread can wait for them.
///
/// SIGPIPE needs nothing: Rust's runtime ignores it before `main`.
pub struct StopSignals(libc::sigset_t);

impl StopSignals {
    /// Blocks the signals in this thread and in all threads it starts from now on: call it first in `main`.
    pub fn block() -> io::Result<StopSignals> {
        let mut set = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: sigemptyset initialises the set it is given; sigaddset takes valid signal numbers.
        let set = unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP] {
                libc::sigaddset(set.as_mut_ptr(), signal);
            }
            set.assume_init()
        };
        // SAFETY: the set is initialised, and the old mask is not asked for.
        match unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) } {
            0 => Ok(StopSignals(set)),
            code => Err(io::Error::from_raw_os_error(code)),
        }
    }

    /// Sleeps until one of the signals arrives. (sigwait(3))
    pub fn wait(&self) -> io::Result<StopSignal> {
        loop {
            let mut signal: libc::c_int = 0;
            // SAFETY: the set is initialised and `signal` lives through the call.
            match unsafe { libc::sigwait(&raw const self.0, &raw mut signal) } {
                0 => {}
                libc::EINTR => continue,
                code => return Err(io::Error::from_raw_os_error(code)),
            }
            return Ok(match signal {
                libc::SIGINT => StopSignal::Interrupt,
                libc::SIGHUP => StopSignal::Hangup,
                _ => StopSignal::Terminate,
            });
        }
    }
}

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    #[test]
    fn poll_tells_which_descriptor_is_ready() {
        let (ours, mut theirs) = UnixStream::pair().expect("a pair");
        let quiet = poll([(ours.as_fd(), Interest::Read)], Duration::from_millis(1)).expect("poll");
        assert_eq!(quiet, [false]);
        theirs.write_all(b"x").expect("write");
        let watches = [(ours.as_fd(), Interest::Hangup), (ours.as_fd(), Interest::Read)];
        assert_eq!(poll(watches, Duration::from_secs(5)).expect("poll"), [false, true]);
        drop(theirs);
        assert_eq!(poll(watches, Duration::from_secs(5)).expect("poll"), [true, true]);
    }

    #[test]
    fn a_blocked_signal_is_waited_for() {
        let signals = StopSignals::block().expect("block");
        for (number, expected) in [
            (libc::SIGTERM, StopSignal::Terminate),
            (libc::SIGINT, StopSignal::Interrupt),
            (libc::SIGHUP, StopSignal::Hangup),
        ] {
            // SAFETY: raise sends to this thread only, which blocks the signal.
            unsafe { libc::raise(number) };
            assert_eq!(signals.wait().expect("wait"), expected);
        }
    }

    #[test]
    fn adopting_what_is_not_a_listener_fails() {
        assert!(adopt_listener(1_000_000).is_err());
        let (socket, _other) = UnixStream::pair().expect("a pair");
        assert!(adopt_listener(socket.as_raw_fd()).is_err());
    }

    #[test]
    fn a_broken_pipe_does_not_kill_the_program() {
        let (mut ours, theirs) = UnixStream::pair().expect("a pair");
        drop(theirs);
        assert_eq!(ours.write(b"x").map_err(|e| e.kind()), Err(io::ErrorKind::BrokenPipe));
    }
}
