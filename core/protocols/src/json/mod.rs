//! Our own protocol: JSON about uploads, plain bytes for chunks, RFC 9457 problem documents for errors.

mod admin;
mod complete;
mod describe;
mod fields;
mod init;
mod link;
mod list;
mod object;
mod presigned;
mod render;
mod repair;
mod request;
mod upload_link;

pub use render::{event, problem, repeated, reply};
pub(super) use render::{names, said, shown_object};
pub use request::parse;
