//! The cookie that ties a login to the browser in which it began (RFC 9700 §2.1, login CSRF).

use super::error::OAuthError;
use super::random::{self, Hash, hash_of};
use crate::clock::Ids;
use crate::config::{BaseUrl, Scheme};
use crate::secret::Secret;

/// A browser: an unguessable name that only it and we know.
#[derive(Clone, Debug)]
pub struct Browser {
    secret: Secret,
    is_new: bool,
}

/// With `https`, no other site of the domain can set it (RFC 6265bis §4.1.3.2).
const SECURE_NAME: &str = "__Host-nextcloud-mcp";
/// Plain `http` is for a loopback address, where browsers keep no secure cookie.
const PLAIN_NAME: &str = "nextcloud-mcp";
const VALUE_CHARS: usize = 43;

impl Browser {
    /// The browser that sent these `Cookie` headers, or a new one.
    pub fn of<'a>(
        mut cookies: impl Iterator<Item = &'a str>,
        public_url: &BaseUrl,
        ids: &Ids,
    ) -> Result<Browser, OAuthError> {
        let wanted = name(public_url);
        let known = cookies.find_map(|header| {
            header.split(';').find_map(|pair| {
                let (name, value) = pair.trim().split_once('=')?;
                let is_ours = |b: u8| b.is_ascii_alphanumeric() || b"-_".contains(&b);
                (name == wanted && value.len() == VALUE_CHARS && value.bytes().all(is_ours)).then_some(value)
            })
        });
        Ok(match known {
            Some(value) => Browser { secret: Secret::new(value), is_new: false },
            None => Browser { secret: random::secret(ids, "")?, is_new: true },
        })
    }

    pub(super) fn hash(&self) -> Hash {
        hash_of(self.secret.expose())
    }

    /// `Set-Cookie` for a browser that has none yet. It goes when the browser is closed.
    pub fn set_cookie(&self, public_url: &BaseUrl) -> Option<Secret> {
        let secure = if public_url.scheme == Scheme::Https { "; Secure" } else { "" };
        self.is_new.then(|| {
            Secret::new(format!(
                "{}={}; Path=/; HttpOnly; SameSite=Lax{secure}",
                name(public_url),
                self.secret.expose()
            ))
        })
    }
}

fn name(public_url: &BaseUrl) -> &'static str {
    match public_url.scheme {
        Scheme::Https => SECURE_NAME,
        Scheme::Http => PLAIN_NAME,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_known_by_its_cookie_and_by_no_other() {
        let url = BaseUrl::parse("https://mcp.example.org").unwrap();
        let new = Browser::of([].into_iter(), &url, &Ids::random()).unwrap();
        let cookie = new.set_cookie(&url).unwrap();
        let pair = cookie.expose().split(';').next().unwrap();
        assert!(cookie.expose().ends_with("; Path=/; HttpOnly; SameSite=Lax; Secure"));
        let header = format!("a=b; {pair}");
        let again = Browser::of([header.as_str()].into_iter(), &url, &Ids::random()).unwrap();
        assert!(again.set_cookie(&url).is_none() && again.hash() == new.hash());
        let plain = pair.replace("__Host-", "");
        for other in [plain.as_str(), "__Host-nextcloud-mcp=short", "__Host-nextcloud-mcp", ""] {
            let other = Browser::of([other].into_iter(), &url, &Ids::random()).unwrap();
            assert!(other.is_new && other.hash() != new.hash());
        }
    }
}
