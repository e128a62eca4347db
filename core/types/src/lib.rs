//! What everything that decides shares: ids, sizes, digests, what is asked for and what comes of it. Pure: no I/O, no clock, no randomness.
//!
//! * [`units`], [`integrity`], [`byte_range`], [`http_date`], [`json`], [`media_types`], [`object_key`]: values, and how they are read and written.
//! * [`upload`]: an upload as everybody sees it. [`history`]: what happened to it. [`cost`]: what it cost.
//! * [`plan`]: part sizes, part numbers and their arithmetic. [`chunk`]: the bytes of one request.
//! * [`operation`]: what a request asks for, and what is answered. [`keyed_chunk`], [`link`], [`live`], [`preconditions`], [`presigned`],
//!   [`repair`]: parts of it.
//! * [`api_error`]: every error that a client can be told, in one table.
//! * [`caller`]: who asks. [`ledger`]: what one owner has. [`admin`], [`switch`], [`effect`]: what whoever runs the service asks
//!   for, and what it takes. [`batch`]: what came of several at once.

#![forbid(unsafe_code)]

pub mod admin;
pub mod api_error;
pub mod batch;
pub mod bucket;
pub mod byte_range;
pub mod caller;
pub mod chunk;
pub mod cost;
pub mod effect;
pub mod history;
pub mod http_date;
pub mod integrity;
pub mod json;
pub mod keyed_chunk;
pub mod ledger;
pub mod link;
pub mod live;
pub mod media_types;
pub mod object_key;
pub mod operation;
pub mod plan;
pub mod preconditions;
pub mod presigned;
pub mod public_file;
pub mod repair;
pub mod switch;
pub mod units;
pub mod upload;
pub mod upload_link;
