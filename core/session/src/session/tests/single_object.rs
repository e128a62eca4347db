//! A file of one part: put as one object, complete with the commit.

use super::*;
use upload_types::media_types::MediaTypes;

const FILE: u64 = MIB;

/// As it is created today.
fn birth_of_put(file_bytes: u64) -> UploadSpec {
    spec(Mode::Sequential, file_bytes)
}

fn put(file_bytes: u64) -> Session {
    create_without_multipart(birth_of_put(file_bytes))
}

fn key(s: &Session, attempt: u64) -> String {
    format!("uploads/{}-{attempt}", s.spec.id)
}

#[test]
fn only_what_has_several_parts_or_may_have_needs_a_multipart_upload() {
    let of = |mode, file_bytes| spec(mode, file_bytes).needs_multipart();
    assert!(!of(Mode::Sequential, 0) && !of(Mode::Parallel, 0));
    assert!(!of(Mode::Sequential, 1) && !of(Mode::Sequential, PART));
    assert!(of(Mode::Sequential, PART + 1) && of(Mode::Parallel, 1) && of(Mode::Direct, 1));
    let small = spec(Mode::Sequential, FILE);
    let open_ended = Plan { open_ended: true, ..small.plan };
    assert!(UploadSpec { plan: open_ended, ..small.clone() }.needs_multipart());
    assert!(UploadSpec { purpose: Purpose::Composition(vec![small.id]), ..small.clone() }.needs_multipart());
    assert!(!UploadSpec { purpose: Purpose::Partial, ..small }.needs_multipart());
}

#[test]
fn the_commit_of_the_whole_completes_in_one_change() {
    let mut s = put(FILE);
    let lease = start(&mut s, 0, FILE).unwrap();
    assert_eq!((lease.key.clone(), lease.multipart_id.clone(), lease.reserved_parts), (key(&s, 1), None, 1));
    assert_eq!(s.object(), None);
    let change = s.commit(NOW, &commit(1, vec![receipt(1, FILE)])).change;
    assert_eq!(change.only_part(), change.parts.first(), "it is kept with the progress");
    let progress = change.progress.clone().unwrap();
    assert_eq!(
        (progress.phase, progress.leftovers),
        (Phase::Completed, Leftovers::None),
        "nobody else has put anything"
    );
    assert_eq!(change.outbox.as_ref().and_then(|outbox| Some(outbox.last()?.kind)), Some(EventKind::Completed));
    let committed = store(&mut s, &lease, 1, FILE).unwrap();
    assert_eq!((committed.phase, committed.uploaded_bytes), (Phase::Completed, bytes(FILE)));
    let object = s.object().unwrap();
    assert_eq!((object.key, object.etag, object.crc64nvme), (lease.key.clone(), "etag-1".to_owned(), Crc64Nvme(1)));
    assert_eq!(committed.object, s.object());
    // Its answer was lost: said once more, it gets the same one.
    let repeated = s.commit(NOW, &commit(1, vec![receipt(1, FILE)]));
    assert_eq!((repeated.answer, repeated.change), (Ok(committed), StateChange::none()));
    assert!(!s.may_have_stray_objects());
}

#[test]
fn each_attempt_has_a_key_of_its_own_and_the_counted_one_is_the_object() {
    let mut s = put(FILE);
    let old = start(&mut s, 0, FILE).unwrap();
    let new = start(&mut s, 0, FILE).unwrap();
    assert_eq!((old.key.clone(), new.key.clone()), (key(&s, 1), key(&s, 2)));
    let refused = store(&mut s, &old, 1, FILE);
    assert_eq!(refused, Err(ApiError::Superseded { uploaded_bytes: bytes(0) }));
    store(&mut s, &new, 1, FILE).unwrap();
    assert_eq!(s.object().unwrap().key, new.key);
    assert!(s.may_have_leftovers(), "the old attempt may have put its object, or may yet");
    assert!(s.may_have_stray_objects());
    s.apply(s.cleaned_up(s.cleanup()));
    assert_eq!(s.progress.leftovers, Leftovers::SweptOnce, "it is looked for once more");
    s.apply(s.cleaned_up(s.cleanup()));
    assert!(!s.may_have_leftovers() && s.progress.holds_storage);
}

#[test]
fn whatever_ends_it_while_somebody_puts_looks_for_what_was_put() {
    let mut s = put(FILE);
    start(&mut s, 0, FILE).unwrap();
    let decision = s.cancel(NOW, DeleteRight::Completed);
    take(&mut s, decision).unwrap();
    assert!(s.may_have_leftovers() && s.may_have_stray_objects());
    let mut untouched = put(FILE);
    untouched.apply(untouched.expire_if_due(UnixMs(DAY_MS)).unwrap());
    assert!(!untouched.may_have_leftovers() && !untouched.may_have_stray_objects());
}

#[test]
fn a_tail_goes_in_front_of_the_put_and_takes_no_number() {
    let mut s = put(FILE);
    start(&mut s, 0, 100).unwrap();
    assert_eq!(s.commit(NOW, &remainder(1, 100)).change.only_part(), None);
    count(&mut s, &remainder(1, 100)).unwrap();
    assert!(!s.may_have_stray_objects());
    let lease = start(&mut s, 100, FILE - 100).unwrap();
    assert_eq!((lease.key.clone(), lease.first_number), (key(&s, 2), 1));
    assert_eq!(store(&mut s, &lease, 1, FILE - 100), Err(ApiError::Superseded { uploaded_bytes: bytes(100) }));
    let committed = store(&mut s, &lease, 1, FILE).unwrap();
    assert_eq!(committed.phase, Phase::Completed);
}

#[test]
fn what_was_declared_of_the_whole_is_checked_with_the_commit() {
    let mut wrong = birth_of_put(FILE);
    wrong.file.crc64nvme = Some(Crc64Nvme(7));
    let mut s = create_without_multipart(wrong.clone());
    let lease = start(&mut s, 0, FILE).unwrap();
    let refused = store(&mut s, &lease, 1, FILE);
    assert!(
        matches!(refused, Err(ApiError::FileDigestMismatch { actual, kept: false }) if actual == "crc64nvme 0000000000000001")
    );
    assert_eq!((s.progress.phase, s.object(), s.object_key()), (Phase::Failed, None, lease.key));
    wrong.file.crc64nvme = Some(Crc64Nvme(1));
    let mut s = create_without_multipart(wrong);
    let lease = start(&mut s, 0, FILE).unwrap();
    assert_eq!(store(&mut s, &lease, 1, FILE).unwrap().phase, Phase::Completed);
}

#[test]
fn where_its_first_bytes_must_be_looked_at_that_comes_first() {
    let types: MediaTypes = serde_json::from_str(r#"["image/*"]"#).unwrap();
    let mut s = create_without_multipart(UploadSpec { types: Some(types), ..birth_of_put(FILE) });
    let lease = start(&mut s, 0, FILE).unwrap();
    assert_eq!(store(&mut s, &lease, 1, FILE).unwrap().phase, Phase::Completing);
    assert_eq!((s.object(), s.object_key(), s.next_job()), (None, lease.key.clone(), Some((NOW, Job::Assemble))));
    s.apply(s.assembled(NOW, "etag-1".to_owned(), Crc64Nvme(1)));
    assert_eq!(s.object().unwrap().key, lease.key);
}

#[test]
fn a_guess_of_its_chunks_does_not_make_it_several_parts() {
    let mut spec = birth_of_put(7 * MIB);
    spec.plan.guessed = true;
    let mut s = create_without_multipart(spec);
    for whole in [false, true] {
        let decision = s.begin(NOW, BeginAppend { all_or_nothing: whole, ..begin(0, 5 * MIB) });
        let lease = take(&mut s, decision).unwrap();
        assert_eq!((lease.reserved_parts, lease.plan.part_bytes), (0, bytes(PART)));
    }
}

#[test]
fn there_is_no_multipart_upload_that_could_be_gone() {
    let mut s = put(FILE);
    start(&mut s, 0, FILE).unwrap();
    let decision = s.release(NOW, Release { attempt: 1, reason: ReleaseReason::MultipartGone });
    take(&mut s, decision).unwrap();
    assert_eq!(s.progress.phase, Phase::Open);
    start(&mut s, 0, FILE).unwrap();
}
