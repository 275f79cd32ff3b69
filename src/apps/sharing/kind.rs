//! Share types, and who may stand beside them (`OCP\Share\IShare::TYPE_*`).

use serde_json::{Value, json};

use crate::schema::{Wire, expected};
use crate::tool::ToolError;

/// With whom something is shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShareType {
    User,
    Group,
    Link,
    Mail,
    Remote,
    Team,
    RemoteGroup,
    Room,
    DeckCard,
}

/// Type, number in the API, and what the recipient of such a share is.
const TYPES: &[(ShareType, i64, &str)] = &[
    (ShareType::User, 0, "user"),
    (ShareType::Group, 1, "group"),
    (ShareType::Link, 3, "public link"),
    (ShareType::Mail, 4, "e-mail address"),
    (ShareType::Remote, 6, "federated account"),
    (ShareType::Team, 7, "team"),
    (ShareType::RemoteGroup, 9, "federated group"),
    (ShareType::Room, 10, "Talk conversation"),
    (ShareType::DeckCard, 12, "Deck card"),
];

impl ShareType {
    pub fn number(self) -> i64 {
        TYPES.iter().find(|row| row.0 == self).map_or(-1, |row| row.1)
    }

    /// `user`, `public link`.
    pub fn name(self) -> &'static str {
        TYPES.iter().find(|row| row.0 == self).map_or("", |row| row.2)
    }

    pub fn of_number(number: i64) -> Option<ShareType> {
        TYPES.iter().find(|row| row.1 == number).map(|row| row.0)
    }

    /// Whether it is opened by a link that may have a password, a label and a hidden download.
    pub fn is_opened_by_link(self) -> bool {
        matches!(self, ShareType::Link | ShareType::Mail)
    }

    /// The recipient as it is to be sent. Fails where the type asks for one and there is none, and the other way
    /// round: Nextcloud would pass over the recipient of a public link and let everybody in.
    pub fn recipient(self, given: Option<&str>) -> Result<Option<&str>, ToolError> {
        let given = given.map(str::trim).filter(|name| !name.is_empty());
        match (self, given) {
            (ShareType::Link, Some(_)) => Err(ToolError::Arguments(
                "`share_with` does not go with `share_type` 3: a public link is open to everybody who has it. Leave \
                 `share_with` out, or choose the type of the recipient, such as 0 for a user"
                    .into(),
            )),
            (ShareType::Link, None) | (_, Some(_)) => Ok(given),
            (_, None) => Err(ToolError::Arguments(format!(
                "`share_with` is needed for `share_type` {} ({})",
                self.number(),
                self.name()
            ))),
        }
    }
}

impl Wire for ShareType {
    fn schema() -> Value {
        json!({"type": "integer"})
    }

    fn read(value: Value) -> Result<Self, String> {
        i64::read(value.clone()).ok().and_then(ShareType::of_number).ok_or_else(|| {
            let known: Vec<String> =
                TYPES.iter().map(|(_, number, name)| format!("{number} {name}")).collect();
            expected(&format!("a share type ({})", known.join(", ")), &value)
        })
    }

    fn write(self) -> Value {
        self.number().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recipient_stands_beside_every_type_but_a_public_link() {
        for (kind, ..) in TYPES.iter().filter(|row| row.0 != ShareType::Link) {
            assert_eq!(kind.recipient(Some(" bob ")).unwrap(), Some("bob"));
            for none in [None, Some(""), Some("  ")] {
                assert!(kind.recipient(none).is_err(), "{kind:?}");
            }
        }
        assert_eq!(ShareType::Link.recipient(Some("")).unwrap(), None);
        assert!(ShareType::Link.recipient(Some("bob")).is_err());
    }

    #[test]
    fn an_unknown_type_is_told_the_known_ones() {
        assert_eq!(ShareType::read("6".into()), Ok(ShareType::Remote));
        let error = ShareType::read(2.into()).unwrap_err();
        assert!(error.contains("0 user") && error.contains("12 Deck card") && error.ends_with("got 2"));
    }
}
