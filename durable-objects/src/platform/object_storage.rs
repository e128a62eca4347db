//! R2, by its bindings: the only place that calls it. A key says which bucket it is of ([`upload_types::bucket`]). Every call passes by the faults that tests plan ([`around`]), and what R2 says of a
//! failure is classified once, here.

use std::fmt;

use upload_session::storage_fault::{StorageFault, classify};
use upload_types::{bucket, media_types::FIRST_BYTES};
use web_sys::ReadableStream;
use worker::{Bucket, Env, MultipartUpload, Object, Range, ResponseBody, UploadedPart};

use crate::platform::{
    error::{Error, Result},
    fault_injection::around,
};

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

/// The buckets.
#[derive(Clone)]
pub struct ObjectStorage(Env);

/// Some of the keys that there are, and where to go on.
pub struct Page {
    /// The keys, each with its bucket.
    pub keys: Vec<String>,
    /// None where there are no more.
    pub cursor: Option<String>,
}

impl ObjectStorage {
    /// Those that are bound. Fails where there is not even the one of uploads that name none.
    pub fn open(env: &Env) -> Result<Self> {
        let storage = Self(env.clone());
        storage.at("")?;
        Ok(storage)
    }

    /// The bucket of a key, and the key as that has it.
    #[allow(clippy::disallowed_methods, reason = "this is where it is allowed")]
    fn at<'a>(&self, key: &'a str) -> Result<(Bucket, &'a str)> {
        let (bucket, key) = bucket::split(key);
        Ok((self.0.bucket(&bucket::binding(bucket))?, key))
    }

    /// What is stored under a key, without its bytes.
    pub async fn head(&self, key: &str) -> Result<Option<Object>, StorageError> {
        let (bucket, key) = self.at(key)?;
        Ok(around("r2.head", bucket.head(key)).await?)
    }

    /// What is stored under a key, all of it or a range.
    pub async fn get(&self, key: &str, range: Option<Range>) -> Result<Option<Object>, StorageError> {
        let (bucket, key) = self.at(key)?;
        let get = bucket.get(key);
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
        let (bucket, key) = self.at(key)?;
        let put = around("r2.put", bucket.put(key, bytes).execute()).await?;
        put.ok_or_else(|| "R2 stored nothing".into())
    }

    /// Stores an object without a byte.
    pub async fn put_empty(&self, key: &str) -> Result<Object, StorageError> {
        let (bucket, key) = self.at(key)?;
        let put = around("r2.put", bucket.put(key, Vec::new()).execute()).await?;
        put.ok_or_else(|| "R2 stored nothing".into())
    }

    /// Opens a multipart upload, and says R2's id of it.
    pub async fn create_multipart(&self, key: &str) -> Result<String, StorageError> {
        let (bucket, key) = self.at(key)?;
        let upload = around("r2.create", bucket.create_multipart_upload(key).execute()).await?;
        Ok(upload.upload_id().await)
    }

    /// A multipart upload that was opened before. R2 is not asked.
    pub fn resume_multipart(&self, key: &str, multipart_id: &str) -> Result<Multipart> {
        let (bucket, key) = self.at(key)?;
        Ok(Multipart(bucket.resume_multipart_upload(key, multipart_id)?))
    }

    /// Puts the object together from these parts: their numbers and ETags.
    pub async fn complete(
        &self,
        key: &str,
        multipart_id: &str,
        parts: impl IntoIterator<Item = (u16, String)>,
    ) -> Result<Object, StorageError> {
        let parts: Vec<_> = parts.into_iter().map(|(number, etag)| UploadedPart::new(number, etag)).collect();
        let (bucket, key) = self.at(key)?;
        let upload = bucket.resume_multipart_upload(key, multipart_id)?;
        Ok(around("r2.complete", upload.complete(parts)).await?)
    }

    /// Lets go of an unfinished multipart upload, as far as it is there.
    pub async fn abort(&self, key: &str, multipart_id: &str) -> Result<(), StorageError> {
        let (bucket, key) = self.at(key)?;
        let upload = bucket.resume_multipart_upload(key, multipart_id)?;
        match around("r2.abort", upload.abort()).await.map_err(StorageError::from) {
            Err(StorageError { fault: StorageFault::Gone, .. }) => Ok(()),
            aborted => aborted,
        }
    }

    /// Lets go of an object, as far as it is there.
    pub async fn delete(&self, key: &str) -> Result<(), StorageError> {
        let (bucket, key) = self.at(key)?;
        Ok(around("r2.delete", bucket.delete(key)).await?)
    }

    /// The same for up to a thousand of them, which lie in one bucket.
    pub async fn delete_all(&self, keys: Vec<String>) -> Result<(), StorageError> {
        let Some(first) = keys.first() else { return Ok(()) };
        let (bucket, _) = self.at(first)?;
        let keys: Vec<_> = keys.iter().map(|key| bucket::split(key).1).collect();
        Ok(around("r2.delete", bucket.delete_multiple(keys)).await?)
    }

    /// A page of the keys that begin so: up to a thousand.
    pub async fn list(&self, prefix: &str, cursor: Option<String>) -> Result<Page, StorageError> {
        let (bucket, within) = self.at(prefix)?;
        let list = bucket.list().prefix(within);
        let list = match cursor {
            Some(cursor) => list.cursor(cursor),
            None => list,
        };
        let found = around("r2.list", list.execute()).await?;
        let keys = found.objects().iter().map(|object| bucket::beside(prefix, &object.key())).collect();
        Ok(Page { keys, cursor: found.cursor().filter(|_| found.truncated()) })
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
