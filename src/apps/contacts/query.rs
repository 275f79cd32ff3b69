//! What a search asks: first Nextcloud, roughly, then the cards that it found, exactly.

use crate::nextcloud::{CARDDAV, xml};
use crate::vcard::Card;

/// Where words are looked for.
const SEARCHED: [&str; 10] =
    ["FN", "N", "NICKNAME", "EMAIL", "TEL", "ORG", "TITLE", "ADR", "CATEGORIES", "NOTE"];
/// Digits that make a query a phone number.
const PHONE_DIGITS_MIN: usize = 4;
/// Digits that must agree at the end of two numbers, where one has a country code and the other a `0`.
const PHONE_TAIL_DIGITS: usize = 7;

/// Words that a contact must have, all of them; none finds everything.
pub(super) struct Query {
    /// In upper case, as Nextcloud compares: `ß` is `SS` there.
    words: Vec<String>,
    /// Digits, without the zeros in front, if the query is a phone number.
    phone: Option<String>,
}

impl Query {
    pub fn parse(text: &str) -> Query {
        let words = text.split_whitespace().map(str::to_uppercase).collect();
        let is_phone = !text.is_empty() && text.chars().all(|c| c.is_ascii_digit() || "+-/(). ".contains(c));
        let digits = digits(text);
        Query { words, phone: (is_phone && digits.len() >= PHONE_DIGITS_MIN).then_some(digits) }
    }

    /// REPORT `addressbook-query` (RFC 6352 §8.6). A filter there is either all or any of its parts, so the longest word
    /// is asked for in any property, and [`Query::finds`] looks for the others.
    pub fn report(&self) -> String {
        let longest = self.words.iter().max_by_key(|word| word.chars().count());
        let Some(longest) = longest else {
            // The rest of a card is read for one page only.
            return report(&["FN"], "");
        };
        let text_match = format!(
            "<card:text-match collation=\"i;unicode-casemap\" match-type=\"contains\">{}</card:text-match>",
            xml::escape(longest)
        );
        let filters: String = SEARCHED
            .iter()
            .map(|name| match (*name, &self.phone) {
                // Numbers are compared without the signs between their digits, which Nextcloud cannot do.
                ("TEL", Some(_)) => "<card:prop-filter name=\"TEL\"/>".to_owned(),
                (name, _) => format!("<card:prop-filter name=\"{name}\">{text_match}</card:prop-filter>"),
            })
            .collect();
        report(&SEARCHED, &format!("<card:filter test=\"anyof\">{filters}</card:filter>"))
    }

    /// Whether a card has all words, or the phone number.
    pub fn finds(&self, card: &Card) -> bool {
        if self.words.is_empty() {
            return true;
        }
        if let Some(wanted) = &self.phone
            && card.fields("TEL").iter().any(|number| same_number(wanted, &digits(&number.value)))
        {
            return true;
        }
        let mut text = String::new();
        for property in SEARCHED {
            for field in card.fields(property) {
                text.push_str(&field.value.to_uppercase());
                text.push('\n');
            }
        }
        self.words.iter().all(|word| text.contains(word.as_str()))
    }
}

/// REPORT `addressbook-query` for the file with this UID.
pub(super) fn report_uid(uid: &str) -> String {
    let filter = format!(
        "<card:filter><card:prop-filter name=\"UID\"><card:text-match collation=\"i;octet\" \
         match-type=\"ends-with\">{}</card:text-match></card:prop-filter></card:filter>",
        xml::escape(uid)
    );
    report(&["UID"], &filter)
}

fn report(properties: &[&str], filter: &str) -> String {
    let properties: String = properties.iter().map(|name| format!("<card:prop name=\"{name}\"/>")).collect();
    xml::document(
        (CARDDAV, "addressbook-query"),
        &format!("<d:prop><d:getetag/><card:address-data>{properties}</card:address-data></d:prop>{filter}"),
    )
}

fn digits(text: &str) -> String {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    digits.trim_start_matches('0').to_owned()
}

fn same_number(wanted: &str, number: &str) -> bool {
    number.contains(wanted) || (number.len() >= PHONE_TAIL_DIGITS && wanted.ends_with(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card(lines: &str) -> Card {
        Card::parse(&format!("BEGIN:VCARD\nVERSION:3.0\n{lines}\nEND:VCARD\n")).unwrap()
    }

    #[test]
    fn all_words_must_be_there_wherever_they_stand() {
        let anna = card("FN:Anna Müller\nORG:ACME;Straßenbau\nADR:;;Weg 1;Berlin;;;\nNOTE:likes tea");
        for query in ["anna", "MÜLLER anna", "acme tea", "berlin", "strassenbau", "", "  "] {
            assert!(Query::parse(query).finds(&anna), "{query}");
        }
        assert!(!Query::parse("anna hamburg").finds(&anna));
    }

    #[test]
    fn a_phone_number_is_found_however_it_is_written() {
        let anna = card("FN:Anna\nTEL:+49 (170) 123-4567");
        for query in ["0170 1234567", "+491701234567", "1234567", "0049 170/1234567"] {
            assert!(Query::parse(query).finds(&anna), "{query}");
        }
        let at_home = card("FN:Anna\nTEL:0170 1234567");
        assert!(Query::parse("+49 170 1234567").finds(&at_home));
        for query in ["0170 1234568", "+49 171 1234567"] {
            assert!(!Query::parse(query).finds(&anna), "{query}");
        }
    }

    #[test]
    fn the_longest_word_is_asked_for_escaped() {
        let report = Query::parse("a <&b\" c").report();
        assert!(report.contains(">&lt;&amp;B&quot;</card:text-match>"), "{report}");
        assert_eq!(report.matches("<card:prop-filter").count(), SEARCHED.len());
        assert!(!Query::parse("").report().contains("filter"));
        assert!(Query::parse("01701234").report().contains("<card:prop-filter name=\"TEL\"/>"));
        assert!(report_uid("a&b").contains(">a&amp;b</card:text-match>"));
    }
}
