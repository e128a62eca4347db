//! The rules of an upload. Pure and synchronous: no Worker, no JavaScript, no clock, no randomness, no I/O; the time and fresh identifiers
//! are parameters. What is decided here is tested on the host, exhaustively where it can be; the packages around it only carry out what
//! it says. It knows no protocol and no token.
//!
//! * [`session`]: who may write what, and what is then true. Decides; never stores. [`chunk_set`]: which chunks are there.
//! * [`attempt`]: how a chunk is stored by whoever has the right to: the next step, whatever came of the one before.
//! * [`alarm`]: how an upload's duties are carried out, one call after the other.
//! * [`event`]: what its receivers are told, and when they are told again. [`held_verdict`]: what somebody says of what is held. [`outbox`]: all that one upload has to tell. [`new_bytes`]: what of a live one is new. [`receivers`]: whom, and [`receiver_list`]: the setting that says so.
//! * [`storage_fault`]: what R2 means by an error.
//! * [`gathering`], [`read_size`]: how much of a body is read at a time, and kept in memory.
//! * [`quota`]: what one owner may use. [`retention`]: how long the owner's ledger remembers.

#![forbid(unsafe_code)]

pub mod alarm;
pub mod attempt;
pub mod chunk_set;
pub mod event;
pub mod gathering;
pub mod held_verdict;
pub mod new_bytes;
pub mod outbox;
pub mod quota;
pub mod read_size;
pub mod receiver_index;
pub mod receiver_list;
pub mod receivers;
pub mod retention;
mod retry_policy;
pub mod session;
pub mod storage_fault;
