//! Presigned uploads, carried out. The upload's object hands out numbers and counts; here URLs are signed for them, and R2 is
//! asked what it has before anything counts. No byte of a part comes by.

use durable_objects::platform::error::{Error, Result};
use durable_objects::platform::telemetry::log_line::LogLine;
use durable_objects::rpc::{
    ObjectClient, call,
    direct::{AssembleParts, FindSigned, RecordParts, SignParts},
    upload::AwaitObject,
};
use upload_s3::ListedPart;
use upload_session::session::{Found, Signed};
use upload_types::{
    api_error::ApiError,
    operation::Outcome,
    presigned::{CompletedPart, Listed, PresignRequest, PresignResponse, ReportedPart},
    units::{ByteCount, UnixMs, UploadId},
    upload::Phase,
};

use crate::{
    context::{HandlerResult, RequestContext},
    handlers::await_object,
    log::{self, now_ms},
    storage::{
        s3::S3Bucket,
        s3_listing::{self, Listing},
    },
};

/// Carries out a wish about parts that the client stores itself.
pub(crate) async fn handle(id: UploadId, wish: PresignRequest, context: RequestContext<'_>) -> HandlerResult {
    let bucket = S3Bucket::open(context.env)?;
    let objects = context.uploads()?;
    match wish {
        PresignRequest::Sign(chunks) => sign(id, chunks, &bucket, &objects).await,
        PresignRequest::Record(claims) => record(id, &claims, &bucket, &objects).await,
        PresignRequest::List => list(id, &bucket, &objects).await,
        PresignRequest::Assemble(chosen) => assemble(id, chosen, &objects).await,
    }
}

async fn sign(id: UploadId, chunks: Vec<u32>, bucket: &S3Bucket, objects: &ObjectClient) -> HandlerResult {
    let slots = call(objects, id, &SignParts(chunks)).await?;
    // Crash here: the numbers are spent, and nobody has a URL for them.
    let now = UnixMs(now_ms());
    let signed = slots.iter().map(|slot| bucket.sign(slot, now)).collect::<Result<_>>()?;
    log::chunk(&LogLine {
        attempt: slots.first().map(|slot| slot.number.into()),
        parts: Some(slots.len() as u64),
        ..LogLine::of("parts_signed", id)
    });
    Ok(Outcome::Presigned(PresignResponse::Signed(id, signed)))
}

/// Counts what the client says it has stored, as far as R2 says so too.
async fn record(id: UploadId, claims: &[ReportedPart], bucket: &S3Bucket, objects: &ObjectClient) -> HandlerResult {
    let found = match call(objects, id, &FindSigned).await {
        Ok(signed) => confirmed(claims, &signed, bucket).await?,
        // All bytes are there: where these are among them, the answer to the same record was lost. Nothing more is counted.
        Err(Error::Refused(ApiError::ChunkAlreadyStored { .. })) => {
            claims.iter().map(|claim| Found { number: claim.number, etag: String::new(), bytes: None }).collect()
        }
        Err(error) => return Err(error),
    };
    // Crash here: R2 has the parts and nobody counts them; they can be recorded again.
    call(objects, id, &RecordParts(found)).await.map(|now| await_object::shown(&now))
}

/// The claims, as R2 has them.
async fn confirmed(claims: &[ReportedPart], signed: &Signed, bucket: &S3Bucket) -> Result<Vec<Found>> {
    let numbers = claims.iter().map(|claim| claim.number);
    let stored = match s3_listing::of(bucket, signed, numbers).await? {
        Listing::Parts(stored) => Some(stored),
        // R2's simulator: completion is the proof, and it needs to know the ETag.
        Listing::Unsupported => None,
    };
    claims.iter().map(|claim| Ok(confirm(claim, stored.as_deref(), signed.uploaded_bytes)?)).collect()
}

fn confirm(claim: &ReportedPart, stored: Option<&[ListedPart]>, uploaded_bytes: ByteCount) -> Result<Found, ApiError> {
    let number = claim.number;
    let Some(stored) = stored else {
        let etag = claim.etag.clone().ok_or_else(|| {
            ApiError::bad_request("etag", "is missing, and this endpoint of R2 cannot be asked what it has")
        })?;
        return Ok(Found { number, etag, bytes: None });
    };
    let part = with_number(stored, number).filter(|part| claim.etag.as_ref().is_none_or(|etag| *etag == part.etag));
    let part = part.ok_or(ApiError::PartNotStored { part_number: number, uploaded_bytes })?;
    Ok(Found { number, etag: part.etag.clone(), bytes: Some(part.bytes) })
}

/// The part with this number. R2 lists them in the order of their numbers.
fn with_number(stored: &[ListedPart], number: u16) -> Option<&ListedPart> {
    stored.binary_search_by_key(&number, |part| part.number).ok().and_then(|at| stored.get(at))
}

async fn list(id: UploadId, bucket: &S3Bucket, objects: &ObjectClient) -> HandlerResult {
    let signed = match call(objects, id, &FindSigned).await {
        // Nothing is missing.
        Err(Error::Refused(ApiError::ChunkAlreadyStored { .. })) => {
            return Ok(Outcome::Presigned(PresignResponse::Listed(Vec::new())));
        }
        signed => signed?,
    };
    let stored = match s3_listing::of(bucket, &signed, signed.numbers.iter().map(|(_, number)| *number)).await? {
        Listing::Parts(stored) => stored,
        // R2's simulator: as if it had none, so that everything is sent again.
        Listing::Unsupported => Vec::new(),
    };
    let listed = signed.numbers.iter().filter_map(|(chunk, number)| {
        let part = with_number(&stored, *number)?;
        Some(Listed { chunk: *chunk, etag: part.etag.clone(), bytes: part.bytes })
    });
    Ok(Outcome::Presigned(PresignResponse::Listed(listed.collect())))
}

/// Has R2 put the object together, and waits until it has. It is read back after that, for longer than anybody waits: what
/// the sender learns is that storage has exactly the parts that it had listed.
async fn assemble(id: UploadId, chosen: Vec<CompletedPart>, objects: &ObjectClient) -> HandlerResult {
    call(objects, id, &AssembleParts(chosen)).await?;
    let now = call(objects, id, &AwaitObject { result_ms: 0 }).await?;
    match (now.phase, now.reason.clone()) {
        (Phase::Verifying | Phase::Completed, _) => Ok(Outcome::Completing(now)),
        (Phase::Open, reason) => Err(ApiError::bad_request("parts", reason.unwrap_or_default()).into()),
        (phase, Some(reason)) => Err(ApiError::UploadGone { phase, reason }.into()),
        (_, None) => Err(ApiError::Completing.into()),
    }
}
