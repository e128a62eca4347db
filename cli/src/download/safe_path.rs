//! Where a file of a folder may go. Paths in a manifest are somebody else's word: each leads into the folder that was named, and nowhere
//! else, neither by what it says (`..`, `/etc`, `C:`) nor by a link that lies on the way.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io;
use std::path::{Component, Path, PathBuf};

use crate::download::names::{PART, VERSION, beside};
use crate::download::namesakes::Namesakes;
use crate::download::target::not_written;
use crate::failure::{Failure, Result};

/// A path below a folder: names, and nothing that leads elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SafePath(Vec<OsString>);

impl SafePath {
    /// `None` where it is not one. `./a` is `a`.
    pub(crate) fn parse(path: OsString) -> Option<Self> {
        let mut names = names(path);
        if names.len() > 1 && names[0] == "." {
            names.remove(0);
        }
        (!names.is_empty() && names.iter().all(is_name)).then_some(Self(names))
    }

    /// Where it is in this folder. Folders on the way are made; a link on the way, or in place of what is written, is refused.
    pub(crate) fn place_in(&self, root: &Path) -> Result<PathBuf> {
        let mut path = root.to_owned();
        std::fs::create_dir_all(root).map_err(|error| not_written(root, &error))?;
        let (name, folders) = self.0.split_last().ok_or_else(|| Failure::usage("There is no name."))?;
        for folder in folders {
            path.push(folder);
            make_folder(&path)?;
        }
        path.push(name);
        for ending in [PART, VERSION] {
            let written = beside(&path, ending);
            if std::fs::symlink_metadata(&written).is_ok_and(|found| !found.is_file()) {
                return Err(Failure::usage(format!("{} is no file, and in the way.", written.display())));
            }
        }
        Ok(path)
    }
}

/// Which names are taken below a folder, so that no file of a run is written where another of it is, or was.
pub(crate) struct Claims {
    root: PathBuf,
    /// Which names are the same there; asked when it is needed.
    namesakes: Option<Namesakes>,
    /// What is taken, as the file system compares it, and as it was said.
    taken: HashMap<PathBuf, PathBuf>,
}

impl Claims {
    pub(crate) fn below(root: &Path) -> Self {
        Self { root: root.to_owned(), namesakes: None, taken: HashMap::new() }
    }

    /// Takes a place, and those beside it.
    pub(crate) fn claim(&mut self, path: &SafePath) -> Result<()> {
        let root = &self.root;
        let namesakes = *self.namesakes.get_or_insert_with(|| Namesakes::below(root));
        let path: PathBuf = path.0.iter().collect();
        let written = [path.clone(), beside(&path, PART), beside(&path, VERSION)];
        for said in &written {
            match self.taken.get(&namesakes.compared(said)) {
                None => {}
                Some(other) if other == said => {
                    return Err(Failure::usage("Another file of the manifest goes to the same place."));
                }
                Some(other) => {
                    let other = other.display();
                    return Err(Failure::usage(format!(
                        "Another file of the manifest goes to the same place: here it is the same file as {other}."
                    )));
                }
            }
        }
        self.taken.extend(written.map(|said| (namesakes.compared(&said), said)));
        Ok(())
    }
}

fn make_folder(path: &Path) -> Result<()> {
    match std::fs::create_dir(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => match std::fs::symlink_metadata(path) {
            Ok(found) if found.is_dir() => Ok(()),
            Ok(found) => {
                let what = if found.is_symlink() { "a link" } else { "no folder" };
                Err(Failure::usage(format!("{} is {what}: nothing is written through it.", path.display())))
            }
            Err(error) => Err(not_written(path, &error)),
        },
        Err(error) => Err(not_written(path, &error)),
    }
}

/// The names between slashes, of which a manifest has only forward ones.
#[cfg(unix)]
fn names(path: OsString) -> Vec<OsString> {
    use std::os::unix::ffi::OsStringExt;
    let bytes = path.into_vec();
    let names = bytes.split(|byte| *byte == b'/').map(|name| OsString::from_vec(name.to_vec()));
    names.collect()
}

/// None of what is no text.
#[cfg(not(unix))]
fn names(path: OsString) -> Vec<OsString> {
    path.to_str().map(|text| text.split('/').map(OsString::from).collect()).unwrap_or_default()
}

/// Whether it names something in a folder, on this platform.
fn is_name(name: &OsString) -> bool {
    let mut components = Path::new(name).components();
    let is_normal = matches!(components.next(), Some(Component::Normal(normal)) if normal == name.as_os_str());
    let bytes = name.as_encoded_bytes();
    is_normal && components.next().is_none() && !bytes.contains(&0) && !(cfg!(windows) && bytes.contains(&b':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Option<SafePath> {
        SafePath::parse(text.into())
    }

    #[test]
    fn a_path_leads_below_its_folder_or_is_none() {
        for fine in ["a", "a/b", "photos/2026/ä b.jpg", "..a/b..", ".hidden/...", "a\\b", "./a"] {
            assert!(parse(fine).is_some() || cfg!(windows), "{fine}");
        }
        for wrong in [
            "",
            "/",
            "/etc/passwd",
            "..",
            "a/../b",
            "../a",
            "a/..",
            "a//b",
            "a/",
            "a/./b",
            ".",
            "a\0b",
            "./",
            "././a",
            "./../a",
            ".//a",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
        assert_eq!(parse("./a/b"), parse("a/b"));
    }

    #[test]
    fn no_two_files_are_written_at_one_place() {
        let folder = tempfile::tempdir().unwrap();
        let mut claims = Claims::below(folder.path());
        let mut claim = |text: &str| claims.claim(&parse(text).unwrap());
        assert!(claim("a/b").is_ok() && claim("a/c").is_ok());
        for taken in ["a/b", "./a/b", "a/b.quay-part", "a/c.quay-etag"] {
            assert!(claim(taken).is_err(), "{taken}");
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing stays of the question");
    }

    #[test]
    fn namesakes_are_two_files_only_where_the_file_system_has_two() {
        let folder = tempfile::tempdir().unwrap();
        for is_folding in [false, true] {
            let namesakes = Namesakes { fold_case: is_folding, fold_forms: is_folding };
            let mut claims = Claims { namesakes: Some(namesakes), ..Claims::below(folder.path()) };
            claims.claim(&parse("Trip/Ä.txt").unwrap()).unwrap();
            for other in ["trip/ä.TXT", "Trip/A\u{308}.txt", "trip/a\u{308}.txt"] {
                let namesake = claims.claim(&parse(other).unwrap());
                assert_eq!(namesake.is_err(), is_folding, "{other}");
                if let Err(failure) = namesake {
                    assert!(failure.message.contains("the same file as Trip/Ä.txt"), "{failure}");
                }
            }
            claims.claim(&parse("trip/b.txt").unwrap()).unwrap();
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_on_the_way_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (root, outside) = (folder.path().join("root"), folder.path().join("outside"));
        std::fs::create_dir_all(root.join("real")).unwrap();
        std::fs::create_dir(&outside).unwrap();
        std::os::unix::fs::symlink(&outside, root.join("link")).unwrap();
        std::os::unix::fs::symlink(outside.join("x"), root.join("real/b.quay-part")).unwrap();
        assert_eq!(parse("real/new/a").unwrap().place_in(&root).unwrap(), root.join("real/new/a"));
        assert!(parse("link/a").unwrap().place_in(&root).unwrap_err().message.contains("a link"));
        assert!(parse("real/b").unwrap().place_in(&root).unwrap_err().message.contains("in the way"));
        assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0);
    }
}
