//! docs/reference/configuration.md names every setting with its default, every secret and every binding, and no others.
//!
//! It is compared with what the Worker reads, its defaults, and the bindings and secrets of wrangler.toml. A row is a line like
//! `` | `NAME` | default | … `` below a heading; the headings "Secrets" and "Bindings" say what is below them, any other has settings.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::project::Project;
use crate::settings_read::{READERS, names_read, secrets_named};

const PAGE: &str = "docs/reference/configuration.md";
/// Pairs of a name and a value, each in quotes.
const DEFAULTS: &str = "src/defaults.rs";
/// How an empty default is written.
const EMPTY: &str = "empty";
const SECRETS: &str = "Secrets";
const BINDINGS: &str = "Bindings";
/// What may be bound, and wrangler.toml does not bind.
const OPTIONAL: [&str; 3] = ["ORIGIN", "ACCEPT", "RECEIVERS"];
/// The lists of bindings in wrangler.toml, and what names one.
const LISTS: [(&[&str], &str); 5] = [
    (&["r2_buckets"], "binding"),
    (&["durable_objects", "bindings"], "name"),
    (&["queues", "producers"], "binding"),
    (&["analytics_engine_datasets"], "binding"),
    (&["ratelimits"], "name"),
];

/// What the page says of a kind of names: each with the cell behind it.
pub(crate) type Rows = BTreeMap<String, String>;

/// What is missing from the page, or wrong on it.
pub(crate) fn differences(project: &Project) -> Result<Vec<String>> {
    let read = |path: &str| std::fs::read_to_string(project.path(path)).with_context(|| format!("reading {path}"));
    let toml = read("wrangler.toml")?;
    let mut names = BTreeSet::new();
    for reader in READERS {
        names.extend(names_read(&read(reader)?));
    }
    compared(&read(PAGE)?, &toml, &read(DEFAULTS)?, &names)
}

fn compared(page: &str, toml: &str, defaults: &str, read: &BTreeSet<String>) -> Result<Vec<String>> {
    let all: Value = toml::from_str(toml).context("wrangler.toml cannot be read")?;
    let vars = pairs(defaults);
    let bindings: BTreeSet<String> =
        LISTS.iter().flat_map(|(path, key)| bound(&all, path, key)).chain(OPTIONAL.map(str::to_owned)).collect();
    let (settings, secrets, documented) = (rows(page, None), rows(page, Some(SECRETS)), rows(page, Some(BINDINGS)));
    let mut complaints = differ("setting", &settings, &vars.keys().cloned().collect());
    complaints.extend(differ("secret", &secrets, &secrets_named(toml)));
    complaints.extend(differ("binding", &documented, &bindings));
    let unknown = read.iter().filter(|name| !settings.contains_key(*name) && !secrets.contains_key(*name));
    complaints.extend(unknown.map(|name| format!("{PAGE} lacks {name}, which the Worker reads")));
    for (name, default) in &vars {
        if let Some(said) = settings.get(name).filter(|said| *said != default) {
            complaints.push(format!("{PAGE}: the default of {name} is {default:?}, not {said:?}"));
        }
    }
    Ok(complaints)
}

/// `("NAME", "value"),`, a line each.
pub(crate) fn pairs(source: &str) -> Rows {
    let lines = source.lines().filter(|line| line.trim_start().starts_with("(\""));
    let pair = |line: &str| {
        let mut quoted = line.split('"').skip(1).step_by(2);
        Some((quoted.next()?.to_owned(), quoted.next()?.to_owned()))
    };
    lines.filter_map(pair).collect()
}

fn bound(all: &Value, path: &[&str], key: &str) -> Vec<String> {
    let list = path.iter().fold(all, |value, step| &value[*step]);
    list.as_array().into_iter().flatten().filter_map(|entry| entry[key].as_str()).map(str::to_owned).collect()
}

fn differ(what: &str, rows: &Rows, expected: &BTreeSet<String>) -> Vec<String> {
    let documented: BTreeSet<String> = rows.keys().cloned().collect();
    let missing = expected.difference(&documented).map(|name| format!("{PAGE} lacks the {what} {name}"));
    missing.chain(documented.difference(expected).map(|name| format!("{PAGE}: there is no {what} {name}"))).collect()
}

/// The names in the first cells below a heading; below none of the two that are special, where that is not said. One cell may hold several.
fn rows(page: &str, heading: Option<&str>) -> Rows {
    let sections = page.split("\n## ").skip(1);
    let wanted = sections.filter(|section| {
        let title = section.lines().next().unwrap_or_default();
        heading.map_or(![SECRETS, BINDINGS].contains(&title), |heading| heading == title)
    });
    let lines = wanted.flat_map(str::lines).filter(|line| line.starts_with("| `"));
    lines
        .flat_map(|line| {
            let mut cells = line.split('|').skip(1).map(str::trim);
            let (names, value) = (cells.next().unwrap_or_default(), cells.next().unwrap_or_default().trim_matches('`'));
            let value = if value == EMPTY { "" } else { value };
            names.split('`').skip(1).step_by(2).map(|name| (name.to_owned(), value.to_owned())).collect::<Vec<_>>()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOML: &str = "[[r2_buckets]]\nbinding = \"BUCKET\"\n# Secrets (x):\n# A_KEY  signs\n";
    const DEFAULTS: &str = "const D: [] = [\n    (\"A_URL\", \"\"),\n    (\"B_BYTES\", \"5\"),\n];\n";

    fn page(settings: &str) -> String {
        format!(
            "# C\n\n## Sizes\n\n{settings}\n## Secrets\n\n| `A_KEY` | x |\n\n## Bindings\n\n| `BUCKET` | x |\n| `ORIGIN`, `ACCEPT`, `RECEIVERS` | x |\n"
        )
    }

    fn complaints(settings: &str) -> Vec<String> {
        let read = ["A_URL", "B_BYTES", "A_KEY"].map(str::to_owned).into();
        compared(&page(settings), TOML, DEFAULTS, &read).unwrap()
    }

    #[test]
    fn a_page_that_has_everything_is_right() {
        assert_eq!(complaints("| `A_URL` | empty | x |\n| `B_BYTES` | `5` | bytes |\n"), Vec::<String>::new());
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        let found = complaints("| `A_URL` | `x` | |\n| `C_URL` | empty | |\n");
        for part in
            ["lacks the setting B_BYTES", "no setting C_URL", "default of A_URL is \"\"", "lacks B_BYTES, which"]
        {
            assert!(found.iter().any(|complaint| complaint.contains(part)), "{part}: {found:?}");
        }
        let without_bindings = page("").replace("BUCKET", "PAIL");
        let found = compared(&without_bindings, TOML, DEFAULTS, &BTreeSet::new()).unwrap();
        assert!(found.iter().any(|complaint| complaint.contains("lacks the binding BUCKET")), "{found:?}");
    }
}
