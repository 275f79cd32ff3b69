//! Long comments in several parts, none longer than Deck takes.

use super::CHARS_MAX;

/// Parts that one message may become.
pub const PARTS_MAX: usize = 10;
/// What a part may hold besides its number, `(10/10) `.
const TEXT_CHARS_MAX: usize = CHARS_MAX - 8;

/// The parts of a text, each with its number in front; the text itself, unnumbered, if one comment holds it. `None` if
/// they would be more than [`PARTS_MAX`].
///
/// A part ends with a paragraph, a line or a word, whatever comes last in its second half, and never within a mention.
pub fn plan(text: &str) -> Option<Vec<String>> {
    if text.chars().count() <= CHARS_MAX {
        return Some(vec![text.to_owned()]);
    }
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        if pieces.len() == PARTS_MAX {
            return None;
        }
        let (piece, after) = rest.split_at(end_of_piece(rest));
        pieces.push(piece.trim_end());
        rest = after.trim_start();
    }
    let count = pieces.len();
    Some(pieces.iter().enumerate().map(|(i, piece)| format!("({}/{count}) {piece}", i + 1)).collect())
}

/// Where the first piece of a text ends, in bytes; beyond 0.
fn end_of_piece(text: &str) -> usize {
    let Some((window, _)) = text.char_indices().nth(TEXT_CHARS_MAX) else {
        return text.len();
    };
    let half = text.char_indices().nth(TEXT_CHARS_MAX / 2).map_or(0, |(at, _)| at);
    let mentions = quoted_mentions(text, window);
    let is_free = |at: usize| !mentions.iter().any(|(start, end)| (*start..*end).contains(&at));
    // The character at `window` counts: a piece that ends right before a space is a good one.
    let spaces = || {
        let spaces = text[half..].char_indices().map(move |(at, c)| (half + at, c));
        spaces.take_while(|(at, _)| *at <= window).filter(|(at, c)| c.is_whitespace() && is_free(*at))
    };
    let paragraph = || spaces().filter(|(at, c)| *c == '\n' && text[at + 1..].starts_with('\n')).last();
    let line = || spaces().filter(|(_, c)| *c == '\n').last();
    match paragraph().or_else(line).or_else(|| spaces().last()) {
        Some((at, _)) => at,
        None => hard_end(text, window, &mentions),
    }
}

/// The byte ranges of mentions such as `@"Anna Example"` that begin before `window`: their spaces part nothing.
fn quoted_mentions(text: &str, window: usize) -> Vec<(usize, usize)> {
    let starts = text.match_indices("@\"").map(|(at, _)| at).take_while(|at| *at <= window);
    let quoted = starts.filter_map(|at| {
        let inside = &text[at + 2..];
        let length = inside.find(['"', '\n'])?;
        inside[length..].starts_with('"').then_some((at, at + 2 + length + 1))
    });
    quoted.collect()
}

/// Where a text without spaces is cut: not within a quoted mention, and not before a mark that changes the character
/// before it.
fn hard_end(text: &str, window: usize, mentions: &[(usize, usize)]) -> usize {
    if let Some((start, _)) = mentions.iter().find(|(start, end)| (*start + 1..*end).contains(&window))
        && *start > 0
    {
        return *start;
    }
    let belongs = |at: usize| {
        text[at..].chars().next().is_some_and(changes_the_one_before) || text[..at].ends_with('\u{200d}')
    };
    let before = text[..window].char_indices().map(|(at, _)| at).rev();
    let ends = std::iter::once(window).chain(before).take(16);
    ends.filter(|at| *at > 0).find(|at| !belongs(*at)).unwrap_or(window)
}

/// Combining marks, variation selectors, skin tones and the joiner of emoji.
fn changes_the_one_before(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{20d0}'..='\u{20ff}' | '\u{fe00}'..='\u{fe0f}' | '\u{200d}' | '\u{1f3fb}'..='\u{1f3ff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The texts of the parts without their numbers.
    fn texts(parts: &[String]) -> Vec<&str> {
        parts.iter().map(|part| part.split_once(") ").unwrap().1).collect()
    }

    #[test]
    fn what_fits_stays_whole_and_unnumbered() {
        let full = "🎉".repeat(CHARS_MAX);
        assert_eq!(plan(&full), Some(vec![full]));
    }

    #[test]
    fn a_part_ends_with_a_paragraph_a_line_or_a_word() {
        let paragraph = "word ".repeat(150);
        let text = format!("{paragraph}\n\n{paragraph}\n{paragraph}");
        let parts = plan(&text).unwrap();
        assert_eq!(texts(&parts), [paragraph.trim_end(); 3]);
        assert!(parts[2].starts_with("(3/3) word"));
        let words = plan(&"word ".repeat(300)).unwrap();
        assert!(texts(&words).iter().all(|text| text.ends_with("word")), "{words:?}");
    }

    #[test]
    fn a_mention_stays_in_one_part() {
        let mention = "@\"anna example\"";
        for before in TEXT_CHARS_MAX - 14..=TEXT_CHARS_MAX {
            for filler in ["x".repeat(before), "x ".repeat(before / 2)] {
                let parts = plan(&format!("{filler}{mention} {}", "y".repeat(500))).unwrap();
                assert!(parts.iter().any(|part| part.contains(mention)), "{before}: {parts:?}");
            }
        }
        let unclosed = format!("{}@\"anna example", "x".repeat(TEXT_CHARS_MAX - 7));
        assert_eq!(plan(&unclosed).unwrap().len(), 1, "it fits");
    }

    #[test]
    fn an_emoji_of_several_characters_stays_whole() {
        let family = "👩\u{200d}👩\u{200d}👧";
        let text = format!("{}{}", "x".repeat(TEXT_CHARS_MAX - 3), family.repeat(10));
        let parts = plan(&text).unwrap();
        assert_eq!(texts(&parts), ["x".repeat(TEXT_CHARS_MAX - 3), family.repeat(10)]);
    }

    #[test]
    fn there_are_ten_parts_at_most() {
        assert_eq!(plan(&"x".repeat(TEXT_CHARS_MAX * PARTS_MAX)).unwrap().len(), PARTS_MAX);
        assert_eq!(plan(&"x".repeat(TEXT_CHARS_MAX * PARTS_MAX + 1)), None);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_nothing_is_too_long(text in "(\\PC{0,40}|[ \n@\"a]{1,9}|[a-z]{400,900}){0,30}") {
            let text = text.trim();
            if let Some(parts) = plan(text) {
                prop_assert!(parts.iter().all(|part| part.chars().count() <= CHARS_MAX));
                let solid = |text: &str| text.split_whitespace().collect::<String>();
                let joined = if parts.len() == 1 { parts[0].clone() } else { texts(&parts).concat() };
                prop_assert_eq!(solid(&joined), solid(text));
            }
        }
    }
}
