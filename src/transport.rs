//! What carries MCP: Streamable HTTP and stdio. Both hand the same bytes to [`crate::mcp`]; the status codes and
//! headers of HTTP are known here and in [`crate::http`] only.

pub mod http;
pub mod stdio;

mod access;
mod basic;
mod health;
mod oauth;
mod origins;
mod streaming;

pub use access::{Access, OAuthAccess};
pub use basic::BasicAccess;
pub use origins::Origins;
