//! The form of recorded exchanges and of scenarios: JSON that a person can read and write.
//!
//! `fixtures/README.md` describes it with examples. Every member has one meaning, and an unknown one is refused, so
//! that a slip of the pen does not turn a check off.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value};

use super::server::{Request, Response};

/// Stands in a tape for the URL of the Nextcloud, without a slash at the end.
pub const BASE: &str = "{base}";

/// One request and its answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Exchange {
    /// Where it comes from: a recording's name, or `written by hand`.
    pub name: String,
    pub request: TapeRequest,
    pub response: TapeResponse,
}

/// A request as the tape expects it.
#[derive(Clone, Debug, PartialEq)]
pub struct TapeRequest {
    pub method: String,
    /// Path and query, as on the wire.
    pub target: String,
    /// The headers that are compared; `None` stands for one that must be absent.
    pub headers: Vec<(String, Option<String>)>,
    pub body: Body,
}

/// An answer as the tape has it.
#[derive(Clone, Debug, PartialEq)]
pub struct TapeResponse {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Body,
    /// Closes the connection after so many bytes of the body.
    pub cut_after: Option<usize>,
}

/// A body, in the form in which it is compared.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    Empty,
    Text(String),
    Json(Value),
    Xml(String),
    Bytes(Vec<u8>),
}

/// What is wrong with a file, and where in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault(pub String);

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Fault {}

impl Exchange {
    /// Reads one exchange; `at` names its place in messages.
    pub fn read(value: Value, at: &str) -> Result<Exchange, Fault> {
        let mut members = Members::of(value, at)?;
        let source = members.text("source")?;
        let name = members.text("name")?.or(source).unwrap_or_default();
        let request = TapeRequest::read(members.required("request")?, &format!("{at}.request"))?;
        let response = TapeResponse::read(members.required("response")?, &format!("{at}.response"))?;
        members.end()?;
        Ok(Exchange { name, request, response })
    }
}

impl TapeRequest {
    fn read(value: Value, at: &str) -> Result<TapeRequest, Fault> {
        let mut members = Members::of(value, at)?;
        let request = TapeRequest {
            method: members.required_text("method")?,
            target: members.required_text("path")?,
            headers: members.headers()?,
            body: members.body()?,
        };
        members.end()?;
        Ok(request)
    }

    /// A header that is compared, by its name in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
        found.and_then(|(_, value)| value.as_deref())
    }
}

impl TapeResponse {
    fn read(value: Value, at: &str) -> Result<TapeResponse, Fault> {
        let mut members = Members::of(value, at)?;
        let status = members.number("status")?;
        let status = status.and_then(|n| u16::try_from(n).ok()).filter(|s| (100..=999).contains(s));
        let Some(status) = status else { return Err(members.fault("needs a \"status\" from 100 to 999")) };
        let mut headers = Vec::new();
        for (name, value) in members.headers()? {
            match value {
                Some(value) => headers.push((name, value)),
                None => return Err(members.fault(&format!("header {name} has no value"))),
            }
        }
        for cookie in members.lines("set_cookie")?.unwrap_or_default() {
            headers.push(("Set-Cookie".into(), cookie));
        }
        let body = members.body()?;
        let cut_after = members.number("cut_after")?.map(|n| usize::try_from(n).unwrap_or(usize::MAX));
        members.end()?;
        Ok(TapeResponse { status, headers, body, cut_after })
    }

    /// The answer to send, with `{base}` replaced by `base`.
    pub fn answer(&self, base: &str) -> Response {
        let mut headers: Vec<(String, String)> =
            self.headers.iter().map(|(name, value)| (name.clone(), value.replace(BASE, base))).collect();
        if let Some(content_type) = self.body.content_type()
            && super::server::header(&headers, "Content-Type").is_none()
        {
            headers.push(("Content-Type".into(), content_type.into()));
        }
        Response { status: self.status, headers, body: self.body.bytes(base), cut_after: self.cut_after }
    }
}

impl Body {
    /// The bytes on the wire, with `{base}` replaced by `base`.
    pub fn bytes(&self, base: &str) -> Vec<u8> {
        match self {
            Body::Empty => Vec::new(),
            Body::Text(text) | Body::Xml(text) => text.replace(BASE, base).into_bytes(),
            Body::Json(value) => value.to_string().replace(BASE, base).into_bytes(),
            Body::Bytes(bytes) => bytes.clone(),
        }
    }

    fn content_type(&self) -> Option<&'static str> {
        match self {
            Body::Empty | Body::Bytes(_) => None,
            Body::Text(_) => Some("text/plain; charset=utf-8"),
            Body::Json(_) => Some("application/json; charset=utf-8"),
            Body::Xml(_) => Some("application/xml; charset=utf-8"),
        }
    }
}

/// The members of a JSON object, taken out one by one; what is left at the end is a fault.
pub(super) struct Members<'a> {
    members: Map<String, Value>,
    at: &'a str,
}

impl<'a> Members<'a> {
    pub fn of(value: Value, at: &'a str) -> Result<Members<'a>, Fault> {
        match value {
            Value::Object(members) => Ok(Members { members, at }),
            _ => Err(Fault(format!("{at}: an object was expected"))),
        }
    }

    pub fn fault(&self, why: &str) -> Fault {
        Fault(format!("{}: {why}", self.at))
    }

    pub fn take(&mut self, name: &str) -> Option<Value> {
        self.members.shift_remove(name)
    }

    pub fn required(&mut self, name: &str) -> Result<Value, Fault> {
        self.take(name).ok_or_else(|| self.fault(&format!("needs \"{name}\"")))
    }

    pub fn text(&mut self, name: &str) -> Result<Option<String>, Fault> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.fault(&format!("\"{name}\" must be a string"))),
        }
    }

    pub fn required_text(&mut self, name: &str) -> Result<String, Fault> {
        self.text(name)?.ok_or_else(|| self.fault(&format!("needs \"{name}\"")))
    }

    fn number(&mut self, name: &str) -> Result<Option<u64>, Fault> {
        match self.take(name) {
            None => Ok(None),
            Some(value) => match value.as_u64() {
                Some(number) => Ok(Some(number)),
                None => Err(self.fault(&format!("\"{name}\" must be a whole number"))),
            },
        }
    }

    fn lines(&mut self, name: &str) -> Result<Option<Vec<String>>, Fault> {
        let wrong = || Fault(format!("{}: \"{name}\" must be a list of strings", self.at));
        match self.members.shift_remove(name) {
            None => Ok(None),
            Some(Value::Array(lines)) => lines
                .into_iter()
                .map(|line| line.as_str().map(String::from).ok_or_else(wrong))
                .collect::<Result<_, _>>()
                .map(Some),
            Some(_) => Err(wrong()),
        }
    }

    /// A string, or a list of strings that are joined by line feeds.
    fn text_or_lines(&mut self, name: &str) -> Result<Option<String>, Fault> {
        match self.members.get(name) {
            Some(Value::Array(_)) => Ok(self.lines(name)?.map(|lines| lines.join("\n"))),
            _ => self.text(name),
        }
    }

    fn headers(&mut self) -> Result<Vec<(String, Option<String>)>, Fault> {
        let headers = match self.take("headers") {
            None => return Ok(Vec::new()),
            Some(Value::Object(headers)) => headers,
            Some(_) => return Err(self.fault("\"headers\" must be an object")),
        };
        headers
            .into_iter()
            .map(|(name, value)| match value {
                Value::String(value) => Ok((name, Some(value))),
                Value::Null => Ok((name, None)),
                _ => Err(self.fault(&format!("header {name} must be a string"))),
            })
            .collect()
    }

    fn body(&mut self) -> Result<Body, Fault> {
        let mut bodies = Vec::new();
        if let Some(text) = self.text_or_lines("body")? {
            bodies.push(if text.is_empty() { Body::Empty } else { Body::Text(text) });
        }
        if let Some(lines) = self.lines("lines")? {
            bodies.push(Body::Text(lines.iter().map(|line| format!("{line}\r\n")).collect()));
        }
        if let Some(value) = self.take("json") {
            bodies.push(Body::Json(value));
        }
        if let Some(text) = self.text_or_lines("xml")? {
            roxmltree::Document::parse(&text).map_err(|e| self.fault(&format!("\"xml\": {e}")))?;
            bodies.push(Body::Xml(text));
        }
        if let Some(text) = self.text("body_base64")? {
            let bytes = BASE64.decode(text).map_err(|e| self.fault(&format!("\"body_base64\": {e}")))?;
            bodies.push(Body::Bytes(bytes));
        }
        match (bodies.pop(), bodies.len()) {
            (None, _) => Ok(Body::Empty),
            (Some(body), 0) => Ok(body),
            _ => {
                Err(self
                    .fault("has more than one of \"body\", \"lines\", \"json\", \"xml\", \"body_base64\""))
            }
        }
    }

    pub fn end(&self) -> Result<(), Fault> {
        match self.members.keys().next() {
            None => Ok(()),
            Some(name) => Err(self.fault(&format!("\"{name}\" is not known here"))),
        }
    }
}

/// Writes an exchange that was seen on the wire in the form that reads best.
pub fn write_exchange(request: &Request, response: &Response) -> Value {
    let mut asked = Map::new();
    asked.insert("method".into(), request.method.as_str().into());
    asked.insert("path".into(), request.target.as_str().into());
    write_headers(&mut asked, &request.headers);
    write_body(&mut asked, &request.body);
    let mut answered = Map::new();
    answered.insert("status".into(), response.status.into());
    write_headers(&mut answered, &response.headers);
    write_body(&mut answered, &response.body);
    let mut exchange = Map::new();
    exchange.insert("request".into(), asked.into());
    exchange.insert("response".into(), answered.into());
    exchange.into()
}

fn write_headers(members: &mut Map<String, Value>, headers: &[(String, String)]) {
    let headers: Map<String, Value> =
        headers.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
    if !headers.is_empty() {
        members.insert("headers".into(), headers.into());
    }
}

fn write_body(members: &mut Map<String, Value>, body: &[u8]) {
    let Ok(text) = std::str::from_utf8(body) else {
        members.insert("body_base64".into(), BASE64.encode(body).into());
        return;
    };
    if text.is_empty() {
        return;
    }
    let (name, value) = match serde_json::from_str::<Value>(text) {
        Ok(value) if value.is_object() || value.is_array() => ("json", value),
        _ if roxmltree::Document::parse(text).is_ok() => ("xml", text.into()),
        _ => match text.strip_suffix("\r\n") {
            Some(lines) if !lines.split("\r\n").any(|line| line.contains(['\r', '\n'])) => {
                ("lines", lines.split("\r\n").collect::<Vec<_>>().into())
            }
            _ => ("body", text.into()),
        },
    };
    members.insert(name.into(), value);
}

/// JSON with two spaces of indentation, where whatever fits into a line stays on one line.
pub fn layout(value: &Value) -> String {
    let mut out = String::new();
    lay_out(value, 0, 0, &mut out);
    out.push('\n');
    out
}

const LINE_CHARS_MAX: usize = 110;

fn lay_out(value: &Value, depth: usize, used: usize, out: &mut String) {
    let line = one_line(value);
    let composed = matches!(value, Value::Object(m) if !m.is_empty())
        || matches!(value, Value::Array(items) if !items.is_empty());
    if !composed || used + line.chars().count() <= LINE_CHARS_MAX {
        out.push_str(&line);
        return;
    }
    let indent = "  ".repeat(depth + 1);
    let separate = |i: usize, out: &mut String| {
        out.push_str(if i == 0 { "\n" } else { ",\n" });
        out.push_str(&indent);
    };
    match value {
        Value::Object(members) => {
            out.push('{');
            for (i, (name, member)) in members.iter().enumerate() {
                separate(i, out);
                let name = format!("{}: ", Value::from(name.as_str()));
                out.push_str(&name);
                lay_out(member, depth + 1, indent.len() + name.chars().count() + 1, out);
            }
            out.push_str(&format!("\n{}}}", "  ".repeat(depth)));
        }
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                separate(i, out);
                lay_out(item, depth + 1, indent.len() + 1, out);
            }
            out.push_str(&format!("\n{}]", "  ".repeat(depth)));
        }
        _ => {}
    }
}

fn one_line(value: &Value) -> String {
    match value {
        Value::Object(members) if !members.is_empty() => {
            let members =
                members.iter().map(|(n, v)| format!("{}: {}", Value::from(n.as_str()), one_line(v)));
            format!("{{ {} }}", members.collect::<Vec<_>>().join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(one_line).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}
