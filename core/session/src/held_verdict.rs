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
}

impl HeldVerdict {
    /// What an answer says; none where it says none of the three.
    pub fn read(said: &Value) -> Option<Self> {
        Some(match said["verdict"].as_str()? {
            "release" => Self::Release,
            "delete" => Self::Delete(reason(said["reason"].as_str().unwrap_or_default())),
            "hold" => Self::Hold,
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
        assert_eq!(read(r#"{"verdict":"hold"}"#), Some(HeldVerdict::Hold));
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
    }
}
