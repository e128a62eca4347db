//! Links that take one file. A link opens one upload, and another only where that one has left no file and never will: the Worker, which can
//! ask the upload, says so. Of two that come at once one is first, since the ledger answers one after the other.

use upload_session::retention::sweep_after_writing;
use upload_types::{
    api_error::ApiError,
    ledger::{Admission, EntryName},
    units::{UnixMs, UploadId},
};

use super::{Ledger, counted_today, without};
use crate::{
    ledger::{
        database::Database,
        links::{self, LinkState},
        tables::{self, Tables},
    },
    platform::error::Result,
    rpc::ledger::{Admit, FindLink, ReleaseLink, RevokeLink},
};

impl<D: Database> Ledger<D> {
    /// What is said to a creation by a link that was taken back, or that has opened an upload already. `None`: it may open one. Refused once
    /// its time is over, by the clock by which it is forgotten here.
    pub(super) fn link_taken(&self, admit: &Admit, tables: &Tables, now: UnixMs) -> Result<Option<Admission>> {
        let Some(link) = admit.link else { return Ok(None) };
        if now >= link.until {
            return Err(ApiError::LinkExpired.into());
        }
        let Some(state) = links::find(&self.database, tables, link.id)? else { return Ok(None) };
        let answer = answer(state).filter(|answer| match answer {
            Admission::LinkUsed(name) => Some(name.upload_id) != link.instead_of,
            _ => true,
        });
        // Nobody ends an upload for another that its owner has no room for.
        if let Some(Admission::LinkUsed(name)) = answer
            && let Some(counted) = tables::counted(&self.database, name)?
        {
            let mut usage = without(self.usage(admit.quota, tables, now)?, counted);
            // What it has brought of them counts still; where that leaves too little, the next question is refused.
            usage.bytes_today = usage.bytes_today.saturating_sub(counted_today(name, counted, now).get());
            admit.quota.admit(usage, admit.entry.kind, admit.entry.bytes, now)?;
        }
        Ok(answer)
    }

    /// Whether an upload that was admitted before, and that is not there, may be created after all: its link may have opened another
    /// meanwhile.
    pub(super) fn is_still_of_its_link(&self, admit: &Admit, tables: &Tables, name: EntryName) -> Result<bool> {
        let Some(link) = admit.link else { return Ok(true) };
        let state = links::find(&self.database, tables, link.id)?;
        Ok(state == Some(LinkState { opened: Some(name), is_revoked: false }))
    }

    /// What a creation by this link would be told, whatever its upload is.
    pub(crate) fn find_link(&self, FindLink(id): &FindLink) -> Result<Option<Admission>> {
        Ok(links::find(&self.database, &*self.tables()?, *id)?.and_then(answer))
    }

    /// The link has opened nothing after all: its upload was never created.
    pub(crate) fn release(&self, released: &ReleaseLink) -> Result<()> {
        let tables = self.tables()?;
        let state = links::find(&self.database, &tables, released.id)?;
        match state.and_then(|state| state.opened) {
            Some(name) if name.upload_id == released.upload => {
                self.write(false, || links::forget(&self.database, released.id))
            }
            _ => Ok(()),
        }
    }

    /// From now on this link opens nothing. Which upload it has opened before.
    pub(crate) fn revoke(
        &self,
        link: &RevokeLink,
        now: UnixMs,
        arm: &dyn Fn(UnixMs) -> Result<()>,
    ) -> Result<Option<UploadId>> {
        let tables = self.tables()?;
        let found = links::find(&self.database, &tables, link.id)?;
        self.write(!links::are_kept(&tables), || {
            // The owner may have nothing else here that is swept.
            arm(sweep_after_writing(now))?;
            // That puts off what was to be swept sooner.
            links::drop_overdue(&self.database, &tables, now)?;
            links::revoke(&self.database, &tables, link.id, link.until)
        })?;
        Ok(found.and_then(|state| state.opened).map(|name| name.upload_id))
    }
}

fn answer(state: LinkState) -> Option<Admission> {
    if state.is_revoked { Some(Admission::LinkRevoked) } else { state.opened.map(Admission::LinkUsed) }
}
