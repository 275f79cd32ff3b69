//! (being written)
use std::borrow::Cow;
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Auto,
    Text,
    Json,
    Journald,
}
pub fn escape(text: &str) -> Cow<'_, str> {
    Cow::Owned(text.escape_default().to_string())
}
