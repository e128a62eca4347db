//! The rules of an upload, and nothing else.
//!
//! Pure and synchronous: no Worker, no JavaScript, no clock, no randomness, no I/O. The time and fresh identifiers are
//! parameters. What this crate decides is tested on the host, exhaustively where it can be; the packages around it only
//! carry out what it says.
//!
//! * [`session`]: who may write what, and what is then true. Decides; never stores.
//! * [`alarm`]: how an upload's duties are carried out, one call after the other.
//! * [`attempt`]: how a chunk is stored by whoever has the right to: the next step, whatever came of the one before.
//! * [`upload`]: an upload as everybody sees it.
//! * [`plan`]: part sizes, part numbers and their arithmetic.
//! * [`chunk`]: the bytes of one request. [`chunk_set`]: some of the chunks of an upload.
//! * [`protocol`]: HTTP in, [`operation::Operation`] out, and answers back. Knows no session.
//! * [`address`]: where the service is in URLs.
//! * [`preconditions`]: whether an object is wanted, and how much of it. [`http_date`]: dates in headers.
//! * [`direct`]: what is asked and answered where parts never pass this service.
//! * [`repair`]: what is asked and answered where a file does not have its declared digest.
//! * [`stride`]: how much of a body is read at a time.
//! * [`s3`]: requests to R2's S3 API, signed, and what it answers.
//! * [`ledger`]: what one owner may use.
//! * [`event`]: what the origin is told, and when it is told again. [`outbox`]: all that one upload has to tell.
//! * [`token`]: who may upload what, by word of the application. [`caller`]: who asks an upload's object for something.

#![forbid(unsafe_code)]

pub mod api_error;
pub mod history;
pub mod presigned;
pub mod protocol;
pub mod read_size;

pub mod address;
pub mod alarm;
pub mod attempt;
pub mod byte_range;
pub mod caller;
pub mod chunk;
pub mod chunk_set;
pub mod cors;
pub mod cost;
pub mod event;
pub mod gathering;
pub mod http_date;
pub mod integrity;
pub mod ledger;
pub mod log_line;
pub mod media_types;
pub mod operation;
pub mod outbox;
pub mod plan;
pub mod preconditions;
pub mod repair;
pub mod s3;
pub mod session;
pub mod storage_fault;
pub mod telemetry;
pub mod token;
pub mod units;
pub mod upload;
