//! The object's control of R2: creating the multipart upload, completing it, and letting go of it. The Worker only moves
//! bytes; what exists in R2 is decided here, in one place that cannot race.

use crate::platform::error::{Error, Result};
use upload_core::{
    integrity::Crc64Nvme,
    media_types::FIRST_BYTES,
    session::Session,
    storage_fault::{StorageFault, classify},
    units::ByteCount,
};
use worker::{Bucket, Object, Range, UploadedPart};

use crate::{
    platform::{clock::now, fault_injection::around},
    upload::tables::PartName,
};

/// Which binding of wrangler.toml leads to the bucket.
pub(crate) const BUCKET_BINDING: &str = "BUCKET";

/// How completion went.
pub(crate) enum Assembly {
    /// R2 has the whole object.
    Done {
        /// Under this ETag.
        etag: String,
        /// With this CRC.
        crc64nvme: Crc64Nvme,
    },
    /// R2 has an object of parts that nobody here has seen.
    Unseen {
        /// Under this ETag.
        etag: String,
        /// So long.
        bytes: ByteCount,
    },
    /// R2 does not have the parts of a direct upload as they were recorded.
    Changed(String),
    /// It has another object than it should, and that will not change.
    Impossible(String),
    /// It does not put the object together, in these words.
    Refused(StorageFault, String),
}

/// Opens a multipart upload, and says R2's id of it.
pub(crate) async fn open(bucket: &Bucket, key: &str) -> Result<String> {
    let upload = around("r2.create", bucket.create_multipart_upload(key).execute()).await?;
    Ok(upload.upload_id().await)
}

/// Has R2 put the object together from the counted parts, and looks whether it is what was counted.
///
/// May be called any number of times: where R2 says that it failed, the object may be there all the same (the answer was
/// lost, or an earlier call succeeded and died before it was stored), so it is looked for before anything else is said.
pub(crate) async fn assemble(bucket: &Bucket, session: &Session, parts: Vec<PartName>) -> Assembly {
    if session.is_direct() {
        return assemble_direct(bucket, session, parts).await;
    }
    let crc64nvme = Crc64Nvme::of_parts(parts.iter().map(|part| (part.crc64nvme, part.bytes)));
    if let Some(reason) = session.is_not_worth_assembling(now(), crc64nvme) {
        return Assembly::Impossible(reason);
    }
    if let Some(part) = parts.first().filter(|_| session.is_put()) {
        // It has been an object from the start. Only what it is must still be looked at.
        return allowed(bucket, session, part.etag.clone(), crc64nvme).await;
    }
    // Of a repair a key of its own: the damaged object is never taken for the one that is being made.
    let key = session.object_key();
    let completed = match session.multipart_id() {
        Some(id) if !parts.is_empty() => complete(bucket, &key, id, parts).await,
        // A file that turned out empty has an unfinished multipart upload too; R2 drops it after 7 days.
        Some(_) | None => put_empty(bucket, &key).await,
    };
    let error = match completed {
        Ok(object) => return checked(bucket, &object, session, crc64nvme).await,
        Err(error) => error,
    };
    match around("r2.head", bucket.head(&key)).await {
        Ok(Some(object)) => checked(bucket, &object, session, crc64nvme).await,
        Ok(None) => Assembly::Refused(classify(&error.to_string()), error.to_string()),
        Err(head_error) => unknown(&error, &head_error),
    }
}

/// R2 did not do it, and does not say whether it has. Only where it would not let us in, it certainly has not.
fn unknown(error: &Error, head_error: &Error) -> Assembly {
    let fault = match classify(&error.to_string()) {
        StorageFault::Refused => StorageFault::Refused,
        _ => StorageFault::Retry,
    };
    Assembly::Refused(fault, format!("{error}; looking for the object: {head_error}"))
}

/// The same with parts that the client stored itself: R2 alone knows whether they are what was recorded, since whoever has a URL
/// may have used it again, so what it refuses here can be mended.
async fn assemble_direct(bucket: &Bucket, session: &Session, parts: Vec<PartName>) -> Assembly {
    let birth = &session.birth;
    let completed = match &birth.multipart_id {
        Some(id) => complete(bucket, &birth.key, id, parts).await,
        None => put_empty(bucket, &birth.key).await,
    };
    let error = match completed {
        Ok(object) => return unseen(bucket, &object, session).await,
        Err(error) => error,
    };
    match around("r2.head", bucket.head(&birth.key)).await {
        Ok(Some(object)) => unseen(bucket, &object, session).await,
        Ok(None) => match classify(&error.to_string()) {
            StorageFault::Damaged | StorageFault::Misfit => Assembly::Changed(error.to_string()),
            fault => Assembly::Refused(fault, error.to_string()),
        },
        Err(head_error) => unknown(&error, &head_error),
    }
}

/// Its first bytes must be those of what the file may be; how long it is the session judges, and the rest is read back.
async fn unseen(bucket: &Bucket, object: &Object, session: &Session) -> Assembly {
    let Some(bytes) = ByteCount::new(object.size()) else {
        return Assembly::Impossible("Storage has an object of more than 2^53 bytes.".to_owned());
    };
    match first_bytes_allowed(bucket, session, bytes.get()).await {
        Ok(Ok(())) => Assembly::Unseen { etag: object.etag(), bytes },
        Ok(Err(reason)) => Assembly::Impossible(reason),
        Err(error) => Assembly::Refused(StorageFault::Retry, error.to_string()),
    }
}

/// Has R2 let go of whatever it need not hold: the segments of an upload that has ended, and what its attempts have put without
/// its counting; and of an unwanted one the unfinished parts and the object. Both are asked for, since a crash may have left
/// either, and asking for what is not there is no error.
pub(crate) async fn free(bucket: &Bucket, session: &Session) -> Result<()> {
    let birth = &session.birth;
    if session.progress.holds_segments {
        // All segments of the upload, whoever wrote them and whether or not they were ever counted.
        delete_below(bucket, &birth.segment_prefix(), |_| true).await?;
        if session.may_have_stray_objects() {
            let counted = session.object_key();
            delete_below(bucket, &birth.put_prefix(), |key| *key != counted).await?;
        }
    }
    if !session.is_unwanted() {
        return Ok(());
    }
    abort(bucket, &session.object_key(), session.multipart_id()).await?;
    around("r2.delete", bucket.delete(session.object_key())).await
}

/// Has R2 let go of these objects, as far as they are there.
pub(crate) async fn delete(bucket: &Bucket, keys: Vec<String>) -> Result<()> {
    around("r2.delete", bucket.delete_multiple(keys)).await
}

/// Has R2 let go of an unfinished multipart upload, if it is there.
pub(crate) async fn abort(bucket: &Bucket, key: &str, id: Option<&str>) -> Result<()> {
    if let Some(id) = id {
        let upload = bucket.resume_multipart_upload(key, id)?;
        let aborted = around("r2.abort", upload.abort()).await;
        if let Err(error) = aborted
            && classify(&error.to_string()) != StorageFault::Gone
        {
            return Err(error);
        }
    }
    Ok(())
}

/// Deletes the objects whose keys begin so, as far as they are meant. R2 lists as many at once as it deletes at once: 1,000.
async fn delete_below(bucket: &Bucket, prefix: &str, is_meant: impl Fn(&String) -> bool) -> Result<()> {
    let mut cursor = None;
    loop {
        let mut list = bucket.list().prefix(prefix);
        if let Some(cursor) = cursor {
            list = list.cursor(cursor);
        }
        let found = around("r2.list", list.execute()).await?;
        let keys: Vec<String> = found.objects().iter().map(Object::key).filter(&is_meant).collect();
        if !keys.is_empty() {
            around("r2.delete", bucket.delete_multiple(keys)).await?;
        }
        cursor = found.cursor().filter(|_| found.truncated());
        if cursor.is_none() {
            return Ok(());
        }
    }
}

async fn complete(bucket: &Bucket, key: &str, id: &str, parts: Vec<PartName>) -> Result<Object> {
    let parts: Vec<_> = parts.into_iter().map(|part| UploadedPart::new(part.number, part.etag)).collect();
    around("r2.complete", bucket.resume_multipart_upload(key, id)?.complete(parts)).await
}

async fn put_empty(bucket: &Bucket, key: &str) -> Result<Object> {
    around("r2.put", bucket.put(key, Vec::new()).execute()).await?.ok_or_else(|| Error::from("R2 stored nothing"))
}

/// The size must be what the session counted. The ETag is taken as it is.
async fn checked(bucket: &Bucket, object: &Object, session: &Session, crc64nvme: Crc64Nvme) -> Assembly {
    let (found, counted) = (object.size(), session.plan().file_bytes.get());
    if found != counted {
        return Assembly::Impossible(format!("Storage has {found} bytes of {counted}."));
    }
    allowed(bucket, session, object.etag(), crc64nvme).await
}

/// The first bytes must be those of what the file may be.
async fn allowed(bucket: &Bucket, session: &Session, etag: String, crc64nvme: Crc64Nvme) -> Assembly {
    if session.is_known_damaged(crc64nvme) {
        // Its first bytes may be what is wrong with it. They are looked at when it is repaired.
        return Assembly::Done { etag, crc64nvme };
    }
    match first_bytes_allowed(bucket, session, session.plan().file_bytes.get()).await {
        Ok(Ok(())) => Assembly::Done { etag, crc64nvme },
        Ok(Err(reason)) => Assembly::Impossible(reason),
        Err(error) => Assembly::Refused(StorageFault::Retry, error.to_string()),
    }
}

/// One read of a few kilobytes, and only where there is a list of what the file may be. The inner error says what it is
/// instead.
async fn first_bytes_allowed(
    bucket: &Bucket,
    session: &Session,
    object_bytes: u64,
) -> Result<std::result::Result<(), String>> {
    let Some(types) = &session.birth.types else { return Ok(Ok(())) };
    let declared = session.birth.file.content_type.as_deref().unwrap_or_default();
    if object_bytes == 0 {
        return Ok(types.check_first_bytes(declared, &[]));
    }
    let get = bucket.get(session.object_key()).range(Range::Prefix { length: FIRST_BYTES.into() });
    let object = around("r2.get", get.execute()).await?.ok_or_else(|| Error::from("the object is not there"))?;
    let first_bytes = match object.body() {
        Some(body) => body.bytes().await?,
        None => Vec::new(),
    };
    Ok(types.check_first_bytes(declared, &first_bytes))
}
