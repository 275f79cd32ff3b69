//! Parameters of a query or a form: `application/x-www-form-urlencoded` (WHATWG URL §5.1).

use percent_encoding::percent_decode_str;

use super::error::{Code, OAuthError};

/// Longest text that is read, in bytes.
pub const FORM_BYTES_MAX: usize = 16 * 1024;
const FIELDS_MAX: usize = 64;

/// Parameters in their order. One without a value is as good as absent (RFC 6749 §3.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Form(Vec<(String, String)>);

impl Form {
    /// Fails on a text that is too long, has too many fields, or is no UTF-8 once decoded.
    pub fn parse(text: &str) -> Result<Form, OAuthError> {
        if text.len() > FORM_BYTES_MAX {
            return Err(OAuthError::new(Code::InvalidRequest, "the request is longer than 16 kB"));
        }
        let decode = |part: &str| {
            let spaced = part.replace('+', " ");
            let decoded = percent_decode_str(&spaced).decode_utf8().map(|text| text.into_owned());
            decoded.map_err(|_| OAuthError::new(Code::InvalidRequest, "the request is not UTF-8"))
        };
        let mut fields = Vec::new();
        for part in text.split('&').filter(|part| !part.is_empty()) {
            if fields.len() == FIELDS_MAX {
                return Err(OAuthError::new(Code::InvalidRequest, "the request has too many parameters"));
            }
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            fields.push((decode(name)?, decode(value)?));
        }
        Ok(Form(fields))
    }

    /// All values of a parameter, empty ones aside.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        let of_name = self.0.iter().filter(move |(known, value)| known == name && !value.is_empty());
        of_name.map(|(_, value)| value.as_str())
    }

    /// A parameter that may be there once (RFC 6749 §3.1: no more).
    pub fn one(&self, name: &str) -> Result<Option<&str>, OAuthError> {
        let mut values = self.all(name);
        let first = values.next();
        match values.next() {
            None => Ok(first),
            Some(_) => Err(OAuthError::new(Code::InvalidRequest, "a parameter is there more than once")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded_and_empty_ones_are_absent() {
        let form = Form::parse("a=1+2%2B&b=&c&a%20b=%C3%BC&resource=x&resource=y").unwrap();
        assert_eq!(form.one("a"), Ok(Some("1 2+")));
        assert_eq!((form.one("b"), form.one("c")), (Ok(None), Ok(None)));
        assert_eq!(form.one("a b"), Ok(Some("ü")));
        assert!(form.one("resource").is_err());
        assert_eq!(form.all("resource").collect::<Vec<_>>(), ["x", "y"]);
    }

    #[test]
    fn what_is_too_much_or_no_text_is_refused() {
        assert!(Form::parse("a=%ff").is_err());
        assert!(Form::parse(&"a=1&".repeat(FIELDS_MAX + 1)).is_err());
        assert!(Form::parse(&"a".repeat(FORM_BYTES_MAX + 1)).is_err());
    }
}
