//! The transports from outside: HTTP through the real listener, stdio through its reader and writer.

mod client;
mod health;
mod hold;
#[path = "../mcp/house.rs"]
mod house;
mod ladder;
mod site;
mod stdio;
mod streaming;
