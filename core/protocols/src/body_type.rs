//! What a request says that its body is. Bytes of a file come bare, and never in a form: its boundaries and its other fields
//! would be stored as part of the file, and nobody would notice before it is opened.

use super::Head;
use upload_types::api_error::ApiError;

/// The media type of the body in lower case, without its parameters.
pub(super) fn media_type(head: &Head) -> Option<String> {
    let essence = head.header("content-type")?.split(';').next()?.trim().to_ascii_lowercase();
    (!essence.is_empty()).then_some(essence)
}

/// Whether the body is said to have parts, as forms with files and some mails have.
pub(super) fn is_multipart(head: &Head) -> bool {
    media_type(head).is_some_and(|essence| essence.starts_with("multipart/"))
}

/// Refuses a form where the bytes of a file are expected; `header` is what they come with.
pub(super) fn bare_bytes(head: &Head, header: &str) -> Result<(), ApiError> {
    if !is_multipart(head) {
        return Ok(());
    }
    let expected = format!("the bytes of the file alone as the body, with {header}, and no form around them");
    Err(ApiError::UnsupportedMediaType { expected })
}

/// Refuses a form where JSON is expected, before it is read. JSON under any other type is read: curl's `-d` says that it sends a form.
pub(super) fn json(head: &Head) -> Result<(), ApiError> {
    if is_multipart(head) { Err(json_expected()) } else { Ok(()) }
}

/// What whoever sent something else than JSON is told.
pub(super) fn not_json(head: &Head, error: &serde_json::Error) -> ApiError {
    if media_type(head).as_deref() == Some("application/x-www-form-urlencoded") && !error.is_data() {
        return json_expected();
    }
    let what = if error.is_data() { "is not as expected" } else { "is not JSON" };
    ApiError::bad_request("body", format!("{what}: {error}"))
}

fn json_expected() -> ApiError {
    let expected = "a JSON object as the body, with `Content-Type: application/json`; this is a form".to_owned();
    ApiError::UnsupportedMediaType { expected }
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;

    fn head(content_type: &str) -> Head {
        let headers = crate::Headers::of([("content-type", content_type)]);
        Head { method: Method::POST, path: String::new(), query: String::new(), headers }
    }

    #[test]
    fn forms_are_no_bytes_and_no_json() {
        for form in ["multipart/form-data; boundary=x", "Multipart/Mixed", " multipart/form-data "] {
            for refused in [bare_bytes(&head(form), "x"), json(&head(form))] {
                assert!(matches!(refused, Err(ApiError::UnsupportedMediaType { .. })), "{form}");
            }
        }
        for other in
            ["", "application/octet-stream", "application/x-www-form-urlencoded", "text/multipart", "multipart"]
        {
            assert_eq!((bare_bytes(&head(other), "x"), json(&head(other))), (Ok(()), Ok(())), "{other}");
        }
    }

    #[test]
    fn a_form_without_files_is_told_apart_from_json_that_says_it_is_one() {
        let error = |text: &str| serde_json::from_str::<u8>(text).unwrap_err();
        let form = head("application/x-www-form-urlencoded");
        assert!(matches!(not_json(&form, &error("a=b")), ApiError::UnsupportedMediaType { .. }));
        assert!(matches!(not_json(&form, &error("\"text\"")), ApiError::BadRequest { .. }));
        assert!(matches!(not_json(&head("text/plain"), &error("a=b")), ApiError::BadRequest { .. }));
    }
}
