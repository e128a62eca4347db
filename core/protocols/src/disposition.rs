//! The file's name in `Content-Disposition` (RFC 6266): `inline; filename="a.jpg"; filename*=UTF-8''%E2%82%AC.jpg`. It comes
//! from strangers, and is only ever shown: what would mislead (folders, control characters) is taken out.

use crate::{Head, file_words::clean_name};

/// What a file without a name is called.
pub(super) const FALLBACK: &str = "file";

/// The name, fit to be shown; `file` where there is none.
pub(super) fn file_name(head: &Head) -> String {
    given_name(head).unwrap_or_else(|| FALLBACK.to_owned())
}

/// The name, fit to be shown, where there is one.
pub(super) fn given_name(head: &Head) -> Option<String> {
    let parameters = head.headers.get("content-disposition").map(parameters);
    let parameters = parameters.unwrap_or_default();
    let parameter = |name: &str| parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let name = named(parameter("filename*"), parameter("filename").map(str::to_owned));
    name.as_deref().and_then(presentable)
}

/// Of `filename*` and `filename` the first, where both are there and it can be read (RFC 6266, section 4.3).
pub(super) fn named(encoded: Option<&str>, plain: Option<String>) -> Option<String> {
    encoded.and_then(extended).or(plain)
}

/// The parameters behind the first word, names in lower case, quotes taken off.
pub(super) fn parameters(value: &str) -> Vec<(String, String)> {
    let mut parameters = Vec::new();
    let mut rest = value.split_once(';').map_or("", |(_, rest)| rest);
    while let Some((name, value)) = rest.split_once('=') {
        let (value, after) = if let Some(quoted) = value.trim_start().strip_prefix('"') {
            unquoted(quoted)
        } else {
            let (token, after) = value.split_once(';').unwrap_or((value, ""));
            (token.trim().to_owned(), after)
        };
        let name = name.trim_start_matches([';', ' ', '\t']).trim_end();
        parameters.push((name.to_ascii_lowercase(), value));
        rest = after;
    }
    parameters
}

/// A quoted string from behind its first quote, and what follows its last. A backslash stands before a quote or another one; before anything
/// else it is one: browsers on Windows wrote whole paths.
fn unquoted(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (value, &text[at + 1..]),
            '\\' => {
                let escaped = characters.next_if(|(_, next)| matches!(next, '"' | '\\'));
                value.push(escaped.map_or('\\', |(_, escaped)| escaped));
            }
            other => value.push(other),
        }
    }
    (value, "")
}

/// `UTF-8''percent%20encoded` (RFC 8187); `None` where it is not that.
fn extended(value: &str) -> Option<String> {
    let mut fields = value.splitn(3, '\'');
    let (charset, _language, encoded) = (fields.next()?, fields.next()?, fields.next()?);
    if !charset.eq_ignore_ascii_case("UTF-8") {
        return None;
    }
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

/// The last segment of a path, without control characters and white space around it.
pub(super) fn presentable(name: &str) -> Option<String> {
    let name = clean_name(name.rsplit(['/', '\\']).next()?)?.trim().to_owned();
    (!name.is_empty() && name != "." && name != "..").then_some(name)
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;

    #[test]
    fn names() {
        let long = format!("inline; filename=\"{}\"", "é".repeat(600));
        for (value, expected) in [
            ("inline; filename=\"file name.jpg\"; filename*=UTF-8''file%20name.jpg", "file name.jpg"),
            ("inline; filename=plain.txt", "plain.txt"),
            ("attachment;FileName = \"a;b=\\\"c\\\".txt\" ; x=y", "a;b=\"c\".txt"),
            ("inline; filename=fallback; filename*=utf-8'de'%E2%82%AC.txt", "€.txt"),
            ("inline; filename=fallback; filename*=UTF-8''%FF", "fallback"),
            ("inline; filename=fallback; filename*=UTF-8''%2", "fallback"),
            ("inline; filename=fallback; filename*=ISO-8859-1''%A3", "fallback"),
            ("inline; filename*=UTF-8''..%2F..%2Fetc%2Fpasswd", "passwd"),
            ("inline; filename=\"C:\\\\dir\\\\evil.exe\"", "evil.exe"),
            ("inline; filename=\"C:\\dir\\evil.exe\"", "evil.exe"),
            ("inline; filename*=UTF-8''a%00%0Ab", "ab"),
            ("inline; filename=\"..\"", "file"),
            ("inline; filename=\"\"", "file"),
            ("inline; filename=\"unfinished", "unfinished"),
            ("inline", "file"),
            ("", "file"),
            (";;;=;=", "file"),
            (long.as_str(), &"é".repeat(512)),
        ] {
            let headers = crate::Headers::of([("content-disposition", value)]);
            let head = Head { method: Method::POST, path: "/files".to_owned(), query: String::new(), headers };
            assert_eq!(file_name(&head), expected, "{value:?}");
        }
    }
}
