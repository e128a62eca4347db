//! What a token's claims must say for the token to be taken, beside its audience: which repository of GitHub's, which group, a verified
//! address. As settings say it, a JSON object of claims:
//!
//! ```json
//! { "sub": "repo:octo-org/octo-repo:*", "email_verified": true, "groups": ["staff", "editors"] }
//! ```
//!
//! * All must hold. Of a list any one value will do.
//! * A `*` at the end of a value stands for whatever follows, or for nothing.
//! * A claim that is a list, or a `scope` of several words, holds where one of its own is meant.

use serde_json::{Map, Value};
use upload_types::json;

use super::{ClaimName, TokenFault};

/// More than anybody asks for.
const MAX_VALUES: usize = 256;

/// The claims whose words each are a value (RFC 8693, section 4.2), and what Microsoft calls it.
const LISTS_OF_WORDS: [&str; 2] = ["scope", "scp"];

/// What must hold. The default asks for nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules(Vec<(ClaimName, Vec<Wanted>)>);

/// A value that will do.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Wanted {
    Text(String),
    Beginning(String),
    Flag(bool),
}

impl Rules {
    /// Understands a setting. A rule that nothing can fulfil, or that says less than it seems to, is refused.
    pub fn parse(json: &str) -> Result<Self, &'static str> {
        Self::of(&json::from_str(json).map_err(|_| "is not JSON")?)
    }

    pub(super) fn of(value: &Value) -> Result<Self, &'static str> {
        let claims =
            value.as_object().ok_or("is not an object of claims, like {\"sub\": \"repo:octo-org/octo-repo:*\"}")?;
        if claims.is_empty() {
            return Err("asks for nothing: leave it empty where there are no rules");
        }
        let mut rules = Vec::new();
        for (name, wanted) in claims {
            let wanted = match wanted {
                Value::Array(several) => several.iter().map(Wanted::of).collect::<Result<Vec<_>, _>>()?,
                one => vec![Wanted::of(one)?],
            };
            if wanted.is_empty() || wanted.len() > MAX_VALUES {
                return Err("has a claim with no value, or with more than 256");
            }
            rules.push((ClaimName::parse(name).map_err(|_| "has a name that is no claim's")?, wanted));
        }
        Ok(Self(rules))
    }

    /// Whether a token that says this may be taken; else the first claim that stands in the way.
    pub(super) fn check(&self, said: &Map<String, Value>) -> Result<(), TokenFault> {
        let broken = self.0.iter().find(|(name, wanted)| {
            let Some(value) = name.of(said) else { return true };
            !wanted.iter().any(|wanted| wanted.is_met(name, value))
        });
        broken.map_or(Ok(()), |(name, _)| Err(TokenFault::Rule(name.as_str().to_owned())))
    }
}

impl Wanted {
    fn of(value: &Value) -> Result<Self, &'static str> {
        match value {
            Value::Bool(flag) => Ok(Self::Flag(*flag)),
            Value::String(text) => match text.strip_suffix('*') {
                Some(beginning) if !beginning.contains('*') => Ok(Self::Beginning(beginning.to_owned())),
                None if !text.contains('*') && !text.is_empty() => Ok(Self::Text(text.clone())),
                _ => Err("has a value that is empty, or with a `*` that is not its end"),
            },
            _ => Err("has a value that is neither a text nor true nor false"),
        }
    }

    fn is_met(&self, name: &ClaimName, value: &Value) -> bool {
        match (self, value) {
            (_, Value::Array(several)) => several.iter().any(|one| !one.is_array() && self.is_met(name, one)),
            (Self::Flag(flag), Value::Bool(said)) => flag == said,
            (_, Value::String(said)) if LISTS_OF_WORDS.contains(&name.as_str()) => {
                said.split(' ').any(|word| self.is_text(word))
            }
            (_, Value::String(said)) => self.is_text(said),
            _ => false,
        }
    }

    fn is_text(&self, said: &str) -> bool {
        match self {
            Self::Text(text) => text == said,
            Self::Beginning(beginning) => said.starts_with(beginning.as_str()),
            Self::Flag(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(rules: &Value, said: &Value) -> Result<(), TokenFault> {
        Rules::of(rules).unwrap().check(said.as_object().unwrap())
    }

    #[test]
    fn all_rules_hold_or_the_first_that_does_not_is_named() {
        let rules =
            json!({ "sub": "repo:octo-org/octo-repo:*", "email_verified": true, "groups": ["staff", "editors"] });
        let good = json!({ "sub": "repo:octo-org/octo-repo:ref:refs/heads/main", "email_verified": true, "groups": ["x", "staff"] });
        assert_eq!(check(&rules, &good), Ok(()));
        for (claim, value) in [
            ("sub", json!("repo:octo-org/octo-repository:ref:refs/heads/main")),
            ("sub", json!("x repo:octo-org/octo-repo:ref")),
            ("sub", json!(null)),
            ("sub", json!({ "repo:octo-org/octo-repo:": 1 })),
            ("email_verified", json!(false)),
            ("email_verified", json!("true")),
            ("groups", json!([])),
            ("groups", json!(["Staff"])),
            ("groups", json!([["staff"]])),
            ("groups", json!("staffeditors")),
        ] {
            let mut said = good.clone();
            said[claim] = value.clone();
            assert_eq!(check(&rules, &said), Err(TokenFault::Rule(claim.to_owned())), "{claim} {value}");
        }
        assert_eq!(Rules::default().check(&Map::new()), Ok(()), "no rules, no question");
    }

    #[test]
    fn a_scope_is_its_words_and_no_other_claim_is() {
        assert_eq!(check(&json!({ "scope": "upload" }), &json!({ "scope": "openid upload" })), Ok(()));
        assert!(check(&json!({ "scope": "upload" }), &json!({ "scope": "openid uploads" })).is_err());
        assert!(check(&json!({ "name": "upload" }), &json!({ "name": "openid upload" })).is_err());
    }

    #[test]
    fn a_star_alone_asks_that_there_be_something() {
        assert_eq!(check(&json!({ "org": "*" }), &json!({ "org": "any" })), Ok(()));
        assert!(check(&json!({ "org": "*" }), &json!({})).is_err());
    }

    #[test]
    fn rules_that_say_nothing_or_less_than_they_seem_to_are_refused() {
        for rules in [
            json!(null),
            json!({}),
            json!([]),
            json!("sub"),
            json!({ "sub": [] }),
            json!({ "sub": "" }),
            json!({ "sub": "repo:*:main" }),
            json!({ "sub": "**" }),
            json!({ "sub": 7 }),
            json!({ "sub": null }),
            json!({ "sub": { "a": "b" } }),
            json!({ "a b": "c" }),
            json!({ "sub": vec!["x"; 257] }),
        ] {
            assert!(Rules::of(&rules).is_err(), "{rules:.80}");
        }
        for setting in ["{", "{}", "null"] {
            assert!(Rules::parse(setting).is_err(), "{setting}");
        }
    }
}
