//! What stands above a part of a form: its headers (RFC 7578, section 4). A part with a file name is a file, any other a field.

use crate::{
    disposition::{self, parameters},
    file_words::is_media_type,
};
use upload_types::api_error::ApiError;

/// The longest head: a field's name, a file's in two spellings of up to 3 bytes for each of its own 1,024, and room.
pub(super) const MAX_HEAD_BYTES: usize = 8 * 1024;

/// The longest name of a field.
const MAX_FIELD_NAME_BYTES: usize = 256;

/// What a part is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum PartHead {
    /// A field of this name.
    Field(String),
    /// A file.
    File(FileHead),
}

/// What a form says of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileHead {
    /// The name of the field that it was chosen in; empty where there is none.
    pub field: String,
    /// What it is called, fit to be shown; `file` where nothing is left of that.
    pub name: String,
    /// Whether it has a name at all: browsers send an empty file without one where none was chosen.
    pub is_named: bool,
    /// Its media type, if given.
    pub content_type: Option<String>,
}

/// Understands the lines above a part, without the empty one.
pub(super) fn parse(lines: &[u8]) -> Result<PartHead, ApiError> {
    let headers = Headers::parse(&String::from_utf8_lossy(lines))?;
    headers.refuse_coding()?;
    let disposition = headers.get("content-disposition").unwrap_or_default();
    if !disposition.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("form-data") {
        return Err(bad("has a part without `Content-Disposition: form-data; name=\"…\"`"));
    }
    let parameters = parameters(disposition);
    let parameter = |name: &str| parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let field = parameter("name").map(unescaped).unwrap_or_default();
    if field.len() > MAX_FIELD_NAME_BYTES || field.chars().any(char::is_control) {
        return Err(bad(format!(
            "has a field whose name is longer than {MAX_FIELD_NAME_BYTES} bytes, or has a line's end in it"
        )));
    }
    let content_type = headers.get("content-type").filter(|text| !text.is_empty()).map(str::to_owned);
    let file_name = disposition::named(parameter("filename*"), parameter("filename").map(unescaped));
    let is_file = file_name.is_some() || content_type.as_deref() == Some("application/octet-stream");
    if is_file {
        if content_type.as_deref().is_some_and(|text| !is_media_type(text)) {
            return Err(bad("has a file whose `Content-Type` is no media type like `video/mp4`"));
        }
        let is_named = file_name.as_deref().is_some_and(|name| !name.is_empty());
        let name = file_name.as_deref().and_then(disposition::presentable);
        let name = name.unwrap_or_else(|| disposition::FALLBACK.to_owned());
        return Ok(PartHead::File(FileHead { field, name, is_named, content_type }));
    }
    if content_type.is_some_and(|text| text.to_ascii_lowercase().starts_with("multipart/")) {
        return Err(bad("has a form in it: several files come as several parts of one name (RFC 7578, section 4.3)"));
    }
    if field.is_empty() {
        return Err(bad("has a field without a name"));
    }
    Ok(PartHead::Field(field))
}

fn bad(detail: impl Into<String>) -> ApiError {
    ApiError::bad_request("form", detail)
}

/// Browsers write these three characters, and no others, so in names (HTML, "Multipart form data").
fn unescaped(name: &str) -> String {
    name.replace("%22", "\"").replace("%0D", "\r").replace("%0A", "\n")
}

/// Names in lower case, values without white space around them.
struct Headers(Vec<(String, String)>);

impl Headers {
    fn parse(lines: &str) -> Result<Self, ApiError> {
        let mut headers: Vec<(String, String)> = Vec::new();
        for line in lines.split("\r\n").filter(|line| !line.is_empty()) {
            if let (true, Some((_, value))) = (line.starts_with([' ', '\t']), headers.last_mut()) {
                // Mail libraries fold long lines (RFC 5322, section 2.2.3).
                *value = format!("{value} {}", line.trim());
                continue;
            }
            let Some((name, value)) = line.split_once(':').filter(|(name, _)| is_name(name)) else {
                return Err(bad("has a part with a line above it that is no header"));
            };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        Ok(Self(headers))
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Bytes come as they are (RFC 7578, section 4.7): decoded, a file would have another length than anybody sees on the way.
    fn refuse_coding(&self) -> Result<(), ApiError> {
        let coding = self.get("content-transfer-encoding").unwrap_or("binary");
        if ["binary", "8bit", "7bit"].iter().any(|known| coding.eq_ignore_ascii_case(known)) {
            return Ok(());
        }
        Err(bad(format!(
            "has a part with `Content-Transfer-Encoding: {coding}`; send its bytes as they are, without one"
        )))
    }
}

/// What a header's name is made of (RFC 9110, section 5.1).
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(lines: &str) -> FileHead {
        match parse(lines.as_bytes()) {
            Ok(PartHead::File(file)) => file,
            other => panic!("{lines}: {other:?}"),
        }
    }

    #[test]
    fn a_name_is_shown_and_never_a_path() {
        let long = format!("filename=\"{}\"", "é".repeat(600));
        for (said, expected) in [
            ("filename=\"cat.png\"", "cat.png"),
            ("filename=cat.png", "cat.png"),
            ("filename=\"../../etc/passwd\"", "passwd"),
            ("filename=\"C:\\Users\\a\\cat.png\"", "cat.png"),
            ("filename=\"a%22b%0D%0Ac.txt\"", "a\"bc.txt"),
            ("filename=\"a\\\"b;c.txt\"", "a\"b;c.txt"),
            ("filename=\"100%25.txt\"", "100%25.txt"),
            ("filename=\"fallback\"; filename*=UTF-8''%E2%82%AC%0D%0A.txt", "€.txt"),
            ("filename*=UTF-8''..%2F..%2Fetc%2Fpasswd", "passwd"),
            ("filename=\"名前.txt\"", "名前.txt"),
            ("filename=\"..\"", "file"),
            ("filename=\"\"", "file"),
            (long.as_str(), &"é".repeat(512)),
        ] {
            let head = file(&format!("Content-Disposition: form-data; name=\"f\"; {said}"));
            assert_eq!((head.name.as_str(), head.field.as_str()), (expected, "f"), "{said}");
            assert_eq!(head.is_named, said != "filename=\"\"", "{said}");
        }
    }

    #[test]
    fn what_is_said_of_files_and_fields() {
        let head = file(
            "content-disposition: form-data; name=\"f\"; filename=\"a\"\r\nContent-Type:  text/plain; charset=utf-8 ",
        );
        assert_eq!(head.content_type.as_deref(), Some("text/plain; charset=utf-8"));
        let head = file("Content-Type: application/octet-stream\r\nContent-Disposition: form-data");
        assert_eq!((head.field.as_str(), head.is_named), ("", false));
        let head = file(
            "Content-Disposition: form-data; name=\"f\";\r\n\tfilename=\"a.mht\"\r\nContent-Type: multipart/related; boundary=c\r\nContent-Transfer-Encoding: binary",
        );
        assert_eq!(
            (head.name.as_str(), head.content_type.as_deref()),
            ("a.mht", Some("multipart/related; boundary=c"))
        );
        for said in ["name=\"t i%22\"", "name=\"t i\\\"\"\r\nContent-Type: application/json"] {
            assert_eq!(
                parse(format!("Content-Disposition: form-data; {said}").as_bytes()),
                Ok(PartHead::Field("t i\"".to_owned()))
            );
        }
    }

    #[test]
    fn what_is_malformed_is_refused() {
        let long = format!("Content-Disposition: form-data; name=\"{}\"", "n".repeat(257));
        for wrong in [
            "",
            "Content-Type: text/plain",
            "Content-Disposition: attachment; filename=\"a\"",
            "Content-Disposition: form-data",
            "Content-Disposition: form-data; name=\"\"",
            "Content-Disposition: form-data; name=\"a%0Ab\"",
            "Content-Disposition: form-data; name=\"a\"\r\nno header",
            "Content-Disposition : form-data; name=\"a\"",
            " Content-Disposition: form-data; name=\"a\"",
            "Content-Disposition: form-data; name=\"a\"\r\nContent-Type: Multipart/Mixed; boundary=c",
            "Content-Disposition: form-data; name=\"a\"; filename=\"b\"\r\nContent-Type: movie",
            "Content-Disposition: form-data; name=\"a\"; filename=\"b\"\r\nContent-Transfer-Encoding: BASE64",
            long.as_str(),
        ] {
            assert!(matches!(parse(wrong.as_bytes()), Err(ApiError::BadRequest { .. })), "{wrong}");
        }
    }
}
