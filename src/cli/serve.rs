//! Starts what was asked for.

use super::Error;
use crate::config::{Config, ToolChoice};

/// Serves until the program is told to stop.
pub(super) fn serve(_config: Config) -> Result<(), Error> {
    Err(Error::Failed { what: "this build has no server yet".into(), source: None })
}

/// Prints the tools that `choice` offers.
pub(super) fn tools(_choice: &ToolChoice) -> Result<(), Error> {
    Err(Error::Failed { what: "this build has no tools yet".into(), source: None })
}
