//! Over HTTP, from the first call to the end of the process.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use nextcloud_mcp_server::replay::server::Loopback;
use serde_json::json;

use crate::program::{Folder, PASSWORD, PATIENCE, Program, account};
use crate::wire::{
    MODERN, call, modern_call, nextcloud, nextcloud_with_a_note, note, post, post_request, read_answer, send,
    shown,
};

#[test]
fn a_call_goes_through_to_nextcloud_and_back() {
    let (seen, credentials) = channel();
    let nextcloud = nextcloud(move |request| {
        let _ = seen.send(request.header("Authorization").map(str::to_owned));
        note(88)
    });
    let mut program = Program::serve(nextcloud.url(), &[], &[]);
    let address = program.address();
    for (headers, message) in [("", call(1, 88)), (MODERN, modern_call(1, 88))] {
        let answer = post(&address, headers, &message.to_string());
        assert_eq!(answer.status, 200, "{}", answer.whole);
        let answer = answer.json();
        assert_eq!(answer["id"], 1);
        assert!(shown(&answer).contains("marked-content"), "{answer}");
        let credential = format!("Basic {}", BASE64.encode(format!("alice:{PASSWORD}")));
        assert_eq!(credentials.recv_timeout(PATIENCE), Ok(Some(credential)));
    }
    let ended = program.stopped();
    assert_eq!((ended.status, ended.output.as_str()), (Some(0), ""));
}

/// A Nextcloud that says when it was asked, and answers when it is told to.
fn held_nextcloud() -> (Loopback, Receiver<()>, Sender<()>) {
    let (ask, asked) = channel();
    let (release, released) = channel::<()>();
    let released = Mutex::new(released);
    let nextcloud = nextcloud(move |_| {
        let _ = ask.send(());
        let _ = released.lock().expect("one request at a time").recv_timeout(PATIENCE);
        note(88)
    });
    (nextcloud, asked, release)
}

#[test]
fn a_call_that_runs_is_answered_before_the_program_stops() {
    for (signal, named) in [("TERM", "Terminate"), ("INT", "Interrupt")] {
        let (nextcloud, asked, release) = held_nextcloud();
        let mut program = Program::serve(nextcloud.url(), &[], &[]);
        let address = program.address();
        let mut idle = send(&address, "");
        let running = send(&address, &post_request(&address, "", &call(7, 88).to_string()));
        asked.recv_timeout(PATIENCE).expect("the call reaches Nextcloud");
        program.signal(signal);
        program.log.until(&format!("Stopping signal={named}"));
        assert_eq!(idle.read(&mut [0]).ok(), Some(0), "an idle connection is closed at once");
        release.send(()).expect("Nextcloud waits");
        let answer = read_answer(running);
        assert!(shown(&answer.json()).contains("marked-content"), "{}", answer.whole);
        assert_eq!(program.ended().status, Some(0));
    }
}

#[test]
fn a_second_signal_breaks_off_what_runs_and_its_caller_is_told() {
    let mut write = call(7, 88);
    write["params"]["name"] = "nc_notes_create_note".into();
    write["params"]["arguments"] = json!({"title": "a", "content": "b", "category": ""});
    for (message, told) in
        [(call(7, 88), "the program is stopping"), (write, "Look whether it was done before you try again")]
    {
        let (nextcloud, asked, _release) = held_nextcloud();
        let mut program = Program::serve(nextcloud.url(), &[], &[]);
        let address = program.address();
        let running = send(&address, &post_request(&address, "", &message.to_string()));
        asked.recv_timeout(PATIENCE).expect("the call reaches Nextcloud");
        program.signal("TERM");
        program.log.until("Stopping signal=Terminate");
        program.signal("INT");
        program.log.until("Breaking off the calls that run signal=Interrupt");
        let answer = read_answer(running).json();
        assert_eq!(answer["result"]["isError"], true, "{answer}");
        assert!(shown(&answer).contains(told), "{answer}");
        assert_eq!(program.ended().status, Some(0));
    }
}

#[test]
fn a_port_in_use_is_told_and_ends_with_69() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address");
    let args = ["--port", &address.port().to_string()];
    let ended = Program::spawn(Folder::new(), &args, &account("http://127.0.0.1:9")).ended();
    assert_eq!(ended.status, Some(69));
    let start = format!("{address} cannot be listened on: Address already in use");
    assert!(ended.log.lines().any(|line| line.starts_with(&start)), "{}", ended.log);
}

#[test]
fn with_a_token_only_its_holders_are_served() {
    let nextcloud = nextcloud_with_a_note();
    let token = "a-token-of-this-test_0123456789";
    let mut program = Program::serve(nextcloud.url(), &[], &[("MCP_AUTH_TOKEN", token)]);
    let address = program.address();
    let message = call(1, 88).to_string();
    for (headers, status) in [
        (format!("Authorization: Bearer {token}\r\n"), 200),
        (format!("authorization: bearer {token}\r\n"), 200),
        (String::new(), 401),
        (format!("Authorization: Bearer {token}x\r\n"), 401),
        (format!("Authorization: Basic {token}\r\n"), 401),
    ] {
        let answer = post(&address, &headers, &message);
        assert_eq!(answer.status, status, "{headers}{}", answer.whole);
        assert_eq!(answer.whole.contains("\r\nWWW-Authenticate: Bearer"), status == 401, "{}", answer.whole);
    }
}

#[test]
fn health_tells_without_a_token() {
    let nextcloud = nextcloud_with_a_note();
    let mut program = Program::serve(nextcloud.url(), &[], &[("MCP_AUTH_TOKEN", "0123456789abcdef")]);
    let address = program.address();
    let get = format!("GET /health/live HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    assert_eq!(read_answer(send(&address, &get)).status, 200);
}

#[test]
fn a_unix_socket_serves_and_is_removed_at_the_end() {
    let nextcloud = nextcloud_with_a_note();
    let mut program = Program::serve(nextcloud.url(), &["--unix-socket", "mcp.sock"], &[]);
    assert_eq!(program.address(), "a Unix socket");
    let path = program.folder().file("mcp.sock");
    let mut stream = UnixStream::connect(&path).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let request = post_request("localhost", "", &call(1, 88).to_string());
    stream.write_all(request.as_bytes()).expect("the server reads");
    let answer = read_answer(stream);
    assert!(shown(&answer.json()).contains("marked-content"), "{}", answer.whole);
    program.signal("TERM");
    program.log.all();
    assert!(!std::path::Path::new(&path).exists());
    assert_eq!(program.ended().status, Some(0));
}
