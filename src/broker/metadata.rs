//! What clients read before they ask (RFC 8414; also served as OpenID Connect discovery, where some look first, and where
//! all look that find this server below a folder of its host).

use serde_json::{Value, json};

use super::Broker;

/// Where the document is. Public: needs no token, and pages of any origin may read it.
pub const METADATA_PATHS: [&str; 2] =
    ["/.well-known/oauth-authorization-server", "/.well-known/oauth-authorization-server/mcp"];
/// The same for its other form.
pub const OPENID_METADATA_PATHS: [&str; 2] =
    ["/.well-known/openid-configuration", "/.well-known/openid-configuration/mcp"];
/// Our keys, of which there are none.
pub const KEYS_PATH: &str = "/oauth/jwks";

impl Broker {
    /// The document (RFC 8414 §2).
    pub fn metadata(&self) -> Value {
        let scopes: Vec<&str> = self.terms.offered.iter().map(|scope| scope.name()).collect();
        let methods = ["none", "client_secret_post", "client_secret_basic"];
        json!({
            "issuer": self.issuer(),
            "authorization_endpoint": self.at("/oauth/authorize"),
            "token_endpoint": self.at("/oauth/token"),
            "registration_endpoint": self.at("/oauth/register"),
            "revocation_endpoint": self.at("/oauth/revoke"),
            "scopes_supported": scopes,
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "token_endpoint_auth_methods_supported": methods,
            "revocation_endpoint_auth_methods_supported": methods,
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": true,
            "client_id_metadata_document_supported": true,
            "service_documentation": self.at("/"),
        })
    }

    /// The document with what OpenID Connect Discovery §3 demands beside it: some clients refuse it otherwise, although
    /// they want no id_token, and nobody gets one here.
    pub fn openid_metadata(&self) -> Value {
        let mut metadata = self.metadata();
        metadata["jwks_uri"] = self.at(KEYS_PATH).into();
        metadata["subject_types_supported"] = json!(["public"]);
        metadata["id_token_signing_alg_values_supported"] = json!(["RS256"]);
        metadata
    }
}
