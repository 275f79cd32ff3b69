//! Why a tool call failed, in words for the model that made it.

use std::fmt;

use crate::nextcloud;

/// Becomes a result with `isError: true`: something the caller can act on. Our own bugs are JSON-RPC errors instead.
#[derive(Debug)]
pub enum ToolError {
    /// The arguments are wrong; the text names each and says what was expected.
    Arguments(String),
    /// We refuse by a rule of ours; the text says which and what to do instead.
    Refused(String),
    /// Nextcloud or the network said no.
    Upstream(nextcloud::Error),
}

impl fmt::Display for ToolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ToolError::Arguments(why) => write!(f, "Wrong arguments: {why}"),
            ToolError::Refused(why) => f.write_str(why),
            ToolError::Upstream(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ToolError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ToolError::Arguments(_) | ToolError::Refused(_) => None,
            ToolError::Upstream(error) => Some(error),
        }
    }
}

impl From<nextcloud::Error> for ToolError {
    fn from(error: nextcloud::Error) -> ToolError {
        ToolError::Upstream(error)
    }
}
