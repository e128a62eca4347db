//! The bucket, by its binding.

/// Which binding of wrangler.toml leads to the bucket.
pub(crate) const BUCKET_BINDING: &str = "BUCKET";
