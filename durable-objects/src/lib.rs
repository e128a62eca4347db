//! Facts at rest: the Durable Object of an upload.
//!
//! An object holds one [`upload_core::session::Session`] in SQLite and in memory, takes decisions through it, stores them,
//! and carries out the upload's duties in R2 and towards the queue. No request body passes through it, and no rule stands
//! in it: rules are in `upload-core`.
//!
//! [`rpc`] is the only door. [`UploadSession`] is public for the runtime's sake: it must be named in the root package, or it
//! silently vanishes from the wasm.

mod assembly;
pub mod rpc;
mod sql;
mod transaction;
mod upload_session_do;

pub use upload_session_do::UploadSession;
