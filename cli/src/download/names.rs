//! What a download is called: the name that the server says, made harmless, and the names beside it while it is not whole.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;
use reqwest::header::{CONTENT_DISPOSITION, HeaderMap};

use crate::state::name_of;

/// Behind the name of a file that is not whole yet, and of what says which version it is of.
pub(super) const PART: &str = ".quay-part";
pub(super) const VERSION: &str = ".quay-etag";
/// What file systems take.
const MAX_NAME_BYTES: usize = 255;
/// How much of a name that is too long is shown, for whoever looks into the folder.
const SHOWN_CHARACTERS: usize = 40;

/// A path with this behind its name. A name that becomes too long for that is shortened: the same each time, and like that of no other.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default();
    let mut longer = name.to_owned();
    if name.len() + ending.len() > MAX_NAME_BYTES {
        longer = shortened(name).into();
    }
    longer.push(ending);
    path.with_file_name(longer)
}

fn shortened(name: &OsStr) -> String {
    let shown: String = name.to_string_lossy().chars().take(SHOWN_CHARACTERS).collect();
    format!("{shown}-{}", name_of(&[name.as_encoded_bytes()]))
}

/// The name that whoever sent the file has given it, as far as a file system takes it, and no path, nor one that is hidden: it is somebody
/// else's word.
pub(super) fn safe_name(headers: &HeaderMap) -> String {
    let disposition = headers.get(CONTENT_DISPOSITION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let encoded = disposition.split_once("filename*=UTF-8''").map(|(_, rest)| rest.split(';').next().unwrap_or(rest));
    let name = encoded.map(|encoded| percent_decode_str(encoded.trim()).decode_utf8_lossy().into_owned());
    let name: String =
        name.unwrap_or_default().chars().map(|c| if c.is_control() || "/\\".contains(c) { '_' } else { c }).collect();
    if name.trim_matches('.').is_empty() {
        return "download".to_owned();
    }
    // `.bashrc` is read by a shell, wherever it came from.
    let mut name = if name.starts_with('.') { format!("_{name}") } else { name };
    name.truncate(name.floor_char_boundary(MAX_NAME_BYTES));
    name
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    #[test]
    fn a_name_that_somebody_else_gave_is_no_path_and_not_hidden() {
        let name = |encoded: &str| {
            let mut headers = HeaderMap::new();
            let disposition = format!("attachment; filename*=UTF-8''{encoded}");
            headers.insert(CONTENT_DISPOSITION, HeaderValue::from_str(&disposition).unwrap());
            safe_name(&headers)
        };
        assert_eq!(name("caf%C3%A9.txt"), "café.txt");
        assert_eq!(name("..%2F..%2Fetc%2Fpasswd"), "_.._.._etc_passwd");
        assert_eq!(name("a%0Ab"), "a_b");
        assert_eq!([name(".."), name("."), name("")], ["download"; 3]);
        assert_eq!([name(".bashrc"), name("%2Ebashrc")], ["_.bashrc"; 2]);
        assert_eq!(name(&"%C3%A4".repeat(500)), "ä".repeat(127));
    }

    #[test]
    fn a_name_beside_is_no_longer_than_a_file_system_takes_and_like_no_other() {
        assert_eq!(beside(Path::new("a/b.txt"), PART), Path::new("a/b.txt.quay-part"));
        let (one, other) = (format!("a/{}1", "ä".repeat(127)), format!("a/{}2", "ä".repeat(127)));
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("a")).unwrap();
        let names = [&one, &other].map(|name| folder.path().join(name));
        let beside_them: Vec<_> = names.iter().flat_map(|name| [beside(name, PART), beside(name, VERSION)]).collect();
        for path in names.iter().chain(&beside_them) {
            std::fs::write(path, "").unwrap();
        }
        assert_eq!(std::fs::read_dir(folder.path().join("a")).unwrap().count(), 6, "no two are the same");
        assert_eq!(beside(&names[0], PART), beside_them[0], "the next run finds it again");
        let just_fits = format!("{}12345", "x".repeat(240));
        assert_eq!(beside(Path::new(&just_fits), PART), Path::new(&format!("{just_fits}{PART}")));
    }
}
