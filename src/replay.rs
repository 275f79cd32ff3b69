//! A recorded Nextcloud on loopback: a strict tape for tests, a forgiving tour for `--fixtures`, and a recorder.
//!
//! The program under test gets the URL of a [`ReplayServer`] and uses its real client; nothing in the product knows
//! whether the Nextcloud behind a URL is a recorded one. `fixtures/README.md` describes the files.

pub mod matching;
pub mod record;
pub mod scenario;
pub mod server;
mod strict;
pub mod tape;
mod tour;

use std::io;
use std::path::Path;
use std::sync::Arc;

use server::Loopback;
pub use strict::{MISMATCH_STATUS, Report};
use tape::Exchange;

/// A recorded Nextcloud. Dropping it closes its connections.
pub struct ReplayServer {
    loopback: Loopback,
    strict: Option<Arc<strict::Strict>>,
}

impl ReplayServer {
    /// Answers exactly these exchanges in this order. Whatever else is asked gets status 599, and
    /// [`ReplayServer::finish`] tells what. Fails if no port can be had.
    pub fn strict(exchanges: Vec<Exchange>) -> io::Result<ReplayServer> {
        let mut strict = None;
        let loopback = Loopback::start(|base| {
            let answerer = strict::Strict::new(base, exchanges);
            strict = Some(Arc::clone(&answerer));
            answerer
        })?;
        Ok(ReplayServer { loopback, strict })
    }

    /// Answers from the recordings in `directory/tour`, in any order and as often as asked. Fails if a file there cannot
    /// be read, or no port can be had; the message names the file.
    pub fn tour(directory: &Path) -> io::Result<ReplayServer> {
        let recordings = tour::read_recordings(&directory.join("tour"))?;
        let loopback = Loopback::start(|base| tour::Tour::new(base, recordings))?;
        Ok(ReplayServer { loopback, strict: None })
    }

    /// `http://127.0.0.1:PORT`, without a slash at the end.
    pub fn url(&self) -> &str {
        self.loopback.url()
    }

    /// Appends exchanges to a strict tape.
    pub fn expect_next(&self, exchanges: Vec<Exchange>) {
        if let Some(strict) = &self.strict {
            strict.expect_next(exchanges);
        }
    }

    /// Checks that every request agreed with the tape and every exchange was used.
    pub fn finish(&self) -> Result<(), Report> {
        self.strict.as_ref().map_or(Ok(()), |strict| strict.finish())
    }
}
