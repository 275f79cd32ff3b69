//! The listener, seen from outside: bytes over real sockets on the loopback interface.
//!
//! `faults` has a test for each way in which tiny_http 0.12 was found to fail (F1 to F5, W1 to W16); the rows that need a
//! failing system call or thread are beside the code, in `src/http/server.rs`.

mod events;
mod faults;
mod framing;
mod lifecycle;
mod messages;
mod sockets;
mod wire;
