//! Starts what was asked for: builds the [`Server`], opens one transport, and waits for the end.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::{Error, login, oauth};
use crate::auth::Caller;
use crate::auth::sign_ins::{self, SignIns};
use crate::clock::{Clock, Ids};
use crate::config::{self, Auth, Config, NextcloudLink, ToolChoice, Transport, Upstream};
use crate::gate::Gate;
use crate::http::{self, Activation, Door, Limits, Listener, Notifier};
use crate::nextcloud::{self, Account, Credential, Nextcloud};
use crate::registry::{Registry, Selection};
use crate::replay::ReplayServer;
use crate::secret::Secret;
use crate::server::Server;
use crate::sys::StopSignals;
use crate::tool::{Scopes, ToolSettings};
use crate::transport::{Access, BasicAccess, Origins, http::Front, stdio};

/// Time that a call waits for a place before it is told to come back.
const GATE_WAIT: Duration = Duration::from_secs(10);
/// Time that running calls get when the program stops; less than the listener's, so that each is answered.
const CALLS_END: Duration = Duration::from_secs(25);

/// Serves until the program is told to stop, or until its one stdio client has gone.
pub(super) fn serve(config: Config) -> Result<(), Error> {
    let signals = match config.transport {
        Transport::Http => Some(StopSignals::block().map_err(failed("blocking signals"))?),
        // They end the program at once: whoever sends one is not waiting for answers any more (MCP, lifecycle).
        Transport::Stdio => None,
    };
    // Lives as long as the program serves: the recorded Nextcloud answers from this process.
    let recorded = match &config.upstream {
        Upstream::Recorded(folder) => Some(recorded(folder)?),
        Upstream::Nextcloud(_) => None,
    };
    let base = match (&config.upstream, &recorded) {
        (Upstream::Nextcloud(base), _) => base.to_string(),
        (Upstream::Recorded(_), Some(recorded)) => recorded.url().to_owned(),
        (Upstream::Recorded(_), None) => unreachable!("a recorded upstream was started above"),
    };
    let server = Arc::new(server(&config, &base)?);
    match signals {
        Some(signals) => serve_http(&config, server, signals),
        None => {
            let caller = caller(&config, &server.ids)?;
            log::info!("Serving MCP on standard input and output");
            stdio::serve(&server, &caller, io::stdin().lock(), io::stdout())
                .map_err(failed("serving standard input and output"))
        }
    }
}

/// Prints the tools that `choice` offers, one a line.
pub(super) fn tools(choice: &ToolChoice) -> Result<(), Error> {
    let registry = Registry::new(&selection(choice));
    let mut text = String::new();
    for tool in registry.tools() {
        text.push_str(&format!("{:<34} {}\n", tool.name, first_sentence(tool.about)));
    }
    super::print(&text)
}

fn first_sentence(text: &str) -> &str {
    text.find(". ").map_or(text, |end| &text[..=end])
}

fn recorded(folder: &Path) -> Result<ReplayServer, Error> {
    let server = ReplayServer::tour(folder).map_err(|error| Error::Unavailable {
        what: format!("the recorded Nextcloud in {} cannot be read", folder.display()),
        source: Some(Box::new(error)),
    })?;
    log::info!("Playing a recorded Nextcloud folder={}", folder.display());
    Ok(server)
}

fn server(config: &Config, base: &str) -> Result<Server, Error> {
    let clock = Clock::system();
    let ids = Ids::random();
    let link = &config.nextcloud;
    let nextcloud = nextcloud(link, base, config.limits.nextcloud_parallel, &clock, &ids)?;
    let public_url = match (&link.public_url, &config.upstream) {
        (Some(url), _) | (None, Upstream::Nextcloud(url)) => Some(url.to_string()),
        (None, Upstream::Recorded(_)) => None,
    };
    let limits = &config.limits;
    let make_gate = match config.auth {
        Auth::OAuth(_) | Auth::MultiUserBasic => Gate::new,
        Auth::Basic { .. } | Auth::StoredLogin { .. } => Gate::for_one_caller,
    };
    let gate = make_gate(limits.nextcloud_parallel, limits.nextcloud_parallel_per_caller, GATE_WAIT);
    Ok(Server {
        gate,
        registry: Registry::new(&selection(&config.tools)),
        nextcloud: Arc::new(nextcloud),
        tool_settings: ToolSettings {
            write_bytes_max: link.write_max_mb.map(|mb| mb << 20),
            public_url,
            excluded_tags: config.tools.excluded_tags.clone(),
        },
        call_timeout: limits.call_timeout,
        clock,
        ids,
    })
}

/// A client of the Nextcloud at `base`.
pub(super) fn nextcloud(
    link: &NextcloudLink,
    base: &str,
    parallel: usize,
    clock: &Clock,
    ids: &Ids,
) -> Result<Nextcloud, Error> {
    nextcloud::Base::parse(base)
        .and_then(|base| {
            let settings = nextcloud::Settings {
                ca_bundle: link.ca_bundle.clone(),
                proxy: link.proxy.clone(),
                keepalive: link.http_keepalive,
                parallel,
                ..nextcloud::Settings::new(base)
            };
            Nextcloud::new(settings, clock.clone(), ids.clone())
        })
        .map_err(|error| Error::Unavailable {
            what: "the connection to Nextcloud cannot be prepared".into(),
            source: Some(Box::new(error)),
        })
}

fn selection(choice: &ToolChoice) -> Selection {
    Selection {
        apps: choice.apps.clone(),
        read_only: choice.read_only,
        capability_gating: choice.capability_gating,
    }
}

/// The one user of basic mode.
fn caller(config: &Config, ids: &Ids) -> Result<Caller, Error> {
    let (name, user, password) = match (&config.auth, &config.upstream) {
        (Auth::Basic { username, password }, Upstream::Nextcloud(_)) => {
            (username.clone(), username.clone(), password.clone())
        }
        (Auth::StoredLogin { username, storage }, Upstream::Nextcloud(url)) => {
            let login = login::stored(storage, url, username.as_deref(), ids)?;
            log::info!("Serving the account that is signed in user={:?}", login.user_id);
            (login.user_id, login.login_name, login.app_password)
        }
        // The recordings are those of one test account; whatever is configured for a real one stays out of it.
        _ => ("alice".to_owned(), "alice".to_owned(), Secret::new("recorded")),
    };
    Ok(Caller {
        name,
        scopes: Scopes::Unrestricted,
        account: Arc::new(Account::new(Credential::Basic { user, password })),
    })
}

fn serve_http(config: &Config, server: Arc<Server>, signals: StopSignals) -> Result<(), Error> {
    let systemd = Systemd::from_environment();
    let notifier = Notifier::new(systemd.notify_socket.as_deref()).map_err(failed("reaching systemd"))?;
    let listener = listener(config, &systemd)?;
    let address = match listener.local_addr() {
        Some(address) => format!("http://{address}"),
        None => "a Unix socket".to_owned(),
    };
    let (access, running) = match (&config.auth, &config.upstream) {
        (Auth::OAuth(oauth), Upstream::Nextcloud(nextcloud)) => {
            let (access, running) = oauth::begin(config, oauth, nextcloud, &server)?;
            (access, Some(running))
        }
        (Auth::MultiUserBasic, Upstream::Nextcloud(_)) => (Access::MultiUser(sign_ins(&server)?), None),
        _ => {
            let caller = caller(config, &server.ids)?;
            (Access::SingleUser { caller, token: config.auth_token.clone() }, None)
        }
    };
    let mode = match access {
        Access::SingleUser { .. } => "basic",
        Access::MultiUser(_) => "multi_user_basic",
        Access::OAuth(_) => "oauth",
    };
    let origins = Origins { hosts: config.allowed_hosts.clone(), origins: config.allowed_origins.clone() };
    let front = Arc::new(Front::new(Arc::clone(&server), access, origins, mode).at(&config.public_url));
    let limits = Limits { connections_max: config.limits.connections, ..Limits::default() };
    let listening = http::Server::start(listener, limits, front).map_err(failed("starting the listener"))?;
    log::info!("MCP server ready at {address}");
    tell(notifier.ready(), "ready");
    let notifier = Arc::new(notifier);
    if let (Some(interval), Some(door)) = (systemd.watchdog_interval(), door(config, &listening)) {
        feed_watchdog(Arc::clone(&notifier), interval, door).map_err(failed("starting the watchdog"))?;
    }
    let signal = signals.wait().map_err(failed("waiting for a signal"))?;
    log::info!("Stopping signal={signal:?}");
    tell(notifier.stopping(), "stopping");
    hurry(server, signals).map_err(failed("stopping"))?;
    listening.stop();
    if let Some(running) = running {
        running.end();
    }
    Ok(())
}

/// The judge of multi-user basic mode.
fn sign_ins(server: &Server) -> Result<BasicAccess, Error> {
    let ask = sign_ins::ask(server.nextcloud.clone());
    let sign_ins = SignIns::new(ask, server.clock.clone(), &server.ids).map_err(failed("making a key"))?;
    Ok(BasicAccess { sign_ins: Arc::new(sign_ins), clock: server.clock.clone() })
}

/// Breaks off the calls that still run after a while or when a second signal comes; their callers are told.
fn hurry(server: Arc<Server>, signals: StopSignals) -> io::Result<()> {
    let waiting = Arc::clone(&server);
    let spawn = |work: Box<dyn FnOnce() + Send>| std::thread::Builder::new().name("hurry".into()).spawn(work);
    spawn(Box::new(move || {
        if let Ok(signal) = signals.wait() {
            log::info!("Breaking off the calls that run signal={signal:?}");
            waiting.nextcloud.shutdown();
        }
    }))?;
    spawn(Box::new(move || {
        server.clock.pause(CALLS_END);
        log::info!("Breaking off the calls that run after_s={}", CALLS_END.as_secs());
        server.nextcloud.shutdown();
    }))?;
    Ok(())
}

/// Where we can reach our own listener.
fn door(config: &Config, listening: &http::Server) -> Option<Door> {
    listening.local_addr().map(Door::Tcp).or_else(|| config.listen.unix_socket.clone().map(Door::Unix))
}

/// Tells systemd that we live, as often as it asks for, if and only if our own listener answers.
fn feed_watchdog(notifier: Arc<Notifier>, interval: Duration, door: Door) -> io::Result<()> {
    let clock = Clock::system();
    let feed = move || {
        loop {
            match door.knock("/health/live") {
                Ok(()) => tell(notifier.watchdog(), "watchdog"),
                Err(error) => log::error!("our own listener does not answer error={error}"),
            }
            clock.pause(interval);
        }
    };
    std::thread::Builder::new().name("watchdog".into()).spawn(feed).map(drop)
}

/// A socket that systemd opened for us, a Unix socket, or an address and port, in this order.
fn listener(config: &Config, systemd: &Systemd) -> Result<Listener, Error> {
    let mut handed = systemd.activation.listeners().map_err(failed("taking over the sockets of systemd"))?;
    if handed.len() > 1 {
        return Err(Error::Unavailable {
            what: format!("systemd handed over {} sockets; one is served", handed.len()),
            source: None,
        });
    }
    if let Some((_, listener)) = handed.pop() {
        if let Some(address) = listener.local_addr() {
            config::refuse_open_address(&config.auth, config.auth_token.as_ref(), address.ip())
                .map_err(|fault| Error::Configuration(config::Faults(vec![fault])))?;
        }
        return Ok(listener);
    }
    let listen = &config.listen;
    let (bound, what) = match &listen.unix_socket {
        Some(path) => (Listener::bind_unix(path), format!("{} cannot be listened on", path.display())),
        None => {
            let address = std::net::SocketAddr::new(listen.address, listen.port);
            (Listener::bind(address), format!("{address} cannot be listened on"))
        }
    };
    bound.map_err(|error| Error::Unavailable { what, source: Some(Box::new(error)) })
}

/// What systemd says through the environment.
struct Systemd {
    activation: Activation,
    notify_socket: Option<String>,
    watchdog_usec: Option<String>,
    watchdog_pid: Option<String>,
}

impl Systemd {
    fn from_environment() -> Systemd {
        let get = |name| std::env::var(name).ok();
        Systemd {
            activation: Activation {
                listen_pid: get("LISTEN_PID"),
                listen_fds: get("LISTEN_FDS"),
                listen_fdnames: get("LISTEN_FDNAMES"),
            },
            notify_socket: get("NOTIFY_SOCKET"),
            watchdog_usec: get("WATCHDOG_USEC"),
            watchdog_pid: get("WATCHDOG_PID"),
        }
    }
}

impl Systemd {
    fn watchdog_interval(&self) -> Option<Duration> {
        http::watchdog_interval(self.watchdog_usec.as_deref(), self.watchdog_pid.as_deref())
    }
}

fn tell(told: io::Result<()>, what: &str) {
    if let Err(error) = told {
        log::warn!("systemd could not be told state={what} error={error}");
    }
}

pub(super) fn failed<E: std::error::Error + 'static>(what: &'static str) -> impl FnOnce(E) -> Error {
    move |error| Error::Failed { what: what.into(), source: Some(Box::new(error)) }
}
