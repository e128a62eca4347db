//! The time, as it is stored and shown: RFC 3339 in UTC, to the millisecond.

use time::OffsetDateTime;

/// Now, like `2026-11-21T09:00:00.000Z`. All of one length, so that text order is time order.
pub(crate) fn now() -> String {
    rfc3339(OffsetDateTime::now_utc())
}

fn rfc3339(at: OffsetDateTime) -> String {
    let (year, month, day) = at.to_calendar_date();
    let (hour, minute, second, millisecond) = at.to_hms_milli();
    let month = u8::from(month);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millisecond:03}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_every_digit() {
        let at = OffsetDateTime::UNIX_EPOCH + time::Duration::milliseconds(7);
        assert_eq!(rfc3339(at), "1970-01-01T00:00:00.007Z");
    }
}
