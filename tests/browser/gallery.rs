//! Every page, with what it shows at most and at worst, under the policy that it is served with.

use nextcloud_mcp_server::broker::error::{Code, OAuthError};
use nextcloud_mcp_server::broker::redirect::RedirectUri;
use nextcloud_mcp_server::broker::{Consent, Problem};
use nextcloud_mcp_server::clock::Timestamp;
use nextcloud_mcp_server::pages::text::Text;
use nextcloud_mcp_server::pages::{self, Connection, Home, Person, Shown};
use nextcloud_mcp_server::replay::server::{Loopback, Response};
use nextcloud_mcp_server::secret::Secret;
use nextcloud_mcp_server::tool::Scope;

use crate::wire;

/// The pages by name: each is at `/NAME`.
pub const PAGES: [&str; 7] = ["consent", "waiting", "problem", "fault", "home", "signed-in", "nobody"];

/// What is filled in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Fill {
    /// What people meet.
    Usual,
    /// Names without a place to break, every scope, many connections.
    Extreme,
}

/// Shows all pages in a language.
pub fn open(text: &'static Text, fill: Fill) -> Loopback {
    wire::nextcloud(move |request| {
        let Some(body) = page(text, fill, request.target.trim_start_matches('/')) else {
            return Response::text(404, "no such page");
        };
        let mut answer = wire::answer(200, "text/html; charset=utf-8", &body);
        answer.headers.push(("Content-Security-Policy".into(), pages::security_policy()));
        answer
    })
}

fn page(text: &Text, fill: Fill, name: &str) -> Option<String> {
    Some(match name {
        "consent" => pages::consent(text, &consent(fill), "/consent"),
        "waiting" => pages::waiting(text, "/granted", "/later"),
        "problem" => pages::problem(text, &Problem::NoLogin),
        "fault" => {
            let about = "code_challenge_method must be S256";
            let error = OAuthError::new(Code::InvalidRequest, about);
            let host = if fill == Fill::Usual { "claude.ai".into() } else { unbroken() };
            pages::problem(text, &Problem::RequestOfSite { error, host, back: "/home".into() })
        }
        "home" => pages::home(text, &home(fill, None)),
        "signed-in" => pages::home(text, &home(fill, Some(connections(fill)))),
        "nobody" => pages::home(text, &home(fill, Some(Vec::new()))),
        _ => return None,
    })
}

fn consent(fill: Fill) -> Consent {
    let (name, redirect_uri, scopes) = match fill {
        Fill::Usual => ("Claude".to_owned(), "https://claude.ai/api/mcp/auth_callback", &Scope::ALL[..4]),
        Fill::Extreme => (
            unbroken(),
            "https://an-application.with-a-very-long-name.departments.example.org/cb",
            Scope::ALL,
        ),
    };
    Consent {
        ticket: Secret::new("ticket"),
        client_name: name,
        redirect_uri: RedirectUri::parse(redirect_uri).expect("a redirect URI"),
        scopes: scopes.to_vec(),
    }
}

fn connections(fill: Fill) -> Vec<Connection> {
    let connection = |id: &str, name: &str, scopes: &[Scope], day: u64| Connection {
        id: id.into(),
        name: name.into(),
        scopes: scopes.to_vec(),
        used_at: Timestamp { unix_ms: 1_795_000_000_000 - day * 86_400_000 },
    };
    match fill {
        Fill::Usual => vec![
            connection("1", "Claude", &Scope::ALL[..4], 0),
            connection("2", "Visual Studio Code", &Scope::ALL[..2], 9),
        ],
        Fill::Extreme => (0..20).map(|n| connection(&n.to_string(), &unbroken(), Scope::ALL, n)).collect(),
    }
}

fn home(fill: Fill, connections: Option<Vec<Connection>>) -> Home<'static> {
    let (host, user_id) = match fill {
        Fill::Usual => ("mcp.example.org", "alice"),
        Fill::Extreme => {
            ("a-server-with-a-very-long-name.of-a-department.of-an-organisation.example.org", USER_ID)
        }
    };
    Home {
        endpoint: format!("https://{host}/mcp"),
        is_reachable: fill == Fill::Usual,
        shown: if fill == Fill::Extreme { Shown::Token } else { Shown::Nothing },
        person: connections.map(|connections| Person { user_id, ticket: "ticket", connections }),
        sign_in: Some("/signed-in".into()),
        revoke: "/signed-in".into(),
        sign_out: "/home".into(),
    }
}

/// As directories give them out.
const USER_ID: &str = "5f0c6b0e-3f6b-4a52-9d0e-6d1c5f0c6b0e-5f0c6b0e-3f6b-4a52-9d0e";

/// As long as a client's name may be.
fn unbroken() -> String {
    "Donaudampfschifffahrtsgesellschaft".repeat(2)[..60].to_owned()
}
