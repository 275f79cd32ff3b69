mod corpus;
mod dates;
mod series;
mod zones;

use super::*;
use crate::contentline::{Component, Line};

/// A component of this kind, with these lines.
fn component(kind: &str, lines: &[&str]) -> Component {
    Component::parse(&format!("BEGIN:{kind}\r\n{}\r\nEND:{kind}\r\n", lines.join("\r\n")))
        .expect("content lines")
}

/// A line of the text.
fn line(text: &str) -> Line {
    component("X", &[text]).all_lines().next().expect("a line").clone()
}

fn when(text: &str) -> When {
    When::of(&line(text)).expect("a date")
}
