//! Unix sockets, sockets handed over by systemd, and what systemd is told.

use std::io::{ErrorKind, PipeWriter, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use nextcloud_mcp_server::http::{Activation, Listener, Notifier, Peer, Response, Server, watchdog_interval};

use crate::wire::{Site, patient};

/// A directory of its own for each test, removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let path = std::env::temp_dir().join(format!("http-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a directory");
        Scratch(path)
    }

    fn socket(&self) -> PathBuf {
        self.0.join("socket")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn ask(mut stream: impl Read + Write) -> String {
    stream.write_all(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").expect("the server reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

fn peer_site() -> Arc<Site> {
    Arc::new(Site::new(|request| match request.head.peer {
        Peer::Unix => Response::text(200, "unix"),
        Peer::Ip(_) => Response::text(200, "ip"),
    }))
}

#[test]
fn a_unix_socket_is_served_and_removed_at_the_end() {
    let scratch = Scratch::new("served");
    let listener = Listener::bind_unix(scratch.socket()).expect("a socket");
    let server = Server::start(listener, patient(), peer_site()).expect("a server");
    assert_eq!(server.local_addr(), None);
    let mode = std::fs::metadata(scratch.socket()).expect("the socket").permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    let answer = ask(UnixStream::connect(scratch.socket()).expect("a connection"));
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\nunix"), "{answer}");
    server.stop();
    assert!(!scratch.socket().exists());
}

#[test]
fn only_a_socket_left_behind_is_replaced() {
    let scratch = Scratch::new("stale");
    drop(UnixListener::bind(scratch.socket()).expect("a socket"));
    assert!(scratch.socket().exists());
    let first = Listener::bind_unix(scratch.socket()).expect("the stale socket is replaced");
    let second = Listener::bind_unix(scratch.socket()).map(drop).map_err(|error| error.kind());
    assert_eq!(second, Err(ErrorKind::AddrInUse));
    assert!(UnixStream::connect(scratch.socket()).is_ok());
    drop(first);

    std::fs::write(scratch.socket(), "precious").expect("a file");
    assert!(Listener::bind_unix(scratch.socket()).is_err());
    assert_eq!(std::fs::read_to_string(scratch.socket()).expect("the file"), "precious");
}

/// Serves one connection on each socket handed over, as the service would; started by the tests below.
#[test]
#[ignore = "not a test: the other process of socket activation"]
fn activated_process() {
    let value = |name: &str| std::env::var(name).ok();
    let activation = Activation {
        listen_pid: value("LISTEN_PID"),
        listen_fds: value("LISTEN_FDS"),
        listen_fdnames: value("LISTEN_FDNAMES"),
    };
    let listeners = activation.listeners().expect("usable sockets");
    let names: Vec<String> = listeners.iter().map(|(name, _)| name.clone()).collect();
    let servers: Vec<Server> = listeners
        .into_iter()
        .map(|(_, listener)| Server::start(listener, patient(), peer_site()).expect("a server"))
        .collect();
    println!("\nnames={}", names.join(","));
    let _ = std::io::stdin().read_line(&mut String::new());
    servers.into_iter().for_each(Server::stop);
}

/// The process above, with this socket as descriptor 3, as systemd starts it.
struct Activated {
    child: Child,
    /// Closing it ends the process.
    running: PipeWriter,
}

impl Activated {
    fn start(socket: OwnedFd, environment: &str) -> Activated {
        let (end, running) = std::io::pipe().expect("a pipe");
        let script = format!("exec 3<&0 0<&2 2>/dev/null; export {environment}; exec \"$0\" \"$@\"");
        let child = Command::new("sh")
            .args(["-c", &script])
            .arg(std::env::current_exe().expect("the test program"))
            .args(["--exact", "sockets::activated_process", "--ignored", "--nocapture"])
            .stdin(Stdio::from(socket))
            .stdout(Stdio::piped())
            .stderr(Stdio::from(OwnedFd::from(end)))
            .spawn()
            .expect("a child process");
        Activated { child, running }
    }

    /// Lets the process end and gives the names of its sockets; `None` if it failed.
    fn names(self) -> Option<String> {
        drop(self.running);
        let output = self.child.wait_with_output().expect("its output");
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        let names = text.lines().find_map(|line| line.strip_prefix("names=")).map(str::to_owned);
        names.filter(|_| output.status.success())
    }
}

#[test]
fn sockets_of_either_family_are_taken_over() {
    let scratch = Scratch::new("activated");
    let tcp = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = tcp.local_addr().expect("an address");
    let unix = UnixListener::bind(scratch.socket()).expect("a socket");

    let process = Activated::start(tcp.into(), "LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=web");
    assert!(ask(TcpStream::connect(address).expect("a connection")).ends_with("\r\n\r\nip"));
    assert_eq!(process.names().as_deref(), Some("web"));

    let process = Activated::start(unix.into(), "LISTEN_PID=$$ LISTEN_FDS=1");
    assert!(ask(UnixStream::connect(scratch.socket()).expect("a connection")).ends_with("\r\n\r\nunix"));
    assert_eq!(process.names().as_deref(), Some(""));
    assert!(scratch.socket().exists(), "the socket is systemd's, not ours to remove");
}

#[test]
fn what_is_not_a_listening_socket_is_not_taken_over() {
    let (socket, _other) = UnixStream::pair().expect("a pair");
    assert_eq!(Activated::start(socket.into(), "LISTEN_PID=$$ LISTEN_FDS=1").names(), None);
}

#[test]
fn sockets_meant_for_another_process_or_none_are_left_alone() {
    let values = |pid: Option<String>, fds: Option<&str>| Activation {
        listen_pid: pid,
        listen_fds: fds.map(str::to_owned),
        listen_fdnames: None,
    };
    let ours = || Some(std::process::id().to_string());
    for activation in [
        Activation::default(),
        values(Some("1".into()), Some("1")),
        values(None, Some("1")),
        values(ours(), None),
        values(ours(), Some("0")),
    ] {
        assert_eq!(activation.listeners().expect("nothing wrong").len(), 0, "{activation:?}");
    }
    for activation in [
        values(Some("one".into()), Some("1")),
        values(ours(), Some("x")),
        values(ours(), Some("-1")),
        values(ours(), Some("17")),
    ] {
        assert!(activation.listeners().is_err(), "{activation:?}");
    }
}

#[test]
fn the_service_manager_is_told() {
    let scratch = Scratch::new("notify");
    let by_path = UnixDatagram::bind(scratch.socket()).expect("a socket");
    let name = format!("http-notify-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).expect("an address");
    let by_name = UnixDatagram::bind_addr(&address).expect("a socket");
    for (socket, value) in [(by_path, scratch.socket().display().to_string()), (by_name, format!("@{name}"))]
    {
        let notifier = Notifier::new(Some(&value)).expect("an address");
        notifier.ready().expect("sent");
        notifier.watchdog().expect("sent");
        notifier.stopping().expect("sent");
        for expected in ["READY=1", "WATCHDOG=1", "STOPPING=1"] {
            let mut message = [0; 64];
            let length = socket.recv(&mut message).expect("a message");
            assert_eq!(&message[..length], expected.as_bytes());
        }
    }
    for nobody in [None, Some("")] {
        assert!(Notifier::new(nobody).expect("nothing to do").ready().is_ok());
    }
    assert!(Notifier::new(Some("relative/path")).is_err());
    let deaf = Notifier::new(Some("/nonexistent/socket")).expect("an address");
    assert!(deaf.ready().is_err());
}

#[test]
fn the_watchdog_is_fed_twice_as_often_as_it_bites() {
    let ours = std::process::id().to_string();
    assert_eq!(watchdog_interval(Some("30000000"), None), Some(Duration::from_secs(15)));
    assert_eq!(watchdog_interval(Some("30000000"), Some(&ours)), Some(Duration::from_secs(15)));
    assert_eq!(watchdog_interval(Some("30000000"), Some("1")), None);
    assert_eq!(watchdog_interval(Some("0"), None), None);
    assert_eq!(watchdog_interval(Some("soon"), None), None);
    assert_eq!(watchdog_interval(None, None), None);
}
