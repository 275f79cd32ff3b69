//! The real program as a child process, in front of a Nextcloud that is played on loopback: what a person, systemd and
//! an MCP client see of it. `tests/cli.rs` has the commands that only print.

mod configuration;
mod http;
mod login;
mod multi_user;
mod program;
mod secrets;
mod stdio;
mod systemd;
mod wire;
