//! Our own protocol: JSON about uploads, plain bytes for chunks, RFC 9457 problem documents for errors.

mod admin;
mod allow;
mod complete;
mod describe;
mod fields;
mod init;
mod judge;
mod link;
mod list;
mod presigned;
mod render;
mod repair;
mod request;
mod shown;
mod upload_link;

pub(super) use render::names;
pub use render::{event, problem, repeated, reply};
pub use request::parse;
pub(super) use shown::{said, shown_object};
