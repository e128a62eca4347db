//! That what is held is handed out, or goes: by word of whoever runs the service.
//!
//! | route | asks for |
//! |---|---|
//! | `POST /upload/{id}/release` | that everybody gets it who would have, had it not been held |
//! | `POST /upload/{id}/reject`, with a reason or without a body | that it goes, as what has failed does |
//!
//! Both are below `/admin/uploads/{id}/`, too.

use http::Method;

use super::{allow::allow, fields};
use crate::{Head, Parsed, body_type};
use upload_types::{admin::AdminOperation, api_error::ApiError, operation::Operation, units::UploadId};

/// The largest body: its reason, and room.
const MAX_BODY_BYTES: u32 = 8 * 1024;

/// Understands a request's head; `action` is `release`, or it is a rejection.
pub(super) fn parse(head: &Head, id: UploadId, action: &str) -> Result<Parsed, ApiError> {
    allow(head, &[Method::POST])?;
    let operation = match action {
        "release" => AdminOperation::Release(id),
        _ if has_no_body(head) => AdminOperation::Reject(id, String::new()),
        _ => {
            body_type::json(head)?;
            return Ok(Parsed::NeedsBody { max_bytes: MAX_BODY_BYTES, finish: rejection });
        }
    };
    Ok(Parsed::Ready(Box::new(Operation::Admin(operation))))
}

/// A body that comes in chunks says no length, and then at least what it is.
fn has_no_body(head: &Head) -> bool {
    head.header("content-length").map_or_else(|| !head.headers.contains_key("content-type"), |length| length == "0")
}

/// `{"reason": "…"}`.
fn rejection(head: &Head, body: &[u8]) -> Result<Operation, ApiError> {
    const REASON: &str = "reason";
    let id = fields::upload(head)?;
    if body.is_empty() && !head.headers.contains_key("content-length") {
        return Ok(Operation::Admin(AdminOperation::Reject(id, String::new())));
    }
    let reason = fields::text(&mut fields::read(head, body, &[REASON])?, REASON)?.unwrap_or_default();
    Ok(Operation::Admin(AdminOperation::Reject(id, reason)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "067e6162-3b6f-4ae2-a171-2470b63dff00";

    fn rejected(body: &str) -> Result<Operation, ApiError> {
        let headers = [("content-length", "20"), ("content-type", "application/json")];
        let headers = crate::Headers::of(headers);
        let path = format!("/upload/{ID}/reject");
        let head = Head { method: Method::POST, path, query: String::new(), headers };
        match crate::json::parse(&head)? {
            Parsed::NeedsBody { finish, .. } => finish(&head, body.as_bytes()),
            _ => panic!("it has a body"),
        }
    }

    #[test]
    fn what_may_have_a_body_is_read() {
        let headers = crate::Headers::of([("content-type", "application/json")]);
        let head = Head { method: Method::POST, path: format!("/upload/{ID}/reject"), query: String::new(), headers };
        assert!(matches!(crate::json::parse(&head), Ok(Parsed::NeedsBody { .. })));
        let head = Head { headers: crate::Headers::default(), ..head };
        assert!(matches!(crate::json::parse(&head), Ok(Parsed::Ready(_))));
    }

    #[test]
    fn a_rejection_may_say_why() {
        let reject = |reason: &str| {
            Ok(Operation::Admin(AdminOperation::Reject(UploadId::parse(ID).unwrap(), reason.to_owned())))
        };
        assert_eq!(rejected(r#"{"reason":"a virus"}"#), reject("a virus"));
        assert_eq!((rejected("{}"), rejected(r#"{"reason":null}"#)), (reject(""), reject("")));
        for wrong in [r#"{"reason":7}"#, r#"{"why":""}"#, "[]", ""] {
            assert!(matches!(rejected(wrong), Err(ApiError::BadRequest { .. })), "{wrong}");
        }
    }
}
