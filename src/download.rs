//! The object out, by signed URL: R2's own stream, handed through untouched. What is served is inert: an attachment that no
//! browser sniffs or runs.

use durable_objects::fault::Result;
use durable_objects::rpc::{
    ask,
    upload::{FindObject, FoundObject},
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use upload_core::{
    byte_range::{self, Wanted},
    operation::{Content, Download},
    refusal::Refusal,
    units::UnixMs,
    upload::{ObjectFacts, Phase, Snapshot},
};
use worker::{Headers, Range, Response, ResponseBuilder};

use crate::{call::Call, log::now_ms, signed_url, uploads::BUCKET_BINDING};

/// The object's bytes and how its upload stands, or why there are none.
type Served = Result<Result<(Response, Snapshot), Refusal>>;

/// Answers with the object or the wanted range of it, to whoever has a signed URL.
pub(crate) async fn serve(download: &Download, call: Call<'_>) -> Served {
    if let Err(refusal) = signed_url::verify(&call.config.download_secrets, download, UnixMs(now_ms())) {
        return Ok(Err(refusal));
    }
    let content = Content { id: download.id, head_only: download.head_only, range: download.range.clone() };
    serve_owner(&content, call).await
}

/// Answers with the object or the wanted range of it, to its owner.
pub(crate) async fn serve_owner(download: &Content, call: Call<'_>) -> Served {
    let objects = call.uploads()?;
    let FoundObject { object, snapshot } = match ask(&objects, download.id, &FindObject).await? {
        Ok(found) => found,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let bytes = snapshot.plan.file_bytes;
    let wanted = match byte_range::wanted(download.range.as_deref(), bytes) {
        Ok(wanted) => wanted,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let builder = ResponseBuilder::new().with_headers(headers(&object, &snapshot, wanted)?).with_status(match wanted {
        Wanted::Whole => 200,
        Wanted::Range { .. } => 206,
    });
    if download.head_only || bytes.is_zero() {
        return Ok(Ok((builder.empty(), snapshot)));
    }
    let bucket = call.env.bucket(BUCKET_BINDING)?;
    let mut get = bucket.get(&object.key);
    if let Wanted::Range { first, last } = wanted {
        get = get.range(Range::OffsetWithLength { offset: first, length: last - first + 1 });
    }
    let Some(stored) = get.execute().await? else {
        let reason = "The object is not in storage any more.".to_owned();
        return Ok(Err(Refusal::UploadGone { phase: Phase::Completed, reason }));
    };
    match stored.body() {
        Some(body) => Ok(Ok((builder.body(body.response_body()?), snapshot))),
        None => Err("R2 gave an object without a body".into()),
    }
}

fn headers(object: &ObjectFacts, snapshot: &Snapshot, wanted: Wanted) -> Result<Headers> {
    let headers = Headers::new();
    let (length, range) = match wanted {
        Wanted::Whole => (snapshot.plan.file_bytes.get(), None),
        Wanted::Range { first, last } => {
            (last - first + 1, Some(format!("bytes {first}-{last}/{}", snapshot.plan.file_bytes)))
        }
    };
    headers.set("content-length", &length.to_string())?;
    if let Some(range) = range {
        headers.set("content-range", &range)?;
    }
    headers.set("accept-ranges", "bytes")?;
    headers.set("etag", &format!("\"{}\"", object.etag))?;
    headers.set("content-type", snapshot.file.content_type.as_deref().unwrap_or("application/octet-stream"))?;
    headers.set("content-disposition", &attachment(&snapshot.file.name))?;
    headers.set("x-content-type-options", "nosniff")?;
    headers.set("content-security-policy", "sandbox; default-src 'none'")?;
    headers.set("cache-control", "private, no-store")?;
    Ok(headers)
}

/// What stands for itself in the extended notation of RFC 8187: letters, digits, and these.
const ATTRIBUTE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// RFC 6266.
fn attachment(file_name: &str) -> String {
    format!("attachment; filename*=UTF-8''{}", utf8_percent_encode(file_name, ATTRIBUTE))
}
