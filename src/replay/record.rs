//! Records: a loopback server that passes each request on to a live Nextcloud and keeps what it saw.
//!
//! What is kept is scrubbed afterwards; what is sent is not touched, except that the server's own URL and the live
//! one are exchanged for each other.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;
use ureq::Agent;
use ureq::config::AutoHeaderValue;

use super::scenario::replace_in;
use super::server::{Answer, Loopback, Request, Response, locked};
use super::tape::{BASE, Exchange, write_exchange};
use crate::secret::Secret;

/// Longest answer that is recorded, in bytes.
const BODY_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Time for one exchange with the live Nextcloud.
const TIMEOUT: Duration = Duration::from_secs(120);
/// Headers that concern one connection only, or are made anew on each.
const HOP_HEADERS: &[&str] =
    &["Host", "Connection", "Content-Length", "Transfer-Encoding", "Accept-Encoding", "Keep-Alive", "Expect"];
/// Request headers worth comparing in a test.
const KEPT_REQUEST_HEADERS: &[&str] = &[
    "Accept",
    "Authorization",
    "Content-Type",
    "Depth",
    "Destination",
    "If",
    "If-Match",
    "If-None-Match",
    "OC-Total-Length",
    "OCS-APIRequest",
    "Overwrite",
    "Range",
];
/// Answer headers worth giving to our client again. All others go, since what a proxy in between adds tells about its
/// owner.
const KEPT_RESPONSE_HEADERS: &[&str] = &[
    "Accept-Ranges",
    "Allow",
    "Content-Disposition",
    "Content-Length",
    "Content-Location",
    "Content-Range",
    "Content-Type",
    "DAV",
    "ETag",
    "Last-Modified",
    "Link",
    "Location",
    "OC-Checksum",
    "OC-ETag",
    "OC-FileId",
    "Retry-After",
    "WWW-Authenticate",
    "X-Notes-API-Versions",
    "X-Notes-Chunk-Cursor",
    "X-Notes-Chunk-Pending",
    "X-OC-MTime",
];
/// Beginnings of answer headers of Nextcloud's apps, which are kept too.
const KEPT_RESPONSE_PREFIXES: &[&str] = &["NC-", "OCS-", "X-Chat-", "X-NC-", "X-Nextcloud-"];

/// Names of JSON members whose strings are secrets.
const SECRET_MEMBERS: &[&str] = &[
    "access_token",
    "appPassword",
    "apppassword",
    "client_secret",
    "id_token",
    "password",
    "refresh_token",
    "requesttoken",
    "token",
];

/// Shorter strings are no secrets, and would be found in other words.
const SECRET_BYTES_MIN: usize = 8;

/// A live Nextcloud and an account on it.
#[derive(Clone)]
pub struct Upstream {
    /// `https://cloud.example.org`, without a slash at the end.
    pub url: String,
    pub user: String,
    pub password: Secret,
}

/// Passes requests on to a live Nextcloud and keeps the exchanges.
pub struct Recorder {
    loopback: Loopback,
    proxy: Arc<Proxy>,
}

struct Proxy {
    agent: Agent,
    base: String,
    upstream: Upstream,
    seen: Mutex<Vec<(Request, Response)>>,
}

impl Recorder {
    /// Listens on loopback. Fails if no port can be had.
    pub fn start(upstream: Upstream) -> io::Result<Recorder> {
        let mut proxy = None;
        let loopback = Loopback::start(|base| {
            let seen = Mutex::new(Vec::new());
            let made = Arc::new(Proxy { agent: agent(), base: base.into(), upstream, seen });
            proxy = Some(Arc::clone(&made));
            made
        })?;
        let proxy = proxy.ok_or_else(|| io::Error::other("the recorder was not made"))?;
        Ok(Recorder { loopback, proxy })
    }

    /// `http://127.0.0.1:PORT`, without a slash at the end.
    pub fn url(&self) -> &str {
        self.loopback.url()
    }

    /// The exchanges since the last call, in the order of their answers, not scrubbed yet.
    pub fn take(&self) -> Vec<(Request, Response)> {
        std::mem::take(&mut *locked(&self.proxy.seen))
    }
}

fn agent() -> Agent {
    Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .allow_non_standard_methods(true)
        .user_agent(AutoHeaderValue::None)
        .accept(AutoHeaderValue::None)
        // An answer is kept as text, and compression weakens ETags.
        .accept_encoding(AutoHeaderValue::None)
        .timeout_global(Some(TIMEOUT))
        .build()
        .new_agent()
}

impl Answer for Proxy {
    fn answer(&self, request: Request) -> Response {
        match self.forward(&request) {
            Ok(response) => {
                locked(&self.seen).push((request, response.clone()));
                response
            }
            Err(why) => Response::text(502, &format!("the live Nextcloud could not be asked: {why}")),
        }
    }
}

impl Proxy {
    fn forward(&self, request: &Request) -> Result<Response, ureq::Error> {
        let (base, live) = (self.base.as_str(), self.upstream.url.as_str());
        let mut builder = ureq::http::Request::builder()
            .method(request.method.as_str())
            .uri(format!("{live}{}", request.target));
        for (name, value) in &request.headers {
            if !HOP_HEADERS.iter().any(|h| h.eq_ignore_ascii_case(name)) {
                builder = builder.header(name, exchange_url(value.as_bytes(), base, live));
            }
        }
        let body = exchange_url(&request.body, base, live);
        let sent_empty = body.is_empty() && !matches!(request.method.as_str(), "POST" | "PUT" | "PATCH");
        let mut answer = if sent_empty {
            self.agent.run(builder.body(())?)?
        } else {
            self.agent.run(builder.body(&body[..])?)?
        };
        let headers = answer.headers().iter().filter(|(name, _)| {
            let always = name.as_str().eq_ignore_ascii_case("Content-Length") && request.method == "HEAD";
            always || !HOP_HEADERS.iter().any(|h| h.eq_ignore_ascii_case(name.as_str()))
        });
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let headers: Vec<(String, String)> = headers
            .map(|(name, value)| (name.as_str().into(), text(exchange_url(value.as_bytes(), live, base))))
            .collect();
        let body = answer.body_mut().with_config().limit(BODY_BYTES_MAX).read_to_vec()?;
        let body = exchange_url(&body, live, base);
        Ok(Response { status: answer.status().as_u16(), headers, body, cut_after: None })
    }
}

/// Replaces a URL in text, also where JSON has escaped its slashes; bytes that are no text stay.
fn exchange_url(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(bytes) else { return bytes.into() };
    text.replace(from, to).replace(&from.replace('/', "\\/"), &to.replace('/', "\\/")).into_bytes()
}

/// The headers that have a name to be kept under.
fn kept(headers: &[(String, String)], name: impl Fn(&str) -> Option<String>) -> Vec<(String, String)> {
    headers.iter().filter_map(|(header, value)| Some((name(header)?, value.clone()))).collect()
}

/// The name of a header as it is usually written, if it is worth keeping.
fn kept_name(name: &str, kept: &[&str], prefixes: &[&str]) -> Option<String> {
    if let Some(usual) = kept.iter().find(|usual| usual.eq_ignore_ascii_case(name)) {
        return Some((*usual).into());
    }
    let prefix = prefixes
        .iter()
        .find(|prefix| name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix)))?;
    let word = |word: &str| {
        let mut chars = word.chars();
        chars.next().map(|c| c.to_ascii_uppercase().to_string() + chars.as_str()).unwrap_or_default()
    };
    let rest: Vec<String> = name[prefix.len()..].split('-').map(word).collect();
    Some(format!("{prefix}{}", rest.join("-")))
}

/// Writes exchanges as a tape has them: with the headers that `before`, the tape so far, compared, or else with all
/// that matter; without credentials, cookies and ids.
pub fn write(exchanges: &[(Request, Response)], before: &[Exchange], base: &str) -> Value {
    let written = exchanges.iter().enumerate().map(|(i, (request, response))| {
        let compared = before.get(i).filter(|exchange| exchange.request.method == request.method);
        let (mut request, mut response) = (request.clone(), response.clone());
        request.headers = kept(&request.headers, |name| match compared {
            Some(exchange) => {
                let names = exchange.request.headers.iter().map(|(name, _)| name);
                names.into_iter().find(|usual| usual.eq_ignore_ascii_case(name)).cloned()
            }
            None => kept_name(name, KEPT_REQUEST_HEADERS, &[]),
        });
        for (name, value) in &mut request.headers {
            if name.eq_ignore_ascii_case("Authorization") {
                let scheme = value.split(' ').next().unwrap_or_default();
                *value = format!("{scheme} {}", if scheme == "Basic" { "{user}" } else { "{token}" });
            }
        }
        response.headers =
            kept(&response.headers, |name| kept_name(name, KEPT_RESPONSE_HEADERS, KEPT_RESPONSE_PREFIXES));
        replace_in(
            replace_in(write_exchange(&request, &response), base, BASE),
            &base.replace('/', "\\/"),
            BASE,
        )
    });
    written.collect()
}

/// Takes everything out of a document that belongs to the live server: its URL and host, the account's name and
/// password, and the tokens that its answers give out.
pub fn scrub(document: &Value, upstream: &Upstream) -> Value {
    let host = upstream.url.split_once("://").map_or(upstream.url.as_str(), |(_, host)| host);
    let mut document = document.clone();
    let basic = BASE64.encode(format!("{}:{}", upstream.user, upstream.password.expose()));
    let mut secrets = vec![basic, upstream.password.expose().into()];
    secrets_in(&document, &mut secrets);
    for (number, secret) in secrets.iter().filter(|secret| !secret.is_empty()).enumerate() {
        document = replace_in(document, secret, &format!("scrubbed-{number}"));
    }
    document = replace_in(document, &upstream.url, BASE);
    document = replace_in(document, host, "{host}");
    map_strings(document, &|text| replace_word(text, &upstream.user, "alice"))
}

fn secrets_in(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| secrets_in(item, found)),
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(secret) if SECRET_MEMBERS.contains(&name.as_str()) => {
                        if secret.len() >= SECRET_BYTES_MIN && !found.contains(secret) {
                            found.push(secret.clone());
                        }
                    }
                    other => secrets_in(other, found),
                }
            }
        }
        _ => {}
    }
}

fn map_strings(value: Value, change: &dyn Fn(&str) -> String) -> Value {
    match value {
        Value::String(text) => change(&text).into(),
        Value::Array(items) => items.into_iter().map(|item| map_strings(item, change)).collect(),
        Value::Object(members) => {
            members.into_iter().map(|(name, member)| (name, map_strings(member, change))).collect()
        }
        other => other,
    }
}

/// Replaces `word` where no letter, digit or `_` stands next to it.
fn replace_word(text: &str, word: &str, by: &str) -> String {
    if word.is_empty() {
        return text.into();
    }
    let joins = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let (mut out, mut rest) = (String::new(), text);
    while let Some(at) = rest.find(word) {
        let (before, after) = (&rest[..at], &rest[at + word.len()..]);
        let before_char = before.chars().next_back().or_else(|| out.chars().next_back());
        out.push_str(before);
        out.push_str(if joins(before_char) || joins(after.chars().next()) { word } else { by });
        rest = after;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_name_is_replaced_only_as_a_whole_word() {
        let text = "/files/al/al.txt?u=al&x=alpha al";
        assert_eq!(replace_word(text, "al", "alice"), "/files/alice/alice.txt?u=alice&x=alpha alice");
        assert_eq!(replace_word("alal al_ al", "al", "alice"), "alal al_ alice");
    }

    #[test]
    fn only_headers_that_matter_are_kept_and_no_credentials() {
        let pairs = |list: &[(&str, &str)]| list.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect();
        let request = Request {
            method: "GET".into(),
            target: "/x".into(),
            headers: pairs(&[
                ("authorization", "Bearer c2VjcmV0"),
                ("cookie", "a=b"),
                ("depth", "1"),
                ("user-agent", "x"),
            ]),
            body: Vec::new(),
        };
        let response = Response {
            status: 200,
            headers: pairs(&[
                ("etag", "\"e\""),
                ("set-cookie", "a=b"),
                ("via", "1.1 gate.my.lan"),
                ("x-nc-paginate-total", "9"),
            ]),
            body: Vec::new(),
            cut_after: None,
        };
        let written = write(&[(request, response)], &[], "http://127.0.0.1:1");
        assert_eq!(
            written,
            serde_json::json!([{
                "request": { "method": "GET", "path": "/x", "headers": { "Authorization": "Bearer {token}", "Depth": "1" } },
                "response": { "status": 200, "headers": { "ETag": "\"e\"", "X-NC-Paginate-Total": "9" } }
            }])
        );
    }

    #[test]
    fn a_url_is_exchanged_also_with_escaped_slashes() {
        let text = br#"{"url":"https:\/\/cloud.example\/x","two":"https://cloud.example/y"}"#;
        let got = exchange_url(text, "https://cloud.example", "http://127.0.0.1:1");
        assert_eq!(got, br#"{"url":"http:\/\/127.0.0.1:1\/x","two":"http://127.0.0.1:1/y"}"#);
        assert_eq!(exchange_url(&[0xff, b'a'], "a", "b"), [0xff, b'a']);
    }
}
