//! What an upload of unknown length is charged with.

use super::*;
use crate::quota::Quota;
use upload_types::upload_link::{LinkFacts, LinkId};

const MOST: u64 = 1 << 38;

fn growing() -> Session {
    let limits = Limits { max_upload_bytes: bytes(MOST), max_chunk_bytes: bytes(95 * MIB) };
    let plan = Plan::new(Mode::Sequential, None, None, limits).unwrap();
    let byte_quota = Some(Quota { open_bytes: Some(MOST), ..Quota::default() });
    create(UploadSpec { plan, byte_quota, ..spec(Mode::Sequential, MOST) }).unwrap()
}

fn asked_for(session: &Session, begin: BeginAppend) -> Option<(u64, u64)> {
    session.growth_by_chunk(NOW, begin).map(|growth| (growth.bytes.get(), growth.ahead.get()))
}

#[test]
fn it_is_charged_a_step_ahead_of_what_arrives_so_that_few_questions_are_asked() {
    let mut s = growing();
    assert_eq!(asked_for(&s, begin(0, 5)), Some((5, 64 * MIB)));
    assert_eq!(asked_for(&s, begin(0, 90 * MIB)), Some((90 * MIB, 90 * MIB)));
    assert_eq!(asked_for(&s, begin(7, 5)), None, "which will be refused");
    s.charged_with(bytes(64 * MIB));
    assert_eq!(asked_for(&s, begin(0, 64 * MIB)), None);
    assert_eq!(asked_for(&s, begin(0, 64 * MIB + 1)), Some((64 * MIB + 1, 128 * MIB)));
    let (mut charged, mut questions) = (0, 0);
    while charged < 100 * 1024 * MIB {
        s.charged_with(bytes(charged));
        charged = s.growth(None, bytes(charged + 1)).unwrap().ahead.get();
        questions += 1;
    }
    assert!(questions < 60, "{questions}");
}

#[test]
fn a_declared_length_is_charged_as_it_is() {
    let mut s = growing();
    s.charged_with(bytes(64 * MIB));
    let all = BeginAppend { file_bytes: Some(bytes(200 * MIB)), ..begin(0, 5) };
    assert_eq!(asked_for(&s, all), Some((200 * MIB, 200 * MIB)));
    let growth = s.growth_by_length(NOW, bytes(0), Some(bytes(70 * MIB))).unwrap();
    assert_eq!((growth.bytes, growth.ahead), (bytes(70 * MIB), bytes(70 * MIB)));
    assert_eq!(s.growth_by_length(NOW, bytes(0), Some(bytes(64 * MIB))), None, "which it is charged with");
    assert_eq!(s.growth_by_length(NOW, bytes(1), Some(bytes(70 * MIB))), None, "which will be refused");
    let decision = s.declare(NOW, bytes(0), Some(bytes(70 * MIB)), Completion::WhenWhole);
    take(&mut s, decision).unwrap();
    assert_eq!(asked_for(&s, begin(0, 5)), Some((70 * MIB, 70 * MIB)), "also when the answer to that was lost");
}

#[test]
fn nobody_is_asked_where_bytes_are_not_bounded_or_were_declared() {
    let s = growing();
    let unbounded = create(UploadSpec { byte_quota: None, ..s.spec }).unwrap();
    assert_eq!(asked_for(&unbounded, begin(0, 5)), None);
    assert_eq!(session(PART).growth_by_chunk(NOW, begin(0, PART)), None);
}

#[test]
fn what_it_came_to_is_told_where_it_was_not_known() {
    let mut s = growing();
    let lease = start(&mut s, 0, 5).unwrap();
    count(&mut s, &remainder(lease.attempt, 5)).unwrap();
    assert_eq!(s.came_to(), Some(bytes(5)));
    let change = s.end(NOW, Phase::Aborted, EventKind::Aborted, None);
    s.apply(change);
    assert_eq!(s.came_to(), Some(bytes(5)));
    assert_eq!(session(PART).came_to(), None);
}

#[test]
fn of_what_came_by_a_link_and_was_given_up_only_what_it_brought_counts() {
    let facts = LinkFacts { id: LinkId::from_random_bytes([1; 16]), metadata: BTreeMap::new() };
    let mut s = create(UploadSpec { link: Some(facts), ..spec(Mode::Sequential, 10) }).unwrap();
    assert_eq!(s.came_to(), None);
    let change = s.end(NOW, Phase::Aborted, EventKind::Aborted, None);
    s.apply(change);
    assert_eq!(s.came_to(), Some(bytes(0)));
}

#[test]
fn a_partial_counts_until_it_is_gone() {
    let policy = Policy { tell_origin: false, ..spec(Mode::Sequential, 0).policy };
    let mut s = create(UploadSpec { purpose: Purpose::Partial, policy, ..spec(Mode::Sequential, 0) }).unwrap();
    let change = s.assembled(NOW, "etag".to_owned(), Crc64Nvme(7));
    s.apply(change);
    assert!(s.progress.owes_ledger);
    let (due, job) = s.next_job().unwrap();
    assert_eq!((due, job), (s.expires_at(), Job::Expire), "the ledger is told nothing before it goes");
    let change = s.expire_if_due(due).unwrap();
    s.apply(change);
    assert_eq!(s.next_job(), Some((due, Job::NotifyLedger)));
    let change = s.settled(s.told_of_object());
    s.apply(change);
    assert_eq!(s.next_job(), Some((due, Job::Cleanup)));
}
