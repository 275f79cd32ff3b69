//! Ordinary requests and answers, in all the forms that HTTP/1 allows.

use nextcloud_mcp_server::http::{Handler, Head, Limits, Peer, Reply, Request, Response};

use crate::wire::{Client, Site, patient, serve};

#[test]
fn keep_alive_serves_one_request_after_the_other() {
    let server = serve(patient(), Site::echo());
    let mut client = Client::connect(&server);
    for n in 0..5 {
        let body = format!("body {n}");
        client.send(&format!(
            "POST /p?q={n} HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ));
        let answer = client.answer();
        assert_eq!((answer.status, answer.text()), (200, format!("POST /p?q={n}\nbody {n}")));
        assert_eq!(answer.header("connection"), None);
    }
}

#[test]
fn a_request_may_arrive_byte_by_byte() {
    let server = serve(patient(), Site::echo());
    let mut client = Client::connect(&server);
    for part in
        "\r\nPOST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc".split_inclusive(|_: char| true)
    {
        client.send(part);
    }
    assert_eq!(client.answer().text(), "POST /b\nabc");
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let server = serve(patient(), Site::echo());
    let mut client = Client::connect(&server);
    client.send(concat!(
        "POST /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc",
        "\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n",
        "POST /3 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n0\r\n\r\n",
        "GET /4 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
        "GET /5 HTTP/1.1\r\nHost: h\r\n\r\n",
    ));
    for expected in ["POST /1\nabc", "GET /2\n", "POST /3\nde"] {
        assert_eq!(client.answer().text(), expected);
    }
    assert_eq!(client.last_answer().text(), "GET /4\n");
}

#[test]
fn chunks_with_extensions_and_trailers_are_put_together() {
    let server = serve(patient(), Site::echo());
    let mut client = Client::connect(&server);
    for _ in 0..2 {
        client.send("POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTrailer: A\r\n\r\n");
        client.send("3;x=y\r\nabc\r\n0A\r\ndefghijklm\r\n0\r\nA: b\r\n\r\n");
        assert_eq!(client.answer().text(), "POST /c\nabcdefghijklm");
    }
}

#[test]
fn head_gets_the_length_but_not_the_body() {
    let server = serve(patient(), Site::echo());
    let mut client = Client::connect(&server);
    client.send("HEAD /h HTTP/1.1\r\nHost: h\r\n\r\nGET /g HTTP/1.1\r\nHost: h\r\n\r\n");
    let answer = client.try_answer(true).expect("an answer");
    assert_eq!((answer.status, answer.header("content-length")), (200, Some("8")));
    assert_eq!(client.answer().text(), "GET /g\n");
}

#[test]
fn answers_without_a_body_say_so() {
    let server = serve(
        patient(),
        Site::new(|request| Response::empty(request.head.path()[1..].parse().expect("a status"))),
    );
    let mut client = Client::connect(&server);
    for (status, length) in [(200, Some("0")), (202, Some("0")), (204, None), (304, None), (405, Some("0"))] {
        client.send(&format!("GET /{status} HTTP/1.1\r\nHost: h\r\n\r\n"));
        let answer = client.answer();
        assert_eq!((answer.status, answer.header("content-length")), (status, length));
        assert_eq!(answer.header("content-type"), None);
    }
}

#[test]
fn http_1_0_connections_end_unless_the_client_asks() {
    let server = serve(patient(), Site::echo());
    let mut client = Client::connect(&server);
    client.send("POST /a HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx");
    let answer = client.answer();
    assert_eq!((answer.text(), answer.header("connection")), ("POST /a\nx".into(), Some("keep-alive")));
    client.send("GET /b HTTP/1.0\r\n\r\n");
    assert_eq!(client.last_answer().text(), "GET /b\n");
}

#[test]
fn either_side_may_close_the_connection() {
    let site = Site::new(|request| match request.head.path() {
        "/server" => Response::empty(200).with("Connection", "close"),
        _ => Response::empty(200),
    });
    let server = serve(patient(), site);
    for request in
        ["GET /server HTTP/1.1\r\nHost: h\r\n\r\n", "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"]
    {
        let mut client = Client::connect(&server);
        client.send(request);
        assert_eq!(client.last_answer().status, 200);
    }
    let mut client = Client::connect(&server);
    client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    client.stream.shutdown(std::net::Shutdown::Write).expect("half a close");
    assert_eq!(client.answer().status, 200);
    assert_eq!(client.rest(), b"");
}

#[test]
fn continue_is_sent_when_the_body_is_wanted_and_not_before() {
    let site = Site::echo().admit(|head| match head.path() {
        "/closed" => Err(Response::empty(401).with("WWW-Authenticate", "Bearer")),
        _ => Ok(()),
    });
    let server = serve(Limits { body_bytes_max: 10, ..patient() }, site);
    let head = |path: &str, expect: &str, length: usize| {
        format!("POST {path} HTTP/1.1\r\nHost: h\r\nExpect: {expect}\r\nContent-Length: {length}\r\n\r\n")
    };
    let mut client = Client::connect(&server);
    for _ in 0..2 {
        client.send(&head("/", "100-Continue", 3));
        assert_eq!(client.answer().status, 100);
        client.send("abc");
        assert_eq!(client.answer().text(), "POST /\nabc");
    }
    client.send(&(head("/sent-at-once", "100-continue", 3) + "abc"));
    assert_eq!(client.answer().text(), "POST /sent-at-once\nabc");
    client.send(&head("/no-body", "100-continue", 0));
    assert_eq!(client.answer().text(), "POST /no-body\n");
    for (path, expect, length, status) in
        [("/closed", "100-continue", 3, 401), ("/", "100-continue", 11, 413), ("/", "200-ok", 3, 417)]
    {
        let mut client = Client::connect(&server);
        client.send(&head(path, expect, length));
        assert_eq!(client.last_answer().status, status);
    }
}

#[test]
fn refusing_by_the_head_comes_before_refusing_the_size() {
    let server = serve(patient(), Site::echo().admit(|_| Err(Response::empty(401))));
    let mut client = Client::connect(&server);
    client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999\r\n\r\n");
    assert_eq!(client.last_answer().status, 401);
}

#[test]
fn an_early_answer_keeps_the_connection_if_the_body_is_small_and_there() {
    let server = serve(patient(), Site::echo().admit(|_| Err(Response::text(401, "who?"))));
    let mut client = Client::connect(&server);
    for framing in
        ["Content-Length: 3\r\n\r\nabc", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "\r\n"]
    {
        client.send(&format!("POST / HTTP/1.1\r\nHost: h\r\n{framing}"));
        let answer = client.answer();
        assert_eq!((answer.status, answer.header("connection")), (401, None));
    }
}

#[test]
fn a_413_arrives_although_the_client_is_still_sending() {
    let server = serve(patient(), Site::echo());
    let mut client = Client::connect(&server);
    client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 60000000\r\n\r\n");
    let sent = client.flood("a", 60_000_000);
    assert_eq!(client.answer().status, 413);
    assert!(sent.join().expect("no panic") < 60_000_000, "the server took it all");
}

#[test]
fn a_connection_is_closed_and_not_reset_after_an_early_answer() {
    let server =
        serve(Limits { linger_ms: 5_000, ..patient() }, Site::echo().admit(|_| Err(Response::empty(401))));
    let mut client = Client::connect(&server);
    let body = "a".repeat(50_000);
    client.send(&format!("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n{body}"));
    assert_eq!(client.answer().status, 401);
    let end = std::io::Read::read(&mut client.stream, &mut [0]).map_err(|error| error.kind());
    assert_eq!(end, Ok(0), "a reset might have taken the answer with it");
}

#[test]
fn a_body_of_exactly_the_limit_is_taken() {
    let server = serve(patient(), Site::new(|request| Response::text(200, request.body.len().to_string())));
    let mut client = Client::connect(&server);
    let limit = patient().body_bytes_max;
    client
        .send(&format!("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {limit}\r\n\r\n{}", "a".repeat(limit)));
    assert_eq!(client.answer().text(), limit.to_string());
    client.send(&format!("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n", limit + 1));
    assert_eq!(client.last_answer().status, 413);
}

#[test]
fn a_handler_may_allow_smaller_bodies_than_the_listener() {
    struct Small;
    impl Handler for Small {
        fn admit(&self, _: &Head) -> Result<(), Response> {
            Ok(())
        }
        fn body_bytes_max(&self, head: &Head) -> usize {
            if head.path() == "/small" { 3 } else { usize::MAX }
        }
        fn handle(&self, _: Request) -> Reply {
            Response::empty(200).into()
        }
    }
    let server = serve(patient(), Small);
    for (request, expected) in [
        ("/small HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nabcd", 413),
        ("/small HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n", 413),
        ("/small HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc", 200),
        ("/large HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nabcd", 200),
    ] {
        let mut client = Client::connect(&server);
        client.send(&format!("POST {request}"));
        assert_eq!(client.answer().status, expected, "{request}");
    }
}

#[test]
fn the_handler_sees_headers_and_peer() {
    let site = Site::new(|request| {
        assert!(matches!(request.head.peer, Peer::Ip(address) if address.ip().is_loopback()));
        Response::text(200, request.head.headers.all("x-a").collect::<Vec<_>>().join("|"))
    });
    let server = serve(patient(), site);
    let mut client = Client::connect(&server);
    client.send("GET / HTTP/1.1\r\nhost: h\r\nX-A:1 \r\nx-a:\t2\r\n\r\n");
    assert_eq!(client.answer().text(), "1|2");
}

#[test]
fn an_idle_connection_ends_without_a_word() {
    let server = serve(Limits { idle_ms: 30, ..patient() }, Site::echo());
    let mut fresh = Client::connect(&server);
    assert_eq!(fresh.rest(), b"");
    let mut used = Client::connect(&server);
    used.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(used.answer().status, 200);
    assert_eq!(used.rest(), b"");
}
