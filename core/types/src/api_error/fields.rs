//! The fields of an error as it crosses between object and Worker: a JSON object with its name in `code`. Each is read by its type, and
//! not by its variant: what serde derives for so many variants is code for each of them, 80 kB of it.

use serde::{Deserialize, Deserializer, de::DeserializeOwned, de::Error as _};
use serde_json::{Error, Map, Value};

use super::ApiError;

/// What has not been taken yet.
pub(super) struct Fields(Map<String, Value>);

impl Fields {
    /// The one of this name, as it is called in Rust. One that is missing is null.
    pub(super) fn take<T: DeserializeOwned>(&mut self, name: &str) -> Result<T, Error> {
        T::deserialize(self.value(name))
    }

    fn value(&mut self, name: &str) -> Value {
        self.0.remove(&camel_case(name)).unwrap_or(Value::Null)
    }
}

impl<'de> Deserialize<'de> for ApiError {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut fields = Fields(Map::deserialize(deserializer)?);
        let Value::String(name) = fields.value("code") else { return Err(D::Error::custom("an error without code")) };
        Self::of_fields(&name, &mut fields).map_err(D::Error::custom)
    }
}

/// `retry_after` is `retryAfter`.
fn camel_case(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |name, word| {
        let (initial, rest) = word.split_at(1);
        name + &initial.to_ascii_uppercase() + rest
    })
}
