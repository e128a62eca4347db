//! The direct door, carried out. The upload's object hands out numbers and counts; here URLs are signed for them, and R2 is
//! asked what it has before anything counts. No byte of a part comes by.

use std::collections::BTreeMap;

use durable_objects::platform::error::Result;
use durable_objects::rpc::{
    Door, ask,
    direct::{AssembleParts, FindSigned, RecordParts, SignParts},
    upload::AwaitObject,
};
use upload_core::{
    direct::{Chosen, Claim, Granted, Listed, Wish},
    log_line::LogLine,
    operation::Outcome,
    refusal::Refusal,
    s3::ListedPart,
    session::{Found, Signed},
    units::{ByteCount, UnixMs, UploadId},
    upload::Phase,
};

use crate::{
    context::{Call, Carried},
    log::{self, now_ms},
    storage::{
        s3::S3Bucket,
        s3_listing::{self, Listing},
    },
};

/// Carries out a wish about parts that the client stores itself.
pub(crate) async fn carry_out(id: UploadId, wish: Wish, call: Call<'_>) -> Carried {
    let bucket = match S3Bucket::open(call.env) {
        Ok(bucket) => bucket,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let objects = call.uploads()?;
    match wish {
        Wish::Sign(chunks) => sign(id, chunks, &bucket, &objects).await,
        Wish::Record(claims) => record(id, &claims, &bucket, &objects).await,
        Wish::List => list(id, &bucket, &objects).await,
        Wish::Assemble(chosen) => assemble(id, chosen, &objects).await,
    }
}

async fn sign(id: UploadId, chunks: Vec<u32>, bucket: &S3Bucket, objects: &Door) -> Carried {
    let slots = match ask(objects, id, &SignParts(chunks)).await? {
        Ok(slots) => slots,
        Err(refusal) => return Ok(Err(refusal)),
    };
    // Dies here: the numbers are spent, and nobody has a URL for them.
    let now = UnixMs(now_ms());
    let signed = slots.iter().map(|slot| bucket.sign(slot, now)).collect::<Result<_>>()?;
    log::info(&LogLine {
        attempt: slots.first().map(|slot| slot.number.into()),
        parts: Some(slots.len() as u64),
        ..LogLine::of("parts_signed", id)
    });
    Ok(Ok(Outcome::Granted(Granted::Signed(id, signed))))
}

/// Counts what the client says it has stored, as far as R2 says so too.
async fn record(id: UploadId, claims: &[Claim], bucket: &S3Bucket, objects: &Door) -> Carried {
    let found = match ask(objects, id, &FindSigned).await? {
        Ok(signed) => match confirmed(claims, &signed, bucket).await? {
            Ok(found) => found,
            Err(refusal) => return Ok(Err(refusal)),
        },
        // All bytes are there: where these are among them, the answer to the same record was lost. Nothing more is counted.
        Err(Refusal::ChunkAlreadyStored { .. }) => {
            claims.iter().map(|claim| Found { number: claim.number, etag: String::new(), bytes: None }).collect()
        }
        Err(refusal) => return Ok(Err(refusal)),
    };
    // Dies here: R2 has the parts and nobody counts them; they can be recorded again.
    let answer = ask(objects, id, &RecordParts(found)).await?;
    Ok(answer.map(|now| Outcome::Appended {
        id,
        uploaded_bytes: now.uploaded_bytes,
        file_bytes: now.plan.declared_bytes(),
        expires_at: now.expires_at,
        phase: now.phase,
        object: now.object,
    }))
}

/// The claims, as R2 has them.
async fn confirmed(claims: &[Claim], signed: &Signed, bucket: &S3Bucket) -> Result<Result<Vec<Found>, Refusal>> {
    let numbers = claims.iter().map(|claim| claim.number);
    let stored = match s3_listing::of(bucket, signed, numbers).await? {
        Ok(Listing::Parts(stored)) => Some(stored),
        // R2's simulator: completion is the proof, and it needs to know the ETag.
        Ok(Listing::Unsupported) => None,
        Err(refusal) => return Ok(Err(refusal)),
    };
    Ok(claims.iter().map(|claim| confirm(claim, stored.as_ref(), signed.uploaded_bytes)).collect())
}

fn confirm(
    claim: &Claim,
    stored: Option<&BTreeMap<u16, ListedPart>>,
    uploaded_bytes: ByteCount,
) -> Result<Found, Refusal> {
    let number = claim.number;
    let Some(stored) = stored else {
        let etag = claim.etag.clone().ok_or_else(|| {
            Refusal::bad_request("etag", "is missing, and this endpoint of R2 cannot be asked what it has")
        })?;
        return Ok(Found { number, etag, bytes: None });
    };
    let part = stored.get(&number).filter(|part| claim.etag.as_ref().is_none_or(|etag| *etag == part.etag));
    let part = part.ok_or(Refusal::PartNotStored { part_number: number, uploaded_bytes })?;
    Ok(Found { number, etag: part.etag.clone(), bytes: Some(part.bytes) })
}

async fn list(id: UploadId, bucket: &S3Bucket, objects: &Door) -> Carried {
    let signed = match ask(objects, id, &FindSigned).await? {
        Ok(signed) => signed,
        // Nothing is missing.
        Err(Refusal::ChunkAlreadyStored { .. }) => return Ok(Ok(Outcome::Granted(Granted::Listed(Vec::new())))),
        Err(refusal) => return Ok(Err(refusal)),
    };
    let stored = match s3_listing::of(bucket, &signed, signed.numbers.iter().map(|(_, number)| *number)).await? {
        Ok(Listing::Parts(stored)) => stored,
        // R2's simulator: as if it had none, so that everything is sent again.
        Ok(Listing::Unsupported) => BTreeMap::new(),
        Err(refusal) => return Ok(Err(refusal)),
    };
    let listed = signed.numbers.iter().filter_map(|(chunk, number)| {
        let part = stored.get(number)?;
        Some(Listed { chunk: *chunk, etag: part.etag.clone(), bytes: part.bytes })
    });
    Ok(Ok(Outcome::Granted(Granted::Listed(listed.collect()))))
}

/// Has R2 put the object together, and waits until it has. It is read back after that, for longer than anybody waits: what
/// the sender learns is that storage has exactly the parts that it had listed.
async fn assemble(id: UploadId, chosen: Vec<Chosen>, objects: &Door) -> Carried {
    if let Err(refusal) = ask(objects, id, &AssembleParts(chosen)).await? {
        return Ok(Err(refusal));
    }
    Ok(match ask(objects, id, &AwaitObject).await? {
        Ok(now) => match (now.phase, now.reason.clone()) {
            (Phase::Verifying | Phase::Completed, _) => Ok(Outcome::Completing(now)),
            (Phase::Open, reason) => Err(Refusal::bad_request("parts", reason.unwrap_or_default())),
            (phase, Some(reason)) => Err(Refusal::UploadGone { phase, reason }),
            (_, None) => Err(Refusal::Completing),
        },
        Err(refusal) => Err(refusal),
    })
}
