//! What systemd offers a service: sockets opened for it, and a place to say how it is (sd_listen_fds(3), sd_notify(3)).
//!
//! The values of the environment variables are parameters: reading the environment is for the command line.

use std::io::{self, ErrorKind};
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use crate::sys;

use super::server::Listener;

/// The first descriptor handed over.
const LISTEN_FDS_START: i32 = 3;
const LISTEN_FDS_MAX: i32 = 16;

/// The variables of socket activation, as they stand in the environment.
#[derive(Debug, Clone, Default)]
pub struct Activation {
    /// `LISTEN_PID`: the process the sockets are meant for.
    pub listen_pid: Option<String>,
    /// `LISTEN_FDS`: how many there are, from descriptor 3 on.
    pub listen_fds: Option<String>,
    /// `LISTEN_FDNAMES`: their names (`FileDescriptorName=`), separated by colons.
    pub listen_fdnames: Option<String>,
}

impl Activation {
    /// Takes over the sockets meant for this process, with their names; none is no error.
    ///
    /// To be called once: a second call would own the same descriptors again. Fails if a number is malformed or a
    /// descriptor is not a listening stream socket (`Accept=yes` is not supported).
    pub fn listeners(&self) -> io::Result<Vec<(String, Listener)>> {
        let (Some(pid), Some(count)) = (&self.listen_pid, &self.listen_fds) else { return Ok(Vec::new()) };
        let pid: u32 = pid.trim().parse().map_err(|_| invalid("LISTEN_PID is not a number"))?;
        if pid != std::process::id() {
            return Ok(Vec::new());
        }
        let count: i32 = count.trim().parse().map_err(|_| invalid("LISTEN_FDS is not a number"))?;
        if !(0..=LISTEN_FDS_MAX).contains(&count) {
            return Err(invalid("LISTEN_FDS is negative or larger than 16"));
        }
        let mut names = self.listen_fdnames.as_deref().unwrap_or_default().split(':');
        (LISTEN_FDS_START..LISTEN_FDS_START + count)
            .map(|number| {
                let name = names.next().unwrap_or_default().to_owned();
                Ok((name, Listener::from_fd(sys::adopt_listener(number)?)?))
            })
            .collect()
    }
}

/// Tells the service manager how the service is. Does nothing where nobody asked.
pub struct Notifier(Option<(UnixDatagram, SocketAddr)>);

impl Notifier {
    /// `notify_socket` is the value of `NOTIFY_SOCKET`: an absolute path, or `@` and an abstract name.
    pub fn new(notify_socket: Option<&str>) -> io::Result<Notifier> {
        let Some(name) = notify_socket.filter(|name| !name.is_empty()) else { return Ok(Notifier(None)) };
        let address = match name.strip_prefix('@') {
            Some(name) => abstract_address(name)?,
            None if name.starts_with('/') => SocketAddr::from_pathname(name)?,
            None => return Err(invalid("NOTIFY_SOCKET is neither an absolute path nor an abstract name")),
        };
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        Ok(Notifier(Some((socket, address))))
    }

    /// The service listens (`READY=1`).
    pub fn ready(&self) -> io::Result<()> {
        self.send("READY=1")
    }

    /// The service has begun to stop (`STOPPING=1`).
    pub fn stopping(&self) -> io::Result<()> {
        self.send("STOPPING=1")
    }

    /// The service is alive (`WATCHDOG=1`); due once per [`watchdog_interval`].
    pub fn watchdog(&self) -> io::Result<()> {
        self.send("WATCHDOG=1")
    }

    fn send(&self, message: &str) -> io::Result<()> {
        match &self.0 {
            Some((socket, address)) => socket.send_to_addr(message.as_bytes(), address).map(drop),
            None => Ok(()),
        }
    }
}

/// How often the service manager wants [`Notifier::watchdog`]: half of `WATCHDOG_USEC`, as sd_watchdog_enabled(3) advises.
///
/// `None` where no watchdog is set, or for another process than this (`WATCHDOG_PID`).
pub fn watchdog_interval(watchdog_usec: Option<&str>, watchdog_pid: Option<&str>) -> Option<Duration> {
    if watchdog_pid.is_some_and(|pid| pid.trim().parse() != Ok(std::process::id())) {
        return None;
    }
    let usec: u64 = watchdog_usec?.trim().parse().ok()?;
    (usec > 0).then(|| Duration::from_micros(usec / 2))
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn abstract_address(name: &str) -> io::Result<SocketAddr> {
    use std::os::linux::net::SocketAddrExt;
    SocketAddr::from_abstract_name(name)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn abstract_address(_name: &str) -> io::Result<SocketAddr> {
    Err(ErrorKind::Unsupported.into())
}

fn invalid(message: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, message)
}
