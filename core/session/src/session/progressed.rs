//! A live upload that has asked for it tells its receivers on the way: each time that so many bytes are new to one, what is new, with a link under
//! which it can be read at once. So whoever transcodes or transcribes begins while the recording goes on.
//!
//! Each receiver has one entry for that in the outbox, and one that is slow or down has no more of them: what is told next begins where the last
//! range that it has acknowledged ended, and ends with what counts by then. So every range is told until it is acknowledged, in order and
//! without a gap; and one that was given up is told again by `redeliver`, or by the recording's end, whose event says the rest.

use super::{Session, StateChange};
use crate::event::EventKind;
use upload_types::units::UnixMs;

impl Session {
    /// The same change, and with it what becomes due to be told on the way: bytes have come, or a receiver has acknowledged the ones before.
    /// Nothing once no more can come, since the ending is about to be told; nor where nobody may read before the end.
    ///
    /// Crash here, before it is stored: the bytes do not count, or the acknowledgement does not, and nothing is due for them. Crash behind it: the
    /// entry is there, with its range, and is handed to the queue by the alarm.
    pub(super) fn with_progress_told(&self, now: UnixMs, mut change: StateChange) -> StateChange {
        let every = self.spec.live.map(|live| live.tell_every_bytes).unwrap_or_default();
        if every.is_zero() || !self.is_readable() {
            return change;
        }
        let mut after = self.clone();
        after.apply(change.clone());
        if after.is_growing() {
            let to = after.uploaded_bytes();
            for receiver in self.hearing(EventKind::Progressed) {
                after.outbox = after.outbox.progressed(receiver, to, every, now);
            }
            change.outbox = (after.outbox != self.outbox).then_some(after.outbox);
        }
        change
    }
}
