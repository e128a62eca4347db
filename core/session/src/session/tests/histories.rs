//! Long random histories: three writers (each an attempt as the Worker drives one) that stall, die, repeat themselves and come
//! back from the dead, against what must
//! always hold. In some of them the sizes are a guess, so that every writer at the front has sizes of its own; in others the file is
//! one part, and is put; in others it is put if it comes whole, and its multipart upload is opened by the first chunk that needs it.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::attempt::{Attempt, Effect, Failure, Input};
use upload_types::{
    integrity::{Algorithm, ChunkDigest},
    plan::MAX_PART_NUMBER,
};

/// What random clients, Workers and clocks do to a session.
#[derive(Clone, Debug)]
enum Step {
    /// A chunk of so many quarters of a part, and perhaps a few bytes more.
    Begin {
        writer: usize,
        quarters: u64,
        odd: u64,
        all_or_nothing: bool,
    },
    /// A section of a body of unknown length, behind the section that was begun last.
    Section {
        writer: usize,
        quarters: u64,
    },
    /// The writer stores its next part or rest, and its commit arrives, or not, or twice.
    Store {
        writer: usize,
        commits: u8,
    },
    Release {
        writer: usize,
    },
    /// The writer says that it is there.
    Renew {
        writer: usize,
    },
    Probe,
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let writer = 0..3_usize;
    let step = prop_oneof![
        3 => (writer.clone(), 0..10_u64, 0..3_u64, any::<bool>())
            .prop_map(|(writer, quarters, odd, all_or_nothing)| Step::Begin { writer, quarters, odd, all_or_nothing }),
        2 => (writer.clone(), 1..10_u64).prop_map(|(writer, quarters)| Step::Section { writer, quarters }),
        8 => (writer.clone(), prop_oneof![1 => Just(0_u8), 6 => Just(1), 1 => Just(2)])
            .prop_map(|(writer, commits)| Step::Store { writer, commits }),
        1 => writer.clone().prop_map(|writer| Step::Release { writer }),
        1 => writer.prop_map(|writer| Step::Renew { writer }),
        1 => Just(Step::Probe),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 0..250)
}

/// A writer that believes to hold a lease, whether it still does or not: the product's own attempt, and what it asks for next.
struct Writer {
    lease: WriteLease,
    attempt: Attempt,
    effect: Effect,
    /// When the object last heard of it, as far as it knows.
    heard_at: UnixMs,
}

impl Writer {
    fn new(lease: WriteLease, to: u64, all_or_nothing: bool, now: UnixMs) -> Self {
        let digest = all_or_nothing.then(|| ChunkDigest { algorithm: Algorithm::Crc32, value: vec![0; 4] });
        let mut attempt = Attempt::new(&lease, bytes(to), digest).going_ahead();
        let effect = attempt.next(Input::Begin);
        Self { lease, attempt, effect, heard_at: now }
    }

    fn has_stopped(&self, now: UnixMs) -> bool {
        now.ms_since(self.heard_at) > WRITER_STOPS_AFTER_MS
    }

    fn hears(&mut self, input: Input) {
        self.effect = self.attempt.next(input);
    }

    /// Stores the next thing; the commit that is due then, if one is.
    fn store(&mut self, numbers: &mut Numbers) -> Option<Commit> {
        self.hears(match &self.effect {
            Effect::StorePart { number, bytes, ahead, .. } => {
                numbers.written(*number, self.lease.attempt);
                // Begun before this one counts.
                if let Some(ahead) = ahead {
                    numbers.written(ahead.number, self.lease.attempt);
                }
                Input::Stored { receipt: receipt(*number, bytes.get()), sha256_so_far: None }
            }
            Effect::PutObject { number, bytes, .. } => {
                Input::Stored { receipt: receipt(*number, bytes.get()), sha256_so_far: None }
            }
            Effect::StoreRemainder { .. } => Input::RemainderStored { sha256_so_far: None },
            Effect::ReadRemainder { bytes } => {
                Input::RemainderRead { bytes: *bytes, sha256_so_far: None, broken: None }
            }
            other => panic!("a writer at work asks for {other:?}"),
        });
        if self.effect == Effect::CheckDigest {
            self.hears(Input::DigestIsRight);
        }
        match &self.effect {
            Effect::Commit(commit) => Some(commit.clone()),
            _ => None,
        }
    }

    fn is_at_work(&self) -> bool {
        matches!(
            self.effect,
            Effect::StorePart { .. }
                | Effect::PutObject { .. }
                | Effect::StoreRemainder { .. }
                | Effect::ReadRemainder { .. }
        )
    }

    /// It stores nothing more: whatever else it asks for is done.
    fn end(mut self, s: &mut Session, now: UnixMs, numbers: &mut Numbers) {
        while !matches!(self.effect, Effect::Finish(_)) {
            let input = match &self.effect {
                Effect::AskStatus => Input::Status(Ok(Box::new(s.snapshot()))),
                Effect::DeletePut => {
                    assert!(s.counted_attempt() != Some(self.lease.attempt), "the put counts");
                    Input::Deleted
                }
                Effect::DeleteRemainder => {
                    assert!(s.progress.phase != Phase::Open, "the remainder may count yet");
                    Input::Deleted
                }
                Effect::DiscardBody => Input::BodyDiscarded,
                Effect::Release(release) => {
                    let decision = s.release(now, *release);
                    numbers.ended(self.lease.attempt);
                    Input::Released(Some(take(s, decision).unwrap()))
                }
                other => panic!("a writer at its end asks for {other:?}"),
            };
            self.hears(input);
        }
    }
}

/// Who has which part number, and may be writing under it.
#[derive(Default)]
struct Numbers {
    given: BTreeMap<u16, (u64, UnixMs)>,
    written: BTreeSet<u16>,
}

impl Numbers {
    /// A number is given to an attempt. Whoever had it before has ended, or has been silent for longer than it may be.
    fn give(&mut self, number: u16, attempt: u64, now: UnixMs) {
        if let Some((other, heard_at)) = self.given.insert(number, (attempt, now)) {
            let is_silent = now.ms_since(heard_at) >= WRITER_SILENCE_MS;
            assert!(other == attempt || is_silent, "attempt {other} may still be writing under number {number}");
        }
    }

    fn give_all(&mut self, lease: &WriteLease, now: UnixMs) {
        if lease.multipart_id.is_some() {
            (0..lease.reserved_parts).for_each(|n| self.give(lease.first_number + n, lease.attempt, now));
        }
    }

    fn heard(&mut self, attempt: u64, now: UnixMs) {
        self.given.values_mut().filter(|given| given.0 == attempt).for_each(|given| given.1 = now);
    }

    fn ended(&mut self, attempt: u64) {
        self.given.retain(|_, given| given.0 != attempt);
    }

    fn written(&mut self, number: u16, attempt: u64) {
        assert_eq!(self.given.get(&number).map(|given| given.0), Some(attempt), "number {number} is somebody else's");
        self.written.insert(number);
    }
}

/// The rows that an object would have.
#[derive(Default)]
struct Rows {
    parts: Vec<StoredPart>,
    segments: Vec<Segment>,
}

impl Rows {
    fn store(&mut self, change: &StateChange) {
        for part in &change.parts {
            self.segments.retain(|segment| segment.start >= part.end);
            self.parts.push(part.clone());
        }
        self.segments.extend(change.segment.clone());
    }

    /// What counts tiles the file from its front exactly once, in the order of the numbers, in equal parts but the last.
    fn check(&self, file: u64, part_bytes: u64, offset: u64, written: impl Fn(u16) -> bool) {
        let mut at = 0;
        for (index, part) in self.parts.iter().enumerate() {
            let length = part.end.get() - at;
            assert!(length == part_bytes || (part.end.get() == file && length <= part_bytes));
            assert!(index == 0 || self.parts[index - 1].number < part.number);
            assert!(written(part.number), "a part counts that was never written");
            at = part.end.get();
        }
        for segment in &self.segments {
            assert_eq!(segment.start.get(), at);
            at = segment.end.get();
        }
        assert_eq!(at, offset);
    }
}

/// The object that counts is one that was put; and where others were, somebody will look for them.
fn check_keys(s: &Session, put: &BTreeSet<u64>) {
    let counted = s.counted_attempt();
    assert_eq!(s.object().map(|object| object.key), counted.map(|attempt| s.spec.put_key(attempt)));
    assert!(counted.is_none_or(|attempt| put.contains(&attempt)));
    let others = put.iter().any(|attempt| Some(*attempt) != counted);
    assert_eq!(s.may_have_stray_objects(), others);
    assert!(counted.is_none() || !others || s.may_have_leftovers(), "nobody will look for them");
}

/// Begins as the object does: what lacks a multipart upload has one opened, and so has what raced with such a one.
fn begin_opened(s: &Session, now: UnixMs, begin: BeginAppend) -> Decision<WriteLease> {
    let id = format!("opened at {}", now.0);
    let opened = (s.lacks_multipart(now, begin) || now.0.is_multiple_of(60_000)).then_some(id.as_str());
    let decision = s.begin_opened(now, begin, opened);
    if let (Some(had), Ok(lease)) = (s.multipart_id(), &decision.answer) {
        assert_eq!(lease.multipart_id.as_deref(), Some(had), "a multipart upload became another");
    }
    decision
}

/// Where the bytes of an upload go when it is created.
#[derive(Clone, Copy, PartialEq)]
enum Into {
    Parts,
    OneObject,
    /// An object if it comes whole, or else parts.
    Either,
}

fn created(file: u64, guessed: bool, into: Into) -> Session {
    let mut spec = spec(Mode::Sequential, file);
    spec.plan.guessed = guessed;
    spec.fits_request = into == Into::Either;
    if into == Into::Parts { create(spec).unwrap() } else { create_without_multipart(spec) }
}

/// The attempt, where it may put the whole.
fn attempt_to_put(lease: &WriteLease) -> Option<u64> {
    (lease.multipart_id.is_none() && lease.reserved_parts > 0).then_some(lease.attempt)
}

/// Whether an upload that might have come whole goes on with the sizes that it was created with.
fn is_as_born(s: &Session, into: Into, lease: &WriteLease) -> bool {
    into == Into::Either && lease.offset.is_zero() && lease.plan.part_bytes == s.spec.plan.part_bytes
}

fn run(file: u64, guessed: bool, into: Into, steps: Vec<Step>) {
    go_on(created(file, guessed, into), file, guessed, into, steps);
}

#[allow(clippy::too_many_lines, reason = "an arm for each step")]
fn go_on(mut s: Session, file: u64, guessed: bool, into: Into, steps: Vec<Step>) {
    let mut put = BTreeSet::new();
    let mut rows = Rows::default();
    let mut writers: [Option<Writer>; 3] = [None, None, None];
    let mut numbers = Numbers::default();
    let mut offset = ByteCount::ZERO;
    let mut part_bytes = PART;
    // The last section that was begun, and what whoever asked where to go on was told since the last chunk began.
    let (mut last_section, mut told) = (None, None);
    for (time, step) in steps.into_iter().enumerate() {
        let now = UnixMs(time as u64 * 20_000);
        match step {
            Step::Begin { writer, quarters, odd, all_or_nothing } => {
                let from = s.uploaded_bytes().get();
                let to = (from + quarters * PART / 4 + odd).min(file);
                let decision = begin_opened(&s, now, BeginAppend { all_or_nothing, ..begin(from, to - from) });
                if let Ok(lease) = take(&mut s, decision) {
                    told = None;
                    put.extend(attempt_to_put(&lease));
                    numbers.give_all(&lease, now);
                    assert_eq!(lease.multipart_id.as_deref(), s.multipart_id());
                    let may_change = guessed || all_or_nothing || is_as_born(&s, into, &lease);
                    assert!(may_change || lease.plan.part_bytes.get() == part_bytes, "sizes that were told changed");
                    assert!(from == 0 || lease.plan.part_bytes.get() == part_bytes, "the sizes of what counts changed");
                    part_bytes = lease.plan.part_bytes.get();
                    writers[writer] = Some(Writer::new(lease, to, all_or_nothing, now));
                }
            }
            Step::Section { writer, quarters } => {
                let from = s.uploaded_bytes().get();
                let to = (from + quarters * PART / 4).min(file);
                let continuation = Continuation { after: last_section, has_more: true };
                let decision = begin_opened(&s, now, BeginAppend { continuation, ..begin(from, to - from) });
                last_section = decision.answer.as_ref().ok().map(|lease| lease.attempt);
                if let Ok(lease) = take(&mut s, decision) {
                    assert!(continuation.after.is_none() || told.is_none(), "somebody had been told where to go on");
                    told = None;
                    put.extend(attempt_to_put(&lease));
                    numbers.give_all(&lease, now);
                    let may_change = is_as_born(&s, into, &lease);
                    assert!(
                        may_change || lease.plan.part_bytes.get() == part_bytes,
                        "a section shows nothing of sizes"
                    );
                    part_bytes = lease.plan.part_bytes.get();
                    writers[writer] = Some(Writer::new(lease, to, false, now));
                }
            }
            Step::Store { writer, commits } => {
                writers[writer].take_if(|writer| writer.has_stopped(now));
                let Some(w) = writers[writer].as_mut() else { continue };
                let Some(commit) = w.store(&mut numbers) else { continue };
                if commits == 0 {
                    writers[writer] = None; // it dies here
                    continue;
                }
                let held =
                    s.progress.lease.is_some_and(|l| l.attempt == w.lease.attempt && l.state == LeaseState::Held);
                let decision = s.commit(now, &commit);
                assert_eq!(decision.answer.is_ok(), held, "only the newest attempt commits, and it always can");
                rows.store(&decision.change);
                let answer = take(&mut s, decision);
                if commits == 2 && held {
                    let repeated = s.commit(now, &commit);
                    assert!(repeated.change.is_none() && repeated.answer == answer);
                }
                w.heard_at = now;
                let attempt = w.lease.attempt;
                numbers.heard(attempt, now);
                match &answer {
                    Ok(Committed { next_number, ahead_number, .. }) => {
                        next_number.iter().chain(ahead_number).for_each(|next| numbers.give(*next, attempt, now));
                    }
                    Err(_) if commit.is_writing_on => {}
                    Err(_) => numbers.ended(attempt),
                }
                w.hears(Input::Committed(answer));
                if let Some(ended) = writers[writer].take_if(|writer| !writer.is_at_work()) {
                    ended.end(&mut s, now, &mut numbers);
                }
            }
            Step::Release { writer } => {
                if let Some(mut w) = writers[writer].take() {
                    w.hears(Input::Failed(Failure::Storage));
                    w.end(&mut s, now, &mut numbers);
                }
            }
            Step::Renew { writer } => {
                writers[writer].take_if(|writer| writer.has_stopped(now));
                if let Some(w) = &mut writers[writer] {
                    let attempt = w.lease.attempt;
                    let decision = s.renew(now, Renew { attempt });
                    let may_go_on = decision.answer.is_ok();
                    assert!(decision.change.is_only_in_memory());
                    s.apply(decision.change);
                    numbers.heard(attempt, now);
                    w.heard_at = now;
                    if !may_go_on && let Some(mut w) = writers[writer].take() {
                        w.hears(Input::Failed(Failure::Superseded));
                        w.end(&mut s, now, &mut numbers);
                    }
                }
            }
            Step::Probe => {
                let decision = s.probe(now);
                take(&mut s, decision).unwrap();
                // Whoever holds a protected lease goes on, and the next to append is told to wait.
                told = (!s.is_appending()).then_some(s.uploaded_bytes());
            }
            // What a restarted object reads back is what it knew.
            Step::Restart => {
                let last_part = rows.parts.last().cloned();
                let last_segment = rows.segments.last().cloned();
                let restarted = Content::Sequence(Sequence { last_part, last_segment });
                assert_eq!(s.content, restarted);
                s.wake(now);
            }
        }
        assert!(told.is_none_or(|told| told == s.uploaded_bytes()), "an offset that was told is not true any more");
        assert!(s.uploaded_bytes() >= offset, "a reported offset was taken back");
        offset = s.uploaded_bytes();
        let at_end = if s.is_single_object() { Phase::Completed } else { Phase::Completing };
        assert_eq!(s.progress.phase == at_end, offset.get() == file);
        assert_eq!(s.plan().part_bytes.get(), part_bytes);
        rows.check(file, part_bytes, offset.get(), |number| s.is_single_object() || numbers.written.contains(&number));
        check_keys(&s, &put);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn long_random_histories(file_quarters in 1..40_u64, odd in 0..2_u64, guessed: bool, steps in steps()) {
        run(file_quarters * PART / 4 + odd, guessed, Into::Parts, steps);
    }

    #[test]
    fn long_random_histories_with_few_spare_numbers(file_quarters in 1..40_u64, spare in 0..6_u16, steps in steps()) {
        let file = file_quarters * PART / 4;
        let mut s = created(file, false, Into::Parts);
        start(&mut s, 0, 1).unwrap();
        let parts = u16::try_from(s.plan().part_count()).unwrap();
        if let Some(lease) = &mut s.progress.lease {
            (lease.numbers_before, lease.state, lease.ended) = (MAX_PART_NUMBER - parts - spare, LeaseState::Released, true);
        }
        go_on(s, file, false, Into::Parts, steps);
    }

    #[test]
    fn long_random_histories_of_a_put(file in 1..=PART, guessed: bool, steps in steps()) {
        run(file, guessed, Into::OneObject, steps);
    }

    #[test]
    fn long_random_histories_of_either(quarters in 5..20_u64, odd in 0..2_u64, guessed: bool, steps in steps()) {
        run(quarters * PART / 4 + odd, guessed, Into::Either, steps);
    }
}
