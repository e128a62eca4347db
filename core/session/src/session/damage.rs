//! A file that has arrived whole and does not have its declared digest is *damaged*. Where its creation asked for that, what arrived is
//! kept for `Policy::repair_ms`, and never later than the upload's latest end: R2 puts the object together as it is, nobody is told and
//! nobody gets it, and its client may send again what is wrong (`repairing`), or delete it. When the time is over the upload fails.
//!
//! A file of one part is not kept: nothing in it is worth keeping. Neither is one that has been repaired [`MAX_REPAIRS`] times in vain.

use serde::{Deserialize, Serialize};

use super::{Phase, Repair, Session, StateChange, UploadState};
use crate::event::EventKind;
use upload_types::{api_error::ApiError, integrity::Crc64Nvme, units::UnixMs};

/// So often a file is put together anew at most. Each time storage copies all that its client does not send, however little that is.
const MAX_REPAIRS: u32 = 8;

/// What is known of an upload whose file did not have its declared digest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Damage {
    /// What the file has instead: known before the object is put together where the digest is carried along.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
    /// Until then it is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<UnixMs>,
    /// The newest repair.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repair: Option<Repair>,
    /// The keys of damaged objects that are not needed any more: R2 is to let go of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub discarded: Vec<String>,
}

impl Damage {
    /// Whether there was none.
    pub(crate) fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// The same once nothing more is copied from the object that is being repaired: R2 is to let go of it.
    #[must_use]
    pub(super) fn without_source(&self) -> Self {
        let mut damage = self.clone();
        let source = damage.repair.as_mut().and_then(|repair| repair.source.take());
        damage.discarded.extend(source.map(|source| source.key));
        damage
    }
}

impl Session {
    /// Until when a file is kept that is found to be damaged now; `None` where it is not kept.
    fn damaged_until(&self, now: UnixMs) -> Option<UnixMs> {
        let repairs = self.progress.damage.repair.as_ref().map_or(0, |repair| repair.number);
        let is_worth_it =
            !self.progress.storage.takes_whole_objects() && self.plan().part_count() > 1 && repairs < MAX_REPAIRS;
        let until = now.plus_ms(self.spec.policy.repair_ms).min(self.spec.latest_end());
        (is_worth_it && until > now).then_some(until)
    }

    /// Why the object need not be put together: the CRC of all parts is not the declared one, and what arrived is not kept.
    pub(crate) fn is_not_worth_assembling(&self, now: UnixMs, actual: Crc64Nvme) -> Option<String> {
        let actual = self.crc64nvme_mismatch(actual).filter(|_| self.damaged_until(now).is_none())?;
        Some(ApiError::FileDigestMismatch { actual, kept: false }.to_string())
    }

    /// Whether the object, whose CRC this is, does not have its declared digest, as far as is known without reading it.
    pub(crate) fn is_known_damaged(&self, actual: Crc64Nvme) -> bool {
        self.progress.damage.found.is_some() || self.crc64nvme_mismatch(actual).is_some()
    }

    /// A change counts the last byte, and shows that the file does not have its declared digest. The upload fails, or goes on to be put
    /// together as it is.
    pub(super) fn found_damaged(&self, now: UnixMs, actual: String, change: StateChange) -> (ApiError, StateChange) {
        let kept = self.damaged_until(now).is_some();
        let refusal = ApiError::FileDigestMismatch { actual: actual.clone(), kept };
        if !kept {
            let end = self.end(now, Phase::Failed, EventKind::Failed, Some(refusal.to_string()));
            return (refusal, StateChange { progress: end.progress, outbox: end.outbox, ..change });
        }
        let mut progress = change.progress.clone().unwrap_or_else(|| self.progress.clone());
        progress.damage.found = Some(actual);
        (refusal, StateChange { progress: Some(progress), ..change })
    }

    /// R2 has the object, and it does not have the declared digest.
    ///
    /// Crash here, once that is stored: the object is there, nobody else knows of it, and its end is a duty that the rows say.
    pub(super) fn damaged(&self, now: UnixMs, actual: &str) -> StateChange {
        let Some(until) = self.damaged_until(now) else {
            let refusal = ApiError::FileDigestMismatch { actual: actual.to_owned(), kept: false };
            return self.end(now, Phase::Failed, EventKind::Failed, Some(refusal.to_string()));
        };
        let mut damage = self.progress.damage.without_source();
        (damage.found, damage.until) = (Some(actual.to_owned()), Some(until));
        UploadState {
            phase: Phase::Damaged,
            reason: Some(kept_until(actual, until)),
            verified: None,
            job_failures: 0,
            job_not_before: now,
            refused_since: None,
            damage,
            ..self.progress.clone()
        }
        .into()
    }

    /// Ends a damaged upload whose time is over.
    pub(super) fn unrepaired_if_due(&self, now: UnixMs) -> Option<StateChange> {
        let damage = &self.progress.damage;
        let is_due = self.progress.phase == Phase::Damaged && damage.until.is_none_or(|until| now >= until);
        is_due.then(|| {
            let actual = damage.found.clone().unwrap_or_default();
            let refusal = ApiError::FileDigestMismatch { actual, kept: false };
            self.end(now, Phase::Failed, EventKind::Failed, Some(refusal.to_string()))
        })
    }

    /// What whoever wants anything else of a damaged upload than its repair or its end is told.
    pub(super) fn damaged_refusal(&self) -> ApiError {
        let reason = self.progress.reason.clone().unwrap_or_default();
        ApiError::Damaged { reason }
    }

    /// Why no byte can be added, where the upload is over or waits to be repaired.
    pub(super) fn takes_no_bytes(&self) -> Option<ApiError> {
        if self.progress.phase == Phase::Damaged {
            return Some(self.damaged_refusal());
        }
        self.is_gone().then(|| self.gone())
    }

    /// Whether it is damaged, so that it has a manifest and can be repaired.
    pub fn is_damaged(&self) -> Result<(), ApiError> {
        match self.progress.phase {
            Phase::Damaged => Ok(()),
            _ if self.is_gone() => Err(self.gone()),
            phase => Err(ApiError::NotDamaged { phase }),
        }
    }

    /// The keys of damaged objects that R2 is to let go of.
    pub(crate) fn to_discard(&self) -> &[String] {
        &self.progress.damage.discarded
    }

    /// R2 has let go of these.
    pub(crate) fn discarded(&self, keys: &[String]) -> StateChange {
        let mut progress = UploadState { job_failures: 0, ..self.progress.clone() };
        progress.damage.discarded.retain(|key| !keys.contains(key));
        progress.into()
    }
}

fn kept_until(actual: &str, until: UnixMs) -> String {
    format!(
        "The bytes that arrived have the digest {actual}, which is not the declared one. They are kept until {}.",
        until.rfc3339()
    )
}
