//! Companion: what `@uppy/aws-s3` asks of a server of Uppy's own kind, under `/s3`. It uploads to S3 itself, part by part, and
//! has the server create, sign, list, complete and abort. Routes and shapes are those of `@uppy/companion` 6
//! (`server/controllers/s3.js`) and `@uppy/aws-s3` 6 (`s3-client/CompanionS3.ts`).
//!
//! What it calls a key is the upload's id here: where the object is in the bucket, the origin is told.
//!
//! It never says how long a file or a part is, so an upload has its sizes from R2, once the object is there. Simple uploads
//! (`GET /s3/params`) are S3 POST policies, which R2 does not know: set `shouldUseMultipart: true`.

mod render;
mod request;

pub use render::{problem, reply};
pub use request::parse;

/// Where it lives: Uppy appends it to its `companionEndpoint`.
pub const PATH: &str = "/s3";
