//! Limits, ranges and answers that end too early.

use std::ops::ControlFlow;

use super::server::{Step, answer, empty, html, json, xml};
use super::*;

/// `{"ok":true}`, gzipped.
const GZIPPED: &[u8] = &[
    31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 171, 86, 202, 207, 86, 178, 42, 41, 42, 77, 173, 5, 0, 144, 95, 212,
    167, 11, 0, 0, 0,
];

/// 100,000 zeros, gzipped to 133 bytes.
fn bomb() -> Vec<u8> {
    let mut out = vec![
        31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 237, 193, 49, 1, 0, 0, 0, 194, 160, 74, 235, 159, 206, 26, 30, 64, 1,
    ];
    out.extend([0; 96]);
    out.extend([0, 175, 6, 133, 194, 77, 197, 160, 134, 1, 0]);
    out
}

fn chunked(parts: &[&str], end: &str) -> Vec<u8> {
    let mut out = String::from(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
    );
    parts.iter().for_each(|part| out.push_str(&format!("{:x}\r\n{part}\r\n", part.len())));
    out.push_str(end);
    out.into_bytes()
}

/// Announces ten bytes and sends three.
fn cut() -> Step {
    Step::Last(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{\"a".to_vec(),
    )
}

#[test]
fn a_compressed_answer_is_read() {
    let head = "Content-Type: application/json\r\nContent-Encoding: gzip\r\n";
    let bench = Bench::new([Step::Send(answer(200, head, GZIPPED))]);
    assert_eq!(bench.json(get(note())).expect("gunzipped")["ok"], true);
}

#[test]
fn an_answer_above_the_limit_is_refused() {
    let large = "x".repeat(1001);
    let bench = Bench::new([
        json(200, &large),
        Step::Send(chunked(&[&large], "0\r\n\r\n")),
        Step::Send(answer(200, "Content-Encoding: gzip\r\n", bomb())),
        json(200, &large[1..]),
    ]);
    for _ in 0..3 {
        let error = bench.send(get(note()).limit_bytes(1000)).expect_err("too large");
        assert_eq!(
            (error.kind, error.detail.as_deref()),
            (Kind::AnswerTooLarge, Some("more than 1000 bytes"))
        );
    }
    assert_eq!(bench.send(get(note()).limit_bytes(1000)).expect("exactly").body.len(), 1000);
}

#[test]
fn an_announced_length_above_the_limit_is_not_waited_for() {
    let bench = Bench::new([Step::Stall(b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n".to_vec())]);
    assert_eq!(kind(bench.send(get(note()).limit_bytes(1000))), Kind::AnswerTooLarge);
}

#[test]
fn of_a_refusal_64_kb_are_read() {
    let bench = Bench::new([html(500, &"x".repeat(1_000_000))]);
    let error = bench.send(get(note())).expect_err("500");
    assert_eq!((error.kind, error.body().map(<[u8]>::len)), (Kind::Server, Some(64 * 1024)));
}

#[test]
fn a_read_that_was_cut_short_is_repeated_on_a_fresh_connection() {
    let bench = Bench::new([cut(), json(200, "{\"a\":true}")]);
    assert_eq!(bench.json(get(note())).expect("repeated")["a"], true);
    assert_eq!(bench.server.seen()[1].connection, 1);
}

#[test]
fn cut_short_twice_is_an_error() {
    for step in [cut, || Step::Last(chunked(&["{\"a"], ""))] {
        let bench = Bench::new([step(), step(), json(200, "{}")]);
        assert_eq!(kind(bench.json(get(note()))), Kind::CutShort);
        assert_eq!(bench.server.asked().len(), 2);
    }
}

#[test]
fn a_write_that_was_cut_short_is_not_repeated() {
    let bench = Bench::new([cut(), json(200, "{}")]);
    assert_eq!(kind(bench.json(Request::new("POST", note()))), Kind::CutShort);
    assert_eq!(bench.server.asked().len(), 1);
}

#[test]
fn a_stalled_body_ends_with_the_calls_time() {
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc";
    let bench = Bench::new([Step::Stall(head.to_vec())]);
    let call = bench.nextcloud.call(Duration::from_millis(50));
    assert_eq!(kind(bench.nextcloud.client(&bench.account, &call).send(get(file()))), Kind::TimedOut);
}

#[test]
fn what_is_no_http_is_malformed() {
    for bytes in ["SSH-2.0-OpenSSH_9\r\n\r\n", "HTTP/1.1 abc\r\n\r\n", "\0\0\0\0\0\0\0\0\r\n\r\n"] {
        let bench = Bench::new([Step::Last(bytes.into())]);
        assert_eq!(kind(bench.send(Request::new("POST", note()))), Kind::Malformed, "{bytes:?}");
    }
}

#[test]
fn an_answer_of_another_shape_is_malformed() {
    let bench = Bench::new([
        json(200, "{\"id\""),
        json(200, "[]"),
        json(200, "{}"),
        xml(207, "<a/>"),
        html(207, "<p>"),
    ]);
    let call = bench.call();
    let client = bench.nextcloud.client(&bench.account, &call);
    assert_eq!(kind(client.json::<serde_json::Value>(get(note()))), Kind::Malformed);
    assert_eq!(kind(client.json::<std::collections::HashMap<String, i32>>(get(note()))), Kind::Malformed);
    assert_eq!(kind(client.ocs::<serde_json::Value>(get(UrlPath::ocs("/x")))), Kind::Malformed);
    let answer = client.multistatus(Request::new("PROPFIND", UrlPath::dav())).expect("parsed later");
    assert_eq!(kind(answer.each(|_| {})), Kind::Malformed);
    let web_page = client.multistatus(Request::new("PROPFIND", UrlPath::dav()));
    assert_eq!(web_page.err().map(|e| e.kind), Some(Kind::NotNextcloud));
}

#[test]
fn an_empty_200_is_a_refused_credential() {
    let bench = Bench::new([html(200, ""), html(200, "")]);
    let call = bench.call();
    let client = bench.nextcloud.client(&bench.account, &call);
    let shares = UrlPath::ocs("/apps/files_sharing/api/v1/shares");
    assert_eq!(kind(client.ocs::<serde_json::Value>(get(shares))), Kind::Unauthorized);
    assert_eq!(kind(client.json::<serde_json::Value>(get(note()))), Kind::Unauthorized);
}

#[test]
fn a_range_is_asked_for_and_checked() {
    let part = |range: &str| {
        Step::Send(answer(206, &format!("Content-Range: {range}\r\nOC-ETag: \"e\"\r\n"), "lo W"))
    };
    let bench = Bench::new([part("bytes 3-6/11"), part("bytes 0-3/11")]);
    let call = bench.call();
    let client = bench.nextcloud.client(&bench.account, &call);
    let slice = client.read_range(get(file()).range(3, 10), 4).expect("a range");
    assert_eq!((slice.body.as_slice(), slice.offset, slice.total_bytes), (&b"lo W"[..], 3, Some(11)));
    assert_eq!(slice.head.etag().as_deref(), Some("e"));
    assert_eq!(kind(client.read_range(get(file()).range(3, 4), 99)), Kind::Malformed);
    let seen = bench.server.seen();
    assert_eq!(seen[0].header("Range"), Some("bytes=3-6"));
    assert_eq!(seen[0].header("Accept-Encoding"), Some("identity"));
}

#[test]
fn a_server_without_ranges_is_skipped_through_and_left() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n".to_owned();
    let bench = Bench::new([Step::Stall((head + &"0123456789".repeat(5_000)).into_bytes())]);
    let call = bench.call();
    let client = bench.nextcloud.client(&bench.account, &call);
    let slice = client.read_range(get(file()).range(40_003, 5), 1_000).expect("a range");
    assert_eq!((slice.body.as_slice(), slice.total_bytes), (&b"34567"[..], Some(50_000_000)));
}

#[test]
fn a_range_past_the_end_is_not_satisfiable() {
    let sabre = "<d:error xmlns:d=\"DAV:\" xmlns:s=\"http://sabredav.org/ns\"><s:exception>\
                 Sabre\\DAV\\Exception\\RequestedRangeNotSatisfiable</s:exception><s:message>The start offset (1000) \
                 exceeded the size of the entity (23)</s:message></d:error>";
    let bench = Bench::new([xml(416, sabre), empty(200, ""), empty(200, "")]);
    let call = bench.call();
    let client = bench.nextcloud.client(&bench.account, &call);
    assert_eq!(kind(client.read_range(get(file()).range(1000, 5), 5)), Kind::RangeNotSatisfiable);
    assert_eq!(kind(client.read_range(get(file()).range(1000, 5), 5)), Kind::RangeNotSatisfiable);
    let empty_file = client.read_range(get(file()), 5).expect("an empty file");
    assert_eq!((empty_file.body.len(), empty_file.total_bytes), (0, Some(0)));
}

#[test]
fn a_stream_comes_in_pieces_and_stops_when_told() {
    let text = "0123456789".repeat(10_000);
    let bench = Bench::new([Step::Send(answer(200, "", &text)), Step::Send(answer(200, "", &text)), cut()]);
    let call = bench.call();
    let client = bench.nextcloud.client(&bench.account, &call);
    let (mut bytes, mut longest) = (0, 0);
    let head = client.stream(get(file()), &mut |chunk| {
        bytes += chunk.len();
        longest = longest.max(chunk.len());
        ControlFlow::Continue(())
    });
    assert_eq!((head.expect("a stream").content_length(), bytes), (Some(100_000), 100_000));
    assert!(longest <= 16 * 1024);
    let mut pieces = 0;
    let stopped = client.stream(get(file()), &mut |_| {
        pieces += 1;
        ControlFlow::Break(())
    });
    assert!(stopped.is_ok() && pieces == 1);
    assert_eq!(kind(client.stream(get(file()), &mut |_| ControlFlow::Continue(()))), Kind::CutShort);
    assert_eq!(bench.server.asked().len(), 3);
}

#[test]
fn cancelling_ends_a_stream() {
    let bench = Bench::new([Step::Send(answer(200, "", "0123456789".repeat(10_000)))]);
    let call = bench.call();
    let cancel = call.cancel.clone();
    let streamed = bench.nextcloud.client(&bench.account, &call).stream(get(file()), &mut |_| {
        cancel.cancel();
        ControlFlow::Continue(())
    });
    assert_eq!(kind(streamed), Kind::Cancelled);
}
