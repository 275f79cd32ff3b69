//! The programs that ask for access: what they say about themselves (RFC 7591), checked.

use serde_json::{Map, Value, json};
use subtle::ConstantTimeEq;

use super::error::{Code, OAuthError};
use super::random::{Hash, hash_of};
use super::redirect::RedirectUri;

/// Longest name that is shown, in characters.
const NAME_CHARS_MAX: usize = 60;
const REDIRECT_URIS_MAX: usize = 20;

/// A client, however it became known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct McpClient {
    /// A name that we gave, or the https URL of its metadata document.
    pub id: String,
    /// What it calls itself: untrusted, and not unique.
    pub name: String,
    pub redirect_uris: Vec<RedirectUri>,
    pub proof: Proof,
}

/// How a client proves itself at the token endpoint (RFC 7591 §2 `token_endpoint_auth_method`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// A public client: PKCE alone.
    None,
    /// It has a secret of ours, shown in the header or in the form.
    Secret { method: &'static str, hash: Hash },
}

const METHODS: [&str; 3] = ["none", "client_secret_post", "client_secret_basic"];

impl McpClient {
    /// The redirect URI of a request, if it is one of the client's. Without one, the only one that there is.
    pub fn redirect_uri(&self, asked: Option<&str>) -> Option<RedirectUri> {
        match (asked, self.redirect_uris.as_slice()) {
            (Some(asked), known) => {
                let asked = RedirectUri::parse(asked).ok()?;
                known.iter().any(|known| known.allows(&asked)).then_some(asked)
            }
            (None, [only]) => Some(only.clone()),
            (None, _) => None,
        }
    }

    /// Whether what was shown proves the client. A public client shows nothing, and what it shows is not looked at.
    pub fn is_proven_by(&self, secret: Option<&str>) -> bool {
        match (&self.proof, secret) {
            (Proof::None, _) => true,
            (Proof::Secret { .. }, None) => false,
            (Proof::Secret { hash, .. }, Some(secret)) => hash_of(secret).ct_eq(hash).into(),
        }
    }

    /// As it is stored: the metadata that matter here, and the hash of the secret.
    pub fn to_json(&self) -> String {
        let uris: Vec<&str> = self.redirect_uris.iter().map(RedirectUri::as_str).collect();
        let mut json = json!({"client_name": self.name, "redirect_uris": uris});
        if let Proof::Secret { method, hash } = &self.proof {
            json["token_endpoint_auth_method"] = (*method).into();
            json["secret_hash"] = hash.to_vec().into();
        }
        json.to_string()
    }

    /// Reads what [`McpClient::to_json`] wrote; `None` if it is something else.
    pub fn from_json(id: &str, text: &str) -> Option<McpClient> {
        let json: Value = serde_json::from_str(text).ok()?;
        let uris = json["redirect_uris"].as_array()?.iter();
        let proof = match json["token_endpoint_auth_method"].as_str() {
            None => Proof::None,
            Some(method) => {
                let method = METHODS.into_iter().find(|known| *known == method)?;
                let bytes = json["secret_hash"].as_array()?.iter();
                let bytes: Vec<u8> =
                    bytes.map(|byte| byte.as_u64()?.try_into().ok()).collect::<Option<_>>()?;
                Proof::Secret { method, hash: bytes.try_into().ok()? }
            }
        };
        Some(McpClient {
            id: id.to_owned(),
            name: json["client_name"].as_str()?.to_owned(),
            redirect_uris: uris.map(|uri| RedirectUri::parse(uri.as_str()?).ok()).collect::<Option<_>>()?,
            proof,
        })
    }
}

/// What a client asks to be registered as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    pub name: String,
    pub redirect_uris: Vec<RedirectUri>,
    /// One of `none`, `client_secret_post`, `client_secret_basic`.
    pub method: &'static str,
}

impl Registration {
    /// Reads client metadata (RFC 7591 §2). Members that are not known are ignored, as that demands; a client gets the
    /// nearest to what it asks for, and the answer says what that is.
    pub fn read(metadata: &Map<String, Value>) -> Result<Registration, OAuthError> {
        let bad = |about| OAuthError::new(Code::InvalidClientMetadata, about);
        let bad_uri = |about| OAuthError::new(Code::InvalidRedirectUri, about);
        let listed = |name: &str, wanted: &str| match metadata.get(name).and_then(Value::as_array) {
            None => true,
            Some(words) => words.iter().any(|word| word == wanted),
        };
        if !listed("grant_types", "authorization_code") {
            return Err(bad("grant_types must hold authorization_code"));
        }
        if !listed("response_types", "code") {
            return Err(bad("response_types must hold code"));
        }
        let uris = metadata.get("redirect_uris").and_then(Value::as_array);
        let uris = uris
            .filter(|uris| !uris.is_empty())
            .ok_or_else(|| bad_uri("redirect_uris is missing or empty"))?;
        if uris.len() > REDIRECT_URIS_MAX {
            return Err(bad_uri("there are more than 20 redirect_uris"));
        }
        let uri = |uri: &Value| {
            let text = uri.as_str().ok_or_else(|| bad_uri("a redirect URI is no string"))?;
            RedirectUri::parse(text).map_err(bad_uri)
        };
        let redirect_uris = uris.iter().map(uri).collect::<Result<Vec<_>, _>>()?;
        let method = match metadata.get("token_endpoint_auth_method").and_then(Value::as_str) {
            // RFC 7591's own default is client_secret_basic; most MCP clients that say nothing are public.
            None => "none",
            Some(method) => METHODS.into_iter().find(|known| *known == method).ok_or_else(|| {
                bad("token_endpoint_auth_method must be none, client_secret_post or client_secret_basic")
            })?,
        };
        let name = metadata.get("client_name").and_then(Value::as_str).map(shown_name).unwrap_or_default();
        Ok(Registration { name, redirect_uris, method })
    }

    /// The answer to a registration, without what identifies the client (RFC 7591 §3.2.1).
    pub fn document(&self) -> Value {
        let uris: Vec<&str> = self.redirect_uris.iter().map(RedirectUri::as_str).collect();
        json!({
            "client_name": self.name,
            "redirect_uris": uris,
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": self.method,
        })
    }
}

/// A name as it may stand on a page: one line, nothing that changes the direction of text, not too long.
pub fn shown_name(name: &str) -> String {
    let is_shown = |c: &char| {
        !c.is_control()
            && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    let words: Vec<String> =
        name.split_whitespace().map(|word| word.chars().filter(is_shown).collect()).collect();
    words.join(" ").trim().chars().take(NAME_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(metadata: Value) -> Result<Registration, OAuthError> {
        Registration::read(metadata.as_object().unwrap())
    }

    #[test]
    fn what_clients_send_is_taken() {
        let claude = read(json!({
            "client_name": "Claude", "redirect_uris": ["https://claude.ai/api/mcp/auth_callback"],
            "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"],
            "token_endpoint_auth_method": "none", "application_type": "web", "scope": "notes:read", "logo_uri": "x",
        }))
        .unwrap();
        assert_eq!((claude.name.as_str(), claude.method), ("Claude", "none"));
        let bare = read(json!({"redirect_uris": ["http://localhost:3334/cb"]})).unwrap();
        assert_eq!((bare.name.as_str(), bare.method), ("", "none"));
        assert_eq!(bare.document()["redirect_uris"], json!(["http://localhost:3334/cb"]));
    }

    #[test]
    fn what_cannot_work_is_refused_with_the_code_of_the_rfc() {
        for (metadata, code) in [
            (json!({}), Code::InvalidRedirectUri),
            (json!({"redirect_uris": []}), Code::InvalidRedirectUri),
            (json!({"redirect_uris": "https://a/"}), Code::InvalidRedirectUri),
            (json!({"redirect_uris": [1]}), Code::InvalidRedirectUri),
            (json!({"redirect_uris": ["http://a.example/"]}), Code::InvalidRedirectUri),
            (json!({"redirect_uris": vec!["https://a/"; 21]}), Code::InvalidRedirectUri),
            (
                json!({"redirect_uris": ["https://a/"], "grant_types": ["implicit"]}),
                Code::InvalidClientMetadata,
            ),
            (
                json!({"redirect_uris": ["https://a/"], "response_types": ["token"]}),
                Code::InvalidClientMetadata,
            ),
            (
                json!({"redirect_uris": ["https://a/"], "token_endpoint_auth_method": "private_key_jwt"}),
                Code::InvalidClientMetadata,
            ),
        ] {
            assert_eq!(read(metadata.clone()).unwrap_err().code, code, "{metadata}");
        }
    }

    #[test]
    fn a_name_cannot_disguise_itself() {
        assert_eq!(shown_name(" Cl\u{202e}aude \n\t Desk\u{0}top\u{200b} "), "Claude Desktop");
        assert_eq!(shown_name(&"x".repeat(100)).len(), NAME_CHARS_MAX);
    }

    #[test]
    fn a_client_is_read_as_it_was_stored() {
        let uri = RedirectUri::parse("https://a.example/cb").unwrap();
        let public =
            McpClient { id: "c".into(), name: "A".into(), redirect_uris: vec![uri], proof: Proof::None };
        let proof = Proof::Secret { method: "client_secret_post", hash: hash_of("secret") };
        let with_secret = McpClient { proof, ..public.clone() };
        for client in [&public, &with_secret] {
            assert_eq!(McpClient::from_json("c", &client.to_json()).as_ref(), Some(client));
        }
        assert!(public.is_proven_by(None) && public.is_proven_by(Some("")));
        assert!(with_secret.is_proven_by(Some("secret")));
        assert!(!with_secret.is_proven_by(Some("Secret")) && !with_secret.is_proven_by(None));
        assert_eq!(McpClient::from_json("c", "{}"), None);
    }
}
