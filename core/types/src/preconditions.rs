//! Whether an object is wanted, and how much of it: the preconditions of a download (RFC 9110, section 13), in the order of section
//! 13.2.2, and then its range (section 14).

use crate::{
    api_error::ApiError,
    byte_range::{self, Wanted},
    http_date,
    units::{ByteCount, UnixMs},
};

/// What a request says of it, each header as it came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// `If-Match`.
    pub if_match: Option<String>,
    /// `If-Unmodified-Since`.
    pub if_unmodified_since: Option<String>,
    /// `If-None-Match`.
    pub if_none_match: Option<String>,
    /// `If-Modified-Since`.
    pub if_modified_since: Option<String>,
    /// `If-Range`.
    pub if_range: Option<String>,
    /// `Range`. Means nothing to a request that wants only the headers: ranges are defined for GET alone (section 14.2).
    pub range: Option<String>,
    /// `?follow`: of an upload that still grows, what is yet to come too.
    pub follow: bool,
}

/// The object as it is. It never becomes another, so its ETag is a strong one, and so is its date.
#[derive(Clone, Copy, Debug)]
pub struct Current<'a> {
    /// Its ETag, without quotes.
    pub etag: &'a str,
    /// Since when it is there.
    pub modified_at: UnixMs,
    /// Its size.
    pub bytes: ByteCount,
}

/// What is to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selected {
    /// The object, or a range of it.
    Bytes(Wanted),
    /// The client has it.
    NotModified,
}

impl Conditions {
    /// What a GET is to be answered.
    pub fn select(&self, current: Current<'_>) -> Result<Selected, ApiError> {
        if !self.holds(current) {
            return Err(ApiError::PreconditionFailed { etag: current.etag.to_owned() });
        }
        if self.client_has(current) {
            return Ok(Selected::NotModified);
        }
        let range = self.range.as_deref().filter(|_| self.range_is_of(current));
        byte_range::wanted(range, current.bytes).map(Selected::Bytes)
    }

    /// Steps 1 and 2: whether the object is the one that is meant.
    fn holds(&self, current: Current<'_>) -> bool {
        let date = self.if_unmodified_since.as_deref().and_then(http_date::parsed);
        match (&self.if_match, date) {
            (Some(tags), _) => matches(tags, current.etag, Comparison::Strong),
            (None, Some(date)) => current.modified_at.unix_seconds() <= date,
            (None, None) => true,
        }
    }

    /// Steps 3 and 4: whether the client has the object already.
    fn client_has(&self, current: Current<'_>) -> bool {
        let date = self.if_modified_since.as_deref().and_then(http_date::parsed);
        match (&self.if_none_match, date) {
            (Some(tags), _) => matches(tags, current.etag, Comparison::Weak),
            (None, Some(date)) => current.modified_at.unix_seconds() <= date,
            (None, None) => false,
        }
    }

    /// Step 5: whether the range that is asked for is one of this object.
    fn range_is_of(&self, current: Current<'_>) -> bool {
        let Some(validator) = self.if_range.as_deref().map(str::trim) else { return true };
        match http_date::parsed(validator) {
            Some(date) => current.modified_at.unix_seconds() == date,
            None => is_exactly(validator, current.etag),
        }
    }
}

/// How ETags are compared (section 8.8.3.2).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Comparison {
    /// A weak one is like no other.
    Strong,
    /// Whether it is weak makes no difference.
    Weak,
}

/// Whether this ETag is on the list, or the list is `*`: the object is there.
fn matches(list: &str, etag: &str, comparison: Comparison) -> bool {
    list.trim() == "*"
        || entity_tags(list).any(|tag| tag.opaque == etag && (comparison == Comparison::Weak || !tag.is_weak))
}

/// Whether this is one strong ETag, and this one.
fn is_exactly(validator: &str, etag: &str) -> bool {
    validator.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) == Some(etag)
}

/// One of a list.
struct EntityTag<'a> {
    opaque: &'a str,
    is_weak: bool,
}

/// The ETags of a list, up to where it is malformed. A comma may stand in one, so it is not split at them.
fn entity_tags(list: &str) -> impl Iterator<Item = EntityTag<'_>> {
    let mut rest = list;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches([',', ' ', '\t']);
        let (is_weak, quoted) = match rest.strip_prefix("W/") {
            Some(quoted) => (true, quoted),
            None => (false, rest),
        };
        let (opaque, after) = quoted.strip_prefix('"')?.split_once('"')?;
        rest = after;
        Some(EntityTag { opaque, is_weak })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `Sun, 06 Nov 1994 08:49:37 GMT`, and some milliseconds, which no header says.
    const CURRENT: Current<'static> =
        Current { etag: "abc", modified_at: UnixMs(784_111_777_123), bytes: ByteCount::ZERO };
    const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
    const THEN: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const AFTER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";

    fn answer(headers: &[(&str, &str)]) -> &'static str {
        let value = |name: &str| headers.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        let conditions = Conditions {
            if_match: value("match"),
            if_unmodified_since: value("unmodified"),
            if_none_match: value("none"),
            if_modified_since: value("modified"),
            if_range: value("if-range"),
            range: value("range"),
            follow: false,
        };
        match conditions.select(Current { bytes: 10.into(), ..CURRENT }) {
            Ok(Selected::Bytes(Wanted::Whole)) => "200",
            Ok(Selected::Bytes(Wanted::Range { first: 2, last: 5 })) => "206",
            Ok(Selected::NotModified) => "304",
            Err(ApiError::PreconditionFailed { etag }) if etag == "abc" => "412",
            Err(ApiError::RangeNotSatisfiable { .. }) => "416",
            other => panic!("{headers:?}: {other:?}"),
        }
    }

    #[test]
    fn one_precondition() {
        for (header, expected) in [
            (("match", "\"abc\""), "200"),
            (("match", "*"), "200"),
            (("match", "\"x\", \"abc\""), "200"),
            (("match", "\"a,b\" ,,\"abc\""), "200"),
            (("match", "\"x\""), "412"),
            (("match", "W/\"abc\""), "412"),
            (("match", "abc"), "412"),
            (("match", ""), "412"),
            (("unmodified", BEFORE), "412"),
            (("unmodified", THEN), "200"),
            (("unmodified", AFTER), "200"),
            (("unmodified", "Sunday, 06-Nov-94 08:49:36 GMT"), "412"),
            (("unmodified", "yesterday"), "200"),
            (("none", "\"abc\""), "304"),
            (("none", "W/\"abc\""), "304"),
            (("none", "\"x\", W/\"abc\""), "304"),
            (("none", "*"), "304"),
            (("none", "\"x\""), "200"),
            (("none", "abc"), "200"),
            (("none", ""), "200"),
            (("modified", BEFORE), "200"),
            (("modified", THEN), "304"),
            (("modified", AFTER), "304"),
            (("modified", "Sun Nov  6 08:49:38 1994"), "304"),
            (("modified", "now"), "200"),
            (("if-range", "\"x\""), "200"),
        ] {
            assert_eq!(answer(&[header]), expected, "{header:?}");
        }
    }

    #[test]
    fn several_preconditions_in_the_order_of_the_rfc() {
        let range = ("range", "bytes=2-5");
        for (headers, expected) in [
            // An ETag is asked instead of a date, and the first two before the other two.
            (vec![("match", "\"abc\""), ("unmodified", BEFORE)], "200"),
            (vec![("match", "\"x\""), ("unmodified", AFTER)], "412"),
            (vec![("none", "\"x\""), ("modified", AFTER)], "200"),
            (vec![("none", "\"abc\""), ("modified", BEFORE)], "304"),
            (vec![("match", "\"x\""), ("none", "\"abc\"")], "412"),
            (vec![("match", "\"abc\""), ("none", "\"abc\"")], "304"),
            (vec![("unmodified", THEN), ("modified", THEN)], "304"),
            // A range comes last.
            (vec![range], "206"),
            (vec![range, ("match", "\"x\"")], "412"),
            (vec![range, ("none", "\"abc\"")], "304"),
            (vec![range, ("match", "\"abc\""), ("none", "\"x\"")], "206"),
            (vec![range, ("if-range", "\"abc\"")], "206"),
            (vec![range, ("if-range", " \"abc\" ")], "206"),
            (vec![range, ("if-range", "W/\"abc\"")], "200"),
            (vec![range, ("if-range", "\"x\"")], "200"),
            (vec![range, ("if-range", "abc")], "200"),
            (vec![range, ("if-range", "\"abc\", \"x\"")], "200"),
            (vec![range, ("if-range", THEN)], "206"),
            (vec![range, ("if-range", AFTER)], "200"),
            (vec![range, ("if-range", BEFORE)], "200"),
            (vec![("range", "bytes=10-")], "416"),
            (vec![("range", "bytes=10-"), ("if-range", "\"x\"")], "200"),
            (vec![("range", "bytes=10-"), ("none", "\"abc\"")], "304"),
        ] {
            assert_eq!(answer(&headers), expected, "{headers:?}");
        }
    }
}
