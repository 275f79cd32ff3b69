//! The program in oauth mode, started again and again on one database, and what its clients ask.

use std::sync::Arc;

use nextcloud_mcp_server::replay::server::header;
use serde_json::{Value, json};

use crate::program::{Ended, Folder, Program};
use crate::provider::Provider;
use crate::wire::{self, Answered, read_answer, send};

/// A start that came to its end.
pub const INITIALIZED: &str = "OAuth initialization complete";

const LISTENING: &str = "MCP server ready at http://";

/// The place of a database that outlives the program.
pub struct Site {
    pub folder: Arc<Folder>,
    env: Vec<(String, String)>,
}

/// A running program.
pub struct Running {
    program: Program,
    address: String,
    /// Lines of the log: two threads write them, so no order holds between the start's and the listener's.
    seen: Vec<String>,
    /// The database must be there for as long as the program runs.
    _folder: Arc<Folder>,
}

impl Site {
    /// A server of two apps, so that a test can name all its scopes.
    pub fn new(provider: &Provider) -> Site {
        let site = Site { folder: Arc::new(Folder::new()), env: Vec::new() };
        let database = site.database();
        site.with("NEXTCLOUD_HOST", provider.url())
            .with("NEXTCLOUD_MCP_SERVER_URL", "http://localhost:8000")
            .with("TOKEN_STORAGE_DB", &database)
            .with("MCP_ENABLED_APPS", "notes,files")
    }

    /// With a setting, in place of an earlier one of that name.
    pub fn with(mut self, name: &str, value: &str) -> Site {
        self.env.retain(|(other, _)| other != name);
        self.env.push((name.into(), value.into()));
        self
    }

    pub fn database(&self) -> String {
        self.folder.file("tokens.db")
    }

    pub fn spawn(&self, args: &[&str]) -> Program {
        let env: Vec<(&str, &str)> = self.env.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        Program::spawn(Folder::new(), &[&["--port", "0", "--oauth"], args].concat(), &env)
    }

    /// Starts it and waits until it listens.
    pub fn listening(&self) -> Running {
        self.listening_with(&["--log-level", "debug"])
    }

    /// The same with these arguments.
    pub fn listening_with(&self, args: &[&str]) -> Running {
        let program = self.spawn(args);
        let mut running =
            Running { program, address: String::new(), seen: Vec::new(), _folder: self.folder.clone() };
        let line = running.wait_for(LISTENING);
        running.address = line.split(LISTENING).nth(1).unwrap_or_default().to_owned();
        running
    }

    /// Starts it and waits until tokens can be judged.
    pub fn ready(&self) -> Running {
        let mut running = self.listening();
        running.wait_for(INITIALIZED);
        running
    }

    /// Starts it, waits for this line and stops it; gives the lines about OAuth from first to last.
    pub fn lines_until(&self, last: &str) -> Vec<String> {
        let mut running = self.listening();
        running.wait_for(last);
        about_oauth(&running.stopped().log)
    }

    /// The lines of a start that goes well.
    pub fn lines(&self) -> Vec<String> {
        self.lines_until(INITIALIZED)
    }
}

impl Running {
    /// Waits for the line that holds this, which may have come before the listener's.
    pub fn wait_for(&mut self, text: &str) -> String {
        loop {
            if let Some(line) = self.seen.iter().find(|line| line.contains(text)) {
                return line.clone();
            }
            let next = self.program.log.next();
            self.seen.push(next.unwrap_or_else(|| panic!("{text:?} never came: {:#?}", self.seen)));
        }
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> &str {
        &self.address
    }

    pub fn stopped(self) -> Ended {
        let ended = self.program.stopped();
        assert_eq!((ended.status, ended.output.as_str()), (Some(0), ""), "{}", ended.log);
        ended
    }

    pub fn get(&self, path: &str) -> Answered {
        let address = &self.address;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        read_answer(send(address, &request))
    }

    /// Sends a message with this token.
    pub fn post(&self, token: &str, message: &Value) -> Answered {
        wire::post(&self.address, &format!("Authorization: Bearer {token}\r\n"), &message.to_string())
    }

    pub fn list(&self, token: &str) -> Answered {
        self.post(token, &json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}))
    }

    /// The tools that the holder of a token sees.
    pub fn tools(&self, token: &str) -> Vec<String> {
        let answer = self.list(token);
        assert_eq!(answer.status, 200, "{}", answer.whole);
        let tools = answer.json()["result"]["tools"].clone();
        let name = |tool: &Value| tool["name"].as_str().expect("a name").to_owned();
        tools.as_array().expect("tools").iter().map(name).collect()
    }
}

impl Answered {
    /// The value of a header, by its name in any case.
    pub fn header(&self, name: &str) -> Option<String> {
        let head = self.whole.split("\r\n\r\n").next().unwrap_or_default();
        let lines = head.lines().filter_map(|line| line.split_once(": "));
        let headers: Vec<(String, String)> = lines.map(|(n, v)| (n.into(), v.into())).collect();
        header(&headers, name).map(str::to_owned)
    }
}

/// `LEVEL message` of each line that the start in oauth mode writes.
fn about_oauth(log: &str) -> Vec<String> {
    let told = log.lines().filter_map(|line| line.split_once("Z ")).map(|(_, rest)| rest);
    let lines = told.filter_map(|rest| {
        let (head, message) = rest.split_once(": ")?;
        let (level, module) = head.split_once(' ')?;
        (module.trim() == "auth::lines").then(|| format!("{level} {message}"))
    });
    lines.collect()
}
