//! Secrets of every kind are planted, and nothing planted may come out or lie about in clear.

use nextcloud_mcp_server::replay::server::Response;
use serde_json::json;

use crate::provider::{FIRST_CLIENT, NEVER_S, Provider, REGISTRATION_TOKEN, SECRET, json_answer};
use crate::site::{INITIALIZED, Running, Site};
use crate::wire::{call, note, note_id, post};

const OPAQUE: &str = "planted-opaque-token";
const COOKIE: &str = "planted-cookie-of-nextcloud";
const BROWSER_COOKIE: &str = "planted-cookie-of-a-browser";

/// Lets the opaque token in; Nextcloud has a note and sets a cookie.
fn provider() -> Provider {
    Provider::but(|request| {
        if request.target == "/apps/oidc/introspect" {
            let known = String::from_utf8_lossy(&request.body).contains(OPAQUE);
            let claims = json!({"active": known, "sub": "alice", "scope": "notes:read", "exp": NEVER_S,
                "client_id": "a-client", "aud": "http://localhost:8000/mcp"});
            return Some(json_answer(200, &claims));
        }
        let id = note_id(request)?;
        let mut response = match id {
            500 => Response::text(500, "<html></html>"),
            id => note(id),
        };
        response
            .headers
            .push(("Set-Cookie".into(), format!("oc_sessionPassphrase={COOKIE}; path=/; HttpOnly")));
        Some(response)
    })
}

/// What must come out nowhere.
struct Planted(Vec<String>);

impl Planted {
    fn assert_clean(&self, what: &str, bytes: &[u8]) {
        for secret in &self.0 {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{what} holds {secret}:\n{}", String::from_utf8_lossy(bytes));
        }
    }

    fn assert_clean_files(&self, site: &Site) {
        let mut client_ids = 0;
        for entry in std::fs::read_dir(site.folder.path()).expect("a folder") {
            let path = entry.expect("an entry").path();
            let bytes = std::fs::read(&path).expect("a file");
            self.assert_clean(&path.display().to_string(), &bytes);
            client_ids += String::from_utf8_lossy(&bytes).matches(FIRST_CLIENT).count();
        }
        assert!(client_ids > 0, "the client is in none of the files, so they prove nothing");
    }
}

/// Requests of every outcome; each answer is looked through.
fn play(running: &Running, tokens: &[String], planted: &Planted) {
    let cookie = format!("Cookie: session={BROWSER_COOKIE}\r\n");
    for token in tokens {
        for message in
            [call(1, 1), call(1, 1), call(1, 500), json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"})]
        {
            let headers = format!("Authorization: Bearer {token}\r\n{cookie}");
            let answer = post(running.address(), &headers, &message.to_string());
            planted.assert_clean("an answer", answer.whole.as_bytes());
        }
        let broken = post(running.address(), &format!("Authorization: Bearer {token}\r\n"), "{");
        planted.assert_clean("an answer", broken.whole.as_bytes());
    }
    for path in ["/health/ready", "/", "/.well-known/oauth-protected-resource"] {
        planted.assert_clean(path, running.get(path).whole.as_bytes());
    }
}

#[test]
fn no_secret_is_written_answered_or_stored_in_clear() {
    let provider = provider();
    let tokens = [
        OPAQUE.to_owned(),
        "planted-unknown-token".to_owned(),
        provider.token("RS256", &json!({"jti": "planted"})),
        provider.token("RS256", &json!({"aud": "https://other.example", "jti": "planted"})),
        provider.token("ES256", &json!({"scope": "openid"})),
    ];
    let mut planted: Vec<String> =
        [SECRET, REGISTRATION_TOKEN, COOKIE, BROWSER_COOKIE].map(Into::into).to_vec();
    for token in &tokens {
        // Neither whole nor in its parts, but for the header, which is public.
        planted.extend(token.split('.').skip(usize::from(token.contains('.'))).map(Into::into));
    }
    let planted = Planted(planted);
    let site = Site::new(&provider);
    for round in 0..2 {
        let mut running = site.listening_with(&["--log-level", "trace"]);
        running.wait_for(INITIALIZED);
        play(&running, &tokens, &planted);
        // While it runs, with what SQLite keeps beside the file.
        planted.assert_clean_files(&site);
        let ended = running.stopped();
        planted.assert_clean("the log", ended.log.as_bytes());
        for event in
            ["tool call tool=nc_notes_get_note", "An identity provider answered", "reason=\"bad_audience\""]
        {
            assert!(
                ended.log.contains(event),
                "{event:?} is not in the log of round {round}:\n{}",
                ended.log
            );
        }
        planted.assert_clean_files(&site);
    }
    let requests = provider.asked("");
    let holds = |text: &str| {
        requests.iter().any(|request| {
            request.headers.iter().any(|(_, value)| value.contains(text))
                || String::from_utf8_lossy(&request.body).contains(text)
        })
    };
    for secret in [COOKIE, SECRET, OPAQUE] {
        assert!(holds(secret), "{secret} was never used, so it proves nothing");
    }
    assert!(!holds(BROWSER_COOKIE), "a browser's cookie went on to Nextcloud");
}
