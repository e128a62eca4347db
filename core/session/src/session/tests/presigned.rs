//! Parts that the client stores itself: single cases as a story each, and long random histories.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use upload_types::presigned::CompletedPart;

const CHUNK: u64 = 64 * MIB;

fn direct(file_bytes: u64) -> Session {
    create(spec(Mode::Direct, file_bytes)).unwrap()
}

/// As Uppy creates it: nobody says how long anything is.
fn uppy() -> Session {
    let limits = Limits { max_upload_bytes: bytes(1 << 40), max_chunk_bytes: bytes(95 * MIB) };
    let plan = Plan::new(Mode::Direct, None, None, limits).unwrap();
    create(UploadSpec { plan, ..spec(Mode::Direct, CHUNK) }).unwrap()
}

fn sign(s: &mut Session, chunk: u32) -> Result<Slot, ApiError> {
    let decision = s.sign(NOW, &[chunk]);
    take(s, decision).map(|slots| slots[0].clone())
}

fn found(number: u16, length: u64) -> Found {
    Found { number, etag: format!("etag-{number}"), bytes: Some(bytes(length)) }
}

fn record(s: &mut Session, parts: &[Found]) -> Result<Committed, ApiError> {
    let decision = s.record(NOW, parts);
    take(s, decision)
}

fn read_back(s: &mut Session, crc64nvme: Crc64Nvme) {
    let slice = s.next_slice().unwrap();
    assert_eq!((slice.crc64nvme_so_far, slice.with_sha256), (Some(Crc64Nvme::default()), false));
    let verified = Verified { to: slice.to, sha256_so_far: None, crc64nvme_so_far: Some(crc64nvme) };
    let change = s.hashed(NOW, &Hashed::Slice { key: slice.key, from: slice.from, verified });
    s.apply(change);
}

#[test]
fn signed_stored_recorded_assembled_read_back_complete() {
    let mut s = direct(CHUNK + 5);
    let (last, first) = (sign(&mut s, 1).unwrap(), sign(&mut s, 0).unwrap());
    assert_eq!((first.number, last.number), (1, 2), "each chunk has its number");
    assert_eq!((first.span, last.span), (Some((bytes(0), bytes(CHUNK))), Some((bytes(CHUNK), bytes(5)))));
    assert_eq!(s.uploaded_bytes(), bytes(0), "a signature counts for nothing");
    let counted = record(&mut s, &[found(first.number, CHUNK), found(last.number, 5)]).unwrap();
    assert_eq!((counted.uploaded_bytes, counted.phase), (bytes(CHUNK + 5), Phase::Completing));
    let change = s.assembled_directly(NOW, "etag".to_owned(), bytes(CHUNK + 5));
    s.apply(change);
    assert_eq!((s.progress.phase, s.object()), (Phase::Verifying, None), "nobody has seen its bytes yet");
    read_back(&mut s, Crc64Nvme(7));
    assert_eq!((s.progress.phase, s.object().unwrap().crc64nvme), (Phase::Completed, Crc64Nvme(7)));
}

#[test]
fn another_crc_than_the_declared_one_fails_the_upload_when_it_was_read_back() {
    let mut spec = spec(Mode::Direct, CHUNK);
    spec.file.crc64nvme = Some(Crc64Nvme(8));
    let mut s = create(spec).unwrap();
    let slot = sign(&mut s, 0).unwrap();
    record(&mut s, &[found(slot.number, CHUNK)]).unwrap();
    let change = s.assembled_directly(NOW, "etag".to_owned(), bytes(CHUNK));
    s.apply(change);
    read_back(&mut s, Crc64Nvme(7));
    assert_eq!(s.progress.phase, Phase::Failed);
    assert!(s.is_unwanted() && s.progress.reason.unwrap().contains("crc64nvme 0000000000000007"));
}

#[test]
fn a_chunk_is_signed_any_number_of_times_under_its_number_and_recorded_with_its_length() {
    let mut s = direct(2 * CHUNK);
    for _ in 0..1_000 {
        assert_eq!(sign(&mut s, 0).unwrap().number, 1);
    }
    let short = record(&mut s, &[found(1, CHUNK - 1)]);
    assert!(matches!(short, Err(ApiError::PartSizeMismatch { part_number: 1, .. })));
    for never_signed in [2, 3, 9_999] {
        assert!(matches!(record(&mut s, &[found(never_signed, CHUNK)]), Err(ApiError::PartNotStored { .. })));
    }
    assert_eq!(s.uploaded_bytes(), bytes(0));
    record(&mut s, &[found(1, CHUNK)]).unwrap();
    assert!(s.record(NOW, &[found(1, CHUNK)]).change.is_none(), "and once");
    assert!(matches!(sign(&mut s, 0), Err(ApiError::ChunkAlreadyStored { chunk: Some(0), .. })));
}

#[test]
fn a_refused_batch_changes_nothing_and_names_the_chunk() {
    let mut s = direct(3 * CHUNK);
    sign(&mut s, 1).unwrap();
    record(&mut s, &[found(2, CHUNK)]).unwrap();
    let decision = s.sign(NOW, &[0, 1, 2]);
    assert!(decision.change.is_none());
    assert!(matches!(decision.answer, Err(ApiError::ChunkAlreadyStored { chunk: Some(1), .. })));
    let decision = s.sign(NOW, &[0, 7]);
    assert!(decision.change.is_none() && decision.answer.unwrap_err().to_string().contains("7 is none of the 3"));
    let decision = s.sign(NOW, &[0, 2, 0]);
    assert_eq!(decision.change.parallel_chunks.len(), 2, "the same one twice is one row");
    assert_eq!(take(&mut s, decision).unwrap().len(), 3);
}

#[test]
fn all_of_a_record_counts_or_nothing() {
    let mut s = direct(2 * CHUNK);
    let slot = sign(&mut s, 0).unwrap();
    let decision = s.record(NOW, &[found(slot.number, CHUNK), found(2, CHUNK)]);
    assert!(decision.answer.is_err() && decision.change.is_none());
}

#[test]
fn no_door_takes_what_belongs_to_the_other() {
    let mut s = direct(CHUNK);
    assert_eq!(start(&mut s, 0, CHUNK), Err(ApiError::DirectOnly));
    for mode in [Mode::Sequential, Mode::Parallel] {
        let mut s = create(spec(mode, CHUNK)).unwrap();
        assert_eq!(sign(&mut s, 0), Err(ApiError::NotDirect));
        assert_eq!(record(&mut s, &[found(1, CHUNK)]), Err(ApiError::NotDirect));
        assert_eq!(s.assemble_of(NOW, &[]).answer, Err(ApiError::NotDirect));
    }
}

#[test]
fn a_part_that_changed_after_its_record_reopens_the_upload_as_often_as_that_happens() {
    let mut s = direct(CHUNK);
    for _ in 0..100 {
        let slot = sign(&mut s, 0).unwrap();
        record(&mut s, &[found(slot.number, CHUNK)]).unwrap();
        assert_eq!(s.progress.phase, Phase::Completing);
        let change = s.reopened_directly(NOW, "a part is missing (10025)");
        s.apply(change);
        assert_eq!((s.progress.phase, s.uploaded_bytes()), (Phase::Open, bytes(0)));
        assert_eq!(s.snapshot().missing, vec![(bytes(0), bytes(CHUNK))]);
    }
    record(&mut s, &[found(1, CHUNK)]).unwrap();
    assert_eq!(s.progress.phase, Phase::Completing, "what R2 still has is recorded again, without signing it");
    assert!(s.progress.reason.unwrap().contains("10025"));
}

#[test]
fn sizes_that_nobody_declared_come_from_the_object() {
    let mut s = uppy();
    let slots: Vec<_> = [0, 1, 2].map(|chunk| sign(&mut s, chunk).unwrap()).into();
    assert!(slots.iter().all(|slot| slot.span.is_none()));
    let chosen = |chunk: u32| CompletedPart { chunk, etag: format!("e{chunk}") };
    for bad in [vec![], vec![chosen(1)], vec![chosen(0), chosen(2)], vec![chosen(0), chosen(1), chosen(2), chosen(3)]] {
        assert!(matches!(s.assemble_of(NOW, &bad).answer, Err(ApiError::BadRequest { .. })), "{bad:?}");
    }
    let all = [chosen(0), chosen(1), chosen(2)];
    let decision = s.assemble_of(NOW, &all);
    assert_eq!(decision.change.parts.iter().map(|part| part.number).collect::<Vec<_>>(), [1, 2, 3]);
    take(&mut s, decision).unwrap();
    assert_eq!((s.progress.phase, s.uploaded_bytes()), (Phase::Completing, bytes(0)));
    assert!(s.assemble_of(NOW, &all).change.is_none());
    // Two parts of 100 MiB, which is more than the plan had foreseen, and a rest.
    let change = s.assembled_directly(NOW, "etag".to_owned(), bytes(200 * MIB + 1));
    s.apply(change);
    assert_eq!(s.plan().declared_bytes(), Some(bytes(200 * MIB + 1)));
    assert_eq!((s.uploaded_bytes(), s.snapshot().missing), (bytes(200 * MIB + 1), vec![]));
    read_back(&mut s, Crc64Nvme(7));
    assert_eq!(s.progress.phase, Phase::Completed);
}

#[test]
fn an_object_beyond_what_was_allowed_fails_the_upload_and_is_freed() {
    let mut s = uppy();
    sign(&mut s, 0).unwrap();
    let decision = s.assemble_of(NOW, &[CompletedPart { chunk: 0, etag: "e".to_owned() }]);
    take(&mut s, decision).unwrap();
    let change = s.assembled_directly(NOW, "etag".to_owned(), bytes((1 << 40) + 1));
    s.apply(change);
    assert!(s.progress.phase == Phase::Failed && s.is_unwanted() && s.progress.holds_storage);
}

#[test]
fn what_has_ended_signs_and_records_nothing() {
    let mut s = direct(CHUNK);
    let slot = sign(&mut s, 0).unwrap();
    let decision = s.cancel(NOW, DeleteRight::Completed);
    take(&mut s, decision).unwrap();
    assert!(matches!(sign(&mut s, 0), Err(ApiError::UploadGone { .. })));
    assert!(matches!(record(&mut s, &[found(slot.number, CHUNK)]), Err(ApiError::UploadGone { .. })));
}

/// What random clients do, with chunks as indexes.
#[derive(Clone, Debug)]
enum Step {
    Sign(u32),
    /// Bytes arrive under the n-th URL ever signed, whether or not anybody still counts on it.
    Store(usize),
    /// The n-th URL's part is recorded, as R2 has it by then.
    Record(usize),
    /// The object is put together, if it is time, from what R2 has by then.
    Assemble,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (0..4_u32).prop_map(Step::Sign),
        4 => (0..24_usize).prop_map(Step::Store),
        4 => (0..24_usize).prop_map(Step::Record),
        1 => Just(Step::Assemble),
    ];
    prop::collection::vec(step, 0..120)
}

/// R2 keeps, per number, how often it was written: its ETag. What counts must be what R2 has at the moment of assembly.
fn run(chunks: u64, steps: Vec<Step>) {
    let file = chunks * CHUNK - 1;
    let mut s = direct(file);
    let length = |chunk: u32| CHUNK.min(file - u64::from(chunk) * CHUNK);
    let mut slots = Vec::new();
    let mut r2: BTreeMap<u16, u32> = BTreeMap::new();
    let mut rows: BTreeMap<u16, String> = BTreeMap::new();
    for step in steps {
        match step {
            Step::Sign(chunk) => {
                if let Ok(slot) = sign(&mut s, chunk) {
                    assert_eq!(u32::from(slot.number), chunk + 1, "a chunk has one number");
                    slots.push((chunk, slot.number));
                }
            }
            Step::Store(n) => {
                if let Some((_, number)) = slots.get(n) {
                    *r2.entry(*number).or_default() += 1;
                }
            }
            Step::Record(n) => {
                let Some((chunk, number)) = slots.get(n).copied() else { continue };
                let Some(version) = r2.get(&number) else { continue };
                let part = Found { number, etag: version.to_string(), bytes: Some(bytes(length(chunk))) };
                let decision = s.record(NOW, &[part]);
                rows.extend(decision.change.parts.iter().map(|part| (part.number, part.etag.clone())));
                let _answer = take(&mut s, decision);
            }
            Step::Assemble if s.progress.phase == Phase::Completing => {
                assert_eq!(rows.len() as u64, chunks, "one part for every chunk");
                let intact = rows.iter().all(|(number, etag)| r2[number].to_string() == *etag);
                let change = if intact {
                    s.assembled_directly(NOW, "e".to_owned(), bytes(file))
                } else {
                    s.reopened_directly(NOW, "10025")
                };
                if change.uncount == Uncount::All {
                    rows.clear();
                }
                s.apply(change);
                assert_eq!(s.progress.phase == Phase::Verifying, intact, "changed parts are never put together");
            }
            Step::Assemble => {}
        }
        let counted: u64 = rows.keys().map(|number| length(u32::from(*number) - 1)).sum();
        assert_eq!(s.uploaded_bytes().get(), counted);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn long_random_histories_of_direct_parts(chunks in 1..4_u64, steps in steps()) {
        run(chunks, steps);
    }
}

#[test]
fn what_its_client_has_r2_store_is_charged_once_for_each_part_also_where_it_is_recorded_again() {
    let mut s = direct(2 * CHUNK);
    let mut history = s.begin_history();
    let class_a = |s: &Session| s.progress.cost.r2_class_a;
    let before = class_a(&s);
    let slots: Vec<_> = (0..2).map(|chunk| sign(&mut s, chunk).unwrap()).collect();
    let parts: Vec<_> = slots.iter().map(|slot| found(slot.number, CHUNK)).collect();
    record(&mut s, &parts[..1]).unwrap();
    record(&mut s, &parts[..1]).unwrap();
    assert_eq!(class_a(&s), before + 1, "said twice, stored once");
    let recorded = s.record(NOW, &parts[1..]).change;
    let mut after = s.clone();
    after.apply(recorded.clone());
    s.record_change(&mut history, NOW, &recorded, &after);
    s = after;
    assert_eq!(class_a(&s), before + 2);
    let reopened = s.reopened_directly(NOW, "10025");
    let mut after = s.clone();
    after.apply(reopened.clone());
    s.record_change(&mut history, NOW, &reopened, &after);
    s = after;
    record(&mut s, &parts).unwrap();
    assert_eq!((s.progress.phase, class_a(&s)), (Phase::Completing, before + 2));
    let noted: Vec<_> = history.entries.iter().map(|entry| entry.event.as_str()).collect();
    assert_eq!(noted, ["created", "recorded", "completing", "reopened"]);
}
