//! What the owner uses of what it may: counted from the rows, and kept in step with them in memory.

use upload_session::quota::{Quota, Usage};
use upload_types::{
    ledger::{EntryKind, OwnerUsage},
    units::UnixMs,
};

use super::{Ledger, finished::Stored};
use crate::{
    ledger::{
        database::Database,
        finished,
        tables::{self, Tables},
    },
    platform::error::Result,
    rpc::ledger::ReadUsage,
};

impl<D: Database> Ledger<D> {
    /// What the owner uses, bounded or not.
    pub(crate) fn report(&self, ReadUsage(quota): &ReadUsage, now: UnixMs) -> Result<OwnerUsage> {
        let tables = self.tables()?;
        let mut usage = Usage::default();
        if tables::has_entries(&tables) {
            self.open.take();
            self.database.in_transaction(|| tables::drop_overdue(&self.database, now))?;
            usage = self.count()?;
        }
        if tables::counts_days(&tables) {
            usage.bytes_today = tables::bytes_today(&self.database, now)?;
        }
        // Counted anew: that is what whoever looks compares with.
        self.stored.take();
        Ok(self.with_stored(usage, &tables)?.beside(*quota))
    }

    /// What the owner uses of what is bounded. The rest is zero.
    pub(super) fn usage(&self, quota: Quota, tables: &Tables, now: UnixMs) -> Result<Usage> {
        let mut usage = Usage::default();
        if quota.bounds_what_is_open() && tables::has_entries(tables) {
            usage = match self.open.get() {
                Some(usage) => usage,
                None => self.count()?,
            };
            self.open.set(Some(usage));
        }
        if quota.bytes_per_day.is_some() && tables::counts_days(tables) {
            usage.bytes_today = tables::bytes_today(&self.database, now)?;
        }
        if quota.bounds_what_is_stored() { self.with_stored(usage, tables) } else { Ok(usage) }
    }

    fn with_stored(&self, usage: Usage, tables: &Tables) -> Result<Usage> {
        let stored = match self.stored.get() {
            Some(stored) => stored,
            None if finished::are_kept(tables) => {
                let total = finished::total(&self.database)?;
                total.map(|total| Stored { objects: total.entries, bytes: total.bytes }).unwrap_or_default()
            }
            None => Stored::default(),
        };
        self.stored.set(Some(stored));
        Ok(Usage { stored_bytes: stored.bytes, stored_objects: stored.objects, ..usage })
    }

    fn count(&self) -> Result<Usage> {
        let mut usage = Usage::default();
        for total in tables::totals(&self.database)? {
            match total.kind {
                EntryKind::File => usage.open_uploads = total.entries,
                EntryKind::Partial => usage.open_partials = total.entries,
            }
            usage.open_bytes = usage.open_bytes.saturating_add(total.bytes);
        }
        Ok(usage)
    }
}
