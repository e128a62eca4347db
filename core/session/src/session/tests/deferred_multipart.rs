//! A file that fits one request: put where it comes whole and checked; if not, the multipart upload is opened late.

use super::*;

const FILE: u64 = 20 * MIB;

fn birth_of_deferred() -> UploadSpec {
    UploadSpec { fits_request: true, ..spec(Mode::Sequential, FILE) }
}

fn deferred() -> Session {
    create_without_multipart(birth_of_deferred())
}

fn whole(length: u64) -> BeginAppend {
    BeginAppend { all_or_nothing: true, ..begin(0, length) }
}

/// The whole file in one chunk with a checksum.
fn start_put(s: &mut Session) -> WriteLease {
    let decision = s.begin(NOW, whole(FILE));
    take(s, decision).unwrap()
}

/// Another chunk, for which this multipart upload was opened.
fn start_opened(s: &mut Session, begin: BeginAppend, id: &str) -> Result<WriteLease, ApiError> {
    let decision = s.begin_opened(NOW, begin, Some(id));
    take(s, decision)
}

#[test]
fn only_a_sequence_of_known_length_that_fits_a_request_waits_for_its_multipart_upload() {
    let deferred = birth_of_deferred();
    assert!(!deferred.needs_multipart());
    assert!(UploadSpec { fits_request: false, ..deferred.clone() }.needs_multipart());
    assert!(UploadSpec { purpose: Purpose::Composition(vec![deferred.id]), ..deferred.clone() }.needs_multipart());
    assert!(UploadSpec { plan: Plan { open_ended: true, ..deferred.plan }, ..deferred }.needs_multipart());
    for mode in [Mode::Parallel, Mode::Direct] {
        assert!(UploadSpec { fits_request: true, ..spec(mode, FILE) }.needs_multipart());
    }
}

#[test]
fn a_checked_chunk_that_is_all_of_the_file_is_put() {
    let mut s = deferred();
    assert!(!s.lacks_multipart(NOW, whole(FILE)));
    let lease = start_put(&mut s);
    assert_eq!((lease.key.clone(), lease.multipart_id.clone(), lease.reserved_parts), (s.spec.put_key(1), None, 1));
    assert_eq!(lease.plan.part_count(), 1);
    let committed = store(&mut s, &lease, 1, FILE).unwrap();
    assert_eq!((committed.phase, s.object().unwrap().key), (Phase::Completed, lease.key));
    assert!(!s.may_have_stray_objects() && s.multipart_id().is_none());
}

#[test]
fn a_multipart_upload_that_was_opened_for_nothing_is_not_used() {
    let mut s = deferred();
    let decision = s.begin_opened(NOW, whole(FILE), Some("late"));
    let lease = take(&mut s, decision).unwrap();
    assert_eq!((lease.multipart_id, s.multipart_id()), (None, None));
}

#[test]
fn any_other_chunk_has_one_opened_and_the_upload_has_it_from_then_on() {
    let others = [
        begin(0, FILE),
        begin(0, 100),
        begin(0, PART),
        whole(PART),
        whole(FILE - 1),
        BeginAppend { continuation: Continuation { after: None, has_more: true }, ..begin(0, PART) },
    ];
    for other in others {
        let mut s = deferred();
        assert!(s.lacks_multipart(NOW, other), "{other:?}");
        let refused = s.begin(NOW, other);
        assert_eq!(refused, Decision::no(ApiError::StorageUnavailable { uploaded_bytes: bytes(0) }));
        let lease = start_opened(&mut s, other, "late").unwrap();
        assert_eq!((lease.key.as_str(), lease.multipart_id.as_deref()), (s.spec.key.as_str(), Some("late")));
        // One that was opened at the same time for somebody else is one too many, even for the whole file.
        for again in [other, whole(FILE)] {
            assert!(!s.lacks_multipart(NOW, again));
            let lease = start_opened(&mut s, again, "later").unwrap();
            assert_eq!((lease.multipart_id.as_deref(), s.multipart_id()), (Some("late"), Some("late")));
        }
    }
}

#[test]
fn an_unchecked_chunk_that_shows_parts_as_large_as_the_file_has_one_opened_too() {
    let file_bytes = bytes(9_000_000);
    let plan = Plan { guessed: true, ..Plan { file_bytes, ..birth_of_deferred().plan } };
    let mut s = create_without_multipart(UploadSpec { plan, ..birth_of_deferred() });
    assert!(s.lacks_multipart(NOW, begin(0, 5_000_000)));
    let lease = start_opened(&mut s, begin(0, 5_000_000), "late").unwrap();
    assert_eq!((lease.multipart_id.as_deref(), lease.plan.part_bytes), (Some("late"), bytes(10_000_000)));
}

#[test]
fn none_is_opened_for_what_is_refused_all_the_same() {
    let s = deferred();
    let declares = |file_bytes| BeginAppend { file_bytes: Some(bytes(file_bytes)), ..begin(0, 100) };
    let zero = bytes(0);
    for (refused, why) in [
        (begin(100, 100), ApiError::OffsetMismatch { uploaded_bytes: zero, is_whole: false }),
        (begin(0, FILE + 1), ApiError::BeyondDeclaredLength { file_bytes: bytes(FILE), uploaded_bytes: zero }),
        (whole(FILE + 1), ApiError::BeyondDeclaredLength { file_bytes: bytes(FILE), uploaded_bytes: zero }),
        (declares(7), ApiError::InconsistentLength { file_bytes: bytes(FILE), uploaded_bytes: zero }),
    ] {
        assert!(!s.lacks_multipart(NOW, refused));
        assert_eq!(s.begin(NOW, refused), Decision::no(why.clone()));
        assert_eq!(s.begin_opened(NOW, refused, Some("late")), Decision::no(why));
    }
    let mut busy = deferred();
    for _ in 0..4 {
        start_put(&mut busy);
    }
    assert!(matches!(busy.begin(NOW, begin(0, PART)).answer, Err(ApiError::Busy { .. })));
    let mut ended = deferred();
    let decision = ended.cancel(NOW, DeleteRight::Completed);
    take(&mut ended, decision).unwrap();
    assert!(!ended.lacks_multipart(NOW, begin(0, PART)));
    assert!(matches!(start_opened(&mut ended, begin(0, PART), "late"), Err(ApiError::UploadGone { .. })));
    assert_eq!(ended.multipart_id(), None);
}

#[test]
fn whoever_put_the_whole_before_counts_for_nothing_and_its_object_is_found() {
    let mut s = deferred();
    let old = [start_put(&mut s), start_put(&mut s)];
    assert_eq!(s.plan().part_count(), 1);
    let lease = start_opened(&mut s, begin(0, FILE), "late").unwrap();
    assert_eq!((lease.first_number, lease.plan), (1, s.spec.plan), "in parts of the size that it was to have");
    for old in &old {
        assert_eq!(store(&mut s, old, 1, FILE), Err(ApiError::Superseded { uploaded_bytes: bytes(0) }));
    }
    for (number, length) in [(1, PART), (2, PART), (3, 4 * MIB)] {
        store(&mut s, &lease, number, length).unwrap();
    }
    assert_eq!((s.progress.phase, s.object_key()), (Phase::Completing, s.spec.key.clone()));
    s.apply(s.assembled(NOW, "etag".to_owned(), Crc64Nvme(7)));
    assert_eq!((s.object().unwrap().key, s.may_have_leftovers()), (s.spec.key.clone(), true));
    assert!(s.may_have_stray_objects());
    s.apply(s.cleaned_up(s.cleanup()));
    assert!(s.may_have_leftovers(), "they are looked for once more");
}

#[test]
fn a_guess_of_its_chunks_stays_one_until_a_chunk_shows_them() {
    let mut spec = birth_of_deferred();
    spec.plan.guessed = true;
    let mut s = create_without_multipart(spec);
    start_put(&mut s);
    let lease = start_opened(&mut s, begin(0, 10 * MIB), "late").unwrap();
    assert_eq!((lease.plan.part_bytes, lease.reserved_parts), (bytes(10 * MIB), 1));
}

#[test]
fn an_end_before_anything_began_or_while_somebody_puts() {
    let mut untouched = deferred();
    untouched.apply(untouched.expire_if_due(UnixMs(DAY_MS)).unwrap());
    assert_eq!((untouched.multipart_id(), untouched.may_have_leftovers()), (None, false));
    let mut putting = deferred();
    start_put(&mut putting);
    let decision = putting.cancel(NOW, DeleteRight::Completed);
    take(&mut putting, decision).unwrap();
    assert!(putting.may_have_leftovers() && putting.may_have_stray_objects());
}

#[test]
fn putting_the_whole_takes_no_part_number_however_often_it_fails() {
    let mut s = deferred();
    for _ in 0..20_000_u32 {
        let lease = start_put(&mut s);
        let decision = s.release(NOW, Release { attempt: lease.attempt, reason: ReleaseReason::GaveUp });
        take(&mut s, decision).unwrap();
    }
    let lease = start_opened(&mut s, begin(0, FILE), "late").unwrap();
    assert_eq!((lease.attempt, lease.first_number), (20_001, 1));
    assert!(s.may_have_stray_objects());
}
