//! The object out, by signed URL, to its owner, or, where it is public, to everybody: R2's own stream, handed through untouched. What is said beside it stands in
//! `content_headers`, and what is served of a live upload in `growing`, and its playlist in `playlist`.

use durable_objects::platform::{
    error::{Error, Result},
    object_storage::{self, ObjectStorage},
};
use durable_objects::rpc::{
    call,
    upload::{FindForScanner, FindObject, FoundObject},
};
use upload_protocols::digest;
use upload_types::{
    api_error::ApiError,
    byte_range::Wanted,
    http_date,
    link::{Disposition, Download, Presentation, Served, inline_type},
    operation::Content,
    preconditions::{Conditions, Current, Selected},
    public_file::{self, PublicFile},
    units::{UnixMs, UploadId},
    upload::{ObjectFacts, Phase, Snapshot},
};
use worker::{Headers, Range, ResponseBody, ResponseBuilder};

use crate::{
    access::signed_url,
    context::RequestContext,
    handlers::{
        content_headers::{HandedOut, NOT_KEPT, describe},
        growing, playlist,
    },
    log::now_ms,
};

/// Answers with the object, the wanted range of it, or a playlist, to whoever has a signed URL.
pub(crate) async fn serve(download: &Download, context: RequestContext<'_>) -> HandedOut {
    signed_url::verify(&context.config.download_secrets, download, UnixMs(now_ms()))?;
    let Download { id, head_only, conditions, presentation, served, .. } = download;
    let query = (*served == Served::Playlist).then(|| signed_url::query_of(download));
    find_and_serve(*id, *head_only, conditions, presentation, query, context).await
}

/// Answers with the object, the wanted range of it, or a playlist, to its owner.
pub(crate) async fn serve_owner(download: &Content, context: RequestContext<'_>) -> HandedOut {
    let Content { id, head_only, conditions, served, .. } = download;
    let query = (*served == Served::Playlist).then(String::new);
    find_and_serve(*id, *head_only, conditions, &Presentation::default(), query, context).await
}

/// Answers with a public file or the wanted range of it, to anybody. To them nothing else is there.
pub(crate) async fn serve_everybody(wanted: &PublicFile, context: RequestContext<'_>) -> HandedOut {
    let found = match call(&context.uploads()?, wanted.id, &FindObject).await {
        Err(Error::Refused(_)) => None,
        found => Some(found?),
    };
    let is_it = |now: &Snapshot| now.public_url.is_some() && public_file::name(&now.file.name) == wanted.name;
    let mut found = found.filter(|found| is_it(&found.snapshot)).ok_or(ApiError::UploadNotFound)?;
    // Another page could have what has a type of its own run as its script or its style sheet, attachment or not. `nosniff` keeps it from bytes.
    let stated_type = &mut found.snapshot.file.content_type;
    if stated_type.as_deref().and_then(inline_type).is_none() {
        *stated_type = None;
    }
    let file_name = Some(wanted.name.clone());
    let presentation = Presentation { disposition: Disposition::Inline, file_name, ..Presentation::default() };
    // The bytes at this address are never others. Nobody on the way may compress them all the same: the ETag is of these.
    let max_age = context.config.public_max_age_seconds.to_string();
    let kept = ["public, max-age=", &max_age, ", immutable, no-transform"].concat();
    match hand_out(found, wanted.head_only, &wanted.conditions, &presentation, &kept, context).await {
        Err(Error::Refused(ApiError::UploadGone { .. })) => Err(ApiError::UploadNotFound.into()),
        served => served,
    }
}

/// The object: also where it is held, for whom that is meant.
pub(super) async fn find(
    id: UploadId,
    presentation: &Presentation,
    context: RequestContext<'_>,
) -> Result<FoundObject> {
    let objects = context.uploads()?;
    if presentation.for_scanner {
        call(&objects, id, &FindForScanner).await
    } else {
        call(&objects, id, &FindObject).await
    }
}

/// `query` is what stands behind the addresses of a playlist, where one is asked for.
async fn find_and_serve(
    id: UploadId,
    head_only: bool,
    conditions: &Conditions,
    presentation: &Presentation,
    query: Option<String>,
    context: RequestContext<'_>,
) -> HandedOut {
    if let Some(query) = query {
        return playlist::serve(id, head_only, &query, context).await;
    }
    match find(id, presentation, context).await {
        // A live upload is there as far as it has come.
        Err(Error::Refused(unfinished @ (ApiError::Incomplete { .. } | ApiError::Completing))) => {
            let now = growing::look(id, unfinished, context).await?;
            growing::serve(now, head_only, conditions, presentation, context)
        }
        found => hand_out(found?, head_only, conditions, presentation, NOT_KEPT, context).await,
    }
}

/// What was found, as it is wanted. `kept` says how those on the way may keep it.
async fn hand_out(
    found: FoundObject,
    head_only: bool,
    conditions: &Conditions,
    presentation: &Presentation,
    kept: &str,
    context: RequestContext<'_>,
) -> HandedOut {
    let FoundObject { object, completed_at, snapshot, .. } = found;
    let bytes = snapshot.plan.file_bytes;
    let headers = validators(&object, completed_at, kept)?;
    let wanted = match conditions.select(Current { etag: &object.etag, modified_at: completed_at, bytes })? {
        Selected::Bytes(wanted) => wanted,
        Selected::NotModified => {
            return Ok((ResponseBuilder::new().with_headers(headers).with_status(304).empty(), snapshot));
        }
    };
    // RFC 9530: of the whole object, also where a range of it is served.
    headers.set("repr-digest", &digest::answer(object.sha256, object.crc64nvme))?;
    let (length, range) = match wanted {
        Wanted::Whole => (bytes.get(), None),
        Wanted::Range { first, last } => (last - first + 1, Some(format!("bytes {first}-{last}/{bytes}"))),
    };
    describe(&headers, &snapshot, presentation, Some(length), range.as_deref())?;
    let builder = ResponseBuilder::new().with_headers(headers).with_status(match wanted {
        Wanted::Whole => 200,
        Wanted::Range { .. } => 206,
    });
    if head_only || bytes.is_zero() {
        return Ok((builder.empty(), snapshot));
    }
    let range = match wanted {
        Wanted::Whole => None,
        Wanted::Range { first, last } => Some(Range::OffsetWithLength { offset: first, length: last - first + 1 }),
    };
    let Some(stored) = ObjectStorage::open(context.env)?.get(&object.key, range).await? else {
        let reason = "The object is not in storage any more.".to_owned();
        return Err(ApiError::UploadGone { phase: Phase::Completed, reason }.into());
    };
    let stream = object_storage::stream(&stored)?.ok_or("R2 gave an object without a body")?;
    Ok((builder.body(ResponseBody::Stream(stream)), snapshot))
}

/// What a 304 says too (RFC 9110, section 15.4.5): which object it is, and how it may be kept.
fn validators(object: &ObjectFacts, completed_at: UnixMs, kept: &str) -> Result<Headers> {
    let headers = Headers::new();
    headers.set("etag", &format!("\"{}\"", object.etag))?;
    headers.set("last-modified", &http_date::written(completed_at))?;
    // A proxy that compresses would make the ETag that of other bytes.
    headers.set("cache-control", kept)?;
    Ok(headers)
}
