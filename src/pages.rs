//! The pages that a person sees in a browser: consent, waiting, problems, and `/`.
//!
//! Written here as a whole: no template, no script, no resource from elsewhere. Everything that is not ours goes through
//! [`escape`]. All words stand in [`text`].

pub mod text;

use std::fmt::Write;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest;

use crate::broker::login::LoginError;
use crate::broker::redirect::Destination;
use crate::broker::{Consent, Problem};
use crate::clock::Timestamp;
use text::Text;

const STYLE: &str = include_str!("pages/style.css");
/// How often a waiting page looks whether Nextcloud said yes, in seconds. Without a script it is loaded anew, and whoever
/// goes through it by keyboard begins again: hence not more often, and hence the focus on what comes first.
const LOOK_EVERY_S: u32 = 5;

/// `Content-Security-Policy` of every page: our one style sheet, and nothing else. Forms may go on to other sites, since
/// the answer to one sends the browser to Nextcloud or back to the application, and browsers count that in.
pub fn security_policy() -> String {
    let hash = STANDARD.encode(digest::digest(&digest::SHA256, STYLE.as_bytes()));
    format!("default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; frame-ancestors 'none'")
}

/// Asks the person whether a client may act for them. `action`: where the form goes.
pub fn consent(text: &Text, consent: &Consent, action: &str) -> String {
    let name = if consent.client_name.is_empty() { text.nameless } else { &consent.client_name };
    let destination = match consent.redirect_uri.destination() {
        Destination::Site(host) => text.to_site.replace("{}", &strong(host)),
        Destination::ThisComputer => text.to_this_computer.to_owned(),
        Destination::Application(scheme) => text.to_application.replace("{}", &strong(&format!("{scheme}:"))),
    };
    let mut body = format!(
        "<p>{}</p><p class=\"soft\">{}</p><p>{destination}</p>\
         <form method=\"post\" action=\"{}\"><input type=\"hidden\" name=\"ticket\" value=\"{}\">\
         <fieldset><legend>{}</legend><div class=\"scopes\">",
        text.asks.replace("{}", &strong(name)),
        text.unverified,
        escape(action),
        escape(consent.ticket.expose()),
        text.may,
    );
    for scope in &consent.scopes {
        let _ = write!(
            body,
            "<label><input type=\"checkbox\" name=\"scope\" value=\"{}\" checked><span>{}</span></label>",
            scope.name(),
            text.scope(*scope),
        );
    }
    let _ = write!(
        body,
        "</div></fieldset><p class=\"soft\">{}</p><div class=\"actions\">\
         <button class=\"main\" name=\"allow\" value=\"yes\">{}</button>\
         <button name=\"allow\" value=\"no\">{}</button></div></form>",
        text.afterwards, text.allow, text.deny,
    );
    page(text, text.consent_title, "", &body)
}

/// Shows the way to Nextcloud's grant page, and comes back by itself. `again`: the address of this page.
pub fn waiting(text: &Text, nextcloud: &str, again: &str) -> String {
    let refresh = format!("<meta http-equiv=\"refresh\" content=\"{LOOK_EVERY_S}; url={}\">", escape(again));
    let body = format!(
        "<p>{}</p><div class=\"actions\"><a class=\"button main\" autofocus href=\"{}\" target=\"_blank\" rel=\"noreferrer\">{}</a>\
         <a class=\"button\" href=\"{}\">{}</a></div><p class=\"soft\" role=\"status\">{}</p>",
        text.waiting,
        escape(nextcloud),
        text.open_nextcloud,
        escape(again),
        text.look_again,
        text.waiting_goes_on,
    );
    page(text, text.waiting_title, &refresh, &body)
}

/// Says why it goes no further, and what to do.
pub fn problem(text: &Text, problem: &Problem) -> String {
    let (words, detail) = match problem {
        Problem::Request(error) | Problem::RequestOfSite { error, .. } => {
            (text.problem_request, Some(error.to_string()))
        }
        Problem::NoLogin => (text.problem_no_login, None),
        Problem::Login(LoginError::Denied) => (text.problem_denied, None),
        Problem::Login(LoginError::Expired) => (text.problem_expired, None),
        Problem::Login(LoginError::Unavailable(_) | LoginError::ClientRefused) => {
            (text.problem_nextcloud, None)
        }
        Problem::Login(LoginError::Rejected(_)) => (text.problem_rejected, None),
        Problem::Unavailable(error) => (text.problem_ours, Some(error.to_string())),
    };
    let mut body = format!("<p>{words}</p>");
    if let Some(detail) = detail {
        let _ = write!(body, "<p class=\"soft\">{}</p>", escape(&detail));
    }
    if let Problem::RequestOfSite { host, back, .. } = problem {
        let words = text.back_to.replace("{}", &escape(host));
        let _ = write!(body, "<p><a class=\"button\" href=\"{}\">{words}</a></p>", escape(back));
    }
    page(text, text.problem_title, "", &body)
}

/// What stands on `/`.
pub struct Home<'a> {
    /// The MCP endpoint as clients enter it.
    pub endpoint: String,
    pub is_reachable: bool,
    /// What clients have to show with each request, where they do not sign in.
    pub shown: Shown,
    /// Who is signed in on this page, with their connections; `None` where nobody is.
    pub person: Option<Person<'a>>,
    /// Addresses of the forms.
    pub sign_in: Option<String>,
    pub revoke: String,
    pub sign_out: String,
}

/// What clients show instead of a token that they got by signing in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    Nothing,
    /// A token that the administrator gives out (`MCP_AUTH_TOKEN`).
    Token,
    /// The user name and an app password of their person.
    Password,
}

/// The person who is signed in on `/`.
pub struct Person<'a> {
    pub user_id: &'a str,
    /// Goes back with each form: whoever cannot read the page cannot send it.
    pub ticket: &'a str,
    pub connections: Vec<Connection>,
}

/// One client that may act for the person.
pub struct Connection {
    pub id: String,
    pub name: String,
    pub scopes: Vec<crate::tool::Scope>,
    pub used_at: Timestamp,
}

/// What this server is, what the person allowed, and how to connect to it.
pub fn home(text: &Text, home: &Home) -> String {
    let reachable = if home.is_reachable {
        format!("<p role=\"status\">{}</p>", text.home_reachable)
    } else {
        format!("<p role=\"status\" class=\"bad\">{}</p>", text.home_unreachable)
    };
    let mut body = format!("<p>{}</p>{reachable}", text.home_about);
    // Whoever is signed in has connected before, and came for what is there.
    if let Some(person) = &home.person {
        connections(text, home, person, &mut body);
    }
    connect(text, home, &mut body);
    if let (None, Some(sign_in)) = (&home.person, &home.sign_in) {
        let _ = write!(
            body,
            "<h2>{}</h2><p>{}</p><form method=\"post\" action=\"{}\"><button>{}</button></form>",
            text.connections,
            text.sign_in_why,
            escape(sign_in),
            text.sign_in,
        );
    }
    page(text, text.product, "", &body)
}

fn connect(text: &Text, home: &Home, body: &mut String) {
    let endpoint = escape(&home.endpoint);
    let _ = write!(body, "<h2>{}</h2><p>{}</p><pre>{endpoint}</pre>", text.home_connect, text.home_address);
    if home.sign_in.is_some() {
        let _ = write!(body, "<p>{}</p>", text.home_then);
    }
    let value = match home.shown {
        Shown::Nothing => None,
        Shown::Token => {
            let _ = write!(body, "<p>{}</p>", text.home_token);
            Some("Bearer TOKEN")
        }
        Shown::Password => {
            let command = "printf %s 'NAME:APP-PASSWORD' | base64 -w0";
            let _ = write!(body, "<p>{}</p><pre>{command}</pre>", text.home_password);
            Some("Basic VALUE")
        }
    };
    let part = |write: fn(&str) -> String| value.map(write).unwrap_or_default();
    let flag = part(|value| format!(" \\\n  --header \"Authorization: {value}\""));
    let member = part(|value| format!(",\n      \"headers\": {{ \"Authorization\": \"{value}\" }}"));
    let command = format!("claude mcp add --transport http nextcloud \\\n  {}{flag}", home.endpoint);
    let file = format!(
        "{{\n  \"mcpServers\": {{\n    \"nextcloud\": {{\n      \"type\": \"http\",\n      \"url\": \"{}\"{member}\n    }}\n  }}\n}}",
        home.endpoint
    );
    let _ = write!(
        body,
        "<p>{}</p><pre>{}</pre><p>{}</p><pre>{}</pre>",
        text.home_claude_code,
        escape(&command),
        text.home_file,
        escape(&file),
    );
}

fn connections(text: &Text, home: &Home, person: &Person, body: &mut String) {
    let ticket = format!("<input type=\"hidden\" name=\"ticket\" value=\"{}\">", escape(person.ticket));
    let _ = write!(
        body,
        "<h2>{}</h2><p>{}</p>",
        text.connections,
        text.signed_in_as.replace("{}", &strong(person.user_id))
    );
    if person.connections.is_empty() {
        let _ = write!(body, "<p>{}</p>", text.no_connections);
    }
    body.push_str("<ul>");
    for connection in &person.connections {
        let name = if connection.name.is_empty() { text.nameless } else { &connection.name };
        let scopes: Vec<&str> = connection.scopes.iter().map(|scope| text.scope(*scope)).collect();
        let used = connection.used_at.rfc3339();
        let _ = write!(
            body,
            "<li>{} <span class=\"soft\">{}</span><p>{}</p><form method=\"post\" action=\"{}\">{ticket}\
             <input type=\"hidden\" name=\"grant\" value=\"{}\"><button aria-label=\"{revoke}: {}\">{revoke}</button></form></li>",
            strong(name),
            text.last_used.replace("{}", used.split('T').next().unwrap_or_default()),
            scopes.join(", "),
            escape(&home.revoke),
            escape(&connection.id),
            escape(name),
            revoke = text.revoke,
        );
    }
    let _ = write!(
        body,
        "</ul><form method=\"post\" action=\"{}\">{ticket}<button>{}</button></form>",
        escape(&home.sign_out),
        text.sign_out,
    );
}

fn page(text: &Text, title: &str, head: &str, body: &str) -> String {
    let heading = if title == text.product {
        String::new()
    } else {
        format!("<p class=\"brand\">{}</p>", text.product)
    };
    format!(
        "<!DOCTYPE html>\n<html lang=\"{}\"><head><meta charset=\"utf-8\"><title>{title}</title>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">{head}<style>{STYLE}</style></head>\
         <body><main>{heading}<h1>{title}</h1>{body}</main></body></html>\n",
        text.language
    )
}

fn strong(text: &str) -> String {
    format!("<strong>{}</strong>", escape(text))
}

/// Text as HTML shows it, in elements and in quoted attributes.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::error::{Code, OAuthError};
    use crate::broker::redirect::RedirectUri;
    use crate::secret::Secret;
    use crate::tool::Scope;
    use text::{ENGLISH, GERMAN};

    const EVIL: &str = "</title><script>alert('x')</script>\"><img src=x onerror=\"y\">";

    fn asked(client_name: &str, redirect_uri: &str) -> String {
        let asked = Consent {
            ticket: Secret::new("ticket-1"),
            client_name: client_name.into(),
            redirect_uri: RedirectUri::parse(redirect_uri).unwrap(),
            scopes: vec![Scope::NotesRead, Scope::DeckWrite],
        };
        consent(&ENGLISH, &asked, "/oauth/consent")
    }

    /// What a browser would run or load.
    fn assert_harmless(page: &str) {
        for danger in ["<script", "<img", "onerror=\"", "javascript:", " src=", "@import", "url("] {
            assert!(!page.contains(danger), "{danger}: {page}");
        }
    }

    #[test]
    fn the_consent_page_names_who_asks_for_what_and_who_gets_it() {
        let page = asked("Claude", "https://claude.ai/cb");
        for part in [
            "<strong>Claude</strong> asks for access",
            "the site <strong>claude.ai</strong>",
            "name=\"scope\" value=\"notes:read\" checked",
            "change your Deck boards",
            "value=\"ticket-1\"",
            "name=\"allow\" value=\"no\"",
        ] {
            assert!(page.contains(part), "{part}: {page}");
        }
        assert!(asked("", "http://localhost:1/").contains("An application without a name"));
        assert!(asked("x", "http://localhost:1/").contains("a program on this computer"));
        assert!(asked("x", "cursor://y/z").contains("<strong>cursor:</strong> links"));
    }

    #[test]
    fn nothing_from_outside_becomes_part_of_a_page() {
        assert_harmless(&asked(EVIL, "https://claude.ai/cb").replace(&escape(EVIL), ""));
        assert_harmless(&waiting(&GERMAN, EVIL, EVIL).replace(&escape(EVIL), ""));
        let person = Person {
            user_id: EVIL,
            ticket: EVIL,
            connections: vec![Connection {
                id: EVIL.into(),
                name: EVIL.into(),
                scopes: vec![],
                used_at: Timestamp { unix_ms: 0 },
            }],
        };
        let page = home(
            &ENGLISH,
            &Home {
                endpoint: EVIL.into(),
                is_reachable: true,
                shown: Shown::Token,
                person: Some(person),
                sign_in: None,
                revoke: EVIL.into(),
                sign_out: EVIL.into(),
            },
        );
        assert!(page.contains("&lt;script&gt;"));
        assert_harmless(&page.replace(&escape(EVIL), ""));
    }

    #[test]
    fn every_problem_says_what_to_do_and_tells_no_cause_that_is_not_the_persons() {
        let error = OAuthError::new(Code::InvalidRequest, "client_id is missing");
        for (shown, part) in [
            (Problem::Request(error.clone()), "invalid_request: client_id is missing"),
            (
                Problem::RequestOfSite {
                    error: error.clone(),
                    host: "a.example".into(),
                    back: "https://a.example/cb?error=x&state=\"y".into(),
                },
                "href=\"https://a.example/cb?error=x&amp;state=&quot;y\">Back to a.example</a>",
            ),
            (Problem::NoLogin, "Start again in the application"),
            (Problem::Login(LoginError::Unavailable("https://internal/".into())), "Try again in a minute"),
            (Problem::Login(LoginError::Rejected("bad nonce".into())), "was not accepted"),
            (Problem::Unavailable(error), "its log says"),
        ] {
            let page = problem(&ENGLISH, &shown);
            assert!(page.contains(part), "{page}");
            assert!(!page.contains("internal/") && !page.contains("nonce"));
        }
    }

    #[test]
    fn the_policy_allows_the_style_sheet_of_the_page_and_nothing_else() {
        let policy = security_policy();
        assert!(policy.contains("style-src 'sha256-") && !policy.contains("unsafe"));
        assert!(problem(&ENGLISH, &Problem::NoLogin).contains(&format!("<style>{STYLE}</style>")));
        assert!(!STYLE.contains('<'));
    }
}
