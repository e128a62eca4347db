//! What each operation does to uploads: by this the kill switch lets it in or not.

use crate::{operation::Operation, presigned::PresignRequest, switch::Effect};

/// Its effect; `None` where the switch does not stop it: where whoever runs the service asks, or somebody who asks about no upload at all.
pub fn of(operation: &Operation) -> Option<Effect> {
    match operation {
        // What is spoken here is no secret, and a browser asks so before it may see any answer, a refusal too.
        Operation::Admin(_) | Operation::Discover => None,
        Operation::Create(_)
        | Operation::CreateWith(..)
        | Operation::CreateWithUnsized(..)
        | Operation::Compose(..) => Some(Effect::Creates),
        // A link stores nothing, and what it takes is refused as all else is. One that is taken back is one danger less.
        Operation::CreateUploadLink(_)
        | Operation::RevokeUploadLink(_)
        | Operation::List(_)
        | Operation::FindKeyed(_)
        | Operation::Probe(..)
        | Operation::Status(_)
        | Operation::History(_)
        | Operation::Watch(_)
        | Operation::Usage
        | Operation::WatchAll
        | Operation::Manifest(_)
        | Operation::Link(..)
        | Operation::Download(_)
        | Operation::PublicFile(_)
        | Operation::Content(_)
        | Operation::Direct(_, PresignRequest::List) => Some(Effect::Reads),
        // A piece may be the first of its file.
        Operation::AppendKeyed(_)
        | Operation::Append(_)
        | Operation::AppendUnsized(_)
        | Operation::Describe(..)
        | Operation::DeleteMany(_)
        | Operation::Repair(..)
        | Operation::Complete(_)
        | Operation::Cancel(_)
        | Operation::Redeliver(..)
        | Operation::Direct(..) => Some(Effect::Changes),
    }
}
