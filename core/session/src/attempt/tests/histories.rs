//! Attempts against a real session, one after another or over each other's heads, with failures, lost answers and broken bodies: what
//! they answer is true, and what they delete does not count.

use proptest::prelude::*;

use super::*;
use crate::session::{Decision, Session, UploadSpec, tests::take};

/// More effects than any attempt has.
const MOST_EFFECTS: usize = 60;

/// What happens to an effect.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    /// It is carried out.
    Done,
    /// It is not.
    Fails(Failure),
    /// It is carried out, and the answer is lost.
    AnswerLost,
    /// Before that, somebody else begins.
    TakenOver,
    /// Before that, a client asks where to go on.
    Probed,
    /// Before that, a client cancels.
    Cancelled,
}

fn fate() -> impl Strategy<Value = Fate> {
    let failure = prop_oneof![
        Just(Failure::BodyEnded),
        Just(Failure::BodyStalled),
        Just(Failure::Storage),
        Just(Failure::Superseded),
        Just(Failure::Fault),
    ];
    prop_oneof![
        30 => Just(Fate::Done),
        2 => failure.prop_map(Fate::Fails),
        1 => Just(Fate::AnswerLost),
        1 => Just(Fate::TakenOver),
        1 => Just(Fate::Probed),
        1 => Just(Fate::Cancelled),
    ]
}

/// A chunk that somebody sends.
#[derive(Clone, Debug)]
struct Chunk {
    quarters: u64,
    odd: u64,
    has_digest: bool,
    is_right: bool,
    fates: Vec<Fate>,
}

fn chunk() -> impl Strategy<Value = Chunk> {
    let fates = prop::collection::vec(fate(), MOST_EFFECTS);
    (0..13_u64, 0..3_u64, any::<bool>(), prop::bool::weighted(0.8), fates)
        .prop_map(|(quarters, odd, has_digest, is_right, fates)| Chunk { quarters, odd, has_digest, is_right, fates })
}

/// What an attempt did, for what must be true of it at its end.
#[derive(Default)]
struct Seen {
    stored_bytes: u64,
    numbers: Vec<u16>,
    commits: usize,
    digest_is_right: bool,
    releases: usize,
    commit_refused: bool,
}

struct World {
    session: Session,
}

impl World {
    fn take<T>(&mut self, decision: Decision<T>) -> Result<T, ApiError> {
        take(&mut self.session, decision)
    }

    fn begin(&mut self, chunk: &Chunk) -> Option<(WriteLease, ByteCount)> {
        let (offset, file_bytes) = (self.session.uploaded_bytes().get(), self.session.plan().file_bytes.get());
        let length = (chunk.quarters * PART / 4 + chunk.odd).min(file_bytes - offset);
        let asked = crate::session::BeginAppend { all_or_nothing: chunk.has_digest, ..begin(offset, length) };
        let mut lease = self.take(self.session.begin_opened(NOW, asked, Some("opened"))).ok()?;
        if self.session.has_tail() {
            let start = self.session.plan().part_start(bytes(offset));
            lease.tail = vec![RemainderSource::Rows { start, end: bytes(offset) }];
        }
        Some((lease, bytes(offset + length)))
    }

    /// Carries out the whole attempt.
    fn run(&mut self, chunk: &Chunk) {
        let Some((lease, to)) = self.begin(chunk) else { return };
        let mut attempt = Attempt::new(&lease, to, chunk.has_digest.then(digest)).going_ahead();
        let (mut seen, mut input) = (Seen::default(), Input::Begin);
        for fate in &chunk.fates {
            match attempt.next(input) {
                Effect::Finish(finish) => return self.check_end(&finish, &lease, to, &seen),
                effect => input = self.meet(*fate, &effect, &lease, chunk, &mut seen),
            }
        }
        panic!("an attempt without an end");
    }

    fn meet(&mut self, fate: Fate, effect: &Effect, lease: &WriteLease, chunk: &Chunk, seen: &mut Seen) -> Input {
        match fate {
            Fate::Done | Fate::AnswerLost => {}
            Fate::Fails(failure) => return failed(effect, failure),
            Fate::TakenOver => drop(self.begin(&Chunk { has_digest: false, ..chunk.clone() })),
            Fate::Probed => drop(self.take(self.session.probe(NOW))),
            Fate::Cancelled => drop(self.take(self.session.cancel(NOW, crate::session::DeleteRight::Unfinished))),
        }
        let answer = self.carry_out(effect.clone(), lease, chunk, seen);
        if fate == Fate::AnswerLost { failed(effect, Failure::Fault) } else { answer }
    }

    fn carry_out(&mut self, effect: Effect, lease: &WriteLease, chunk: &Chunk, seen: &mut Seen) -> Input {
        let accepted = lease.offset.get() - lease.plan.part_start(lease.offset).get();
        let tail_bytes = |tail: &[RemainderSource]| if tail.is_empty() { 0 } else { accepted };
        match effect {
            Effect::StorePart { number, bytes, tail, .. } | Effect::PutObject { number, bytes, tail } => {
                assert!(seen.numbers.last().is_none_or(|last| *last < number), "numbers in order, each once");
                seen.numbers.push(number);
                seen.stored_bytes += bytes.get() - tail_bytes(&tail);
                stored(number, bytes.get())
            }
            Effect::StoreRemainder { bytes } => {
                seen.stored_bytes += bytes.get();
                Input::RemainderStored { sha256_so_far: None }
            }
            Effect::ReadRemainder { bytes } => {
                seen.stored_bytes += bytes.get();
                row(bytes.get(), None)
            }
            Effect::CheckDigest if chunk.is_right => {
                seen.digest_is_right = true;
                Input::DigestIsRight
            }
            Effect::CheckDigest => Input::DigestIsWrong,
            Effect::Commit(commit) => {
                assert!(!chunk.has_digest || (seen.digest_is_right && seen.commits == 0), "all at once, once right");
                seen.commits += 1;
                let answer = self.take(self.session.commit(NOW, &commit));
                seen.commit_refused = answer.is_err();
                Input::Committed(answer)
            }
            Effect::AskStatus => {
                let now = self.take(self.session.status());
                Input::Status(now.map(|()| Box::new(self.session.snapshot())))
            }
            Effect::DeletePut => {
                assert!(self.session.counted_attempt() != Some(lease.attempt), "the put counts");
                let may_be_right = chunk.is_right || !chunk.has_digest;
                let may_count_yet = may_be_right && self.session.state().ended_at.is_none();
                assert!(!may_count_yet, "the put may count yet");
                Input::Deleted
            }
            Effect::DeleteRemainder => {
                assert!(self.session.state().phase != Phase::Open, "the remainder may count yet");
                Input::Deleted
            }
            Effect::Release(release) => {
                seen.releases += 1;
                Input::Released(self.take(self.session.release(NOW, release)).ok())
            }
            Effect::DiscardBody => Input::BodyDiscarded,
            Effect::Finish(_) => panic!("carried out by nobody"),
        }
    }

    fn check_end(&self, finish: &Finish, lease: &WriteLease, to: ByteCount, seen: &Seen) {
        let counted = self.session.uploaded_bytes();
        match finish {
            Finish::Appended(committed) => {
                assert_eq!(seen.stored_bytes, to.get() - lease.offset.get(), "every byte once");
                assert!(committed.uploaded_bytes == to && counted >= to, "all that was sent counts");
                assert_eq!(seen.releases, 0);
            }
            Finish::Refused(refusal) => {
                assert!(refusal.uploaded_bytes().is_none_or(|told| told <= counted), "the client was told too much");
            }
            Finish::Fault => {}
        }
        let ended_early = !matches!(finish, Finish::Appended(_)) && !seen.commit_refused;
        assert!(!ended_early || seen.releases <= 1, "a lease is given back once");
        let holds_it = self.session.state().lease.is_some_and(|lease_now| lease_now.attempt == lease.attempt);
        let is_held = holds_it && self.session.is_appending();
        assert!(!is_held || seen.releases == 0, "given back, and still held");
    }
}

fn failed(effect: &Effect, failure: Failure) -> Input {
    match effect {
        Effect::Release(_) => Input::Released(None),
        Effect::ReadRemainder { .. } => row(0, Some(failure)),
        _ => Input::Failed(failure),
    }
}

/// A file of some parts; or one that is put, if it comes whole.
fn upload(parts: u64, is_put: bool) -> Session {
    let spec = spec(Mode::Sequential, parts * PART - 5);
    if is_put { create_without_multipart(UploadSpec { fits_request: true, ..spec }) } else { create(spec).unwrap() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn whatever_happens_the_answer_is_true_and_nothing_that_counts_is_deleted(
        (parts, is_put) in (1..4_u64, any::<bool>()),
        chunks in prop::collection::vec(chunk(), 1..8),
    ) {
        let mut world = World { session: upload(parts, is_put) };
        for chunk in &chunks {
            world.run(chunk);
        }
    }
}
