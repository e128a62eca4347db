//! What somebody says of a held upload who has looked at its file: the scanner, or the origin, with the answer to `upload.held`.
//!
//! ```json
//! {"verdict": "release" | "delete" | "hold", "reason": "…"}
//! ```

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// So much of a reason is kept, in characters.
const MAX_REASON_CHARACTERS: usize = 200;

/// What is to become of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HeldVerdict {
    /// It is handed out from now on.
    Release,
    /// It is deleted, for this reason; empty where none is given.
    Delete(String),
    /// It stays held: a person decides.
    Hold,
    /// The same, for this reason. Builds before this one read the other as a bare word.
    #[serde(rename = "hold-for")]
    HoldFor(String),
}

impl HeldVerdict {
    /// What an answer says; none where it says none of the three.
    pub fn read(said: &Value) -> Option<Self> {
        let reason = || reason(said["reason"].as_str().unwrap_or_default());
        Some(match said["verdict"].as_str()? {
            "release" => Self::Release,
            "delete" => Self::Delete(reason()),
            "hold" => match reason() {
                none if none.is_empty() => Self::Hold,
                reason => Self::HoldFor(reason),
            },
            _ => return None,
        })
    }
}

/// One line of it, and not more than is kept.
pub fn reason(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MAX_REASON_CHARACTERS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_three_words_is_a_verdict_and_nothing_else() {
        let read = |json: &str| HeldVerdict::read(&serde_json::from_str(json).unwrap());
        assert_eq!(read(r#"{"verdict":"release","reason":7}"#), Some(HeldVerdict::Release));
        for none in [r#"{"verdict":"hold"}"#, r#"{"verdict":"hold","reason":"\n"}"#, r#"{"verdict":"hold","reason":7}"#]
        {
            assert_eq!(read(none), Some(HeldVerdict::Hold), "{none}");
        }
        let long = format!("{{\"verdict\":\"hold\",\"reason\":\"a\\n{}\"}}", "ä".repeat(300));
        assert_eq!(read(&long), Some(HeldVerdict::HoldFor(format!("a{}", "ä".repeat(199)))));
        assert_eq!(read(r#"{"verdict":"delete"}"#), Some(HeldVerdict::Delete(String::new())));
        let long = format!("{{\"verdict\":\"delete\",\"reason\":\"a\\n{}\"}}", "ä".repeat(300));
        assert_eq!(read(&long), Some(HeldVerdict::Delete(format!("a{}", "ä".repeat(199)))));
        for none in ["{}", "[]", "null", "\"release\"", r#"{"verdict":"Release"}"#, r#"{"verdict":["release"]}"#] {
            assert_eq!(read(none), None, "{none}");
        }
    }

    #[test]
    fn the_stored_form_does_not_change() {
        let written = |verdict: HeldVerdict| serde_json::to_string(&verdict).unwrap();
        assert_eq!(written(HeldVerdict::Release), r#""release""#);
        assert_eq!(written(HeldVerdict::Delete("Eicar".to_owned())), r#"{"delete":"Eicar"}"#);
        assert_eq!(written(HeldVerdict::Hold), r#""hold""#);
        assert_eq!(written(HeldVerdict::HoldFor("odd".to_owned())), r#"{"hold-for":"odd"}"#);
    }
}
