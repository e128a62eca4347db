//! A file as the body of one request, as `curl -T` and every HTTP library send it: `POST /upload`, or `PUT /upload/new/{name}`.
//!
//! The name stands at the end of the address, in `?name=` or in `Content-Disposition`. The answer comes with the object: 201, and a
//! `Location` where the JSON protocol tells more of the upload.

mod render;
mod request;

pub use render::{problem, reply};
pub use request::{is_spoken, parse};
