//! The sections of one body of unknown length: whoever comes between two of them ends it.

use super::*;

fn section(session: &mut Session, offset: u64, after: Option<u64>) -> Result<WriteLease, ApiError> {
    let continuation = Continuation { after, has_more: true };
    let decision = session.begin(NOW, BeginAppend { continuation, ..begin(offset, PART) });
    take(session, decision)
}

/// A session with the first section of a body counted, and its attempt.
fn with_first_section() -> (Session, u64) {
    let mut s = session(4 * PART);
    let lease = section(&mut s, 0, None).unwrap();
    store(&mut s, &lease, lease.first_number, PART).unwrap();
    (s, lease.attempt)
}

#[test]
fn sections_follow_each_other() {
    let (mut s, first) = with_first_section();
    assert!(s.is_appending(), "between two sections somebody is still at it");
    let second = section(&mut s, PART, Some(first)).unwrap();
    store(&mut s, &second, second.first_number, PART).unwrap();
    let continuation = Continuation { after: Some(second.attempt), has_more: false };
    let decision = s.begin(NOW, BeginAppend { continuation, ..begin(2 * PART, 5) });
    let last = take(&mut s, decision).unwrap();
    count(&mut s, &remainder(last.attempt, 5)).unwrap();
    assert!(!s.is_appending());
}

#[test]
fn an_offset_told_between_two_sections_stays_true() {
    let (mut s, first) = with_first_section();
    let decision = s.probe(NOW);
    take(&mut s, decision).unwrap();
    let refused = section(&mut s, PART, Some(first)).unwrap_err();
    assert_eq!(refused, ApiError::Superseded { uploaded_bytes: bytes(PART) });
    assert!(start(&mut s, PART, PART).is_ok());
}

#[test]
fn a_chunk_between_two_sections_takes_over() {
    let (mut s, first) = with_first_section();
    let rival = start(&mut s, PART, PART).unwrap();
    assert!(section(&mut s, PART, Some(first)).is_err());
    store(&mut s, &rival, rival.first_number, PART).unwrap();
    assert!(section(&mut s, 2 * PART, Some(first)).is_err(), "not even behind what the rival brought");
}

#[test]
fn a_released_body_keeps_nobody_waiting() {
    let (mut s, first) = with_first_section();
    let decision = s.release(NOW, Release { attempt: first, reason: ReleaseReason::GaveUp });
    assert_eq!(take(&mut s, decision), Ok(bytes(PART)));
    assert!(!s.is_appending());
    assert!(section(&mut s, PART, Some(first)).is_err());
}
