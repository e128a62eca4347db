//! The `Range` of a download (RFC 9110, section 14): which bytes of the object are wanted.

use http_range_header::{EndPosition, StartPosition};

use crate::{refusal::Refusal, units::ByteCount};

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

/// Reads a `Range` header against an object's size.
pub fn wanted(range: Option<&str>, object_bytes: ByteCount) -> Result<Wanted, Refusal> {
    let Some(range) = range else { return Ok(Wanted::Whole) };
    // Malformed ranges are to be ignored.
    let Ok(parsed) = http_range_header::parse_range_header(range) else { return Ok(Wanted::Whole) };
    let [only] = parsed.ranges.as_slice() else { return Ok(Wanted::Whole) };
    let size = object_bytes.get();
    let last = match (only.start, only.end) {
        // Not a range at all, so as if it were not there.
        (StartPosition::Index(first), EndPosition::Index(last)) if last < first => return Ok(Wanted::Whole),
        (_, EndPosition::Index(last)) => last.min(size.saturating_sub(1)),
        (_, EndPosition::LastByte) => size.saturating_sub(1),
    };
    // A suffix longer than the object means all of it; one of no bytes means none.
    let first = match only.start {
        StartPosition::Index(first) => first,
        StartPosition::FromLast(0) => size,
        StartPosition::FromLast(count) => size.saturating_sub(count),
    };
    if first >= size { Err(Refusal::RangeNotSatisfiable { object_bytes }) } else { Ok(Wanted::Range { first, last }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_ten_bytes() {
        let unsatisfiable = Err(Refusal::RangeNotSatisfiable { object_bytes: 10.into() });
        for (range, expected) in [
            (None, Ok(Wanted::Whole)),
            (Some("bytes=0-0"), Ok(Wanted::Range { first: 0, last: 0 })),
            (Some("bytes=2-"), Ok(Wanted::Range { first: 2, last: 9 })),
            (Some("bytes=-3"), Ok(Wanted::Range { first: 7, last: 9 })),
            (Some("bytes=5-100"), Ok(Wanted::Range { first: 5, last: 9 })),
            (Some("bytes=-100"), Ok(Wanted::Range { first: 0, last: 9 })),
            (Some("bytes=10-"), unsatisfiable.clone()),
            (Some("bytes=0-1,3-4"), Ok(Wanted::Whole)),
            (Some("lines=0-1"), Ok(Wanted::Whole)),
            (Some("bytes=b-a"), Ok(Wanted::Whole)),
            (Some("bytes=9-2"), Ok(Wanted::Whole)),
            (Some("bytes=3-3"), Ok(Wanted::Range { first: 3, last: 3 })),
        ] {
            assert_eq!(wanted(range, 10.into()), expected, "{range:?}");
        }
        assert!(wanted(Some("bytes=0-"), 0.into()).is_err(), "an empty object has no first byte");
    }
}
