//! What is stored already: the origin is told of it as of any other upload, and nothing of it is ever deleted.

use super::*;
use crate::event::DeliveryOutcome;
use upload_types::{integrity::Sha256Digest, ledger::StoredObject};

fn stored() -> StoredObject {
    StoredObject {
        sha256: Sha256Digest::try_from("a".repeat(64)).unwrap(),
        upload_id: UploadId::from_random_bytes([9; 16]),
        key: "uploads/the-first".to_owned(),
        etag: "etag".to_owned(),
        crc64nvme: Crc64Nvme(7),
        file_size: bytes(3 * PART),
    }
}

fn duplicate() -> Session {
    let stored = stored();
    let mut spec = spec(Mode::Parallel, 3 * PART);
    spec.file.sha256 = Some(stored.sha256);
    let spec = spec.duplicate_of(&stored, UploadId::from_random_bytes([2; 16]));
    Session::create_duplicate(spec, &stored).unwrap()
}

fn kinds(s: &Session) -> Vec<EventKind> {
    s.outbox.iter().map(|delivery| delivery.kind).collect()
}

fn begin_telling(s: &mut Session) -> Option<crate::event::Delivery> {
    let event_id = EventKind::Duplicate.id(s.spec.id);
    let decision = s.begin_delivery(NOW, &event_id, 60_000, 1_000);
    take(s, decision).unwrap()
}

#[test]
fn it_is_complete_with_the_object_of_the_other_and_its_origin_is_to_be_told() {
    let mut s = duplicate();
    let snapshot = s.snapshot();
    assert_eq!(
        (snapshot.phase, snapshot.uploaded_bytes, snapshot.missing),
        (Phase::Completed, bytes(3 * PART), vec![])
    );
    let object = s.find_object().unwrap();
    assert_eq!(
        (object.key, object.etag, object.sha256),
        ("uploads/the-first".to_owned(), "etag".to_owned(), Some(stored().sha256))
    );
    assert_eq!(s.next_job(), Some((UnixMs(0), Job::EnqueueEvent)));
    let begun = begin_telling(&mut s).unwrap();
    assert_eq!(begun.link_until, Some(NOW.plus_ms(1_000)), "a link goes along");
}

#[test]
fn what_a_restart_reads_back_is_what_was_there() {
    let s = duplicate();
    let (spec, state) = (serde_json::to_string(&s.spec).unwrap(), serde_json::to_string(&s.progress).unwrap());
    let outbox = serde_json::to_string(&s.outbox).unwrap();
    let counted = CountedRows::Sequence { last_part: None, last_segment: None };
    let (spec, state) = (serde_json::from_str(&spec).unwrap(), serde_json::from_str(&state).unwrap());
    let read = Session::restore(NOW, spec, state, serde_json::from_str(&outbox).unwrap(), counted);
    assert_eq!(read, s);
}

#[test]
fn an_origin_that_wants_the_object_gone_has_none_to_give_back() {
    let mut s = duplicate();
    begin_telling(&mut s).unwrap();
    let event_id = EventKind::Duplicate.id(s.spec.id);
    let decision = s.delivery_ended(NOW, &event_id, &DeliveryOutcome::Acknowledged { discard: true });
    take(&mut s, decision).unwrap();
    assert!(s.stored_object().is_some() && s.snapshot().deleted_at.is_none());
    assert_eq!(s.next_job().unwrap().1, Job::Purge, "nothing is owed to anybody");
}

#[test]
fn deleted_it_is_gone_and_the_object_stays() {
    let mut s = duplicate();
    let refused = s.cancel(NOW, DeleteRight::Unfinished).answer;
    assert!(matches!(refused, Err(ApiError::NotPermitted { .. })));
    let decision = s.cancel(NOW, DeleteRight::Completed);
    take(&mut s, decision).unwrap();
    assert_eq!((s.phase(), kinds(&s)), (Phase::Deleted, vec![EventKind::Deleted]));
    assert_eq!(begin_telling(&mut s), None, "of what is gone nobody is told that it is there");
    let change = s.delivered(NOW, EventKind::Deleted, false);
    s.apply(change);
    assert_eq!(s.next_job().unwrap().1, Job::Purge, "neither R2 nor the ledger is asked for anything");
}

#[test]
fn it_is_remembered_as_long_as_its_link_is_good() {
    let mut s = duplicate();
    let link_ms = 9 * s.spec.policy.tombstone_ms;
    let change = s.delivery_begun(NOW, EventKind::Duplicate, 60_000, link_ms).unwrap();
    s.apply(change);
    let change = s.delivered(NOW, EventKind::Duplicate, false);
    s.apply(change);
    assert_eq!(s.next_job(), Some((NOW.plus_ms(link_ms), Job::Purge)));
}

#[test]
fn a_file_of_no_bytes_can_be_one_too() {
    let empty = StoredObject { file_size: ByteCount::ZERO, ..stored() };
    let spec = spec(Mode::Sequential, 0).duplicate_of(&empty, UploadId::from_random_bytes([2; 16]));
    let s = Session::create_duplicate(spec, &empty).unwrap();
    assert_eq!((s.phase(), s.snapshot().missing), (Phase::Completed, vec![]));
}
