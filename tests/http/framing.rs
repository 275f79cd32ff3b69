//! Where one message ends and the next begins: nothing may be read in two ways.

use std::sync::{Arc, Mutex};

use nextcloud_mcp_server::http::Response;

use crate::wire::{Client, Site, patient, serve};

/// Sends the bytes and gives the status of the only answer, after which the connection ends; and what was carried out.
fn refused(requests: &[(String, u16)]) -> Vec<String> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = seen.clone();
    let site = Site::new(move |request| {
        log.lock().expect("no panic").push(request.head.target.clone());
        Response::empty(200)
    });
    let server = serve(patient(), site);
    for (bytes, expected) in requests {
        let mut client = Client::connect(&server);
        client.send(bytes);
        assert_eq!(client.last_answer().status, *expected, "{bytes:?}");
    }
    server.stop();
    seen.lock().expect("no panic").clone()
}

#[test]
fn w9_a_body_is_never_carried_out_as_the_next_request() {
    const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n";
    let requests: Vec<(String, u16)> = [
        ("Content-Length: abc", 400),
        ("Content-Length: -1", 400),
        ("Content-Length: +2", 400),
        ("Content-Length: 2, 2", 400),
        ("Content-Length: 2\r\nContent-Length: 2", 400),
        ("Content-Length: 0\r\nContent-Length: 36", 400),
        ("Content-Length: 100000000000000000000000", 413),
        ("Content-Length: 0\r\nTransfer-Encoding: chunked", 400),
        ("Transfer-Encoding: identity", 501),
        ("Transfer-Encoding: gzip", 501),
        ("Transfer-Encoding: xchunked", 501),
        ("Transfer-Encoding: chunked, identity", 501),
        ("Transfer-Encoding: chunked", 400),
    ]
    .map(|(fields, status)| {
        (format!("POST /first HTTP/1.1\r\nHost: h\r\n{fields}\r\n\r\n{SMUGGLED}"), status)
    })
    .to_vec();
    assert_eq!(refused(&requests), [""; 0]);
}

#[test]
fn w9_an_early_answer_never_lets_the_body_be_carried_out() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = seen.clone();
    let site = Site::new(move |request| {
        log.lock().expect("no panic").push(request.head.target.clone());
        Response::empty(200)
    })
    .admit(|head| if head.method == "POST" { Err(Response::empty(401)) } else { Ok(()) });
    let server = serve(patient(), site);
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n";
    let whole = smuggled.len();
    for fields in [
        format!("Content-Length: {}", whole + 1),
        "Content-Length: 1000000".to_owned(),
        format!("Content-Length: {whole}\r\nExpect: 100-continue"),
        "Transfer-Encoding: chunked".to_owned(),
    ] {
        let mut client = Client::connect(&server);
        client.send(&format!("POST / HTTP/1.1\r\nHost: h\r\n{fields}\r\n\r\n{smuggled}"));
        assert_eq!(client.last_answer().status, 401, "{fields}");
    }
    let mut client = Client::connect(&server);
    client.send(&format!("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {whole}\r\n\r\n{smuggled}"));
    assert_eq!(client.answer().status, 401);
    client.send("GET /next HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(client.answer().status, 200);
    assert_eq!(*seen.lock().expect("no panic"), ["/next"]);
}

#[test]
fn w10_a_header_cannot_split_the_response() {
    let server = serve(
        patient(),
        Site::new(|_| Response::text(200, "secret").with("X-A", "a\r\nX-Injected: yes\r\n\r\nbody")),
    );
    let mut client = Client::connect(&server);
    client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    let answer = client.answer();
    assert_eq!((answer.status, answer.header("x-injected")), (500, None));
    assert!(!answer.text().contains("secret"));
    client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(client.answer().status, 500);
}

#[test]
fn w11_malformed_heads_are_answered_and_not_carried_out() {
    let requests = [
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: h\r\nX: a\rb\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: h\r\n: v\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: h\r\nX Y: v\r\n\r\n", 400),
        ("GET / x HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        ("G<script>T / HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: h\r\nX: \u{fc}\r\n\r\n", 400),
        ("GET / HTTP/1.1\nHost: h\n\n", 400),
        ("\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        ("GET http://h/ HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        ("CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n", 501),
        ("TRACE / HTTP/1.1\r\nHost: h\r\n\r\n", 501),
        ("\x16\x03\x01\x02\x05\x01\x01\x01", 400),
    ]
    .map(|(bytes, status)| (bytes.to_owned(), status));
    assert_eq!(refused(&requests), [""; 0]);
}
