//! What is stored already: the origin is told of it as of any other upload, and nothing of it is ever deleted.

use super::*;
use crate::event::DeliveryOutcome;
use upload_types::{
    integrity::Sha256Digest,
    ledger::{Idempotency, Listing, StoredObject},
    media_types::MediaTypes,
};

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
    let decision = s.begin_delivery(NOW, "origin", &event_id, 60_000, 1_000);
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
    assert_eq!(s.listing(), Listing::Gone, "it is the first upload that is listed");
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
    let decision = s.delivery_ended(
        NOW,
        "origin",
        &event_id,
        &DeliveryOutcome::Acknowledged { discard: true, result: None, verdict: None },
    );
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
    let change = s.delivered(NOW, EventKind::Deleted, false, None);
    s.apply(change);
    assert_eq!(s.next_job().unwrap().1, Job::Purge, "neither R2 nor the ledger is asked for anything");
}

#[test]
fn it_is_remembered_as_long_as_its_link_is_good() {
    let mut s = duplicate();
    let link_ms = 9 * s.spec.policy.tombstone_ms;
    let change = s.delivery_begun(NOW, EventKind::Duplicate, 60_000, link_ms).unwrap();
    s.apply(change);
    let change = s.delivered(NOW, EventKind::Duplicate, false, None);
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

#[test]
fn what_its_origin_may_still_have_deleted_is_not_shared() {
    let with = |delivery| Snapshot { delivery, ..duplicate().snapshot() };
    for (delivery, may_be) in [
        (None, true),
        (Some(DeliveryState::Delivered), true),
        (Some(DeliveryState::Queued), false),
        (Some(DeliveryState::Failed), false),
    ] {
        assert_eq!(may_be_shared(&with(delivery)), may_be, "{delivery:?}");
    }
}

#[test]
fn an_id_is_that_of_its_day_and_never_used_again() {
    let key = |key: &str| Idempotency { key: key.to_owned(), request: stored().sha256 };
    let at =
        |now| UploadSpec { created_at: now, ..spec(Mode::Sequential, 3 * PART) }.repeatable_ids(&key("k"), &stored());
    let (noon, late) = (UnixMs(20_000 * DAY_MS + DAY_MS / 2), UnixMs(20_000 * DAY_MS + DAY_MS - 1));
    assert_eq!(at(noon), at(late), "one creation, repeated");
    assert_eq!(at(late.plus_ms(1)).yesterday, at(late).today, "and found beyond midnight");
    let all: std::collections::BTreeSet<_> =
        (0..3).flat_map(|days| [at(noon.plus_ms(days * DAY_MS))].map(|ids| ids.today)).collect();
    assert_eq!(all.len(), 3, "a key that is free again tells of another one");
    // Asked for on the day after only while it is young, and on no day after that; it is remembered for a day at least.
    assert!(was_repeated_in_time(noon, noon.plus_ms(DAY_MS - 1)) && !was_repeated_in_time(noon, noon.plus_ms(DAY_MS)));

    let spec = UploadSpec { created_at: noon, ..spec(Mode::Sequential, 3 * PART) };
    let other_owner = UploadSpec { owner: "other".to_owned(), ..spec.clone() };
    let other_object = StoredObject { upload_id: UploadId::from_random_bytes([8; 16]), ..stored() };
    let others = [
        spec.repeatable_ids(&key("l"), &stored()),
        spec.repeatable_ids(&Idempotency { request: Sha256Digest([0; 32]), ..key("k") }, &stored()),
        other_owner.repeatable_ids(&key("k"), &stored()),
        spec.repeatable_ids(&key("k"), &other_object),
    ];
    assert!(others.iter().all(|ids| ids.today != at(noon).today && ids.today != ids.yesterday));
}

#[test]
fn of_a_list_of_types_its_bytes_must_be_of_the_one_that_is_declared_now() {
    let types = MediaTypes::parse(["image/png", "text/plain"]).unwrap();
    let declared = |content_type: &str, types: Option<MediaTypes>| {
        let mut spec = UploadSpec { types, ..spec(Mode::Sequential, 3 * PART) };
        spec.file.content_type = Some(content_type.to_owned());
        spec.check_first_bytes(b"some words")
    };
    let refused = Err(ApiError::TypeNotAllowed { allowed: types.shown() });
    assert_eq!(declared("image/png", Some(types.clone())), refused);
    assert_eq!(declared("text/plain", Some(types)), Ok(()));
    assert_eq!(declared("image/png", None), Ok(()), "anything may be anything");
}
