//! R2, by its binding: the only place that calls it. Every call passes by the faults that tests plan ([`around`]), and what R2 says of a
//! failure is classified once, here.

use std::fmt;

use upload_session::storage_fault::{StorageFault, classify};
use upload_types::media_types::FIRST_BYTES;
use web_sys::ReadableStream;
use worker::{Bucket, Env, MultipartUpload, Object, Objects, Range, ResponseBody, UploadedPart};

use crate::platform::{
    error::{Error, Result},
    fault_injection::around,
};

/// Which binding of wrangler.toml leads to the bucket.
const BINDING: &str = "BUCKET";

/// R2 did not do something.
#[derive(Debug)]
pub struct StorageError {
    /// What that means for an upload.
    pub fault: StorageFault,
    /// In R2's own words.
    pub cause: Error,
}

impl fmt::Display for StorageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cause.fmt(f)
    }
}

impl std::error::Error for StorageError {}

impl From<Error> for StorageError {
    fn from(cause: Error) -> Self {
        Self { fault: classify(&cause.to_string()), cause }
    }
}

impl From<worker::Error> for StorageError {
    fn from(cause: worker::Error) -> Self {
        Error::from(cause).into()
    }
}

impl From<&str> for StorageError {
    fn from(cause: &str) -> Self {
        Error::from(cause).into()
    }
}

impl From<StorageError> for Error {
    fn from(error: StorageError) -> Self {
        error.cause
    }
}

/// The bucket.
#[derive(Clone)]
pub struct ObjectStorage(Bucket);

impl ObjectStorage {
    /// The one that is bound.
    #[allow(clippy::disallowed_methods, reason = "this is where it is allowed")]
    pub fn open(env: &Env) -> Result<Self> {
        Ok(Self(env.bucket(BINDING)?))
    }

    /// What is stored under a key, without its bytes.
    pub async fn head(&self, key: &str) -> Result<Option<Object>, StorageError> {
        Ok(around("r2.head", self.0.head(key)).await?)
    }

    /// What is stored under a key, all of it or a range.
    pub async fn get(&self, key: &str, range: Option<Range>) -> Result<Option<Object>, StorageError> {
        let get = self.0.get(key);
        let get = match range {
            Some(range) => get.range(range),
            None => get,
        };
        Ok(around("r2.get", get.execute()).await?)
    }

    /// What is stored under a key, with the first bytes of it: as many as are looked at, and fewer only where there are no more.
    pub async fn get_first_bytes(&self, key: &str) -> Result<Option<(Object, Vec<u8>)>, StorageError> {
        let range = Range::Prefix { length: FIRST_BYTES.into() };
        let Some(object) = self.get(key, Some(range)).await? else { return Ok(None) };
        let bytes = match object.body() {
            Some(body) => body.bytes().await?,
            None => Vec::new(),
        };
        Ok(Some((object, bytes)))
    }

    /// Stores an object, whose bytes must be as many as the stream was made for.
    pub async fn put(&self, key: &str, bytes: ReadableStream) -> Result<Object, StorageError> {
        let put = around("r2.put", self.0.put(key, bytes).execute()).await?;
        put.ok_or_else(|| "R2 stored nothing".into())
    }

    /// Stores an object without a byte.
    pub async fn put_empty(&self, key: &str) -> Result<Object, StorageError> {
        let put = around("r2.put", self.0.put(key, Vec::new()).execute()).await?;
        put.ok_or_else(|| "R2 stored nothing".into())
    }

    /// Opens a multipart upload, and says R2's id of it.
    pub async fn create_multipart(&self, key: &str) -> Result<String, StorageError> {
        let upload = around("r2.create", self.0.create_multipart_upload(key).execute()).await?;
        Ok(upload.upload_id().await)
    }

    /// A multipart upload that was opened before. R2 is not asked.
    pub fn resume_multipart(&self, key: &str, multipart_id: &str) -> Result<Multipart> {
        Ok(Multipart(self.0.resume_multipart_upload(key, multipart_id)?))
    }

    /// Puts the object together from these parts: their numbers and ETags.
    pub async fn complete(
        &self,
        key: &str,
        multipart_id: &str,
        parts: impl IntoIterator<Item = (u16, String)>,
    ) -> Result<Object, StorageError> {
        let parts: Vec<_> = parts.into_iter().map(|(number, etag)| UploadedPart::new(number, etag)).collect();
        let upload = self.0.resume_multipart_upload(key, multipart_id)?;
        Ok(around("r2.complete", upload.complete(parts)).await?)
    }

    /// Lets go of an unfinished multipart upload, as far as it is there.
    pub async fn abort(&self, key: &str, multipart_id: &str) -> Result<(), StorageError> {
        let upload = self.0.resume_multipart_upload(key, multipart_id)?;
        match around("r2.abort", upload.abort()).await.map_err(StorageError::from) {
            Err(StorageError { fault: StorageFault::Gone, .. }) => Ok(()),
            aborted => aborted,
        }
    }

    /// Lets go of an object, as far as it is there.
    pub async fn delete(&self, key: &str) -> Result<(), StorageError> {
        Ok(around("r2.delete", self.0.delete(key)).await?)
    }

    /// The same for up to a thousand of them.
    pub async fn delete_all(&self, keys: Vec<String>) -> Result<(), StorageError> {
        Ok(around("r2.delete", self.0.delete_multiple(keys)).await?)
    }

    /// A page of the objects whose keys begin so: up to a thousand.
    pub async fn list(&self, prefix: &str, cursor: Option<String>) -> Result<Objects, StorageError> {
        let list = self.0.list().prefix(prefix);
        let list = match cursor {
            Some(cursor) => list.cursor(cursor),
            None => list,
        };
        Ok(around("r2.list", list.execute()).await?)
    }
}

/// An unfinished multipart upload, whose parts are being stored.
pub struct Multipart(MultipartUpload);

impl Multipart {
    /// Stores a part, and says its ETag.
    pub async fn put_part(&self, number: u16, bytes: ReadableStream) -> Result<String, StorageError> {
        Ok(around("r2.upload_part", self.0.upload_part(number, bytes)).await?.etag())
    }
}

/// The bytes of an object that was got; `None` where R2 gave none.
pub fn stream(object: &Object) -> Result<Option<ReadableStream>> {
    let Some(body) = object.body() else { return Ok(None) };
    Ok(match body.response_body()? {
        ResponseBody::Stream(stream) => Some(stream),
        ResponseBody::Empty | ResponseBody::Body(_) => None,
    })
}
