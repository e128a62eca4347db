//! The bucket, and its S3 API.

pub(crate) mod bucket;
pub(crate) mod s3;
pub(crate) mod s3_listing;
