//! The key that seals: given, lying beside the database, or made at the first start.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use rusqlite::{OptionalExtension, Transaction};
use zeroize::Zeroizing;

use crate::clock::Ids;
use crate::secret::Secret;

use super::error::{Error, Failure};
use super::file;
use super::seal::{Place, Sealer, Unsealable};

/// 32 bytes from which the sealing key is derived. Wiped when dropped; never printed.
pub(super) struct Key(pub(super) Zeroizing<[u8; 32]>);

const BASE64URL: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Text by which a key knows its database.
const CHECK: &[u8] = b"nextcloud-mcp-server";
const CHECK_PLACE: Place<'static> = Place { table: "key_check", row: &[], column: "sealed" };

const FILE_BYTES_MAX: u64 = 1024;

impl Key {
    /// Reads `TOKEN_ENCRYPTION_KEY`.
    pub(super) fn parse_setting(text: &Secret) -> Result<Key, Error> {
        Key::parse(text.expose()).ok_or(Error::KeySetting)
    }

    /// 32 bytes in base64url, with or without padding (Fernet's form), or in plain base64 as openssl writes it.
    pub(super) fn parse(text: &str) -> Option<Key> {
        let text = Zeroizing::new(text.trim().replace('+', "-").replace('/', "_"));
        // One byte more than a key has, so that a longer one does not fit instead of being cut.
        let mut bytes = Zeroizing::new([0_u8; 36]);
        let length = BASE64URL.decode_slice(text.as_bytes(), &mut *bytes).ok()?;
        let key: [u8; 32] = bytes.get(..length)?.try_into().ok()?;
        Some(Key(Zeroizing::new(key)))
    }

    fn random(ids: &Ids) -> Result<Key, Failure> {
        let mut bytes = Zeroizing::new([0_u8; 32]);
        ids.fill(&mut *bytes)?;
        Ok(Key(bytes))
    }

    fn encode(&self) -> Zeroizing<String> {
        Zeroizing::new(BASE64URL.encode(*self.0))
    }
}

/// Finds the key of the database at `path` and makes sure that it is the right one. Makes one only where the database
/// has never had any; then tells where it lies.
///
/// Stands inside the migration's transaction, so that of several processes that start at once one makes the key.
pub(super) fn settle(
    transaction: &Transaction<'_>,
    path: &Path,
    given: Option<Key>,
    ids: &Ids,
) -> Result<(Key, Option<PathBuf>), Failure> {
    let key_path = file::beside(path, ".key");
    let known = match given {
        Some(key) => Some(key),
        None => read(&key_path)?,
    };
    let check: Option<Vec<u8>> =
        transaction.query_row("SELECT sealed FROM key_check", [], |row| row.get(0)).optional()?;
    match (check, known) {
        (Some(check), Some(key)) => {
            compare(&Sealer::new(&key, ids), &check, path)?;
            Ok((key, None))
        }
        (Some(_), None) => Err(Error::KeyMissing { path: path.to_owned(), key_path }.into()),
        (None, Some(key)) => {
            record(transaction, &key, ids)?;
            Ok((key, None))
        }
        (None, None) => {
            let key = Key::random(ids)?;
            write(&key_path, &key)?;
            record(transaction, &key, ids)?;
            Ok((key, Some(key_path)))
        }
    }
}

fn compare(sealer: &Sealer, check: &[u8], path: &Path) -> Result<(), Error> {
    match sealer.open(&CHECK_PLACE, check) {
        Ok(text) if *text == CHECK => Ok(()),
        Err(Unsealable::OtherKey) => Err(Error::KeyWrong { path: path.to_owned() }),
        Ok(_) | Err(Unsealable::Changed) => Err(Error::Tampered {
            path: path.to_owned(),
            table: CHECK_PLACE.table,
            column: CHECK_PLACE.column,
        }),
    }
}

fn record(transaction: &Transaction<'_>, key: &Key, ids: &Ids) -> Result<(), Failure> {
    let sealed = Sealer::new(key, ids).seal(&CHECK_PLACE, CHECK)?;
    transaction.execute("INSERT INTO key_check (id, sealed) VALUES (1, ?1)", [sealed])?;
    Ok(())
}

fn read(path: &Path) -> Result<Option<Key>, Error> {
    if !file::is_sound(path)? {
        return Ok(None);
    }
    let mut text = Zeroizing::new(String::new());
    OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW)
        .open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX).read_to_string(&mut text))
        .map_err(|source| match source.kind() {
            io::ErrorKind::InvalidData => Error::KeyFile { path: path.to_owned() },
            _ => Error::File { path: path.to_owned(), source },
        })?;
    Key::parse(&text).map(Some).ok_or_else(|| Error::KeyFile { path: path.to_owned() })
}

/// Writes the key under another name first: a crash leaves a whole key or none.
fn write(path: &Path, key: &Key) -> Result<(), Error> {
    let draft = file::beside(path, ".new");
    let put = || {
        match fs::remove_file(&draft) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        let mut file = file::create_private(&draft)?;
        file.write_all(key.encode().as_bytes())?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        fs::rename(&draft, path)?;
        // Not every file system can sync a folder; those that can then have the new name after a power cut.
        if let Some(folder) = path.parent() {
            let _ = File::open(folder).and_then(|folder| folder.sync_all());
        }
        Ok(())
    };
    put().map_err(|source| file::not_made(path, source))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_usual_form_of_a_key_is_read() {
        let bytes: [u8; 32] = std::array::from_fn(|i| 0xff - (i as u8) * 3);
        let padded = BASE64URL.encode(bytes);
        assert_eq!(padded.len(), 44);
        let openssl = padded.replace('-', "+").replace('_', "/");
        assert_ne!(padded, openssl);
        for text in [&padded, &openssl, padded.trim_end_matches('='), &format!(" {padded}\r\n")] {
            assert_eq!(*Key::parse(text).expect(text).0, bytes, "{text}");
        }
    }

    #[test]
    fn what_is_no_key_is_refused_whatever_its_length() {
        let of = |length: usize| BASE64URL.encode(vec![7_u8; length]);
        for text in ["", "secret", &of(16), &of(31), &of(33), &of(35), &of(36), &of(64), &"é".repeat(22)] {
            assert!(Key::parse(text).is_none(), "{text}");
        }
        let hex = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
        assert!(Key::parse(hex).is_none(), "hexadecimal digits are base64 of something else");
    }

    #[test]
    fn a_made_key_reads_back() {
        let key = Key::random(&Ids::random()).ok().expect("randomness");
        assert_eq!(*Key::parse(&key.encode()).expect("parses").0, *key.0);
    }
}
