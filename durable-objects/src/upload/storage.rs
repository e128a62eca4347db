//! The object's control of R2: creating the multipart upload, completing it, and letting go of it. The Worker only moves
//! bytes; what exists in R2 is decided here, in one place that cannot race.

use crate::platform::error::Result;
use upload_core::{
    integrity::Crc64Nvme, media_types::FIRST_BYTES, session::Session, storage_fault::StorageFault, units::ByteCount,
};
use worker::{Object, Range};

use crate::{
    platform::{
        clock::now,
        object_storage::{ObjectStorage, StorageError},
    },
    upload::tables::PartName,
};

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

/// Has R2 put the object together from the counted parts, and looks whether it is what was counted.
///
/// May be called any number of times: where R2 says that it failed, the object may be there all the same (the answer was
/// lost, or an earlier call succeeded and died before it was stored), so it is looked for before anything else is said.
pub(crate) async fn assemble(bucket: &ObjectStorage, session: &Session, parts: Vec<PartName>) -> Assembly {
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
        Some(_) | None => bucket.put_empty(&key).await,
    };
    let error = match completed {
        Ok(object) => return checked(bucket, &object, session, crc64nvme).await,
        Err(error) => error,
    };
    match bucket.head(&key).await {
        Ok(Some(object)) => checked(bucket, &object, session, crc64nvme).await,
        Ok(None) => Assembly::Refused(error.fault, error.to_string()),
        Err(head_error) => unknown(&error, &head_error),
    }
}

/// R2 did not do it, and does not say whether it has. Only where it would not let us in, it certainly has not.
fn unknown(error: &StorageError, head_error: &StorageError) -> Assembly {
    let fault = match error.fault {
        StorageFault::Refused => StorageFault::Refused,
        _ => StorageFault::Retry,
    };
    Assembly::Refused(fault, format!("{error}; looking for the object: {head_error}"))
}

/// The same with parts that the client stored itself: R2 alone knows whether they are what was recorded, since whoever has a URL
/// may have used it again, so what it refuses here can be mended.
async fn assemble_direct(bucket: &ObjectStorage, session: &Session, parts: Vec<PartName>) -> Assembly {
    let birth = &session.birth;
    let completed = match &birth.multipart_id {
        Some(id) => complete(bucket, &birth.key, id, parts).await,
        None => bucket.put_empty(&birth.key).await,
    };
    let error = match completed {
        Ok(object) => return unseen(bucket, &object, session).await,
        Err(error) => error,
    };
    match bucket.head(&birth.key).await {
        Ok(Some(object)) => unseen(bucket, &object, session).await,
        Ok(None) => match error.fault {
            StorageFault::Damaged | StorageFault::Misfit => Assembly::Changed(error.to_string()),
            fault => Assembly::Refused(fault, error.to_string()),
        },
        Err(head_error) => unknown(&error, &head_error),
    }
}

/// Its first bytes must be those of what the file may be; how long it is the session judges, and the rest is read back.
async fn unseen(bucket: &ObjectStorage, object: &Object, session: &Session) -> Assembly {
    let Some(bytes) = ByteCount::new(object.size()) else {
        return Assembly::Impossible("Storage has an object of more than 2^53 bytes.".to_owned());
    };
    match first_bytes_allowed(bucket, session, bytes.get()).await {
        Ok(None) => Assembly::Unseen { etag: object.etag(), bytes },
        Ok(Some(reason)) => Assembly::Impossible(reason),
        Err(error) => Assembly::Refused(StorageFault::Retry, error.to_string()),
    }
}

/// Has R2 let go of whatever it need not hold: the segments of an upload that has ended, and what its attempts have put without
/// its counting; and of an unwanted one the unfinished parts and the object. Both are asked for, since a crash may have left
/// either, and asking for what is not there is no error.
pub(crate) async fn free(bucket: &ObjectStorage, session: &Session) -> Result<()> {
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
    let key = session.object_key();
    if let Some(id) = session.multipart_id() {
        bucket.abort(&key, id).await?;
    }
    Ok(bucket.delete(&key).await?)
}

/// Deletes the objects whose keys begin so, as far as they are meant. R2 lists as many at once as it deletes at once: 1,000.
async fn delete_below(bucket: &ObjectStorage, prefix: &str, is_meant: impl Fn(&String) -> bool) -> Result<()> {
    let mut cursor = None;
    loop {
        let found = bucket.list(prefix, cursor).await?;
        let keys: Vec<String> = found.objects().iter().map(Object::key).filter(&is_meant).collect();
        if !keys.is_empty() {
            bucket.delete_all(keys).await?;
        }
        cursor = found.cursor().filter(|_| found.truncated());
        if cursor.is_none() {
            return Ok(());
        }
    }
}

async fn complete(bucket: &ObjectStorage, key: &str, id: &str, parts: Vec<PartName>) -> Result<Object, StorageError> {
    bucket.complete(key, id, parts.into_iter().map(|part| (part.number, part.etag))).await
}

/// The size must be what the session counted. The ETag is taken as it is.
async fn checked(bucket: &ObjectStorage, object: &Object, session: &Session, crc64nvme: Crc64Nvme) -> Assembly {
    let (found, counted) = (object.size(), session.plan().file_bytes.get());
    if found != counted {
        return Assembly::Impossible(format!("Storage has {found} bytes of {counted}."));
    }
    allowed(bucket, session, object.etag(), crc64nvme).await
}

/// The first bytes must be those of what the file may be.
async fn allowed(bucket: &ObjectStorage, session: &Session, etag: String, crc64nvme: Crc64Nvme) -> Assembly {
    if session.is_known_damaged(crc64nvme) {
        // Its first bytes may be what is wrong with it. They are looked at when it is repaired.
        return Assembly::Done { etag, crc64nvme };
    }
    match first_bytes_allowed(bucket, session, session.plan().file_bytes.get()).await {
        Ok(None) => Assembly::Done { etag, crc64nvme },
        Ok(Some(reason)) => Assembly::Impossible(reason),
        Err(error) => Assembly::Refused(StorageFault::Retry, error.to_string()),
    }
}

/// One read of a few kilobytes, and only where there is a list of what the file may be. What it is instead, where it may not be that.
async fn first_bytes_allowed(bucket: &ObjectStorage, session: &Session, object_bytes: u64) -> Result<Option<String>> {
    let Some(types) = &session.birth.types else { return Ok(None) };
    let declared = session.birth.file.content_type.as_deref().unwrap_or_default();
    if object_bytes == 0 {
        return Ok(types.check_first_bytes(declared, &[]).err());
    }
    let range = Range::Prefix { length: FIRST_BYTES.into() };
    let object = bucket.get(&session.object_key(), Some(range)).await?.ok_or("the object is not there")?;
    let first_bytes = match object.body() {
        Some(body) => body.bytes().await?,
        None => Vec::new(),
    };
    Ok(types.check_first_bytes(declared, &first_bytes).err())
}
