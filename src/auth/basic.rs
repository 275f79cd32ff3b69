//! User name and password as a request brings them (RFC 7617).

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

use crate::secret::Secret;

/// What to answer a request without credentials, or with wrong ones (RFC 7617 §2 and §2.1).
pub const CHALLENGE: &str = "Basic realm=\"Nextcloud\", charset=\"UTF-8\"";

/// Longest user name and longest password, in bytes. Nextcloud's own are 64 and 469 at most; directories have longer
/// names.
const PART_BYTES_MAX: usize = 1024;

/// Some clients leave the padding out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// User name and password, not judged yet.
#[derive(Clone, Debug)]
pub struct UserPass {
    /// The login name, which is not always the user id.
    pub name: String,
    pub password: Secret,
}

/// Why a value of `Authorization` holds no user name and password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// Of another scheme.
    OtherScheme,
    /// No base64, no UTF-8, no colon, a control character, an empty or an overlong part.
    Malformed,
}

impl UserPass {
    /// Reads the value of an `Authorization` header. The case of the scheme does not matter (RFC 9110 §11.1).
    pub fn parse(value: &str) -> Result<UserPass, Unreadable> {
        let (scheme, encoded) = value.split_once(' ').unwrap_or((value, ""));
        if !scheme.eq_ignore_ascii_case("basic") {
            return Err(Unreadable::OtherScheme);
        }
        let bytes = Zeroizing::new(BASE64.decode(encoded.trim()).map_err(|_| Unreadable::Malformed)?);
        let text = std::str::from_utf8(&bytes).map_err(|_| Unreadable::Malformed)?;
        let (name, password) = text.split_once(':').ok_or(Unreadable::Malformed)?;
        let is_good = |part: &str| {
            !part.is_empty() && part.len() <= PART_BYTES_MAX && !part.chars().any(char::is_control)
        };
        if !is_good(name) || !is_good(password) {
            return Err(Unreadable::Malformed);
        }
        Ok(UserPass { name: name.to_owned(), password: Secret::new(password) })
    }
}

#[cfg(test)]
mod tests {
    use base64::prelude::BASE64_STANDARD;

    use super::*;

    fn read(text: &str) -> Result<(String, String), Unreadable> {
        let value = format!("Basic {}", BASE64_STANDARD.encode(text));
        UserPass::parse(&value).map(|read| (read.name, read.password.expose().to_owned()))
    }

    #[test]
    fn the_name_ends_at_the_first_colon() {
        assert_eq!(read("alice:a:b"), Ok(("alice".into(), "a:b".into())));
        assert_eq!(read("älice@example.org:pässword"), Ok(("älice@example.org".into(), "pässword".into())));
    }

    #[test]
    fn the_scheme_has_any_case_and_padding_may_be_missing() {
        for value in ["Basic YWxpY2U6eA==", "basic YWxpY2U6eA", "BASIC  YWxpY2U6eA="] {
            assert_eq!(UserPass::parse(value).map(|read| read.name), Ok("alice".into()), "{value}");
        }
    }

    #[test]
    fn what_is_no_name_and_password_is_refused() {
        for text in ["alice", ":x", "alice:", "", "a\nb:x", "a:x\0"] {
            assert_eq!(read(text), Err(Unreadable::Malformed), "{text:?}");
        }
        assert_eq!(read(&format!("a:{}", "x".repeat(PART_BYTES_MAX + 1))), Err(Unreadable::Malformed));
        for value in ["Basic", "Basic ", "Basic !!!", "Basic /w=="] {
            assert_eq!(UserPass::parse(value).unwrap_err(), Unreadable::Malformed, "{value}");
        }
        for value in ["Bearer YWxpY2U6eA==", "", "Basically YWxpY2U6eA=="] {
            assert_eq!(UserPass::parse(value).unwrap_err(), Unreadable::OtherScheme, "{value}");
        }
    }

    #[test]
    fn a_password_is_not_printed() {
        let read = UserPass::parse("Basic YWxpY2U6aHVudGVyMg==").unwrap();
        assert_eq!(read.password.expose(), "hunter2");
        assert!(!format!("{read:?}").contains("hunter2"));
    }
}
