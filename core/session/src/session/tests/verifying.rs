//! A declared SHA-256 of a parallel upload: the object is read back before anybody hears that it is complete.

use super::*;
use upload_types::{integrity::Sha256Digest, repair::SentAgain};

const CHUNK: u64 = 64 * MIB;
const SLICE: u64 = 256 * MIB;

/// 320 MiB in five chunks, all stored and assembled, with the SHA-256 of `declared` declared.
fn assembled(declared: &[u8]) -> Session {
    assembled_and_kept(declared, 0)
}

/// The same, kept for so long where it is damaged.
fn assembled_and_kept(declared: &[u8], repair_ms: u64) -> Session {
    let mut spec = spec(Mode::Parallel, 5 * CHUNK);
    spec.plan = Plan::new(Mode::Parallel, Some(bytes(5 * CHUNK)), Some(bytes(CHUNK)), limits()).unwrap();
    spec.file.sha256 = Some(Sha256Digest::of(declared));
    spec.policy.repair_ms = repair_ms;
    let mut s = create(spec).unwrap();
    send_and_assemble(&mut s);
    s
}

fn limits() -> Limits {
    Limits { max_upload_bytes: bytes(1 << 40), max_chunk_bytes: bytes(95 * MIB) }
}

fn send_and_assemble(s: &mut Session) {
    for chunk in 0..5 {
        let lease = start(s, chunk * CHUNK, CHUNK).unwrap();
        store(s, &lease, lease.first_number, CHUNK).unwrap();
    }
    let change = s.assembled(NOW, "etag".to_owned(), Crc64Nvme(7));
    s.apply(change);
}

/// What reading a slice gives, where the bytes of both slices together are `content`.
fn read(slice: &Slice, content: &[u8]) -> Hashed {
    let mut hasher = RunningSha256::resume(slice.sha256_so_far.as_ref()).unwrap();
    hasher.update(content);
    Hashed::Slice {
        key: slice.key.clone(),
        from: slice.from,
        verified: Verified { to: slice.to, sha256_so_far: Some(hasher.save()), crc64nvme_so_far: None },
    }
}

fn say(session: &mut Session, hashed: &Hashed) {
    let change = session.hashed(NOW, hashed);
    session.apply(change);
}

#[test]
fn two_slices_then_complete() {
    let mut s = assembled(b"abcdef");
    assert_eq!((s.progress.phase, s.next_job().unwrap().1), (Phase::Verifying, Job::Verify));
    assert!(s.outbox.is_empty() && s.object().is_none(), "nobody hears of it yet");
    let first = s.next_slice().unwrap();
    assert_eq!((first.from, first.to), (bytes(0), bytes(SLICE)));
    let answer = read(&first, b"abc");
    say(&mut s, &answer);
    say(&mut s, &answer); // read twice, since somebody believed the first reader dead
    let second = s.next_slice().unwrap();
    assert_eq!((second.from, second.to), (bytes(SLICE), bytes(5 * CHUNK)));
    say(&mut s, &read(&second, b"def"));
    assert_eq!(s.progress.phase, Phase::Completed);
    assert!(!s.outbox.is_empty() && s.object().unwrap().sha256.is_some());
}

#[test]
fn other_bytes_fail_the_upload_and_free_its_storage() {
    let mut s = assembled(b"abcdef");
    for content in [b"abc", b"xyz"] {
        let slice = s.next_slice().unwrap();
        say(&mut s, &read(&slice, content));
    }
    assert_eq!(s.progress.phase, Phase::Failed);
    assert!(s.is_unwanted() && s.progress.holds_storage && s.progress.reason.as_ref().unwrap().contains("sha256"));
}

#[test]
fn an_object_that_is_gone_fails_the_upload() {
    let mut s = assembled(b"abcdef");
    let gone = Hashed::ObjectGone { key: s.object_key() };
    say(&mut s, &gone);
    assert_eq!(s.progress.phase, Phase::Failed);
    say(&mut s, &gone);
    assert!(s.next_slice().is_none(), "a late reader finds nothing to do");
}

#[test]
fn a_slice_is_asked_for_again_after_a_while() {
    let mut s = assembled(b"abcdef");
    let change = s.slice_asked_for(NOW);
    s.apply(change);
    assert_eq!(s.next_job(), Some((NOW.plus_ms(60_000), Job::Verify)));
    assert!(matches!(s.begin(NOW, begin(0, CHUNK)).answer, Err(ApiError::OffsetMismatch { .. })));
    assert_eq!(s.cancel(NOW, DeleteRight::Completed).answer, Err(ApiError::Completing));
}

#[test]
fn what_is_said_of_the_damaged_object_is_not_believed_of_the_repaired_one() {
    let mut s = assembled_and_kept(b"abcdef", DAY_MS);
    let first = s.next_slice().unwrap();
    say(&mut s, &read(&first, b"abc"));
    let second = s.next_slice().unwrap();
    say(&mut s, &read(&second, b"xyz"));
    assert_eq!(s.progress.phase, Phase::Damaged);
    let key = s.next_repair_key(&[]).unwrap();
    let all = [SentAgain { from: ByteCount::ZERO, to: bytes(5 * CHUNK) }];
    let decision = s.repair(NOW, &all, limits(), Some(OpenedForRepair { key: &key, multipart_id: "anew" }));
    take(&mut s, decision).unwrap();
    send_and_assemble(&mut s);
    // Somebody slow has read the damaged object, and somebody slower has not found it any more.
    for late in [read(&first, b"abc"), Hashed::ObjectGone { key: first.key.clone() }] {
        say(&mut s, &late);
        let next = s.next_slice().expect("it is neither failed nor complete");
        assert_eq!((next.key, next.from), (key.clone(), bytes(0)), "nothing of the repaired object is verified");
    }
    say(&mut s, &Hashed::ObjectGone { key });
    assert_eq!(s.progress.phase, Phase::Failed);
}
