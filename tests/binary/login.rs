//! `login` and `logout` at a terminal, and a server that needs no password in its environment.

use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use nextcloud_mcp_server::replay::server::{Loopback, Response};
use serde_json::json;

use crate::program::{Ended, Folder, Program};
use crate::wire::{answer, call, nextcloud, note, note_id, shown};
use std::io::Write;

const JSON: &str = "application/json; charset=utf-8";
const POLL_TOKEN: &str = "planted-poll-token";

/// A Nextcloud on which people grant access.
struct Cloud {
    site: Loopback,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Whose account is granted at the next question; nobody's: not yet.
    granting: Option<&'static str>,
    /// Every app password given, as `login name:password`, until it is revoked.
    passwords: Vec<String>,
    given: usize,
}

impl Cloud {
    fn open(granting: Option<&'static str>) -> Cloud {
        let state = Arc::new(Mutex::new(State { granting, ..State::default() }));
        let shared = state.clone();
        let site = nextcloud(move |request| {
            let mut state = shared.lock().unwrap();
            match (request.method.as_str(), request.target.as_str()) {
                ("POST", "/index.php/login/v2") => {
                    let started = json!({"poll": {"token": POLL_TOKEN, "endpoint": "http://inside/login/v2/poll"},
                        "login": "http://inside/login/v2/flow/of-this-login"});
                    return answer(200, JSON, &started.to_string());
                }
                ("POST", "/login/v2/poll") => {
                    assert_eq!(request.body, format!("token={POLL_TOKEN}").as_bytes());
                    let Some(user_id) = state.granting else { return answer(404, JSON, "[]") };
                    state.given += 1;
                    let (name, password) =
                        (format!("{user_id}@example.org"), format!("planted-{}", state.given));
                    state.passwords.push(format!("{name}:{password}"));
                    let granted =
                        json!({"server": "http://inside", "loginName": name, "appPassword": password});
                    return answer(200, JSON, &granted.to_string());
                }
                _ => {}
            }
            let shown = request.header("Authorization").and_then(|value| value.strip_prefix("Basic "));
            let shown = shown.and_then(|value| BASE64.decode(value).ok()).unwrap_or_default();
            let shown = String::from_utf8(shown).expect("UTF-8");
            if !state.passwords.contains(&shown) {
                return answer(401, JSON, r#"{"message":""}"#);
            }
            if request.method == "DELETE" && request.target.contains("/core/apppassword") {
                state.passwords.retain(|password| *password != shown);
                let done = json!({"ocs": {"meta": {"status": "ok", "statuscode": 200, "message": "OK"}, "data": []}});
                return answer(200, JSON, &done.to_string());
            }
            if request.method == "PROPFIND" {
                return principal(shown.split('@').next().unwrap_or_default());
            }
            note_id(&request).map_or_else(|| Response::text(404, "not here"), note)
        });
        Cloud { site, state }
    }

    fn passwords(&self) -> Vec<String> {
        self.state.lock().unwrap().passwords.clone()
    }

    fn spawn(&self, state: &Folder, args: &[&str], env: &[(&str, &str)]) -> Program {
        let database = state.file("tokens.db");
        let known = [("NEXTCLOUD_HOST", self.site.url()), ("TOKEN_STORAGE_DB", database.as_str())];
        Program::spawn(Folder::new(), args, &[&known, env].concat())
    }

    fn run(&self, state: &Folder, args: &[&str], env: &[(&str, &str)]) -> Ended {
        let ended = self.spawn(state, args, env).ended();
        for text in [&ended.log, &ended.output] {
            assert!(!text.contains("planted"), "{text}");
        }
        ended
    }
}

fn principal(user_id: &str) -> Response {
    let body = format!(
        "<?xml version=\"1.0\"?><d:multistatus xmlns:d=\"DAV:\"><d:response><d:href>/remote.php/dav/</d:href>\
         <d:propstat><d:prop><d:current-user-principal><d:href>/remote.php/dav/principals/users/{user_id}/</d:href>\
         </d:current-user-principal></d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>\
         </d:multistatus>"
    );
    answer(207, "application/xml; charset=utf-8", &body)
}

#[test]
fn who_signed_in_is_served_without_a_password_in_the_environment() {
    let (cloud, state) = (Cloud::open(Some("alice")), Folder::new());
    let login = cloud.run(&state, &["login", "--log-level", "trace"], &[]);
    assert_eq!(login.status, Some(0), "{}", login.log);
    assert!(
        login.output.contains(&format!("\n  {}/login/v2/flow/of-this-login\n", cloud.site.url())),
        "{}",
        login.output
    );
    assert!(login.output.contains("Signed in: alice at "), "{}", login.output);
    assert_eq!(cloud.passwords(), ["alice@example.org:planted-1"]);
    let database = std::fs::read(state.file("tokens.db")).expect("a database");
    assert!(!database.windows(7).any(|window| window == b"planted"));

    for env in [&[][..], &[("NEXTCLOUD_USERNAME", "alice")], &[("NEXTCLOUD_USERNAME", "Alice@example.org")]] {
        let mut stdio = cloud.spawn(&state, &["stdio", "--log-level", "trace"], env);
        let mut input = stdio.input();
        writeln!(input, "{}", call(1, 88)).expect("the program reads");
        let answer = stdio.output.next().expect("an answer");
        assert!(shown(&serde_json::from_str(&answer).expect("JSON")).contains("marked-content"), "{answer}");
        drop(input);
        let log = stdio.ended().log;
        assert!(log.contains("caller=alice") && !log.contains("planted"), "{log}");
    }
    let mut http = cloud.spawn(&state, &["--no-oauth", "--port", "0"], &[]);
    let address = http.address();
    assert_eq!(crate::wire::post(&address, "", &call(1, 88).to_string()).status, 200);
}

#[test]
fn a_password_in_the_environment_comes_first() {
    let (cloud, state) = (Cloud::open(Some("alice")), Folder::new());
    cloud.run(&state, &["login"], &[]);
    let account = [("NEXTCLOUD_USERNAME", "bob"), ("NEXTCLOUD_PASSWORD", "of-the-environment")];
    let mut stdio = cloud.spawn(&state, &["stdio"], &account);
    let mut input = stdio.input();
    writeln!(input, "{}", call(1, 88)).expect("the program reads");
    assert!(stdio.output.next().expect("an answer").contains("did not accept the sign-in"));
    drop(input);
    assert!(!stdio.ended().log.contains("Serving the account that is signed in"));
}

#[test]
fn a_second_login_ends_the_password_of_the_first() {
    let (cloud, state) = (Cloud::open(Some("alice")), Folder::new());
    cloud.run(&state, &["login"], &[]);
    cloud.state.lock().unwrap().granting = Some("bob");
    let second = cloud.run(&state, &["login"], &[]);
    assert!(second.output.contains("Signed in: bob at "), "{}", second.output);
    assert_eq!(cloud.passwords(), ["bob@example.org:planted-2"]);
}

#[test]
fn somebody_else_than_wanted_is_not_stored() {
    let (cloud, state) = (Cloud::open(Some("bob")), Folder::new());
    let ended = cloud.run(&state, &["login"], &[("NEXTCLOUD_USERNAME", "alice")]);
    assert_eq!(ended.status, Some(69));
    assert!(ended.log.contains("bob granted access, but NEXTCLOUD_USERNAME asks for alice"), "{}", ended.log);
    assert_eq!(cloud.passwords(), [""; 0], "the password was left behind");
    let served = cloud.run(&state, &["stdio"], &[]);
    assert_eq!(served.status, Some(78), "{}", served.log);
}

#[test]
fn logging_out_ends_the_password_and_forgets_it() {
    let (cloud, state) = (Cloud::open(Some("alice")), Folder::new());
    let nobody = cloud.run(&state, &["logout"], &[]);
    assert_eq!((nobody.status, nobody.output.starts_with("Nobody is signed in at ")), (Some(0), true));
    assert!(!std::path::Path::new(&state.file("tokens.db")).exists(), "looking made a database");
    cloud.run(&state, &["login"], &[]);
    let out = cloud.run(&state, &["logout"], &[]);
    assert_eq!(out.status, Some(0), "{}", out.log);
    assert!(out.output.starts_with("Signed out: alice at "), "{}", out.output);
    assert_eq!(cloud.passwords(), [""; 0]);
    for args in [&["stdio"][..], &["--no-oauth", "--port", "0"]] {
        let ended = cloud.run(&state, args, &[]);
        assert_eq!(ended.status, Some(78), "{}", ended.log);
        assert!(ended.log.contains("nobody is signed in at http://127.0.0.1"), "{}", ended.log);
        assert!(ended.log.contains("sign in with the command login"), "{}", ended.log);
    }
}

#[test]
fn logging_out_while_nextcloud_is_away_keeps_the_login() {
    let (cloud, state) = (Cloud::open(Some("alice")), Folder::new());
    cloud.run(&state, &["login"], &[]);
    let (url, database) = (cloud.site.url().to_owned(), state.file("tokens.db"));
    drop(cloud);
    let env = [("NEXTCLOUD_HOST", url.as_str()), ("TOKEN_STORAGE_DB", database.as_str())];
    let ended = Program::spawn(Folder::new(), &["logout"], &env).ended();
    assert_eq!(ended.status, Some(69), "{}", ended.log);
    assert!(ended.log.contains("so you are still signed in"), "{}", ended.log);
}

#[test]
fn ctrl_c_ends_the_wait_and_stores_nothing() {
    let (cloud, state) = (Cloud::open(None), Folder::new());
    let mut program = cloud.spawn(&state, &["login"], &[]);
    program.output.until("Waiting for you");
    program.signal("INT");
    let ended = program.ended();
    assert_eq!(ended.status, Some(130));
    assert!(ended.output.ends_with("Stopped. Nothing was stored."), "{}", ended.output);
    assert_eq!(cloud.run(&state, &["stdio"], &[]).status, Some(78));
}

#[test]
fn a_nextcloud_that_cannot_be_asked_is_told_in_plain_words() {
    let state = Folder::new();
    let ended = Program::spawn(
        Folder::new(),
        &["login"],
        &[("NEXTCLOUD_HOST", "http://127.0.0.1:9"), ("TOKEN_STORAGE_DB", &state.file("tokens.db"))],
    )
    .ended();
    assert_eq!((ended.status, ended.output.as_str()), (Some(69), ""));
    assert!(ended.log.starts_with("signing in failed: Nextcloud cannot be asked: "), "{}", ended.log);
    let unset = Program::spawn(Folder::new(), &["login"], &[]).ended();
    assert_eq!(unset.status, Some(78));
    assert!(unset.log.starts_with("NEXTCLOUD_HOST: is not set"), "{}", unset.log);
}
