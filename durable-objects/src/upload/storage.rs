//! The object's calls to R2: opening a multipart upload, completing it, and letting go of it. The Worker only moves bytes; what exists in
//! R2 is decided by the object, in one place that cannot race. When what is called says [`upload_core::alarm`].

use upload_core::{
    alarm::{CountedPart, Deletion, Input},
    media_types::FIRST_BYTES,
    storage_fault::{StorageFault, classify},
};
use worker::{Bucket, Object, Range, UploadedPart};

use crate::platform::{
    error::{Error, Result},
    fault_injection::around,
};

/// Which binding of wrangler.toml leads to the bucket.
pub(crate) const BUCKET_BINDING: &str = "BUCKET";

/// Opens a multipart upload, and says R2's id of it.
pub(crate) async fn open(bucket: &Bucket, key: &str) -> Result<String> {
    let upload = around("r2.create", bucket.create_multipart_upload(key).execute()).await?;
    Ok(upload.upload_id().await)
}

/// Has R2 put the object together from these parts.
pub(crate) async fn complete(bucket: &Bucket, key: &str, id: &str, parts: Vec<CountedPart>) -> Result<Input> {
    let parts: Vec<_> = parts.into_iter().map(|part| UploadedPart::new(part.number, part.etag)).collect();
    let object = around("r2.complete", bucket.resume_multipart_upload(key, id)?.complete(parts)).await?;
    Ok(found(&object))
}

/// Puts an object without bytes.
pub(crate) async fn put_empty(bucket: &Bucket, key: &str) -> Result<Input> {
    let put = around("r2.put", bucket.put(key, Vec::new()).execute()).await?;
    Ok(found(&put.ok_or_else(|| Error::from("R2 stored nothing"))?))
}

/// Looks whether the object is there.
pub(crate) async fn look(bucket: &Bucket, key: &str) -> Result<Input> {
    Ok(around("r2.head", bucket.head(key)).await?.as_ref().map_or(Input::NoObject, found))
}

fn found(object: &Object) -> Input {
    Input::Object { etag: object.etag(), bytes: object.size() }
}

/// What the object begins with.
pub(crate) async fn read_first_bytes(bucket: &Bucket, key: &str) -> Result<Input> {
    let get = bucket.get(key).range(Range::Prefix { length: FIRST_BYTES.into() });
    let object = around("r2.get", get.execute()).await?.ok_or_else(|| Error::from("the object is not there"))?;
    Ok(Input::FirstBytes(match object.body() {
        Some(body) => body.bytes().await?,
        None => Vec::new(),
    }))
}

/// Has R2 let go of this, as far as it is there.
pub(crate) async fn delete(bucket: &Bucket, deletion: Deletion) -> Result<()> {
    match deletion {
        Deletion::Below { prefix, except } => delete_below(bucket, &prefix, except.as_ref()).await,
        Deletion::Objects(keys) => around("r2.delete", bucket.delete_multiple(keys)).await,
        Deletion::Multipart { key, multipart_id } => abort(bucket, &key, Some(&multipart_id)).await,
    }
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

/// Deletes the objects whose keys begin so, but for one. R2 lists as many at once as it deletes at once: 1,000.
async fn delete_below(bucket: &Bucket, prefix: &str, except: Option<&String>) -> Result<()> {
    let mut cursor = None;
    loop {
        let mut list = bucket.list().prefix(prefix);
        if let Some(cursor) = cursor {
            list = list.cursor(cursor);
        }
        let found = around("r2.list", list.execute()).await?;
        let keys: Vec<String> = found.objects().iter().map(Object::key).filter(|key| Some(key) != except).collect();
        if !keys.is_empty() {
            around("r2.delete", bucket.delete_multiple(keys)).await?;
        }
        cursor = found.cursor().filter(|_| found.truncated());
        if cursor.is_none() {
            return Ok(());
        }
    }
}
