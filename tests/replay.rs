//! The recorded Nextcloud itself: what it accepts, what it refuses and how it says so.

use std::io::{Read, Write};
use std::net::TcpStream;

use nextcloud_mcp_server::replay::tape::Exchange;
use nextcloud_mcp_server::replay::{MISMATCH_STATUS, ReplayServer};
use serde_json::{Value, json};

fn strict(list: Value) -> ReplayServer {
    let Value::Array(list) = list else { panic!("a list of exchanges") };
    let read = |one| Exchange::read(one, "exchange").expect("a good exchange");
    ReplayServer::strict(list.into_iter().map(read).collect()).expect("a port")
}

/// Sends bytes as they are, ends the sending side, and reads all that comes back.
fn raw(url: &str, bytes: &str) -> String {
    let address = url.strip_prefix("http://").expect("a URL");
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.write_all(bytes.as_bytes()).expect("sending");
    stream.shutdown(std::net::Shutdown::Write).expect("the end of sending");
    let mut out = Vec::new();
    stream.read_to_end(&mut out).expect("an answer");
    String::from_utf8(out).expect("text")
}

fn request(url: &str, method: &str, target: &str, headers: &str, body: &str) -> (u16, String) {
    let head = format!("{method} {target} HTTP/1.1\r\nHost: x\r\n{headers}");
    let answer = raw(url, &format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()));
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    (head[9..12].parse().expect("a status"), body.into())
}

fn get(url: &str, target: &str) -> (u16, String) {
    request(url, "GET", target, "", "")
}

/// A tape of one exchange, answered with `ok`.
fn one(method: &str, path: &str, mut request: Value) -> Value {
    request["method"] = method.into();
    request["path"] = path.into();
    json!([{ "request": request, "response": { "status": 200, "body": "ok" } }])
}

/// The report after one request that differs from the tape.
fn mismatch(tape: Value, method: &str, path: &str, headers: &str, body: &str) -> String {
    let server = strict(tape);
    let (status, answer) = request(server.url(), method, path, headers, body);
    assert_eq!(status, MISMATCH_STATUS, "{answer}");
    server.finish().expect_err("a report").to_string()
}

#[test]
fn exchanges_are_answered_in_their_order() {
    let step = |path: &str, body: &str| json!({ "request": { "method": "GET", "path": path }, "response": { "status": 200, "body": body } });
    let server = strict(json!([step("/a", "first"), step("/b", "second"), step("/a", "third")]));
    let got: Vec<String> = ["/a", "/b", "/a"].iter().map(|path| get(server.url(), path).1).collect();
    assert_eq!(got, ["first", "second", "third"]);
    server.finish().expect("all used");
}

#[test]
fn another_order_is_refused() {
    let step =
        |path: &str| json!({ "request": { "method": "GET", "path": path }, "response": { "status": 200 } });
    let server = strict(json!([step("/a"), step("/b")]));
    assert_eq!(get(server.url(), "/b").0, MISMATCH_STATUS);
    assert_eq!(get(server.url(), "/a").0, MISMATCH_STATUS, "nothing is answered after a mismatch");
    let report = server.finish().expect_err("a report").to_string();
    assert!(report.starts_with("Request 1 of 2 does not agree"), "{report}");
    assert!(report.contains("- GET /a\n+ GET /b\n"), "{report}");
    assert!(report.ends_with("After that came:\n  GET /a\n"), "{report}");
}

#[test]
fn an_unused_exchange_is_reported() {
    let server = strict(one("GET", "/a", json!({})));
    let report = server.finish().expect_err("a report").to_string();
    assert_eq!(report, "These exchanges of the tape were not used:\n  GET /a\n");
}

#[test]
fn a_request_after_the_end_is_refused() {
    let server = strict(json!([]));
    assert_eq!(get(server.url(), "/more").0, MISMATCH_STATUS);
    let report = server.finish().expect_err("a report").to_string();
    assert!(report.starts_with("The tape has 0 exchanges, and then came:\n  GET /more\n"), "{report}");
}

#[test]
fn json_is_compared_as_values() {
    let tape = || one("PUT", "/n", json!({ "json": { "a": 1, "b": ["x", null] } }));
    let server = strict(tape());
    assert_eq!(request(server.url(), "PUT", "/n", "", r#"{"b":[ "x",null ],"a":1}"#).0, 200);
    server.finish().expect("equal values");
    let report = mismatch(tape(), "PUT", "/n", "", r#"{"a":2,"b":["x",null]}"#);
    assert!(report.contains("-     \"a\": 1,\n+     \"a\": 2,\n"), "{report}");
    assert!(report.contains("The whole request:\n  PUT /n\n"), "{report}");
    mismatch(tape(), "PUT", "/n", "", "");
    mismatch(tape(), "PUT", "/n", "", "not json");
    mismatch(tape(), "PUT", "/n", "", r#"{"a":1,"b":["x",null],"c":null}"#);
}

#[test]
fn xml_is_compared_as_a_tree() {
    let xml = r#"<d:a xmlns:d="DAV:" y="2" x="1"><d:b/><d:c>t &amp; u</d:c></d:a>"#;
    let tape = || one("PROPFIND", "/d", json!({ "xml": xml }));
    let server = strict(tape());
    let same =
        "<?xml version=\"1.0\"?>\n<a xmlns=\"DAV:\" x=\"1\" y=\"2\">\n <b></b>\n <c>t &#38; u</c>\n</a>\n";
    assert_eq!(request(server.url(), "PROPFIND", "/d", "", same).0, 200);
    server.finish().expect("the same tree");
    for (what, other) in [
        ("another text", xml.replace("t &amp;", "v &amp;")),
        ("white space in a text", xml.replace("t &amp; u", "t &amp; u ")),
        ("another namespace", xml.replace("\"DAV:\"", "\"urn:x\"")),
        ("another attribute", xml.replace("y=\"2\"", "y=\"3\"")),
        ("another order", xml.replace("<d:b/>", "").replace("</d:a>", "<d:b/></d:a>")),
        ("no XML", "<a>".into()),
    ] {
        let report = mismatch(tape(), "PROPFIND", "/d", "", &other);
        assert!(report.contains("does not agree"), "{what}: {report}");
    }
    let report = mismatch(tape(), "PROPFIND", "/d", "", &xml.replace("t &amp;", "v &amp;"));
    assert!(report.contains("-     <{DAV:}c>t & u\n+     <{DAV:}c>v & u\n"), "{report}");
}

#[test]
fn text_is_compared_line_by_line_to_the_last_byte() {
    let tape = || one("PUT", "/t", json!({ "lines": ["BEGIN:VEVENT", "END:VEVENT"] }));
    let server = strict(tape());
    assert_eq!(request(server.url(), "PUT", "/t", "", "BEGIN:VEVENT\r\nEND:VEVENT\r\n").0, 200);
    server.finish().expect("the same text");
    let report = mismatch(tape(), "PUT", "/t", "", "BEGIN:VEVENT\nEND:VEVENT\r\n");
    assert!(report.contains("-   BEGIN:VEVENT\\r\n+   BEGIN:VEVENT\n    END:VEVENT\\r\n"), "{report}");
    mismatch(one("GET", "/t", json!({})), "GET", "/t", "", "a body where none was due");
}

#[test]
fn bytes_are_compared_as_bytes() {
    let tape = one("PUT", "/b", json!({ "body_base64": "AP8=" }));
    let report = mismatch(tape, "PUT", "/b", "", "ab");
    assert!(report.contains("-   2 bytes, base64: AP8=\n+   2 bytes, base64: YWI=\n"), "{report}");
}

#[test]
fn listed_headers_are_compared_and_others_are_not() {
    let headers =
        json!({ "headers": { "If-Match": "\"e\"", "Authorization": "Basic {user}", "Overwrite": null } });
    let tape = || one("PUT", "/h", headers.clone());
    let good = "if-match: \"e\"\r\nAuthorization: Basic eDp5\r\nX-Other: 1\r\n";
    let server = strict(tape());
    assert_eq!(request(server.url(), "PUT", "/h", good, "").0, 200);
    server.finish().expect("listed headers agree");
    let report = mismatch(tape(), "PUT", "/h", &good.replace("\"e\"", "\"f\""), "");
    assert!(report.contains("- If-Match: \"e\"\n+ If-Match: \"f\"\n"), "{report}");
    let report = mismatch(tape(), "PUT", "/h", &good.replace("if-match: \"e\"\r\n", ""), "");
    assert!(report.contains("+ If-Match is absent\n"), "{report}");
    let report = mismatch(tape(), "PUT", "/h", &format!("{good}Overwrite: T\r\n"), "");
    assert!(report.contains("- Overwrite is absent\n+ Overwrite: T\n"), "{report}");
    let report = mismatch(tape(), "PUT", "/h", &good.replace("Basic", "Bearer"), "");
    assert!(report.contains("- Authorization: Basic …\n+ Authorization: Bearer …\n"), "{report}");
}

#[test]
fn a_report_shows_no_credentials() {
    let secrets = "Authorization: Basic c2VjcmV0\r\nCookie: oc_session=secret\r\n";
    let report = mismatch(one("GET", "/a", json!({})), "GET", "/b", secrets, "");
    assert!(report.contains("Authorization: Basic …") && report.contains("Cookie: …"), "{report}");
    assert!(!report.contains("c2VjcmV0") && !report.contains("oc_session"), "{report}");
}

#[test]
fn base_stands_for_the_url_on_both_sides() {
    let server = strict(json!([{
        "request": {
            "method": "MOVE", "path": "/a",
            "headers": { "Destination": "{base}/b" }, "json": { "url": "{base}/c" }
        },
        "response": { "status": 201, "headers": { "Location": "{base}/b" }, "json": { "url": "{base}/d" } }
    }]));
    let url = server.url();
    let body = format!("{{\"url\":\"{url}/c\"}}");
    let head = format!("MOVE /a HTTP/1.1\r\nDestination: {url}/b\r\nContent-Length: {}", body.len());
    let answer = raw(url, &format!("{head}\r\n\r\n{body}"));
    assert!(answer.contains(&format!("Location: {url}/b\r\n")), "{answer}");
    assert!(answer.ends_with(&format!("{{\"url\":\"{url}/d\"}}")), "{answer}");
    server.finish().expect("the same destination");
}

#[test]
fn an_answer_can_be_cut() {
    let mut tape = one("GET", "/a", json!({}));
    tape[0]["response"] = json!({ "status": 200, "body": "0123456789", "cut_after": 4 });
    let server = strict(tape);
    let answer = raw(server.url(), "GET /a HTTP/1.1\r\n\r\n");
    assert!(answer.contains("Content-Length: 10\r\n") && answer.ends_with("\r\n\r\n0123"), "{answer}");
}

#[test]
fn a_connection_serves_many_requests_with_every_framing() {
    let answered = |method: &str, path: &str, response: Value| json!({ "request": { "method": method, "path": path }, "response": response });
    let mut upload = answered("PUT", "/c", json!({ "status": 201 }));
    upload["request"]["body"] = "hello world".into();
    let server = strict(json!([
        answered("HEAD", "/h", json!({ "status": 200, "headers": { "Content-Length": "23" } })),
        answered("GET", "/n", json!({ "status": 304, "headers": { "ETag": "\"e\"" } })),
        answered("DELETE", "/d", json!({ "status": 204 })),
        upload,
        answered("GET", "/x", json!({ "status": 200, "xml": "<a/>", "set_cookie": ["a=b", "c=d"] })),
    ]));
    let pipelined = "HEAD /h HTTP/1.1\r\n\r\n\
        GET /n HTTP/1.1\r\n\r\n\
        DELETE /d HTTP/1.1\r\n\r\n\
        PUT /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n6;x=y\r\nhello \r\n5\r\nworld\r\n0\r\nT: 1\r\n\r\n\
        GET /x HTTP/1.1\r\nConnection: close\r\n\r\n";
    let expected = "HTTP/1.1 200 \r\nContent-Length: 23\r\n\r\n\
        HTTP/1.1 304 \r\nETag: \"e\"\r\n\r\n\
        HTTP/1.1 204 \r\n\r\n\
        HTTP/1.1 201 \r\nContent-Length: 0\r\n\r\n\
        HTTP/1.1 200 \r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\nContent-Type: application/xml; charset=utf-8\r\n\
        Content-Length: 4\r\nConnection: close\r\n\r\n<a/>";
    assert_eq!(raw(server.url(), pipelined), expected);
    server.finish().expect("all used");
}

#[test]
fn a_slip_of_the_pen_in_a_tape_is_refused() {
    let good = json!({ "request": { "method": "GET", "path": "/" }, "response": { "status": 200 } });
    let with = |at: &str, name: &str, value: Value| {
        let mut exchange = good.clone();
        exchange[at][name] = value;
        Exchange::read(exchange, "steps[0]").expect_err("a fault").to_string()
    };
    assert_eq!(with("request", "heders", json!({})), "steps[0].request: \"heders\" is not known here");
    assert_eq!(
        with("response", "status", json!("200")),
        "steps[0].response: \"status\" must be a whole number"
    );
    assert_eq!(
        with("response", "status", json!(99)),
        "steps[0].response: needs a \"status\" from 100 to 999"
    );
    assert!(with("request", "xml", json!("<a>")).starts_with("steps[0].request: \"xml\": "));
    assert!(with("request", "body_base64", json!("%")).starts_with("steps[0].request: \"body_base64\": "));
    let mut two = good.clone();
    two["request"]["body"] = "a".into();
    two["request"]["json"] = 1.into();
    assert!(Exchange::read(two, "x").is_err());
}

#[test]
fn dropping_the_server_closes_its_connections() {
    let server = strict(json!([]));
    let address = server.url().strip_prefix("http://").expect("a URL").to_string();
    let mut open = TcpStream::connect(address).expect("a connection");
    drop(server);
    assert!(matches!(open.read(&mut [0]), Ok(0) | Err(_)));
}
