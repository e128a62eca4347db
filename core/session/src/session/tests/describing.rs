//! What is said of a file once its bytes are there.

use std::collections::BTreeMap;

use super::*;

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
