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
