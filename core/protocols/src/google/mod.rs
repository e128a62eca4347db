//! The resumable uploads of Google Cloud Storage, as its own clients and many others speak them: `POST …?uploadType=resumable` opens a
//! session and answers where it is, `PUT` there brings bytes with `Content-Range`, 308 with `Range` says how far they count.
//!
//! They are posted where Google has them, `/upload/storage/v1/b/{bucket}/o`, or to `/upload`. The address of a session is that of its
//! creation with `upload_id` in its query. A bucket is only a word of the client's, and comes back as it was sent.
//!
//! `request` says what is asked, and `render` what is answered.
//! Google describes it in <https://cloud.google.com/storage/docs/performing-resumable-uploads>.

mod render;
mod request;

pub use render::{problem, reply};
pub use request::{is_spoken, parse};
