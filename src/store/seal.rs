//! Sealing of secrets: HKDF-SHA256 (RFC 5869) makes the key, AES-256-GCM (NIST SP 800-38D) seals.
//!
//! A sealed value is `version (1) | key id (4) | nonce (12) | ciphertext | tag (16)`. The key id says by which key it
//! was sealed, so that keys can change later. Version, key id and the value's place are authenticated with it: a value
//! that is copied to another row or column does not open.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, KeyType, Salt};
use zeroize::Zeroizing;

use crate::clock::{Ids, NoRandomness};

use super::key::Key;

/// Seals and opens with one key.
pub(super) struct Sealer {
    key: LessSafeKey,
    key_id: [u8; KEY_ID_LEN],
    ids: Ids,
}

/// Where a sealed value stands.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) table: &'static str,
    /// What names the row, and what decides where its secret will be sent.
    pub(super) row: &'a [&'a str],
    pub(super) column: &'static str,
}

/// Why a sealed value does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unsealable {
    /// It was sealed with another key.
    OtherKey,
    /// It was changed, cut, or comes from another place.
    Changed,
}

const VERSION: u8 = 1;
const KEY_ID_LEN: usize = 4;
const HEADER_LEN: usize = 1 + KEY_ID_LEN;
const SALT: &[u8] = b"nextcloud-mcp-server store";

impl Sealer {
    pub(super) fn new(key: &Key, ids: &Ids) -> Sealer {
        let sealing: Zeroizing<[u8; 32]> = derive(key, b"seal 1");
        let unbound = UnboundKey::new(&AES_256_GCM, &*sealing).expect("AES-256 takes any 32 bytes");
        Sealer { key: LessSafeKey::new(unbound), key_id: *derive(key, b"key id 1"), ids: ids.clone() }
    }

    /// Seals `plain` for this place; 33 bytes longer than it. A random nonce is safe for 2^32 values (SP 800-38D §8.3).
    pub(super) fn seal(&self, place: &Place<'_>, plain: &[u8]) -> Result<Vec<u8>, NoRandomness> {
        let header = self.header();
        let mut nonce = [0_u8; NONCE_LEN];
        self.ids.fill(&mut nonce)?;
        let mut sealed = Vec::with_capacity(HEADER_LEN + NONCE_LEN + plain.len() + AES_256_GCM.tag_len());
        sealed.extend_from_slice(&header);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plain);
        let aad = Aad::from(place.associated_data(&header));
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self
            .key
            .seal_in_place_separate_tag(nonce, aad, &mut sealed[HEADER_LEN + NONCE_LEN..])
            .expect("what is stored is far below the 64 GiB of GCM");
        sealed.extend_from_slice(tag.as_ref());
        Ok(sealed)
    }

    /// Opens what was sealed for this place.
    pub(super) fn open(&self, place: &Place<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Unsealable> {
        let (header, rest) = sealed.split_first_chunk::<HEADER_LEN>().ok_or(Unsealable::Changed)?;
        if header[0] != VERSION {
            return Err(Unsealable::Changed);
        }
        if *header != self.header() {
            return Err(Unsealable::OtherKey);
        }
        let (nonce, body) = rest.split_first_chunk::<NONCE_LEN>().ok_or(Unsealable::Changed)?;
        let mut body = Zeroizing::new(body.to_vec());
        let aad = Aad::from(place.associated_data(header));
        let length = self
            .key
            .open_in_place(Nonce::assume_unique_for_key(*nonce), aad, &mut body)
            .map_err(|_| Unsealable::Changed)?
            .len();
        body.truncate(length);
        Ok(body)
    }

    fn header(&self) -> [u8; HEADER_LEN] {
        let mut header = [VERSION; HEADER_LEN];
        header[1..].copy_from_slice(&self.key_id);
        header
    }
}

impl Place<'_> {
    /// Each part after its length, so that no two places read alike.
    fn associated_data(&self, header: &[u8]) -> Vec<u8> {
        let mut data = header.to_vec();
        for part in [self.table, self.column].iter().chain(self.row) {
            data.extend_from_slice(&(part.len() as u64).to_be_bytes());
            data.extend_from_slice(part.as_bytes());
        }
        data
    }
}

fn derive<const N: usize>(key: &Key, purpose: &[u8]) -> Zeroizing<[u8; N]> {
    struct Bytes(usize);
    impl KeyType for Bytes {
        fn len(&self) -> usize {
            self.0
        }
    }
    let mut out = Zeroizing::new([0_u8; N]);
    let prk = Salt::new(HKDF_SHA256, SALT).extract(&*key.0);
    prk.expand(&[purpose], Bytes(N))
        .and_then(|okm| okm.fill(&mut *out))
        .expect("HKDF-SHA256 gives up to 8,160 bytes");
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PLACE: Place<'static> = Place { table: "oauth_client", row: &["a", "b"], column: "client_secret" };

    fn sealer(byte: u8) -> Sealer {
        Sealer::new(&Key(Zeroizing::new([byte; 32])), &Ids::random())
    }

    proptest! {
        #[test]
        fn what_was_sealed_opens_and_looks_random(plain: Vec<u8>) {
            let sealer = sealer(1);
            let sealed = sealer.seal(&PLACE, &plain).expect("randomness");
            prop_assert_eq!(sealed.len(), plain.len() + 33);
            prop_assert_eq!(&*sealer.open(&PLACE, &sealed).expect("opens"), &plain);
            prop_assert_ne!(&sealed, &sealer.seal(&PLACE, &plain).expect("randomness"));
        }

        #[test]
        fn any_flipped_bit_is_refused(plain: Vec<u8>, at: prop::sample::Index, bit in 0..8_u32) {
            let sealer = sealer(1);
            let mut sealed = sealer.seal(&PLACE, &plain).expect("randomness");
            let at = at.index(sealed.len());
            sealed[at] ^= 1 << bit;
            prop_assert!(sealer.open(&PLACE, &sealed).is_err());
        }

        #[test]
        fn any_cut_is_refused(plain: Vec<u8>, at: prop::sample::Index) {
            let sealer = sealer(1);
            let sealed = sealer.seal(&PLACE, &plain).expect("randomness");
            prop_assert!(sealer.open(&PLACE, &sealed[..at.index(sealed.len())]).is_err());
        }
    }

    #[test]
    fn a_value_opens_in_its_own_place_only() {
        let sealer = sealer(1);
        let sealed = sealer.seal(&PLACE, b"secret").expect("randomness");
        for other in [
            Place { table: "oauth_grant", ..PLACE },
            Place { column: "registration_access_token", ..PLACE },
            Place { row: &["a", "c"], ..PLACE },
            Place { row: &["ab"], ..PLACE },
            Place { row: &["ab", ""], ..PLACE },
            Place { row: &["a", "b", ""], ..PLACE },
        ] {
            assert_eq!(sealer.open(&other, &sealed).err(), Some(Unsealable::Changed));
        }
    }

    #[test]
    fn another_key_is_told_from_a_changed_value() {
        let sealed = sealer(1).seal(&PLACE, b"secret").expect("randomness");
        assert_eq!(sealer(2).open(&PLACE, &sealed).err(), Some(Unsealable::OtherKey));
    }

    /// Computed independently, with Python's `hmac` and `cryptography`.
    #[test]
    fn the_format_does_not_change_between_versions() {
        let sealer = Sealer::new(&Key(Zeroizing::new([1; 32])), &Ids::counting());
        let sealed = sealer.seal(&PLACE, b"secret").expect("randomness");
        let hex: String = sealed.iter().map(|byte| format!("{byte:02x}")).collect();
        let (header, nonce) = ("0188cfc2ac", "000000000000000000000001");
        assert_eq!(hex, format!("{header}{nonce}64757a8e121ac63f6e0b53ec8c9ad731bd62ce1c339e"));
    }
}
