//! Facts at rest: the Durable Objects of uploads and of owners.
//!
//! The object of an upload holds one [`upload_core::session::Session`] in SQLite and in memory, takes decisions through it, stores them,
//! and carries out the upload's duties in R2 and towards the queue. No request body passes through it, and no rule stands
//! in it: rules are in `upload-core`.
//!
//! The object of an owner, the ledger, knows what is open and what is stored.
//!
//! [`rpc`] is the only door. The classes are public for the runtime's sake: they must be named in the root package, or they
//! silently vanish from the wasm.

mod alarm;
mod answers;
mod assembly;
mod beginning;
mod charging;
mod clock;
mod commands;
mod creation;
mod direct;
pub mod errands;
mod events;
pub mod fault;
pub mod faults;
mod ledger;
pub mod log;
mod metering;
mod owner_ledger_do;
pub mod queue;
mod repair;
pub mod rpc;
mod sql;
mod trail;
mod transaction;
mod upload_session_do;
mod waiting;

pub use owner_ledger_do::OwnerLedger;
pub use upload_session_do::UploadSession;
