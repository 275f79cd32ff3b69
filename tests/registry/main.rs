//! Rules that hold for every tool and resource of the server, and the files that are written from its tables.

mod compatibility;
mod generated;
mod rules;
mod schema;
