//! Which media types are allowed: a list of `type/subtype` and `type/*`, and whether a file is what it is allowed to be.
//!
//! A file is looked at twice: what its client says it is, when it is created; and what its first bytes say, before it is
//! complete. A type that leaves a mark in a file's first bytes must be found there; a mark that is found must be of an allowed
//! type. What has no mark at all (plain text, CSV, JSON) passes where it is declared and allowed.

use serde::{Deserialize, Serialize};

/// How many first bytes of a file are looked at. The furthest mark that matters (tar) ends at byte 262; office documents are
/// told apart by entries a little further in.
pub const FIRST_BYTES: u32 = 8192;

/// No list of ours is longer.
const MAX_TYPES: usize = 64;

/// Declared types of files that are archives or containers of another type underneath, which is what their first bytes show.
const CONTAINERS: [(&str, &[&str]); 5] = [
    ("application/zip", &["application/vnd.", "application/epub+zip", "application/java-archive", "+zip"]),
    ("application/x-ole-storage", &["application/msword", "application/vnd.ms-", "application/x-msi"]),
    ("application/gzip", &["application/x-gzip", "application/x-compressed-tar", "image/svg+xml-compressed"]),
    ("text/xml", &["application/xml", "image/svg+xml", "+xml"]),
    ("application/x-tar", &["application/tar"]),
];

/// Names of the same thing.
const ALIASES: [&[&str]; 8] = [
    &["image/jpeg", "image/jpg", "image/pjpeg"],
    &["video/mp4", "video/x-m4v", "audio/mp4", "audio/m4a", "audio/x-m4a", "video/quicktime", "video/3gpp"],
    &["video/x-matroska", "video/webm", "audio/webm"],
    &["audio/x-wav", "audio/wav", "audio/wave", "audio/vnd.wave"],
    &["audio/ogg", "video/ogg", "application/ogg", "audio/opus"],
    &["image/vnd.microsoft.icon", "image/x-icon"],
    &["audio/x-flac", "audio/flac"],
    &["image/heif", "image/heic"],
];

/// A list of allowed types, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MediaTypes(Vec<String>);

impl MediaTypes {
    /// A list that is not empty, each entry `type/subtype` or `type/*`.
    pub fn parse<'a>(entries: impl IntoIterator<Item = &'a str>) -> Result<Self, &'static str> {
        let mut types = Vec::new();
        for entry in entries {
            let entry = entry.trim().to_ascii_lowercase();
            let is_token = |text: &str| {
                !text.is_empty()
                    && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
            };
            match entry.split_once('/') {
                Some((kind, subtype)) if is_token(kind) && (subtype == "*" || is_token(subtype)) => types.push(entry),
                _ => return Err("has a type that is neither `type/subtype` nor `type/*`"),
            }
        }
        if types.is_empty() || types.len() > MAX_TYPES {
            return Err("has a list of types that is empty or longer than 64");
        }
        Ok(Self(types))
    }

    /// Whether nothing is on the list, which is so of two that have nothing in common.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this type is on the list; its parameters do not matter.
    pub fn allow(&self, media_type: &str) -> bool {
        let essence = essence(media_type);
        self.0.iter().any(|entry| match entry.strip_suffix("/*") {
            Some(kind) => essence.split_once('/').is_some_and(|(its_kind, _)| its_kind == kind),
            None => *entry == essence,
        })
    }

    /// What is on both lists; nothing, where they have nothing in common.
    #[must_use]
    pub fn both(&self, other: &Self) -> Self {
        // `image/*` is allowed by itself, and by no list of single types.
        let ours = self.0.iter().filter(|entry| other.allow(entry));
        let theirs = other.0.iter().filter(|entry| self.allow(entry) && !self.0.contains(entry));
        Self(ours.chain(theirs).cloned().collect())
    }

    /// Whether a file that was declared as this may have these first bytes; if not, why, in a sentence.
    pub fn check_first_bytes(&self, declared: &str, first_bytes: &[u8]) -> Result<(), String> {
        let declared = essence(declared);
        match infer::get(first_bytes).map(|found| found.mime_type()) {
            Some(found) if found == declared => Ok(()),
            Some(found) if is_container_of(found, &declared) => Ok(()),
            Some(found) if is_alias(found, &declared) => Ok(()),
            Some(found) if self.allow(found) && kind(found) == kind(&declared) => Ok(()),
            Some(found) => {
                Err(format!("The file was declared as {declared}, and its first bytes are those of {found}."))
            }
            None if infer::is_mime_supported(&declared) && !leaves_no_mark(&declared) => {
                Err(format!("The file was declared as {declared}, and its first bytes are not those of one."))
            }
            None => Ok(()),
        }
    }

    /// For people: `image/*, application/pdf`.
    pub fn shown(&self) -> String {
        self.0.join(", ")
    }
}

/// A media type without its parameters, in lower case.
fn essence(media_type: &str) -> String {
    media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn kind(media_type: &str) -> &str {
    media_type.split('/').next().unwrap_or_default()
}

fn is_container_of(found: &str, declared: &str) -> bool {
    CONTAINERS.iter().filter(|(container, _)| *container == found).any(|(_, contents)| {
        contents.iter().any(|content| {
            if content.starts_with('+') { declared.ends_with(content) } else { declared.starts_with(content) }
        })
    })
}

fn is_alias(found: &str, declared: &str) -> bool {
    ALIASES.iter().any(|names| names.contains(&found) && names.contains(&declared))
}

/// Formats that are text, whose mark (a tag, a comment before it) is usual and not required.
fn leaves_no_mark(media_type: &str) -> bool {
    media_type.starts_with("text/") || matches!(media_type, "audio/mpeg" | "audio/aac" | "application/xml")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
    const ZIP: &[u8] = b"PK\x03\x04\x14\0\0\0\x08\0aaaaaaaaaaaaaaaaaaaaaaaa";
    const HTML: &[u8] = b"<!DOCTYPE html><html><script>alert(1)</script>";
    const ELF: &[u8] = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    const MP4: &[u8] = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom";

    fn types(list: &[&str]) -> MediaTypes {
        MediaTypes::parse(list.iter().copied()).unwrap()
    }

    #[test]
    fn a_list_allows_what_is_on_it() {
        let list = types(&["image/*", " Application/PDF "]);
        for allowed in ["image/png", "IMAGE/JPEG", "application/pdf", "application/pdf; version=1.7"] {
            assert!(list.allow(allowed), "{allowed}");
        }
        for other in ["", "image", "imagex/png", "text/html", "application/pdfx", "x/image/png", "application/*"] {
            assert!(!list.allow(other), "{other}");
        }
    }

    #[test]
    fn a_list_says_types() {
        for wrong in [&[][..], &["*/*"], &["*"], &["image/"], &["/png"], &["image/png,text/html"], &["a b/c"]] {
            assert!(MediaTypes::parse(wrong.iter().copied()).is_err(), "{wrong:?}");
        }
        assert!(MediaTypes::parse(["a/b"; 65]).is_err());
    }

    #[test]
    fn two_lists_allow_what_both_do() {
        for (one, other, both) in [
            (&["image/*"][..], &["image/png", "text/csv"][..], &["image/png"][..]),
            (&["image/png", "application/pdf"], &["application/*", "image/*"], &["image/png", "application/pdf"]),
            (&["image/*"], &["image/*"], &["image/*"]),
            (&["image/*"], &["text/*"], &[]),
        ] {
            let expected = both.iter().map(|entry| (*entry).to_owned()).collect::<Vec<_>>();
            assert_eq!(types(one).both(&types(other)).0, expected, "{one:?} {other:?}");
            assert_eq!(types(other).both(&types(one)).0.len(), expected.len(), "the same from the other side");
        }
    }

    #[test]
    fn first_bytes_must_be_those_of_what_was_declared() {
        let docx = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
        for (list, declared, bytes, passes) in [
            (&["image/*"][..], "image/png", PNG, true),
            (&["image/png"], "image/png", b"not a picture".as_slice(), false),
            (&["image/png"], "image/png", b"", false),
            (&["image/*"], "image/jpeg", PNG, true),
            (&["image/jpeg"], "image/jpeg", PNG, false),
            (&["image/*"], "image/png", HTML, false),
            (&["image/*"], "image/png", ELF, false),
            (&["text/plain"], "text/plain", b"some words", true),
            (&["text/plain"], "text/plain; charset=utf-8", HTML, false),
            (&["text/*"], "text/csv", b"a,b\n1,2\n", true),
            (&["application/json"], "application/json", b"{}", true),
            (&["application/json"], "application/json", ELF, false),
            (&["application/vnd.openxmlformats-officedocument.wordprocessingml.document"], docx, ZIP, true),
            (&["application/epub+zip"], "application/epub+zip", ZIP, true),
            (&["image/png"], "image/png", ZIP, false),
            (&["video/*"], "video/mp4", MP4, true),
            (&["video/quicktime"], "video/quicktime", MP4, true),
            (&["audio/*"], "audio/mpeg", b"\0\0\0\0silence", true),
        ] {
            let answer = types(list).check_first_bytes(declared, bytes);
            assert_eq!(answer.is_ok(), passes, "{declared}: {answer:?}");
        }
    }
}
