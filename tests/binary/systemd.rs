//! As a service of systemd: a socket that was opened before, and word of how the service is.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::process::{Command, Stdio};

use crate::program::{Ended, Folder, PATIENCE, Program, account};
use crate::wire::{call, nextcloud_with_a_note, post, post_request, read_answer, shown};

/// The program with this socket as descriptor 3.
fn activated(folder: Folder, socket: OwnedFd, env: &[(&str, &str)]) -> Program {
    let mut command = Command::new("/bin/sh");
    let script = "exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" \"$@\"";
    command.args(["-c", script, env!("CARGO_BIN_EXE_nextcloud-mcp-server"), "--port", "0"]);
    command.stdin(Stdio::from(socket));
    Program::run(folder, command, env)
}

#[test]
fn a_socket_that_systemd_opened_is_served() {
    let nextcloud = nextcloud_with_a_note();
    let env = account(nextcloud.url());
    let message = call(1, 88).to_string();

    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let mut program = activated(Folder::new(), listener.into(), &env);
    assert_eq!(program.address(), address);
    assert!(shown(&post(&address, "", &message).json()).contains("marked-content"));
    assert_eq!(program.stopped().status, Some(0));

    let folder = Folder::new();
    let path = folder.file("mcp.sock");
    let listener = UnixListener::bind(&path).expect("a socket");
    let mut program = activated(folder, listener.into(), &env);
    program.address();
    let mut stream = UnixStream::connect(&path).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let request = post_request("localhost", "", &message);
    std::io::Write::write_all(&mut stream, request.as_bytes()).expect("the server reads");
    assert!(shown(&read_answer(stream).json()).contains("marked-content"));
    program.signal("TERM");
    program.log.all();
    assert!(std::path::Path::new(&path).exists(), "the socket is systemd's to remove");
    assert_eq!(program.ended().status, Some(0));
}

#[test]
fn an_open_address_needs_a_token_whoever_opened_it() {
    let listener = TcpListener::bind("0.0.0.0:0").expect("a port");
    let Ended { status, log, .. } =
        activated(Folder::new(), listener.into(), &account("http://127.0.0.1:9")).ended();
    assert_eq!(status, Some(78));
    assert!(log.contains("MCP_AUTH_TOKEN"), "{log}");
}

#[test]
fn systemd_is_told_when_the_service_is_ready_alive_and_stopping() {
    let folder = Folder::new();
    let socket = UnixDatagram::bind(folder.file("notify")).expect("a socket");
    socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let told = || {
        let mut message = [0; 64];
        let length = socket.recv(&mut message).expect("a message");
        String::from_utf8_lossy(&message[..length]).into_owned()
    };
    let path = folder.file("notify");
    let env = [&account("http://127.0.0.1:9")[..], &[("NOTIFY_SOCKET", &path), ("WATCHDOG_USEC", "20000")]]
        .concat();
    let program = Program::spawn(folder, &["--port", "0"], &env);
    assert_eq!(told(), "READY=1");
    assert_eq!(told(), "WATCHDOG=1");
    program.signal("TERM");
    let last = std::iter::repeat_with(told).find(|message| message != "WATCHDOG=1");
    assert_eq!(last.as_deref(), Some("STOPPING=1"));
    assert_eq!(program.ended().status, Some(0));
}
