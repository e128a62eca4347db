//! What an error of R2 means for an upload: the one place that reads R2's error codes.
//!
//! The binding throws plain errors whose message ends with the code in parentheses, `… (10024)`; there is nothing else to
//! go by. Codes: <https://developers.cloudflare.com/r2/api/error-codes/>.

/// What to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StorageFault {
    /// R2 may work a moment later: wait and try again.
    Retry,
    /// The multipart upload is not there (any more): it was completed, aborted, or dropped by R2 after its 7 days.
    Gone,
    /// R2 does not have what the session counted.
    Damaged,
    /// The parts do not fit together: a mistake of whoever made them.
    Misfit,
    /// R2 does not do this, as things are: somebody must change something first.
    Refused,
    /// The body ended before its declared length: the client went away.
    ClientLeft,
}

/// Reads the code at the end of R2's message.
pub fn classify(message: &str) -> StorageFault {
    match code(message) {
        // 10007 no such key, 10024 no such upload.
        Some(10_007 | 10_024) => StorageFault::Gone,
        // 10025 part missing or ETag not the stored one.
        Some(10_025) => StorageFault::Damaged,
        // 10011 part too small, 10048 parts of unequal size, 100100 entity too large.
        Some(10_011 | 10_048 | 100_100) => StorageFault::Misfit,
        // 10002 unauthorized, 10003 access denied, 10006 no such bucket, 10042 the account is not entitled to R2, 10069 the object is
        // locked by a rule of the bucket.
        Some(10_002 | 10_003 | 10_006 | 10_042 | 10_069) => StorageFault::Refused,
        // 10013 incomplete body, 10054 client disconnect.
        Some(10_013 | 10_054) => StorageFault::ClientLeft,
        // 10001 internal error, 10043 unavailable, 10058 too many requests, and whatever R2 comes up with next.
        _ => StorageFault::Retry,
    }
}

/// The number in the parentheses at the very end.
fn code(message: &str) -> Option<u32> {
    let (_, tail) = message.trim_end().strip_suffix(')')?.rsplit_once('(')?;
    tail.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_as_r2_sends_them() {
        for (message, expected) in [
            (
                "completeMultipartUpload: We encountered an internal error. Please try again. (10001)",
                StorageFault::Retry,
            ),
            ("uploadPart: The specified multipart upload does not exist. (10024)", StorageFault::Gone),
            ("complete: One or more of the specified parts could not be found. (10025)", StorageFault::Damaged),
            ("put: line one\nline two (10037)", StorageFault::Retry),
            ("There was a problem with the multipart upload. (10048)\n", StorageFault::Misfit),
            ("complete: Account not entitled to this feature. (10042)", StorageFault::Refused),
            ("Your client disconnected (10054)", StorageFault::ClientLeft),
            ("Network connection lost.", StorageFault::Retry),
            ("(not a code)", StorageFault::Retry),
            ("", StorageFault::Retry),
        ] {
            assert_eq!(classify(message), expected, "{message}");
        }
    }
}
