//! Which files are meant: those that are named, and those of folders, with the paths that they have below them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use walkdir::WalkDir;

use crate::failure::{Failure, Result};
use crate::upload::{names, source::what_else};

/// A file that was found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FoundFile {
    pub(crate) path: PathBuf,
    /// As it is shown, and as a folder's file is told to the server.
    pub(crate) shown: String,
    /// The bytes of that, percent-encoded, where it cannot be shown as it is.
    pub(crate) exact: Option<String>,
    pub(crate) bytes: u64,
    /// What the server is told of where it was.
    pub(crate) metadata: BTreeMap<String, String>,
}

/// What was found, and what was left out that somebody might miss.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) files: Vec<FoundFile>,
    pub(crate) notes: Vec<String>,
    /// Folders that could not be looked into.
    pub(crate) unreadable: Vec<String>,
}

/// Which of a folder's files are sent. A pattern without a slash means names anywhere, one with a slash paths below the folder.
pub(crate) struct Globs {
    include: Option<GlobSet>,
    exclude: GlobSet,
}

impl Globs {
    pub(crate) fn new(include: &[String], exclude: &[String]) -> Result<Self> {
        let include = if include.is_empty() { None } else { Some(set(include)?) };
        Ok(Self { include, exclude: set(exclude)? })
    }

    fn take_file(&self, relative: &Path) -> bool {
        let is_included = self.include.as_ref().is_none_or(|include| include.is_match(relative));
        is_included && !self.exclude.is_match(relative)
    }

    /// Whether a folder is left out as a whole.
    fn skip_folder(&self, relative: &Path) -> bool {
        self.exclude.is_match(relative)
    }
}

fn set(patterns: &[String]) -> Result<GlobSet> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        let anywhere =
            if pattern.contains('/') { pattern.trim_start_matches('/').to_owned() } else { format!("**/{pattern}") };
        let glob = GlobBuilder::new(&anywhere).literal_separator(true).build();
        set.add(glob.map_err(|error| Failure::usage(format!("`{pattern}` is no pattern: {}.", error.kind())))?);
    }
    set.build().map_err(|error| Failure::usage(format!("The patterns are too much: {error}.")))
}

/// Looks for them. What is named and is not there, or is no file, is a mistake of whoever named it.
pub(crate) fn find(paths: &[PathBuf], globs: &Globs) -> Result<Found> {
    let mut found = Found::default();
    for path in paths {
        let shown = path.display();
        let metadata =
            std::fs::metadata(path).map_err(|error| Failure::usage(format!("{shown} cannot be sent: {error}.")))?;
        if metadata.is_dir() {
            folder(path, globs, &mut found);
        } else if let Some(what) = what_else(&metadata) {
            return Err(Failure::usage(format!("{shown} is {what}, not a file. A stream is sent by `quay put -`.")));
        } else {
            let file_name = path.file_name().unwrap_or_default();
            let metadata_of = names::exact(file_name).map(|exact| ("fileNameBytes".to_owned(), exact));
            found.files.push(FoundFile {
                path: path.clone(),
                shown: names::shown(path.as_os_str()),
                exact: names::exact(path.as_os_str()),
                bytes: metadata.len(),
                metadata: metadata_of.into_iter().collect(),
            });
        }
    }
    Ok(found)
}

fn folder(root: &Path, globs: &Globs, found: &mut Found) {
    let relative = |path: &Path| path.strip_prefix(root).map(Path::to_owned).unwrap_or_default();
    let entries = WalkDir::new(root).sort_by_file_name().into_iter();
    let wanted = entries.filter_entry(|entry| {
        let is_root = entry.depth() == 0;
        is_root || !entry.file_type().is_dir() || !globs.skip_folder(&relative(entry.path()))
    });
    for entry in wanted {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                found.unreadable.push(format!("A folder could not be looked into: {error}."));
                continue;
            }
        };
        let below = relative(entry.path());
        if entry.file_type().is_dir() || !globs.take_file(&below) {
            continue;
        }
        if !entry.file_type().is_file() {
            let what = if entry.file_type().is_symlink() { "a link" } else { "no file" };
            found.notes.push(format!("{} is {what} and was left out.", entry.path().display()));
            continue;
        }
        // Where the size cannot be had, opening the file says why.
        let bytes = entry.metadata().map_or(0, |metadata| metadata.len());
        let shown = names::shown(&slashed(root, &below));
        let exact = names::exact(&slashed(root, &below));
        let bytes_of_path = exact.clone().map(|exact| ("relativePathBytes".to_owned(), exact));
        let metadata = [("relativePath".to_owned(), shown.clone())].into_iter().chain(bytes_of_path).collect();
        found.files.push(FoundFile { path: entry.path().to_owned(), shown, exact, bytes, metadata });
    }
}

/// The path of a file with the name of its folder in front, as a browser has it, with slashes on every platform.
fn slashed(root: &Path, below: &Path) -> std::ffi::OsString {
    let name = root.file_name().map(std::ffi::OsStr::to_owned);
    let name = name.or_else(|| Some(std::fs::canonicalize(root).ok()?.file_name()?.to_owned()));
    let mut all = name.unwrap_or_default();
    for component in below.components() {
        if !all.is_empty() {
            all.push("/");
        }
        all.push(component);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Kind;

    fn tree() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for path in ["photos/a.jpg", "photos/b.tmp", "photos/2026/c.jpg", "photos/2026/d.txt", "photos/.git/x"] {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x").unwrap();
        }
        folder
    }

    fn names_of(include: &[&str], exclude: &[&str]) -> Vec<String> {
        let folder = tree();
        let texts = |patterns: &[&str]| patterns.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let globs = Globs::new(&texts(include), &texts(exclude)).unwrap();
        let found = find(&[folder.path().join("photos")], &globs).unwrap();
        found.files.into_iter().map(|file| file.metadata["relativePath"].clone()).collect()
    }

    #[test]
    fn a_folders_files_have_their_paths_in_it_and_globs_choose_among_them() {
        assert_eq!(
            names_of(&[], &["*.tmp", ".git"]),
            ["photos/2026/c.jpg", "photos/2026/d.txt", "photos/a.jpg"].map(str::to_owned)
        );
        assert_eq!(names_of(&["*.jpg"], &["2026"]), ["photos/a.jpg"]);
        assert_eq!(names_of(&["2026/*"], &["*.txt"]), ["photos/2026/c.jpg"]);
        assert!(Globs::new(&["[".to_owned()], &[]).is_err());
    }

    #[test]
    fn what_is_named_and_is_no_file_is_a_mistake() {
        let folder = tree();
        let globs = Globs::new(&[], &[]).unwrap();
        let missing = find(&[folder.path().join("nothing")], &globs).unwrap_err();
        assert_eq!(missing.kind, Kind::Usage);
    }

    #[cfg(unix)]
    #[test]
    fn a_folders_sockets_and_links_are_left_out_and_told() {
        let folder = tree();
        let photos = folder.path().join("photos");
        let _listener = std::os::unix::net::UnixListener::bind(photos.join("socket")).unwrap();
        std::os::unix::fs::symlink("a.jpg", photos.join("link")).unwrap();
        let found = find(std::slice::from_ref(&photos), &Globs::new(&[], &[]).unwrap()).unwrap();
        assert_eq!((found.files.len(), found.notes.len()), (5, 2));
    }
}
