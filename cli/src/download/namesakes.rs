//! Which names are one file's on this disk: `A` and `a`, as mostly on macOS and Windows, and `é` as one character and as two, as on macOS.
//! Asked of the disk itself, since the system alone does not say it.

use std::path::{Path, PathBuf};

use unicode_normalization::UnicodeNormalization;

/// As one character, and as `e` with an accent behind it.
const COMPOSED: &str = "\u{e9}";
const DECOMPOSED: &str = "e\u{301}";

/// What makes no difference between two names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Namesakes {
    /// Capital or small.
    pub(super) fold_case: bool,
    /// One character or several, where they look the same.
    pub(super) fold_forms: bool,
}

impl Namesakes {
    /// Those of this folder, which is made where it is not there.
    pub(super) fn below(folder: &Path) -> Self {
        let asked = std::fs::create_dir_all(folder).and_then(|()| {
            let probe = tempfile::Builder::new().prefix(&format!(".quay-name-{COMPOSED}-")).tempfile_in(folder)?;
            let name = probe.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
            let is_there = |name: String| probe.path().with_file_name(name).symlink_metadata().is_ok();
            let fold_case = is_there(name.to_ascii_uppercase());
            Ok(Self { fold_case, fold_forms: is_there(name.replace(COMPOSED, DECOMPOSED)) })
        });
        // Where nothing can be written, it does not matter.
        asked.unwrap_or(Self { fold_case: false, fold_forms: false })
    }

    /// What two paths have in common that are the same there. Rather too much than too little: what is refused can be got by itself.
    pub(super) fn compared(self, path: &Path) -> PathBuf {
        match self {
            Self { fold_case: false, fold_forms: false } => path.to_owned(),
            Self { fold_case, fold_forms } => {
                let text = path.to_string_lossy().into_owned();
                let text = if fold_forms { text.nfd().collect() } else { text };
                // By way of the capitals: `ß` and `ss`, `σ` and `ς` have the same.
                let lower = |text: String| {
                    text.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect::<String>()
                };
                let text = if fold_case { lower(text) } else { text };
                // What has become small may be of several characters again.
                PathBuf::from(if fold_forms { text.nfd().collect() } else { text })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn are_one(fold_case: bool, fold_forms: bool, one: &str, other: &str) -> bool {
        let compared = |path: &str| Namesakes { fold_case, fold_forms }.compared(Path::new(path));
        compared(one) == compared(other)
    }

    #[test]
    fn names_are_one_by_what_the_disk_takes_for_one() {
        let (composed, decomposed) = ("caf\u{e9}/\u{d55c}", "cafe\u{301}/\u{1112}\u{1161}\u{11ab}");
        assert!(are_one(false, true, composed, decomposed));
        assert!(!are_one(true, false, composed, decomposed));
        for (one, other) in [("Trip/A", "trip/a"), ("STRASSE", "straße"), ("ΌΣΟΣ", "όσος"), ("Σ", "ς")] {
            assert!(are_one(true, false, one, other), "{one}");
            assert!(!are_one(false, true, one, other), "{one}");
        }
        assert!(are_one(true, true, "CAFE\u{301}", composed.split('/').next().unwrap()));
        assert!(!are_one(true, true, "cafe", "café"));
        assert!(!are_one(false, false, composed, decomposed) && !are_one(false, false, "A", "a"));
    }

    #[test]
    fn the_disk_is_asked_and_nothing_stays_of_the_question() {
        let folder = tempfile::tempdir().unwrap();
        let asked = Namesakes::below(folder.path());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        std::fs::write(folder.path().join(COMPOSED), "").unwrap();
        assert_eq!(asked.fold_forms, folder.path().join(DECOMPOSED).exists());
        std::fs::write(folder.path().join("a"), "").unwrap();
        assert_eq!(asked.fold_case, folder.path().join("A").exists());
    }
}
