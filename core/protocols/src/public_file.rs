//! Requests on the host of public files, where there is nothing else: `GET` and `HEAD` of `/{upload id}/{file name}`. Whatever is no such
//! address, or is no file that everybody gets, is not there, and nobody is told more.

use http::Method;
use percent_encoding::percent_decode_str;

use crate::{Head, Parsed};
use upload_types::{api_error::ApiError, operation::Operation, public_file::PublicFile, units::UploadId};

/// Understands a request's head, whose path is that of the whole address.
pub fn parse(head: &Head) -> Result<Parsed, ApiError> {
    let file = asked(head).ok_or(ApiError::UploadNotFound)?;
    Ok(Parsed::Ready(Box::new(Operation::PublicFile(file))))
}

fn asked(head: &Head) -> Option<PublicFile> {
    let head_only = head.method == Method::HEAD;
    if !head_only && head.method != Method::GET {
        return None;
    }
    let (id, name) = head.path.strip_prefix('/')?.split_once('/')?;
    let (id, name) = (UploadId::parse(id)?, percent_decode_str(name).decode_utf8().ok()?.into_owned());
    // A name is one segment. A slash in it would be one that was encoded, and no file is called so.
    Some(PublicFile { id, name, head_only, conditions: head.conditions() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::normalized;

    const ID: &str = "067e6162-3b6f-4ae2-a171-2470b63dff00";

    fn name(method: Method, path: &str) -> Option<String> {
        let (path, query) = (normalized(path), "expires=1&signature=00&follow".to_owned());
        let head = Head { method, path, query, headers: crate::Headers::default() };
        match parse(&head) {
            Ok(Parsed::Ready(operation)) => match *operation {
                Operation::PublicFile(file) if Some(file.id) == UploadId::parse(ID) => Some(file.name),
                other => panic!("{other:?}"),
            },
            Ok(_) => panic!("it has no body"),
            Err(refusal) => {
                assert_eq!(refusal.code(), "upload-not-found");
                None
            }
        }
    }

    #[test]
    fn a_file_has_an_id_and_a_name_and_nothing_else_is_there() {
        for (path, expected) in [
            ("photo.jpg", Some("photo.jpg")),
            ("%70hoto.jpg", Some("photo.jpg")),
            ("%C3%A4%20b%3F.jpg", Some("ä b?.jpg")),
            ("%c3%a4.jpg", Some("ä.jpg")),
            ("a%2Fb.jpg", Some("a/b.jpg")),
            ("a%252Fb.jpg", Some("a%2Fb.jpg")),
            ("a/b.jpg", Some("a/b.jpg")),
            ("../photo.jpg", None),
            ("%FF.jpg", None),
            ("", None),
        ] {
            assert_eq!(name(Method::GET, &format!("/{ID}/{path}")).as_deref(), expected, "{path}");
        }
        for path in ["/", "/upload/init", "/files", "/healthz", &format!("/{ID}"), &format!("/upload/{ID}/content")] {
            assert_eq!(name(Method::GET, path), None, "{path}");
        }
        assert_eq!(name(Method::GET, &format!("/{}/a", ID.to_uppercase())), None);
        assert_eq!(name(Method::HEAD, &format!("/{ID}/a")).as_deref(), Some("a"));
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS, Method::PATCH] {
            assert_eq!(name(method.clone(), &format!("/{ID}/a")), None, "{method}");
        }
    }
}
