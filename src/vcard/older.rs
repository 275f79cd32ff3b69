//! Version 2.1 told in terms of 3.0: quoted-printable values, character sets and bare types.
//!
//! Such cards come from old phones. CardDAV servers refuse them on PUT, so they are read here and written as 3.0.

use crate::contentline::{Component, Fault, Line};

/// Values with parts between semicolons; in the others 2.1 escapes nothing.
const STRUCTURED: &[&str] = &["N", "ADR", "ORG"];

/// The card with its values decoded and its version raised.
pub(super) fn to_version_3(text: &str) -> Result<Component, Fault> {
    let read = Component::parse(&joined(text))?;
    let mut card = Component::new("VCARD");
    for line in read.all_lines() {
        card.push(match line.name().to_ascii_uppercase().as_str() {
            "VERSION" => Line::new("VERSION", "3.0"),
            _ if is_quoted_printable(line) => decoded(line),
            _ => line.clone().without("CHARSET"),
        });
    }
    Ok(card)
}

/// A quoted-printable value goes on in the next line behind a `=` at the end (RFC 2045 §6.7), without a space before it.
fn joined(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut is_soft = false;
    for line in text.split_inclusive('\n') {
        let bare = line.trim_end_matches(['\r', '\n']);
        let head = bare.split(':').next().unwrap_or_default().to_ascii_uppercase();
        is_soft = bare.ends_with('=') && (is_soft || head.contains("QUOTED-PRINTABLE"));
        if is_soft {
            out.push_str(&bare[..bare.len() - 1]);
        } else {
            out.push_str(line);
        }
    }
    out
}

fn is_quoted_printable(line: &Line) -> bool {
    let named = line.param("ENCODING").into_iter().chain(line.params_of("TYPE"));
    named.into_iter().any(|encoding| encoding.eq_ignore_ascii_case("QUOTED-PRINTABLE"))
}

fn decoded(line: &Line) -> Line {
    let charset = line.param("CHARSET").unwrap_or_default();
    let is_structured = STRUCTURED.iter().any(|name| line.is(name));
    let new = if is_structured {
        let parts: Vec<String> = line.raw_parts().map(|part| decode(part, charset)).collect();
        Line::structured(line.name(), parts.iter().map(String::as_str))
    } else {
        Line::text(line.name(), &decode(line.value(), charset))
    };
    new.with_params_of(line).without("ENCODING").without("CHARSET").in_group(line.group())
}

/// Quoted-printable (RFC 2045 §6.7) in UTF-8, or in Latin-1 where it says so or is no UTF-8.
fn decode(text: &str, charset: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let hex = |at: usize| behind.get(at).and_then(|b| (*b as char).to_digit(16));
        match (first, hex(0), hex(1)) {
            (b'=', Some(high), Some(low)) => {
                bytes.push((high * 16 + low) as u8);
                rest = &behind[2..];
            }
            (byte, ..) => {
                bytes.push(*byte);
                rest = behind;
            }
        }
    }
    let latin_1 = |bytes: &[u8]| bytes.iter().map(|byte| *byte as char).collect();
    if charset.to_ascii_uppercase().starts_with("ISO-8859") {
        return latin_1(&bytes);
    }
    String::from_utf8(bytes).unwrap_or_else(|error| latin_1(error.as_bytes()))
}
