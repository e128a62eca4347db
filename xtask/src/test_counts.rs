//! Counting what passed, what failed and what was skipped, and reading such counts from the output of cargo and of Node.

use std::ops::AddAssign;

/// So many of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TestCounts {
    /// Passed.
    pub(crate) passed: u64,
    /// Failed, or could not even be run.
    pub(crate) failed: u64,
    /// Could not be run here, for a reason that was said.
    pub(crate) skipped: u64,
}

impl TestCounts {
    /// One thing that either passed or failed.
    pub(crate) fn one(passed: bool) -> Self {
        Self { passed: u64::from(passed), failed: u64::from(!passed), skipped: 0 }
    }

    /// The sum over every `test result:` line of `cargo test`.
    pub(crate) fn of_cargo_test(output: &str) -> Self {
        let mut sum = Self::default();
        for line in output.lines().filter(|line| line.starts_with("test result:")) {
            let count = |label| number_before(line, label).unwrap_or(0);
            sum += Self { passed: count("passed"), failed: count("failed"), skipped: 0 };
        }
        sum
    }

    /// The summary at the end of a TAP report by `node --test`; `None` when there is none.
    pub(crate) fn of_node_tap(report: &str) -> Option<Self> {
        let count = |label: &str| {
            let line = report.lines().rev().find_map(|line| line.strip_prefix("# ")?.strip_prefix(label))?;
            line.trim().parse::<u64>().ok()
        };
        let failed = count("fail ")? + count("cancelled ")?;
        Some(Self { passed: count("pass ")?, failed, skipped: count("skipped ")? })
    }

    /// The tests of a TAP report whose names begin with `called` and a colon.
    pub(crate) fn of_tests_called(report: &str, called: &str) -> Self {
        let mut sum = Self::default();
        for line in report.lines() {
            let (passed, rest) = match line.strip_prefix("not ok ") {
                Some(rest) => (false, rest),
                None => (true, line.strip_prefix("ok ").unwrap_or_default()),
            };
            let is_called = rest
                .split_once(" - ")
                .and_then(|(_, name)| name.strip_prefix(called))
                .is_some_and(|rest| rest.starts_with(": "));
            if is_called {
                let is_skipped = line.contains(" # SKIP");
                sum += if is_skipped { Self { skipped: 1, ..Self::default() } } else { Self::one(passed) };
            }
        }
        sum
    }

    /// This one, with one failure more when a stage says it failed although it counted no failure.
    pub(crate) fn or_failed(self, succeeded: bool) -> Self {
        let failed = if succeeded { self.failed } else { self.failed.max(1) };
        Self { failed, ..self }
    }
}

impl AddAssign for TestCounts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl std::fmt::Display for TestCounts {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} passed, {} failed", self.passed, self.failed)?;
        if self.skipped == 0 { Ok(()) } else { write!(formatter, ", {} skipped", self.skipped) }
    }
}

fn number_before(line: &str, label: &str) -> Option<u64> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let at = words.iter().position(|word| word.trim_end_matches(';') == label)?;
    words.get(at.checked_sub(1)?)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_counted_by_what_they_are_called() {
        let report = "ok 1 - Firefox: it goes up\nnot ok 2 - Firefox: it goes on\nok 3 - Firefoxes\n\
            ok 4 - WebKit: it goes up # SKIP no WebKit\nok 5 - it goes up\n";
        assert_eq!(TestCounts::of_tests_called(report, "Firefox"), TestCounts { passed: 1, failed: 1, skipped: 0 });
        assert_eq!(TestCounts::of_tests_called(report, "WebKit"), TestCounts { passed: 0, failed: 0, skipped: 1 });
    }

    #[test]
    fn cargo_counts_are_summed() {
        let output = "running 2 tests\n\
            test a ... ok\n\
            test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s\n\
            test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s\n";
        assert_eq!(TestCounts::of_cargo_test(output), TestCounts { passed: 15, failed: 2, skipped: 0 });
        assert_eq!(TestCounts::of_cargo_test("error: could not compile"), TestCounts::default());
    }

    #[test]
    fn node_counts_come_from_the_last_summary() {
        let report = "TAP version 13\n    # pass 99\nok 1 - a\n1..1\n# tests 5\n# suites 1\n# pass 3\n# fail 1\n# cancelled 1\n# skipped 4\n# todo 0\n";
        assert_eq!(TestCounts::of_node_tap(report), Some(TestCounts { passed: 3, failed: 2, skipped: 4 }));
        assert_eq!(TestCounts::of_node_tap("TAP version 13\n"), None);
    }

    #[test]
    fn a_failed_stage_without_failures_counts_as_one() {
        let counted = |failed| TestCounts { passed: 3, failed, skipped: 0 };
        assert_eq!(counted(0).or_failed(false), counted(1));
        assert_eq!(counted(2).or_failed(false), counted(2));
        assert_eq!(counted(0).or_failed(true), counted(0));
    }

    #[test]
    fn what_was_skipped_is_said() {
        let counted = TestCounts { passed: 3, failed: 0, skipped: 2 };
        assert_eq!(counted.to_string(), "3 passed, 0 failed, 2 skipped");
        assert_eq!(TestCounts { skipped: 0, ..counted }.to_string(), "3 passed, 0 failed");
    }
}
