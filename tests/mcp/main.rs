//! The protocol, from bytes in to what a transport is told. The cases are data: `fixtures/protocol/`.

mod cases;
mod fuzz;
mod house;
mod logged;
mod wire;
