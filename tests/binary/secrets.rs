//! Secrets of every kind are planted, everything that can go wrong goes wrong at the finest log level, and nothing
//! planted may come out.

use std::io::Write;
use std::sync::mpsc::{Receiver, channel};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use nextcloud_mcp_server::replay::server::Loopback;
use serde_json::json;

use crate::program::{Folder, PASSWORD, Program, account};
use crate::wire::{MODERN, answer, call, modern_call, nextcloud, note, note_id, post, read_answer, send};

const TOKEN: &str = "planted-token-of-this-server";
const COOKIE: &str = "planted-cookie-of-nextcloud";

/// What `/status.php` says.
const STATUS: &str = r#"{"installed":true,"maintenance":false,"needsDbUpgrade":false,"version":"32.0.0.13","versionstring":"32.0.0"}"#;

/// Answers by the note asked for, sets a cookie each time, and tells which cookies came.
fn troubled_nextcloud() -> (Loopback, Receiver<Option<String>>) {
    let (seen, cookies) = channel();
    let nextcloud = nextcloud(move |request| {
        let _ = seen.send(request.header("Cookie").map(str::to_owned));
        let json = "application/json; charset=utf-8";
        let mut response = match note_id(&request) {
            Some(401) => answer(401, json, r#"{"message":""}"#),
            Some(404) => answer(404, json, r#"{"errorType":"NoteDoesNotExistException"}"#),
            Some(500) => answer(500, "text/html", "<html><body>Internal Server Error</body></html>"),
            Some(302) => answer(302, "text/html", ""),
            Some(200) => answer(200, json, "{\"content\": \"marked-content"),
            Some(id) => note(id),
            None => answer(200, json, STATUS),
        };
        let cookie = format!("oc_sessionPassphrase={COOKIE}; path=/; HttpOnly");
        response.headers.push(("Set-Cookie".into(), cookie));
        if response.status == 302 {
            let location = "http://alice:planted-in-a-location@127.0.0.1:9/?token=planted-in-a-query";
            response.headers.push(("Location".into(), location.into()));
        }
        response
    });
    (nextcloud, cookies)
}

/// What must not come out, in answers or elsewhere. All but the encoded ones hold `planted`.
fn planted() -> Vec<String> {
    let credential = BASE64.encode(format!("alice:{PASSWORD}"));
    vec!["planted".to_owned(), credential, BASE64.encode("bob:planted-by-a-client")]
}

fn assert_clean(what: &str, text: &str) {
    for secret in planted() {
        assert!(!text.contains(&secret), "{what} holds {secret}:\n{text}");
    }
}

/// Requests over HTTP, each with the status that it must get.
fn requests(address: &str) -> Vec<(String, u16)> {
    let bearer = format!("Authorization: Bearer {TOKEN}\r\n");
    let basic = format!("Authorization: Basic {}\r\n", BASE64.encode("bob:planted-by-a-client"));
    let message = |headers: &str, body: &str| crate::wire::post_request(address, headers, body);
    let ours = |body: &str| message(&bearer, body);
    let one = call(1, 1).to_string();
    let mut many: Vec<(String, u16)> =
        [1, 1, 404, 500, 302, 200].iter().map(|id| (ours(&call(1, *id).to_string()), 200)).collect();
    let argument = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": "nc_notes_get_note", "arguments": {"note_id": "marked-argument"}}});
    let query = format!("POST /mcp?access_token={TOKEN} HTTP/1.1");
    let in_query = |headers: &str| message(headers, &one).replacen("POST /mcp HTTP/1.1", &query, 1);
    many.extend([
        (ours(&argument.to_string()), 200),
        (message(&format!("{bearer}{MODERN}"), &modern_call(1, 1).to_string()), 200),
        (message(&format!("{bearer}Cookie: a=planted-by-a-browser\r\n"), &one), 200),
        (message("Authorization: Bearer planted-wrong-token\r\n", &one), 401),
        (message(&basic, &one), 401),
        (message(&format!("{bearer}{bearer}"), &one), 401),
        (in_query(""), 401),
        (in_query("Authorization: Bearer planted-wrong-token\r\n"), 401),
        (ours("{\"jsonrpc\": \"2.0\", \"id\": 1, marked-argument"), 400),
        (message(&format!("{bearer}Origin: https://evil.example\r\n"), &one), 403),
        (ours(&one).replacen(address, "evil.example", 1), 403),
        (ours(&one).replacen("application/json", "text/plain", 1), 415),
        (ours(&one).replacen("Authorization:", "Authorization", 1), 400),
        (ours(&one).replacen("Authorization:", "Authorization :", 1), 400),
        (ours(&one).replacen("Content-Length: ", "Content-Length: +", 1), 400),
        (ours(&one).replacen("POST /mcp", "POST /planted-path", 1), 404),
        (ours(&one).replacen("POST /mcp", "BREW /mcp", 1), 405),
        (ours(&one).replacen("HTTP/1.1", "HTTP/9.9", 1), 505),
        (format!("GET /health/ready HTTP/1.1\r\nHost: {address}\r\n{bearer}Connection: close\r\n\r\n"), 200),
        (ours(&call(1, 401).to_string()), 200),
        (ours(&call(1, 401).to_string()), 200),
    ]);
    many
}

/// Plays everything in one log format and gives what was written.
fn play(format: &str) -> String {
    let (nextcloud, cookies) = troubled_nextcloud();
    let args = ["--log-level", "trace", "--log-format", format];
    let mut program = Program::serve(nextcloud.url(), &args, &[("MCP_AUTH_TOKEN", TOKEN)]);
    let address = program.address();
    for (request, status) in requests(&address) {
        let answer = read_answer(send(&address, &request));
        assert_eq!(answer.status, status, "{request}\n{}", answer.whole);
        assert_clean("an answer", &answer.whole);
    }
    let cookie = cookies.try_iter().flatten().find(|cookie| cookie.contains(COOKIE));
    assert!(cookie.is_some(), "the cookie was never used, so it proves nothing");
    assert_eq!(post(&address, &format!("Authorization: Bearer {TOKEN}\r\n"), "{}").status, 400);
    let ended = program.stopped();
    assert_eq!((ended.status, ended.output.as_str()), (Some(0), ""));
    ended.log
}

#[test]
fn no_secret_and_no_body_reaches_the_log_or_an_answer() {
    for (format, start) in [("text", "20"), ("json", "{\"time\":"), ("journald", "<")] {
        let log = play(format);
        assert!(log.lines().all(|line| line.starts_with(start)), "{log}");
        assert_clean(format, &log);
        assert!(!log.contains("marked"), "the log holds a body:\n{log}");
        // Empty logs are clean, too.
        let calls = log.lines().filter(|line| line.contains("tool call tool=nc_notes_get_note")).count();
        assert_eq!(calls, 11, "{log}");
        for event in
            ["Nextcloud answered. request=", "the bearer token is not", "A request to Nextcloud failed."]
        {
            assert!(log.contains(event), "{event:?} is not in:\n{log}");
        }
    }
}

#[test]
fn nor_over_standard_input_and_output() {
    let (nextcloud, _cookies) = troubled_nextcloud();
    let env = [&account(nextcloud.url())[..], &[("MCP_AUTH_TOKEN", TOKEN)]].concat();
    let mut program = Program::spawn(Folder::new(), &["stdio", "--log-level", "trace"], &env);
    let mut input = program.input();
    for id in [1, 404, 500, 302, 200, 401, 401] {
        writeln!(input, "{}", call(1, id)).expect("the program reads");
        program.output.next().expect("an answer");
    }
    drop(input);
    let ended = program.ended();
    assert_eq!(ended.status, Some(0));
    assert_clean("standard output", &ended.output);
    assert_clean("the log", &ended.log);
    assert!(!ended.log.contains("marked"), "the log holds a body:\n{}", ended.log);
}
