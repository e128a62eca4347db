//! tus 1.0.0 (<https://tus.io/protocols/resumable-upload>), below `/files`: the core protocol and the extensions of
//! [`EXTENSIONS`].
//!
//! A client of tus takes "all bytes are there" for "the file is there", and forgets an upload that it is refused with most
//! codes between 400 and 499. So the answers here say that all bytes are there only where the object is, and refuse for
//! what passes with 409 or 423, which clients come back after.

mod checksum;
mod concat;
mod given_back;
mod metadata;
mod problem;
mod render;
mod request;

pub use problem::{fault, problem};
pub use render::reply;
pub use request::parse;

/// The version that is spoken, in `Tus-Resumable` and `Tus-Version`.
const VERSION: &str = "1.0.0";

/// The extensions that are spoken. `checksum-trailer` is not: the platform drops trailers.
const EXTENSIONS: &str = "creation,creation-with-upload,creation-defer-length,expiration,checksum,termination,\
                          concatenation,concatenation-unfinished";

/// The media type of bytes to be stored.
const BYTES: &str = "application/offset+octet-stream";
