//! Where in a token something stands: a claim by its name, as settings name it.
//!
//! A name is looked for as it is first, since names may have dots in them (`https://app.example.com/tenant`). Where there is no such claim,
//! its dots lead into objects: `app_metadata.tenant`.

use serde_json::{Map, Value};

/// A longer name is no claim of anybody's.
const MAX_NAME_BYTES: usize = 255;

/// The name of a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimName(String);

impl ClaimName {
    /// One of ours.
    pub(super) fn known(name: &'static str) -> Self {
        Self(name.to_owned())
    }

    /// Understands a setting. Names stand in answers, so they are visible ASCII, without what ends a quotation or a list.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"\"\\,".contains(&byte);
        if text.is_empty() || text.len() > MAX_NAME_BYTES || !text.bytes().all(is_plain) {
            return Err("is not the name of a claim, like sub or app_metadata.tenant");
        }
        Ok(Self(text.to_owned()))
    }

    /// Several, with commas between them: the first that a token has is meant.
    pub fn list(text: &str) -> Result<Vec<Self>, &'static str> {
        text.split(',').map(|name| Self::parse(name.trim())).collect()
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands there; nothing where it is `null`.
    pub(super) fn of<'a>(&self, claims: &'a Map<String, Value>) -> Option<&'a Value> {
        let by_path = || {
            let mut steps = self.0.split('.');
            let first = claims.get(steps.next()?)?;
            steps.try_fold(first, |value, step| value.as_object()?.get(step))
        };
        claims.get(&self.0).or_else(by_path).filter(|value| !value.is_null())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_name_is_taken_whole_first_and_then_as_a_path() {
        let said = json!({
            "sub": "a", "nothing": null, "https://app.example/tenant": "whole", "o": { "id": "nested" }, "o.id": "dotted",
            "deep": { "er": { "est": 7 } },
        });
        let of = |name: &str| ClaimName::parse(name).unwrap().of(said.as_object().unwrap()).cloned();
        assert_eq!(of("sub"), Some(json!("a")));
        assert_eq!(of("https://app.example/tenant"), Some(json!("whole")));
        assert_eq!(of("o.id"), Some(json!("dotted")), "a claim of that very name comes first");
        assert_eq!(of("deep.er.est"), Some(json!(7)));
        for nothing in ["nothing", "deep.er.estuary", "deep.er.est.x", "sub.a", ".", "deep."] {
            assert_eq!(of(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in ["", " ", "a b", "a,b", "ä", "a\"b", "a\\b", "a\nb", &"x".repeat(256)] {
            assert!(ClaimName::parse(text).is_err(), "{text}");
        }
        let names = ClaimName::list("email, common_name").unwrap();
        assert_eq!(names.iter().map(ClaimName::as_str).collect::<Vec<_>>(), ["email", "common_name"]);
        assert!(ClaimName::list("email,").is_err() && ClaimName::list("").is_err());
    }
}
