//! Links that take one file. A link opens one upload, and another only where that one has left no file and never will: the Worker, which can
//! ask the upload, says so. Of two that come at once one is first, since the ledger answers one after the other.

use upload_session::retention::sweep_after_writing;
use upload_types::{
    ledger::Admission,
    units::{UnixMs, UploadId},
};

use super::Ledger;
use crate::{
    ledger::{database::Database, links, tables::Tables},
    platform::error::Result,
    rpc::ledger::{Admit, RevokeLink},
};

impl<D: Database> Ledger<D> {
    /// What is said to a creation by a link that was taken back, or that has opened an upload already. `None`: it may open one.
    pub(super) fn link_taken(&self, admit: &Admit, tables: &Tables) -> Result<Option<Admission>> {
        let Some(link) = admit.link else { return Ok(None) };
        let Some(state) = links::find(&self.database, tables, link.id)? else { return Ok(None) };
        if state.is_revoked {
            return Ok(Some(Admission::LinkRevoked));
        }
        Ok(state.opened.filter(|name| Some(name.upload_id) != link.instead_of).map(Admission::LinkUsed))
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
        let is_first = !links::are_kept(&tables);
        self.write(is_first, || {
            if is_first {
                arm(sweep_after_writing(now))?;
            }
            links::revoke(&self.database, &tables, link.id, link.until)
        })?;
        Ok(found.and_then(|state| state.opened).map(|name| name.upload_id))
    }
}
