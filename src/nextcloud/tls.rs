//! Which certificates are trusted: the host's, and a private CA's where one is configured.

use std::path::Path;

use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use super::SettingsError;

/// Reads the certificates of a PEM file. Fails if the file cannot be read, holds none, or holds one that is
/// broken: skipping it silently would only show as a failed handshake later.
pub(super) fn read_bundle(path: &Path) -> Result<Vec<Certificate<'static>>, SettingsError> {
    let fault = |why: String| SettingsError::CaBundle { path: path.to_owned(), why };
    let pem = std::fs::read(path).map_err(|e| fault(e.to_string()))?;
    let (mut certificates, mut broken) = (Vec::new(), 0);
    for item in parse_pem(&pem) {
        match item {
            Ok(PemItem::Certificate(certificate)) if is_der_sequence(certificate.der()) => {
                certificates.push(certificate);
            }
            Ok(PemItem::Certificate(_)) | Err(_) => broken += 1,
            Ok(_) => {}
        }
    }
    match (certificates.len(), broken) {
        (0, 0) => Err(fault("no certificate in it; a PEM file with BEGIN CERTIFICATE is expected".into())),
        (_, 0) => Ok(certificates),
        (good, bad) => Err(fault(format!("{bad} of its {} certificates cannot be read", good + bad))),
    }
}

/// Whether the bytes are one DER SEQUENCE of their exact length, as each certificate is (X.690 §8.1.3).
fn is_der_sequence(der: &[u8]) -> bool {
    let [0x30, first, rest @ ..] = der else { return false };
    match *first {
        short @ 0..=0x7f => rest.len() == usize::from(short),
        long @ 0x81..=0x84 => {
            let count = usize::from(long & 0x7f);
            rest.len() > count
                && rest[..count].iter().fold(0, |n, b| n << 8 | usize::from(*b)) == rest.len() - count
        }
        _ => false,
    }
}

/// Trust in the host's roots (`/etc/ssl`, `SSL_CERT_FILE`, `SSL_CERT_DIR`) and in `extra`. Takes some ten
/// milliseconds, so it is done with the first https request.
pub(super) fn config(extra: &[Certificate<'static>]) -> TlsConfig {
    let found = rustls_native_certs::load_native_certs();
    if !found.errors.is_empty() {
        log::warn!("Some of the host's root certificates cannot be read. count={}", found.errors.len());
    }
    let roots: Vec<Certificate<'static>> = found
        .certs
        .iter()
        .map(|c| Certificate::from_der(c).to_owned())
        .chain(extra.iter().cloned())
        .collect();
    if roots.is_empty() {
        log::warn!("No root certificates on this host: install ca-certificates or set NEXTCLOUD_CA_BUNDLE.");
    }
    TlsConfig::builder().root_certs(RootCerts::from(roots)).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file that is removed at the end of the test.
    struct Scratch(std::path::PathBuf);

    impl Scratch {
        fn new(name: &str, text: &str) -> Scratch {
            let path = std::env::temp_dir().join(format!("nextcloud-tls-{}-{name}", std::process::id()));
            std::fs::write(&path, text).expect("scratch file");
            Scratch(path)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }

    const GOOD: &str = "-----BEGIN CERTIFICATE-----\nMAMCAQE=\n-----END CERTIFICATE-----\n";
    const BROKEN: &str = "-----BEGIN CERTIFICATE-----\nMAUCAQE=\n-----END CERTIFICATE-----\n";

    #[test]
    fn a_bundle_is_read_whole_or_not_at_all() {
        let good = Scratch::new("good", &GOOD.repeat(2));
        assert_eq!(read_bundle(&good.0).map(|c| c.len()).ok(), Some(2));
        let mixed = Scratch::new("mixed", &format!("{GOOD}{BROKEN}"));
        let error = read_bundle(&mixed.0).expect_err("one is broken").to_string();
        assert!(error.contains("1 of its 2 certificates cannot be read"), "{error}");
        let none = Scratch::new("none", "hello");
        assert!(read_bundle(&none.0).is_err());
        assert!(read_bundle(Path::new("/nonexistent/ca.pem")).is_err());
    }

    #[test]
    fn a_certificate_is_one_der_sequence() {
        assert!(is_der_sequence(&[0x30, 3, 2, 1, 1]));
        assert!(is_der_sequence(&[&[0x30, 0x81, 0x80][..], &[0; 0x80]].concat()));
        for bad in [&[][..], &[0x30], &[0x30, 4, 2, 1, 1], &[0x31, 0], &[0x30, 0x82, 1], &[0x30, 0x80, 0, 0]]
        {
            assert!(!is_der_sequence(bad), "{bad:?}");
        }
    }
}
