//! R2 puts the object together, or does not.

use super::*;
use crate::storage_fault::StorageFault::{self, Damaged, Gone, Refused, Retry};

const MINUTE_MS: u64 = 60_000;

fn completing() -> Session {
    let mut s = session(PART);
    let lease = start(&mut s, 0, PART).unwrap();
    store(&mut s, &lease, 1, PART).unwrap();
    assert_eq!(s.next_job(), Some((NOW, Job::Assemble)));
    s
}

/// R2 answers so each time, until the upload ends or this time is over. When the tries were.
fn tries(s: &mut Session, fault: StorageFault, until: UnixMs) -> Vec<UnixMs> {
    let mut tries = Vec::new();
    while let Some((due, Job::Assemble)) = s.next_job().filter(|(due, _)| *due <= until) {
        let change = s.assembly_refused(due, fault, "said R2 (10000)");
        s.apply(change);
        tries.push(due);
    }
    tries
}

#[test]
fn what_looks_lost_is_asked_for_again_for_ten_minutes() {
    for (fault, said) in [(Gone, "dropped"), (Damaged, "lost a part")] {
        let mut s = completing();
        let tries = tries(&mut s, fault, UnixMs(DAY_MS));
        let took_ms = tries.last().unwrap().ms_since(NOW);
        assert!(tries.len() >= 5 && (10 * MINUTE_MS..30 * MINUTE_MS).contains(&took_ms), "{tries:?}");
        assert_eq!(s.progress.phase, Phase::Failed);
        assert!(s.progress.reason.as_ref().unwrap().contains(said), "{:?}", s.progress.reason);
        assert_eq!(s.outbox.last().unwrap().kind, EventKind::Failed);
    }
}

#[test]
fn what_somebody_must_repair_is_waited_for_a_day() {
    let mut s = completing();
    let tries = tries(&mut s, Refused, UnixMs(3 * DAY_MS));
    let end = tries.last().unwrap().ms_since(NOW);
    assert!((DAY_MS..DAY_MS + 2 * 3_600_000).contains(&end), "{end} ms");
    assert_eq!(s.progress.phase, Phase::Failed);
    assert!(s.progress.reason.as_ref().unwrap().contains("refuses to put the object together: said R2 (10000)"));
}

#[test]
fn what_passes_is_waited_for_as_long_as_r2_keeps_the_parts() {
    let mut s = completing();
    tries(&mut s, Retry, UnixMs(6 * DAY_MS));
    assert_eq!(s.progress.phase, Phase::Completing);
    let last = *tries(&mut s, Retry, UnixMs(10 * DAY_MS)).last().unwrap();
    assert_eq!(s.progress.phase, Phase::Failed);
    assert!((LATEST_END_MS..LATEST_END_MS + 2 * 3_600_000).contains(&last.0), "{last:?}");
}

#[test]
fn a_refusal_after_an_outage_is_tried_again_as_if_there_had_been_none() {
    let mut s = completing();
    tries(&mut s, Retry, UnixMs(DAY_MS / 2));
    let at = s.next_job().unwrap().0;
    let change = s.assembly_refused(at, Damaged, "said R2 (10025)");
    s.apply(change);
    assert_eq!(s.next_job(), Some((at.plus_ms(1_000), Job::Assemble)), "not after another hour");
    let again = at.plus_ms(1_000);
    let change = s.assembly_refused(again, Retry, "said R2 (10001)");
    s.apply(change);
    let change = s.assembly_refused(again.plus_ms(20 * MINUTE_MS), Damaged, "said R2 (10025)");
    s.apply(change);
    assert_eq!(s.progress.phase, Phase::Completing, "ten minutes of nothing else are what counts");
}

#[test]
fn whoever_waits_brings_the_next_try_forward() {
    let mut s = completing();
    assert!(s.hurried(NOW).is_none(), "it is due already");
    let tried_at = *tries(&mut s, Retry, UnixMs(DAY_MS / 2)).last().unwrap();
    assert!(s.next_job().unwrap().0.ms_since(tried_at) >= 3_000_000, "after an outage the pause is an hour");
    let change = s.hurried(tried_at.plus_ms(1));
    s.apply(change);
    assert_eq!(s.next_job(), Some((tried_at.plus_ms(5_000), Job::Assemble)));
    assert!(s.hurried(tried_at.plus_ms(2)).is_none(), "but not every time that somebody asks");
    let at = tried_at.plus_ms(5_000);
    let change = s.assembly_refused(at, Retry, "still not (10001)");
    s.apply(change);
    let later = at.plus_ms(MINUTE_MS);
    let change = s.hurried(later);
    s.apply(change);
    assert_eq!(s.next_job(), Some((later, Job::Assemble)), "at once, where the last try was a while ago");
}

#[test]
fn an_object_that_cannot_be_read_back_fails_after_a_day_without_a_slice() {
    let mut spec = spec(Mode::Parallel, PART);
    spec.file.sha256 = Some(Sha256Digest::of(b"x"));
    let mut s = create(spec).unwrap();
    let length = s.plan().file_bytes.get();
    let lease = start(&mut s, 0, length).unwrap();
    store(&mut s, &lease, lease.first_number, length).unwrap();
    let change = s.assembled(NOW, "etag".to_owned(), Crc64Nvme(7));
    s.apply(change);
    assert_eq!(s.progress.phase, Phase::Verifying);
    let mut asked = 0;
    while let Some((due, Job::Verify)) = s.next_job() {
        let change = s.slice_asked_for(due);
        s.apply(change);
        asked += 1;
    }
    assert_eq!((s.progress.phase, asked), (Phase::Failed, 24 * 60 + 1));
}
