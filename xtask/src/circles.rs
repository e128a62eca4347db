//! No circle of imports: in each package, the files can be read in an order in which every file needs only those before it. What a
//! file needs is what it imports from its own package. A parent's `mod` lines are no imports.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::sources::Source;

/// A module, by the names on the way to it from its package's root.
type Module = Vec<String>;

/// The packages' folders.
const FOLDERS: [&str; 9] = [
    "src/",
    "cli/src/",
    "durable-objects/src/",
    "core/access/src/",
    "core/protocols/src/",
    "core/s3/src/",
    "core/session/src/",
    "core/types/src/",
    "xtask/src/",
];

/// The circles in all of them.
pub(crate) fn in_any_package(sources: &[Source]) -> Vec<String> {
    FOLDERS.into_iter().flat_map(|folder| in_package(folder, sources)).collect()
}

/// The circles in the package whose sources are below `folder` (which ends with `/`), each as the files it goes through.
fn in_package(folder: &str, sources: &[Source]) -> Vec<String> {
    let files: BTreeMap<Module, &Source> = sources
        .iter()
        .filter(|source| !source.is_test() && Path::new(&source.path).extension() == Some("rs".as_ref()))
        .filter_map(|source| Some((module_of(source.path.strip_prefix(folder)?), source)))
        .collect();
    let needs: BTreeMap<&Module, BTreeSet<&Module>> = files
        .iter()
        .map(|(module, source)| {
            let paths = imports(&code(source), module);
            let needed = paths.iter().filter_map(|path| longest_prefix(&files, path)).filter(|other| *other != module);
            (module, needed.collect())
        })
        .collect();
    let mut seen = BTreeSet::new();
    let mut circles = Vec::new();
    for module in files.keys() {
        let circle: BTreeSet<&Module> =
            reached(&needs, module).into_iter().filter(|other| reached(&needs, other).contains(module)).collect();
        if !circle.is_empty() && seen.insert(circle.clone()) {
            let files: Vec<_> = circle.iter().map(|module| files[*module].path.as_str()).collect();
            circles.push(format!("a circle of imports: {}", files.join(", ")));
        }
    }
    circles
}

/// Where one can get from a module by at least one import.
fn reached<'a>(needs: &BTreeMap<&'a Module, BTreeSet<&'a Module>>, from: &Module) -> BTreeSet<&'a Module> {
    let mut found: BTreeSet<&Module> = BTreeSet::new();
    let mut next: Vec<&Module> = needs[from].iter().copied().collect();
    while let Some(module) = next.pop() {
        if found.insert(module) {
            next.extend(&needs[module]);
        }
    }
    found
}

fn module_of(path: &str) -> Module {
    let path = path.trim_end_matches(".rs");
    let path = path.strip_suffix("/mod").unwrap_or(path);
    if path == "lib" || path == "main" { Vec::new() } else { path.split('/').map(str::to_owned).collect() }
}

/// The code of a file up to its tests, in one line.
fn code(source: &Source) -> String {
    let lines: Vec<&str> = source.code_lines().map(|(_, line)| line.trim()).collect();
    let all = lines.join(" ");
    all.split("#[cfg(test)] mod tests {").next().unwrap_or_default().to_owned()
}

/// The paths that a module names in its own package, each from the package's root.
fn imports(code: &str, here: &Module) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    for start in ["crate::", "super::"] {
        for (at, _) in code.match_indices(start) {
            let is_whole =
                !code[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_' || before == ':');
            if is_whole {
                paths.extend(leaves(&code[at..]));
            }
        }
    }
    paths.into_iter().filter_map(|path| absolute(&path, here)).collect()
}

/// `a::{b, c::d}` as `a::b` and `a::c::d`, as far as the text goes on like a path.
fn leaves(text: &str) -> Vec<Vec<String>> {
    let (mut stack, mut path, mut name): (Vec<Vec<String>>, Vec<String>, String) =
        (Vec::new(), Vec::new(), String::new());
    let mut all = Vec::new();
    let mut end = |path: &[String], name: &mut String| {
        if !name.is_empty() {
            all.push([path, &[std::mem::take(name)]].concat());
        }
    };
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            _ if character.is_alphanumeric() || character == '_' => name.push(character),
            ':' if characters.peek() == Some(&':') => {
                characters.next();
                path.push(std::mem::take(&mut name));
            }
            '{' if name.is_empty() => stack.push(path.clone()),
            ',' if !stack.is_empty() => {
                end(&path, &mut name);
                path = stack.last().cloned().unwrap_or_default();
            }
            '}' if !stack.is_empty() => {
                end(&path, &mut name);
                stack.pop();
                path = stack.last().cloned().unwrap_or_default();
                if stack.is_empty() {
                    break;
                }
            }
            ' ' if !stack.is_empty() && name.is_empty() => {}
            // `as another`: the name it has here does not matter.
            ' ' if !stack.is_empty() => {
                end(&path, &mut name);
                while characters.next_if(|next| !matches!(next, ',' | '}')).is_some() {}
            }
            _ => break,
        }
    }
    end(&path, &mut name);
    all
}

fn absolute(path: &[String], here: &Module) -> Option<Vec<String>> {
    let ups = path.iter().take_while(|name| *name == "super").count();
    match path.first()?.as_str() {
        "crate" => Some(path[1..].to_vec()),
        _ => Some([here.get(..here.len().checked_sub(ups)?)?, &path[ups..]].concat()),
    }
}

/// The module in which a path ends.
fn longest_prefix<'a>(files: &'a BTreeMap<Module, &Source>, path: &[String]) -> Option<&'a Module> {
    (0..=path.len()).rev().find_map(|length| files.get_key_value(&path[..length])).map(|(module, _)| module)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(files: &[(&str, &str)]) -> Vec<Source> {
        let source = |(path, text): &(&str, &str)| Source { path: format!("src/{path}"), text: (*text).to_owned() };
        files.iter().map(source).collect()
    }

    #[test]
    fn a_circle_is_found_however_it_is_written() {
        for text in [
            "use crate::b::B;",
            "use super::b;",
            "use crate::{\n    c,\n    b::{self, B},\n};",
            "fn f() { crate::b::f() }",
            "use crate::{c as d, b as e};",
        ] {
            let found = in_package("src/", &sources(&[("a.rs", text), ("b.rs", "use crate::a::A;"), ("c.rs", "")]));
            assert_eq!(found, ["a circle of imports: src/a.rs, src/b.rs"], "{text}");
        }
    }

    #[test]
    fn a_circle_through_three_and_one_through_a_parent_are_found() {
        let three = [
            ("a.rs", "use crate::b;"),
            ("b.rs", "use crate::c::C;"),
            ("c.rs", "use crate::a;"),
            ("d.rs", "use crate::a;"),
        ];
        assert_eq!(in_package("src/", &sources(&three)).len(), 1);
        let parent = [("a/mod.rs", "mod b; use crate::a::b::B;"), ("a/b.rs", "use super::A;")];
        assert_eq!(in_package("src/", &sources(&parent)), ["a circle of imports: src/a/mod.rs, src/a/b.rs"]);
    }

    #[test]
    fn what_is_no_circle_is_none() {
        for files in [
            [("a/mod.rs", "mod b;"), ("a/b.rs", "use super::A; use crate::a::C;")],
            [("a.rs", "use upload_types::b::A; // use crate::b::B;"), ("b.rs", "use crate::a::A;")],
            [("a.rs", "#[cfg(test)]\nmod tests {\n    use crate::b::B;\n}"), ("b.rs", "use crate::a::A;")],
        ] {
            assert!(in_package("src/", &sources(&files)).is_empty(), "{files:?}");
        }
    }
}
