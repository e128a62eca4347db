//! The `Range` of a download (RFC 9110, section 14): which bytes of the object are wanted.

use crate::{api_error::ApiError, units::ByteCount};

/// The wanted bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// All of them: no range was asked for, or one that this service does not serve (several at once), which may be
    /// answered with everything.
    Whole,
    /// From the first to the last, inclusive.
    Range {
        /// The first byte.
        first: u64,
        /// The last byte.
        last: u64,
    },
}

/// One range, as it is asked for.
enum Spec {
    /// `2-5`, or `2-` to the end.
    From { first: u64, last: Option<u64> },
    /// `-5`: so many from the end.
    Last(u64),
}

/// Reads a `Range` header against an object's size. One that is malformed, or of another unit, is to be ignored.
pub fn wanted(range: Option<&str>, object_bytes: ByteCount) -> Result<Wanted, ApiError> {
    let Some(spec) = range.and_then(single) else { return Ok(Wanted::Whole) };
    let size = object_bytes.get();
    let unsatisfiable = Err(ApiError::RangeNotSatisfiable { object_bytes });
    match spec {
        Spec::Last(0) => unsatisfiable,
        // The last bytes of no bytes are all of them, and no `Content-Range` could say so.
        Spec::Last(_) if size == 0 => Ok(Wanted::Whole),
        Spec::Last(count) => Ok(Wanted::Range { first: size.saturating_sub(count), last: size - 1 }),
        Spec::From { first, .. } if first >= size => unsatisfiable,
        Spec::From { first, last } => {
            Ok(Wanted::Range { first, last: last.map_or(size - 1, |last| last.min(size - 1)) })
        }
    }
}

/// The one range of a set; `None` where there are several, or it is none.
fn single(range: &str) -> Option<Spec> {
    let set = range.split_once('=').filter(|(unit, _)| unit.trim().eq_ignore_ascii_case("bytes"))?.1;
    let mut specs = set.split(',').map(str::trim).filter(|spec| !spec.is_empty());
    let (only, None) = (specs.next()?, specs.next()) else { return None };
    let (first, last) = only.split_once('-')?;
    if first.is_empty() {
        return number(last).map(Spec::Last);
    }
    let (first, last) = (number(first)?, if last.is_empty() { None } else { Some(number(last)?) });
    last.is_none_or(|last| first <= last).then_some(Spec::From { first, last })
}

/// Digits and nothing else. What is too large for a number is beyond every object all the same.
fn number(digits: &str) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_ten_bytes() {
        let unsatisfiable = Err(ApiError::RangeNotSatisfiable { object_bytes: 10.into() });
        let some = |first, last| Ok(Wanted::Range { first, last });
        for (range, expected) in [
            ("bytes=0-0", some(0, 0)),
            ("bytes=3-3", some(3, 3)),
            ("bytes=2-", some(2, 9)),
            ("bytes=-3", some(7, 9)),
            ("bytes=5-100", some(5, 9)),
            ("bytes=-100", some(0, 9)),
            ("bytes=5-99999999999999999999999", some(5, 9)),
            ("bytes=-99999999999999999999999", some(0, 9)),
            ("Bytes=0-1", some(0, 1)),
            ("bytes= , 0-1 ,", some(0, 1)),
            ("bytes=10-", unsatisfiable.clone()),
            ("bytes=10-10", unsatisfiable.clone()),
            ("bytes=99999999999999999999999-", unsatisfiable.clone()),
            ("bytes=-0", unsatisfiable),
            // Several at once, another unit, and what is no range.
            ("bytes=0-1,3-4", Ok(Wanted::Whole)),
            ("bytes=0-1,99-", Ok(Wanted::Whole)),
            ("lines=0-1", Ok(Wanted::Whole)),
            ("bytes=b-a", Ok(Wanted::Whole)),
            ("bytes=9-2", Ok(Wanted::Whole)),
            ("bytes=-", Ok(Wanted::Whole)),
            ("bytes=--1", Ok(Wanted::Whole)),
            ("bytes=+1-2", Ok(Wanted::Whole)),
            ("bytes=0 - 1", Ok(Wanted::Whole)),
            ("bytes=", Ok(Wanted::Whole)),
            ("bytes", Ok(Wanted::Whole)),
            ("", Ok(Wanted::Whole)),
        ] {
            assert_eq!(wanted(Some(range), 10.into()), expected, "{range:?}");
        }
        assert_eq!(wanted(None, 10.into()), Ok(Wanted::Whole));
    }

    #[test]
    fn an_object_of_no_bytes_has_no_first_byte_and_its_last_bytes_are_all_of_it() {
        for (range, is_whole) in [("bytes=0-", false), ("bytes=0-0", false), ("bytes=-0", false), ("bytes=-5", true)] {
            assert_eq!(wanted(Some(range), ByteCount::ZERO).is_ok(), is_whole, "{range}");
        }
    }
}
