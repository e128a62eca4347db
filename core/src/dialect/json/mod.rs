//! Our own dialect: JSON about uploads, plain bytes for chunks, RFC 9457 problem documents for errors.

mod init;
mod render;
mod request;

pub(super) use render::PROBLEM_BASE;
pub use render::{event, fault, problem, reply};
pub use request::parse;
