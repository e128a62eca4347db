//! Links in the JSON protocol: `POST …/links` asks for an address of the object that needs no token. A body is optional. Whoever runs the
//! service asks below `/admin/`, for what is held too: theirs is good for minutes, and never shown in a browser's window.

use serde_json::{Map, Value};

use super::fields::{self, file_name, take, text};
use crate::Head;
use upload_types::{
    admin::AdminOperation,
    api_error::ApiError,
    link::{Disposition, LinkRequest, MAX_LINK_SECONDS, Presentation},
    operation::Operation,
};

/// The largest body: a name whose characters are all escaped, and room.
pub(super) const MAX_BODY_BYTES: u32 = 8 * 1024;

/// So long is a link of whoever runs the service good, in seconds, that says nothing else: it is for a look at one file.
const ADMIN_LINK_SECONDS: u64 = 300;

/// The last one is not for whoever runs the service.
const FIELDS: [&str; 3] = ["expiresInSeconds", fields::FILE_NAME, "disposition"];

/// `{"expiresInSeconds": 3600, "disposition": "inline", "fileName": "a.png"}`.
pub(super) fn parse(head: &Head, body: &[u8]) -> Result<Operation, ApiError> {
    Ok(Operation::Link(fields::upload(head)?, read(head, body, &FIELDS)?))
}

/// `{"expiresInSeconds": 3600, "fileName": "a.png"}`.
pub(super) fn parse_admin(head: &Head, body: &[u8]) -> Result<Operation, ApiError> {
    let mut wanted = read(head, body, &FIELDS[..2])?;
    wanted.expires_in_seconds.get_or_insert(ADMIN_LINK_SECONDS);
    Ok(Operation::Admin(AdminOperation::Link(fields::upload(head)?, wanted)))
}

fn read(head: &Head, body: &[u8], known: &[&str]) -> Result<LinkRequest, ApiError> {
    let mut fields = if body.is_empty() { Map::new() } else { fields::read(head, body, known)? };
    let expires_in_seconds = take(&mut fields, "expiresInSeconds").map(|value| seconds(&value)).transpose()?;
    let disposition = match text(&mut fields, "disposition")?.as_deref() {
        None | Some("attachment") => Disposition::Attachment,
        Some("inline") => Disposition::Inline,
        Some(_) => return Err(ApiError::bad_request("disposition", "is neither `attachment` nor `inline`")),
    };
    let presentation = Presentation { disposition, file_name: file_name(&mut fields)?, for_scanner: false };
    Ok(LinkRequest { expires_in_seconds, presentation })
}

fn seconds(value: &Value) -> Result<u64, ApiError> {
    let seconds = value.as_u64().filter(|seconds| (1..=MAX_LINK_SECONDS).contains(seconds));
    seconds.ok_or_else(|| ApiError::bad_request("expiresInSeconds", "is not 1 to 604800 (7 days)"))
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;
    use upload_types::units::UploadId;

    const ID: &str = "067e6162-3b6f-4ae2-a171-2470b63dff00";

    #[test]
    fn whoever_runs_the_service_has_minutes_and_no_window() {
        let path = format!("/admin/uploads/{ID}/links");
        let head = Head { method: Method::POST, path, query: String::new(), headers: crate::Headers::default() };
        let parsed = |body: &str| match parse_admin(&head, body.as_bytes())? {
            Operation::Admin(AdminOperation::Link(id, wanted)) if Some(id) == UploadId::parse(ID) => Ok(wanted),
            other => panic!("{other:?}"),
        };
        let usual = LinkRequest { expires_in_seconds: Some(300), ..LinkRequest::default() };
        assert_eq!((parsed(""), parsed("{}")), (Ok(usual.clone()), Ok(usual)));
        let wanted = parsed(r#"{"expiresInSeconds":60,"fileName":"a.bin"}"#).unwrap();
        assert_eq!((wanted.expires_in_seconds, wanted.presentation.file_name.as_deref()), (Some(60), Some("a.bin")));
        for body in [r#"{"disposition":"inline"}"#, r#"{"disposition":"attachment"}"#] {
            let refusal = ApiError::bad_request("disposition", "is not a known field");
            assert_eq!(parsed(body), Err(refusal), "{body}");
        }
    }

    fn parsed(body: &str) -> Result<LinkRequest, ApiError> {
        let path = format!("/upload/{ID}/links");
        let head = Head { method: Method::POST, path, query: String::new(), headers: crate::Headers::default() };
        parse(&head, body.as_bytes()).map(|operation| match operation {
            Operation::Link(id, wanted) if Some(id) == UploadId::parse(ID) => wanted,
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn everything_may_be_left_out() {
        for body in [
            "",
            "{}",
            r#"{"disposition":"attachment"}"#,
            r#"{"expiresInSeconds":null,"disposition":null,"fileName":null}"#,
        ] {
            assert_eq!(parsed(body), Ok(LinkRequest::default()), "{body}");
        }
        let wanted = parsed(r#"{"expiresInSeconds":604800,"disposition":"inline","fileName":"a/ü\".png"}"#).unwrap();
        let presentation = Presentation {
            disposition: Disposition::Inline,
            file_name: Some("a/ü\".png".to_owned()),
            for_scanner: false,
        };
        assert_eq!(wanted, LinkRequest { expires_in_seconds: Some(604_800), presentation });
        assert_eq!(MAX_LINK_SECONDS, 604_800, "as the complaint says");
        let longest = r#"{"fileName":""}"#.len() + 6 * crate::file_words::MAX_NAME_BYTES;
        assert!(longest < MAX_BODY_BYTES as usize, "the longest name fits, escaped as it may be");
    }

    #[test]
    fn every_complaint_names_its_field() {
        let long = format!(r#"{{"fileName":"{}"}}"#, "n".repeat(1025));
        for (body, field) in [
            ("{", "body"),
            ("[]", "body"),
            ("60", "body"),
            (r#"{"expiresInSeconds":0}"#, "expiresInSeconds"),
            (r#"{"expiresInSeconds":604801}"#, "expiresInSeconds"),
            (r#"{"expiresInSeconds":-1}"#, "expiresInSeconds"),
            (r#"{"expiresInSeconds":1.5}"#, "expiresInSeconds"),
            (r#"{"expiresInSeconds":"60"}"#, "expiresInSeconds"),
            (r#"{"disposition":"Inline"}"#, "disposition"),
            (r#"{"disposition":""}"#, "disposition"),
            (r#"{"disposition":true}"#, "disposition"),
            (r#"{"fileName":""}"#, "fileName"),
            (r#"{"fileName":["a"]}"#, "fileName"),
            (r#"{"fileName":"a\r\nSet-Cookie: b"}"#, "fileName"),
            (long.as_str(), "fileName"),
            (r#"{"expiresIn":60}"#, "expiresIn"),
        ] {
            match parsed(body) {
                Err(ApiError::BadRequest { field: named, .. }) => assert_eq!(named, field, "{body:.60}"),
                other => panic!("{body:.60}: {other:?}"),
            }
        }
    }
}
