//! What R2 has of an unfinished upload (S3's `ListParts`). The binding cannot say it, nor can R2's simulator.

use durable_objects::platform::error::{Error, Result};
use upload_s3::{ListedPart, read_page};
use upload_session::session::Signed;
use upload_types::{api_error::ApiError, units::UnixMs};

use crate::storage::s3::{S3Bucket, refused_keys};
use crate::{log::now_ms, setting};

/// What R2 says.
pub(crate) enum Listing {
    /// It has these, in the order of their numbers, and maybe others outside the range that was asked for.
    Parts(Vec<ListedPart>),
    /// It does not say.
    Unsupported,
}

/// Lists the parts with these numbers, in pages of a thousand.
pub(crate) async fn of(
    bucket: &S3Bucket,
    signed: &Signed,
    numbers: impl Iterator<Item = u16> + Clone,
) -> Result<Listing> {
    let mut parts = Vec::new();
    let Some(last) = numbers.clone().max() else { return Ok(Listing::Parts(parts)) };
    let mut behind = numbers.min().unwrap_or(last).saturating_sub(1);
    loop {
        let mut answer = bucket.list_parts(&signed.key, &signed.multipart_id, behind, UnixMs(now_ms())).await?;
        let (status, body) = (answer.status_code(), answer.text().await?);
        match status {
            200 => {}
            501 => return Ok(Listing::Unsupported),
            401 | 403 => return Err(ApiError::from(refused_keys("ListParts")).into()),
            404 => {
                return Err(ApiError::from(setting::missing(
                    "R2_S3_BUCKET",
                    "is not the bucket of the binding BUCKET",
                ))
                .into());
            }
            _ => return Err(ApiError::StorageUnavailable { uploaded_bytes: signed.uploaded_bytes }.into()),
        }
        let page = read_page(&body).ok_or_else(|| Error::from("R2's list of parts cannot be read"))?;
        parts.extend(page.parts);
        match page.next_behind {
            // A page that does not go on would be asked for again and again.
            Some(next) if next > behind && next < last => behind = next,
            _ => return Ok(Listing::Parts(parts)),
        }
    }
}
