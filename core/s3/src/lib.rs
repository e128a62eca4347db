//! R2's S3 API, as far as direct parts need it: a request signed in its URL, and the list of an upload's parts read. Nothing is
//! sent from here.
//!
//! The `rusty-s3` crate does the same and is what both files are tested against; in wasm it and what it brings (a calendar, an XML
//! parser, URLs with IDNA) weigh several times as much.

mod list_parts;
mod signing;

pub use list_parts::{ListedPart, Page, read_page};
pub use signing::{Endpoint, Keys, Request};
