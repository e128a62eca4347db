//! The bucket by its S3 API. By its binding it is `durable_objects::platform::object_storage`.

pub(crate) mod s3;
pub(crate) mod s3_listing;
