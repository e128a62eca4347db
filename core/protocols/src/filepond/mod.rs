//! FilePond's own chunks (`chunkUploads: true`), at `/upload`: `POST` with `Upload-Length` answers an id as plain text, `PATCH ?patch=id` brings
//! chunks one after the other, `HEAD ?patch=id` asks where to go on. What it takes for the id is the upload's id, so that is what the page's
//! form carries to the application.
//!
//! The file's name comes only with the chunks (`Upload-Name`), and an upload is named when it is created: so a page that wants to have it
//! sends the header with the `POST` as well, or `?name=`. Described in <https://pqina.nl/filepond/docs/api/server/#process-chunks>.
//!
//! `request` says what is asked, and `render` what is answered.

mod render;
mod request;

pub use render::{problem, reply};
pub use request::{creation, is_spoken, parse};
