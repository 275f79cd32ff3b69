//! A small, synchronous MCP server for one's own Nextcloud.
//!
//! One direction of data: `transport` → `rpc`/`mcp` → `registry` → `apps` → `nextcloud`.
//! `docs/architecture.md` has the map and the invariants; `tests/architecture.rs` looks for them.

pub mod apps;
pub mod auth;
pub mod broker;
pub mod cancel;
pub mod cli;
pub mod clock;
pub mod config;
pub mod contentline;
pub mod gate;
pub mod http;
pub mod ical;
pub mod log;
pub mod mcp;
pub mod nextcloud;
pub mod pages;
pub mod registry;
pub mod replay;
pub mod rpc;
pub mod schema;
pub mod secret;
pub mod server;
pub mod spelling;
pub mod store;
pub mod sys;
pub mod tool;
pub mod transport;
pub mod vcard;
