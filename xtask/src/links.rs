//! Links in the documentation: each relative one leads to a file that is here and to a heading that is in it, every page below `docs/` is
//! listed in `docs/README.md`, files that prose names, like `src/config.rs`, are there, and nothing of a merge is left.
//!
//! What is in code is no link. Addresses on the web are not asked for: a check must give the same answer without a network.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};

/// Folders with no pages of ours.
const SKIPPED: [&str; 6] = ["node_modules", "target", "build", "build-faults", "build-page", "dist"];
/// The list of all pages, and below it whose parts are listed as a folder.
const INDEX: &str = "docs/README.md";
const LISTED_AS_FOLDER: &str = "docs/internals/decisions/";

/// What a path that prose names begins with. Other words with a slash in them are none of ours.
const TOP_FOLDERS: [&str; 9] =
    ["src", "core", "durable-objects", "client", "tests", "examples", "deploy", "xtask", "docs"];
/// What tells of files that are gone.
const HISTORY: [&str; 2] = ["CHANGELOG.md", LISTED_AS_FOLDER];

/// A page: its path, relative to the root with `/` between its parts, and its text.
type Page = (String, String);

/// What is wrong with the links of all pages.
pub(crate) fn broken(root: &Path) -> Result<Vec<String>> {
    let mut pages = Vec::new();
    read_folder(root, root, &mut pages)?;
    pages.sort();
    let exists = |path: &str| root.join(path).exists();
    let mut complaints = dead_ends(&pages, exists);
    complaints.extend(unlisted(&pages));
    complaints.extend(gone(&pages, exists));
    complaints.extend(unmerged(&pages));
    Ok(complaints)
}

/// What git puts where it could not merge.
fn unmerged(pages: &[Page]) -> Vec<String> {
    let is_mark = |line: &str| ["<<<<<<< ", ">>>>>>> "].iter().any(|mark| line.starts_with(mark));
    let left = pages.iter().filter(|(_, text)| text.lines().any(is_mark));
    left.map(|(path, _)| format!("{path}: not merged")).collect()
}

fn read_folder(root: &Path, folder: &Path, pages: &mut Vec<Page>) -> Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            let is_hidden = name.starts_with('.') && name != ".github";
            if !is_hidden && !SKIPPED.contains(&name.as_str()) {
                read_folder(root, &path, pages)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "md") {
            let relative = path.strip_prefix(root)?.to_string_lossy().replace('\\', "/");
            pages.push((relative, std::fs::read_to_string(&path)?));
        }
    }
    Ok(())
}

/// Links to nothing. `exists` says of a path below the root whether anything is there.
fn dead_ends(pages: &[Page], exists: impl Fn(&str) -> bool) -> Vec<String> {
    let mut complaints = Vec::new();
    for (path, text) in pages {
        for link in links(text).filter(|link| !is_elsewhere(link)) {
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { path.clone() } else { resolved(path, file) };
            if !exists(&target) {
                complaints.push(format!("{path}: {link} leads to nothing"));
                continue;
            }
            let found = pages.iter().find(|(path, _)| *path == target);
            if !heading.is_empty() && found.is_some_and(|(_, text)| !headings(text).contains(heading)) {
                complaints.push(format!("{path}: {link} has no such heading"));
            }
        }
    }
    complaints
}

/// Pages below `docs/` that the index does not lead to.
fn unlisted(pages: &[Page]) -> Vec<String> {
    let index = pages.iter().find(|(path, _)| path == INDEX).map(|(_, text)| text.as_str()).unwrap_or_default();
    let listed: BTreeSet<String> = links(index).map(|link| resolved(INDEX, link)).collect();
    let below = pages.iter().map(|(path, _)| path).filter(|path| {
        path.starts_with("docs/") && *path != INDEX && !path.starts_with(LISTED_AS_FOLDER) && !listed.contains(*path)
    });
    below.map(|path| format!("{path} is not listed in {INDEX}")).collect()
}

/// Files that are named and are not there.
fn gone(pages: &[Page], exists: impl Fn(&str) -> bool) -> Vec<String> {
    let current = pages.iter().filter(|(path, _)| !HISTORY.iter().any(|history| path.starts_with(history)));
    let named = current.flat_map(|(path, text)| code_words(text).map(move |word| (path, word)));
    // From the root, or from where the page is.
    let is_there = |page: &str, word: &str| exists(word) || exists(&resolved(page, word));
    let missing = named.filter(|(path, word)| is_path(word) && !is_there(path, word));
    missing.map(|(path, word)| format!("{path}: {word} is not there")).collect()
}

fn is_path(word: &str) -> bool {
    let is_ours = word.split_once('/').is_some_and(|(top, rest)| TOP_FOLDERS.contains(&top) && !rest.is_empty());
    is_ours && word.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c))
}

/// What stands between backticks outside of code blocks.
fn code_words(text: &str) -> impl Iterator<Item = &str> {
    prose(text).flat_map(|line| line.split('`').skip(1).step_by(2))
}

fn is_elsewhere(link: &str) -> bool {
    ["https://", "http://", "mailto:"].iter().any(|scheme| link.starts_with(scheme))
}

/// The targets of all links outside of code.
fn links(text: &str) -> impl Iterator<Item = &str> {
    prose(text).flat_map(|line| {
        // Code between backticks is every second piece.
        line.split('`').step_by(2).flat_map(|piece| piece.split("](").skip(1)).filter_map(|rest| rest.split(')').next())
    })
}

/// The lines outside of code blocks.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut in_code = false;
    text.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        in_code ^= is_fence;
        !is_fence && !in_code
    })
}

/// The fragments by which a page's headings are linked to, as GitHub makes them.
fn headings(text: &str) -> BTreeSet<String> {
    let titles = prose(text).filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let slug = |title: &str| -> String {
        let kept = title.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect::<String>().to_lowercase()
    };
    titles.map(slug).collect()
}

/// Where a link of a page leads, relative to the root.
fn resolved(page: &str, link: &str) -> String {
    let mut path = PathBuf::from(page);
    path.pop();
    for part in Path::new(link.split('#').next().unwrap_or_default()).components() {
        match part {
            Component::ParentDir => drop(path.pop()),
            Component::Normal(name) => path.push(name),
            _ => {}
        }
    }
    path.to_string_lossy().replace('\\', "/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pages(pages: &[(&str, &str)]) -> Vec<Page> {
        pages.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn links_that_lead_nowhere_are_found() {
        let written = "[a](docs/b.md) [gone](docs/c.md) [up](../x.md#y) [web](https://example.com/gone)\n\
                       [here](#two-words) [not here](#three) [no heading](docs/b.md#gone)\n## Two *words*\n";
        let pages = pages(&[("README.md", written), ("docs/b.md", "# B\n[r](../README.md#two-words)")]);
        let found = dead_ends(&pages, |path| ["README.md", "docs/b.md"].contains(&path));
        let expected = ["docs/c.md leads to nothing", "../x.md#y leads to nothing", "#three", "docs/b.md#gone has no"];
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (complaint, part) in found.iter().zip(expected) {
            assert!(complaint.starts_with("README.md: ") && complaint.contains(part), "{complaint}");
        }
    }

    #[test]
    fn code_is_no_link() {
        let text = "`[a](b)` [c](d)\n```md\n[e](f)\n# no heading\n```\n# A heading\n[g](h#i)";
        assert_eq!(links(text).collect::<Vec<_>>(), ["d", "h#i"]);
        assert_eq!(headings(text), ["a-heading".to_owned()].into());
    }

    #[test]
    fn files_that_are_gone_are_named() {
        let text = "`src/a.rs` `src/b.rs` `src/e.rs` `text/plain` `core/x {y}`\n```\n`src/c.rs`\n```\n";
        let written = pages(&[("docs/a.md", text), ("CHANGELOG.md", "`src/d.rs`")]);
        assert_eq!(
            gone(&written, |path| ["src/a.rs", "docs/src/e.rs"].contains(&path)),
            ["docs/a.md: src/b.rs is not there"]
        );
    }

    #[test]
    fn a_page_that_nobody_would_find_is_named() {
        let index = "[a](guides/a.md#x) [all](internals/decisions)";
        let pages = pages(&[
            (INDEX, index),
            ("docs/guides/a.md", ""),
            ("docs/guides/b.md", ""),
            ("docs/internals/decisions/0001-a.md", ""),
            ("client/README.md", ""),
        ]);
        assert_eq!(unlisted(&pages), ["docs/guides/b.md is not listed in docs/README.md"]);
    }
}
