//! What the application says of an upload that is about to be created, where it is asked (`ACCEPT_HOOK`). It may accept it, hold it to less
//! than its token does, or refuse it in words of its own. Anything that is neither is no answer, and lets nothing in.

use serde_json::{Map, Value};
use upload_types::json;

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
}

/// With which of these an application refuses. Others are said by frameworks and proxies, of a wrong address or a request that they do not
/// take, and are about no upload; 401 is what a receiver says to a signature that it does not believe.
const REFUSALS: [u16; 9] = [400, 402, 403, 409, 410, 413, 415, 422, 451];

/// Whether an answer with this status says something: that the upload is accepted, or why not.
pub fn is_verdict(status: u16) -> bool {
    (200..300).contains(&status) || REFUSALS.contains(&status)
}

/// Reads the answer; or says, for whoever runs the application, why it cannot be relied on.
pub fn read(status: u16, body: &str) -> Result<Verdict, &'static str> {
    if !is_verdict(status) {
        return Err("its status neither accepts nor refuses");
    }
    if status == 403 && body.trim().is_empty() {
        return Ok(Verdict::Refused { detail: NO_REASON.to_owned(), code: String::new() });
    }
    let Ok(Value::Object(fields)) = json::from_str(body) else { return Err("its answer is no JSON object") };
    if status < 300 { bounds(fields).map(Verdict::Accepted) } else { refusal(&fields) }
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

/// One that gives no reason of its own may be anybody's.
fn refusal(fields: &Map<String, Value>) -> Result<Verdict, &'static str> {
    let said = |name, most| fields.get(name).and_then(Value::as_str).and_then(|text| plain(text, most));
    let detail = said("detail", MOST_DETAIL_CHARS).or_else(|| said("title", MOST_DETAIL_CHARS));
    let code = said("code", MOST_CODE_CHARS);
    if detail.is_none() && code.is_none() {
        return Err("its refusal has neither a detail nor a code");
    }
    let detail = detail.unwrap_or_else(|| NO_REASON.to_owned());
    Ok(Verdict::Refused { detail, code: code.unwrap_or_default() })
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
    fn an_object_without_fields_accepts() {
        for (status, body) in [(200, "{}"), (201, " {}\n"), (299, r#"{"maxBytes":null}"#)] {
            assert_eq!(read(status, body), Ok(accepted(UploadPolicy::default())), "{status} {body:?}");
        }
    }

    #[test]
    fn what_is_accepted_may_be_held_to_less() {
        let body = r#"{"maxBytes":5,"types":["image/*"],"metadata":{"album":"7"},"expiresInSeconds":60,"hold":true}"#;
        let Ok(Verdict::Accepted(policy)) = read(200, body) else { panic!("it is accepted") };
        assert_eq!((policy.max_bytes, policy.ttl_ms), (Some(5.into()), Some(60_000)));
        assert_eq!(policy.types.as_ref().unwrap().shown(), "image/*");
        assert_eq!(policy.metadata["album"], "7");
        assert!(policy.hold && !policy.delete && policy.key_prefix.is_empty());
    }

    #[test]
    fn what_is_not_understood_accepts_nothing() {
        let long = format!(r#"{{"metadata":{{"a":"{}"}}}}"#, "x".repeat(4096));
        for body in [
            // As a receiver of events answers what it does not know.
            "",
            " \n",
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
            assert!(read(200, body).is_err(), "{body}");
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
            (r#"{"code":"album-full"}"#, refused(NO_REASON, "album-full")),
        ] {
            for status in REFUSALS {
                assert_eq!(read(status, body).as_ref(), Ok(&expected), "{status} {body}");
            }
        }
        let long = format!(r#"{{"detail":"{}","code":"{}"}}"#, "ä".repeat(501), "c".repeat(101));
        assert_eq!(read(403, &long), Ok(refused(&"ä".repeat(500), &"c".repeat(100))));
    }

    #[test]
    fn a_403_needs_no_reason() {
        assert_eq!(read(403, ""), Ok(refused(NO_REASON, "")));
        for body in
            ["{}", r#"{"detail":" ","code":"\n"}"#, r#"{"detail":7,"code":7}"#, r#"{"detail":[{"loc":["body"]}]}"#]
        {
            assert!(read(403, body).is_err() && read(422, body).is_err(), "{body}");
        }
        assert!(read(400, "").is_err());
    }

    #[test]
    fn anything_else_is_no_answer() {
        for status in [100, 204, 301, 302, 304, 401, 404, 405, 408, 421, 425, 429, 500, 503, 599] {
            let body = if status == 204 { "" } else { r#"{"detail":"Not Found"}"# };
            assert!(read(status, body).is_err(), "{status}");
        }
        for page in ["<h1>Forbidden</h1>", "forbidden", "[]"] {
            assert!(read(403, page).is_err(), "{page}");
        }
    }
}
