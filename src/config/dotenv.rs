//! Reads a `.env` file: `KEY=VALUE` lines, comments, quotes, `export`. Nothing is expanded: `$` is a dollar sign.

/// One line that sets something, or a line that cannot be read.
pub(super) struct Line {
    /// Counted from 1.
    pub number: usize,
    /// Empty where the line has no name at all.
    pub key: String,
    pub value: Result<String, &'static str>,
}

/// Every line of `text` that is neither blank nor a comment.
pub(super) fn lines(text: &str) -> Vec<Line> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let numbered = text.lines().enumerate();
    numbered
        .filter_map(|(i, line)| {
            self::line(line.trim()).map(|(key, value)| Line { number: i + 1, key, value })
        })
        .collect()
}

fn line(line: &str) -> Option<(String, Result<String, &'static str>)> {
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
    let Some((key, value)) = line.split_once('=') else {
        return Some((String::new(), Err("has no '='")));
    };
    let key = key.trim_end();
    let named = key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if key.is_empty() || !named {
        return Some((String::new(), Err("does not start with a name")));
    }
    Some((key.to_owned(), self::value(value.trim_start())))
}

fn value(text: &str) -> Result<String, &'static str> {
    match text.chars().next() {
        Some(quote @ ('"' | '\'')) => quoted(&text[1..], quote),
        _ => {
            let comment = text.find(" #").or_else(|| text.find("\t#")).unwrap_or(text.len());
            let comment = if text.starts_with('#') { 0 } else { comment };
            Ok(text[..comment].trim_end().to_owned())
        }
    }
}

/// The text up to the closing quote; a backslash counts in double quotes only.
fn quoted(text: &str, quote: char) -> Result<String, &'static str> {
    let mut value = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c == quote {
            let rest = chars.as_str().trim_start();
            let ends = rest.is_empty() || rest.starts_with('#');
            return if ends { Ok(value) } else { Err("has text after the closing quote") };
        }
        if c == '\\' && quote == '"' {
            match chars.next() {
                Some('n') => value.push('\n'),
                Some('t') => value.push('\t'),
                Some(c @ ('"' | '\\' | '$')) => value.push(c),
                Some(c) => value.extend(['\\', c]),
                None => break,
            }
        } else {
            value.push(c);
        }
    }
    Err("has no closing quote")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_quotes_and_export_are_understood() {
        let text = "\u{feff}# a comment\r\n\r\nA=1\r\nexport B = two words # not this\nC='#$x \\n' # c\n\
                    D=\"a\\\"b\\n\\$\"\nE=\nF=pass#word\nG=#x\n";
        let values: Vec<_> = lines(text).into_iter().map(|l| (l.number, l.key, l.value.unwrap())).collect();
        let expected = [
            (3, "A", "1"),
            (4, "B", "two words"),
            (5, "C", "#$x \\n"),
            (6, "D", "a\"b\n$"),
            (7, "E", ""),
            (8, "F", "pass#word"),
            (9, "G", ""),
        ];
        assert_eq!(values, expected.map(|(n, k, v)| (n, k.to_owned(), v.to_owned())));
    }

    #[test]
    fn broken_lines_are_named() {
        let faults: Vec<_> = lines("A='x\nB=\"x\" y\nnothing\n=1\nC=\"x\\")
            .into_iter()
            .map(|l| l.value.unwrap_err())
            .collect();
        assert_eq!(
            faults,
            [
                "has no closing quote",
                "has text after the closing quote",
                "has no '='",
                "does not start with a name",
                "has no closing quote"
            ]
        );
    }
}
