//! Chunked bodies, decoded as they arrive (RFC 9112, section 7.1).

use super::head::Refusal;

/// A chunk-size line with its extensions, without CR LF.
const LINE_BYTES_MAX: usize = 256;
const TRAILERS_MAX: usize = 16;
/// All trailers together.
const TRAILER_BYTES_MAX: usize = 8 * 1024;

/// Takes the chunks apart. Extensions and trailers are checked and dropped.
pub(super) struct Chunked {
    state: State,
    /// Bytes of the whole body that are still allowed.
    room: u64,
    /// Bytes of the current chunk that are still to come.
    size: u64,
    line_bytes: usize,
    trailers: usize,
    trailer_bytes: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    SizeStart,
    Size,
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    TrailerStart,
    TrailerName,
    TrailerValue,
    TrailerLf,
    EndLf,
    Done,
}

impl Chunked {
    pub fn new(body_bytes_max: usize) -> Chunked {
        Chunked {
            state: State::SizeStart,
            room: body_bytes_max as u64,
            size: 0,
            line_bytes: 0,
            trailers: 0,
            trailer_bytes: 0,
        }
    }

    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Decodes `input` onto the end of `body` and tells how many bytes it used: all of them, or up to the body's end.
    pub fn decode(&mut self, input: &[u8], body: &mut Vec<u8>) -> Result<usize, Refusal> {
        let mut at = 0;
        while at < input.len() && self.state != State::Done {
            if self.state == State::Data {
                let available = input.len() - at;
                let count = usize::try_from(self.size).map_or(available, |size| size.min(available));
                body.extend_from_slice(&input[at..at + count]);
                at += count;
                self.size -= count as u64;
                if self.size == 0 {
                    self.state = State::DataCr;
                }
            } else {
                self.step(input[at])?;
                at += 1;
            }
        }
        Ok(at)
    }

    fn step(&mut self, byte: u8) -> Result<(), Refusal> {
        self.state = match (self.state, byte) {
            (State::SizeStart | State::Size, byte) if byte.is_ascii_hexdigit() => {
                self.count_line_byte()?;
                self.add_digit(byte)?;
                State::Size
            }
            (State::Size | State::Extension, b'\r') => State::SizeLf,
            (State::Size, b';') | (State::Extension, b'\t' | b' '..=b'~') => {
                self.count_line_byte()?;
                State::Extension
            }
            (State::SizeLf, b'\n') => {
                self.line_bytes = 0;
                self.room -= self.size;
                if self.size == 0 { State::TrailerStart } else { State::Data }
            }
            (State::DataCr, b'\r') => State::DataLf,
            (State::DataLf, b'\n') => State::SizeStart,
            (State::TrailerStart, b'\r') => State::EndLf,
            (State::TrailerStart, byte) if is_token(byte) => {
                self.trailers += 1;
                self.count_trailer_byte()?;
                State::TrailerName
            }
            (State::TrailerName, byte) if is_token(byte) || byte == b':' => {
                self.count_trailer_byte()?;
                if byte == b':' { State::TrailerValue } else { State::TrailerName }
            }
            (State::TrailerValue, b'\t' | b' '..=b'~') => {
                self.count_trailer_byte()?;
                State::TrailerValue
            }
            (State::TrailerValue, b'\r') => State::TrailerLf,
            (State::TrailerLf, b'\n') => State::TrailerStart,
            (State::EndLf, b'\n') => State::Done,
            _ => return Err(Refusal::new(400, "The chunked body is malformed.")),
        };
        Ok(())
    }

    fn add_digit(&mut self, digit: u8) -> Result<(), Refusal> {
        let value = char::from(digit).to_digit(16).map_or(0, u64::from);
        self.size = self.size.saturating_mul(16).saturating_add(value);
        if self.size > self.room {
            return Err(TOO_LARGE);
        }
        Ok(())
    }

    fn count_line_byte(&mut self) -> Result<(), Refusal> {
        self.line_bytes += 1;
        if self.line_bytes > LINE_BYTES_MAX {
            return Err(Refusal::new(400, "A chunk-size line is too long."));
        }
        Ok(())
    }

    fn count_trailer_byte(&mut self) -> Result<(), Refusal> {
        self.trailer_bytes += 1;
        if self.trailers > TRAILERS_MAX || self.trailer_bytes > TRAILER_BYTES_MAX {
            return Err(Refusal::new(431, "The trailers of the chunked body are too many or too long."));
        }
        Ok(())
    }
}

pub(super) const TOO_LARGE: Refusal =
    Refusal::new(413, "The request body is too large: send it in smaller parts.");

/// A character of a token (RFC 9110, section 5.6.2).
pub(super) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Decodes pieces; gives the body and how many bytes it took, or `None` if it has not ended.
    fn decode(bytes: &[u8], cuts: &[usize]) -> Result<Option<(Vec<u8>, usize)>, Refusal> {
        let mut chunked = Chunked::new(1000);
        let mut body = Vec::new();
        let mut at = 0;
        for end in cuts.iter().map(|cut| cut % (bytes.len() + 1)).chain([bytes.len()]) {
            while at < end && !chunked.is_done() {
                at += chunked.decode(&bytes[at..end], &mut body)?;
            }
        }
        Ok(chunked.is_done().then_some((body, at)))
    }

    #[test]
    fn chunks_are_put_together_and_what_follows_is_left() {
        let bytes = b"5;name=\"v\"\r\nhello\r\n006\r\n world\r\n0\r\nA: b\r\nC:\r\n\r\nGET";
        let (body, used) = decode(bytes, &[]).expect("good chunks").expect("all of them");
        assert_eq!((&body[..], &bytes[used..]), (&b"hello world"[..], &b"GET"[..]));
        assert_eq!(decode(b"0\r\n\r\n", &[]), Ok(Some((vec![], 5))));
        assert_eq!(decode(b"5\r\nhel", &[]), Ok(None));
    }

    #[test]
    fn malformed_chunks_are_refused() {
        let extension = |length: usize| format!("1;{}\r\na\r\n0\r\n\r\n", "e".repeat(length)).into_bytes();
        let trailers = |count: usize| format!("0\r\n{}\r\n", "A: b\r\n".repeat(count)).into_bytes();
        assert!(matches!(decode(&extension(254), &[]), Ok(Some(_))));
        assert!(matches!(decode(&trailers(16), &[]), Ok(Some(_))));
        for (bytes, expected) in [
            (b"\r\n".to_vec(), 400),
            (b"x\r\n".to_vec(), 400),
            (b"-1\r\n".to_vec(), 400),
            (b"+1\r\n".to_vec(), 400),
            (b"0x1\r\n".to_vec(), 400),
            (b" 1\r\n".to_vec(), 400),
            (b"1 \r\n".to_vec(), 400),
            (b"1\n".to_vec(), 400),
            (b"1\ra".to_vec(), 400),
            (b"1\r\nab".to_vec(), 400),
            (b"1\r\na\n".to_vec(), 400),
            (b"1;\x01\r\n".to_vec(), 400),
            (b"3e9\r\n".to_vec(), 413),
            (b"ffffffffffffffffff\r\n".to_vec(), 413),
            ([b"3e8\r\n".to_vec(), vec![0; 1000], b"\r\n1\r\n".to_vec()].concat(), 413),
            (b"0\r\nno colon\r\n\r\n".to_vec(), 400),
            (b"0\r\n folded: x\r\n\r\n".to_vec(), 400),
            (b"0\r\nA: b\n\r\n".to_vec(), 400),
            (extension(255), 400),
            (trailers(17), 431),
            (format!("0\r\nA: {}", "b".repeat(TRAILER_BYTES_MAX)).into_bytes(), 431),
            (vec![b'0'; 1000], 400),
        ] {
            let status = decode(&bytes, &[]).map_err(|refusal| refusal.status);
            assert_eq!(status, Err(expected), "{}", bytes.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn any_body_survives_being_chunked_and_split(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..12),
            mut cuts in prop::collection::vec(0_usize..800, 0..8),
        ) {
            let mut bytes = Vec::new();
            for chunk in &chunks {
                bytes.extend_from_slice(format!("{:X}\r\n", chunk.len()).as_bytes());
                bytes.extend_from_slice(chunk);
                bytes.extend_from_slice(b"\r\n");
            }
            bytes.extend_from_slice(b"0\r\n\r\n");
            let used = bytes.len();
            bytes.extend_from_slice(b"next");
            cuts.sort_unstable();
            prop_assert_eq!(decode(&bytes, &cuts), Ok(Some((chunks.concat(), used))));
        }

        #[test]
        fn chunks_read_the_same_however_they_are_split(
            bytes in "[0-9a-f;:\r\nA]{0,40}|([0-4]\r\n[a-c]{0,4}\r\n){0,5}0\r\n(A: b\r\n)?\r\n",
        ) {
            let every_byte = (0..bytes.len()).collect::<Vec<_>>();
            prop_assert_eq!(decode(bytes.as_bytes(), &every_byte), decode(bytes.as_bytes(), &[]));
        }

        #[test]
        fn no_bytes_make_the_chunk_decoder_panic_or_exceed_its_limit(bytes in prop::collection::vec(any::<u8>(), 0..3000)) {
            let mut body = Vec::new();
            let _ = Chunked::new(100).decode(&bytes, &mut body);
            prop_assert!(body.len() <= 100);
        }
    }
}
