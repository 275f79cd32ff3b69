//! Routes of the HTTP side: `/mcp`, health, and a word for people.
//!
//! The checks stand in the order of MCP's ladder: path, `Host` and `Origin`, method, bearer token, media type, all by
//! the head alone; then the body goes to [`mcp::handle`].

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::access::{Access, Denied};
use super::health::Health;
use super::oauth::{self, Endpoint};
use super::origins::Origins;
use super::streaming;
use crate::auth::Caller;
use crate::auth::metadata::METADATA_PATHS;
use crate::cancel::Cancel;
use crate::config::BaseUrl;
use crate::http::{Handler, Head, Peer, Reply, Request, Response};
use crate::mcp::{self, Class, Header, Incoming, ProtocolHeaders};
use crate::server::Server;

/// Time that a call with a progress token gets to answer without a stream: most take a fraction of it, and a plain
/// answer costs a client less.
const PATIENCE: Duration = Duration::from_secs(1);

/// Answers HTTP requests for one server.
pub struct Front {
    server: Arc<Server>,
    access: Access,
    origins: Origins,
    health: Health,
    patience: Duration,
    /// This server as its clients see it.
    address: String,
}

/// What a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Route {
    Mcp,
    /// `/`: MCP for a POST (people forget the path), a word about this server otherwise.
    Root,
    Live,
    Ready,
    /// Protected-resource metadata (RFC 9728); public, and only there in oauth mode.
    ResourceMetadata,
    /// The authorization server, in oauth mode.
    OAuth(Endpoint),
    /// Where the reference's SSE transport was.
    OldSse,
    Unknown,
}

impl Route {
    fn of(path: &str) -> Route {
        match path {
            "/mcp" | "/mcp/" => Route::Mcp,
            "/" => Route::Root,
            "/health/live" => Route::Live,
            "/health/ready" => Route::Ready,
            path if Endpoint::of(path).is_some() => Endpoint::of(path).map_or(Route::Unknown, Route::OAuth),
            path if METADATA_PATHS.contains(&path) => Route::ResourceMetadata,
            "/sse" | "/sse/" | "/messages" | "/messages/" => Route::OldSse,
            _ => Route::Unknown,
        }
    }

    fn allow(self) -> &'static str {
        match self {
            Route::Mcp => "POST",
            Route::Root => "GET, HEAD, POST",
            Route::Live | Route::Ready | Route::ResourceMetadata => "GET, HEAD",
            Route::OAuth(endpoint) => endpoint.allow(),
            Route::OldSse | Route::Unknown => "",
        }
    }
}

impl Front {
    /// `mode` is the word that health and logs show: `basic` or `oauth`.
    pub fn new(server: Arc<Server>, access: Access, origins: Origins, mode: &'static str) -> Front {
        let address = "http://localhost:8000".to_owned();
        Front { server, access, origins, health: Health::new(mode), patience: PATIENCE, address }
    }

    /// Changes the address under which clients find this server; `http://localhost:8000` if not changed.
    #[must_use]
    pub fn at(self, public_url: &BaseUrl) -> Front {
        Front { address: public_url.to_string(), ..self }
    }

    /// Changes how long a call with a progress token may take to be answered with plain JSON; 1 s if not changed.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Front {
        Front { patience, ..self }
    }

    /// The checks that need only the head.
    fn check(&self, head: &Head) -> Result<(), Response> {
        let route = Route::of(head.path());
        match route {
            Route::OldSse => return Err(problem(404, OLD_SSE)),
            Route::Unknown => return Err(problem(404, "Nothing is here. The MCP endpoint is /mcp.")),
            Route::Mcp | Route::Root => self.check_origin(head)?,
            Route::ResourceMetadata if self.access.resource().is_none() => {
                return Err(problem(404, "This server does not use OAuth."));
            }
            Route::OAuth(_) if self.access.broker().is_none() => {
                return Err(problem(404, "This server does not use OAuth."));
            }
            Route::OAuth(endpoint) if endpoint.is_for_programs() => self.check_host(head)?,
            Route::OAuth(_) => self.check_origin(head)?,
            Route::Live | Route::Ready | Route::ResourceMetadata => {}
        }
        let method = head.method.as_str();
        if method == "OPTIONS" {
            return Err(Response::empty(204).with("Allow", route.allow()));
        }
        if !route.allow().split(", ").any(|allowed| allowed == method) {
            return Err(problem(405, "This address takes POST requests with one JSON-RPC message.")
                .with("Allow", route.allow()));
        }
        if method == "POST" && matches!(route, Route::Mcp | Route::Root) {
            self.caller(head)?;
            check_media_type(head)?;
        }
        Ok(())
    }

    fn check_origin(&self, head: &Head) -> Result<(), Response> {
        self.check_host(head)?;
        let foreign = match header(head, "origin") {
            Header::Missing => None,
            Header::Once(origin) => Some(origin).filter(|origin| !self.origins.origin(origin)),
            Header::Repeated => Some("several"),
        };
        if let Some(origin) = foreign {
            log::warn!("refused a request: Origin is not allowed origin={origin:?}");
            return Err(problem(403, FOREIGN_ORIGIN));
        }
        Ok(())
    }

    fn check_host(&self, head: &Head) -> Result<(), Response> {
        // A Unix socket has no address that a page could be rebound to, and proxies send what they like.
        if let Some(host) = head.headers.get("host")
            && !matches!(head.peer, Peer::Unix)
            && !self.origins.host(host)
        {
            log::warn!("refused a request: Host is not allowed host={host:?}");
            return Err(problem(403, FOREIGN_HOST));
        }
        Ok(())
    }

    fn caller(&self, head: &Head) -> Result<Caller, Response> {
        self.access.caller(head).map_err(|denied| match denied {
            Denied::NoToken { challenge } => {
                log::info!("asked for a bearer token peer={:?}", head.peer);
                problem(401, NO_TOKEN).with("WWW-Authenticate", challenge)
            }
            Denied::Refused { reason, challenge } => {
                log::warn!("refused a bearer token reason=\"{reason}\" peer={:?}", head.peer);
                problem(401, TOKEN_REFUSED).with("WWW-Authenticate", challenge)
            }
            Denied::Unjudged { reason } => {
                log::warn!("a bearer token cannot be judged reason=\"{reason}\" peer={:?}", head.peer);
                busy("Tokens cannot be checked at the moment. Try again soon.", 5)
            }
        })
    }

    fn mcp(&self, request: &Request) -> Reply {
        let head = &request.head;
        // Asked again: the token may have come to its end while the body was read.
        let caller = match self.caller(head) {
            Ok(caller) => caller,
            Err(refusal) => return refusal.into(),
        };
        let incoming = Incoming {
            body: &request.body,
            caller: &caller,
            headers: Some(ProtocolHeaders {
                version: header(head, "mcp-protocol-version"),
                method: header(head, "mcp-method"),
                name: header(head, "mcp-name"),
            }),
            accepts_events: accepts_events(head),
            cancel: Cancel::new(),
        };
        let reply = mcp::handle(&self.server, incoming);
        // Nextcloud took the caller's credential back meanwhile: only signing in again helps, and clients do that on a 401.
        if let Some(challenge) = self.access.lost(&caller) {
            log::warn!(
                "Nextcloud refuses the credential of a caller, who must sign in again caller={}",
                caller.name
            );
            return problem(401, TOKEN_REFUSED).with("WWW-Authenticate", challenge).into();
        }
        match reply {
            mcp::Reply::Answer { body, class } => Response::json(
                match class {
                    Class::Ordinary => 200,
                    Class::Malformed => 400,
                    Class::UnknownMethod => 404,
                },
                body.to_string().into_bytes(),
            )
            .into(),
            mcp::Reply::Accepted => Response::empty(202).into(),
            mcp::Reply::Stream(job) => streaming::start(job, self.patience).unwrap_or_else(|error| {
                log::warn!("no thread for a call error={error}");
                busy("The server is too busy. Try again in a moment.", 1).into()
            }),
            mcp::Reply::Forbidden { needed } => problem(403, "The token lacks a scope.")
                .with("WWW-Authenticate", self.access.scope_challenge(&needed))
                .into(),
            mcp::Reply::Busy { retry_after_s } => {
                busy("Too many calls are waiting for Nextcloud. Try again in a moment.", retry_after_s).into()
            }
        }
    }

    fn respond(&self, request: &Request) -> Reply {
        match (Route::of(request.head.path()), request.head.method.as_str()) {
            (Route::Mcp | Route::Root, "POST") => self.mcp(request),
            (Route::OAuth(endpoint), _) => match self.access.broker() {
                Some(broker) => oauth::respond(broker, endpoint, request).into(),
                None => problem(404, "This server does not use OAuth.").into(),
            },
            (Route::Root, _) if wants_page(&request.head) => self.home(&request.head).into(),
            (Route::Root, _) => Response::text(200, ABOUT).into(),
            (Route::Live, _) => json_response(200, &self.health.live()).into(),
            (Route::Ready, _) => {
                let (ready, body) = self.health.ready(&self.server, self.access.ready());
                json_response(if ready { 200 } else { 503 }, &body).into()
            }
            (Route::ResourceMetadata, _) => match self.access.resource() {
                Some(resource) => json_response(200, &resource.document()).into(),
                None => problem(404, "This server does not use OAuth.").into(),
            },
            (route, _) => {
                problem(405, "This address does not take that method.").with("Allow", route.allow()).into()
            }
        }
    }

    fn home(&self, head: &Head) -> Response {
        let (is_reachable, _) = self.health.ready(&self.server, Ok(()));
        oauth::home(&self.access, head, format!("{}/mcp", self.address), is_reachable)
    }

    /// What a browser needs to read the answer; only for origins that passed the check.
    fn cors(&self, head: &Head) -> Vec<(&'static str, String)> {
        match Route::of(head.path()) {
            // Public, so pages of any origin may read it.
            Route::ResourceMetadata => return vec![("Access-Control-Allow-Origin", "*".to_owned())],
            Route::OAuth(endpoint) if endpoint.is_for_programs() => return cors_for_programs(head),
            // Nobody but the browser itself reads a page.
            Route::OAuth(_) => return Vec::new(),
            _ => {}
        }
        let Header::Once(origin) = header(head, "origin") else { return Vec::new() };
        if !self.origins.origin(origin) {
            return Vec::new();
        }
        let mut headers = vec![
            ("Access-Control-Allow-Origin", origin.to_owned()),
            ("Vary", "Origin".to_owned()),
            ("Access-Control-Expose-Headers", "WWW-Authenticate, Mcp-Session-Id, Retry-After".to_owned()),
        ];
        if head.method == "OPTIONS" {
            headers.extend([
                ("Access-Control-Allow-Methods", "POST, GET, DELETE, OPTIONS".to_owned()),
                ("Access-Control-Allow-Headers", CORS_HEADERS.to_owned()),
                ("Access-Control-Max-Age", "7200".to_owned()),
            ]);
        }
        headers
    }
}

impl Handler for Front {
    fn admit(&self, head: &Head) -> Result<(), Response> {
        self.check(head).map_err(|response| {
            self.cors(head).into_iter().fold(response, |response, (name, value)| response.with(name, value))
        })
    }

    fn body_bytes_max(&self, head: &Head) -> usize {
        match Route::of(head.path()) {
            Route::OAuth(_) => oauth::BODY_BYTES_MAX,
            _ => usize::MAX,
        }
    }

    fn handle(&self, request: Request) -> Reply {
        let cors = self.cors(&request.head).into_iter();
        match self.respond(&request) {
            Reply::Full(response) => {
                cors.fold(response, |response, (name, value)| response.with(name, value)).into()
            }
            Reply::Events(stream) => {
                Reply::Events(cors.fold(stream, |stream, (name, value)| stream.with(name, value)))
            }
        }
    }
}

const CORS_HEADERS: &str = "Authorization, Content-Type, Accept, MCP-Protocol-Version, Mcp-Method, Mcp-Name, \
     Mcp-Session-Id, Last-Event-ID";
const OLD_SSE: &str = "The SSE transport is gone. Use Streamable HTTP: the MCP endpoint is /mcp.";
const NO_TOKEN: &str = "This server asks for a bearer token in the Authorization header.";
const TOKEN_REFUSED: &str = "The bearer token is not accepted here. Sign in again for a new one.";
const FOREIGN_HOST: &str = "This Host is not allowed. Set NEXTCLOUD_MCP_SERVER_URL to the address that clients use, \
     or add the host to MCP_ALLOWED_HOSTS.";
const FOREIGN_ORIGIN: &str = "This Origin is not allowed. Add it to MCP_ALLOWED_ORIGINS if pages of it may use this \
     server.";
const ABOUT: &str = concat!(
    "nextcloud-mcp-server ",
    env!("CARGO_PKG_VERSION"),
    "\nThis server lets AI assistants work in a Nextcloud, by the Model Context Protocol.\n\
     MCP endpoint (Streamable HTTP): /mcp\nHealth: /health/live, /health/ready\n"
);

/// Whether a person looks at the answer.
fn wants_page(head: &Head) -> bool {
    head.headers.all("accept").any(|accept| accept.contains("text/html"))
}

/// Some clients are pages themselves. They bring no cookie, so any origin may.
fn cors_for_programs(head: &Head) -> Vec<(&'static str, String)> {
    let mut headers = vec![("Access-Control-Allow-Origin", "*".to_owned())];
    if head.method == "OPTIONS" {
        headers.extend([
            ("Access-Control-Allow-Methods", "GET, POST, OPTIONS".to_owned()),
            ("Access-Control-Allow-Headers", "Authorization, Content-Type, MCP-Protocol-Version".to_owned()),
            ("Access-Control-Max-Age", "7200".to_owned()),
        ]);
    }
    headers
}

fn header<'a>(head: &'a Head, name: &str) -> Header<'a> {
    let mut values = head.headers.all(name);
    match (values.next(), values.next()) {
        (None, _) => Header::Missing,
        (Some(value), None) => Header::Once(value),
        (Some(_), Some(_)) => Header::Repeated,
    }
}

/// The media type must be JSON, whatever its parameters (MCP 2026-07-28, Streamable HTTP).
fn check_media_type(head: &Head) -> Result<(), Response> {
    match header(head, "content-type") {
        Header::Once(value) if media_type(value).eq_ignore_ascii_case("application/json") => Ok(()),
        _ => Err(problem(415, "Send one JSON-RPC message with Content-Type: application/json.")),
    }
}

fn accepts_events(head: &Head) -> bool {
    head.headers
        .all("accept")
        .flat_map(|value| value.split(','))
        .any(|range| media_type(range).eq_ignore_ascii_case("text/event-stream"))
}

/// What stands before the parameters.
fn media_type(value: &str) -> &str {
    value.split(';').next().unwrap_or_default().trim()
}

fn busy(text: &str, retry_after_s: u64) -> Response {
    problem(503, text).with("Retry-After", retry_after_s.to_string())
}

fn problem(status: u16, text: &str) -> Response {
    json_response(status, &json!({"error": text}))
}

fn json_response(status: u16, body: &Value) -> Response {
    Response::json(status, body.to_string().into_bytes())
}
