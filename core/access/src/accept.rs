//! What the application says of an upload that is about to be created, where it is asked (`ACCEPT_HOOK`). It may accept it, hold it to less
//! than its token does, or refuse it in words of its own. Anything that is neither is no answer, and lets nothing in.

use serde_json::{Map, Value};

use crate::token::UploadPolicy;

/// So much of the application's own words goes to the client.
const MOST_DETAIL_CHARS: usize = 500;
const MOST_CODE_CHARS: usize = 100;

/// What the client is told where the application gives no reason.
const NO_REASON: &str = "The application does not take this file.";

/// What it says.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The upload may be created, within this.
    Accepted(Box<UploadPolicy>),
    /// It may not.
    Refused {
        /// Why, for a person.
        detail: String,
        /// The same for a program; empty where it is not said.
        code: String,
    },
    /// Nothing that could be relied on. Why, for whoever runs it.
    Unclear(&'static str),
}

/// Whether the body of an answer with this status says something: that it is accepted, or why not.
pub fn is_verdict(status: u16) -> bool {
    // 401 is what a receiver says to a signature that it does not believe, and 429 to whoever asks too often: neither is about the upload.
    matches!(status, 200..=299 | 400..=499) && !matches!(status, 401 | 429)
}

/// Reads the answer.
pub fn read(status: u16, body: &str) -> Verdict {
    match fields(body) {
        _ if !is_verdict(status) => Verdict::Unclear("its status neither accepts nor refuses"),
        None => Verdict::Unclear("its answer is no JSON object"),
        Some(fields) if status < 300 => bounds(fields).map_or_else(Verdict::Unclear, Verdict::Accepted),
        Some(fields) => refusal(&fields),
    }
}

/// An answer without a body has no fields.
fn fields(body: &str) -> Option<Map<String, Value>> {
    if body.trim().is_empty() {
        return Some(Map::new());
    }
    match serde_json::from_str(body) {
        Ok(Value::Object(fields)) => Some(fields),
        _ => None,
    }
}

/// A field that is not known, or not as it must be, is not passed over: the application relies on it.
fn bounds(mut fields: Map<String, Value>) -> Result<Box<UploadPolicy>, &'static str> {
    let ttl_ms = match fields.remove("expiresInSeconds") {
        None | Some(Value::Null) => None,
        Some(seconds) => {
            let seconds = seconds.as_u64().filter(|seconds| (1..=u64::from(u32::MAX)).contains(seconds));
            Some(seconds.ok_or("has an expiresInSeconds that is no whole number above 0")? * 1000)
        }
    };
    let policy = UploadPolicy::of_setting(&Value::Object(fields))?;
    if policy.delete || !policy.key_prefix.is_empty() {
        return Err("has a field that only a token can have");
    }
    Ok(Box::new(UploadPolicy { ttl_ms, ..policy }))
}

fn refusal(fields: &Map<String, Value>) -> Verdict {
    let said = |name, most| fields.get(name).and_then(Value::as_str).and_then(|text| plain(text, most));
    let detail = said("detail", MOST_DETAIL_CHARS).or_else(|| said("title", MOST_DETAIL_CHARS));
    let code = said("code", MOST_CODE_CHARS).unwrap_or_default();
    Verdict::Refused { detail: detail.unwrap_or_else(|| NO_REASON.to_owned()), code }
}

/// One line of it, where there is any.
fn plain(text: &str, most_chars: usize) -> Option<String> {
    let line: String = text.chars().filter(|c| !c.is_control()).take(most_chars).collect();
    Some(line).filter(|line| !line.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(policy: UploadPolicy) -> Verdict {
        Verdict::Accepted(Box::new(policy))
    }

    fn refused(detail: &str, code: &str) -> Verdict {
        Verdict::Refused { detail: detail.to_owned(), code: code.to_owned() }
    }

    #[test]
    fn nothing_said_is_accepted() {
        for (status, body) in [(200, "{}"), (200, ""), (204, ""), (201, " \n"), (299, r#"{"maxBytes":null}"#)] {
            assert_eq!(read(status, body), accepted(UploadPolicy::default()), "{status} {body:?}");
        }
    }

    #[test]
    fn what_is_accepted_may_be_held_to_less() {
        let body = r#"{"maxBytes":5,"types":["image/*"],"metadata":{"album":"7"},"expiresInSeconds":60}"#;
        let Verdict::Accepted(policy) = read(200, body) else { panic!("it is accepted") };
        assert_eq!((policy.max_bytes, policy.ttl_ms), (Some(5.into()), Some(60_000)));
        assert_eq!(policy.types.as_ref().unwrap().shown(), "image/*");
        assert_eq!(policy.metadata["album"], "7");
        assert!(!policy.delete && policy.key_prefix.is_empty());
    }

    #[test]
    fn what_is_not_understood_accepts_nothing() {
        let long = format!(r#"{{"metadata":{{"a":"{}"}}}}"#, "x".repeat(4096));
        for body in [
            "OK",
            "null",
            "[]",
            "true",
            "{\"maxBytes\":",
            r#"{"maxbytes":5}"#,
            r#"{"accept":false}"#,
            r#"{"maxBytes":"5"}"#,
            r#"{"maxBytes":-1}"#,
            r#"{"types":[]}"#,
            r#"{"types":"image/*"}"#,
            r#"{"metadata":{"a":1}}"#,
            r#"{"expiresInSeconds":0}"#,
            r#"{"expiresInSeconds":0.5}"#,
            r#"{"expiresInSeconds":4294967296}"#,
            r#"{"keyPrefix":"other/"}"#,
            r#"{"delete":true}"#,
            r#"{"upload":"067e6162-3b6f-4ae2-a171-2470b63dff00"}"#,
            long.as_str(),
            "\u{feff}{}",
        ] {
            assert!(matches!(read(200, body), Verdict::Unclear(_)), "{body}");
        }
    }

    #[test]
    fn a_refusal_is_told_in_the_applications_words() {
        for (body, expected) in [
            (
                r#"{"detail":"Albums have 100 pictures.","code":"album-full"}"#,
                refused("Albums have 100 pictures.", "album-full"),
            ),
            (r#"{"title":"Album full"}"#, refused("Album full", "")),
            (r#"{"title":"Album full","detail":"It has 100."}"#, refused("It has 100.", "")),
            (r#"{"detail":"a\u0000b\r\nc\u0085d"}"#, refused("abcd", "")),
            (r#"{"detail":" ","code":"\n"}"#, refused(NO_REASON, "")),
            (r#"{"detail":7,"code":7}"#, refused(NO_REASON, "")),
            ("", refused(NO_REASON, "")),
            ("{}", refused(NO_REASON, "")),
        ] {
            for status in [400, 403, 422, 499] {
                assert_eq!(read(status, body), expected, "{status} {body}");
            }
        }
        let long = format!(r#"{{"detail":"{}","code":"{}"}}"#, "ä".repeat(501), "c".repeat(101));
        assert_eq!(read(403, &long), refused(&"ä".repeat(500), &"c".repeat(100)));
    }

    #[test]
    fn anything_else_is_no_answer() {
        for status in [100, 301, 302, 304, 401, 429, 500, 503, 599] {
            assert!(matches!(read(status, "{}"), Verdict::Unclear(_)), "{status}");
        }
        for page in ["<h1>Not found</h1>", "forbidden", "[]"] {
            assert!(matches!(read(404, page), Verdict::Unclear(_)), "{page}");
        }
    }
}
