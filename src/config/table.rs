//! The one table of settings. Flags, environment, `.env`, `--help`, `docs/configuration.md` and `env.sample` read it.

use super::setting::Group::{Access, Limits, Listening, Logging, Nextcloud, OAuth, Tools};
use super::setting::{Flag, Kind, Setting};

/// Makes each row a constant, so that the code names settings and not strings, and puts all rows into `SETTINGS`.
macro_rules! table {
    ($($name:ident = $group:ident { $($field:ident: $value:expr,)* })*) => {
        $(pub const $name: Setting = Setting { $($field: $value,)* ..Setting::blank($group) };)*

        /// Every setting, in the order in which it is printed.
        pub const SETTINGS: &[Setting] = &[$($name),*];
    };
}

/// Apps that `--enable-app` knows. `webdav` is the reference's name for `files`.
pub const APPS: &[&str] = &[
    "notes",
    "files",
    "webdav",
    "sharing",
    "calendar",
    "tasks",
    "contacts",
    "deck",
    "tables",
    "cookbook",
    "collectives",
    "mail",
    "talk",
    "news",
    "shopping_list",
];

table! {
    NEXTCLOUD_HOST = Nextcloud {
        key: "NEXTCLOUD_HOST",
        flags: &[Flag::value("--nextcloud-host", None)],
        placeholder: "URL",
        kind: Kind::Url,
        about: "Address of Nextcloud, with its sub-path if it has one: https://cloud.example.org.",
        help: "Address of Nextcloud: https://cloud.example.org",
    }
    NEXTCLOUD_USERNAME = Nextcloud {
        key: "NEXTCLOUD_USERNAME",
        flags: &[Flag::value("--nextcloud-username", None)],
        placeholder: "NAME",
        about: "Login name of the account to work in.",
        help: "Login name of the account to work in",
    }
    NEXTCLOUD_PASSWORD = Nextcloud {
        key: "NEXTCLOUD_PASSWORD",
        flags: &[Flag::value("--nextcloud-password", None)],
        placeholder: "PASSWORD",
        secret: true,
        about: "App password of that account. A flag shows it to every user of the machine: prefer NEXTCLOUD_PASSWORD_FILE.",
    }
    NEXTCLOUD_PUBLIC_URL = Nextcloud {
        key: "NEXTCLOUD_PUBLIC_URL",
        placeholder: "URL",
        kind: Kind::Url,
        about: "Address of Nextcloud as people's browsers see it, where that is not NEXTCLOUD_HOST.",
    }
    NEXTCLOUD_CA_BUNDLE = Nextcloud {
        key: "NEXTCLOUD_CA_BUNDLE",
        placeholder: "FILE",
        kind: Kind::Path,
        about: "PEM file with certificate authorities to trust for Nextcloud, beside those of this machine.",
    }
    NEXTCLOUD_PROXY = Nextcloud {
        key: "NEXTCLOUD_PROXY",
        placeholder: "URL",
        secret: true,
        about: "HTTP proxy on the way to Nextcloud, http://host:port. HTTP_PROXY and the like are not read.",
    }
    NEXTCLOUD_HTTP_KEEPALIVE = Nextcloud {
        key: "NEXTCLOUD_HTTP_KEEPALIVE",
        kind: Kind::Switch,
        default: "true",
        about: "Use a connection to Nextcloud for more than one request.",
    }
    NEXTCLOUD_VERIFY_SSL = Nextcloud {
        key: "NEXTCLOUD_VERIFY_SSL",
        kind: Kind::Switch,
        default: "true",
        about: "Only true: certificates are always checked. For a private authority set NEXTCLOUD_CA_BUNDLE.",
    }
    FIXTURES = Nextcloud {
        key: "MCP_FIXTURES",
        flags: &[Flag::value("--fixtures", None)],
        placeholder: "DIR",
        kind: Kind::Path,
        about: "Answer from a recorded Nextcloud in this folder. Needs no Nextcloud and no network.",
        help: "Answer from a recorded Nextcloud, without network",
    }

    HOST = Listening {
        key: "MCP_HOST",
        flags: &[Flag::value("--host", Some("-h"))],
        placeholder: "ADDRESS",
        default: "127.0.0.1",
        about: "Address to listen on: an IP address or localhost.",
        help: "Address to listen on",
    }
    PORT = Listening {
        key: "MCP_PORT",
        aliases: &["PORT"],
        flags: &[Flag::value("--port", Some("-p"))],
        placeholder: "PORT",
        default: "8000",
        kind: Kind::Number { min: 0, max: 65_535 },
        about: "Port to listen on; 0 takes a free one and logs it.",
        help: "Port to listen on",
    }
    UNIX_SOCKET = Listening {
        key: "MCP_UNIX_SOCKET",
        flags: &[Flag::value("--unix-socket", None)],
        placeholder: "PATH",
        kind: Kind::Path,
        about: "Listen on this Unix socket (mode 0660) and on no port.",
    }
    TRANSPORT = Listening {
        key: "MCP_TRANSPORT",
        flags: &[Flag::value("--transport", Some("-t"))],
        placeholder: "NAME",
        default: "streamable-http",
        kind: Kind::Choice(&["streamable-http", "http", "stdio", "sse"]),
        about: "streamable-http (http is the same) or stdio. sse was replaced in MCP 2025-03-26 and is refused.",
        help: "streamable-http or stdio",
    }
    SERVER_URL = Listening {
        key: "NEXTCLOUD_MCP_SERVER_URL",
        flags: &[Flag::value("--mcp-server-url", None)],
        placeholder: "URL",
        kind: Kind::Url,
        about: "Address of this server as its clients see it. Without it: http:// and the address listened on.",
        help: "Address of this server as its clients see it",
    }

    DEPLOYMENT_MODE = Access {
        key: "MCP_DEPLOYMENT_MODE",
        flags: &[Flag::bare("--oauth", "oauth"), Flag::bare("--no-oauth", "single_user_basic")],
        placeholder: "MODE",
        default: "auto",
        kind: Kind::Choice(&["auto", "single_user_basic", "multi_user_basic", "oauth", "login_flow"]),
        about: "auto: single_user_basic where an account is set and over stdio, else oauth. multi_user_basic: each \
                request brings user name and app password. login_flow means oauth.",
        help: "Force a mode [by the account being set]",
    }
    AUTH_TOKEN = Access {
        key: "MCP_AUTH_TOKEN",
        placeholder: "TOKEN",
        secret: true,
        about: "Bearer token that clients must show in basic mode; at least 16 characters (openssl rand -hex 32). \
                Needed on any address but loopback.",
    }
    ALLOWED_HOSTS = Access {
        key: "MCP_ALLOWED_HOSTS",
        placeholder: "HOSTS",
        kind: Kind::List(&[]),
        about: "Further names that clients may call this server by: mcp.example.org or mcp.example.org:8443. \
                The server's address and loopback are always allowed.",
    }
    ALLOWED_ORIGINS = Access {
        key: "MCP_ALLOWED_ORIGINS",
        placeholder: "ORIGINS",
        kind: Kind::List(&[]),
        about: "Further web origins whose pages may call this server: https://app.example.org. \
                The server's own and loopback are always allowed.",
    }

    ENABLE_APP = Tools {
        key: "MCP_ENABLED_APPS",
        flags: &[Flag::value("--enable-app", Some("-e"))],
        placeholder: "APP",
        kind: Kind::List(APPS),
        about: "Offer the tools of this app only; repeat it for more apps. webdav means files. Without it: all apps.",
        help: "Tools of this app only; may be repeated",
    }
    READ_ONLY = Tools {
        key: "MCP_READ_ONLY",
        flags: &[Flag::bare("--read-only", "true")],
        kind: Kind::Switch,
        default: "false",
        about: "Offer only tools that change nothing.",
        help: "Only tools that change nothing",
    }
    DISABLE_CAPABILITY_GATING = Tools {
        key: "MCP_DISABLE_CAPABILITY_GATING",
        kind: Kind::Switch,
        default: "false",
        about: "Offer the tools of apps that Nextcloud does not have, too.",
    }

    EXCLUDED_TAGS = Tools {
        key: "EXCLUDED_TAGS",
        placeholder: "TAGS",
        kind: Kind::Names,
        about: "Keep files with one of these Nextcloud tags, and all that is in folders with them, away from every tool: \
                `private,Do not read`. Protects from accidents; from ill will only if the tag is restricted. See docs/decisions/excluded-files.md.",
    }

    LOG_LEVEL = Logging {
        key: "LOG_LEVEL",
        flags: &[Flag::value("--log-level", Some("-l"))],
        placeholder: "LEVEL",
        default: "info",
        kind: Kind::Choice(&["critical", "error", "warning", "warn", "info", "debug", "trace"]),
        about: "critical, error, warning, info or debug; trace is debug in release builds.",
        help: "error, warning, info or debug",
    }
    LOG_FORMAT = Logging {
        key: "LOG_FORMAT",
        flags: &[Flag::value("--log-format", None)],
        placeholder: "FORMAT",
        default: "auto",
        kind: Kind::Choice(&["auto", "text", "json", "journald"]),
        about: "text, json (one object a line) or journald; auto: journald under systemd, else text.",
    }

    WRITE_MAX = Limits {
        key: "WEBDAV_WRITE_MAX_MB",
        placeholder: "MB",
        default: "50",
        kind: Kind::Number { min: 0, max: 1_000_000 },
        about: "Largest file a tool may write, in MB; 0: no limit.",
    }
    CALL_TIMEOUT = Limits {
        key: "MCP_CALL_TIMEOUT_S",
        placeholder: "SECONDS",
        default: "50",
        kind: Kind::Seconds { min: 1, max: 3_600 },
        about: "Longest time one tool call may take. Most clients give up after 60 seconds.",
    }
    CONNECTIONS_MAX = Limits {
        key: "MCP_CONNECTIONS_MAX",
        placeholder: "COUNT",
        default: "256",
        kind: Kind::Number { min: 4, max: 10_000 },
        about: "Connections at a time; beyond, the one that was idle longest is closed.",
    }
    NEXTCLOUD_PARALLEL = Limits {
        key: "MCP_NEXTCLOUD_PARALLEL",
        placeholder: "COUNT",
        default: "16",
        kind: Kind::Number { min: 1, max: 256 },
        about: "Tool calls that work on Nextcloud at a time.",
    }
    NEXTCLOUD_PARALLEL_PER_CALLER = Limits {
        key: "MCP_NEXTCLOUD_PARALLEL_PER_CALLER",
        placeholder: "COUNT",
        default: "8",
        kind: Kind::Number { min: 1, max: 256 },
        about: "The same for one caller.",
    }

    OIDC_CLIENT_ID = OAuth {
        key: "NEXTCLOUD_OIDC_CLIENT_ID",
        aliases: &["OIDC_CLIENT_ID", "MCP_SERVER_CLIENT_ID"],
        flags: &[Flag::value("--oauth-client-id", None)],
        placeholder: "ID",
        about: "Client that was registered at the identity provider by hand. Without it the server registers itself.",
    }
    OIDC_CLIENT_SECRET = OAuth {
        key: "NEXTCLOUD_OIDC_CLIENT_SECRET",
        aliases: &["OIDC_CLIENT_SECRET", "MCP_SERVER_CLIENT_SECRET"],
        flags: &[Flag::value("--oauth-client-secret", None)],
        placeholder: "SECRET",
        secret: true,
        about: "Secret of that client.",
    }
    OIDC_SCOPES = OAuth {
        key: "NEXTCLOUD_OIDC_SCOPES",
        flags: &[Flag::value("--oauth-scopes", None)],
        placeholder: "SCOPES",
        kind: Kind::List(&[]),
        about: "Scopes to ask for when registering. Without it: those of all enabled apps.",
    }
    OIDC_TOKEN_TYPE = OAuth {
        key: "NEXTCLOUD_OIDC_TOKEN_TYPE",
        flags: &[Flag::value("--oauth-token-type", None)],
        placeholder: "TYPE",
        default: "bearer",
        kind: Kind::Choice(&["bearer", "opaque", "jwt"]),
        about: "Tokens to ask for when registering: bearer (opaque is the same) or jwt.",
    }
    PUBLIC_ISSUER_URL = OAuth {
        key: "NEXTCLOUD_PUBLIC_ISSUER_URL",
        aliases: &["OIDC_ISSUER"],
        flags: &[Flag::value("--public-issuer-url", None)],
        placeholder: "URL",
        kind: Kind::Url,
        about: "Issuer as clients see it, where tokens name another address than NEXTCLOUD_HOST.",
    }
    OIDC_DISCOVERY_URL = OAuth {
        key: "OIDC_DISCOVERY_URL",
        placeholder: "URL",
        kind: Kind::Url,
        about: "Discovery document of the identity provider. Without it: /.well-known/openid-configuration of NEXTCLOUD_HOST.",
    }
    OIDC_DISCOVERY_ATTEMPTS = OAuth {
        key: "OIDC_DISCOVERY_MAX_ATTEMPTS",
        placeholder: "COUNT",
        default: "10",
        kind: Kind::Number { min: 1, max: 100 },
        about: "How often to ask for the discovery document in one round; a round that failed is started again after a minute.",
    }
    OIDC_DISCOVERY_BACKOFF = OAuth {
        key: "OIDC_DISCOVERY_BACKOFF_BASE",
        placeholder: "SECONDS",
        default: "1",
        kind: Kind::Seconds { min: 1, max: 60 },
        about: "Wait after the first failed attempt; it doubles with each further one.",
    }
    OIDC_DISCOVERY_BACKOFF_MAX = OAuth {
        key: "OIDC_DISCOVERY_BACKOFF_MAX",
        placeholder: "SECONDS",
        default: "15",
        kind: Kind::Seconds { min: 1, max: 3_600 },
        about: "Longest wait between two attempts.",
    }
    OIDC_JWKS_URI = OAuth {
        key: "OIDC_JWKS_URI",
        aliases: &["JWKS_URI"],
        placeholder: "URL",
        kind: Kind::Url,
        about: "Takes the place of the discovered jwks_uri.",
    }
    OIDC_INTROSPECTION_URI = OAuth {
        key: "INTROSPECTION_URI",
        placeholder: "URL",
        kind: Kind::Url,
        about: "Takes the place of the discovered introspection_endpoint.",
    }
    OIDC_USERINFO_URI = OAuth {
        key: "USERINFO_URI",
        placeholder: "URL",
        kind: Kind::Url,
        about: "Takes the place of the discovered userinfo_endpoint.",
    }
    ACCEPTED_AUDIENCES = OAuth {
        key: "MCP_ACCEPTED_AUDIENCES",
        aliases: &["NEXTCLOUD_RESOURCE_URI"],
        placeholder: "AUDIENCES",
        kind: Kind::List(&[]),
        about: "Audiences to accept in tokens beside this server's own address.",
    }
    LOGIN = OAuth {
        key: "MCP_LOGIN",
        flags: &[Flag::value("--login", None)],
        placeholder: "WAY",
        kind: Kind::Choice(&["auto", "login_flow"]),
        default: "auto",
        about: "How people sign in: at the identity provider where Nextcloud has one (auto), or always by Nextcloud's own \
                Login Flow v2 (login_flow), with no provider asked and none of its tokens taken.",
        help: "auto or login_flow",
    }
    DIRECT_TOKENS = OAuth {
        key: "MCP_DIRECT_TOKENS",
        kind: Kind::Switch,
        default: "true",
        about: "Accept tokens that the identity provider gave to the client, not only this server's own.",
    }
    USERINFO_VALIDATION = OAuth {
        key: "OIDC_USERINFO_VALIDATION",
        kind: Kind::Switch,
        default: "false",
        about: "Accept tokens that only userinfo confirms. Their audience cannot be checked.",
    }
    TOKEN_STORAGE_DB = OAuth {
        key: "TOKEN_STORAGE_DB",
        placeholder: "FILE",
        kind: Kind::Path,
        about: "SQLite file with clients and sessions. Without it: tokens.db in $STATE_DIRECTORY or in the XDG state folder.",
    }
    TOKEN_ENCRYPTION_KEY = OAuth {
        key: "TOKEN_ENCRYPTION_KEY",
        placeholder: "KEY",
        secret: true,
        about: "Key that seals the secrets in that file: 32 bytes in base64url. Without it one is made beside the file.",
    }
}

/// Variables of other servers that do nothing here, each with what to do instead.
pub const RETIRED: &[(&str, &str)] = &[
    ("NEXTCLOUD_MCP_SETTINGS_FILE", "settings files are not read; use the environment, .env or flags"),
    ("NEXTCLOUD_OIDC_CLIENT_STORAGE", "the OAuth client is kept in the file that TOKEN_STORAGE_DB names"),
    ("NEXTCLOUD_OIDC_DISCOVERY_URL", "the name is OIDC_DISCOVERY_URL"),
    ("MCP_DNS_REBINDING_PROTECTION", "the Host header is always checked; add names to MCP_ALLOWED_HOSTS"),
    ("CORS_ALLOW_ORIGINS", "name the web origins in MCP_ALLOWED_ORIGINS"),
    ("MCP_ROLE", "there is one role; nothing to set"),
    ("ENABLE_LOGIN_FLOW", "the name is MCP_DEPLOYMENT_MODE=login_flow"),
    ("ENABLE_MULTI_USER_BASIC_AUTH", "the name is MCP_DEPLOYMENT_MODE=multi_user_basic"),
    ("ENABLE_TOKEN_EXCHANGE", "token exchange is not offered"),
];
