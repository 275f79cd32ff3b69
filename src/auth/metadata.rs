//! What this server says of itself as an OAuth resource: protected-resource metadata (RFC 9728) and the challenges of
//! 401 and 403 (RFC 6750 §3).

use serde_json::{Value, json};

use crate::config::BaseUrl;
use crate::tool::Scope;

/// The paths of the metadata document: with the path of the endpoint inserted after (RFC 9728 §3.1), and without.
pub const METADATA_PATHS: [&str; 2] =
    ["/.well-known/oauth-protected-resource/mcp", "/.well-known/oauth-protected-resource"];

/// The resource of a server with this public address: exactly the URL that people enter.
pub fn resource(public_url: &BaseUrl) -> String {
    format!("{public_url}/mcp")
}

/// This server as an OAuth resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProtectedResource {
    public_url: BaseUrl,
    /// Byte for byte the `issuer` of each server's own metadata: clients compare.
    authorization_servers: Vec<String>,
    scopes: Vec<Scope>,
}

impl ProtectedResource {
    /// `authorization_servers`: the one to use first, first. `scopes`: all that something here asks for.
    pub fn new(
        public_url: BaseUrl,
        authorization_servers: Vec<String>,
        scopes: Vec<Scope>,
    ) -> ProtectedResource {
        ProtectedResource { public_url, authorization_servers, scopes }
    }

    /// The resource identifier, which is also the audience of tokens (RFC 8707, RFC 9728 §1.2).
    pub fn resource(&self) -> String {
        resource(&self.public_url)
    }

    /// Where the document is, as challenges say it. It stays below the public address, so that a proxy that serves
    /// this server under a path needs no rule of its own.
    pub fn metadata_url(&self) -> String {
        format!("{}{}", self.public_url, METADATA_PATHS[0])
    }

    /// The document (RFC 9728 §2). Public: needs no token, and pages of any origin may read it.
    pub fn document(&self) -> Value {
        let scopes: Vec<&str> = self.scopes.iter().map(|scope| scope.name()).collect();
        json!({
            "resource": self.resource(),
            "authorization_servers": self.authorization_servers,
            "scopes_supported": scopes,
            "bearer_methods_supported": ["header"],
            "resource_name": "Nextcloud MCP",
        })
    }

    /// `WWW-Authenticate` of a 401 for a request without a token: no error code (RFC 6750 §3.1). Names all scopes, since
    /// many clients ask only once.
    pub fn token_wanted(&self) -> String {
        challenge(&[("resource_metadata", &self.metadata_url()), ("scope", &names(&self.scopes))])
    }

    /// `WWW-Authenticate` of a 401 for a token that was not accepted, whatever the reason.
    pub fn token_refused(&self) -> String {
        challenge(&[
            ("error", "invalid_token"),
            ("resource_metadata", &self.metadata_url()),
            ("scope", &names(&self.scopes)),
        ])
    }

    /// `WWW-Authenticate` of a 403 for a token without these scopes: all that the operation needs, in one challenge.
    pub fn scope_wanted(&self, needed: &[Scope]) -> String {
        let names = names(needed);
        challenge(&[
            ("error", "insufficient_scope"),
            ("scope", &names),
            ("resource_metadata", &self.metadata_url()),
            ("error_description", &format!("This needs the scope {names}")),
        ])
    }
}

fn names(scopes: &[Scope]) -> String {
    let names: Vec<&str> = scopes.iter().map(|scope| scope.name()).collect();
    names.join(" ")
}

/// One `Bearer` challenge in one line, every value quoted (RFC 9110 §11.6.1).
fn challenge(parameters: &[(&str, &str)]) -> String {
    let parameters: Vec<String> =
        parameters.iter().map(|(name, value)| format!("{name}={}", quoted(value))).collect();
    format!("Bearer {}", parameters.join(", "))
}

/// A quoted-string (RFC 9110 §5.6.4). What a header cannot carry becomes a space.
fn quoted(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + 2);
    out.push('"');
    for c in value.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            ' '..='~' => out.push(c),
            _ => out.push(' '),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource_at(public_url: &str) -> ProtectedResource {
        let public_url = BaseUrl::parse(public_url).expect("a URL");
        ProtectedResource::new(public_url, vec!["https://cloud.example.org".into()], Scope::ALL.to_vec())
    }

    #[test]
    fn the_document_names_the_resource_that_people_enter() {
        let document = resource_at("https://MCP.example.org:443/").document();
        let scopes: Vec<&str> = Scope::ALL.iter().map(|scope| scope.name()).collect();
        assert_eq!(
            document,
            json!({
                "resource": "https://mcp.example.org/mcp",
                "authorization_servers": ["https://cloud.example.org"],
                "scopes_supported": scopes,
                "bearer_methods_supported": ["header"],
                "resource_name": "Nextcloud MCP",
            })
        );
    }

    #[test]
    fn the_first_challenge_names_the_document_and_all_scopes() {
        let scopes: Vec<&str> = Scope::ALL.iter().map(|scope| scope.name()).collect();
        let scopes = scopes.join(" ");
        let site = resource_at("https://mcp.example.org");
        let rest = format!(
            "resource_metadata=\"https://mcp.example.org/.well-known/oauth-protected-resource/mcp\", scope=\"{scopes}\""
        );
        assert_eq!(site.token_wanted(), format!("Bearer {rest}"));
        assert_eq!(site.token_refused(), format!("Bearer error=\"invalid_token\", {rest}"));
    }

    #[test]
    fn a_missing_scope_is_named_with_the_document() {
        let site = resource_at("https://example.org/mcp-server");
        assert_eq!(
            site.scope_wanted(&[Scope::NotesWrite, Scope::NotesRead]),
            "Bearer error=\"insufficient_scope\", scope=\"notes:write notes:read\", \
             resource_metadata=\"https://example.org/mcp-server/.well-known/oauth-protected-resource/mcp\", \
             error_description=\"This needs the scope notes:write notes:read\""
        );
    }

    #[test]
    fn a_quoted_value_cannot_end_itself_or_the_line() {
        assert_eq!(quoted("a\"b\\c\r\nX: y\u{e4}"), "\"a\\\"b\\\\c  X: y \"");
        assert_eq!(challenge(&[("error", "a\", b=\"c")]), "Bearer error=\"a\\\", b=\\\"c\"");
    }
}
