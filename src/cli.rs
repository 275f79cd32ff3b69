//! The command line: which command, with which settings, and how it ends.

use std::error::Error as StdError;
use std::ffi::OsString;
use std::fmt;
use std::io::{self, Write};

use crate::clock::Clock;
use crate::config::{self, Fault, Faults};
use crate::log as program_log;
use crate::spelling::nearest;

mod login;
mod oauth;
mod serve;
mod storage;

const PROGRAM: &str = env!("CARGO_PKG_NAME");
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What the program is to do, with the arguments that are not understood yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Serves MCP over HTTP, or whatever `--transport` says. `run` is the same.
    Serve(Vec<OsString>),
    /// Serves one client on standard input and output.
    Stdio(Vec<OsString>),
    /// Signs one person in at Nextcloud and keeps the app password.
    Login(Vec<OsString>),
    /// Ends that.
    Logout(Vec<OsString>),
    /// Lists the tools that these settings offer.
    Tools(Vec<OsString>),
    /// Prints every setting.
    Options(OptionsFormat),
    Version,
    Help,
}

/// How `options` prints the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptionsFormat {
    Text,
    /// `docs/configuration.md`
    Markdown,
    /// `env.sample`
    Env,
}

/// Why the program ends without having done its work.
#[derive(Debug)]
pub enum Error {
    /// The command line or the configuration is wrong; nothing was started.
    Configuration(Faults),
    /// Something outside stands in the way: a port in use, a file out of reach.
    Unavailable { what: String, source: Option<Box<dyn StdError>> },
    /// Something that no setting can mend.
    Failed { what: String, source: Option<Box<dyn StdError>> },
}

/// Runs the program with its arguments, without its name.
pub fn run(args: Vec<OsString>) -> Result<(), Error> {
    match command(args).map_err(Error::Configuration)? {
        Command::Serve(args) => start(args),
        Command::Stdio(args) => start(with_stdio(args)),
        Command::Login(args) => login::login(&sign_in(args)?),
        Command::Logout(args) => login::logout(&sign_in(args)?),
        Command::Tools(args) => serve::tools(&config::load_tools(args).map_err(Error::Configuration)?),
        Command::Options(format) => print(&match format {
            OptionsFormat::Text => config::options(),
            OptionsFormat::Markdown => config::markdown(),
            OptionsFormat::Env => config::env_sample(),
        }),
        Command::Version => print(&format!("{PROGRAM} {VERSION}\n")),
        Command::Help => print(&config::help(PROGRAM, VERSION)),
    }
}

/// Reads the command and what belongs to it alone; the settings are left to [`config`].
pub fn command(args: Vec<OsString>) -> Result<Command, Faults> {
    let mut args = pico_args::Arguments::from_vec(args);
    let name = args.subcommand().map_err(|_| usage("the command", "is not UTF-8", "see --help"))?;
    if args.contains("--help") {
        return Ok(Command::Help);
    }
    if args.contains(["-V", "--version"]) {
        return Ok(Command::Version);
    }
    match name.as_deref() {
        None | Some("serve" | "run") => Ok(Command::Serve(args.finish())),
        Some("stdio") => Ok(Command::Stdio(args.finish())),
        Some("login") => Ok(Command::Login(args.finish())),
        Some("logout") => Ok(Command::Logout(args.finish())),
        Some("tools") => Ok(Command::Tools(args.finish())),
        Some("options") => options_format(args).map(Command::Options),
        Some("version") => alone(args).map(|()| Command::Version),
        Some("help") => Ok(Command::Help),
        Some(other) => {
            let known = ["serve", "run", "stdio", "login", "logout", "tools", "options", "version", "help"];
            let meant = nearest(other, known.into_iter());
            let remedy =
                meant.map_or_else(|| "see --help".to_owned(), |name| format!("did you mean {name}?"));
            Err(usage(other, "is not a command of this program", &remedy))
        }
    }
}

fn options_format(mut args: pico_args::Arguments) -> Result<OptionsFormat, Faults> {
    let format: Option<String> = args
        .opt_value_from_str("--format")
        .map_err(|_| usage("--format", "has no value", "write text, markdown or env"))?;
    let format = match format.as_deref() {
        None | Some("text") => OptionsFormat::Text,
        Some("markdown") => OptionsFormat::Markdown,
        Some("env") => OptionsFormat::Env,
        Some(_) => return Err(usage("--format", "is not a format", "write text, markdown or env")),
    };
    alone(args).map(|()| format)
}

/// Refuses arguments after a command that takes none.
fn alone(args: pico_args::Arguments) -> Result<(), Faults> {
    match args.finish().first() {
        None => Ok(()),
        Some(other) => Err(usage(&other.to_string_lossy(), "is one argument too many", "leave it out")),
    }
}

fn with_stdio(mut args: Vec<OsString>) -> Vec<OsString> {
    args.extend(["--transport".into(), "stdio".into()]);
    args
}

/// Loads the configuration, opens the log and serves.
fn start(args: Vec<OsString>) -> Result<(), Error> {
    let config = config::load(args).map_err(Error::Configuration)?;
    program_log::install(config.log.level, config.log.format, Clock::system());
    for warning in &config.warnings {
        log::warn!("{warning}");
    }
    serve::serve(config)
}

/// Loads what signing in takes, and opens the log.
fn sign_in(args: Vec<OsString>) -> Result<config::SignIn, Error> {
    let choice = config::load_sign_in(args).map_err(Error::Configuration)?;
    program_log::install(choice.log.level, choice.log.format, Clock::system());
    for warning in &choice.warnings {
        log::warn!("{warning}");
    }
    Ok(choice)
}

/// Writes to standard output. A reader that has gone (`options | head`) is no failure.
fn print(text: &str) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::Failed { what: "writing to standard output".into(), source: Some(Box::new(e)) })
        }
        _ => Ok(()),
    }
}

fn usage(key: &str, problem: &str, remedy: &str) -> Faults {
    let source = String::new();
    Faults(vec![Fault { key: key.into(), source, problem: problem.into(), remedy: remedy.into() }])
}

impl Error {
    /// Exit status, in the numbers of sysexits.h: 78 configuration, 69 unavailable, 1 anything else.
    pub fn exit_status(&self) -> u8 {
        match self {
            Error::Configuration(_) => 78,
            Error::Unavailable { .. } => 69,
            Error::Failed { .. } => 1,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Configuration(faults) => faults.fmt(f),
            Error::Unavailable { what, .. } | Error::Failed { what, .. } => {
                f.write_str(&program_log::escape(what))
            }
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Error::Configuration(_) => None,
            Error::Unavailable { source, .. } | Error::Failed { source, .. } => source.as_deref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(args: &[&str]) -> Result<Command, String> {
        command(args.iter().map(Into::into).collect()).map_err(|faults| faults.to_string())
    }

    fn rest(args: &[&str]) -> Vec<OsString> {
        args.iter().map(Into::into).collect()
    }

    #[test]
    fn serve_is_what_happens_without_a_command() {
        assert_eq!(read(&[]), Ok(Command::Serve(vec![])));
        assert_eq!(read(&["--port", "1"]), Ok(Command::Serve(rest(&["--port", "1"]))));
        assert_eq!(read(&["run", "--oauth"]), Ok(Command::Serve(rest(&["--oauth"]))));
        assert_eq!(read(&["serve"]), Ok(Command::Serve(vec![])));
        assert_eq!(read(&["stdio", "-e", "notes"]), Ok(Command::Stdio(rest(&["-e", "notes"]))));
        assert_eq!(read(&["tools", "--read-only"]), Ok(Command::Tools(rest(&["--read-only"]))));
    }

    #[test]
    fn minus_h_is_the_host_and_only_help_is_help() {
        assert_eq!(read(&["-h", "127.0.0.1"]), Ok(Command::Serve(rest(&["-h", "127.0.0.1"]))));
        for args in [&["--help"][..], &["help"], &["serve", "--help"], &["--port", "1", "--help"]] {
            assert_eq!(read(args), Ok(Command::Help));
        }
        for args in [&["--version"][..], &["version"], &["-V"]] {
            assert_eq!(read(args), Ok(Command::Version));
        }
    }

    #[test]
    fn options_take_a_format_and_nothing_else() {
        assert_eq!(read(&["options"]), Ok(Command::Options(OptionsFormat::Text)));
        assert_eq!(read(&["options", "--format", "env"]), Ok(Command::Options(OptionsFormat::Env)));
        assert_eq!(read(&["options", "--format=markdown"]), Ok(Command::Options(OptionsFormat::Markdown)));
        for args in [&["options", "--format", "xml"][..], &["options", "--format"], &["options", "--port"]] {
            read(args).unwrap_err();
        }
    }

    #[test]
    fn a_misspelt_command_is_answered_with_the_nearest() {
        assert_eq!(
            read(&["serv"]).unwrap_err(),
            "serv: is not a command of this program; did you mean serve?"
        );
        assert_eq!(read(&["launch"]).unwrap_err(), "launch: is not a command of this program; see --help");
    }

    #[test]
    fn the_stdio_command_contradicts_another_transport() {
        let args = with_stdio(rest(&["--transport", "http", "--fixtures", "fixtures"]));
        let inputs = config::Inputs {
            args,
            env: Default::default(),
            dotenv: None,
            read_file: &|_| Err(io::ErrorKind::NotFound.into()),
        };
        let text = config::parse(&inputs).unwrap_err().to_string();
        assert!(text.starts_with("MCP_TRANSPORT (flag --transport): is given twice"), "{text}");
    }
}
