//! Where an object lies in the bucket: a template that the deployment, a token or the application gives, filled in when the upload is
//! created, and fixed from then on.
//!
//! Promises: a key has the upload's id in it, so no two uploads ever share one, nothing that is there is ever replaced, and nobody has to be
//! asked whether a name is taken. What people call their files is at most one segment of it, in characters that mean nothing anywhere.
//! What lies beside the object under a key of its own ([`with_mark`]) has the same beginning up to the end of the id: what one upload sweeps
//! away is never another's.

use std::ops::Range;

use crate::units::{UnixMs, UploadId};

/// The template of whoever gives none. A prefix ends with a slash, or is empty.
pub const DEFAULT_TEMPLATE: &str = "uploads/{prefix}{id}";

/// R2's keys have up to 1,024 bytes (<https://developers.cloudflare.com/r2/platform/limits/>). A mark has up to 21: a sign, and a number
/// below 2^64.
pub const MAX_KEY_BYTES: usize = 1_000;

/// Of a file's name so much stands in a key, with its extension, and of an owner's: `{owner}` and `{name}` leave three quarters of a key.
const MAX_NAME_BYTES: usize = 120;

/// A longer one is no extension.
const MAX_EXTENSION_BYTES: usize = 16;

/// What the bytes of uploads that have not ended lie below.
const OF_SEGMENTS: &str = "segments/";

/// How keys are made, where [`KeyTemplate::parse`] has let the text through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyTemplate(String);

/// What is filled in.
pub struct KeyParts<'a> {
    /// `{id}`: the upload.
    pub id: UploadId,
    /// `{prefix}`: the tenant and the token's `keyPrefix`. Empty, or ends with a slash. Where a template does not say where it stands, it
    /// stands in front of all.
    pub prefix: &'a str,
    /// `{owner}`: whose the upload is.
    pub owner: &'a str,
    /// `{name}`, and its extension with the dot, `{.ext}`: what the client calls the file.
    pub file_name: &'a str,
    /// `{date}`, as in 2026-11-30, and `{year}`, `{month}`, `{day}`: when it is created, in UTC.
    pub created_at: UnixMs,
}

impl Default for KeyTemplate {
    fn default() -> Self {
        Self(DEFAULT_TEMPLATE.to_owned())
    }
}

impl KeyTemplate {
    /// Reads one, or says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text.matches("{id}").count() != 1 {
            return Err("does not have {id} in it, once: no two uploads may share a key");
        }
        let example = filled(text, &["a", "a/", "a", "a", "", "1", "1", "1", "1"]);
        if !example.split('/').all(is_segment) {
            return Err(
                "is not folder/…/name of letters, digits, -_.= and {id}, {prefix}, {owner}, {name}, {.ext}, {date}, {year}, \
                        {month}, {day}",
            );
        }
        if text.starts_with(OF_SEGMENTS) {
            return Err("begins with segments/, where the bytes of open uploads lie");
        }
        if example.len() > MAX_KEY_BYTES / 2 {
            return Err("is longer than 500 bytes");
        }
        Ok(Self(text.to_owned()))
    }

    /// The key of an upload; `None` where it would be longer than [`MAX_KEY_BYTES`].
    pub fn fill(&self, parts: &KeyParts) -> Option<String> {
        let (id, created_at) = (parts.id.to_string(), parts.created_at.rfc3339());
        let date = |range: Range<usize>| created_at.get(range).unwrap_or_default();
        let (owner, name) = (plain(parts.owner, ""), plain(parts.file_name, extension(parts.file_name)));
        let extension = extension(&name).to_lowercase();
        let dates = [date(0..10), date(0..4), date(5..7), date(8..10)];
        let [all, year, month, day] = dates;
        let key = filled(&self.0, &[&id, parts.prefix, &owner, &name, &extension, all, year, month, day]);
        let key = if self.0.contains("{prefix}") { key } else { format!("{}{key}", parts.prefix) };
        Some(key).filter(|key| key.len() <= MAX_KEY_BYTES)
    }

    /// The template itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What can stand in a template.
const PLACES: [&str; 9] = ["{id}", "{prefix}", "{owner}", "{name}", "{.ext}", "{date}", "{year}", "{month}", "{day}"];

/// The text with these in their places. Read once from its beginning: what is filled in is not looked into.
fn filled(text: &str, values: &[&str; 9]) -> String {
    let mut key = String::new();
    let mut rest = text;
    while let Some((before, from)) = rest.find('{').map(|at| rest.split_at(at)) {
        key.push_str(before);
        let found = PLACES.iter().zip(values).find_map(|(place, value)| Some((from.strip_prefix(place)?, value)));
        let (behind, value) = found.unwrap_or((from.get(1..).unwrap_or_default(), &"{"));
        key.push_str(value);
        rest = behind;
    }
    key + rest
}

/// A key that nobody has but this upload: its own with a mark, in front of the extension where there is one behind the id.
pub fn with_mark(key: &str, id: UploadId, mark: &str) -> String {
    let (stem, extension) = key.split_at(end_of_stem(key, id));
    format!("{stem}{mark}{extension}")
}

/// What all keys of this upload begin with that have a mark of this kind.
pub fn mark_prefix(key: &str, id: UploadId, mark: &str) -> String {
    let (stem, _) = key.split_at(end_of_stem(key, id));
    format!("{stem}{mark}")
}

/// The same key of an upload that has another id.
pub fn renamed(key: &str, from: UploadId, to: UploadId) -> String {
    key.replace(&from.to_string(), &to.to_string())
}

/// Never before the end of the id: what begins with it is this upload's.
fn end_of_stem(key: &str, id: UploadId) -> usize {
    let id = id.to_string();
    let behind_id = key.rfind(&id).map_or(key.len(), |at| at + id.len());
    let name_from = key.rfind('/').map_or(0, |slash| slash + 1).max(behind_id);
    let name = key.get(name_from..).unwrap_or_default();
    name.rfind('.').map_or(key.len(), |dot| name_from + dot)
}

/// Whether this can stand between two slashes of a key and mean nothing but itself.
pub fn is_segment(segment: &str) -> bool {
    !matches!(segment, "" | "." | "..") && segment.bytes().all(is_plain)
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.=".contains(&byte)
}

/// The extension of a name with its dot; empty where there is none.
fn extension(name: &str) -> &str {
    let found = name.rfind('.').filter(|dot| *dot > 0).and_then(|dot| name.get(dot..)).unwrap_or_default();
    let is_one = (2..=MAX_EXTENSION_BYTES).contains(&found.len())
        && found.bytes().skip(1).all(|byte| byte.is_ascii_alphanumeric());
    if is_one { found } else { "" }
}

/// The name as one segment: a dash for whatever is not plain, once where there are several in a row. No dot in front; cut before the extension
/// where it is too long.
fn plain(name: &str, extension: &str) -> String {
    let stem = name.strip_suffix(extension).unwrap_or(name);
    let mut plain = String::new();
    for character in stem.chars() {
        let character = u8::try_from(character).ok().filter(|byte| is_plain(*byte)).map_or('-', char::from);
        let is_repeated = character == '-' && plain.ends_with('-');
        let is_leading_dot = character == '.' && plain.is_empty();
        if plain.len() + extension.len() < MAX_NAME_BYTES && !is_repeated && !is_leading_dot {
            plain.push(character);
        }
    }
    if plain.is_empty() {
        plain.push('-');
    }
    plain + extension
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: &str = "067e6162-3b6f-4ae2-a171-2470b63dff00";
    const OTHER: &str = "167e6162-3b6f-4ae2-a171-2470b63dff00";

    fn id() -> UploadId {
        UploadId::parse(ID).unwrap()
    }

    fn key(template: &str, file_name: &str) -> String {
        let created_at = UnixMs(1_795_251_600_123);
        let parts = KeyParts { id: id(), prefix: "acme/in/", owner: "alice@example.com", file_name, created_at };
        KeyTemplate::parse(template).unwrap().fill(&parts).unwrap()
    }

    #[test]
    fn a_template_is_filled_in() {
        for (template, expected) in [
            (DEFAULT_TEMPLATE, "uploads/acme/in/ID"),
            ("{prefix}{year}/{month}/{day}/{id}{.ext}", "acme/in/2026/11/21/ID.jpg"),
            ("{owner}/{date}-{id}", "acme/in/alice-example.com/2026-11-21-ID"),
            ("files/{prefix}{id}/{name}", "files/acme/in/ID/Holiday-in-Z-rich.JPG"),
            ("a=b/{prefix}{id}", "a=b/acme/in/ID"),
        ] {
            assert_eq!(key(template, "Holiday in Zürich.JPG"), expected.replace("ID", ID), "{template}");
        }
    }

    #[test]
    fn what_is_no_template_is_named() {
        for wrong in [
            "",
            "uploads/",
            "{prefix}",
            "{id}{id}",
            "{ID}",
            "/{id}",
            "{id}/",
            "a//{id}",
            "../{id}",
            "{prefix}/{id}",
            "ä/{id}",
            "{id} ",
            "{id}/{sha256}",
            "{id}{",
            "}{id}",
            "segments/{id}",
            "a\u{0}{id}",
        ] {
            assert!(KeyTemplate::parse(wrong).is_err(), "{wrong:?}");
        }
        assert!(KeyTemplate::parse(&format!("{}{{id}}", "a".repeat(500))).is_err());
    }

    #[test]
    fn a_name_is_one_segment_of_plain_characters() {
        for (name, expected) in [
            ("../../etc/passwd", "-..-etc-passwd"),
            (".htaccess", "htaccess"),
            ("a.tar.gz", "a.tar.gz"),
            ("日本語.pdf", "-.pdf"),
            ("日本語", "-"),
            ("", "-"),
            ("..", "-"),
            ("a.b c", "a.b-c"),
            ("a\r\nb?.png", "a-b-.png"),
            ("{id}", "-id-"),
        ] {
            assert_eq!(key("{prefix}{id}/{name}", name), format!("acme/in/{ID}/{expected}"), "{name:?}");
        }
        let long = key("{prefix}{id}/{name}", &format!("{}.jpeg", "x".repeat(300)));
        assert!(long.ends_with("xxx.jpeg") && long.len() == format!("acme/in/{ID}/").len() + MAX_NAME_BYTES, "{long}");
    }

    #[test]
    fn a_mark_stands_in_front_of_the_extension() {
        for (key, expected) in [
            ("uploads/ID", "uploads/ID-3"),
            ("a.b/ID.jpg", "a.b/ID-3.jpg"),
            ("a/ID/b.c.jpg", "a/ID/b.c-3.jpg"),
            // Behind the id alone: a name in front of it may be anybody's.
            ("a/b.ID", "a/b.ID-3"),
            ("a.b/c.ID/d", "a.b/c.ID/d-3"),
        ] {
            let key = key.replace("ID", ID);
            assert_eq!(with_mark(&key, id(), "-3"), expected.replace("ID", ID));
            assert!(with_mark(&key, id(), "-3").starts_with(&mark_prefix(&key, id(), "-")));
            assert!(!key.starts_with(&mark_prefix(&key, id(), "-")), "the object is no stray");
            assert_eq!(renamed(&key, id(), UploadId::parse(OTHER).unwrap()), key.replace(ID, OTHER));
        }
    }

    proptest! {
        #[test]
        fn what_one_upload_sweeps_away_is_never_anothers(
            template in prop::sample::select(vec![DEFAULT_TEMPLATE, "{id}{.ext}", "{name}.{id}", "{id}/{name}", "{name}{id}{owner}", "{name}-{id}/{name}"]),
            names in prop::array::uniform2("[a-c.\\-/]{0,6}"),
            owners in prop::array::uniform2("[ab.\\-]{0,3}"),
        ) {
            let template = KeyTemplate::parse(template).unwrap();
            let ids = [id(), UploadId::parse(OTHER).unwrap()];
            let all = [0, 1].map(|at| {
                let parts = KeyParts { id: ids[at], prefix: "", owner: &owners[at], file_name: &names[at], created_at: UnixMs(0) };
                template.fill(&parts).unwrap()
            });
            for (at, other) in [(0, 1), (1, 0)] {
                let swept = mark_prefix(&all[at], ids[at], "-");
                let others = [all[other].clone(), with_mark(&all[other], ids[other], "-1"), with_mark(&all[other], ids[other], ".1")];
                for key in others {
                    prop_assert!(!key.starts_with(&swept), "{key} {swept}");
                    prop_assert!(key.split('/').all(is_segment), "{key}");
                }
            }
        }
    }
}
