//! How long an unfinished upload lives.

use super::*;

const HOUR_MS: u64 = 3_600_000;

#[test]
fn every_accepted_byte_moves_the_end() {
    let mut s = session(100 * PART);
    assert_eq!(s.expires_at(), UnixMs(DAY_MS));
    let mut now = NOW;
    for n in 0..10_u64 {
        // One part a night. The whole takes longer than a day.
        now = now.plus_ms(DAY_MS - 1);
        let decision = s.begin(now, begin(n * PART, PART));
        let lease = take(&mut s, decision).unwrap();
        assert_eq!(lease.expires_at, s.expires_at(), "what is told is what is true");
        let at = now.plus_ms(5);
        let decision = s.commit(at, &commit(lease.attempt, vec![receipt(lease.first_number, PART)]));
        let committed = take(&mut s, decision).unwrap();
        assert_eq!(
            (committed.expires_at, s.expires_at()),
            (at.plus_ms(DAY_MS).min(UnixMs(LATEST_END_MS)), committed.expires_at)
        );
        if now.plus_ms(DAY_MS).0 > LATEST_END_MS {
            break;
        }
    }
    assert_eq!(s.next_job(), Some((UnixMs(LATEST_END_MS), Job::Expire)), "but R2 drops what is older than a week");
    assert!(s.expire_if_due(UnixMs(LATEST_END_MS)).is_some());
}

#[test]
fn a_chunk_that_is_under_way_at_the_old_end_goes_on() {
    let mut s = session(PART);
    let late = UnixMs(DAY_MS - 1);
    let decision = s.begin(late, begin(0, PART));
    let lease = take(&mut s, decision).unwrap();
    let after = UnixMs(DAY_MS + HOUR_MS);
    assert_eq!(s.expire_if_due(after), None);
    let decision = s.commit(after, &commit(lease.attempt, vec![receipt(1, PART)]));
    assert_eq!(take(&mut s, decision).unwrap().phase, Phase::Completing);
}

#[test]
fn bytes_in_the_tail_count_as_well() {
    let mut s = session(PART);
    let lease = start(&mut s, 0, 5).unwrap();
    let late = UnixMs(DAY_MS - 1);
    let decision = s.commit(late, &remainder(lease.attempt, 5));
    take(&mut s, decision).unwrap();
    assert_eq!(s.expires_at(), late.plus_ms(DAY_MS));
}

#[test]
fn a_commit_that_is_said_twice_moves_nothing() {
    let mut s = session(2 * PART);
    let lease = start(&mut s, 0, 2 * PART).unwrap();
    store(&mut s, &lease, 1, PART).unwrap();
    let end = s.expires_at();
    let decision = s.commit(NOW.plus_ms(HOUR_MS), &commit(lease.attempt, vec![receipt(1, PART)]));
    assert_eq!((take(&mut s, decision).unwrap().expires_at, s.expires_at()), (end, end));
}

#[test]
fn chunks_of_a_parallel_upload_count_and_so_does_one_that_begins_late() {
    let mut s = create(spec(Mode::Parallel, 4 * PART)).unwrap();
    let early = NOW.plus_ms(HOUR_MS);
    let decision = s.begin(early, begin(0, s.plan().chunk_bytes.get()));
    assert!(decision.change.progress.is_none(), "no row for it, as long as the end is far away");
    let lease = take(&mut s, decision).unwrap();
    let decision =
        s.commit(early, &commit(lease.attempt, vec![receipt(lease.first_number, s.plan().chunk_bytes.get())]));
    take(&mut s, decision).unwrap();
    assert_eq!(s.expires_at(), early.plus_ms(DAY_MS));
    let late = early.plus_ms(DAY_MS - 1);
    let decision = s.begin(late, begin(s.plan().chunk_bytes.get(), s.plan().chunk_bytes.get()));
    take(&mut s, decision).unwrap();
    assert_eq!(s.expires_at(), late.plus_ms(DAY_MS));
}

#[test]
fn what_is_signed_moves_the_end_too() {
    let s = session(PART);
    let mut later = s.clone();
    later.apply(s.seen(NOW.plus_ms(HOUR_MS)).into());
    assert_eq!(later.expires_at(), NOW.plus_ms(HOUR_MS + DAY_MS));
    assert_eq!(later.seen(NOW).seen_at, later.progress.seen_at, "and never back");
}

#[test]
fn one_that_waits_for_its_partials_lives_as_long_as_they_do() {
    let id = |n| UploadId::from_random_bytes([n; 16]);
    let mut spec = spec(Mode::Sequential, PART);
    spec.purpose = Purpose::Composition(vec![id(1)]);
    let mut s = create(spec).unwrap();
    let late = UnixMs(DAY_MS - 1);
    let partial = PartialUpload {
        entry: s.spec.entry(),
        bytes: Some(bytes(PART)),
        object: None,
        hold: false,
        bucket: String::new(),
    };
    let decision = s.begin_batch(late, &[PartialStatus::Alive(partial)]);
    take(&mut s, decision).unwrap();
    assert_eq!(s.expires_at(), late.plus_ms(DAY_MS));
    assert_eq!(s.wanted(late).unwrap().until, Some(s.expires_at()), "and so long they are kept");
}

#[test]
fn what_is_public_is_remembered_until_it_is_deleted() {
    const FILES: &str = "https://files.example.com";
    let whole = |spec: UploadSpec| {
        let mut s = create(spec).unwrap();
        assert!(!s.is_public() && s.snapshot().public_url.is_none(), "it is not there yet");
        let change = s.assembled(NOW, "etag".to_owned(), Crc64Nvme(7));
        s.apply(change);
        jobs_until_nothing_is_due(&mut s, NOW);
        s
    };
    let public = UploadSpec { public_files: FILES.to_owned(), ..spec(Mode::Sequential, 0) };
    let mut s = whole(public.clone());
    let url = format!("{FILES}/{}/{}", s.spec.id, s.spec.file.name);
    assert_eq!((s.is_public(), s.snapshot().public_url), (true, Some(url)));
    let later = NOW.plus_ms(100 * s.spec.policy.tombstone_ms);
    assert!(s.next_job().is_none_or(|(due, job)| due > later || job != Job::Purge), "{:?}", s.next_job());
    jobs_until_nothing_is_due(&mut s, later);
    assert!(s.is_public() && s.next_job().is_none(), "it is found through what is remembered");
    let deleted = s.cancel(later, DeleteRight::Completed);
    take(&mut s, deleted).unwrap();
    assert!(!s.is_public() && s.snapshot().public_url.is_none());
    jobs_until_nothing_is_due(&mut s, later);
    assert_eq!(s.next_job().map(|(_, job)| job), Some(Job::Purge));
    let mut held = whole(UploadSpec { hold: true, ..public });
    assert!(!held.is_public() && held.snapshot().public_url.is_none(), "nobody has looked at it");
    let released = held.judge(NOW, &crate::held_verdict::HeldVerdict::Release);
    take(&mut held, released).unwrap();
    assert!(held.is_public());
    assert!(!whole(spec(Mode::Sequential, 0)).is_public());
}
