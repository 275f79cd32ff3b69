//! The tape for tests: exchanges in their order, each used once, nothing else answered.

use std::sync::{Arc, Mutex};

use super::matching::{compare, dump};
use super::server::{Answer, Request, Response, locked};
use super::tape::Exchange;

/// The status of an answer that the tape does not have.
pub const MISMATCH_STATUS: u16 = 599;

/// What went wrong against a tape, the first mismatch first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report(String);

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Report {}

pub(super) struct Strict {
    base: String,
    tape: Mutex<Tape>,
}

#[derive(Default)]
struct Tape {
    exchanges: Vec<Exchange>,
    next: usize,
    mismatch: Option<String>,
    after_mismatch: Vec<String>,
}

impl Strict {
    pub fn new(base: &str, exchanges: Vec<Exchange>) -> Arc<Strict> {
        Arc::new(Strict { base: base.into(), tape: Mutex::new(Tape { exchanges, ..Tape::default() }) })
    }

    pub fn expect_next(&self, exchanges: Vec<Exchange>) {
        locked(&self.tape).exchanges.extend(exchanges);
    }

    pub fn finish(&self) -> Result<(), Report> {
        let tape = locked(&self.tape);
        let mut report = tape.mismatch.clone().unwrap_or_default();
        if !tape.after_mismatch.is_empty() {
            report.push_str("After that came:\n");
            tape.after_mismatch.iter().for_each(|line| report.push_str(&format!("  {line}\n")));
        }
        if tape.mismatch.is_none() && tape.next < tape.exchanges.len() {
            report.push_str("These exchanges of the tape were not used:\n");
            for exchange in &tape.exchanges[tape.next..] {
                report.push_str(&format!("  {} {}\n", exchange.request.method, exchange.request.target));
            }
        }
        if report.is_empty() { Ok(()) } else { Err(Report(report)) }
    }
}

impl Answer for Strict {
    fn answer(&self, request: Request) -> Response {
        let mut tape = locked(&self.tape);
        if tape.mismatch.is_some() {
            tape.after_mismatch.push(format!("{} {}", request.method, request.target));
            return Response::text(MISMATCH_STATUS, "an earlier request did not agree with the tape");
        }
        let (number, count) = (tape.next + 1, tape.exchanges.len());
        let mismatch = match tape.exchanges.get(tape.next) {
            None => format!("The tape has {count} exchanges, and then came:\n{}", dump(&request)),
            Some(exchange) => match compare(&exchange.request, &request, &self.base) {
                Ok(()) => {
                    let response = exchange.response.answer(&self.base);
                    tape.next += 1;
                    return response;
                }
                Err(diff) => format!("Request {number} of {count} does not agree with the tape.\n{diff}"),
            },
        };
        tape.mismatch = Some(mismatch.clone());
        Response::text(MISMATCH_STATUS, &mismatch)
    }
}
