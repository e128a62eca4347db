//! A JSON object, and nothing else. What serde derives for a struct also takes an array of the members' values, so that `[1, 2]` would
//! be read as an offset and a length by whoever meant two offsets.

use serde::{Deserialize, Deserializer, de::DeserializeOwned, de::Error as _};
use serde_json::{Map, Value};

/// What the object's members say.
pub(super) struct Object<T>(pub(super) T);

impl<'de, T: DeserializeOwned> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let members = Map::<String, Value>::deserialize(deserializer)?;
        serde_json::from_str(&Value::Object(members).to_string()).map(Object).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Range {
        offset: u32,
        length: u32,
    }

    #[test]
    fn an_array_is_no_object() {
        let read =
            |text| serde_json::from_str::<Object<Range>>(text).map(|Object(Range { offset, length })| (offset, length));
        assert_eq!(read(r#"{"length": 2, "offset": 1}"#).unwrap(), (1, 2));
        for wrong in ["[1, 2]", r#"{"offset": 1}"#, "1", "null", "[]"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
