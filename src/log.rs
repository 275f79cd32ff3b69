//! The log: one line per event on standard error, whatever the event says.
//!
//! File names, titles and header values come from other people. Written raw, a name with a line break forges a log line
//! and an escape code reaches the terminal. So a line is made here: control characters and direction overrides are
//! escaped, long messages are cut, journald gets its priority. simplelog then writes it.

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::io::{self, Write};

use log::{Level, LevelFilter, Log, Metadata, Record};
use simplelog::{ConfigBuilder, WriteLogger};

use crate::clock::{Clock, Timestamp};

/// How a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `Journald` where standard error is the journal, else `Text`.
    Auto,
    /// `2026-11-23T23:32:31.042Z INFO http: message`
    Text,
    /// One object a line: `time`, `level`, `target`, `message`.
    Json,
    /// `<6>http: message`; the journal has the time (sd-daemon(3)).
    Journald,
}

/// Makes the lines and passes them to simplelog, which writes them to `W`.
pub struct Logger<W: Write + Send + 'static> {
    level: LevelFilter,
    format: Format,
    clock: Clock,
    inner: Box<WriteLogger<W>>,
}

/// Sends the log of this program to standard error. Does nothing where a log is already set up.
pub fn install(level: LevelFilter, format: Format, clock: Clock) {
    let format = match format {
        Format::Auto if stderr_is_journal() => Format::Journald,
        Format::Auto => Format::Text,
        chosen => chosen,
    };
    let logger = Logger::new(level, format, clock, LineWriter::new(io::stderr()));
    if log::set_boxed_logger(Box::new(logger)).is_ok() {
        log::set_max_level(level);
        log_panics();
    }
}

/// Panics become log lines: the standard message is written raw and in several pieces.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let payload = panic.payload();
        let text = payload.downcast_ref::<&str>().copied();
        let message =
            text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or_default();
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        log::error!("panic at={place} message={message}");
    }));
}

impl<W: Write + Send + 'static> Logger<W> {
    /// A logger that is not installed. `format` counts as `Text` where it is `Auto`.
    pub fn new(level: LevelFilter, format: Format, clock: Clock, writer: W) -> Logger<W> {
        let message_only = ConfigBuilder::new()
            .set_max_level(LevelFilter::Off)
            .set_time_level(LevelFilter::Off)
            .set_target_level(LevelFilter::Off)
            .set_thread_level(LevelFilter::Off)
            .set_location_level(LevelFilter::Off)
            .build();
        Logger { level, format, clock, inner: WriteLogger::new(level, message_only, writer) }
    }
}

impl<W: Write + Send + 'static> Log for Logger<W> {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let level = metadata.level();
        level <= self.level && (level <= Level::Warn || is_ours(metadata.target()))
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let line = line(self.format, self.clock.now(), record.level(), record.target(), record.args());
        self.inner.log(&Record::builder().level(record.level()).args(format_args!("{line}")).build());
    }

    fn flush(&self) {
        self.inner.flush();
    }
}

const CRATE: &str = "nextcloud_mcp_server";

/// Other crates say much at the lower levels, URLs among it: they get a hearing from `warn` on.
fn is_ours(target: &str) -> bool {
    target.strip_prefix(CRATE).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// One line without its line break. Holds no control character, whatever `args` holds.
fn line(format: Format, time: Timestamp, level: Level, target: &str, args: &fmt::Arguments<'_>) -> String {
    let mut message = Escaped::cut_at(MESSAGE_BYTES_MAX);
    let _ = write!(message, "{args}");
    let message = message.finish();
    let module = target.strip_prefix(CRATE).map_or(target, |rest| rest.trim_start_matches("::"));
    let module = escape(if module.is_empty() { "main" } else { module });
    match format {
        Format::Auto | Format::Text => format!("{} {level:5} {module}: {message}", time.rfc3339()),
        Format::Journald => format!("<{}>{module}: {message}", priority(level)),
        Format::Json => serde_json::json!({
            "time": time.rfc3339(),
            "level": level.as_str().to_ascii_lowercase(),
            "target": module,
            "message": message,
        })
        .to_string(),
    }
}

/// Severity of syslog (RFC 5424 § 6.2.1).
fn priority(level: Level) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    }
}

const MESSAGE_BYTES_MAX: usize = 2048;

/// `text` on one line: control characters, line separators and direction overrides as `\n`, `\u{1b}`, `\u{202e}`.
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut escaped = Escaped::cut_at(usize::MAX);
    let _ = escaped.write_str(text);
    Cow::Owned(escaped.finish())
}

fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            // Direction marks, embeddings, overrides and isolates (Unicode UAX #9, "Trojan Source").
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
            // Line and paragraph separator; invisible tag characters.
            | '\u{2028}' | '\u{2029}' | '\u{e0000}'..='\u{e007f}')
}

/// Collects text, escaped, up to a number of bytes, and counts what it leaves out.
struct Escaped {
    text: String,
    bytes_max: usize,
    left_out_bytes: usize,
}

impl Escaped {
    fn cut_at(bytes_max: usize) -> Escaped {
        Escaped { text: String::new(), bytes_max, left_out_bytes: 0 }
    }

    fn finish(mut self) -> String {
        if self.left_out_bytes > 0 {
            let _ = write!(self.text, "… ({} bytes more)", self.left_out_bytes);
        }
        self.text
    }
}

impl fmt::Write for Escaped {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            if self.left_out_bytes > 0 || self.text.len() >= self.bytes_max {
                self.left_out_bytes += c.len_utf8();
            } else if c == '\n' || c == '\r' || c == '\t' {
                self.text.extend(c.escape_default());
            } else if is_unsafe(c) {
                self.text.extend(c.escape_unicode());
            } else {
                self.text.push(c);
            }
        }
        Ok(())
    }
}

/// Hands whole lines on, each in one write, so that lines of several processes do not mix; a closed pipe is ignored.
struct LineWriter<W> {
    writer: W,
    line: Vec<u8>,
}

impl<W: Write> LineWriter<W> {
    fn new(writer: W) -> LineWriter<W> {
        LineWriter { writer, line: Vec::new() }
    }
}

impl<W: Write> Write for LineWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.line.extend_from_slice(bytes);
        if self.line.ends_with(b"\n") {
            let _ = self.writer.write_all(&self.line);
            self.line.clear();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let _ = self.writer.flush();
        Ok(())
    }
}

/// systemd names the device and inode of the journal's socket in `JOURNAL_STREAM` (systemd.exec(5)). A program that
/// was started by hand from such a service inherits the variable, but not the socket.
fn stderr_is_journal() -> bool {
    std::env::var("JOURNAL_STREAM").is_ok_and(|named| stderr_id().is_ok_and(|id| id == named))
}

#[cfg(unix)]
fn stderr_id() -> io::Result<String> {
    use std::os::fd::AsFd;
    use std::os::unix::fs::MetadataExt;
    let file = std::fs::File::from(io::stderr().as_fd().try_clone_to_owned()?);
    let metadata = file.metadata()?;
    Ok(format!("{}:{}", metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn stderr_id() -> io::Result<String> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    const TIME: Timestamp = Timestamp { unix_ms: 1_795_476_751_042 };

    fn text(message: &str) -> String {
        line(Format::Text, TIME, Level::Info, "nextcloud_mcp_server::http", &format_args!("{message}"))
    }

    #[test]
    fn a_line_break_in_a_value_does_not_forge_a_line() {
        assert_eq!(
            text("read path=a\n2026-11-23T23:32:31.042Z ERROR forged\r\n"),
            "2026-11-23T23:32:31.042Z INFO  http: read path=a\\n2026-11-23T23:32:31.042Z ERROR forged\\r\\n"
        );
        let forged = line(Format::Text, TIME, Level::Info, "a\nb", &format_args!("x"));
        assert_eq!(forged, "2026-11-23T23:32:31.042Z INFO  a\\nb: x");
    }

    #[test]
    fn escape_codes_and_direction_overrides_are_shown_not_obeyed() {
        let message = text("\u{1b}[31mred\u{7f} \u{9b} \u{202e}gpj.exe \u{2028}\u{e0041}\0");
        let expected = "\\u{1b}[31mred\\u{7f} \\u{9b} \\u{202e}gpj.exe \\u{2028}\\u{e0041}\\u{0}";
        assert!(message.ends_with(expected), "{message}");
        assert!(text("Grüße 👩‍💻 日本").ends_with("http: Grüße 👩‍💻 日本"));
    }

    #[test]
    fn long_messages_are_cut_at_a_character() {
        let long = "ä".repeat(2000);
        let message = escape_and_cut(&long);
        assert_eq!(message, format!("{}… (1952 bytes more)", "ä".repeat(1024)));
        assert_eq!(escape_and_cut("short"), "short");
    }

    fn escape_and_cut(text: &str) -> String {
        let mut escaped = Escaped::cut_at(MESSAGE_BYTES_MAX);
        let _ = escaped.write_str(text);
        escaped.finish()
    }

    #[test]
    fn json_is_one_object_whatever_the_message() {
        let message = "a \"quoted\" \\ name\n\u{1b}";
        let line = line(Format::Json, TIME, Level::Warn, CRATE, &format_args!("{message}"));
        assert!(!line.contains('\n'));
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(
            value,
            serde_json::json!({
                "time": "2026-11-23T23:32:31.042Z",
                "level": "warn",
                "target": "main",
                "message": "a \"quoted\" \\ name\\n\\u{1b}",
            })
        );
    }

    #[test]
    fn journald_gets_a_priority_and_no_time() {
        let levels = [Level::Error, Level::Warn, Level::Info, Level::Debug, Level::Trace];
        let lines = levels.map(|level| line(Format::Journald, TIME, level, CRATE, &format_args!("<0>x")));
        assert_eq!(
            lines,
            ["<3>main: <0>x", "<4>main: <0>x", "<6>main: <0>x", "<7>main: <0>x", "<7>main: <0>x"]
        );
    }

    /// Keeps every write apart, to count them.
    #[derive(Clone, Default)]
    struct Writes(Arc<Mutex<Vec<String>>>);

    impl Write for Writes {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().push(String::from_utf8(bytes.to_vec()).unwrap());
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn log_to(writer: impl Write + Send + 'static, level: LevelFilter, records: &[(Level, &str, &str)]) {
        let logger = Logger::new(level, Format::Journald, Clock::manual(0), LineWriter::new(writer));
        for (level, target, message) in records {
            logger
                .log(&Record::builder().level(*level).target(target).args(format_args!("{message}")).build());
        }
        logger.flush();
    }

    #[test]
    fn a_record_is_one_write() {
        let writes = Writes::default();
        let records =
            [(Level::Info, CRATE, "one\ntwo"), (Level::Error, "nextcloud_mcp_server::mcp", "three")];
        log_to(writes.clone(), LevelFilter::Info, &records);
        assert_eq!(*writes.0.lock().unwrap(), ["<6>main: one\\ntwo\n", "<3>mcp: three\n"]);
    }

    #[test]
    fn other_crates_are_heard_from_warn_on() {
        let writes = Writes::default();
        let records = [
            (Level::Info, "ureq::run", "GET https://a/?token=x"),
            (Level::Warn, "ureq::run", "slow"),
            (Level::Trace, "nextcloud_mcp_server_of_others", "x"),
            (Level::Debug, CRATE, "ours"),
            (Level::Trace, CRATE, "too fine"),
        ];
        log_to(writes.clone(), LevelFilter::Debug, &records);
        assert_eq!(*writes.0.lock().unwrap(), ["<4>ureq::run: slow\n", "<7>main: ours\n"]);
    }

    #[test]
    fn a_closed_pipe_is_ignored() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
        }
        log_to(Closed, LevelFilter::Info, &[(Level::Info, CRATE, "one"), (Level::Info, CRATE, "two")]);
    }
}
