//! How a refusal is read back from the JSON in which an object sends it: all its fields in one flat record, taken from
//! there by whichever variant is named.
//!
//! serde's own way would give every variant a parser, 30 kB of wasm. A variant that is missing below does not compile.

use serde::Deserialize;

use crate::{
    refusal::Refusal,
    units::{ByteCount, UploadId},
    upload::Phase,
};

/// Every field that any refusal has.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Flat {
    code: String,
    phase: Option<Phase>,
    reason: Option<String>,
    upload: Option<UploadId>,
    uploaded_bytes: Option<ByteCount>,
    file_bytes: Option<ByteCount>,
    chunk_bytes: Option<ByteCount>,
    limit_bytes: Option<ByteCount>,
    missing_bytes: Option<ByteCount>,
    object_bytes: Option<ByteCount>,
    retry_after_seconds: Option<u32>,
    supported: Option<String>,
    expected: Option<String>,
    field: Option<String>,
    detail: Option<String>,
    actual: Option<String>,
    allow: Option<String>,
    allowed: Option<String>,
    quota: Option<String>,
    part_number: Option<u16>,
    part_bytes: Option<ByteCount>,
    expected_bytes: Option<ByteCount>,
}

/// A field as a variant has it: always, or sometimes.
trait Given<T> {
    fn given(self) -> Result<T, &'static str>;
}

impl<T> Given<T> for Option<T> {
    fn given(self) -> Result<T, &'static str> {
        self.ok_or("a refusal without one of its fields")
    }
}

impl<T> Given<Option<T>> for Option<T> {
    fn given(self) -> Result<Option<T>, &'static str> {
        Ok(self)
    }
}

macro_rules! refusals {
    ($($variant:ident { $($field:ident),* })*) => {
        impl TryFrom<Flat> for Refusal {
            type Error = &'static str;

            fn try_from(flat: Flat) -> Result<Self, &'static str> {
                match flat.code.as_str() {
                    $(stringify!($variant) => Ok(Self::$variant { $($field: flat.$field.given()?),* }),)*
                    _ => Err("no such refusal"),
                }
            }
        }

        /// Compiles only where every variant is named.
        const _: fn(&Refusal) = |refusal| match refusal {
            $(Refusal::$variant { .. } => (),)*
        };
    };
}

refusals! {
    UploadNotFound {}
    NoSuchRoute {}
    UploadGone { phase, reason }
    OffsetMismatch { uploaded_bytes }
    Superseded { uploaded_bytes }
    Composed {}
    BadPiece { upload, reason }
    BeyondDeclaredLength { file_bytes, uploaded_bytes }
    InconsistentLength { file_bytes, uploaded_bytes }
    Busy { uploaded_bytes, retry_after_seconds }
    NotAChunk { chunk_bytes, uploaded_bytes }
    ChunkAlreadyStored { uploaded_bytes }
    ChunkTooLarge { limit_bytes }
    UploadTooLarge { limit_bytes }
    DirectOnly {}
    NotDirect {}
    PartNotStored { part_number, uploaded_bytes }
    PartSizeMismatch { part_number, part_bytes, expected_bytes, uploaded_bytes }
    LengthRequired {}
    BodyCutShort { uploaded_bytes }
    BodyStalled { uploaded_bytes }
    StorageUnavailable { uploaded_bytes }
    UnsupportedVersion { supported }
    UnsupportedMediaType { expected }
    BadRequest { field, detail }
    ChecksumMismatch { uploaded_bytes }
    FileDigestMismatch { actual }
    Incomplete { missing_bytes, uploaded_bytes }
    Completing {}
    AttemptsExhausted {}
    NothingToRedeliver {}
    MethodNotAllowed { allow }
    QuotaExceeded { quota, retry_after_seconds }
    IdempotencyMismatch {}
    BadSignature {}
    RangeNotSatisfiable { object_bytes }
    NotConfigured { detail }
    Unauthorized {}
    InvalidToken { detail }
    TokenExpired {}
    NotPermitted { detail }
    TypeNotAllowed { allowed }
    RateLimited { retry_after_seconds }
    HeadTooLarge { limit_bytes }
    KeysUnavailable {}
    UpgradeRequired {}
    TooManyWatchers {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_crosses_between_object_and_worker_unchanged() {
        let bytes = ByteCount::from;
        for (refusal, json) in [
            (Refusal::Completing, r#"{"code":"Completing"}"#),
            (
                Refusal::Incomplete { missing_bytes: bytes(3), uploaded_bytes: bytes(4) },
                r#"{"code":"Incomplete","missingBytes":3,"uploadedBytes":4}"#,
            ),
            (
                Refusal::UploadGone { phase: Phase::Expired, reason: "late".to_owned() },
                r#"{"code":"UploadGone","phase":"expired","reason":"late"}"#,
            ),
            (
                Refusal::QuotaExceeded { quota: "q".to_owned(), retry_after_seconds: None },
                r#"{"code":"QuotaExceeded","quota":"q","retryAfterSeconds":null}"#,
            ),
            (
                Refusal::Busy { uploaded_bytes: bytes(0), retry_after_seconds: 5 },
                r#"{"code":"Busy","uploadedBytes":0,"retryAfterSeconds":5}"#,
            ),
        ] {
            assert_eq!(serde_json::to_string(&refusal).unwrap(), json);
            assert_eq!(serde_json::from_str::<Refusal>(json).unwrap(), refusal);
        }
    }

    #[test]
    fn what_is_no_refusal_is_an_error() {
        for wrong in [r#"{"code":"Nonsense"}"#, r#"{"code":"Busy","uploadedBytes":0}"#, r#"{"uploadedBytes":0}"#] {
            assert!(serde_json::from_str::<Refusal>(wrong).is_err(), "{wrong}");
        }
    }
}
