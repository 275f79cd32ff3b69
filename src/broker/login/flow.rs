//! Login Flow v2: part of every Nextcloud, needs no app
//! (<https://docs.nextcloud.com/server/latest/developer_manual/client_apis/LoginFlow/index.html#login-flow-v2>).
//!
//! `POST /index.php/login/v2` gives an address for the person and one for us; ours answers 404 until the person has said
//! yes, then once with an app password.

use std::sync::Arc;

use serde::Deserialize;

use super::{Begun, Identity, Kept, LoginError, account, revoke, user_id};
use crate::config::BaseUrl;
use crate::nextcloud::{Account, Credential, Fetch, Nextcloud, OutsideRequest};
use crate::secret::Secret;
use crate::store::Upstream;

/// Signs people in on Nextcloud's own grant page.
pub struct FlowLogin {
    pub nextcloud: Arc<Nextcloud>,
    pub fetch: Arc<dyn Fetch>,
    /// Nextcloud as this server reaches it.
    pub internal: BaseUrl,
    /// Nextcloud as browsers reach it.
    pub public: BaseUrl,
}

#[derive(Deserialize)]
struct Started {
    poll: Poll,
    login: String,
}

#[derive(Deserialize)]
struct Poll {
    token: String,
    endpoint: String,
}

#[derive(Deserialize)]
struct Granted {
    #[serde(rename = "loginName")]
    login_name: String,
    #[serde(rename = "appPassword")]
    app_password: String,
}

impl FlowLogin {
    /// Starts a login: an address for the person, and what we ask with.
    pub fn begin(&self) -> Result<Begun, LoginError> {
        let request = OutsideRequest::post_form(format!("{}/index.php/login/v2", self.internal), &[]);
        let answer =
            self.fetch.fetch(&request).map_err(|error| LoginError::Unavailable(error.to_string()))?;
        if answer.status != 200 {
            return Err(LoginError::Unavailable(format!("the login flow answered {}", answer.status)));
        }
        let malformed =
            || LoginError::Unavailable("the login flow answered what is no start of a login".into());
        let Started { poll, login } = serde_json::from_slice(&answer.body).map_err(|_| malformed())?;
        // Nextcloud writes the host by which it was asked, or the one of its configuration; neither need be right for us
        // or for a browser. Only paths are taken from it.
        let endpoint = moved(&poll.endpoint, &self.internal).ok_or_else(malformed)?;
        let url = moved(&login, &self.public).ok_or_else(malformed)?;
        Ok(Begun::Grant { url, kept: Kept::Poll { endpoint, token: Secret::new(poll.token) } })
    }

    /// Asks whether the person has said yes by now; `None`: not yet, or not any more. The answer comes once.
    pub fn ask(&self, endpoint: &str, token: &Secret) -> Result<Option<Identity>, LoginError> {
        let request = OutsideRequest::post_form(endpoint, &[("token", token.expose())]);
        let answer = match self.fetch.fetch(&request) {
            Ok(answer) => answer,
            Err(error) => {
                log::warn!("the login flow cannot be asked at the moment error=\"{error}\"");
                return Ok(None);
            }
        };
        match answer.status {
            // Also where the login is over: our own time limit ends that.
            404 => return Ok(None),
            200 => {}
            // The person's word is not lost, so the next question may be answered.
            429 | 500.. => {
                log::warn!("the login flow cannot be asked at the moment status={}", answer.status);
                return Ok(None);
            }
            status => return Err(LoginError::Unavailable(format!("the login flow answered {status}"))),
        }
        let granted: Granted = serde_json::from_slice(&answer.body)
            .map_err(|_| LoginError::Unavailable("the login flow answered what is no app password".into()))?;
        let password = Secret::new(granted.app_password);
        let credential = Credential::Basic { user: granted.login_name.clone(), password: password.clone() };
        let account = Account::new(credential);
        match user_id(&self.nextcloud, &account) {
            Ok(user_id) => Ok(Some(Identity {
                user_id,
                login_name: granted.login_name,
                upstream: Upstream::AppPassword(password),
            })),
            Err(error) => {
                // The answer comes once; without the user's id the password would be lost, and stay valid.
                if let Err(error) = revoke(&self.nextcloud, &account) {
                    log::warn!("an app password could not be given back error=\"{error}\"");
                }
                Err(error)
            }
        }
    }

    /// Gives an app password back. Done as well where Nextcloud does not know it any more.
    pub fn give_back(&self, login_name: &str, upstream: &Upstream) -> Result<(), LoginError> {
        revoke(&self.nextcloud, &account(login_name, upstream))
    }
}

/// The same path and query below another address. Both sides may lie in a folder of their host, as Nextcloud does then.
fn moved(url: &str, to: &BaseUrl) -> Option<String> {
    let rest = url.split_once("://")?.1;
    let path = &rest[rest.find('/')?..];
    // From the flow's own route on: what stands before it is the folder, which each side has its own name for.
    let route = path.find("/index.php/login/v2").or_else(|| path.find("/login/v2"))?;
    path.bytes()
        .all(|b| b.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&b))
        .then(|| format!("{to}{}", &path[route..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_route_is_taken_from_nextclouds_answer() {
        let to = |base: &str, url: &str| moved(url, &BaseUrl::parse(base).unwrap());
        assert_eq!(
            to("https://cloud.example.org", "http://localhost:8080/login/v2/flow/abc").as_deref(),
            Some("https://cloud.example.org/login/v2/flow/abc")
        );
        assert_eq!(
            to("http://nc:80/nextcloud", "https://cloud.example.org/cloud/index.php/login/v2/poll")
                .as_deref(),
            Some("http://nc/nextcloud/index.php/login/v2/poll")
        );
        for bad in
            ["", "https://h", "https://h/other", "javascript:alert(1)", "https://h/login/v2/\"><script>"]
        {
            assert_eq!(to("https://cloud.example.org", bad), None, "{bad}");
        }
    }
}
