//! Every file in `fixtures/` has its form, and nothing of the place where it was recorded is left in it.

use std::path::{Path, PathBuf};

use nextcloud_mcp_server::replay::scenario::{Scenario, files_below};
use nextcloud_mcp_server::replay::tape::Exchange;
use serde_json::Value;

/// Hosts that stand in documents for what they are: namespaces, documentation, and names that RFC 2606 keeps free.
const HOSTS: &[&str] = &[
    // The namespace of offsets in searches.
    "github.com",
    "localhost",
    "127.0.0.1",
    "apple.com",
    "calendarserver.org",
    "nextcloud.com",
    "nextcloud.org",
    "open-collaboration-services.org",
    "owncloud.org",
    "sabre.io",
    "sabredav.org",
    "schema.org",
    "www.w3.org",
];
/// Where people and programs keep their files.
const PLACES: &[&str] = &["/home/", "/tmp/", "/Users/", "/var/www/", "/usr/share/", "/srv/", "/opt/"];

/// The files of one part of `fixtures/`, by their path from there.
fn files(part: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let named = |path: PathBuf| {
        let name = path.strip_prefix(&root).expect("a fixture").display().to_string();
        (name, std::fs::read_to_string(&path).expect("text"))
    };
    let found: Vec<_> = files_below(&root.join(part)).expect("a directory").into_iter().map(named).collect();
    assert!(!found.is_empty(), "there is nothing in fixtures/{part}");
    found
}

fn json(name: &str, text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|fault| panic!("{name}: {fault}"))
}

/// What came from a Nextcloud: scenarios, the tour and the identity provider.
fn recorded() -> impl Iterator<Item = (String, Value)> {
    let all = files("scenarios").into_iter().chain(files("tour")).chain(files("oauth"));
    all.map(|(name, text)| {
        let value = json(&name, &text);
        (name, value)
    })
}

/// Calls `visit` with every string in a value, with the name of the member that it is in.
fn each_text(value: &Value, name: &str, visit: &mut dyn FnMut(&str, &str)) {
    match value {
        Value::String(text) => visit(name, text),
        Value::Array(items) => items.iter().for_each(|item| each_text(item, name, visit)),
        Value::Object(members) => members.iter().for_each(|(name, member)| each_text(member, name, visit)),
        _ => {}
    }
}

/// The exchanges anywhere in a document.
fn each_exchange<'a>(value: &'a Value, found: &mut Vec<&'a Value>) {
    match value {
        Value::Object(members) if members.contains_key("request") && members.contains_key("response") => {
            found.push(value);
        }
        Value::Object(members) => members.values().for_each(|member| each_exchange(member, found)),
        Value::Array(items) => items.iter().for_each(|item| each_exchange(item, found)),
        _ => {}
    }
}

/// The hosts of the `http` and `https` URLs in a text.
fn hosts(text: &str) -> impl Iterator<Item = &str> {
    let marks = text.match_indices("://").filter(|(at, _)| {
        let scheme = text[..*at].rsplit(|c: char| !c.is_ascii_alphabetic()).next();
        scheme.is_some_and(|scheme| scheme == "http" || scheme == "https")
    });
    let end = |c: char| !(c.is_ascii_alphanumeric() || ".-@".contains(c));
    marks
        .map(move |(at, mark)| text[at + mark.len()..].split(end).next().unwrap_or_default())
        .filter(|host| !host.is_empty())
}

fn host_is_known(host: &str) -> bool {
    let reserved = [".example", ".example.org", ".example.com", ".test", ".invalid"];
    let own =
        ["example.org", "example.com"].contains(&host) || reserved.iter().any(|end| host.ends_with(end));
    own || HOSTS.contains(&host)
}

/// A place that is the beginning of a path, and not a folder of the same name further down.
fn place_in(text: &str) -> Option<&'static str> {
    let starts = |at: usize| {
        let before = text[..at].chars().next_back();
        before.is_none_or(|c| !(c.is_alphanumeric() || "._-}%)".contains(c)))
    };
    PLACES.iter().copied().find(|place| text.match_indices(place).any(|(at, _)| starts(at)))
}

#[test]
fn scenarios_are_scenarios() {
    for (name, text) in files("scenarios") {
        Scenario::parse(&text).unwrap_or_else(|fault| panic!("{name}: {fault}"));
    }
}

#[test]
fn the_tour_is_made_of_exchanges_that_say_where_they_come_from() {
    for (name, text) in files("tour") {
        let Value::Array(list) = json(&name, &text) else { panic!("{name} is no list") };
        for (i, exchange) in list.into_iter().enumerate() {
            let source = exchange["source"].as_str().unwrap_or_default();
            let known = source.starts_with("recordings/") || source.starts_with("written by hand");
            assert!(known, "{name}: exchange {i} comes from {source:?}");
            Exchange::read(exchange, &format!("{name}: exchange {i}")).expect("an exchange");
        }
    }
}

#[test]
fn every_fixture_is_json() {
    files(".").iter().for_each(|(name, text)| drop(json(name, text)));
}

fn is_made_up(value: &str) -> bool {
    value.is_empty() || value == "true" || value.starts_with("made-up")
}

/// Whether every value in a `Cookie` or `Set-Cookie` line is made up; attributes of the latter are none.
fn cookies_are_made_up(line: &str) -> bool {
    let attributes = ["path", "expires", "max-age", "samesite"];
    line.split(';')
        .filter_map(|part| part.trim().split_once('='))
        .all(|(name, value)| is_made_up(value) || attributes.contains(&name.to_ascii_lowercase().as_str()))
}

#[test]
fn no_credentials_or_cookies_are_in_a_recording() {
    for (name, value) in recorded() {
        let mut exchanges = Vec::new();
        each_exchange(&value, &mut exchanges);
        for (part, exchange) in exchanges.iter().flat_map(|e| [("request", *e), ("response", *e)]) {
            for line in exchange[part]["set_cookie"].as_array().into_iter().flatten() {
                assert!(line.as_str().is_some_and(cookies_are_made_up), "{name} sets a cookie: {line}");
            }
            for (header, value) in exchange[part]["headers"].as_object().into_iter().flatten() {
                let value = value.as_str().unwrap_or_default();
                match header.to_ascii_lowercase().as_str() {
                    "authorization" => {
                        assert!(["Basic {user}", "Bearer {token}", ""].contains(&value), "{name}: {value}");
                    }
                    "cookie" => assert!(cookies_are_made_up(value), "{name} has a cookie"),
                    "requesttoken" => assert!(is_made_up(value), "{name} has a request token"),
                    "set-cookie" | "x-request-id" => panic!("{name} has {header}"),
                    _ => {}
                }
            }
        }
        each_text(&value, "", &mut |_, text| {
            for secret in ["$argon2", "$2y$", "PRIVATE KEY-----", "eyJhbGciOi"] {
                assert!(!text.contains(secret), "{name} has {secret}…");
            }
        });
    }
}

#[test]
fn nothing_tells_where_a_recording_was_made() {
    for (name, value) in recorded() {
        each_text(&value, "", &mut |member, text| {
            // Base64 has slashes of its own.
            if member == "body_base64" || member == "data" || member == "blob" {
                return;
            }
            assert_eq!(place_in(text), None, "{name}: {text}");
            if let Some(host) = hosts(text).find(|host| !host_is_known(host)) {
                panic!("{name} has the host {host}");
            }
        });
    }
}

#[test]
fn the_search_for_cookies_finds_them() {
    assert!(cookies_are_made_up(
        "oc123=made-up-1; nc_sameSiteCookielax=true; Path=/; HttpOnly; SameSite=Lax"
    ));
    assert!(!cookies_are_made_up("nc_sameSiteCookielax=true; oc123=97eg89t1ths5"));
    assert!(!cookies_are_made_up("nc_token=clLyzFfR; Path=/"));
}

#[test]
fn the_search_for_hosts_and_places_finds_them() {
    let text = "see https://cloud.real.net/x, {base}/y, nc://Notes/1 and http://me@10.0.0.1:80";
    assert_eq!(hosts(text).collect::<Vec<_>>(), ["cloud.real.net", "me@10.0.0.1"]);
    assert!(host_is_known("cloud.example.org") && host_is_known("localhost"));
    assert!(!host_is_known("cloud.real.net") && !host_is_known("evil-example.org"));
    assert_eq!(place_in("in /home/alice/nextcloud/lib"), Some("/home/"));
    assert_eq!(place_in("file:///tmp/x"), Some("/tmp/"));
    assert_eq!(place_in("/remote.php/dav/calendars/alice/srv/ and {base}/tmp/x"), None);
}
