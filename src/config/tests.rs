use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::*;

const BASIC: &[(&str, &str)] = &[
    ("NEXTCLOUD_HOST", "https://cloud.example.org"),
    ("NEXTCLOUD_USERNAME", "ada"),
    ("NEXTCLOUD_PASSWORD", "pass-4711"),
];

/// Files that a test may name: `/secret` holds `from-file-4711` and a line break, `/empty` nothing.
fn file(path: &Path) -> io::Result<String> {
    match path.to_str() {
        Some("/secret") => Ok("from-file-4711\n".into()),
        Some("/token") => Ok("0123456789abcdef\n".into()),
        Some("/empty") => Ok("\n".into()),
        _ => Err(io::Error::new(io::ErrorKind::NotFound, "no such file")),
    }
}

fn parsed(args: &[&str], env: &[&[(&str, &str)]], dotenv: Option<&str>) -> Result<Config, Faults> {
    let env: BTreeMap<_, _> = env.concat().into_iter().map(|(k, v)| (k.into(), v.into())).collect();
    let args = args.iter().map(Into::into).collect();
    parse(&Inputs { args, env, dotenv: dotenv.map(str::to_owned), read_file: &file })
}

/// The faults, one line each; panics where there are none.
fn faults(args: &[&str], env: &[&[(&str, &str)]]) -> String {
    parsed(args, env, None).expect_err("no fault").to_string()
}

fn password(config: &Config) -> &str {
    match &config.auth {
        Auth::Basic { password, .. } => password.expose(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_account_and_a_host_are_enough() {
    let config = parsed(&[], &[BASIC], None).unwrap();
    assert!(matches!(&config.auth, Auth::Basic { username, .. } if username == "ada"));
    assert_eq!(config.upstream, Upstream::Nextcloud(BaseUrl::parse("https://cloud.example.org").unwrap()));
    assert_eq!(config.listen.url().to_string(), "http://127.0.0.1:8000");
    assert_eq!(config.public_url.to_string(), "http://127.0.0.1:8000");
    assert_eq!(config.transport, Transport::Http);
    assert_eq!(config.nextcloud.write_max_mb, Some(50));
    assert_eq!(config.limits.call_timeout, Duration::from_secs(50));
    assert_eq!((config.limits.nextcloud_parallel, config.limits.nextcloud_parallel_per_caller), (16, 8));
    assert!(config.nextcloud.http_keepalive && config.tools.capability_gating && !config.tools.read_only);
    assert_eq!(config.warnings, Vec::<String>::new());
}

#[test]
fn names_of_tags_are_separated_by_commas_alone() {
    let env = &[BASIC, &[("EXCLUDED_TAGS", " private, Do not read ,,private,")]];
    assert_eq!(parsed(&[], env, None).unwrap().tools.excluded_tags, ["private", "Do not read"]);
    assert!(parsed(&[], &[BASIC], None).unwrap().tools.excluded_tags.is_empty());
    let many: String = (0..21).map(|n| format!("tag {n},")).collect();
    assert!(faults(&[], &[BASIC, &[("EXCLUDED_TAGS", many.as_str())]]).contains("names 21 tags"));
}

#[test]
fn flags_beat_the_environment_and_the_environment_beats_dotenv() {
    let dotenv = Some("MCP_PORT=1\nMCP_READ_ONLY=yes\nLOG_FORMAT=json\nNEXTCLOUD_USERNAME=dot\n");
    let env = &[BASIC, &[("MCP_PORT", "2"), ("LOG_FORMAT", "text")]];
    let config = parsed(&["--port=3"], env, dotenv).unwrap();
    assert_eq!(config.listen.port, 3);
    assert_eq!(config.log.format, Format::Text);
    assert!(config.tools.read_only);
    assert!(matches!(&config.auth, Auth::Basic { username, .. } if username == "ada"));
}

#[test]
fn a_variable_set_to_nothing_counts_as_not_set_and_hides_dotenv() {
    let config = parsed(&[], &[BASIC, &[("MCP_PORT", "")]], Some("MCP_PORT=1")).unwrap();
    assert_eq!(config.listen.port, 8000);
}

#[test]
fn short_flags_and_repeated_lists_work() {
    let args = [
        "-h",
        "::1",
        "-p",
        "0",
        "-l",
        "WARNING",
        "-t",
        "http",
        "-e",
        "webdav",
        "-e",
        "notes,files",
        "--read-only",
    ];
    let config = parsed(&args, &[BASIC], None).unwrap();
    assert_eq!(config.listen.url().to_string(), "http://[::1]:0");
    assert_eq!(config.log.level, log::LevelFilter::Warn);
    assert_eq!(config.tools.apps, ["files", "notes"]);
    assert!(config.tools.read_only && config.tools.has_app("files") && !config.tools.has_app("deck"));
}

#[test]
fn every_fault_is_reported_at_once() {
    let env: &[(&str, &str)] = &[
        ("NEXTCLOUD_HOST", "cloud.example.org"),
        ("NEXTCLOUD_USERNAME", "ada"),
        ("NEXTCLOUD_VERIFY_SSL", "false"),
        ("MCP_AUTH_TOKEN", "short"),
    ];
    let text = faults(&["--prot", "80", "--log-level", "loud", "--port", "x", "--transport", "sse"], &[env]);
    let expected = [
        "--prot: is not a flag of this program; did you mean --port?",
        "80: is an argument without a flag; see --help",
        "MCP_TRANSPORT (flag --transport): sse was replaced in MCP 2025-03-26 and is not offered; \
         write streamable-http, and give clients the address that ends in /mcp",
        "MCP_PORT (flag --port): \"x\" is not a whole number from 0 to 65535; write for instance 8000",
        "NEXTCLOUD_HOST (environment): \"cloud.example.org\" has no scheme; put https:// in front",
        "NEXTCLOUD_PASSWORD: is not set, but NEXTCLOUD_USERNAME is; set it, or NEXTCLOUD_PASSWORD_FILE, to an app \
         password of the account, or use --oauth",
        "MCP_AUTH_TOKEN (environment): is shorter than 16 characters and could be guessed; make one with openssl \
         rand -hex 32",
        "NEXTCLOUD_VERIFY_SSL (environment): leaving certificates unchecked is not offered: anybody on the way could \
         read the password; set NEXTCLOUD_CA_BUNDLE to a PEM file with the certificate authority of your Nextcloud",
        "LOG_LEVEL (flag --log-level): \"loud\" is not known; write one of critical, error, warning, warn, info, \
         debug, trace",
    ];
    assert_eq!(text.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn the_modes_follow_from_what_is_set() {
    let host = &BASIC[..1];
    let mode = |args: &[&str], env: &[&[(&str, &str)]]| match parsed(args, env, None).unwrap().auth {
        Auth::Basic { .. } => "basic",
        Auth::StoredLogin { .. } => "login",
        Auth::MultiUserBasic => "multi",
        Auth::OAuth(_) => "oauth",
    };
    assert_eq!(mode(&[], &[BASIC]), "basic");
    assert_eq!(mode(&["--no-oauth"], &[BASIC]), "basic");
    assert_eq!(mode(&[], &[host]), "oauth");
    assert_eq!(mode(&["--oauth"], &[BASIC]), "oauth");
    assert_eq!(mode(&[], &[host, &[("MCP_DEPLOYMENT_MODE", "login_flow")]]), "oauth");
    assert_eq!(mode(&[], &[host, &[("MCP_DEPLOYMENT_MODE", "multi_user_basic")]]), "multi");
    assert_eq!(mode(&["--no-oauth"], &[BASIC, &[("MCP_DEPLOYMENT_MODE", "login_flow")]]), "basic");
    assert_eq!(mode(&["--no-oauth"], &[host]), "login");
    assert_eq!(mode(&["--transport", "stdio"], &[host]), "login");
    assert_eq!(mode(&["--transport", "stdio"], &[BASIC]), "basic");
}

#[test]
fn contradictions_are_refused() {
    let host = &BASIC[..1];
    for (args, env, said) in [
        (&["--oauth", "--no-oauth"][..], &[BASIC][..], "--oauth and --no-oauth contradict each other"),
        (&["--port", "1", "-p", "2"], &[BASIC], "--port and -p contradict each other"),
        (&["--transport", "stdio", "--oauth"], &[BASIC], "stdio serves one account"),
        (
            &["--transport", "stdio"],
            &[host, &[("MCP_DEPLOYMENT_MODE", "multi_user_basic")]],
            "stdio serves one account",
        ),
        (&["--no-oauth"], &[host, &[("NEXTCLOUD_PASSWORD", "x")]], "NEXTCLOUD_USERNAME: is not set"),
        (&["--no-oauth", "--host", "0.0.0.0"], &[host], "anybody who reaches 0.0.0.0 could use the account"),
        (
            &[],
            &[BASIC, &[("MCP_DEPLOYMENT_MODE", "multi_user_basic")]],
            "takes the account from each request",
        ),
        (
            &[],
            &[BASIC, &[("NEXTCLOUD_PASSWORD_FILE", "/secret")]],
            "NEXTCLOUD_PASSWORD_FILE contradict each other",
        ),
        (&[], &[host, &[("MCP_PORT", "1"), ("PORT", "2")]], "contradict each other"),
        (
            &[],
            &[host, &[("OIDC_CLIENT_ID", "a")]],
            "NEXTCLOUD_OIDC_CLIENT_SECRET: NEXTCLOUD_OIDC_CLIENT_ID is set",
        ),
        (&["--read-only=yes"], &[BASIC], "--read-only): takes no value"),
        (&["--port"], &[BASIC], "has no value; write --port PORT"),
        (&["--port", "--read-only"], &[BASIC], "has no value; write --port PORT"),
        (&["--port="], &[BASIC], "is empty"),
    ] {
        let text = faults(args, env);
        assert!(text.contains(said), "{args:?}: {text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }
}

#[test]
fn basic_mode_without_an_account_is_refused() {
    // With a Nextcloud, somebody may have signed in there.
    for (env, missing) in [
        (&[][..], &["NEXTCLOUD_USERNAME", "NEXTCLOUD_PASSWORD", "NEXTCLOUD_HOST"][..]),
        (&BASIC[1..2], &["NEXTCLOUD_PASSWORD", "NEXTCLOUD_HOST"]),
        (&[BASIC[0], BASIC[2]], &["NEXTCLOUD_USERNAME"]),
    ] {
        let text = faults(&["--no-oauth"], &[env]);
        assert_eq!(text.lines().map(|l| l.split(':').next().unwrap()).collect::<Vec<_>>(), missing, "{text}");
    }
}

#[test]
fn without_anything_set_the_way_in_is_named() {
    let text = faults(&[], &[]);
    assert!(text.starts_with("NEXTCLOUD_HOST: OAuth mode requires NEXTCLOUD_HOST"), "{text}");
    assert!(text.contains("--fixtures fixtures") && text.lines().count() == 1, "{text}");
}

#[test]
fn an_open_address_needs_a_token() {
    for host in ["0.0.0.0", "192.0.2.1", "::", "2001:db8::1"] {
        let text = faults(&["--host", host], &[BASIC]);
        assert!(
            text.starts_with("MCP_AUTH_TOKEN: is not set") && text.contains("MCP_AUTH_TOKEN_FILE"),
            "{text}"
        );
        parsed(&["--host", host], &[BASIC, &[("MCP_AUTH_TOKEN_FILE", "/token")]], None).unwrap();
        parsed(&["--host", host], &[&BASIC[..1]], None).unwrap();
        parsed(&["--host", host, "--unix-socket", "/run/mcp.sock"], &[BASIC], None).unwrap();
        parsed(&["--host", host, "--transport", "stdio"], &[BASIC], None).unwrap();
        faults(&["--host", host, "--fixtures", "fixtures"], &[]);
    }
    for host in ["127.0.0.1", "127.9.9.9", "::1", "localhost", "::ffff:127.0.0.1"] {
        parsed(&["--host", host], &[BASIC], None).unwrap();
    }
    assert!(faults(&["--host", "example.org"], &[BASIC]).contains("is no IP address"));
}

#[test]
fn a_token_has_to_fit_into_a_header() {
    let text = faults(&[], &[BASIC, &[("MCP_AUTH_TOKEN", "sixteen characters, with blanks")]]);
    assert!(text.contains("which a bearer token cannot have"), "{text}");
}

#[test]
fn fixtures_need_no_nextcloud_and_use_none() {
    for env in [&[][..], &[BASIC][..]] {
        let config = parsed(&["--fixtures", "fixtures"], env, None).unwrap();
        assert_eq!(config.upstream, Upstream::Recorded("fixtures".into()));
        assert_eq!(password(&config), "recorded");
        assert!(!format!("{config:?}").contains("cloud.example.org"));
    }
    parsed(&["--fixtures", "fixtures", "--transport", "stdio"], &[], None).unwrap();
}

#[test]
fn a_secret_can_come_from_a_file() {
    let env: &[(&str, &str)] = &[BASIC[0], BASIC[1], ("NEXTCLOUD_PASSWORD_FILE", "/secret")];
    assert_eq!(password(&parsed(&[], &[env], None).unwrap()), "from-file-4711");
    let dotenv = Some("NEXTCLOUD_PASSWORD=dot");
    assert_eq!(password(&parsed(&[], &[env], dotenv).unwrap()), "from-file-4711");
    for (path, said) in [("/none", "no such file"), ("/empty", "is empty")] {
        let text = faults(&[], &[&BASIC[..2], &[("NEXTCLOUD_PASSWORD_FILE", path)]]);
        assert!(text.contains("NEXTCLOUD_PASSWORD_FILE (environment)") && text.contains(said), "{text}");
    }
}

#[test]
fn no_secret_is_ever_shown() {
    let env: &[(&str, &str)] = &[
        ("MCP_AUTH_TOKEN", "planted-secret-token"),
        ("NEXTCLOUD_PROXY", "http://user:planted-secret@proxy:3128"),
        ("OIDC_CLIENT_ID", "client"),
        ("OIDC_CLIENT_SECRET", "planted-secret-client"),
        ("TOKEN_ENCRYPTION_KEY", "planted-secret-key"),
    ];
    let args = ["--nextcloud-password", "planted-secret-flag"];
    for mode in [&[][..], &["--oauth"][..]] {
        let config = parsed(&[&args[..], mode].concat(), &[BASIC, env], None);
        let text = format!("{:?}", config.unwrap());
        assert!(!text.contains("planted-secret") && text.contains("[redacted]"), "{text}");
    }
    let broken: &[(&str, &str)] = &[
        ("NEXTCLOUD_HOST", "https://ada:planted-secret@cloud.example.org"),
        ("NEXTCLOUD_PASSWORD", "planted-secret"),
        ("MCP_AUTH_TOKEN", "planted-secret bad"),
        ("NEXTCLOUD_PROXY", "planted-secret:3128"),
        ("NEXTCLOUD_OIDC_CLIENT_SECRET", "planted-secret-1"),
        ("OIDC_CLIENT_SECRET", "planted-secret-2"),
    ];
    let text = faults(&[], &[broken]);
    assert!(!text.contains("planted-secret") && text.lines().count() >= 4, "{text}");
}

#[test]
fn slips_of_the_pen_are_warned_about() {
    let env: &[(&str, &str)] = &[
        ("NEXTCLOUD_PASWORD", "x"),
        ("MCP_DNS_REBINDING_PROTECTION", "true"),
        ("NEXTCLOUD_SERVICE_PORT_HTTP", "80"),
        ("NEXTCLOUD_PORT", "tcp://10.0.0.1:80"),
        ("PATH", "/bin"),
    ];
    let warnings = parsed(&[], &[BASIC, env], Some("MCP_PROT=1\nOTHER=1\nno line")).unwrap().warnings;
    let expected = [
        "MCP_DNS_REBINDING_PROTECTION has no effect here: the Host header is always checked; add names to \
         MCP_ALLOWED_HOSTS",
        "NEXTCLOUD_PASWORD is not a setting of this server and has no effect; did you mean NEXTCLOUD_PASSWORD?",
        "MCP_PROT is not a setting of this server and has no effect; did you mean MCP_PORT?",
        ".env line 3 has no '=' and is passed over",
    ];
    assert_eq!(warnings, expected);
}

#[test]
fn every_setting_of_the_reference_is_known() {
    let env: &[(&str, &str)] = &[
        ("NEXTCLOUD_OIDC_CLIENT_ID", "a"),
        ("NEXTCLOUD_OIDC_CLIENT_SECRET", "b"),
        ("NEXTCLOUD_OIDC_SCOPES", "openid notes:read notes.write"),
        ("NEXTCLOUD_OIDC_TOKEN_TYPE", "JWT"),
        ("NEXTCLOUD_MCP_SERVER_URL", "http://localhost:8000/"),
        ("NEXTCLOUD_PUBLIC_ISSUER_URL", "https://issuer.example.org/"),
        ("NEXTCLOUD_PUBLIC_URL", "https://cloud.example.org"),
        ("NEXTCLOUD_RESOURCE_URI", "https://cloud.example.org"),
        ("NEXTCLOUD_HTTP_KEEPALIVE", "1"),
        ("NEXTCLOUD_VERIFY_SSL", "True"),
        ("MCP_DEPLOYMENT_MODE", "login_flow"),
        ("MCP_ALLOWED_HOSTS", "a.example:8000, b.example:*"),
        ("MCP_ALLOWED_ORIGINS", "https://a.example"),
        ("MCP_DISABLE_CAPABILITY_GATING", "false"),
        ("ENABLE_OFFLINE_ACCESS", "true"),
        ("TOKEN_STORAGE_DB", "/app/data/tokens.db"),
    ];
    let config = parsed(&[], &[&BASIC[..1], env], None).unwrap();
    assert_eq!(config.warnings, Vec::<String>::new());
    let Auth::OAuth(oauth) = &config.auth else { panic!("{config:?}") };
    assert_eq!(oauth.scopes, ["openid", "notes:read", "notes.write"]);
    assert_eq!(oauth.token_type, TokenType::Jwt);
    assert_eq!(oauth.public_issuer_url.as_deref(), Some("https://issuer.example.org/"));
    assert_eq!(oauth.accepted_audiences, ["https://cloud.example.org"]);
    let hosts = ["localhost:1", "127.0.0.1", "[::1]:8000", "a.example:8000", "b.example:9"];
    for host in hosts {
        assert!(config.allowed_hosts.iter().any(|p| p.matches(host)), "{host}");
    }
    assert!(!config.allowed_hosts.iter().any(|p| p.matches("evil.example")));
    for origin in ["http://localhost:6274", "http://127.0.0.1:1", "https://a.example"] {
        assert!(config.allowed_origins.iter().any(|p| p.matches(origin)), "{origin}");
    }
    assert!(!config.allowed_origins.iter().any(|p| p.matches("https://evil.example")));
}

#[test]
fn a_page_of_nextcloud_is_not_its_address() {
    let env: &[(&str, &str)] = &[("NEXTCLOUD_HOST", "https://a.example/cloud/index.php/apps/notes")];
    let text = faults(&["--oauth"], &[env]);
    assert!(text.ends_with("write what stands before /index.php"), "{text}");
}

#[test]
fn dotenv_of_a_strange_folder_is_not_read_in_stdio_mode() {
    let dotenv = Some("NEXTCLOUD_HOST=https://evil.example\nNEXTCLOUD_PROXY=http://evil.example:80");
    let account = &BASIC[1..];
    for (args, env) in
        [(&["--transport", "stdio"][..], &[account][..]), (&[], &[account, &[("MCP_TRANSPORT", "stdio")]])]
    {
        let text = parsed(args, env, dotenv).expect_err("read .env").to_string();
        assert!(text.starts_with("NEXTCLOUD_HOST: is not set"), "{text}");
    }
    let config = parsed(&["-t", "stdio"], &[BASIC], dotenv).unwrap();
    assert!(config.nextcloud.proxy.is_none());
    assert!(
        config.warnings[0].starts_with(".env in the working folder is not read"),
        "{:?}",
        config.warnings
    );
}

#[test]
fn plain_http_over_the_internet_is_warned_about() {
    for (url, warned) in [("http://cloud.example.org", 1), ("http://192.168.1.5", 0), ("http://app", 0)] {
        let env: &[(&str, &str)] = &[("NEXTCLOUD_HOST", url), BASIC[1], BASIC[2]];
        assert_eq!(parsed(&[], &[env], None).unwrap().warnings.len(), warned, "{url}");
    }
}

#[cfg(unix)]
#[test]
fn bytes_that_are_no_text_are_refused_where_they_matter() {
    use std::os::unix::ffi::OsStringExt;
    let bad = std::ffi::OsString::from_vec(vec![b'a', 0xff]);
    let mut env: BTreeMap<_, _> = BASIC.iter().map(|(k, v)| (k.into(), v.into())).collect();
    env.insert("UNRELATED".into(), bad.clone());
    env.insert("MCP_PORT".into(), bad.clone());
    let inputs = Inputs { args: vec!["--host".into(), bad], env, dotenv: None, read_file: &file };
    let text = parse(&inputs).unwrap_err().to_string();
    assert_eq!(text, "MCP_HOST (flag --host): is not UTF-8\nMCP_PORT (environment): is not UTF-8");
}

#[test]
fn listing_tools_needs_no_nextcloud() {
    let inputs = |args: &[&str]| Inputs {
        args: args.iter().map(Into::into).collect(),
        env: BTreeMap::new(),
        dotenv: None,
        read_file: &file,
    };
    let choice = resolve::tools(source::gather(&inputs(&["-e", "notes"]))).unwrap();
    assert_eq!(choice.apps, ["notes"]);
    let text = resolve::tools(source::gather(&inputs(&["-e", "note"]))).unwrap_err().to_string();
    assert_eq!(text, "MCP_ENABLED_APPS (flag -e): \"note\" is not known; did you mean notes?");
}

#[test]
fn the_table_is_well_formed() {
    let mut names: Vec<String> =
        SETTINGS.iter().flat_map(|s| s.keys().map(str::to_owned).chain(s.file_keys())).collect();
    names.extend(
        SETTINGS
            .iter()
            .flat_map(|s| s.flags)
            .flat_map(|f| [Some(f.long), f.short])
            .flatten()
            .map(str::to_owned),
    );
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count, "a name is used twice");
    for setting in SETTINGS {
        let key = setting.key;
        assert!(setting.about.ends_with('.') && !setting.about.contains('|'), "{key}: {}", setting.about);
        assert_eq!(setting.placeholder.is_empty(), setting.kind == Kind::Switch, "{key}");
        assert!(!setting.secret || setting.default.is_empty(), "{key}");
        assert!(setting.help.is_empty() || !setting.flags.is_empty(), "{key}");
    }
    let (order, mut sorted): (Vec<_>, Vec<_>) =
        SETTINGS.iter().map(|s| (s.group as u8, s.group as u8)).unzip();
    sorted.sort_unstable();
    assert_eq!(order, sorted, "groups are not together");
    let defaults: Vec<(&str, &str)> =
        SETTINGS.iter().filter(|s| !s.default.is_empty()).map(|s| (s.key, s.default)).collect();
    parsed(&[], &[BASIC, &defaults], None).expect("a default is a fault");
}

#[test]
fn the_account_of_a_login_may_be_named() {
    let env = [
        ("NEXTCLOUD_HOST", "https://cloud.example.org"),
        ("NEXTCLOUD_USERNAME", "ada"),
        ("TOKEN_STORAGE_DB", "/t.db"),
    ];
    let Auth::StoredLogin { username, storage } = parsed(&[], &[&env], None).unwrap().auth else {
        panic!("not the account of a login")
    };
    assert_eq!((username.as_deref(), storage.file.as_deref()), (Some("ada"), Some(Path::new("/t.db"))));
    let text =
        no_stored_login(Some("ada"), &BaseUrl::parse("https://cloud.example.org").unwrap()).to_string();
    assert!(text.contains("nobody of this name is signed in at https://cloud.example.org"), "{text}");
    assert!(text.contains("sign in with the command login"), "{text}");
}

#[test]
fn signing_in_takes_a_nextcloud_and_little_else() {
    let inputs = |env: &[(&str, &str)]| Inputs {
        args: Vec::new(),
        env: env.iter().map(|(key, value)| (key.into(), value.into())).collect(),
        dotenv: None,
        read_file: &|_| Err(io::ErrorKind::NotFound.into()),
    };
    let sign_in = |env: &[(&str, &str)]| resolve::sign_in(source::gather(&inputs(env)));
    let choice = sign_in(&[("NEXTCLOUD_HOST", "https://cloud.example.org/nc/")]).unwrap();
    assert_eq!((choice.url.to_string().as_str(), choice.username), ("https://cloud.example.org/nc", None));
    assert_eq!(choice.log.level, log::LevelFilter::Warn);
    let missing = sign_in(&[]).unwrap_err().to_string();
    assert!(missing.starts_with("NEXTCLOUD_HOST: is not set"), "{missing}");
    let recorded = sign_in(&[("MCP_FIXTURES", "fixtures"), ("NEXTCLOUD_HOST", "https://h")]).unwrap_err();
    assert!(recorded.to_string().contains("has nobody to sign in"), "{recorded}");
}
