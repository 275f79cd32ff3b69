//! The OCS envelope (`{"ocs":{"meta":…,"data":…}}`) and PHP's JSON.

use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error as _};
use serde_json::Value;

#[derive(serde::Deserialize)]
struct Envelope<T> {
    ocs: Body<T>,
}

#[derive(serde::Deserialize)]
struct Body<T> {
    data: T,
}

/// The `data` of an envelope whose `meta` says success.
pub(super) fn data<T: DeserializeOwned>(body: &[u8]) -> Result<T, serde_json::Error> {
    serde_json::from_slice::<Envelope<T>>(body).map(|envelope| envelope.ocs.data)
}

/// Reads a JSON object that PHP writes as `[]` when it is empty:
/// `#[serde(default, deserialize_with = "php_object")]`.
pub fn php_object<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned + Default,
{
    match Value::deserialize(deserializer)? {
        Value::Null => Ok(T::default()),
        Value::Array(items) if items.is_empty() => Ok(T::default()),
        value => serde_json::from_value(value).map_err(D::Error::custom),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[derive(serde::Deserialize)]
    struct Room {
        #[serde(default, deserialize_with = "php_object")]
        parameters: BTreeMap<String, String>,
    }

    #[test]
    fn the_envelope_is_taken_off() {
        let body = br#"{"ocs":{"meta":{"status":"ok","statuscode":200,"message":"OK"},"data":[1,2]}}"#;
        assert_eq!(data::<Vec<i32>>(body).expect("data"), [1, 2]);
        assert!(data::<Vec<i32>>(br#"{"ocs":{}}"#).is_err());
    }

    #[test]
    fn an_empty_php_object_is_an_empty_object() {
        let read = |json: &str| serde_json::from_str::<Room>(json).map(|r| r.parameters.len());
        assert_eq!(read(r#"{"parameters":[]}"#).expect("[]"), 0);
        assert_eq!(read(r#"{"parameters":null}"#).expect("null"), 0);
        assert_eq!(read(r#"{}"#).expect("absent"), 0);
        assert_eq!(read(r#"{"parameters":{"a":"b"}}"#).expect("object"), 1);
        assert!(read(r#"{"parameters":[1]}"#).is_err());
    }
}
