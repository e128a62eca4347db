//! What a client says of its file after its creation: the fields of a form that stand behind the file in it, and what its owner wants to be said
//! otherwise, also of a file that is there.

use std::collections::BTreeMap;

use super::{Decision, Phase, Session, StateChange, UploadState};
use upload_types::{
    api_error::ApiError,
    chunk::Completion,
    units::{ByteCount, UnixMs},
    upload::{FileInfo, MAX_METADATA_BYTES, MetadataPatch},
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

    /// From now on this is said of the file: what is named is said so, or not any more; what is not stays. An event that is told later says
    /// it as well. Of an upload without a file nothing is to be said.
    pub fn describe(&self, wanted: &MetadataPatch) -> Decision<()> {
        if self.is_unwanted() {
            return Decision::no(self.gone());
        }
        let was = self.file().metadata;
        let mut metadata = wanted.set.clone();
        for (name, value) in &was {
            if !wanted.set.contains_key(name) && !wanted.unset.contains(name) {
                metadata.insert(name.clone(), value.clone());
            }
        }
        let bytes: usize = metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
        if bytes > MAX_METADATA_BYTES {
            return Decision::no(ApiError::bad_request("metadata", "would have more than 8 KiB in all"));
        }
        if metadata == was {
            return Decision::yes((), StateChange::none());
        }
        Decision::yes((), UploadState { metadata: Some(metadata), ..self.progress.clone() })
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
