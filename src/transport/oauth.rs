//! Routes of the authorization server: forms and cookies in, pages and JSON out. What they mean is `broker`'s.

use serde_json::{Value, json};

use super::Access;
use crate::broker::error::{Code, OAuthError};
use crate::broker::form::Form;
use crate::broker::metadata::{KEYS_PATH, METADATA_PATHS, OPENID_METADATA_PATHS};
use crate::broker::{Answer, Broker, Problem, Session};
use crate::clock::Timestamp;
use crate::http::{Head, Request, Response};
use crate::pages::text::Text;
use crate::pages::{self, Connection, Home, Person};
use crate::secret::Secret;
use crate::tool::Scope;

/// What a path below the authorization server leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Endpoint {
    Metadata,
    OpenIdMetadata,
    Keys,
    Register,
    Token,
    Revoke,
    Authorize,
    Consent,
    Callback,
    Wait,
    SignIn,
    TakeBack,
    SignOut,
}

const PATHS: [(&str, Endpoint); 11] = [
    (KEYS_PATH, Endpoint::Keys),
    ("/oauth/register", Endpoint::Register),
    ("/oauth/token", Endpoint::Token),
    ("/oauth/revoke", Endpoint::Revoke),
    ("/oauth/authorize", Endpoint::Authorize),
    ("/oauth/consent", Endpoint::Consent),
    ("/oauth/callback", Endpoint::Callback),
    ("/oauth/wait", Endpoint::Wait),
    ("/oauth/sign-in", Endpoint::SignIn),
    ("/oauth/connections/end", Endpoint::TakeBack),
    ("/oauth/sign-out", Endpoint::SignOut),
];

/// Longest body of these routes, in bytes.
pub(super) const BODY_BYTES_MAX: usize = 16 * 1024;

impl Endpoint {
    pub(super) fn of(path: &str) -> Option<Endpoint> {
        if METADATA_PATHS.contains(&path) {
            return Some(Endpoint::Metadata);
        }
        if OPENID_METADATA_PATHS.contains(&path) {
            return Some(Endpoint::OpenIdMetadata);
        }
        PATHS.into_iter().find(|(known, _)| *known == path).map(|(_, endpoint)| endpoint)
    }

    pub(super) fn allow(self) -> &'static str {
        match self {
            Endpoint::Metadata | Endpoint::OpenIdMetadata | Endpoint::Keys => "GET, HEAD",
            // No HEAD: these do something.
            Endpoint::Authorize | Endpoint::Callback | Endpoint::Wait => "GET",
            _ => "POST",
        }
    }

    /// Asked by programs, with what they know and without a cookie: pages of any origin may, as some clients are pages.
    pub(super) fn is_for_programs(self) -> bool {
        matches!(
            self,
            Endpoint::Metadata
                | Endpoint::OpenIdMetadata
                | Endpoint::Keys
                | Endpoint::Register
                | Endpoint::Token
                | Endpoint::Revoke
        )
    }
}

/// Answers a request; the method has been checked.
pub(super) fn respond(broker: &Broker, endpoint: Endpoint, request: &Request) -> Response {
    let head = &request.head;
    match endpoint {
        Endpoint::Metadata => public(&broker.metadata()),
        Endpoint::OpenIdMetadata => public(&broker.openid_metadata()),
        Endpoint::Keys => public(&json!({"keys": []})),
        Endpoint::Register => program(201, broker.register(&request.body)),
        Endpoint::Token => {
            let tokens =
                form(request).and_then(|form| broker.token(&form, head.headers.get("authorization")));
            program(200, tokens)
        }
        Endpoint::Revoke => {
            let done = form(request).and_then(|form| broker.revoke(&form, head.headers.get("authorization")));
            program(200, done.map(|()| Value::Object(serde_json::Map::new())))
        }
        Endpoint::TakeBack | Endpoint::SignOut => person(broker, endpoint, request),
        _ => browser(broker, endpoint, request),
    }
}

fn public(document: &Value) -> Response {
    json_response(200, document).with("Cache-Control", "max-age=300")
}

/// An answer to a program (RFC 6749 §5.1: never kept).
fn program(status: u16, answer: Result<Value, OAuthError>) -> Response {
    let response = match answer {
        Ok(value) => json_response(status, &value),
        Err(error) => {
            if error.code == Code::ServerError {
                log::error!("{error}");
            }
            let response = json_response(error.code.status(), &error.document());
            match error.code {
                Code::InvalidClient => {
                    response.with("WWW-Authenticate", "Basic realm=\"nextcloud-mcp-server\"")
                }
                Code::SlowDown => response.with("Retry-After", "60"),
                Code::TemporarilyUnavailable => response.with("Retry-After", "5"),
                _ => response,
            }
        }
    };
    response.with("Cache-Control", "no-store").with("Pragma", "no-cache")
}

fn browser(broker: &Broker, endpoint: Endpoint, request: &Request) -> Response {
    let head = &request.head;
    let text = Text::for_browser(head.headers.get("accept-language"));
    let browser = match broker.browser(head.headers.all("cookie")) {
        Ok(browser) => browser,
        Err(error) => return problem(text, &Problem::Unavailable(error)),
    };
    let parameters = match endpoint {
        Endpoint::Consent | Endpoint::SignIn => form(request),
        _ => Form::parse(head.query().unwrap_or_default()),
    };
    let parameters = match parameters {
        Ok(parameters) => parameters,
        Err(error) => return problem(text, &Problem::Request(error)),
    };
    let answer = match endpoint {
        Endpoint::Authorize => broker.authorize(&parameters, &browser),
        Endpoint::Consent => broker.consent(&parameters, &browser),
        Endpoint::Callback => broker.callback(&parameters, &browser),
        Endpoint::SignIn => broker.sign_in(&browser),
        _ => broker.wait(&parameters, &browser),
    };
    let response = match answer {
        // Answered to the form itself, the page could be neither loaded anew nor come back to.
        Answer::Waiting { ticket, .. } if head.method == "POST" => redirect(&wait_address(broker, &ticket)),
        answer => shown(broker, text, answer),
    };
    match broker.cookie_of(&browser) {
        Some(cookie) => response.with("Set-Cookie", cookie.expose()),
        None => response,
    }
}

fn shown(broker: &Broker, text: &Text, answer: Answer) -> Response {
    match answer {
        Answer::Consent(consent) => page(200, pages::consent(text, &consent, &broker.at("/oauth/consent"))),
        Answer::Redirect(url) => redirect(&url),
        Answer::SignedIn { url, session } => {
            redirect(&url).with("Set-Cookie", broker.cookie_of_session(&session).expose())
        }
        Answer::Waiting { ticket, url } => {
            page(200, pages::waiting(text, &url, &wait_address(broker, &ticket)))
        }
        Answer::Problem(why) => problem(text, &why),
    }
}

fn wait_address(broker: &Broker, ticket: &Secret) -> String {
    broker.at(&format!("/oauth/wait?ticket={}", ticket.expose()))
}

/// A form of the page with one's connections.
fn person(broker: &Broker, endpoint: Endpoint, request: &Request) -> Response {
    let text = Text::for_browser(request.head.headers.get("accept-language"));
    let done = form(request).and_then(|form| {
        let Some(session) = broker.session(request.head.headers.all("cookie")) else { return Ok(()) };
        let ticket = form.one("ticket")?.unwrap_or_default();
        match endpoint {
            Endpoint::SignOut => broker.sign_out(&session, ticket),
            _ => broker.take_back(&session, ticket, form.one("grant")?.unwrap_or_default()),
        }
    });
    match done {
        Ok(()) => redirect(&broker.at("/")),
        Err(error) if error.code == Code::AccessDenied => redirect(&broker.at("/")),
        Err(error) => problem(text, &Problem::Unavailable(error)),
    }
}

/// The page at `/`. Without a broker there is nothing to sign in to.
pub(super) fn home(access: &Access, head: &Head, endpoint: String, is_reachable: bool) -> Response {
    let broker = access.broker();
    let text = Text::for_browser(head.headers.get("accept-language"));
    let session = broker.and_then(|broker| broker.session(head.headers.all("cookie")));
    let signed_in = broker.zip(session.as_ref()).and_then(|(broker, session)| broker.person(session));
    let connections = match broker.zip(signed_in.as_deref()) {
        Some((broker, user_id)) => broker.connections(user_id).unwrap_or_default(),
        None => Vec::new(),
    };
    let ticket = session.as_ref().map(Session::ticket).unwrap_or_default();
    let person = signed_in.as_deref().map(|user_id| Person {
        user_id,
        ticket: &ticket,
        connections: connections
            .into_iter()
            .map(|grant| Connection {
                scopes: grant.scopes.split(' ').filter_map(Scope::parse).collect(),
                id: grant.id,
                name: grant.client_name,
                used_at: Timestamp { unix_ms: grant.used_at.saturating_mul(1_000) },
            })
            .collect(),
    });
    let at = |path: &str| broker.map_or_else(|| path.to_owned(), |broker| broker.at(path));
    let home = Home {
        endpoint,
        is_reachable,
        shown: access.shown(),
        person,
        sign_in: broker.map(|broker| broker.at("/oauth/sign-in")),
        revoke: at("/oauth/connections/end"),
        sign_out: at("/oauth/sign-out"),
    };
    page(200, pages::home(text, &home))
}

fn form(request: &Request) -> Result<Form, OAuthError> {
    let bad = |about| OAuthError::new(Code::InvalidRequest, about);
    let media = request.head.headers.get("content-type").unwrap_or_default();
    let media = media.split(';').next().unwrap_or_default().trim();
    // A form without fields has no type that matters.
    if !request.body.is_empty() && !media.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(bad("Content-Type must be application/x-www-form-urlencoded"));
    }
    Form::parse(std::str::from_utf8(&request.body).map_err(|_| bad("the form is not UTF-8"))?)
}

fn problem(text: &Text, problem: &Problem) -> Response {
    page(problem.status(), pages::problem(text, problem))
}

fn page(status: u16, html: String) -> Response {
    guarded(Response::html(status, html)).with("Content-Security-Policy", pages::security_policy())
}

/// 303: whatever the method was, the browser goes on with a GET and sends no form along.
fn redirect(url: &str) -> Response {
    guarded(Response::empty(303)).with("Location", url)
}

/// No `Cross-Origin-Opener-Policy`: clients that are pages open the login in a window of its own, and a policy here would
/// cut that window off from them for good.
fn guarded(response: Response) -> Response {
    response
        .with("Cache-Control", "no-store")
        .with("X-Frame-Options", "DENY")
        .with("X-Content-Type-Options", "nosniff")
        // Not `no-referrer`: with it browsers send `Origin: null` along with our own forms.
        .with("Referrer-Policy", "same-origin")
}

fn json_response(status: u16, body: &Value) -> Response {
    Response::json(status, body.to_string().into_bytes())
}
