//! Compares a request with what a tape expects, and shows the difference.
//!
//! Both sides are rendered to lines first: JSON with sorted members, XML as a tree with namespaces instead of
//! prefixes, text as it is. What differs in the lines differs in meaning, and a diff of the lines is the message.

use base64::Engine;
use serde_json::Value;

use super::server::Request;
use super::tape::{BASE, Body, TapeRequest};

/// Compares method, target, the tape's headers and the whole body. `Err` holds a readable difference.
pub fn compare(expected: &TapeRequest, got: &Request, base: &str) -> Result<(), String> {
    let expected_lines = render(expected);
    let got_lines = render_like(expected, got, base);
    if expected_lines == got_lines {
        return Ok(());
    }
    Err(format!("{}\nThe whole request:\n{}", diff(&expected_lines, &got_lines), dump(got)))
}

fn render(expected: &TapeRequest) -> Vec<String> {
    let mut lines = vec![format!("{} {}", expected.method, expected.target)];
    for (name, value) in &expected.headers {
        lines.push(header_line(name, value.as_deref()));
    }
    lines.extend(body_lines(&expected.body));
    lines
}

/// Renders `got` with the headers and in the kind of body that `expected` asks for.
fn render_like(expected: &TapeRequest, got: &Request, base: &str) -> Vec<String> {
    let mut lines = vec![format!("{} {}", got.method, got.target.replace(base, BASE))];
    for (name, _) in &expected.headers {
        let value = got.header(name).map(|value| value.replace(base, BASE));
        lines.push(header_line(name, value.as_deref()));
    }
    lines.extend(body_lines(&body_like(&expected.body, &got.body, base)));
    lines
}

/// `Name: value`; of credentials only the scheme.
fn header_line(name: &str, value: Option<&str>) -> String {
    match value {
        None => format!("{name} is absent"),
        Some(value) if name.eq_ignore_ascii_case("Authorization") => {
            let scheme = value.split_once(' ').map_or(value, |(scheme, _)| scheme);
            format!("{name}: {scheme} …")
        }
        Some(value) => format!("{name}: {value}"),
    }
}

/// Reads bytes from the wire as the kind of body that `model` is, with the server's URL as `{base}`.
pub fn body_like(model: &Body, bytes: &[u8], base: &str) -> Body {
    let Ok(text) = std::str::from_utf8(bytes) else { return Body::Bytes(bytes.into()) };
    let text = text.replace(base, BASE);
    match model {
        Body::Bytes(_) => Body::Bytes(bytes.into()),
        _ if text.is_empty() => Body::Empty,
        Body::Json(_) => serde_json::from_str(&text).map_or(Body::Text(text), Body::Json),
        Body::Xml(_) if roxmltree::Document::parse(&text).is_ok() => Body::Xml(text),
        _ => Body::Text(text),
    }
}

/// A body as lines that are equal exactly when the bodies mean the same.
pub fn body_lines(body: &Body) -> Vec<String> {
    match body {
        Body::Empty => Vec::new(),
        Body::Text(text) => text.split('\n').map(|line| format!("  {}", visible(line))).collect(),
        Body::Json(value) => json_lines(value),
        Body::Xml(text) => xml_lines(text).unwrap_or_else(|| body_lines(&Body::Text(text.clone()))),
        Body::Bytes(bytes) => {
            let text = base64::engine::general_purpose::STANDARD.encode(bytes);
            vec![format!("  {} bytes, base64: {text}", bytes.len())]
        }
    }
}

/// JSON on many lines, the members of objects in alphabetical order.
pub fn json_lines(value: &Value) -> Vec<String> {
    let mut sorted = value.clone();
    sorted.sort_all_objects();
    format!("{sorted:#}").lines().map(|line| format!("  {line}")).collect()
}

/// An XML document as one line per tag and text: names with their namespace, attributes in order of name, white
/// space between tags left out. `None` if it is not well-formed.
pub fn xml_lines(text: &str) -> Option<Vec<String>> {
    let document = roxmltree::Document::parse(text).ok()?;
    let mut lines = Vec::new();
    element_lines(document.root_element(), 1, &mut lines);
    Some(lines)
}

fn element_lines(element: roxmltree::Node<'_, '_>, depth: usize, lines: &mut Vec<String>) {
    let indent = "  ".repeat(depth);
    let name = |namespace: Option<&str>, local: &str| match namespace {
        Some(namespace) => format!("{{{namespace}}}{local}"),
        None => local.into(),
    };
    let mut attributes: Vec<String> = element
        .attributes()
        .map(|a| format!(" {}=\"{}\"", name(a.namespace(), a.name()), visible(a.value())))
        .collect();
    attributes.sort();
    let tag = name(element.tag_name().namespace(), element.tag_name().name());
    let open = format!("{indent}<{tag}{}>", attributes.concat());
    let has_elements = element.children().any(|c| c.is_element());
    if !has_elements {
        let text: String = element.children().filter_map(|c| c.text().filter(|_| c.is_text())).collect();
        lines.push(format!("{open}{}", visible(&text)));
        return;
    }
    lines.push(open);
    for child in element.children() {
        if child.is_element() {
            element_lines(child, depth + 1, lines);
        } else if child.is_text()
            && let Some(text) = child.text().filter(|t| !t.trim().is_empty())
        {
            lines.push(format!("{indent}  {}", visible(text)));
        }
    }
}

/// Shows control characters, so that a line break or a missing one can be seen.
fn visible(text: &str) -> String {
    let shown = |c: char| if c.is_control() && c != '\t' { c.escape_default().to_string() } else { c.into() };
    text.chars().map(shown).collect()
}

/// The request as it came, except for credentials and cookies.
pub fn dump(request: &Request) -> String {
    let mut out = format!("  {} {}\n", request.method, visible(&request.target));
    for (name, value) in &request.headers {
        let value = if name.eq_ignore_ascii_case("Cookie") { "…" } else { value };
        out.push_str(&format!("  {}\n", visible(&header_line(name, Some(value)))));
    }
    match std::str::from_utf8(&request.body) {
        Ok("") => {}
        Ok(text) => {
            out.push('\n');
            for line in text.lines() {
                out.push_str(&format!("  {}\n", visible(line)));
            }
        }
        Err(_) => out.push_str(&format!("\n  {} bytes\n", request.body.len())),
    }
    out
}

/// Table cells of the longest common subsequence beyond which a diff is all removed, then all added.
const DIFF_CELLS_MAX: usize = 4_000_000;

/// A line diff: `-` expected, `+` got, two spaces for what agrees.
pub fn diff(expected: &[String], got: &[String]) -> String {
    let prefix = expected.iter().zip(got).take_while(|(a, b)| a == b).count();
    let (left, right) = (&expected[prefix..], &got[prefix..]);
    let suffix = left.iter().rev().zip(right.iter().rev()).take_while(|(a, b)| a == b).count();
    let (left, right) = (&left[..left.len() - suffix], &right[..right.len() - suffix]);
    let mut out = String::from("- expected, + got:\n");
    let mut line = |mark: char, text: &str| out.push_str(&format!("{mark} {text}\n"));
    expected[..prefix].iter().for_each(|text| line(' ', text));
    let lengths = common_lengths(left, right);
    let (mut i, mut j) = (0, 0);
    while i < left.len() || j < right.len() {
        let common = |i: usize, j: usize| lengths.get(i * (right.len() + 1) + j).copied().unwrap_or(0);
        if i < left.len() && j < right.len() && left[i] == right[j] && !lengths.is_empty() {
            line(' ', &left[i]);
            (i, j) = (i + 1, j + 1);
        } else if i < left.len() && (j == right.len() || common(i + 1, j) >= common(i, j + 1)) {
            line('-', &left[i]);
            i += 1;
        } else {
            line('+', &right[j]);
            j += 1;
        }
    }
    expected[expected.len() - suffix..].iter().for_each(|text| line(' ', text));
    out
}

/// Lengths of the longest common subsequence of each pair of tails, row by row; empty if the table would be too large.
fn common_lengths(left: &[String], right: &[String]) -> Vec<u32> {
    let width = right.len() + 1;
    if (left.len() + 1).saturating_mul(width) > DIFF_CELLS_MAX {
        return Vec::new();
    }
    let mut lengths = vec![0_u32; (left.len() + 1) * width];
    for i in (0..left.len()).rev() {
        for j in (0..right.len()).rev() {
            lengths[i * width + j] = if left[i] == right[j] {
                lengths[(i + 1) * width + j + 1] + 1
            } else {
                lengths[(i + 1) * width + j].max(lengths[i * width + j + 1])
            };
        }
    }
    lengths
}
