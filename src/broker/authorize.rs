//! The authorization request (RFC 6749 §4.1.1, RFC 7636 §4.3, RFC 8707 §2), checked.

use super::client::McpClient;
use super::error::{Code, OAuthError};
use super::form::Form;
use super::redirect::RedirectUri;
use crate::tool::Scope;

/// Longest `state` that is carried back, in bytes.
const STATE_BYTES_MAX: usize = 4_096;

/// A request that may be put before a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization {
    pub client: McpClient,
    pub redirect_uri: RedirectUri,
    /// The client's, carried back as it came.
    pub state: Option<String>,
    /// S256 (RFC 7636 §4.2).
    pub challenge: String,
    pub scopes: Vec<Scope>,
}

/// Why a request is not put before anybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Client or redirect URI cannot be trusted: the browser must not be sent anywhere (RFC 6749 §4.1.2.1).
    Here(OAuthError),
    /// The client is told, at its redirect URI.
    There { redirect_uri: RedirectUri, state: Option<String>, error: OAuthError },
}

/// What of this server a request is checked against.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// Our resource identifiers: a request for any other is refused.
    pub resources: &'a [String],
    /// All scopes that can be had.
    pub offered: &'a [Scope],
}

/// The client that a request names.
pub fn client_id(form: &Form) -> Result<&str, Refusal> {
    let missing = OAuthError::new(Code::InvalidRequest, "client_id is missing");
    form.one("client_id").map_err(Refusal::Here)?.ok_or(Refusal::Here(missing))
}

/// Checks a request of a client that is known.
pub fn check(form: &Form, client: McpClient, terms: Terms) -> Result<Authorization, Refusal> {
    let asked = form.one("redirect_uri").map_err(Refusal::Here)?;
    let redirect_uri = client.redirect_uri(asked).ok_or(Refusal::Here(OAuthError::new(
        Code::InvalidRequest,
        "redirect_uri is not one that the client registered",
    )))?;
    let state = form.one("state").map_err(Refusal::Here)?;
    if state.is_some_and(|state| state.len() > STATE_BYTES_MAX) {
        return Err(Refusal::Here(OAuthError::new(Code::InvalidRequest, "state is longer than 4096 bytes")));
    }
    let state = state.map(str::to_owned);
    match terms_of(form, terms) {
        Ok((challenge, scopes)) => Ok(Authorization { client, redirect_uri, state, challenge, scopes }),
        Err(error) => Err(Refusal::There { redirect_uri, state, error }),
    }
}

fn terms_of(form: &Form, terms: Terms) -> Result<(String, Vec<Scope>), OAuthError> {
    match form.one("response_type")? {
        Some("code") => {}
        Some(_) => return Err(OAuthError::new(Code::UnsupportedResponseType, "response_type must be code")),
        None => return Err(OAuthError::new(Code::InvalidRequest, "response_type is missing")),
    }
    if form.one("code_challenge_method")? != Some("S256") {
        return Err(OAuthError::new(Code::InvalidRequest, "code_challenge_method must be S256"));
    }
    let challenge = form.one("code_challenge")?;
    let is_challenge = |text: &&str| {
        text.len() == 43 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
    };
    let challenge = challenge
        .filter(is_challenge)
        .ok_or(OAuthError::new(Code::InvalidRequest, "code_challenge must be 43 characters of base64url"))?;
    check_resource(form, terms.resources)?;
    Ok((challenge.to_owned(), scopes(form.one("scope")?, terms.offered)?))
}

/// Every `resource` must be ours; without one it is (RFC 8707 §2).
pub fn check_resource(form: &Form, ours: &[String]) -> Result<(), OAuthError> {
    let is_ours = |asked: &str| ours.iter().any(|ours| ours == asked.strip_suffix('/').unwrap_or(asked));
    if form.all("resource").all(is_ours) {
        return Ok(());
    }
    Err(OAuthError::new(Code::InvalidTarget, "resource is not this server"))
}

/// The scopes that can be had of those that are asked for. Others (`openid`, `offline_access`, those of tools that are
/// not offered) are passed over: the answer says what was granted (RFC 6749 §3.3). None asked for means all.
fn scopes(asked: Option<&str>, offered: &[Scope]) -> Result<Vec<Scope>, OAuthError> {
    let Some(asked) = asked else { return Ok(offered.to_vec()) };
    let asked: Vec<Scope> = asked.split(' ').filter_map(Scope::parse).collect();
    let granted: Vec<Scope> = offered.iter().copied().filter(|scope| asked.contains(scope)).collect();
    if granted.is_empty() && !offered.is_empty() {
        return Err(OAuthError::new(Code::InvalidScope, "none of the scopes can be had here"));
    }
    Ok(granted)
}

#[cfg(test)]
mod tests {
    use super::super::client::Proof;
    use super::*;

    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    const OFFERED: &[Scope] = &[Scope::NotesRead, Scope::NotesWrite, Scope::FilesRead];

    fn client(uris: &[&str]) -> McpClient {
        McpClient {
            id: "c".into(),
            name: "Inspector".into(),
            redirect_uris: uris.iter().map(|uri| RedirectUri::parse(uri).unwrap()).collect(),
            proof: Proof::None,
        }
    }

    fn asked(query: &str) -> Result<Authorization, Refusal> {
        let form = Form::parse(query).unwrap();
        let resources = ["https://mcp.example.org/mcp".to_owned(), "https://mcp.example.org".to_owned()];
        let client = client(&["https://a.example/cb", "http://localhost:1/cb"]);
        check(&form, client, Terms { resources: &resources, offered: OFFERED })
    }

    /// A good request with one parameter changed, or without it where `value` is empty.
    fn with(name: &str, value: &str) -> Result<Authorization, Refusal> {
        let mut fields = vec![
            ("client_id", "c"),
            ("redirect_uri", "https://a.example/cb"),
            ("response_type", "code"),
            ("state", "xyz"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
            ("resource", "https://mcp.example.org/mcp"),
            ("scope", "notes:read files.read openid offline_access"),
        ];
        fields.retain(|(known, _)| *known != name);
        fields.push((name, value));
        let query: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        asked(&query.join("&"))
    }

    #[test]
    fn a_good_request_is_put_before_the_person() {
        let request = with("scope", "notes:read files.read openid offline_access").unwrap();
        assert_eq!(request.scopes, [Scope::NotesRead, Scope::FilesRead]);
        assert_eq!(request.state.as_deref(), Some("xyz"));
        assert_eq!(with("scope", "").unwrap().scopes, OFFERED, "none asked for means all");
        assert_eq!(with("resource", "").unwrap().challenge, CHALLENGE);
        assert!(with("resource", "https://mcp.example.org/").is_ok() && with("state", "").is_ok());
        assert!(with("redirect_uri", "http://localhost:4711/cb").is_ok());
    }

    #[test]
    fn a_browser_is_not_sent_to_an_address_that_is_not_the_clients() {
        for uri in [
            "https://a.example/cb/",
            "https://a.example/cb?x",
            "https://evil.example/cb",
            "https://a.example@evil.example/cb",
            "https://a.example:444/cb",
            "http://a.example/cb",
            "javascript:alert(1)",
            "",
        ] {
            assert!(matches!(with("redirect_uri", uri), Err(Refusal::Here(_))), "{uri}");
        }
        let twice = format!(
            "redirect_uri=https://a.example/cb&redirect_uri=https://a.example/cb&code_challenge={CHALLENGE}"
        );
        assert!(matches!(asked(&twice), Err(Refusal::Here(_))));
        assert!(matches!(with("state", &"x".repeat(STATE_BYTES_MAX + 1)), Err(Refusal::Here(_))));
    }

    #[test]
    fn other_faults_are_told_to_the_client_with_its_state() {
        for (name, value, code) in [
            ("response_type", "token", Code::UnsupportedResponseType),
            ("response_type", "", Code::InvalidRequest),
            ("code_challenge", "", Code::InvalidRequest),
            ("code_challenge", "short", Code::InvalidRequest),
            ("code_challenge_method", "plain", Code::InvalidRequest),
            ("code_challenge_method", "", Code::InvalidRequest),
            ("resource", "https://other.example/mcp", Code::InvalidTarget),
            ("resource", "https://mcp.example.org/mcp/x", Code::InvalidTarget),
            ("scope", "deck:read", Code::InvalidScope),
        ] {
            match with(name, value) {
                Err(Refusal::There { state, error, .. }) => {
                    assert_eq!((error.code, state.as_deref()), (code, Some("xyz")), "{name}={value}");
                }
                other => panic!("{name}={value}: {other:?}"),
            }
        }
    }
}
