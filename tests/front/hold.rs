//! A tool that stays inside until it is let go or cancelled, so that a test can do something meanwhile.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use nextcloud_mcp_server::params;
use nextcloud_mcp_server::tool::{App, Content, Cx, Effect, Needs, Output, Tool, ToolError, typed};
use serde_json::{Value, json};

use crate::site::LONG;

pub const APP: App = App {
    name: "hold",
    about: "Waits",
    tools: &[Tool {
        name: "test_hold",
        about: "Wait to be let go.",
        scopes: &[],
        effect: Effect::Read,
        needs: Needs::Nothing,
        handler: &typed(hold),
    }],
    resources: &[],
};

/// Where one call waits.
pub struct Room {
    name: String,
    entered: Receiver<()>,
    release: Sender<()>,
    left: Receiver<Left>,
}

/// How a call came out.
#[derive(Debug, PartialEq, Eq)]
pub enum Left {
    Released,
    Cancelled,
}

impl Room {
    pub fn new() -> Room {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = COUNT.fetch_add(1, Ordering::Relaxed).to_string();
        let (entered, entries) = channel();
        let (release, releases) = channel();
        let (left, leaves) = channel();
        let inside = Inside { entered, release: releases, left };
        ROOMS.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone(), inside);
        Room { name, entered: entries, release, left: leaves }
    }

    /// Parameters of a call into this room that reports so many steps before it waits.
    pub fn params(&self, steps: u64) -> Value {
        json!({"name": "test_hold", "arguments": {"room": self.name, "steps": steps}})
    }

    /// Waits until the call is inside.
    pub fn wait_entered(&self) {
        self.entered.recv_timeout(LONG).expect("the call came in");
    }

    pub fn is_entered(&self) -> bool {
        self.entered.try_recv().is_ok()
    }

    pub fn release(&self) {
        self.release.send(()).expect("the call is inside or will be");
    }

    pub fn left(&self) -> Left {
        self.left.recv_timeout(LONG).expect("the call came out")
    }
}

static ROOMS: Mutex<BTreeMap<String, Inside>> = Mutex::new(BTreeMap::new());

struct Inside {
    entered: Sender<()>,
    release: Receiver<()>,
    left: Sender<Left>,
}

params! { struct Hold {
    /// Where to wait.
    room: String,
    /// Steps to report before.
    steps: i64 = 0,
} }

fn hold(cx: &Cx, p: Hold) -> Result<Output, ToolError> {
    let inside = ROOMS.lock().unwrap_or_else(PoisonError::into_inner).remove(&p.room);
    let inside = inside.ok_or_else(|| ToolError::Refused("no such room".into()))?;
    (1..=p.steps).for_each(|step| cx.progress.report(step.unsigned_abs(), None, "step"));
    let _ = inside.entered.send(());
    let left = loop {
        match inside.release.recv_timeout(Duration::from_millis(1)) {
            _ if cx.is_cancelled() => break Left::Cancelled,
            Ok(()) | Err(RecvTimeoutError::Disconnected) => break Left::Released,
            Err(RecvTimeoutError::Timeout) => {}
        }
    };
    let _ = inside.left.send(left);
    Ok(Output { structured: None, content: vec![Content::Text("let go".into())] })
}
