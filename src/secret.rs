//! A secret that cannot be printed by accident.

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// A password, token or cookie. `Debug` and `Display` show `[redacted]`; there is no `Serialize`; the memory is
/// wiped when it is dropped. [`Secret::expose`] is the only way out.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(Zeroizing::new(text.into()))
    }

    /// The text itself, to be put where it has to go and nowhere else.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Compares in time that depends only on the length.
    pub fn is(&self, other: &str) -> bool {
        self.0.as_bytes().ct_eq(other.as_bytes()).into()
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

impl std::fmt::Display for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_printed() {
        let secret = Secret::new("hunter2");
        assert_eq!(
            format!("{secret} {secret:?} {:?}", Some(&secret)),
            "[redacted] [redacted] Some([redacted])"
        );
        assert!(secret.is("hunter2") && !secret.is("hunter3") && !secret.is("hunter"));
    }
}
