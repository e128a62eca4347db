//! The rules that keep the house in order, each a function from what it looks at to the violations it found.
//!
//! Arrows point one way (`src` → `durable-objects` → `core`), the core is pure, SQL stays in one file, files stay small. That protocols
//! and sessions do not know each other the compiler sees: neither crate depends on the other. A rule that cannot fail is no rule: each
//! has a test with a bad example.

use crate::sources::Source;

/// Packages that the core must not reach: JavaScript, I/O, clocks, randomness.
const IMPURE_PACKAGES: [&str; 8] =
    ["worker", "worker-sys", "wasm-bindgen", "js-sys", "web-sys", "tokio", "getrandom", "rand"];
/// Modules of the standard library with effects.
const IMPURE_MODULES: [&str; 4] = ["fs", "net", "thread", "env"];
/// Types of time of the standard library and of others, by whatever path they are named: most can look at a clock.
const TIMES: [&str; 6] = ["SystemTime", "Instant", "Duration", "UNIX_EPOCH", "OffsetDateTime", "UtcDateTime"];
/// The one file of the core that may name them: the libraries that write and read dates speak in them.
const DATES: &str = "core/types/src/http_date.rs";
/// What looks at a clock, also there.
const CLOCKS: [&str; 4] = ["::now(", "::now_utc(", ".elapsed(", "Instant"];
const SQL: [&str; 4] = ["SELECT ", "INSERT ", "UPDATE ", "DELETE FROM"];
const MAX_LINES: usize = 400;

/// `tree` is `cargo tree --prefix none` of the core, of its normal dependencies.
pub(crate) fn core_depends_on_nothing_impure(tree: &str) -> Vec<String> {
    let impure = packages(tree).filter(|package| IMPURE_PACKAGES.contains(package));
    impure.map(|package| format!("the core depends on {package}")).collect()
}

/// No clock, no I/O: `now` and fresh ids are parameters.
pub(crate) fn core_has_no_effects(sources: &[Source]) -> Vec<String> {
    let effect = |line: &str| {
        let clock = CLOCKS.into_iter().find(|clock| line.contains(clock)).map(str::to_owned);
        clock.or_else(|| impure_module(line))
    };
    let in_core = |path: &str| path.starts_with("core/") && path.contains("/src/");
    let mut violations = in_lines(sources, in_core, effect);
    let time = |line: &str| {
        let named = words(line).find(|word| TIMES.contains(word)).map(str::to_owned);
        named.filter(|_| effect(line).is_none())
    };
    violations.extend(in_lines(sources, |path| in_core(path) && path != DATES, time));
    violations
}

/// `tree` is `cargo tree --prefix none` of the Durable Objects.
pub(crate) fn objects_do_not_know_the_worker(tree: &str) -> Vec<String> {
    let mut violations = Vec::new();
    if packages(tree).any(|package| package == "quayside") {
        violations.push("durable-objects depends on quayside".to_owned());
    }
    if !packages(tree).any(|package| package == "upload-session") {
        violations.push("durable-objects does not depend on upload-session, where its rules are".to_owned());
    }
    violations
}

/// SQL never enters the Worker, and in the objects it stands in `sql.rs`, in `tables.rs`, in `facts.rs`, which is a table of one row, and in the
/// ledger's `links.rs` and `finished.rs`, each a table that only it knows.
/// Tests are no exception.
pub(crate) fn sql_stays_in_its_place(sources: &[Source]) -> Vec<String> {
    let outside = |path: &str| {
        let places = ["/sql.rs", "/tables.rs", "/facts.rs", "/ledger/links.rs", "/ledger/finished.rs"];
        let in_place = places.iter().any(|end| path.ends_with(end));
        path.starts_with("src/") || (path.starts_with("durable-objects/") && !in_place)
    };
    mentions(sources, outside, &SQL)
}

/// One idea each.
pub(crate) fn files_are_small(sources: &[Source]) -> Vec<String> {
    let long = sources.iter().filter(|source| !source.is_test()).map(|source| (source, source.text.lines().count()));
    long.filter(|(_, lines)| *lines > MAX_LINES)
        .map(|(source, lines)| format!("{} has {lines} lines, more than {MAX_LINES}", source.path))
        .collect()
}

/// The package names of a `cargo tree --prefix none`: the first word of each line.
fn packages(tree: &str) -> impl Iterator<Item = &str> {
    tree.lines().filter_map(|line| line.split_whitespace().next())
}

fn mentions(sources: &[Source], applies: impl Fn(&str) -> bool, words: &[&str]) -> Vec<String> {
    in_lines(sources, applies, |line| words.iter().find(|word| line.contains(*word)).map(|word| word.trim().to_owned()))
}

/// Every line of code, in the files that a rule applies to, in which `finds` finds something to name.
fn in_lines(sources: &[Source], applies: impl Fn(&str) -> bool, finds: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let mut violations = Vec::new();
    for source in sources.iter().filter(|source| applies(&source.path)) {
        for (number, line) in source.code_lines() {
            violations.extend(finds(line).map(|found| format!("{}:{number} names {found}", source.path)));
        }
    }
    violations
}

/// `std::time`, and the same inside a group on one line: `use std::{fmt, time::Duration};`.
fn impure_module(line: &str) -> Option<String> {
    let (_, after) = line.split_once("std::")?;
    let modules = after.strip_prefix('{').map_or_else(|| vec![after], |group| group.split(',').collect());
    let named = modules.into_iter().map(|module| first_word(module.trim_start()));
    let found = named.into_iter().find(|module| IMPURE_MODULES.contains(module)).map(|module| format!("std::{module}"));
    found.or_else(|| impure_module(after))
}

fn first_word(text: &str) -> &str {
    words(text).next().unwrap_or_default()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|character: char| !is_word(character))
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, text: &str) -> Vec<Source> {
        vec![Source { path: path.to_owned(), text: text.to_owned() }]
    }

    #[test]
    fn an_impure_dependency_of_the_core_is_found() {
        assert_eq!(
            core_depends_on_nothing_impure(
                "upload-session v0.1.0 (/q/core/session)\nserde v1.0.0\njs-sys v0.3.1 (*)\n"
            ),
            ["the core depends on js-sys"]
        );
        assert!(core_depends_on_nothing_impure("upload-session v0.1.0\nrandom_access v1.0.0\n").is_empty());
    }

    #[test]
    fn an_effect_in_the_core_is_found() {
        for bad in [
            "use std::{fmt, time::Instant};",
            "use std::fmt; use std::fs;",
            "use std::{fmt, net::IpAddr};",
            "let now = SystemTime::now();",
            "let took = started.elapsed();",
            "std::thread::spawn(f);",
            "use std::time::Duration;",
            "fn at(now: SystemTime) {}",
            "let date = time::OffsetDateTime::from_unix_timestamp(seconds);",
        ] {
            assert_eq!(core_has_no_effects(&source("core/types/src/plan.rs", bad)).len(), 1, "{bad}");
        }
        for good in
            ["use std::fmt;", "// std::fs", "fn in_time(duration: u64) {}", "use std::collections::BTreeMap as fs;"]
        {
            assert!(core_has_no_effects(&source("core/types/src/plan.rs", good)).is_empty(), "{good}");
        }
        assert!(core_has_no_effects(&source(DATES, "use std::time::{Duration, SystemTime};")).is_empty());
        for bad in ["SystemTime::now()", "time::OffsetDateTime::now_utc()", "use std::time::Instant;"] {
            assert_eq!(core_has_no_effects(&source(DATES, bad)).len(), 1, "{bad}");
        }
        assert!(core_has_no_effects(&source("xtask/src/dev.rs", "use std::time::Instant;")).is_empty());
    }

    #[test]
    fn an_arrow_from_the_objects_to_the_worker_is_found() {
        let good = "durable-objects v0.1.0 (/q/durable-objects)\nupload-session v0.1.0 (/q/core/session)\n";
        assert!(objects_do_not_know_the_worker(good).is_empty());
        assert_eq!(objects_do_not_know_the_worker(&format!("{good}quayside v0.1.0 (/q)\n")).len(), 1);
        assert_eq!(objects_do_not_know_the_worker("durable-objects v0.1.0\n").len(), 1);
    }

    #[test]
    fn sql_out_of_place_is_found() {
        let sql = "db.exec(\"SELECT 1\");";
        for bad in [
            "src/uploads.rs",
            "durable-objects/src/rpc.rs",
            "durable-objects/src/ledger/book/finished.rs",
            "durable-objects/src/ledger/book_tests.rs",
            "durable-objects/src/ledger/book/tests/mod.rs",
        ] {
            assert_eq!(sql_stays_in_its_place(&source(bad, sql)).len(), 1, "{bad}");
        }
        for good in [
            "durable-objects/src/sql.rs",
            "durable-objects/src/ledger/tables.rs",
            "durable-objects/src/ledger/book/tests/sql.rs",
            "examples/origin/src/store.rs",
        ] {
            assert!(sql_stays_in_its_place(&source(good, sql)).is_empty(), "{good}");
        }
        assert!(sql_stays_in_its_place(&source("src/uploads.rs", "// SELECT nothing")).is_empty());
    }

    #[test]
    fn a_long_file_is_found() {
        let long = "x\n".repeat(MAX_LINES + 1);
        assert_eq!(files_are_small(&source("src/front.rs", &long)).len(), 1);
        assert!(files_are_small(&source("tests/front.test.ts", &long)).is_empty());
        assert!(files_are_small(&source("src/front.rs", &"x\n".repeat(MAX_LINES))).is_empty());
    }
}
