//! A browser with its cookies, and an MCP client that signs in, both by hand.

use std::cell::{Cell, RefCell};

use nextcloud_mcp_server::nextcloud::form_encode;
use percent_encoding::percent_decode_str;
use ring::digest;
use serde_json::{Value, json};

use crate::minter::base64url;
use crate::site::Running;
use crate::wire::{Answered, read_answer, send};

/// The server as its clients see it.
pub const URL: &str = "http://localhost:8000";
pub const REDIRECT: &str = "http://localhost:3334/callback";
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const STATE: &str = "state of the client & more";

pub type Fields = Vec<(String, String)>;

/// The fields of a form or a query.
pub fn fields_of(text: &str) -> Fields {
    let decode = |part: &str| {
        let spaced = part.replace('+', " ");
        percent_decode_str(&spaced).decode_utf8().expect("UTF-8").into_owned()
    };
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (decode(name), decode(value))).collect()
}

/// A parameter of an address.
pub fn parameter(url: &str, name: &str) -> Option<String> {
    let fields = fields_of(url.split_once('?')?.1);
    fields.into_iter().find(|(known, _)| known == name).map(|(_, value)| value)
}

/// One browser.
pub struct Browser<'a> {
    running: &'a Running,
    pub cookies: RefCell<Fields>,
}

impl<'a> Browser<'a> {
    pub fn new(running: &'a Running) -> Browser<'a> {
        Browser { running, cookies: RefCell::default() }
    }

    pub fn get(&self, url: &str) -> Answered {
        self.send(url, "GET", "", "")
    }

    /// Sends a form of ours, as a browser does.
    pub fn post(&self, url: &str, fields: &[(&str, &str)]) -> Answered {
        let form = "Content-Type: application/x-www-form-urlencoded\r\n";
        self.send(url, "POST", &format!("{form}Origin: {URL}\r\n"), &form_encode(fields))
    }

    /// `headers` are whole lines.
    pub fn send(&self, url: &str, method: &str, headers: &str, body: &str) -> Answered {
        let path = url.strip_prefix(URL).unwrap_or(url);
        let cookies: Vec<String> =
            self.cookies.borrow().iter().map(|(name, value)| format!("{name}={value}")).collect();
        let cookies = match cookies.as_slice() {
            [] => String::new(),
            some => format!("Cookie: {}\r\n", some.join("; ")),
        };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost:8000\r\nConnection: close\r\nAccept: text/html\r\n\
             {cookies}{headers}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = read_answer(send(self.running.address(), &request));
        for line in answer.whole.lines().filter_map(|line| line.strip_prefix("Set-Cookie: ")) {
            let (name, value) =
                line.split(';').next().and_then(|pair| pair.split_once('=')).expect("a cookie");
            let mut cookies = self.cookies.borrow_mut();
            cookies.retain(|(known, _)| known != name);
            cookies.push((name.to_owned(), value.to_owned()));
        }
        answer
    }

    /// Opens the consent page of a request; its ticket.
    pub fn ticket(&self, authorize_url: &str) -> String {
        let page = self.get(authorize_url);
        assert_eq!(page.status, 200, "{}", page.whole);
        hidden(&page.whole, "ticket").expect("a ticket")
    }

    /// Says yes to reading and writing notes; where the browser goes then, or the page that it stays on.
    pub fn say_yes(&self, ticket: &str) -> Answered {
        let fields =
            [("ticket", ticket), ("scope", "notes:read"), ("scope", "notes:write"), ("allow", "yes")];
        self.post("/oauth/consent", &fields)
    }

    /// Goes to the provider, which sends it back at once; the address that it comes back to.
    pub fn at_provider(&self, to: &str) -> String {
        let (host, path) = to.strip_prefix("http://").and_then(|rest| rest.split_once('/')).expect("a URL");
        let request = format!("GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        location(&read_answer(send(host, &request)))
    }
}

/// The value of a hidden field of a page.
pub fn hidden(page: &str, name: &str) -> Option<String> {
    let after = page.split_once(&format!("name=\"{name}\" value=\""))?.1;
    after.split('"').next().map(str::to_owned)
}

/// Where a redirect goes.
pub fn location(answer: &Answered) -> String {
    assert_eq!(answer.status, 303, "{}", answer.whole);
    answer.header("Location").expect("a Location")
}

/// An MCP client.
pub struct Client<'a> {
    running: &'a Running,
    pub id: String,
    pub access: RefCell<String>,
    pub refresh: RefCell<String>,
    calls: Cell<u64>,
}

impl<'a> Client<'a> {
    pub fn registered(running: &'a Running) -> Client<'a> {
        Client::with(running, &json!({"client_name": "Inspector", "redirect_uris": [REDIRECT]}))
    }

    pub fn with(running: &'a Running, metadata: &Value) -> Client<'a> {
        let answer = register(running, &metadata.to_string());
        assert_eq!(answer.status, 201, "{}", answer.whole);
        let id = answer.json()["client_id"].as_str().expect("an id").to_owned();
        Client::known(running, id)
    }

    /// One that registered before.
    pub fn known(running: &'a Running, id: String) -> Client<'a> {
        Client { running, id, access: RefCell::default(), refresh: RefCell::default(), calls: Cell::new(0) }
    }

    /// The address that the browser is sent to, with these parameters in place of the usual ones.
    pub fn authorize_url(&self, instead: &[(&str, &str)]) -> String {
        let challenge = base64url(digest::digest(&digest::SHA256, VERIFIER.as_bytes()));
        let mut fields = vec![
            ("client_id", self.id.as_str()),
            ("redirect_uri", REDIRECT),
            ("response_type", "code"),
            ("state", STATE),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
            ("resource", "http://localhost:8000/mcp"),
            ("scope", "notes:read notes:write files:read"),
        ];
        fields.retain(|(name, _)| !instead.iter().any(|(other, _)| other == name));
        fields.extend(instead);
        format!("{URL}/oauth/authorize?{}", form_encode(&fields))
    }

    /// Plays the browser, too: from the request to tokens.
    pub fn sign_in(&self, browser: &Browser) {
        let to = location(&browser.say_yes(&browser.ticket(&self.authorize_url(&[]))));
        let back = location(&browser.get(&browser.at_provider(&to)));
        self.redeem(&back);
    }

    /// Takes the code of an address that the browser came back with, and gets tokens for it.
    pub fn redeem(&self, back: &str) {
        assert!(back.starts_with(&format!("{REDIRECT}?")), "{back}");
        assert_eq!(parameter(back, "state").as_deref(), Some(STATE));
        assert_eq!(parameter(back, "iss").as_deref(), Some(URL));
        let answer = self.exchange(&parameter(back, "code").expect("a code"));
        self.keep(&answer);
    }

    pub fn exchange(&self, code: &str) -> Answered {
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", REDIRECT),
            ("client_id", &self.id),
            ("code_verifier", VERIFIER),
        ];
        program(self.running, "/oauth/token", &fields)
    }

    pub fn renew(&self) -> Answered {
        let refresh = self.refresh.borrow().clone();
        let fields = [("grant_type", "refresh_token"), ("refresh_token", &refresh), ("client_id", &self.id)];
        program(self.running, "/oauth/token", &fields)
    }

    pub fn keep(&self, answer: &Answered) {
        assert_eq!(answer.status, 200, "{}", answer.whole);
        let tokens = answer.json();
        let text = |name: &str| tokens[name].as_str().expect(name).to_owned();
        self.access.replace(text("access_token"));
        self.refresh.replace(text("refresh_token"));
    }

    pub fn revoke(&self) -> Answered {
        let token = self.refresh.borrow().clone();
        program(self.running, "/oauth/revoke", &[("token", &token), ("client_id", &self.id)])
    }

    /// Reads a note.
    pub fn call(&self) -> Answered {
        self.calls.set(self.calls.get() + 1);
        self.running.post(&self.access.borrow(), &crate::wire::call(self.calls.get(), crate::cloud::NOTE))
    }

    /// Reads a note, which goes well.
    pub fn reads_a_note(&self) {
        let answer = self.call();
        assert_eq!(answer.status, 200, "{}", answer.whole);
        assert!(crate::wire::shown(&answer.json()).contains("marked-content"), "{}", answer.whole);
    }
}

pub fn register(running: &Running, metadata: &str) -> Answered {
    raw(running, "POST", "/oauth/register", "Content-Type: application/json\r\n", metadata)
}

/// A form of a program: no cookie, no origin.
pub fn program(running: &Running, path: &str, fields: &[(&str, &str)]) -> Answered {
    let headers = "Content-Type: application/x-www-form-urlencoded\r\n";
    raw(running, "POST", path, headers, &form_encode(fields))
}

/// Any request. `headers` are whole lines; a `Host` among them counts.
pub fn raw(running: &Running, method: &str, path: &str, headers: &str, body: &str) -> Answered {
    let host = if headers.contains("Host: ") { "" } else { "Host: localhost:8000\r\n" };
    let request = format!(
        "{method} {path} HTTP/1.1\r\n{host}Connection: close\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    read_answer(send(running.address(), &request))
}
