//! One target: first the corpus as it is, then what is made of it, until its share of the time is over.

use std::{
    env, fs,
    panic::catch_unwind,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};
use sha2::{Digest, Sha256};

use crate::{TARGETS, mutate};

/// How long all targets take together, in seconds of one processor.
const SECONDS: &str = "QUAYSIDE_FUZZ_SECONDS";
const DEFAULT_SECONDS: u64 = 5;

/// Between two looks at the clock.
const CASES: u32 = 200;

/// Where the inputs are.
pub(crate) fn corpus() -> PathBuf {
    // Where the test is run, which may be a copy of where it was compiled.
    PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join("tests/fuzz/corpus")
}

/// Runs a target. An input that breaks it is made as small as it gets and put into the corpus, to be committed with whatever
/// mends it.
pub(crate) fn run(name: &str, target: fn(&[u8])) {
    let folder = corpus().join(name);
    let inputs = read(&folder);
    for (path, input) in &inputs {
        assert!(catch_unwind(|| target(input)).is_ok(), "{} breaks {name}", path.display());
    }
    let inputs: Vec<_> = inputs.into_iter().map(|(_, input)| input).collect();
    let seconds = env::var(SECONDS).ok().map_or(DEFAULT_SECONDS, |text| text.parse().unwrap());
    let share = Duration::from_secs(seconds) / u32::try_from(TARGETS.len()).unwrap();
    let (started, mut cases) = (Instant::now(), 0);
    while started.elapsed() < share {
        let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
        let ran = TestRunner::new(config).run(&mutate::of(&inputs), |input| {
            catch_unwind(|| target(&input)).map_err(|_| TestCaseError::fail("it panicked"))
        });
        cases += CASES;
        if let Err(TestError::Fail(_, smallest)) = ran {
            let found = folder.join(format!("found-{}", hex::encode(&Sha256::digest(&smallest)[..4])));
            fs::write(&found, &smallest).unwrap();
            panic!("{} breaks {name}: {:?}", found.display(), String::from_utf8_lossy(&smallest));
        }
    }
    println!("{name}: {cases} inputs from {} in {:.1?}", inputs.len(), started.elapsed());
}

fn read(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut paths: Vec<_> = fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "{} is empty", folder.display());
    paths.into_iter().map(|path| (path.clone(), fs::read(&path).unwrap())).collect()
}
