//! The cookie that ties a login to the browser in which it began (RFC 9700 §2.1, login CSRF).

use super::error::OAuthError;
use super::random::{self, Hash, challenge_of, hash_of};
use crate::clock::Ids;
use crate::config::{BaseUrl, Scheme};
use crate::secret::Secret;

/// A browser: an unguessable name that only it and we know.
#[derive(Clone, Debug)]
pub struct Browser {
    secret: Secret,
    is_new: bool,
}

const BROWSER: &str = "nextcloud-mcp";
const SESSION: &str = "nextcloud-mcp-session";
const VALUE_CHARS: usize = 43;

impl Browser {
    /// The browser that sent these `Cookie` headers, or a new one.
    pub fn of<'a>(
        cookies: impl Iterator<Item = &'a str>,
        public_url: &BaseUrl,
        ids: &Ids,
    ) -> Result<Browser, OAuthError> {
        Ok(match find(cookies, &name(BROWSER, public_url)) {
            Some(secret) => Browser { secret, is_new: false },
            None => Browser { secret: random::secret(ids, "")?, is_new: true },
        })
    }

    pub(super) fn hash(&self) -> Hash {
        hash_of(self.secret.expose())
    }

    /// `Set-Cookie` for a browser that has none yet. It goes when the browser is closed.
    pub fn set_cookie(&self, public_url: &BaseUrl) -> Option<Secret> {
        self.is_new.then(|| set(BROWSER, &self.secret, public_url))
    }
}

/// A person who is signed in on our own pages. Its name is made when they sign in, so nobody can have planted it before.
#[derive(Clone, Debug)]
pub struct Session(Secret);

impl Session {
    pub(super) fn new(ids: &Ids) -> Result<Session, OAuthError> {
        random::secret(ids, "").map(Session)
    }

    /// The session that these `Cookie` headers name.
    pub fn of<'a>(cookies: impl Iterator<Item = &'a str>, public_url: &BaseUrl) -> Option<Session> {
        find(cookies, &name(SESSION, public_url)).map(Session)
    }

    pub(super) fn hash(&self) -> Hash {
        hash_of(self.0.expose())
    }

    /// What the session's own forms bring along (CSRF): no other page can know it.
    pub fn ticket(&self) -> String {
        challenge_of(&format!("form {}", self.0.expose()))
    }

    /// `Set-Cookie`. It goes when the browser is closed.
    pub fn set_cookie(&self, public_url: &BaseUrl) -> Secret {
        set(SESSION, &self.0, public_url)
    }
}

fn find<'a>(mut cookies: impl Iterator<Item = &'a str>, wanted: &str) -> Option<Secret> {
    let is_ours = |b: u8| b.is_ascii_alphanumeric() || b"-_".contains(&b);
    cookies.find_map(|header| {
        header.split(';').find_map(|pair| {
            let (name, value) = pair.trim().split_once('=')?;
            let fits = name == wanted && value.len() == VALUE_CHARS && value.bytes().all(is_ours);
            fits.then(|| Secret::new(value))
        })
    })
}

fn set(kind: &str, value: &Secret, public_url: &BaseUrl) -> Secret {
    let secure = if public_url.scheme == Scheme::Https { "; Secure" } else { "" };
    let name = name(kind, public_url);
    Secret::new(format!("{name}={}; Path=/; HttpOnly; SameSite=Lax{secure}", value.expose()))
}

/// With `https`, no other site of the domain can set it (RFC 6265bis §4.1.3.2). Plain `http` is for a loopback address,
/// where browsers keep no secure cookie; ports share cookies there.
fn name(kind: &str, public_url: &BaseUrl) -> String {
    match public_url.scheme {
        Scheme::Https => format!("__Host-{kind}"),
        Scheme::Http => format!("{kind}-{}", public_url.port),
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
