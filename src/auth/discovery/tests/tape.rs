//! An identity provider that gives prepared answers, in order.

use std::collections::VecDeque;
use std::sync::Mutex;

use serde_json::Value;

use crate::nextcloud::{Fetch, OutsideError, OutsideRequest, OutsideResponse};

/// The recorded versions of the oidc app, and the address that each was recorded at.
pub(in crate::auth) const VERSIONS: [(&str, &str); 2] =
    [("1.6.1", "http://localhost:8080"), ("2.0.9", "http://localhost:8090")];

pub(in crate::auth) struct Tape {
    answers: Mutex<VecDeque<Result<OutsideResponse, OutsideError>>>,
    asked: Mutex<Vec<OutsideRequest>>,
}

impl Tape {
    pub(in crate::auth) fn new(
        answers: impl IntoIterator<Item = Result<OutsideResponse, OutsideError>>,
    ) -> Tape {
        Tape { answers: Mutex::new(answers.into_iter().collect()), asked: Mutex::default() }
    }

    pub(in crate::auth) fn requests(&self) -> Vec<OutsideRequest> {
        self.asked.lock().expect("asked").clone()
    }

    /// `METHOD url` of all requests so far.
    pub(in crate::auth) fn asked(&self) -> Vec<String> {
        self.requests().iter().map(|request| format!("{} {}", request.method, request.url)).collect()
    }

    pub(in crate::auth) fn is_used_up(&self) -> bool {
        self.answers.lock().expect("answers").is_empty()
    }
}

impl Fetch for Tape {
    fn fetch(&self, request: &OutsideRequest) -> Result<OutsideResponse, OutsideError> {
        self.asked.lock().expect("asked").push(request.clone());
        let next = self.answers.lock().expect("answers").pop_front();
        next.unwrap_or_else(|| panic!("nothing is recorded for {} {}", request.method, request.url))
    }
}

/// An answer of the oidc app, by version and name.
pub(in crate::auth) fn recorded(version: &str, name: &str) -> OutsideResponse {
    let file = match version {
        "1.6.1" => include_str!("../../../../fixtures/oauth/oidc-1.6.1.json"),
        _ => include_str!("../../../../fixtures/oauth/oidc-2.0.9.json"),
    };
    let exchanges: Vec<Value> = serde_json::from_str(file).expect("a fixture");
    let exchange = exchanges.iter().find(|e| e["name"] == name);
    let response = &exchange.unwrap_or_else(|| panic!("{version} has no {name}"))["response"];
    let headers = response["headers"].as_object().expect("headers").iter();
    OutsideResponse::new(
        response["status"].as_u64().expect("a status") as u16,
        headers.map(|(name, value)| (name.as_str(), value.as_str().expect("text"))),
        response["body"].as_str().expect("a body"),
    )
}

pub(in crate::auth) fn answer(status: u16, body: &str) -> OutsideResponse {
    OutsideResponse::new(status, [("Content-Type", "application/json; charset=utf-8")], body)
}

pub(in crate::auth) fn html(status: u16) -> OutsideResponse {
    OutsideResponse::new(
        status,
        [("Content-Type", "text/html; charset=UTF-8")],
        "<!DOCTYPE html><html></html>",
    )
}
