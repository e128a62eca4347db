//! Our own protocol: JSON about uploads, plain bytes for chunks, RFC 9457 problem documents for errors.

mod fields;
mod init;
mod link;
mod object;
mod presigned;
mod render;
mod repair;
mod request;

pub(super) use render::names;
pub use render::{event, problem, repeated, reply};
pub use request::parse;
