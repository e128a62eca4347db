//! What is said of a file once its bytes are there.

use std::collections::BTreeMap;

use super::*;
use upload_types::upload::{MAX_METADATA_BYTES, MetadataPatch};

fn said(value: &str) -> BTreeMap<String, String> {
    BTreeMap::from([("album".to_owned(), value.to_owned())])
}

/// Of one part, of which all bytes count, and which waits to be told that this is all.
fn waiting() -> Session {
    let mut s = session(PART);
    let decision = s.begin(NOW, BeginAppend { completes: Completion::WhenTold, ..begin(0, PART) });
    let lease = take(&mut s, decision).unwrap();
    store(&mut s, &lease, 1, PART).unwrap();
    s
}

fn describe(s: &mut Session, offset: u64, value: &str) -> Result<(), ApiError> {
    let (offset, file_bytes) = (bytes(offset), Some(bytes(PART)));
    let decision = s.declare_and_describe(NOW, offset, file_bytes, Completion::WhenWhole, &said(value));
    take(s, decision)
}

#[test]
fn it_is_stored_in_the_row_that_completes_the_upload() {
    let mut s = waiting();
    assert_eq!(describe(&mut s, PART, "7"), Ok(()));
    assert_eq!((s.phase(), s.snapshot().file.metadata), (Phase::Completing, said("7")));
    let written = serde_json::to_value(&s.progress).unwrap();
    assert_eq!(written["metadata"], serde_json::json!({ "album": "7" }));
    assert_eq!(serde_json::from_value::<UploadState>(written).unwrap().metadata, s.progress.metadata);
}

#[test]
fn a_refusal_describes_nothing() {
    let mut s = waiting();
    assert!(matches!(describe(&mut s, 5, "7"), Err(ApiError::OffsetMismatch { .. })));
    assert!(s.snapshot().file.metadata.is_empty());
}

#[test]
fn it_may_be_said_twice_and_does_not_change_once_the_origin_may_have_heard() {
    let mut s = waiting();
    describe(&mut s, PART, "7").unwrap();
    assert_eq!(describe(&mut s, PART, "7"), Ok(()), "the answer was lost");
    assert_eq!(describe(&mut s, PART, "8"), Err(ApiError::Completing));
    assert_eq!(s.snapshot().file.metadata, said("7"));
}

fn named<const N: usize>(wanted: [(&str, Option<&str>); N]) -> MetadataPatch {
    let mut patch = MetadataPatch::default();
    for (name, value) in wanted {
        match value {
            Some(value) => drop(patch.set.insert(name.to_owned(), value.to_owned())),
            None => patch.unset.push(name.to_owned()),
        }
    }
    patch
}

fn patch<const N: usize>(s: &mut Session, wanted: [(&str, Option<&str>); N]) -> Result<(), ApiError> {
    let decision = s.describe(&named(wanted));
    take(s, decision)
}

#[test]
fn its_owner_says_otherwise_before_and_after_the_end_and_the_rest_stays() {
    let mut s = waiting();
    patch(&mut s, [("album", Some("7")), ("by", Some("me"))]).unwrap();
    describe(&mut s, PART, "8").unwrap();
    assert_eq!(
        (s.phase(), s.snapshot().file.metadata),
        (Phase::Completing, said("8")),
        "what is said with its end is all"
    );
    // It comes while the object is put together, and again once it is there.
    patch(&mut s, [("by", Some("me")), ("nothing", None)]).unwrap();
    let change = s.assembled(NOW, "etag".to_owned(), Crc64Nvme(1));
    s.apply(change);
    assert_eq!(s.phase(), Phase::Completed);
    let both = [("album".to_owned(), "8".to_owned()), ("by".to_owned(), "me".to_owned())];
    assert_eq!(s.snapshot().file.metadata, both.into());
    patch(&mut s, [("album", None)]).unwrap();
    assert_eq!(s.snapshot().file.metadata, [("by".to_owned(), "me".to_owned())].into());
}

#[test]
fn what_is_said_already_writes_nothing_and_what_is_too_much_changes_nothing() {
    let mut s = waiting();
    let half = "x".repeat(MAX_METADATA_BYTES / 2);
    patch(&mut s, [("a", Some(&half))]).unwrap();
    assert!(s.describe(&named([("a", Some(&half)), ("b", None)])).change.is_none());
    assert!(
        matches!(patch(&mut s, [("b", Some(&half))]), Err(ApiError::BadRequest { field, .. }) if field == "metadata")
    );
    assert_eq!(s.snapshot().file.metadata.len(), 1);
    patch(&mut s, [("b", Some(&half)), ("a", None)]).unwrap();
}

#[test]
fn nothing_is_said_of_a_file_that_is_not_there() {
    let mut s = waiting();
    let decision = s.cancel(NOW, DeleteRight::Unfinished);
    take(&mut s, decision).unwrap();
    assert!(matches!(patch(&mut s, [("a", Some("b"))]), Err(ApiError::UploadGone { phase: Phase::Aborted, .. })));
}
