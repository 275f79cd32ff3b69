//! `PHOTO`: bytes in the card, or the address of a picture (RFC 6350 §6.2.4, RFC 2426 §3.1.4).

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::Version;
use crate::contentline::Line;

/// Largest photo that is put into a card, in bytes: every device fetches it with the card.
pub const PHOTO_BYTES_MAX: usize = 1 << 20;

/// Takes base64 with and without padding at its end.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A picture of the person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Photo {
    /// In the card.
    Data { mime: String, base64: String },
    /// Somewhere else.
    Url(String),
}

impl Photo {
    /// Reads base64, a data URI (RFC 2397) or an http(s) address from outside. The error says what is wrong.
    pub fn parse(text: &str) -> Result<Photo, String> {
        let text = text.trim();
        if text.starts_with("http://") || text.starts_with("https://") {
            return Ok(Photo::Url(text.to_owned()));
        }
        let packed = match text.strip_prefix("data:") {
            Some(uri) => match uri.split_once(',') {
                Some((head, packed)) if head.ends_with(";base64") => packed,
                _ => return Err("the data URI must be `data:image/…;base64,…`".into()),
            },
            None => text,
        };
        if packed.len() > PHOTO_BYTES_MAX / 2 * 3 {
            return Err(format!("the photo is larger than {} kB", PHOTO_BYTES_MAX >> 10));
        }
        let packed: String = packed.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        let bytes = BASE64.decode(&packed).map_err(|error| format!("it is no base64: {error}"))?;
        if bytes.len() > PHOTO_BYTES_MAX {
            return Err(format!("the photo is larger than {} kB", PHOTO_BYTES_MAX >> 10));
        }
        let mime = media_type(&bytes).ok_or("it is no PNG, JPEG, GIF or WebP picture")?;
        Ok(Photo::Data { mime: mime.to_owned(), base64: BASE64.encode(bytes) })
    }

    /// Reads a line of a card; `None` if it is empty.
    pub(super) fn read(line: &Line) -> Option<Photo> {
        let value = line.to_text();
        let value = value.trim();
        if value.is_empty() {
            return None;
        }
        if let Some((head, packed)) = value.strip_prefix("data:").and_then(|uri| uri.split_once(',')) {
            let mime = head.split(';').next().unwrap_or_default().to_ascii_lowercase();
            return Some(Photo::Data { mime, base64: packed.to_owned() });
        }
        let is_uri = line.param("VALUE").is_some_and(|kind| kind.eq_ignore_ascii_case("uri"));
        if is_uri || value.contains("://") {
            return Some(Photo::Url(value.to_owned()));
        }
        let base64: String = value.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        let mut kinds = line.params_of("TYPE").map(str::to_ascii_lowercase);
        let mime = match kinds.find(|kind| !matches!(kind.as_str(), "b" | "base64" | "pref")) {
            Some(kind) if kind.contains('/') => kind,
            Some(kind) if kind == "jpg" => "image/jpeg".into(),
            Some(kind) => format!("image/{kind}"),
            None => {
                let start = base64.get(..24).and_then(|start| BASE64.decode(start).ok());
                start.and_then(|start| media_type(&start)).unwrap_or("image/jpeg").to_owned()
            }
        };
        Some(Photo::Data { mime, base64 })
    }

    /// The line for a card of this version: bytes in 3.0, a data URI in 4.0.
    pub(super) fn line(&self, version: Version) -> Line {
        match (self, version) {
            (Photo::Url(url), Version::V4) => Line::new("PHOTO", url),
            (Photo::Url(url), _) => Line::new("PHOTO", url).with("VALUE", "uri"),
            (Photo::Data { .. }, Version::V4) => Line::new("PHOTO", self.to_uri()),
            (Photo::Data { mime, base64 }, _) => {
                let kind = mime.rsplit('/').next().unwrap_or_default().to_ascii_uppercase();
                Line::new("PHOTO", base64).with("ENCODING", "b").with("TYPE", &kind)
            }
        }
    }

    /// A data URI, or the address.
    pub fn to_uri(&self) -> String {
        match self {
            Photo::Data { mime, base64 } => format!("data:{mime};base64,{base64}"),
            Photo::Url(url) => url.clone(),
        }
    }

    /// How large the picture is, where it is in the card.
    pub fn size_bytes(&self) -> usize {
        match self {
            Photo::Data { base64, .. } => base64.trim_end_matches('=').len() / 4 * 3,
            Photo::Url(_) => 0,
        }
    }
}

/// By the first bytes.
fn media_type(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0x89, b'P', b'N', b'G', ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'G', b'I', b'F', b'8', ..] => Some("image/gif"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        _ => None,
    }
}
