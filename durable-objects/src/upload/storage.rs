//! The object's calls to R2: completing a multipart upload, looking at the object, and letting go of it. The Worker only moves bytes; what
//! exists in R2 is decided by the object, in one place that cannot race. When what is called says [`upload_session::alarm`].

use upload_session::{
    alarm::{CountedPart, Deletion, Input},
    session::{is_put, put_prefix},
};
use worker::Object;

use crate::platform::object_storage::{ObjectStorage, StorageError};

/// Has R2 put the object together from these parts.
pub(crate) async fn complete(
    bucket: &ObjectStorage,
    key: &str,
    id: &str,
    parts: Vec<CountedPart>,
) -> Result<Input, StorageError> {
    let object = bucket.complete(key, id, parts.into_iter().map(|part| (part.number, part.etag))).await?;
    Ok(found(&object))
}

/// Puts an object without bytes.
pub(crate) async fn put_empty(bucket: &ObjectStorage, key: &str) -> Result<Input, StorageError> {
    Ok(found(&bucket.put_empty(key).await?))
}

/// Looks whether the object is there.
pub(crate) async fn look(bucket: &ObjectStorage, key: &str) -> Result<Input, StorageError> {
    Ok(bucket.head(key).await?.as_ref().map_or(Input::NoObject, found))
}

fn found(object: &Object) -> Input {
    Input::Object { etag: object.etag(), bytes: object.size() }
}

/// What the object begins with.
pub(crate) async fn read_first_bytes(bucket: &ObjectStorage, key: &str) -> Result<Input, StorageError> {
    let (_, bytes) = bucket.get_first_bytes(key).await?.ok_or("the object is not there")?;
    Ok(Input::FirstBytes(bytes))
}

/// Has R2 let go of this, as far as it is there.
pub(crate) async fn delete(bucket: &ObjectStorage, deletion: Deletion) -> Result<(), StorageError> {
    match deletion {
        Deletion::Below { prefix } => delete_listed(bucket, &prefix, &|_| true).await,
        Deletion::Puts { key, upload, except } => {
            let is_stray = |found: &str| found != except && is_put(found, &key, upload);
            delete_listed(bucket, &put_prefix(&key, upload), &is_stray).await
        }
        Deletion::Objects(keys) => bucket.delete_all(keys).await,
        Deletion::Multipart { key, multipart_id } => bucket.abort(&key, &multipart_id).await,
    }
}

/// Deletes those of the objects whose keys begin so. R2 lists as many at once as it deletes at once: 1,000.
async fn delete_listed(
    bucket: &ObjectStorage,
    prefix: &str,
    is_unwanted: &dyn Fn(&str) -> bool,
) -> Result<(), StorageError> {
    let mut cursor = None;
    loop {
        let found = bucket.list(prefix, cursor).await?;
        let unwanted: Vec<String> = found.keys.into_iter().filter(|key| is_unwanted(key)).collect();
        if !unwanted.is_empty() {
            bucket.delete_all(unwanted).await?;
        }
        cursor = found.cursor;
        if cursor.is_none() {
            return Ok(());
        }
    }
}
