//! The configuration: flags > environment > `.env`, parsed once at start into types.
//!
//! `table` says what there is, `source` gathers what was written and where, `resolve` makes a [`Config`] of it or names
//! every fault at once. [`parse`] has no side effects; [`load`] gives it the real world.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::log::Format;
use crate::secret::Secret;

mod address;
mod dotenv;
mod fault;
mod print;
mod reader;
mod resolve;
mod setting;
mod source;
mod table;
#[cfg(test)]
mod tests;

pub use address::{BaseUrl, HostPattern, OriginPattern, Scheme};
pub use fault::{Fault, Faults};
pub use print::{env_sample, help, markdown, options};
pub use setting::{Flag, Group, Kind, Setting};
pub use source::Inputs;
pub use table::{APPS, SETTINGS};

/// Everything that is decided at start. Its `Debug` shows no secret.
#[derive(Clone, Debug)]
pub struct Config {
    pub listen: Listen,
    pub transport: Transport,
    pub log: LogChoice,
    pub upstream: Upstream,
    pub nextcloud: NextcloudLink,
    pub auth: Auth,
    /// What clients must show as a bearer token in basic mode (`MCP_AUTH_TOKEN`).
    pub auth_token: Option<Secret>,
    /// This server as its clients see it, without `/mcp`.
    pub public_url: BaseUrl,
    /// Names this server answers to, the defaults included.
    pub allowed_hosts: Vec<HostPattern>,
    /// Web origins whose pages may call this server, the defaults included.
    pub allowed_origins: Vec<OriginPattern>,
    pub tools: ToolChoice,
    pub limits: LimitChoice,
    /// To be logged once there is a log.
    pub warnings: Vec<String>,
}

/// Where to listen. A Unix socket takes the place of the port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    pub address: IpAddr,
    /// 0: any free one.
    pub port: u16,
    pub unix_socket: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Streamable HTTP at `/mcp`.
    Http,
    /// One JSON message a line on standard input and output.
    Stdio,
}

#[derive(Clone, Copy, Debug)]
pub struct LogChoice {
    pub level: log::LevelFilter,
    pub format: Format,
}

/// What stands behind the tools.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Upstream {
    Nextcloud(BaseUrl),
    /// A recorded Nextcloud in this folder; the environment's Nextcloud is left alone.
    Recorded(PathBuf),
}

/// How to talk to Nextcloud.
#[derive(Clone, Debug)]
pub struct NextcloudLink {
    /// PEM file with authorities to trust beside those of the machine.
    pub ca_bundle: Option<PathBuf>,
    /// `http://host:port`; may hold a user name and a password.
    pub proxy: Option<Secret>,
    pub http_keepalive: bool,
    /// Nextcloud as people's browsers see it, where that differs.
    pub public_url: Option<BaseUrl>,
    /// Largest file a tool may write; `None`: no limit.
    pub write_max_mb: Option<u64>,
}

/// Whom Nextcloud sees, and who may call.
#[derive(Clone, Debug)]
pub enum Auth {
    /// Everybody who may call works in this one account.
    Basic { username: String, password: Secret },
    /// The same with the account that `login` has stored, if it is this user's.
    StoredLogin { username: Option<String>, storage: Storage },
    /// Each request brings its own account in `Authorization: Basic`.
    MultiUserBasic,
    /// Each request brings an OAuth bearer token.
    OAuth(Box<OAuth>),
}

/// Where secrets are kept.
#[derive(Clone, Debug)]
pub struct Storage {
    /// `None`: `tokens.db` in the state folder.
    pub file: Option<PathBuf>,
    /// `None`: kept beside the file.
    pub encryption_key: Option<Secret>,
}

/// What signing in and out at a terminal takes.
#[derive(Clone, Debug)]
pub struct SignIn {
    pub url: BaseUrl,
    pub nextcloud: NextcloudLink,
    /// Who is to sign in; `None`: whoever does.
    pub username: Option<String>,
    pub storage: Storage,
    pub log: LogChoice,
    /// To be logged once there is a log.
    pub warnings: Vec<String>,
}

#[derive(Clone, Debug)]
pub struct OAuth {
    /// The mode was asked for although an account is set, too.
    pub account_is_set: bool,
    /// `None`: register dynamically (RFC 7591).
    pub client: Option<OAuthClient>,
    /// Empty: those of all enabled apps.
    pub scopes: Vec<String>,
    pub token_type: TokenType,
    pub public_issuer_url: Option<String>,
    pub discovery_url: Option<String>,
    pub discovery_retry: DiscoveryRetry,
    pub jwks_uri: Option<String>,
    pub introspection_uri: Option<String>,
    pub userinfo_uri: Option<String>,
    /// Beside this server's own address.
    pub accepted_audiences: Vec<String>,
    pub direct_tokens: bool,
    pub login: LoginChoice,
    pub userinfo_validation: bool,
    pub storage: Storage,
}

/// How people sign in at this server's own authorization server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginChoice {
    /// At the identity provider where there is one, else by Login Flow v2.
    Auto,
    /// By Login Flow v2 in any case.
    LoginFlow,
}

/// How often and how patiently to ask for the discovery document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiscoveryRetry {
    pub attempts: u32,
    /// Wait after the first failure; doubles with each.
    pub backoff: Duration,
    pub backoff_max: Duration,
}

#[derive(Clone, Debug)]
pub struct OAuthClient {
    pub id: String,
    pub secret: Secret,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenType {
    Opaque,
    Jwt,
}

/// Which tools to offer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolChoice {
    /// Empty: all. `webdav` has become `files`.
    pub apps: Vec<String>,
    pub read_only: bool,
    /// Hide the tools of apps that Nextcloud does not have.
    pub capability_gating: bool,
    /// Files with these tags, and all that is in folders with them, are kept away from every tool.
    pub excluded_tags: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitChoice {
    pub connections: usize,
    pub nextcloud_parallel: usize,
    pub nextcloud_parallel_per_caller: usize,
    pub call_timeout: Duration,
}

impl Listen {
    /// Where a client on this machine finds the server.
    pub fn url(&self) -> BaseUrl {
        let host = match self.address {
            address if address.is_unspecified() => "localhost".to_owned(),
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        };
        BaseUrl { scheme: Scheme::Http, host, port: self.port, path: String::new() }
    }
}

impl ToolChoice {
    pub fn has_app(&self, app: &str) -> bool {
        self.apps.is_empty() || self.apps.iter().any(|a| a == app)
    }
}

/// Refuses to let everybody on a network into one account. To be asked again about a socket that was handed in.
pub fn refuse_open_address(auth: &Auth, token: Option<&Secret>, address: IpAddr) -> Result<(), Fault> {
    let open = matches!(auth, Auth::Basic { .. } | Auth::StoredLogin { .. }) && token.is_none();
    if !open || address.to_canonical().is_loopback() {
        return Ok(());
    }
    Err(Fault {
        key: table::AUTH_TOKEN.key.into(),
        source: String::new(),
        problem: format!("is not set, and anybody who reaches {address} could use the account"),
        remedy: "set it, or MCP_AUTH_TOKEN_FILE, to a token made with openssl rand -hex 32, and have clients send \
                 Authorization: Bearer TOKEN; or listen on 127.0.0.1"
            .into(),
    })
}

/// What to say where one account is to be served and nobody is signed in at this Nextcloud.
pub fn no_stored_login(username: Option<&str>, nextcloud: &BaseUrl) -> Fault {
    let problem = match username {
        Some(_) => "is not set, but NEXTCLOUD_USERNAME is, and nobody of this name is signed in",
        None => "is not set, nor is NEXTCLOUD_USERNAME, and nobody is signed in",
    };
    Fault {
        key: table::NEXTCLOUD_PASSWORD.key.into(),
        source: String::new(),
        problem: format!("{problem} at {nextcloud}"),
        remedy: "sign in with the command login, or set NEXTCLOUD_USERNAME and NEXTCLOUD_PASSWORD \
                 (or NEXTCLOUD_PASSWORD_FILE), or use --oauth over HTTP"
            .into(),
    }
}

/// Reads flags, the environment and `.env` in the working folder.
pub fn load(args: Vec<OsString>) -> Result<Config, Faults> {
    parse(&real(args)?)
}

/// The same for a program that only lists tools: no Nextcloud has to be set.
pub fn load_tools(args: Vec<OsString>) -> Result<ToolChoice, Faults> {
    resolve::tools(source::gather(&real(args)?))
}

/// The same for `login` and `logout`.
pub fn load_sign_in(args: Vec<OsString>) -> Result<SignIn, Faults> {
    resolve::sign_in(source::gather(&real(args)?))
}

/// Makes a configuration of `inputs` and of nothing else.
pub fn parse(inputs: &Inputs<'_>) -> Result<Config, Faults> {
    resolve::config(source::gather(inputs))
}

const DOTENV: &str = ".env";

fn real(args: Vec<OsString>) -> Result<Inputs<'static>, Faults> {
    let dotenv = match std::fs::read_to_string(DOTENV) {
        Ok(text) => Some(text),
        // A folder of this name is Python's business.
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::IsADirectory) => None,
        Err(e) => {
            return Err(Faults(vec![Fault {
                key: DOTENV.into(),
                source: "working folder".into(),
                problem: format!("cannot be read: {e}"),
                remedy: "make it readable, or start in another folder".into(),
            }]));
        }
    };
    Ok(Inputs { args, env: std::env::vars_os().collect(), dotenv, read_file: &read_limited })
}

fn read_limited(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(source::SECRET_FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    Ok(text)
}
