//! The commands of an upload's object about parts that the client stores itself. `sign` and `record` decide in the session;
//! what R2 has the Worker asks, since only it holds the keys of R2's S3 API.

use serde::{Deserialize, Serialize};
use upload_session::session::Found;
use upload_types::presigned::CompletedPart;

/// The right to store these chunks, each under a fresh number. Where one is refused, the numbers of those before it are spent.
#[derive(Serialize, Deserialize)]
pub struct SignParts(pub Vec<u32>);

/// R2 has these parts: count them.
#[derive(Serialize, Deserialize)]
pub struct RecordParts(pub Vec<Found>);

/// Under which numbers the chunks were last signed.
#[derive(Serialize, Deserialize)]
pub struct FindSigned;

/// The file is these chunks. R2 says whether it has them.
#[derive(Serialize, Deserialize)]
pub struct AssembleParts(pub Vec<CompletedPart>);
