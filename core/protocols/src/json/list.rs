//! The list of an owner's uploads in the JSON protocol, and the deletion of many of them at once.

use serde_json::{Map, Value};

use super::fields::{self, take};
use crate::{Head, file_words::MAX_NAME_BYTES};
use upload_types::{
    api_error::ApiError,
    ledger::{EntryName, ListQuery, Listed},
    operation::Operation,
    units::UploadId,
};

/// Where many are deleted.
pub(super) const DELETE_PATH: &str = "/uploads/delete";

/// Where uploads are named.
const FIELD: &str = "uploadIds";

/// So many uploads are deleted by one request: each is a question to its object, of which an invocation has some thousands.
pub(super) const MAX_DELETED: usize = 1_000;

/// The largest body: ten times as many, which are told that they are too many, and room.
pub(super) const MAX_BODY_BYTES: u32 = 512 * 1024;

/// `GET /uploads?state=completed&prefix=holidays/&cursor=…`.
pub(super) fn parse(head: &Head) -> Result<Operation, ApiError> {
    query(head).map(Operation::List)
}

/// Which page of which uploads.
pub(super) fn query(head: &Head) -> Result<ListQuery, ApiError> {
    let listed = match head.query_parameter("state") {
        None | Some("open") => Listed::Open,
        Some("completed") => Listed::Completed,
        Some("all") => Listed::All,
        Some(_) => return Err(ApiError::bad_request("state", "is none of `open`, `completed` and `all`")),
    };
    let prefix = head.query_text("prefix").unwrap_or_default();
    if prefix.len() > MAX_NAME_BYTES || prefix.chars().any(char::is_control) {
        let why = format!("is longer than {MAX_NAME_BYTES} bytes, or has control characters, as no name is or has");
        return Err(ApiError::bad_request("prefix", why));
    }
    Ok(ListQuery { after: cursor(head)?, listed, prefix })
}

/// Where a list goes on.
pub(super) fn cursor(head: &Head) -> Result<Option<EntryName>, ApiError> {
    let bad_cursor = || ApiError::bad_request("cursor", "is not the `next` of a list");
    head.query_parameter("cursor").map(|text| EntryName::parse(text).ok_or_else(bad_cursor)).transpose()
}

/// `{"uploadIds": ["…", "…"]}`. One that is named twice is deleted once.
pub(super) fn parse_deletion(head: &Head, body: &[u8]) -> Result<Operation, ApiError> {
    ids(fields::read(head, body, &[FIELD])?, MAX_DELETED).map(Operation::DeleteMany)
}

/// The uploads that are named, each once, and no more than so many.
pub(super) fn ids(mut fields: Map<String, Value>, most: usize) -> Result<Vec<UploadId>, ApiError> {
    let Some(Value::Array(named)) = take(&mut fields, FIELD) else {
        return Err(ApiError::bad_request(FIELD, "is not an array"));
    };
    if named.len() > most {
        return Err(ApiError::bad_request(FIELD, format!("has more than {most} ids: send several requests")));
    }
    let mut ids: Vec<UploadId> = Vec::new();
    for name in &named {
        let id = name.as_str().and_then(UploadId::parse);
        let id = id.ok_or_else(|| ApiError::bad_request(FIELD, format!("has {name}, which is no upload's id")))?;
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;
    use upload_types::units::UnixMs;

    const ID: &str = "067e6162-3b6f-4ae2-a171-2470b63dff00";

    fn head(query: &str) -> Head {
        let (method, path) = (Method::GET, "/uploads".to_owned());
        Head { method, path, query: query.to_owned(), headers: crate::Headers::default() }
    }

    #[test]
    fn a_page_is_found_by_what_is_asked() {
        let upload_id = UploadId::parse(ID).unwrap();
        let cursor = EntryName { created_at: UnixMs(17), upload_id };
        for (query, expected) in [
            ("", ListQuery::default()),
            ("state=open", ListQuery::default()),
            ("state=all&prefix=", ListQuery { listed: Listed::All, ..ListQuery::default() }),
            (
                &format!("cursor={cursor}&prefix=a%2Fb+%F0%9F%8F%96%25&state=completed"),
                ListQuery { after: Some(cursor), listed: Listed::Completed, prefix: "a/b 🏖%".to_owned() },
            ),
        ] {
            assert_eq!(parse(&head(query)), Ok(Operation::List(expected)), "{query}");
        }
    }

    #[test]
    fn many_are_named_and_each_is_deleted_once() {
        let id = UploadId::parse(ID).unwrap();
        let deletion = |body: &str| parse_deletion(&head(""), body.as_bytes());
        assert_eq!(deletion(r#"{"uploadIds":[]}"#), Ok(Operation::DeleteMany(Vec::new())));
        assert_eq!(deletion(&format!(r#"{{"uploadIds":["{ID}","{ID}"]}}"#)), Ok(Operation::DeleteMany(vec![id])));
        let ids = |many: usize| format!(r#"{{"uploadIds":[{}]}}"#, vec![format!("\"{ID}\""); many].join(","));
        assert!(deletion(&ids(1_000)).is_ok());
        assert!(ids(10_000).len() < MAX_BODY_BYTES as usize, "they are told that they are too many");
        for (body, field) in [
            ("", "body"),
            ("{}", "uploadIds"),
            (r#"{"uploadIds":"all"}"#, "uploadIds"),
            (r#"{"uploadIds":["*"]}"#, "uploadIds"),
            (r#"{"uploadIds":[null]}"#, "uploadIds"),
            (&format!(r#"{{"uploadIds":["{}"]}}"#, ID.to_uppercase()), "uploadIds"),
            (&ids(1_001), "uploadIds"),
            (&ids(10_000), "uploadIds"),
            (r#"{"uploadIds":[],"state":"all"}"#, "state"),
        ] {
            match deletion(body) {
                Err(ApiError::BadRequest { field: named, .. }) => assert_eq!(named, field, "{body:.60}"),
                other => panic!("{body:.60}: {other:?}"),
            }
        }
    }

    #[test]
    fn every_complaint_names_its_parameter() {
        let long = format!("prefix={}", "n".repeat(1_025));
        for (query, field) in [
            ("state=", "state"),
            ("state=finished", "state"),
            ("state=Open", "state"),
            ("prefix=%00", "prefix"),
            ("prefix=a%0Ab", "prefix"),
            (long.as_str(), "prefix"),
            ("cursor=", "cursor"),
            ("cursor=1", "cursor"),
            ("cursor=1.x", "cursor"),
        ] {
            match parse(&head(query)) {
                Err(ApiError::BadRequest { field: named, .. }) => assert_eq!(named, field, "{query:.60}"),
                other => panic!("{query:.60}: {other:?}"),
            }
        }
    }
}
