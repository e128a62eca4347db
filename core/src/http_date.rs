//! Dates in headers (RFC 9110, section 5.6.7), to the second: `Sun, 06 Nov 1994 08:49:37 GMT`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::units::UnixMs;

/// The last second of the year 9999, which is as far as such a date goes. An instant beyond it can only be a corrupted row.
const LAST_UNIX_SECOND: u64 = 253_402_300_799;

/// Writes one.
pub fn written(at: UnixMs) -> String {
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(at.unix_seconds().min(LAST_UNIX_SECOND)))
}

/// Reads one, also in the two obsolete forms that must be understood: seconds since the epoch. `None` where it is none.
pub fn parsed(text: &str) -> Option<u64> {
    let date: SystemTime = httpdate::parse_http_date(text).ok()?;
    date.duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_in_one_form_and_read_in_three() {
        for (at, expected) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (784_111_777_999, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (u64::MAX, "Fri, 31 Dec 9999 23:59:59 GMT"),
        ] {
            assert_eq!(written(UnixMs(at)), expected);
            assert_eq!(parsed(expected), Some(UnixMs(at).unix_seconds().min(LAST_UNIX_SECOND)));
        }
        for form in ["Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"] {
            assert_eq!(parsed(form), Some(784_111_777), "{form}");
        }
        for wrong in
            ["", "784111777", "Sun, 06 Nov 1994 08:49:37", "1994-11-06T08:49:37Z", "Sun, 31 Feb 1994 08:49:37 GMT"]
        {
            assert_eq!(parsed(wrong), None, "{wrong:?}");
        }
    }
}
