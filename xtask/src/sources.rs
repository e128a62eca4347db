//! The source files of this repository, and what of them is code rather than comment.

use std::path::Path;

use anyhow::{Context, Result};

use crate::project::Project;

/// Folders that hold sources written here.
const FOLDERS: [&str; 8] = ["core", "durable-objects", "src", "examples", "xtask", "client", "tests", "probe"];
/// Folders below them that do not.
const SKIPPED: [&str; 4] = ["target", "node_modules", "build", "dist"];

/// One file.
pub(crate) struct Source {
    /// Relative to the root folder, with `/` between its parts.
    pub(crate) path: String,
    /// Its text.
    pub(crate) text: String,
}

impl Source {
    /// The lines that hold code, with their numbers: comments on lines of their own and after code are taken away.
    pub(crate) fn code_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let numbered = self.text.lines().enumerate().map(|(index, line)| (index + 1, without_comment(line)));
        numbered.filter(|(_, line)| !line.trim().is_empty())
    }

    /// Whether this is a test, or helps tests: those may be long.
    pub(crate) fn is_test(&self) -> bool {
        let mut parts = self.path.rsplit('/');
        let file = parts.next().unwrap_or_default();
        file == "tests.rs"
            || file.ends_with("_tests.rs")
            || file.ends_with(".test.ts")
            || parts.any(|part| part == "tests")
    }
}

/// Every Rust and TypeScript file, sorted by path.
pub(crate) fn read_all(project: &Project) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    for folder in FOLDERS {
        let path = project.path(folder);
        if path.is_dir() {
            read_folder(project.root(), &path, &mut sources).with_context(|| format!("reading {}", path.display()))?;
        }
    }
    sources.sort_by(|left, right| left.path.cmp(&right.path));
    Ok(sources)
}

fn read_folder(root: &Path, folder: &Path, sources: &mut Vec<Source>) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if path.is_dir() {
            if !SKIPPED.contains(&name.as_str()) {
                read_folder(root, &path, sources)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "rs" || extension == "ts") {
            let relative = path.strip_prefix(root)?.to_string_lossy().replace('\\', "/");
            sources.push(Source { path: relative, text: std::fs::read_to_string(&path)? });
        }
    }
    Ok(())
}

/// `//` begins a comment at the start of a line and after a space; in a URL it does not.
fn without_comment(line: &str) -> &str {
    if line.trim_start().starts_with("//") {
        return "";
    }
    line.split_once(" //").map_or(line, |(code, _)| code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_no_code() {
        let text = "//! Instant\nlet a = 1; // Instant\n\n    /// Instant\nlet url = \"http://x\";\n".to_owned();
        let source = Source { path: "a.rs".to_owned(), text };
        let lines: Vec<_> = source.code_lines().collect();
        assert_eq!(lines, [(2, "let a = 1;"), (5, "let url = \"http://x\";")]);
    }

    #[test]
    fn tests_are_recognised_by_their_path() {
        for (path, expected) in [
            ("tests/main_job.test.ts", true),
            ("tests/support/worker.ts", true),
            ("core/types/tests/plan.rs", true),
            ("core/session/src/session/tests.rs", true),
            ("core/types/src/plan_tests.rs", true),
            ("core/types/src/contests.rs", false),
            ("xtask/src/test.rs", false),
        ] {
            assert_eq!(Source { path: path.to_owned(), text: String::new() }.is_test(), expected, "{path}");
        }
    }
}
