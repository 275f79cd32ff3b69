//! Streams of server-sent events.

use std::sync::{Mutex, mpsc};

use nextcloud_mcp_server::http::{EventSink, EventStream, Gone, Limits, Reply, Request, Response};

use crate::wire::{Client, PATIENCE, Site, eventually, patient, serve};

const GET: &str = "GET /events HTTP/1.1\r\nHost: h\r\n\r\n";

/// Runs this job for each request of `/events`.
fn events(job: impl Fn(&EventSink) + Clone + Send + Sync + 'static) -> Site {
    Site::new(move |request: Request| match request.head.path() {
        "/events" => {
            let job = job.clone();
            Reply::Events(EventStream::new(move |sink| job(sink)).with("X-A", "b"))
        }
        _ => Response::empty(200).into(),
    })
}

/// Reads one chunk; empty at the end of the stream.
fn chunk(client: &mut Client) -> String {
    let line = String::from_utf8(client.until(b"\r\n")).expect("ASCII");
    let length = usize::from_str_radix(line.trim_end(), 16).expect("a chunk size");
    let chunk = client.exactly(length);
    assert_eq!(client.exactly(2), b"\r\n");
    String::from_utf8(chunk).expect("UTF-8")
}

/// Reads one chunk that is not a sign of life.
fn event(client: &mut Client) -> String {
    loop {
        let chunk = chunk(client);
        if chunk != ":\n\n" {
            return chunk;
        }
    }
}

#[test]
fn w12_each_event_arrives_when_it_is_sent() {
    let (go, wait) = mpsc::channel::<&str>();
    let wait = std::sync::Arc::new(Mutex::new(wait));
    let site = events(move |sink| {
        while let Ok(data) = wait.lock().expect("no panic").recv() {
            sink.send(data).expect("the client is there");
        }
    });
    let server = serve(Limits { heartbeat_ms: 20, ..patient() }, site);
    let mut client = Client::connect(&server);
    client.send(GET);
    let answer = client.answer();
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("text/event-stream"));
    assert_eq!(answer.header("cache-control"), Some("no-cache"));
    assert_eq!(answer.header("x-accel-buffering"), Some("no"));
    assert_eq!(answer.header("x-a"), Some("b"));
    assert_eq!(answer.header("content-length"), None);
    for data in ["{\"n\":1}", "{\"n\":2}", "{\"n\":3}"] {
        go.send(data).expect("the job waits");
        assert_eq!(event(&mut client), format!("event: message\ndata: {data}\n\n"));
    }
    drop(go);
    assert_eq!(event(&mut client), "");
    client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(client.answer().status, 200);
}

#[test]
fn many_events_arrive_in_order() {
    let server = serve(
        patient(),
        events(|sink| (0..1_000).for_each(|n| sink.send(&n.to_string()).expect("the client is there"))),
    );
    let mut client = Client::connect(&server);
    client.send(GET);
    client.answer();
    for n in 0..1_000 {
        assert_eq!(event(&mut client), format!("event: message\ndata: {n}\n\n"));
    }
    assert_eq!(event(&mut client), "");
}

#[test]
fn a_silent_stream_shows_signs_of_life() {
    let (go, wait) = mpsc::channel::<()>();
    let wait = std::sync::Arc::new(Mutex::new(wait));
    let job = move |_: &EventSink| {
        let _ = wait.lock().expect("no panic").recv();
    };
    let server = serve(Limits { heartbeat_ms: 10, ..patient() }, events(job));
    let mut client = Client::connect(&server);
    client.send(GET);
    client.answer();
    assert_eq!((chunk(&mut client), chunk(&mut client)), (":\n\n".into(), ":\n\n".into()));
    drop(go);
    assert_eq!(event(&mut client), "");
}

#[test]
fn w14_a_job_learns_at_once_that_its_client_has_gone() {
    let (tell, told) = mpsc::channel();
    let tell = Mutex::new(tell);
    let tell = std::sync::Arc::new(tell);
    let job = move |sink: &EventSink| {
        sink.send("started").expect("the client is there");
        eventually("the client is gone", || sink.is_gone());
        let _ = tell.lock().expect("no panic").send(sink.send("too late"));
    };
    let server = serve(patient(), events(job));
    for pipelined in ["", "GET / HTTP/1.1\r\nHost: h\r\n\r\n"] {
        let mut client = Client::connect(&server);
        client.send(GET);
        client.answer();
        client.send(pipelined);
        event(&mut client);
        drop(client);
        assert_eq!(told.recv_timeout(PATIENCE), Ok(Err(Gone)));
    }
    eventually("the connections are gone", || server.connections() == 0);
}

#[test]
fn w4_a_job_whose_client_does_not_read_is_let_go() {
    let (tell, told) = mpsc::channel();
    let tell = std::sync::Arc::new(Mutex::new(tell));
    let job = move |sink: &EventSink| {
        let data = "a".repeat(100_000);
        while sink.send(&data).is_ok() {}
        let _ = tell.lock().expect("no panic").send(sink.is_gone());
    };
    let server = serve(Limits { write_ms: 100, ..patient() }, events(job));
    let mut client = Client::connect(&server);
    client.send(GET);
    assert_eq!(told.recv_timeout(PATIENCE), Ok(true));
    eventually("the connection is gone", || server.connections() == 0);
}

#[test]
fn a_panicking_job_breaks_its_stream_off_and_nothing_else() {
    let job = |sink: &EventSink| {
        sink.send("first").expect("the client is there");
        panic!("on purpose");
    };
    let server = serve(patient(), events(job));
    let mut client = Client::connect(&server);
    client.send(GET);
    client.answer();
    assert_eq!(event(&mut client), "event: message\ndata: first\n\n");
    assert_eq!(client.rest(), b"", "the end of the stream would say that it is whole");
    let mut other = Client::connect(&server);
    other.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(other.answer().status, 200);
}

#[test]
fn http_1_0_finds_the_end_of_the_stream_by_the_end_of_the_connection() {
    let server = serve(patient(), events(|sink| sink.send("only").expect("the client is there")));
    let mut client = Client::connect(&server);
    client.send("GET /events HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    let answer = client.answer();
    assert_eq!((answer.header("connection"), answer.header("transfer-encoding")), (Some("close"), None));
    assert_eq!(client.rest(), b"event: message\ndata: only\n\n");
}

#[test]
fn head_does_not_run_the_job() {
    let server = serve(patient(), events(|_| panic!("not to be run")));
    let mut client = Client::connect(&server);
    client.send("HEAD /events HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n");
    let answer = client.try_answer(true).expect("an answer");
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/event-stream")));
    assert_eq!(client.answer().header("content-length"), Some("0"));
}
