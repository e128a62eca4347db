//! Long random histories of a parallel upload: four writers at whatever chunks they like, several at one, that die,
//! repeat themselves and come back from the dead.

use std::collections::{BTreeMap, BTreeSet};

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
    Probe,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let writer = 0..4_usize;
    let step = prop_oneof![
        4 => (writer.clone(), 0..7_u64).prop_map(|(writer, chunk)| Step::Begin { writer, chunk }),
        6 => (writer.clone(), 0..3_u8).prop_map(|(writer, commits)| Step::Store { writer, commits }),
        1 => writer.prop_map(|writer| Step::Release { writer }),
        1 => Just(Step::Probe),
    ];
    prop::collection::vec(step, 0..200)
}

/// What a bystander has seen.
#[derive(Default)]
struct Seen {
    /// Every number that was granted.
    numbers: BTreeSet<u16>,
    /// How often each chunk was granted, and the number of the last grant.
    chunks: BTreeMap<u64, (u16, u16)>,
    /// The number that counts for each chunk.
    counted: BTreeMap<u64, u16>,
}

impl Seen {
    /// What is counted is what the session says, in every way it says it, and a restart would find the same.
    fn check(&self, s: &Session, file: u64) {
        let length = |chunk: u64| PART.min(file - chunk * PART);
        let counted: u64 = self.counted.keys().map(|chunk| length(*chunk)).sum();
        let missing: u64 = s.snapshot().missing.iter().map(|(from, to)| to.get() - from.get()).sum();
        assert_eq!((s.uploaded_bytes().get(), missing), (counted, file - counted));
        let gap = (0..file.div_ceil(PART)).find(|chunk| !self.counted.contains_key(chunk));
        assert_eq!(s.snapshot().offset.get(), gap.map_or(file, |chunk| chunk * PART));
        assert!(self.counted.values().is_sorted(), "numbers lie in the order of the chunks");
        let tries = self.chunks.iter().map(|(chunk, (tries, _))| (u32::try_from(*chunk).unwrap(), *tries));
        let restored = Lanes::restore(s.plan(), tries, self.counted.values().map(|number| (*number, NOW)));
        assert_eq!(s.content, Content::Lanes(restored));
        assert_eq!(s.progress.phase == Phase::Completing, counted == file);
    }
}

fn run(file: u64, steps: Vec<Step>) {
    let mut s = Session::create(birth(Mode::Parallel, file)).unwrap();
    let mut seen = Seen::default();
    let mut writers: [Option<(u64, Commit)>; 4] = Default::default();
    for step in steps {
        match step {
            Step::Begin { writer, chunk } => {
                let chunk = chunk % file.div_ceil(PART);
                let length = PART.min(file - chunk * PART);
                let is_missing = !seen.counted.contains_key(&chunk);
                let Ok(grant) = start(&mut s, chunk * PART, length) else {
                    assert!(!is_missing, "any missing chunk, at any time");
                    continue;
                };
                assert!(is_missing && seen.numbers.insert(grant.first_number), "a number was granted twice");
                let (tries, newest) = seen.chunks.entry(chunk).or_default();
                (*tries, *newest) = (*tries + 1, grant.first_number);
                writers[writer] = Some((chunk, commit(grant.attempt, vec![receipt(grant.first_number, length)])));
            }
            Step::Store { writer, commits } => {
                let Some((chunk, commit)) = writers[writer].clone() else { continue };
                for repeated in 0..commits {
                    let newest = seen.chunks[&chunk].1;
                    let counts = seen.counted.get(&chunk).copied();
                    let number = commit.receipts[0].number;
                    let decision = s.commit(NOW, &commit);
                    let rightful = counts.map_or(newest == number, |counted| counted == number);
                    assert_eq!(decision.answer.is_ok(), rightful, "only the newest try commits, and it always can");
                    assert_eq!(decision.change.is_none(), !rightful || counts.is_some(), "and only once");
                    if rightful {
                        seen.counted.insert(chunk, number);
                    }
                    let _answer = take(&mut s, decision);
                    assert!(repeated == 0 || counts == seen.counted.get(&chunk).copied());
                }
                if commits > 0 {
                    writers[writer] = None;
                }
            }
            Step::Release { writer } => {
                if let Some((_, commit)) = writers[writer].take() {
                    let release = Release { attempt: commit.attempt, reason: ReleaseReason::GaveUp };
                    assert!(s.release(NOW, release).change.is_none());
                }
            }
            Step::Probe => assert!(s.probe(NOW).change.is_none(), "asking disturbs nobody"),
        }
        seen.check(&s, file);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn long_random_histories_of_lanes(chunks in 1..7_u64, odd in 0..PART, steps in steps()) {
        run(chunks * PART - odd, steps);
    }
}
