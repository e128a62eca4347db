//! Dates: in headers (RFC 9110, section 5.6.7), to the second, `Sun, 06 Nov 1994 08:49:37 GMT`; as RFC 3339; and what others are made of. No
//! other file names a type of time of a library; the rest of the core knows [`UnixMs`] alone.

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

/// A date and a time of day in UTC, to the second.
pub struct Calendar {
    /// The year, up to 9999.
    pub year: i32,
    /// From 1.
    pub month: u8,
    /// Of the month, from 1.
    pub day: u8,
    /// Of the day, from 0, as are the others.
    pub hour: u8,
    /// Of the hour.
    pub minute: u8,
    /// Of the minute.
    pub second: u8,
}

/// What the calendar says. `time` ends with the year 9999: an instant beyond it can only be a corrupted row. Dates are written out where
/// they are wanted, since `time`'s own writing is 15 kB of wasm.
pub fn calendar(at: UnixMs) -> Option<Calendar> {
    let date = time::OffsetDateTime::from_unix_timestamp(i64::try_from(at.unix_seconds()).ok()?).ok()?;
    let ((year, month, day), (hour, minute, second)) = (date.to_calendar_date(), date.to_hms());
    Some(Calendar { year, month: month.into(), day, hour, minute, second })
}

impl UnixMs {
    /// RFC 3339 in UTC with milliseconds: `2026-11-21T09:00:00.000Z`.
    pub fn rfc3339(self) -> String {
        let Some(date) = calendar(self) else { return "9999-12-31T23:59:59.999Z".to_owned() };
        let (Calendar { year, month, day, hour, minute, second }, ms) = (date, self.0 % 1000);
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_written_as_rfc_3339() {
        assert_eq!(UnixMs(0).rfc3339(), "1970-01-01T00:00:00.000Z");
        assert_eq!(UnixMs(1_795_251_600_123).rfc3339(), "2026-11-21T09:00:00.123Z");
        assert_eq!(UnixMs(u64::MAX).rfc3339(), "9999-12-31T23:59:59.999Z");
    }

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
