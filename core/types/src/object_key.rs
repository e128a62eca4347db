//! Where an object lies in the bucket: a template that the deployment, a token or the application gives, filled in when the upload is
//! created, and fixed from then on.
//!
//! Promises: a key has the upload's id in it, so no two uploads ever share one, nothing that is there is ever replaced, and nobody has to be
//! asked whether a name is taken. What people call their files is at most one segment of it, in characters that mean nothing anywhere.
//! What lies beside the object has a key with a mark ([`with_mark`]), and is known again by all of that key ([`is_marked`]): what one upload
//! sweeps away is never another's.

use std::ops::Range;

use crate::units::{UnixMs, UploadId};

/// The template of whoever gives none. A prefix ends with a slash, or is empty.
pub const DEFAULT_TEMPLATE: &str = "uploads/{prefix}{id}";

/// R2's keys have up to 1,024 bytes (<https://developers.cloudflare.com/r2/platform/limits/>). A mark has up to 21: a sign, and a number
/// below 2^64. So whatever is filled in, there is room for: a prefix has up to 641 (a tenant's 128, a slash, and a token's 512), a template
/// 250, an id 36, the dates 18, and the shortest of [`NAME_BYTES`] twice, 48, with an extension besides, 16, less what stood in their places.
const MAX_KEY_BYTES: usize = 1_000;

/// The longest template.
const MAX_TEMPLATE_BYTES: usize = 250;

/// Of a file's name so much stands in a key, with its extension, and of an owner's; less where the rest leaves less.
const NAME_BYTES: [usize; 3] = [120, 60, 24];

/// A longer one is no extension.
const MAX_EXTENSION_BYTES: usize = 16;

/// What the bytes of uploads that have not ended lie below.
const OF_SEGMENTS: &str = "segments/";

const PREFIX: &str = "{prefix}";

/// What can stand in a template, once.
const PLACES: [&str; 9] = ["{id}", PREFIX, "{owner}", "{name}", "{.ext}", "{date}", "{year}", "{month}", "{day}"];

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
        if !text.contains("{id}") {
            return Err("does not have {id} in it: no two uploads may share a key");
        }
        if PLACES.iter().any(|place| text.matches(place).count() > 1) {
            return Err("has something in it twice");
        }
        let example = filled(text, &["a", "a/", "a", "a", "", "1", "1", "1", "1"]);
        let (before_prefix, _) = text.split_once(PREFIX).unwrap_or_default();
        if !example.split('/').all(is_segment) || !(before_prefix.is_empty() || before_prefix.ends_with('/')) {
            return Err("is not folder/…/name of letters, digits, -_.= and {id}, {prefix}, {owner}, {name}, {.ext}, \
                        {date}, {year}, {month}, {day}, with {prefix} at the beginning or behind a slash");
        }
        if text.len() > MAX_TEMPLATE_BYTES {
            return Err("is longer than 250 bytes");
        }
        Ok(Self(text.to_owned()))
    }

    /// The same below the folder of the tenant, with which a prefix begins: nothing that one tenant's token says leads into another's.
    #[must_use]
    pub fn below_tenant(&self) -> Self {
        let within = self.0.replacen(PREFIX, "", 1);
        let within = within.strip_prefix("uploads/").unwrap_or(&within);
        Self(format!("uploads/{PREFIX}{within}"))
    }

    /// The key of an upload. An id, a prefix and dates stand in it whole; names are shorter where there is no room.
    pub fn fill(&self, parts: &KeyParts) -> String {
        let keys = NAME_BYTES.map(|most_bytes| self.fill_with(parts, most_bytes));
        let key = keys.iter().find(|key| key.len() <= MAX_KEY_BYTES).or(keys.last()).cloned().unwrap_or_default();
        // Somebody, or something, is called so.
        if key.starts_with(OF_SEGMENTS) { format!("-{key}") } else { key }
    }

    fn fill_with(&self, parts: &KeyParts, most_bytes: usize) -> String {
        let (id, created_at) = (parts.id.to_string(), parts.created_at.rfc3339());
        let date = |range: Range<usize>| created_at.get(range).unwrap_or_default();
        let owner = plain(parts.owner, "", most_bytes);
        let name = plain(parts.file_name, extension(parts.file_name), most_bytes);
        let extension = extension(&name).to_ascii_lowercase();
        let [all, year, month, day] = [date(0..10), date(0..4), date(5..7), date(8..10)];
        let key = filled(&self.0, &[&id, parts.prefix, &owner, &name, &extension, all, year, month, day]);
        if self.0.contains(PREFIX) { key } else { format!("{}{key}", parts.prefix) }
    }

    /// The template itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

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

/// A key that nobody has but this upload: its own with a mark, in front of the extension where there is one behind the id. A mark is a sign
/// and a number.
pub fn with_mark(key: &str, id: UploadId, sign: char, number: u64) -> String {
    let (stem, extension) = key.split_at(end_of_stem(key, id));
    format!("{stem}{sign}{number}{extension}")
}

/// What all keys begin with that [`is_marked`] knows: to be looked for in a list.
pub fn mark_prefix(key: &str, id: UploadId, sign: char) -> String {
    let (stem, _) = key.split_at(end_of_stem(key, id));
    format!("{stem}{sign}")
}

/// Whether `found` is this key with a mark of this sign. Another upload's key may begin so, where its name or its prefix has this upload's
/// id in it; but no other upload's key is one.
pub fn is_marked(found: &str, key: &str, id: UploadId, sign: char) -> bool {
    let (stem, extension) = key.split_at(end_of_stem(key, id));
    let number = found.strip_prefix(stem).and_then(|rest| rest.strip_prefix(sign)?.strip_suffix(extension));
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Never before the end of the id.
fn end_of_stem(key: &str, id: UploadId) -> usize {
    let id = id.to_string();
    let behind_id = key.rfind(&id).map_or(key.len(), |at| at + id.len());
    let name_from = key.rfind('/').map_or(0, |slash| slash + 1);
    let extension = extension(key.get(name_from..).unwrap_or_default());
    key.len().saturating_sub(extension.len()).max(behind_id)
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
    let is_short = (2..=MAX_EXTENSION_BYTES).contains(&found.len());
    if is_short && found.bytes().skip(1).all(|byte| byte.is_ascii_alphanumeric()) { found } else { "" }
}

/// The name as one segment: a dash for whatever is not plain, once where there are several in a row. No dot in front; cut before the extension
/// where it is too long.
fn plain(name: &str, extension: &str, most_bytes: usize) -> String {
    let stem = name.strip_suffix(extension).unwrap_or(name);
    let mut plain = String::new();
    for character in stem.chars() {
        let character = u8::try_from(character).ok().filter(|byte| is_plain(*byte)).map_or('-', char::from);
        let is_repeated = character == '-' && plain.ends_with('-');
        let is_leading_dot = character == '.' && plain.is_empty();
        if plain.len() + extension.len() < most_bytes && !is_repeated && !is_leading_dot {
            plain.push(character);
        }
    }
    if plain.is_empty() {
        plain.push('-');
    }
    plain + extension
}

#[cfg(test)]
#[path = "object_key_tests.rs"]
mod tests;
