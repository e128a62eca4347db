//! What a client says of its file once the bytes are there: the fields of a form that stand behind the file in it.

use std::collections::BTreeMap;

use super::{Decision, Phase, Session};
use upload_types::{
    api_error::ApiError,
    chunk::Completion,
    units::{ByteCount, UnixMs},
    upload::FileInfo,
};

impl Session {
    /// The same as [`Session::declare`], and the file has this metadata from now on, and not what was said at its creation. An upload that is
    /// not open any more is as its origin has heard of it, and stays so.
    pub fn declare_and_describe(
        &self,
        now: UnixMs,
        offset: ByteCount,
        file_bytes: Option<ByteCount>,
        completes: Completion,
        metadata: &BTreeMap<String, String>,
    ) -> Decision<()> {
        let is_new = *metadata != self.file().metadata;
        if is_new && self.progress.phase != Phase::Open {
            return Decision::no(self.takes_no_bytes().unwrap_or(ApiError::Completing));
        }
        let mut decision = self.declare(now, offset, file_bytes, completes);
        if is_new && decision.answer.is_ok() {
            let progress = decision.change.progress.get_or_insert_with(|| self.progress.clone());
            progress.metadata = Some(metadata.clone());
        }
        decision
    }

    /// What the client has said of the file.
    pub(super) fn file(&self) -> FileInfo {
        let file = self.spec.file.clone();
        match &self.progress.metadata {
            Some(metadata) => FileInfo { metadata: metadata.clone(), ..file },
            None => file,
        }
    }
}
