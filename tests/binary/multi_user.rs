//! Multi-user basic mode: two people, their own things, and what happens to wrong passwords.

use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use nextcloud_mcp_server::replay::server::{Loopback, Request, Response};
use serde_json::json;

use crate::program::{Folder, Program};
use crate::wire::{Answered, answer, call, nextcloud, note_id, post, read_answer, send, shown};

const ALICE: &str = "alice@example.org:planted-of-alice";
const BOB: &str = "bob:planted-of-bob";

/// A Nextcloud of some people, which tells what it was shown.
struct Cloud {
    site: Loopback,
    /// `name:password` and user id of those who may come in.
    people: Arc<Mutex<Vec<(&'static str, &'static str)>>>,
    is_down: Arc<Mutex<bool>>,
    /// Method and credential of each request.
    seen: Arc<Mutex<Vec<(String, String)>>>,
}

impl Cloud {
    fn open() -> Cloud {
        let people = Arc::new(Mutex::new(vec![(ALICE, "alice"), (BOB, "bob")]));
        let (is_down, seen) = (Arc::new(Mutex::new(false)), Arc::new(Mutex::new(Vec::new())));
        let (known, down, seeing) = (people.clone(), is_down.clone(), seen.clone());
        let site = nextcloud(move |request| {
            let shown = request.header("Authorization").and_then(|value| value.strip_prefix("Basic "));
            let shown = shown.and_then(|value| BASE64.decode(value).ok()).unwrap_or_default();
            let shown = String::from_utf8(shown).expect("UTF-8");
            seeing.lock().unwrap().push((request.method.clone(), shown.clone()));
            if *down.lock().unwrap() {
                return answer(503, "text/html", "<html>down</html>");
            }
            match known.lock().unwrap().iter().find(|(credential, _)| *credential == shown) {
                Some((_, user_id)) => answered_to(user_id, &request),
                None => answer(401, "application/json", r#"{"message":"refused"}"#),
            }
        });
        Cloud { site, people, is_down, seen }
    }

    fn serve(&self, args: &[&str], env: &[(&str, &str)]) -> Program {
        let mode = [("NEXTCLOUD_HOST", self.site.url()), ("MCP_DEPLOYMENT_MODE", "multi_user_basic")];
        Program::spawn(Folder::new(), &[&["--port", "0"], args].concat(), &[&mode, env].concat())
    }

    /// How often this was shown since the last question, by method.
    fn shown(&self, method: &str, credential: &str) -> usize {
        let mut seen = self.seen.lock().unwrap();
        let before = seen.len();
        seen.retain(|(m, c)| m != method || c != credential);
        before - seen.len()
    }
}

fn answered_to(user_id: &str, request: &Request) -> Response {
    if request.method == "PROPFIND" {
        let body = format!(
            "<?xml version=\"1.0\"?><d:multistatus xmlns:d=\"DAV:\"><d:response><d:href>/remote.php/dav/</d:href>\
             <d:propstat><d:prop><d:current-user-principal><d:href>/remote.php/dav/principals/users/{user_id}/</d:href>\
             </d:current-user-principal></d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>\
             </d:multistatus>"
        );
        return answer(207, "application/xml; charset=utf-8", &body);
    }
    match note_id(request) {
        Some(id) => {
            let note = json!({"id": id, "title": "Own", "modified": 1, "category": "", "favorite": false,
                "readonly": false, "content": format!("the note of {user_id}"), "etag": "e"});
            answer(200, "application/json; charset=utf-8", &note.to_string())
        }
        None => Response::text(404, "not here"),
    }
}

fn basic(credential: &str) -> String {
    format!("Authorization: Basic {}\r\n", BASE64.encode(credential))
}

/// Reads a note with these headers.
fn read_note(address: &str, headers: &str) -> Answered {
    post(address, headers, &call(1, 88).to_string())
}

#[test]
fn two_people_see_their_own_things() {
    let cloud = Cloud::open();
    let mut program = cloud.serve(&[], &[]);
    let address = program.address();
    for _ in 0..2 {
        for (credential, user_id) in [(ALICE, "alice"), (BOB, "bob")] {
            let answer = read_note(&address, &basic(credential));
            assert_eq!(answer.status, 200, "{}", answer.whole);
            assert!(shown(&answer.json()).contains(&format!("the note of {user_id}")), "{}", answer.whole);
        }
    }
    assert_eq!((cloud.shown("PROPFIND", ALICE), cloud.shown("PROPFIND", BOB)), (1, 1));
    let ended = program.stopped();
    for user_id in ["alice", "bob"] {
        assert!(ended.log.contains(&format!("caller={user_id}")), "{}", ended.log);
    }
}

#[test]
fn without_a_right_password_nobody_is_let_in() {
    let cloud = Cloud::open();
    let mut program = cloud.serve(&[], &[]);
    let address = program.address();
    for headers in [
        String::new(),
        "Authorization: Bearer abc\r\n".to_owned(),
        "Authorization: Basic !!!\r\n".to_owned(),
        basic("alice"),
        basic("bob:"),
        basic(ALICE) + &basic(BOB),
        basic("bob:wrong"),
        basic("bob:wrong"),
    ] {
        let answer = read_note(&address, &headers);
        assert_eq!(answer.status, 401, "{headers}{}", answer.whole);
        let challenge = "\r\nWWW-Authenticate: Basic realm=\"Nextcloud\", charset=\"UTF-8\"\r\n";
        assert!(answer.whole.contains(challenge), "{}", answer.whole);
    }
    assert_eq!(cloud.seen.lock().unwrap().len(), 1, "only what may be right is shown, and once");
}

#[test]
fn guessing_is_stopped_before_nextcloud_stops_everybody() {
    let cloud = Cloud::open();
    let mut program = cloud.serve(&[], &[]);
    let address = program.address();
    assert_eq!(read_note(&address, &basic(ALICE)).status, 200);
    let statuses: Vec<u16> = (0..20)
        .map(|guess| read_note(&address, &basic(&format!("bob:{guess}"))))
        .map(|answer| {
            assert_eq!(answer.status == 429, answer.whole.contains("\r\nRetry-After: "), "{}", answer.whole);
            answer.status
        })
        .collect();
    assert_eq!(statuses, [[401; 5].as_slice(), &[429; 15]].concat());
    assert_eq!(cloud.seen.lock().unwrap().iter().filter(|(_, shown)| shown.starts_with("bob:")).count(), 5);
    assert_eq!(read_note(&address, &basic(ALICE)).status, 200);
}

#[test]
fn a_changed_password_is_told_and_the_new_one_works() {
    let cloud = Cloud::open();
    let mut program = cloud.serve(&[], &[]);
    let address = program.address();
    assert_eq!(read_note(&address, &basic(BOB)).status, 200);
    *cloud.people.lock().unwrap() = vec![("bob:new", "bob")];
    // The one who finds out is a tool call.
    let answer = read_note(&address, &basic(BOB));
    assert_eq!(answer.status, 401, "{}", answer.whole);
    assert!(answer.whole.contains("\r\nWWW-Authenticate: Basic "), "{}", answer.whole);
    cloud.seen.lock().unwrap().clear();
    assert_eq!(read_note(&address, &basic(BOB)).status, 401);
    assert_eq!(cloud.seen.lock().unwrap().len(), 0, "it is known by now");
    assert_eq!(read_note(&address, &basic("bob:new")).status, 200);
}

#[test]
fn nextcloud_down_is_no_wrong_password() {
    let cloud = Cloud::open();
    let mut program = cloud.serve(&[], &[]);
    let address = program.address();
    *cloud.is_down.lock().unwrap() = true;
    let answer = read_note(&address, &basic(ALICE));
    assert_eq!(answer.status, 503, "{}", answer.whole);
    assert!(answer.whole.contains("\r\nRetry-After: 5\r\n"), "{}", answer.whole);
    assert!(!answer.whole.contains("WWW-Authenticate"), "{}", answer.whole);
}

#[test]
fn health_names_the_mode_and_a_port_without_tls_is_warned_about() {
    let cloud = Cloud::open();
    for (url, warned) in [("http://mcp.example.org", true), ("https://mcp.example.org", false)] {
        let mut program = cloud.serve(&["--host", "0.0.0.0"], &[("NEXTCLOUD_MCP_SERVER_URL", url)]);
        let address = program.address().replace("0.0.0.0", "127.0.0.1");
        let get = format!("GET /health/live HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        assert_eq!(read_answer(send(&address, &get)).json()["mode"], "multi_user_basic");
        let page = get.replace("/health/live", "/").replace("Connection", "Accept: text/html\r\nConnection");
        assert!(read_answer(send(&address, &page)).whole.contains("Authorization: Basic VALUE"));
        let log = program.stopped().log;
        assert_eq!(log.contains("put a proxy with TLS before it"), warned, "{log}");
    }
}

#[test]
fn no_password_reaches_the_log_or_an_answer() {
    let cloud = Cloud::open();
    let mut program = cloud.serve(&["--log-level", "trace"], &[]);
    let address = program.address();
    let credentials = [ALICE, BOB, "bob:planted-wrong", "carol:planted-of-nobody", "planted-without-a-colon"];
    for _ in 0..2 {
        for credential in credentials {
            let answer = read_note(&address, &basic(credential));
            assert!(!answer.whole.contains("planted"), "{}", answer.whole);
        }
        *cloud.people.lock().unwrap() = vec![(ALICE, "alice")];
    }
    let log = program.stopped().log;
    for credential in credentials {
        assert!(!log.contains(&BASE64.encode(credential)), "{log}");
    }
    assert!(!log.contains("planted"), "{log}");
    for told in
        ["Nextcloud refused a sign-in user=\"carol\"", "Nextcloud accepted a sign-in caller=\"alice\""]
    {
        assert!(log.contains(told), "{told}: {log}");
    }
}
