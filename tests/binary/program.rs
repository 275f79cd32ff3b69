//! Starts the program in a folder of its own, reads what it writes line by line, and ends it by its process id.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// Longer than anything here takes: reached only when something is missing.
pub const PATIENCE: Duration = Duration::from_secs(30);

const READY: &str = "MCP server ready at ";

/// A fresh folder, removed at the end.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Folder {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("mcp-binary-{}-{count}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        Folder(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The path of a file in it, as text.
    pub fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("a path in UTF-8").to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The lines of a stream, as they come.
pub struct Lines {
    incoming: Receiver<String>,
    seen: Vec<String>,
}

impl Lines {
    fn of(stream: impl Read + Send + 'static) -> Lines {
        let (sender, incoming) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
                if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                    return;
                }
            }
        });
        Lines { incoming, seen: Vec::new() }
    }

    /// The next line; `None` at the end of the stream.
    pub fn next(&mut self) -> Option<String> {
        match self.incoming.recv_timeout(PATIENCE) {
            Ok(line) => {
                self.seen.push(line.clone());
                Some(line)
            }
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => None,
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {
                panic!("nothing more came after:\n{}", self.seen.join("\n"))
            }
        }
    }

    /// Reads up to the line that holds `text`.
    pub fn until(&mut self, text: &str) -> String {
        while let Some(line) = self.next() {
            if line.contains(text) {
                return line;
            }
        }
        panic!("{text:?} never came:\n{}", self.seen.join("\n"));
    }

    /// Reads to the end; gives every line from the first on.
    pub fn all(&mut self) -> &[String] {
        while self.next().is_some() {}
        &self.seen
    }
}

/// How the program ended, and what it wrote.
pub struct Ended {
    /// `None` after a signal.
    pub status: Option<i32>,
    pub log: String,
    pub output: String,
}

/// A running program. Dropping it kills it; where a test fails, its log is shown.
pub struct Program {
    child: Child,
    pub log: Lines,
    pub output: Lines,
    folder: Folder,
}

impl Program {
    /// Starts the program with these arguments and this environment, and with nothing of the test's own.
    pub fn spawn(folder: Folder, args: &[&str], env: &[(&str, &str)]) -> Program {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nextcloud-mcp-server"));
        command.args(args).stdin(Stdio::piped());
        Program::run(folder, command, env)
    }

    /// Starts whatever ends in the program.
    pub fn run(folder: Folder, mut command: Command, env: &[(&str, &str)]) -> Program {
        let mut child = command
            .env_clear()
            .envs(env.iter().copied())
            .current_dir(folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let log = Lines::of(child.stderr.take().expect("standard error"));
        let output = Lines::of(child.stdout.take().expect("standard output"));
        Program { child, log, output, folder }
    }

    /// Serves one account of this Nextcloud over HTTP; `env` and `args` add to that.
    pub fn serve(nextcloud: &str, args: &[&str], env: &[(&str, &str)]) -> Program {
        let args = [&["--port", "0"], args].concat();
        Program::spawn(Folder::new(), &args, &[&account(nextcloud), env].concat())
    }

    /// Waits until it listens; gives `127.0.0.1:PORT`, or what stands there for a Unix socket.
    pub fn address(&mut self) -> String {
        let line = self.log.until(READY);
        let address = line.split(READY).nth(1).unwrap_or_default();
        let address = address.trim_start_matches("http://");
        address.split('"').next().unwrap_or_default().to_owned()
    }

    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    pub fn input(&mut self) -> ChildStdin {
        self.child.stdin.take().expect("standard input")
    }

    /// Sends a signal by its name without `SIG`.
    pub fn signal(&self, name: &str) {
        let mut kill = Command::new("/bin/sh");
        kill.args(["-c", "kill -s \"$0\" \"$1\"", name, &self.child.id().to_string()]);
        assert!(kill.status().expect("a shell").success(), "SIG{name} was not sent");
    }

    /// Waits for the end.
    pub fn ended(mut self) -> Ended {
        let log = self.log.all().join("\n");
        let output = self.output.all().join("\n");
        let status = self.child.wait().expect("an exit status");
        Ended { status: status.code(), log, output }
    }

    /// Asks it to stop, as systemd does, and waits for the end.
    pub fn stopped(self) -> Ended {
        self.signal("TERM");
        self.ended()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the program's log:\n{}", self.log.all().join("\n"));
        }
    }
}

/// The settings of one account of this Nextcloud.
pub fn account(nextcloud: &str) -> [(&'static str, &str); 3] {
    [("NEXTCLOUD_HOST", nextcloud), ("NEXTCLOUD_USERNAME", "alice"), ("NEXTCLOUD_PASSWORD", PASSWORD)]
}

pub const PASSWORD: &str = "planted-app-password";
