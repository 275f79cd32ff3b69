//! From what was written to a typed `Config`. Goes on after a fault, so that all of them are reported together.

use std::net::{IpAddr, Ipv4Addr};

use super::address::LOOPBACK_NAMES;
use super::reader::{Reader, quote};
use super::source::Raw;
use super::table::*;
use super::{
    Auth, BaseUrl, Config, DiscoveryRetry, Fault, Faults, HostPattern, LimitChoice, Listen, LogChoice,
    LoginChoice, NextcloudLink, OAuth, OAuthClient, OriginPattern, Scheme, SignIn, Storage, TokenType,
    ToolChoice, Transport, Upstream, refuse_open_address,
};
use crate::log::Format;
use crate::secret::Secret;

/// The whole configuration, or everything that is wrong with it.
pub(super) fn config(raw: Raw) -> Result<Config, Faults> {
    let mut r = Reader { raw };
    let transport = transport(&mut r);
    let listen = listen(&mut r);
    let upstream = upstream(&mut r);
    let recorded = matches!(upstream, Some(Upstream::Recorded(_)));
    let auth = if recorded { Some(recorded_account()) } else { auth(&mut r, transport, upstream.is_some()) };
    let auth_token = auth_token(&mut r);
    let public_url = r.base_url(&SERVER_URL).unwrap_or_else(|| listen.url());
    let nextcloud = nextcloud(&mut r);
    let tools = tool_choice(&mut r);
    let log = LogChoice { level: level(&mut r), format: format(&mut r) };
    let limits = limits(&mut r);
    let allowed_hosts = allowed_hosts(&mut r, &public_url, &listen);
    let allowed_origins = allowed_origins(&mut r, &public_url);
    let over_network = transport == Transport::Http && listen.unix_socket.is_none();
    if over_network && let Some(auth) = &auth {
        let refused = refuse_open_address(auth, auth_token.as_ref(), listen.address);
        r.raw.faults.extend(refused.err());
    }
    let (Some(upstream), Some(auth), true) = (upstream, auth, r.raw.faults.is_empty()) else {
        return Err(with_warnings(r.raw));
    };
    let mut config = Config {
        listen,
        transport,
        log,
        upstream,
        nextcloud,
        auth,
        auth_token,
        public_url,
        allowed_hosts,
        allowed_origins,
        tools,
        limits,
        warnings: Vec::new(),
    };
    warn(&mut r, &config);
    config.warnings = r.raw.strangers;
    config.warnings.append(&mut r.raw.warnings);
    Ok(config)
}

/// A misspelt variable is only a warning, but it may well be why another one is missing.
fn with_warnings(raw: Raw) -> Faults {
    let warning =
        |problem| Fault { key: "warning".into(), source: String::new(), problem, remedy: String::new() };
    Faults(raw.faults.into_iter().chain(raw.strangers.into_iter().map(warning)).collect())
}

/// Only what listing the tools takes; nothing about Nextcloud has to be set.
pub(super) fn tools(raw: Raw) -> Result<ToolChoice, Faults> {
    let mut r = Reader { raw };
    let choice = tool_choice(&mut r);
    if r.raw.faults.is_empty() { Ok(choice) } else { Err(Faults(r.raw.faults)) }
}

/// Only what signing in takes.
pub(super) fn sign_in(raw: Raw) -> Result<SignIn, Faults> {
    let mut r = Reader { raw };
    if r.is_set(&FIXTURES) {
        r.fault(&FIXTURES, "a recorded Nextcloud has nobody to sign in", "leave it out");
    }
    if !r.is_set(&NEXTCLOUD_HOST) {
        missing_host(&mut r, "is not set");
    }
    let upstream = upstream(&mut r);
    let nextcloud = nextcloud(&mut r);
    let username = r.text(&NEXTCLOUD_USERNAME);
    let storage = storage(&mut r);
    // A person reads along, and is told in plain words what happens.
    let level = if r.is_set(&LOG_LEVEL) { level(&mut r) } else { log::LevelFilter::Warn };
    let log = LogChoice { level, format: format(&mut r) };
    let (Some(Upstream::Nextcloud(url)), true) = (upstream, r.raw.faults.is_empty()) else {
        return Err(with_warnings(r.raw));
    };
    let mut warnings = r.raw.strangers;
    warnings.append(&mut r.raw.warnings);
    Ok(SignIn { url, nextcloud, username, storage, log, warnings })
}

fn transport(r: &mut Reader) -> Transport {
    match r.word(&TRANSPORT).as_str() {
        "stdio" => Transport::Stdio,
        "sse" => {
            r.fault(
                &TRANSPORT,
                "sse was replaced in MCP 2025-03-26 and is not offered",
                "write streamable-http, and give clients the address that ends in /mcp",
            );
            Transport::Http
        }
        _ => Transport::Http,
    }
}

fn listen(r: &mut Reader) -> Listen {
    let host = r.text(&HOST).unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let address = if bare.eq_ignore_ascii_case("localhost") {
        Ok(IpAddr::V4(Ipv4Addr::LOCALHOST))
    } else {
        bare.parse()
    };
    let address = address.unwrap_or_else(|_| {
        r.fault(
            &HOST,
            &format!("{} is no IP address", quote(&host)),
            "write an IP address (0.0.0.0 for all) or localhost",
        );
        IpAddr::V4(Ipv4Addr::LOCALHOST)
    });
    let port = u16::try_from(r.number(&PORT)).unwrap_or_default();
    Listen { address, port, unix_socket: r.path(&UNIX_SOCKET) }
}

/// `None` where a fault was kept.
fn upstream(r: &mut Reader) -> Option<Upstream> {
    if let Some(dir) = r.path(&FIXTURES) {
        return Some(Upstream::Recorded(dir));
    }
    let url = r.base_url(&NEXTCLOUD_HOST)?;
    let routes = ["index.php", "remote.php", "public.php", "ocs", "apps", "login"];
    if let Some(route) = url.path.split('/').find(|segment| routes.contains(segment)) {
        let problem = format!("{} is the address of a page in Nextcloud", quote(&url.to_string()));
        r.fault(&NEXTCLOUD_HOST, &problem, &format!("write what stands before /{route}"));
    }
    Some(Upstream::Nextcloud(url))
}

/// The account that a recorded Nextcloud is asked as; it takes any.
fn recorded_account() -> Auth {
    Auth::Basic { username: "recorded".into(), password: Secret::new("recorded") }
}

/// The mode and what belongs to it; `None` where a fault was kept. Without a Nextcloud nobody can have signed in there.
fn auth(r: &mut Reader, transport: Transport, has_nextcloud: bool) -> Option<Auth> {
    let mode = r.word(&DEPLOYMENT_MODE);
    let (username, password) = (r.text(&NEXTCLOUD_USERNAME), r.secret(&NEXTCLOUD_PASSWORD));
    let account_is_set = username.is_some() || password.is_some();
    let auth = match (mode.as_str(), username, password) {
        ("multi_user_basic", ..) => {
            if account_is_set {
                r.fault(
                    &DEPLOYMENT_MODE,
                    "multi_user_basic takes the account from each request, but one is set",
                    "leave NEXTCLOUD_USERNAME and NEXTCLOUD_PASSWORD out, or write single_user_basic",
                );
            }
            Some(Auth::MultiUserBasic)
        }
        ("oauth" | "login_flow", ..) => {
            if account_is_set {
                r.raw
                    .warnings
                    .push("NEXTCLOUD_USERNAME and NEXTCLOUD_PASSWORD are not used in OAuth mode".into());
            }
            Some(Auth::OAuth(Box::new(OAuth { account_is_set, ..oauth(r) })))
        }
        ("auto", None, None) if transport == Transport::Http => Some(Auth::OAuth(Box::new(oauth(r)))),
        (_, Some(username), Some(password)) => {
            // RFC 7617 § 2: the user name of HTTP Basic ends at the first colon.
            if username.contains(':') || username.chars().any(char::is_control) {
                r.fault(&NEXTCLOUD_USERNAME, "has a colon or a control character", "write the login name");
            }
            Some(Auth::Basic { username, password })
        }
        (_, username, None) if has_nextcloud => Some(Auth::StoredLogin { username, storage: storage(r) }),
        (_, username, password) => {
            missing_account(r, username.is_some(), password.is_some());
            None
        }
    };
    check_mode(r, auth.as_ref(), transport);
    auth
}

fn missing_account(r: &mut Reader, username: bool, password: bool) {
    let why = match (username, password) {
        (true, _) => "is not set, but NEXTCLOUD_USERNAME is",
        (_, true) => "is not set, but NEXTCLOUD_PASSWORD is",
        _ => "is not set, and this mode works for one account",
    };
    if !username {
        r.missing(&NEXTCLOUD_USERNAME, why, "set it to the login name of the account, or use --oauth");
    }
    if !password {
        r.missing(
            &NEXTCLOUD_PASSWORD,
            why,
            "set it, or NEXTCLOUD_PASSWORD_FILE, to an app password of the account, or use --oauth",
        );
    }
}

/// What a mode asks of the other settings.
fn check_mode(r: &mut Reader, auth: Option<&Auth>, transport: Transport) {
    if !r.is_set(&NEXTCLOUD_HOST) {
        let oauth = matches!(auth, Some(Auth::OAuth(_)));
        missing_host(
            r,
            if oauth { "OAuth mode requires NEXTCLOUD_HOST, which is not set" } else { "is not set" },
        );
    }
    if transport == Transport::Stdio && matches!(auth, Some(Auth::OAuth(_) | Auth::MultiUserBasic)) {
        r.missing(
            &TRANSPORT,
            "stdio serves one account, and this mode has none",
            "sign in with the command login, or set NEXTCLOUD_USERNAME and NEXTCLOUD_PASSWORD, and force no mode; \
             or use streamable-http",
        );
    }
}

fn missing_host(r: &mut Reader, problem: &str) {
    r.missing(
        &NEXTCLOUD_HOST,
        problem,
        "set it to the address of Nextcloud, https://cloud.example.org, or look around with --fixtures fixtures",
    );
}

fn storage(r: &mut Reader) -> Storage {
    Storage { file: r.path(&TOKEN_STORAGE_DB), encryption_key: r.secret(&TOKEN_ENCRYPTION_KEY) }
}

fn oauth(r: &mut Reader) -> OAuth {
    let id = r.text(&OIDC_CLIENT_ID);
    let client = match (id, r.secret(&OIDC_CLIENT_SECRET)) {
        (Some(id), Some(secret)) => Some(OAuthClient { id, secret }),
        (None, None) => None,
        (Some(_), None) => {
            r.missing(
                &OIDC_CLIENT_SECRET,
                "NEXTCLOUD_OIDC_CLIENT_ID is set without it",
                "set both, or neither to have the server register itself",
            );
            None
        }
        (None, Some(_)) => {
            r.missing(
                &OIDC_CLIENT_ID,
                "NEXTCLOUD_OIDC_CLIENT_SECRET is set without it",
                "set both, or neither to have the server register itself",
            );
            None
        }
    };
    OAuth {
        account_is_set: false,
        client,
        scopes: r.list(&OIDC_SCOPES),
        token_type: if r.word(&OIDC_TOKEN_TYPE) == "jwt" { TokenType::Jwt } else { TokenType::Opaque },
        public_issuer_url: r.url(&PUBLIC_ISSUER_URL),
        discovery_url: r.url(&OIDC_DISCOVERY_URL),
        discovery_retry: DiscoveryRetry {
            attempts: u32::try_from(r.number(&OIDC_DISCOVERY_ATTEMPTS)).unwrap_or(u32::MAX),
            backoff: r.seconds(&OIDC_DISCOVERY_BACKOFF),
            backoff_max: r.seconds(&OIDC_DISCOVERY_BACKOFF_MAX),
        },
        jwks_uri: r.url(&OIDC_JWKS_URI),
        introspection_uri: r.url(&OIDC_INTROSPECTION_URI),
        userinfo_uri: r.url(&OIDC_USERINFO_URI),
        accepted_audiences: r.list(&ACCEPTED_AUDIENCES),
        direct_tokens: r.switch(&DIRECT_TOKENS),
        login: if r.word(&LOGIN) == "login_flow" { LoginChoice::LoginFlow } else { LoginChoice::Auto },
        userinfo_validation: r.switch(&USERINFO_VALIDATION),
        storage: storage(r),
    }
}

const AUTH_TOKEN_CHARACTERS_MIN: usize = 16;

fn auth_token(r: &mut Reader) -> Option<Secret> {
    let token = r.secret(&AUTH_TOKEN)?;
    let text = token.expose();
    // RFC 6750 § 2.1: anything else could not be sent as a bearer token.
    let sendable =
        text.trim_end_matches('=').bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~+/".contains(&b));
    let make = "make one with openssl rand -hex 32";
    if text.len() < AUTH_TOKEN_CHARACTERS_MIN {
        r.fault(&AUTH_TOKEN, "is shorter than 16 characters and could be guessed", make);
    } else if !sendable {
        r.fault(
            &AUTH_TOKEN,
            "has characters other than A-Z a-z 0-9 - . _ ~ + /, which a bearer token cannot have",
            make,
        );
    }
    Some(token)
}

fn nextcloud(r: &mut Reader) -> NextcloudLink {
    if !r.switch(&NEXTCLOUD_VERIFY_SSL) {
        r.fault(
            &NEXTCLOUD_VERIFY_SSL,
            "leaving certificates unchecked is not offered: anybody on the way could read the password",
            "set NEXTCLOUD_CA_BUNDLE to a PEM file with the certificate authority of your Nextcloud",
        );
    }
    let proxy = r.secret(&NEXTCLOUD_PROXY);
    if proxy
        .as_ref()
        .is_some_and(|p| !p.expose().starts_with("http://") && !p.expose().starts_with("https://"))
    {
        r.fault(&NEXTCLOUD_PROXY, "is not the address of an HTTP proxy", "write http://host:port");
    }
    NextcloudLink {
        ca_bundle: r.path(&NEXTCLOUD_CA_BUNDLE),
        proxy,
        http_keepalive: r.switch(&NEXTCLOUD_HTTP_KEEPALIVE),
        public_url: r.base_url(&NEXTCLOUD_PUBLIC_URL),
        write_max_mb: Some(r.number(&WRITE_MAX)).filter(|mb| *mb > 0),
    }
}

fn tool_choice(r: &mut Reader) -> ToolChoice {
    let mut apps: Vec<String> = Vec::new();
    for app in r.list(&ENABLE_APP) {
        let app = if app == "webdav" { "files".to_owned() } else { app };
        if !apps.contains(&app) {
            apps.push(app);
        }
    }
    ToolChoice {
        apps,
        read_only: r.switch(&READ_ONLY),
        capability_gating: !r.switch(&DISABLE_CAPABILITY_GATING),
        excluded_tags: excluded_tags(r),
    }
}

/// Each tag costs a request in every call that touches a file.
const EXCLUDED_TAGS_MAX: usize = 20;

fn excluded_tags(r: &mut Reader) -> Vec<String> {
    let tags = r.names(&EXCLUDED_TAGS);
    if tags.len() > EXCLUDED_TAGS_MAX {
        let problem = format!("names {} tags; at most {EXCLUDED_TAGS_MAX} are looked up", tags.len());
        r.fault(&EXCLUDED_TAGS, &problem, "put one tag on all those files and name that one");
    }
    tags
}

fn level(r: &mut Reader) -> log::LevelFilter {
    match r.word(&LOG_LEVEL).as_str() {
        "critical" | "error" => log::LevelFilter::Error,
        "warning" | "warn" => log::LevelFilter::Warn,
        "debug" => log::LevelFilter::Debug,
        "trace" => log::LevelFilter::Trace,
        _ => log::LevelFilter::Info,
    }
}

fn format(r: &mut Reader) -> Format {
    match r.word(&LOG_FORMAT).as_str() {
        "text" => Format::Text,
        "json" => Format::Json,
        "journald" => Format::Journald,
        _ => Format::Auto,
    }
}

fn limits(r: &mut Reader) -> LimitChoice {
    let count = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    LimitChoice {
        connections: count(r.number(&CONNECTIONS_MAX)),
        nextcloud_parallel: count(r.number(&NEXTCLOUD_PARALLEL)),
        nextcloud_parallel_per_caller: count(r.number(&NEXTCLOUD_PARALLEL_PER_CALLER)),
        call_timeout: r.seconds(&CALL_TIMEOUT),
    }
}

/// The public name, loopback, the address listened on, and what was added by hand.
fn allowed_hosts(r: &mut Reader, public_url: &BaseUrl, listen: &Listen) -> Vec<HostPattern> {
    let any_port = |host: &str| HostPattern { host: host.to_owned(), port: None };
    let mut hosts = vec![any_port(&public_url.host)];
    hosts.extend(LOOPBACK_NAMES.map(any_port));
    hosts.push(any_port(&listen.url().host));
    hosts.dedup();
    for text in r.list(&ALLOWED_HOSTS) {
        match HostPattern::parse(&text) {
            Ok(host) => hosts.push(host),
            Err(problem) => r.fault(&ALLOWED_HOSTS, &format!("{} {problem}", quote(&text)), ""),
        }
    }
    hosts
}

fn allowed_origins(r: &mut Reader, public_url: &BaseUrl) -> Vec<OriginPattern> {
    let own = OriginPattern {
        scheme: Some(public_url.scheme),
        host: public_url.host.clone(),
        port: Some(public_url.port),
    };
    let mut origins = vec![own];
    origins.extend(LOOPBACK_NAMES.map(|host| OriginPattern { scheme: None, host: host.into(), port: None }));
    for text in r.list(&ALLOWED_ORIGINS) {
        match OriginPattern::parse(&text) {
            Ok(origin) => origins.push(origin),
            Err(problem) => r.fault(&ALLOWED_ORIGINS, &format!("{} {problem}", quote(&text)), ""),
        }
    }
    origins
}

fn warn(r: &mut Reader, config: &Config) {
    let names_itself = r.is_set(&SERVER_URL);
    let warnings = &mut r.raw.warnings;
    if let Upstream::Nextcloud(url) = &config.upstream
        && url.scheme == Scheme::Http
        && !url.is_near()
    {
        warnings.push(
            "NEXTCLOUD_HOST begins with http://: passwords travel unencrypted; write https:// if it can"
                .into(),
        );
    }
    let is_single = matches!(config.auth, Auth::Basic { .. } | Auth::StoredLogin { .. });
    if config.auth_token.is_some() && !is_single {
        warnings.push("MCP_AUTH_TOKEN is used in single_user_basic mode only".into());
    }
    let over_network = config.transport == Transport::Http && config.listen.unix_socket.is_none();
    let is_open = over_network && !config.listen.address.to_canonical().is_loopback();
    if matches!(config.auth, Auth::MultiUserBasic) && is_open && config.public_url.scheme == Scheme::Http {
        warnings.push(
            "this server has no TLS of its own, and passwords travel unencrypted to it: put a proxy with TLS before it \
             and set NEXTCLOUD_MCP_SERVER_URL to its https:// address"
                .into(),
        );
    }
    if over_network && config.listen.address.is_unspecified() && !names_itself {
        warnings.push(
            "NEXTCLOUD_MCP_SERVER_URL is not set: requests that call this server anything but localhost are refused"
                .into(),
        );
    }
}
