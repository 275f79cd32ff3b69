//! Limits on connections, and stopping.

use std::io::ErrorKind;
use std::net::TcpStream;
use std::sync::{Arc, Mutex, mpsc};

use nextcloud_mcp_server::http::{EventStream, Limits, Reply, Request, Response};

use crate::wire::{Client, PATIENCE, Site, eventually, is_served, patient, serve};

/// `/slow` says that it runs and then waits to be let go.
fn slow() -> (Site, mpsc::Receiver<()>, mpsc::Sender<()>) {
    let (tell, running) = mpsc::channel();
    let (go, wait) = mpsc::channel::<()>();
    let (tell, wait) = (Mutex::new(tell), Mutex::new(wait));
    let site = Site::new(move |request: Request| {
        if request.head.path() == "/slow" {
            let _ = tell.lock().expect("no panic").send(());
            let _ = wait.lock().expect("no panic").recv();
        }
        Response::text(200, "done")
    });
    (site, running, go)
}

#[test]
fn at_the_cap_a_newcomer_is_turned_away_only_if_all_are_busy() {
    let (site, running, go) = slow();
    let server = serve(Limits { connections_max: 1, ..patient() }, site);
    let mut half = Client::connect(&server);
    half.send("GET / HTTP/1.1\r\n");
    let mut bodiless = Client::connect(&server);
    bodiless.send("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n");
    assert_eq!(bodiless.answer().status, 100);
    assert_eq!(half.rest(), b"", "half a head counts as idle");
    let mut busy = Client::connect(&server);
    busy.send("GET /slow HTTP/1.1\r\nHost: h\r\n\r\n");
    running.recv_timeout(PATIENCE).expect("the request runs");
    assert_eq!(bodiless.rest(), b"", "a head without its body counts as idle");

    let mut newcomer = Client::connect(&server);
    let refused = newcomer.last_answer();
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    go.send(()).expect("the handler waits");
    assert_eq!(busy.answer().text(), "done");

    eventually("it counts as idle once its answer is written", || is_served(&server));
    assert_eq!(busy.rest(), b"");
}

#[test]
fn all_bodies_being_read_or_handled_have_a_limit_together() {
    let (site, running, go) = slow();
    let server = serve(Limits { bodies_bytes_max: 1_000, ..patient() }, site);
    let post = |path: &str| {
        let mut client = Client::connect(&server);
        let body = "a".repeat(900);
        client.send(&format!("POST {path} HTTP/1.1\r\nHost: h\r\nContent-Length: 900\r\n\r\n{body}"));
        client
    };
    let mut first = post("/slow");
    running.recv_timeout(PATIENCE).expect("the request runs");
    let refused = post("/").last_answer();
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    go.send(()).expect("the handler waits");
    assert_eq!(first.answer().status, 200);
    assert_eq!(post("/").answer().status, 200);
}

#[test]
fn w15_stopping_lets_running_requests_end_and_nothing_begin() {
    let (site, running, go) = slow();
    let server = serve(patient(), site);
    let address = server.local_addr().expect("TCP");
    let mut idle = Client::connect(&server);
    idle.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    idle.answer();
    let mut half = Client::connect(&server);
    half.send("GET / HT");
    let mut busy = Client::connect(&server);
    busy.send("GET /slow HTTP/1.1\r\nHost: h\r\n\r\nGET /pipelined HTTP/1.1\r\nHost: h\r\n\r\n");
    running.recv_timeout(PATIENCE).expect("the request runs");

    let stopping = std::thread::spawn(move || server.stop());
    assert_eq!((idle.rest(), half.rest()), (vec![], vec![]));
    eventually(
        "the port is closed",
        || matches!(TcpStream::connect(address), Err(error) if error.kind() == ErrorKind::ConnectionRefused),
    );
    assert!(!stopping.is_finished());
    go.send(()).expect("the handler waits");
    assert_eq!(busy.last_answer().text(), "done");
    stopping.join().expect("stopped");
}

#[test]
fn stopping_does_not_wait_for_ever() {
    let (tell, gone) = mpsc::channel();
    let tell = Arc::new(Mutex::new(tell));
    let site = Site::new(move |_: Request| {
        let tell = tell.clone();
        Reply::Events(EventStream::new(move |sink| {
            eventually("the stream is cut", || sink.is_gone());
            let _ = tell.lock().expect("no panic").send(());
        }))
    });
    let server = serve(Limits { stop_ms: 30, ..patient() }, site);
    let mut client = Client::connect(&server);
    client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    client.answer();
    server.stop();
    assert_eq!(gone.recv_timeout(PATIENCE), Ok(()));
    assert!(!client.rest().ends_with(b"0\r\n\r\n"), "a stream cut short is not whole");
}

#[test]
fn dropping_the_server_ends_it_too() {
    let server = serve(patient(), Site::echo());
    let address = server.local_addr().expect("TCP");
    let mut client = Client::connect(&server);
    client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    client.answer();
    drop(server);
    assert_eq!(client.rest(), b"");
    assert!(TcpStream::connect(address).is_err());
}
