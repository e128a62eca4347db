//! Long random histories of a parallel upload: four writers at whatever chunks they like, several at one, that die,
//! repeat themselves and come back from the dead.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// What random clients do.
#[derive(Clone, Debug)]
enum Step {
    /// A writer has a chunk.
    Begin {
        writer: usize,
        chunk: u64,
    },
    /// Its part is stored, and its commit arrives, or not, or twice. Then it is idle, unless the commit did not arrive:
    /// it may come later.
    Store {
        writer: usize,
        commits: u8,
    },
    Release {
        writer: usize,
    },
    Renew {
        writer: usize,
    },
    Probe,
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let writer = 0..4_usize;
    let step = prop_oneof![
        4 => (writer.clone(), 0..7_u64).prop_map(|(writer, chunk)| Step::Begin { writer, chunk }),
        6 => (writer.clone(), 0..3_u8).prop_map(|(writer, commits)| Step::Store { writer, commits }),
        1 => writer.clone().prop_map(|writer| Step::Release { writer }),
        1 => writer.prop_map(|writer| Step::Renew { writer }),
        1 => Just(Step::Probe),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 0..200)
}

/// What a bystander has seen.
#[derive(Default)]
struct Seen {
    /// Who has which number, and when the object last heard of it.
    given: BTreeMap<u16, (u64, UnixMs)>,
    /// The newest attempt at each chunk.
    newest: BTreeMap<u64, u64>,
    /// The number that counts for each chunk.
    counted: BTreeMap<u64, u16>,
    /// The rows of chunks.
    rows: BTreeMap<u32, ParallelChunk>,
}

impl Seen {
    /// Whoever had a number before has ended, or has been silent for longer than it may be.
    fn give(&mut self, number: u16, attempt: u64, now: UnixMs) {
        if let Some((other, heard_at)) = self.given.insert(number, (attempt, now)) {
            assert!(now.ms_since(heard_at) >= WRITER_SILENCE_MS, "attempt {other} may be writing under {number}");
        }
    }

    fn heard(&mut self, attempt: u64, now: UnixMs) {
        self.given.values_mut().filter(|given| given.0 == attempt).for_each(|given| given.1 = now);
    }

    fn ended(&mut self, attempt: u64) {
        self.given.retain(|_, given| given.0 != attempt);
    }

    fn take<T>(&mut self, s: &mut Session, decision: Decision<T>) -> Result<T, ApiError> {
        self.rows.extend(decision.change.parallel_chunks.clone());
        take(s, decision)
    }

    /// What is counted is what the session says, in every way it says it, and a restart would find the same.
    fn check(&self, s: &Session, file: u64) {
        let length = |chunk: u64| PART.min(file - chunk * PART);
        let counted: u64 = self.counted.keys().map(|chunk| length(*chunk)).sum();
        let missing: u64 = s.snapshot().missing.iter().map(|(from, to)| to.get() - from.get()).sum();
        assert_eq!((s.uploaded_bytes().get(), missing), (counted, file - counted));
        let gap = (0..file.div_ceil(PART)).find(|chunk| !self.counted.contains_key(chunk));
        assert_eq!(s.snapshot().offset.get(), gap.map_or(file, |chunk| chunk * PART));
        assert!(self.counted.values().is_sorted(), "numbers lie in the order of the chunks");
        assert_eq!(s.progress.phase == Phase::Completing, counted == file);
    }

    /// What a restarted object reads back says the same but for when its writers were heard of.
    fn check_restored(&self, s: &Session) {
        let stored = self.counted.values().map(|number| (*number, NOW));
        let restored = ParallelChunks::restore(s.plan(), self.rows.clone().into_iter(), stored);
        let Content::Parallel(parallel_chunks) = &s.content else { panic!("a sequence") };
        assert_eq!((restored.missing(), restored.bitmap()), (parallel_chunks.missing(), parallel_chunks.bitmap()));
        assert_eq!(restored.cost(), parallel_chunks.cost());
    }
}

/// A writer at a chunk, which it believes to be allowed to commit.
#[derive(Clone)]
struct Writer {
    chunk: u64,
    commit: Commit,
    heard_at: UnixMs,
}

fn run(file: u64, steps: Vec<Step>) {
    let mut s = create(spec(Mode::Parallel, file)).unwrap();
    let mut seen = Seen::default();
    let mut writers: [Option<Writer>; 4] = Default::default();
    for (time, step) in steps.into_iter().enumerate() {
        let now = UnixMs(time as u64 * 10_000);
        for writer in &mut writers {
            // Nobody has heard of it for so long that it has ended its request by itself.
            writer.take_if(|writer| now.ms_since(writer.heard_at) > WRITER_STOPS_AFTER_MS);
        }
        match step {
            Step::Begin { writer, chunk } => {
                let chunk = chunk % file.div_ceil(PART);
                let length = PART.min(file - chunk * PART);
                let is_missing = !seen.counted.contains_key(&chunk);
                let decision = s.begin(now, begin(chunk * PART, length));
                match seen.take(&mut s, decision) {
                    Ok(lease) => {
                        assert!(is_missing);
                        let receipts = vec![receipt(lease.first_number, length)];
                        seen.give(lease.first_number, lease.attempt, now);
                        seen.newest.insert(chunk, lease.attempt);
                        let commit = commit(lease.attempt, receipts);
                        writers[writer] = Some(Writer { chunk, commit, heard_at: now });
                    }
                    Err(ApiError::WritersPending { .. }) => {
                        let numbers = 1 + 8 * u16::try_from(chunk).unwrap();
                        let busy = |number| seen.given.contains_key(&number);
                        assert!((numbers..numbers + 8).all(busy), "there was a free number");
                    }
                    Err(_) => assert!(!is_missing, "any missing chunk, at any time"),
                }
            }
            Step::Store { writer, commits } => {
                let Some(Writer { chunk, commit, .. }) = writers[writer].clone() else { continue };
                for repeated in 0..commits {
                    let counts = seen.counted.get(&chunk).copied();
                    let number = commit.receipts[0].number;
                    let decision = s.commit(now, &commit);
                    let rightful = seen.newest[&chunk] == commit.attempt;
                    assert_eq!(decision.answer.is_ok(), rightful, "only the newest attempt commits, and it always can");
                    assert_eq!(decision.change.parts.is_empty(), !rightful || counts.is_some(), "and only once");
                    if rightful {
                        seen.counted.insert(chunk, number);
                    }
                    seen.ended(commit.attempt);
                    let _answer = seen.take(&mut s, decision);
                    assert!(repeated == 0 || counts == seen.counted.get(&chunk).copied());
                }
                if commits > 0 {
                    writers[writer] = None;
                }
            }
            Step::Release { writer } => {
                if let Some(Writer { commit, .. }) = writers[writer].take() {
                    let release = Release { attempt: commit.attempt, reason: ReleaseReason::GaveUp };
                    let decision = s.release(now, release);
                    assert!(decision.change.parts.is_empty());
                    seen.take(&mut s, decision).unwrap();
                    seen.ended(commit.attempt);
                }
            }
            Step::Renew { writer } => {
                if let Some(writer) = &mut writers[writer] {
                    let attempt = writer.commit.attempt;
                    let decision = s.renew(now, Renew { attempt });
                    let is_newest = seen.newest[&writer.chunk] == attempt && !seen.counted.contains_key(&writer.chunk);
                    assert_eq!(decision.answer.is_ok(), is_newest && s.progress.phase == Phase::Open);
                    assert!(decision.change.is_only_in_memory());
                    s.apply(decision.change);
                    seen.heard(attempt, now);
                    writer.heard_at = now;
                }
            }
            Step::Probe => assert!(s.probe(now).change.is_none(), "asking disturbs nobody"),
            Step::Restart => {
                seen.check_restored(&s);
                s.wake(now);
            }
        }
        seen.check(&s, file);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn long_random_histories_of_parallel_chunks(chunks in 1..7_u64, odd in 0..PART, steps in steps()) {
        run(chunks * PART - odd, steps);
    }
}
