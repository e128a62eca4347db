//! Which bucket an object lies in, where a deployment has several. The bucket's name stands in front of the object's key, with a colon, which no
//! key has: `eu:uploads/…`. So whoever has a stored key reaches the object, and nothing can ask another bucket for it. What people are shown are
//! the two by themselves ([`split`]).

use serde_json::{Value, json};

/// The binding of wrangler.toml for what names no bucket.
const BINDING: &str = "BUCKET";

const COLON: &str = ":";

/// The longest name.
const MAX_NAME_BYTES: usize = 32;

/// A bucket that a token or the application names: small letters, digits and dashes, a letter first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketName(String);

impl BucketName {
    /// Reads one; none where it is no such name.
    pub fn parse(text: &str) -> Option<Self> {
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let begins_well = text.starts_with(|first: char| first.is_ascii_lowercase());
        (begins_well && text.len() <= MAX_NAME_BYTES && text.bytes().all(is_plain)).then(|| Self(text.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key of an object in this bucket.
    #[must_use]
    pub fn key(&self, key: &str) -> String {
        [&self.0, COLON, key].concat()
    }
}

/// The bucket's name, empty where none is named, and the key as the bucket has it.
pub fn split(key: &str) -> (&str, &str) {
    key.split_once(COLON).unwrap_or(("", key))
}

/// Another key in the same bucket.
#[must_use]
pub fn beside(key: &str, other: &str) -> String {
    match split(key) {
        ("", _) => other.to_owned(),
        (bucket, _) => [bucket, COLON, other].concat(),
    }
}

/// Which binding leads to the bucket: `BUCKET`, or `BUCKET_EU` for `eu`.
pub fn binding(bucket: &str) -> String {
    let mut binding = BINDING.to_owned();
    if !bucket.is_empty() {
        binding.push('_');
    }
    for letter in bucket.chars() {
        binding.push(if letter == '-' { '_' } else { letter.to_ascii_uppercase() });
    }
    binding
}

/// Says in a JSON object where the object lies.
pub fn show(object: &mut Value, key: &str) {
    let (bucket, key) = split(key);
    object["key"] = json!(key);
    if !bucket.is_empty() {
        object["bucket"] = json!(bucket);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_word_that_a_binding_can_have() {
        for (name, bound) in [("eu", "BUCKET_EU"), ("cold-storage2", "BUCKET_COLD_STORAGE2")] {
            assert_eq!(BucketName::parse(name).map(|name| binding(name.as_str())).as_deref(), Some(bound));
        }
        for name in ["", "EU", "2eu", "-eu", "e_u", "e:u", "e/u", "é", &"x".repeat(33)] {
            assert_eq!(BucketName::parse(name), None, "{name}");
        }
        assert_eq!(binding(""), "BUCKET");
    }

    #[test]
    fn a_key_leads_to_its_bucket_and_what_lies_beside_it_too() {
        let key = BucketName::parse("eu").unwrap().key("uploads/a=b");
        assert_eq!(key, "eu:uploads/a=b");
        assert_eq!(split(&key), ("eu", "uploads/a=b"));
        assert_eq!(split("uploads/a"), ("", "uploads/a"));
        assert_eq!(beside(&key, "segments/1"), "eu:segments/1");
        assert_eq!(beside("uploads/a", "segments/1"), "segments/1");
    }

    #[test]
    fn people_see_the_two_by_themselves() {
        let shown = |key| {
            let mut object = json!({});
            show(&mut object, key);
            object
        };
        assert_eq!(shown("eu:uploads/a"), json!({ "key": "uploads/a", "bucket": "eu" }));
        assert_eq!(shown("uploads/a"), json!({ "key": "uploads/a" }));
    }
}
