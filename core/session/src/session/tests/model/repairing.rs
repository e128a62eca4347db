//! A file that its client sends wrong: it is damaged, kept, and put together anew from what is sent again and what is copied. A repair
//! begins anew what anybody was told to be counted.

use crate::session::{BeginAppend, Continuation, OpenedForRepair, Session};
use upload_types::{chunk::Named, plan::Limits, repair::SentAgain, units::ByteCount, upload::Phase};

use crate::session::tests::model::{
    bytes::{Bytes, bytes, units},
    mutations,
    storage::Sent,
    worker::Busy,
    world::{Place, Uploads, World},
};

/// The key of an object, by the number of the repair that it is of; that of the first assembly is 0.
pub(crate) fn key_of(text: &str) -> u32 {
    text.rsplit('.').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

impl World {
    /// Under which key the upload's object is, or will be.
    pub(crate) fn key(&self) -> u32 {
        let session = self.object.session.as_ref();
        let repair = session.and_then(|session| session.progress.damage.repair.as_ref());
        repair.map_or(0, |repair| repair.number)
    }

    /// Whether its client has sent anything wrong.
    pub(crate) fn was_wrong(&self, uploads: &Uploads) -> bool {
        self.left.wrong < uploads.bounds.budget.wrong
    }

    /// What its client sends is wrong. A copy never is.
    pub(crate) fn corrupt(&mut self, write: usize) -> bool {
        let is_copier = |attempt: u64| self.busy(|busy| busy.id == attempt && busy.copies).is_some();
        match self.r2.sent.get(write) {
            Some(Sent::Part { attempt, .. }) if !is_copier(*attempt) => {}
            _ => return false,
        }
        if let Some(Sent::Part { content, .. }) = self.r2.sent.get_mut(write) {
            *content = content.wrong();
        }
        self.r2.sent.sort_unstable();
        true
    }

    /// Its client compares, and sends again what is wrong; while it is open after a repair, the first chunk too.
    pub(crate) fn repair(&mut self, uploads: &Uploads) -> bool {
        let phase = self.object.phase();
        let ranges = match (phase, self.key()) {
            (Some(Phase::Damaged), key) => self.r2.object(key).map_or_else(Vec::new, wrong_units),
            (Some(Phase::Open), 1..) => vec![SentAgain { from: ByteCount::ZERO, to: bytes(1) }],
            _ => return false,
        };
        let opened = (phase == Some(Phase::Damaged)).then(|| self.r2.open(self.object.multipart()));
        let chunk = bytes(uploads.bounds.part);
        let limits = Limits { max_upload_bytes: ByteCount::MAX, max_chunk_bytes: chunk };
        let id = opened.map(|id| id.to_string());
        let changed = self.changes(uploads, |session, now| {
            let key = session.next_repair_key(&ranges).unwrap_or_default();
            let opened = id.as_deref().map(|multipart_id| OpenedForRepair { key: &key, multipart_id });
            mutations::repair(uploads, session.repair(now, &ranges, limits, opened))
        });
        if phase == Some(Phase::Damaged) && self.is_open() {
            self.told = 0;
            self.places.fill(Place::default());
        }
        if self.object.multipart() != opened {
            self.r2.abort(opened);
        }
        changed
    }

    /// Somebody who was asked to copy goes on, or begins, with this Worker.
    pub(crate) fn copy(&mut self, uploads: &Uploads, worker: usize) -> bool {
        let session = self.object.session.as_ref();
        let copier = session.and_then(|session| session.progress.damage.repair.as_ref()?.copier);
        let has_turn = copier.filter(|copier| !copier.turn_bytes.is_zero()).map(|copier| copier.attempt);
        let after = has_turn.filter(|attempt| self.busy(|busy| busy.id == *attempt).is_none());
        let leased = self.decide(uploads, None, |session, now| session.begin_copy(now, after));
        let Ok(Some(batch)) = leased else { return false };
        let part = &batch.parts[0];
        let (offset, length, continuation) = (part.runs[0].from, part.bytes, Continuation::default());
        let (named, completes) = (Named::default(), upload_types::chunk::Completion::WhenWhole);
        let begin =
            BeginAppend { offset, length, file_bytes: None, all_or_nothing: false, named, completes, continuation };
        self.granted_to(uploads, &batch.lease, units(offset));
        self.start(uploads, worker, Busy { copies: true, ..Busy::new(uploads, &batch.lease, &begin) });
        true
    }

    /// The bytes that a copy is made of; none where the damaged object is not there.
    pub(crate) fn copied(&self, from: u8, length: u8) -> Option<Bytes> {
        let session: &Session = self.object.session.as_ref()?;
        let source = session.progress.damage.repair.as_ref()?.source.as_ref()?;
        self.r2.object(key_of(&source.key)).map(|object| object.part(from, length))
    }
}

/// The units that are wrong.
fn wrong_units(object: Bytes) -> Vec<SentAgain> {
    let wrong = (0..object.units()).filter(|at| object.part(*at, 1) != Bytes::of_file(*at, at + 1));
    wrong.map(|at| SentAgain { from: bytes(at), to: bytes(at + 1) }).collect()
}
