//! The ledger of one owner, on whatever database: what [`crate::ledger`] does when it is asked, and nothing of the platform.
//!
//! Promises: a decision and all that it writes are one transaction, with the setting of the alarm; what is kept in memory is only what the
//! rows say, so forgetting it costs a look and nothing else. No `await` anywhere: between looking and writing nobody else comes in.

mod by_link;
mod finished;
mod usage;

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use upload_session::{
    quota::Usage,
    retention::{day, sweep_after_writing, sweep_again},
};
use upload_types::{
    api_error::ApiError,
    ledger::{Admission, Entry, EntryKind, EntryName, StoredObject, Used},
    units::{ByteCount, UnixMs, UploadId},
};

use crate::{
    ledger::{
        database::Database,
        links,
        register::tables as register,
        tables::{self, Counted, Tables},
    },
    platform::error::{Error, Result},
    rpc::ledger::{Admit, Charge, CloseUpload, ForgetObject, LookupIdempotencyKey},
};

/// The ledger.
pub(crate) struct Ledger<D> {
    database: D,
    /// Which tables there are; `None` until it has been looked, and after they have changed.
    tables: RefCell<Option<Rc<Tables>>>,
    /// What is open; `None` until it has been counted. Counting reads every entry, so it is done once, and only where what is
    /// open is bounded; from then on it is kept in step with the rows.
    open: Cell<Option<Usage>>,
    /// The same of what is stored.
    stored: Cell<Option<finished::Stored>>,
}

impl<D: Database> Ledger<D> {
    /// The one in this database.
    pub(crate) fn new(database: D) -> Self {
        Self { database, tables: RefCell::default(), open: Cell::default(), stored: Cell::default() }
    }

    /// Whether this upload may be opened. `arm` sets the alarm.
    pub(crate) fn admit(&self, admit: &Admit, now: UnixMs, arm: &dyn Fn(UnixMs) -> Result<()>) -> Result<Admission> {
        let tables = self.tables()?;
        if let Some(answer) = self.asked_before(admit, &tables, now)? {
            return Ok(answer);
        }
        // Asked again, since the answer was lost: nobody else has this id.
        if tables::has_entries(&tables) && tables::counted(&self.database, admit.entry.name)?.is_some() {
            return Ok(Admission::Opened(admit.entry.name));
        }
        if let Some(taken) = self.link_taken(admit, &tables, now)? {
            return Ok(taken);
        }
        if let Some(sha256) = admit.sha256
            && let Some((known, is_current)) = tables::find_object(&self.database, &tables, sha256, now)?
            && known.file_size == admit.entry.bytes
        {
            if !is_current {
                // It is of use still, and remembered for as long again.
                self.remember(&known, &tables, now, arm)?;
            }
            return Ok(Admission::Known(known));
        }
        let taken_over = self.counted(&tables, &admit.takes_over)?;
        let warning = match self.room(admit, &taken_over, &tables, now) {
            Err(Error::Refused(_)) if tables::has_entries(&tables) => {
                // Before anybody is refused it is looked whether what is counted is still so.
                self.open.take();
                self.database.in_transaction(|| tables::drop_overdue(&self.database, now))?;
                self.room(admit, &taken_over, &tables, now)?
            }
            has_room => has_room?,
        };
        self.open(admit, &taken_over, &tables, now, arm)?;
        // Crash here: the entry is there and the upload is not. The same creation goes on with it, if it has a key; otherwise the
        // entry goes when it is listed, or is overdue.
        let name = admit.entry.name;
        Ok(warning.map_or(Admission::Opened(name), |warning| Admission::OpenedBeyond(name, warning)))
    }

    /// Which upload was created for this request, less than a day ago.
    pub(crate) fn recall(
        &self,
        LookupIdempotencyKey(asked): &LookupIdempotencyKey,
        now: UnixMs,
    ) -> Result<Option<UploadId>> {
        let tables = self.tables()?;
        let found = tables::remembered(&self.database, &tables, &asked.key, now)?;
        Ok(found.filter(|found| found.request == asked.request).map(|found| found.name.upload_id))
    }

    /// Charges an upload of unknown length with more bytes; refuses where they do not fit. One that has no entry any more counts for nothing.
    pub(crate) fn charge(&self, charge: &Charge, now: UnixMs) -> Result<()> {
        let tables = self.tables()?;
        let Some((_, counted)) = self.counted(&tables, &[charge.name])?.into_iter().next() else { return Ok(()) };
        let more = charge.bytes.saturating_sub(counted.bytes);
        if more.is_zero() {
            return Ok(());
        }
        charge.quota.take(self.usage(charge.quota, &tables, now)?, more, now)?;
        let is_first = charge.quota.bytes_per_day.is_some() && !tables::counts_days(&tables);
        let usage = self.open.take();
        self.write(is_first, || {
            tables::charge(&self.database, charge.name, charge.bytes)?;
            if charge.quota.bytes_per_day.is_some() {
                tables::count_today(&self.database, &tables, more, now)?;
            }
            Ok(())
        })?;
        self.open.set(usage.map(|usage| Usage { open_bytes: usage.open_bytes.saturating_add(more.get()), ..usage }));
        Ok(())
    }

    /// Takes an entry out, lists the file that its upload has left, or lists it no more, and remembers its object, or forgets the one that
    /// is gone.
    pub(crate) fn settle(&self, settle: &CloseUpload, now: UnixMs, arm: &dyn Fn(UnixMs) -> Result<()>) -> Result<()> {
        let tables = self.tables()?;
        if let Some(object) = &settle.object {
            // Crash here: the object is remembered, and its upload counts still. It says the same once more.
            self.remember(object, &tables, now, arm)?;
        }
        let file = self.file_of(settle, &tables)?;
        let (usage, stored) = (self.open.take(), self.stored.take());
        let taken = Cell::new(None);
        // Crash here: all of what follows is written, or nothing; so a file is open or finished, and counted once. It is said again.
        self.write(file.is_first(&tables), || {
            self.list_file(&file, settle, &tables)?;
            if tables::has_entries(&tables) {
                taken.set(tables::take_out(&self.database, settle.name)?);
            }
            let correction = taken.get().zip(settle.bytes).map_or(0, |(was, is)| difference(was.bytes, is));
            // What was counted too much on another day makes no room today.
            if tables::counts_days(&tables)
                && (correction > 0 || (correction < 0 && day(settle.name.created_at) == day(now)))
            {
                tables::correct_today(&self.database, correction, now)?;
            }
            match (&settle.object, settle.sha256) {
                (None, Some(sha256)) => {
                    let upload = Some(settle.name.upload_id);
                    tables::forget_object(&self.database, &tables, sha256, upload, now)
                }
                _ => Ok(()),
            }
        })?;
        self.open.set(usage.map(|usage| taken.get().map_or(usage, |counted| without(usage, counted))));
        self.stored.set(stored.map(|stored| file.counted_in(stored)));
        Ok(())
    }

    /// Remembers a stored object.
    fn remember(
        &self,
        object: &StoredObject,
        tables: &Tables,
        now: UnixMs,
        arm: &dyn Fn(UnixMs) -> Result<()>,
    ) -> Result<()> {
        let is_first = !tables::has_this_months_objects(tables, now);
        self.write(is_first, || {
            if is_first {
                tables::create_this_months_objects(&self.database, now)?;
                arm(sweep_after_writing(now))?;
            }
            tables::remember_object(&self.database, object, now)
        })
    }

    /// Forgets an object that is not where it was said to be.
    pub(crate) fn forget(&self, object: &ForgetObject, now: UnixMs) -> Result<()> {
        let tables = self.tables()?;
        self.write(false, || tables::forget_object(&self.database, &tables, object.sha256, None, now))
    }

    /// Takes out everything whose time is over, and says when to do so again.
    pub(crate) fn sweep(&self, now: UnixMs) -> Result<Option<UnixMs>> {
        let tables = self.tables()?;
        self.open.take();
        self.write(true, || {
            links::drop_overdue(&self.database, &tables, now)?;
            tables::sweep(&self.database, &tables, now)
        })?;
        let tables = self.tables()?;
        let due = [tables::next_due(&self.database, &tables)?, links::next_due(&self.database, &tables)?];
        Ok(sweep_again(now, due.into_iter().flatten().min()))
    }

    /// What is said to a creation that was asked before under its key. `None`: nothing of it is known, or its upload has been forgotten.
    fn asked_before(&self, admit: &Admit, tables: &Tables, now: UnixMs) -> Result<Option<Admission>> {
        let Some(idempotency) = &admit.idempotency else { return Ok(None) };
        let Some(remembered) = tables::remembered(&self.database, tables, &idempotency.key, now)? else {
            return Ok(None);
        };
        let name = remembered.name;
        if remembered.request != idempotency.request {
            return Err(ApiError::IdempotencyMismatch.into());
        }
        if name == admit.entry.name {
            // The answer to this very question was lost.
            return Ok(Some(Admission::Opened(name)));
        }
        if admit.ended == Some(name.upload_id) {
            return Ok(None);
        }
        if admit.instead_of != Some(name.upload_id) {
            return Ok(Some(Admission::Repeated(name.upload_id)));
        }
        // The upload is not there. An entry goes before its upload is forgotten: where it is still there, the upload never was, and is
        // created now; where it is gone, the upload was there, and its id is never used again.
        if tables::counted(&self.database, name)?.is_none() || !self.is_still_of_its_link(admit, tables, name)? {
            return Ok(None);
        }
        self.write(false, || tables::keep(&self.database, name, admit.entry.drop_at))?;
        Ok(Some(Admission::Opened(name)))
    }

    /// What is still counted of the upload that had the key, and that has ended. Its object takes that out, and knows what of it was too much.
    fn ended(&self, admit: &Admit, tables: &Tables, now: UnixMs) -> Result<Option<Counted>> {
        let Some((idempotency, ended)) = admit.idempotency.as_ref().zip(admit.ended) else { return Ok(None) };
        match tables::remembered(&self.database, tables, &idempotency.key, now)? {
            Some(remembered) if remembered.name.upload_id == ended => tables::counted(&self.database, remembered.name),
            _ => Ok(None),
        }
    }

    /// Refuses unless there is room, once the partial uploads that are taken over count no longer, and what has ended does not either. What is
    /// to be said of it, where there is.
    fn room(
        &self,
        admit: &Admit,
        taken_over: &[(EntryName, Counted)],
        tables: &Tables,
        now: UnixMs,
    ) -> Result<Option<Used>> {
        let mut usage = self.usage(admit.quota, tables, now)?;
        usage = self.ended(admit, tables, now)?.map_or(usage, |counted| without(usage, counted));
        for (name, counted) in taken_over {
            usage = without(usage, *counted);
            usage.bytes_today = usage.bytes_today.saturating_sub(counted_today(*name, *counted, now).get());
        }
        admit.quota.admit(usage, admit.entry.kind, admit.entry.bytes, now)?;
        Ok(admit.quota.warning(usage, admit.entry.bytes))
    }

    /// Makes the entry and what goes with it.
    fn open(
        &self,
        admit: &Admit,
        taken_over: &[(EntryName, Counted)],
        tables: &Tables,
        now: UnixMs,
        arm: &dyn Fn(UnixMs) -> Result<()>,
    ) -> Result<()> {
        let usage = self.open.take();
        let is_new_day = !tables::has_today(tables, now);
        let counts_bytes = admit.quota.bytes_per_day.is_some();
        let of_today = taken_over.iter().map(|(name, counted)| counted_today(*name, *counted, now).get()).sum::<u64>();
        let is_first_link = admit.link.is_some() && !links::are_kept(tables);
        self.write(is_new_day || is_first_link || (counts_bytes && !tables::counts_days(tables)), || {
            if is_new_day {
                tables::create_today(&self.database, now)?;
                tables::sweep(&self.database, tables, now)?;
                links::drop_overdue(&self.database, tables, now)?;
                arm(sweep_after_writing(now))?;
            }
            for (name, _) in taken_over {
                tables::take_out(&self.database, *name)?;
            }
            tables::insert(&self.database, &admit.entry)?;
            if counts_bytes {
                tables::count_today(&self.database, tables, admit.entry.bytes, now)?;
                if of_today > 0 {
                    tables::correct_today(&self.database, -i64::try_from(of_today).unwrap_or(i64::MAX), now)?;
                }
            }
            if let Some(link) = &admit.link {
                links::opened(&self.database, tables, link, admit.entry.name)?;
            }
            match &admit.idempotency {
                Some(idempotency) => tables::remember_creation(&self.database, idempotency, admit.entry.name, now),
                None => Ok(()),
            }
        })?;
        // On a new day what was overdue has gone, and is counted anew.
        if !is_new_day {
            let without_partials =
                |usage| taken_over.iter().fold(usage, |usage, (_, counted)| without(usage, *counted));
            self.open.set(usage.map(|usage| with(without_partials(usage), &admit.entry)));
        }
        Ok(())
    }

    /// Those of these entries that are there, each once.
    fn counted(&self, tables: &Tables, names: &[EntryName]) -> Result<Vec<(EntryName, Counted)>> {
        let mut found: Vec<(EntryName, Counted)> = Vec::new();
        if tables::has_entries(tables) {
            for name in names {
                if found.iter().all(|(known, _)| known != name)
                    && let Some(counted) = tables::counted(&self.database, *name)?
                {
                    found.push((*name, counted));
                }
            }
        }
        Ok(found)
    }

    /// Whether the register knows this owner.
    pub(crate) fn is_registered(&self) -> Result<bool> {
        Ok(register::is_marked(&*self.tables()?))
    }

    /// It does, from now on.
    pub(crate) fn registered(&self) -> Result<()> {
        self.write(true, || register::mark(&self.database))
    }

    /// Writes, all or nothing. Tables that may change are looked up again.
    fn write(&self, changes_tables: bool, work: impl FnMut() -> Result<()>) -> Result<()> {
        if changes_tables {
            self.tables.take();
        }
        self.database.in_transaction(work)
    }

    fn tables(&self) -> Result<Rc<Tables>> {
        if let Some(tables) = &*self.tables.borrow() {
            return Ok(Rc::clone(tables));
        }
        let tables = Rc::new(tables::tables(&self.database)?);
        self.tables.replace(Some(Rc::clone(&tables)));
        Ok(tables)
    }
}

fn with(usage: Usage, entry: &Entry) -> Usage {
    Usage { open_bytes: usage.open_bytes.saturating_add(entry.bytes.get()), ..usage.with(entry.kind) }
}

fn without(usage: Usage, counted: Counted) -> Usage {
    let open_bytes = usage.open_bytes.saturating_sub(counted.bytes.get());
    match counted.kind {
        EntryKind::File => Usage { open_uploads: usage.open_uploads.saturating_sub(1), open_bytes, ..usage },
        EntryKind::Partial => Usage { open_partials: usage.open_partials.saturating_sub(1), open_bytes, ..usage },
    }
}

/// What of an entry's bytes was counted today.
fn counted_today(name: EntryName, counted: Counted, now: UnixMs) -> ByteCount {
    if day(name.created_at) == day(now) { counted.bytes } else { ByteCount::ZERO }
}

/// From one count to another; both are below 2^53.
fn difference(from: ByteCount, to: ByteCount) -> i64 {
    let signed = |bytes: ByteCount| i64::try_from(bytes.get()).unwrap_or(i64::MAX);
    signed(to) - signed(from)
}

#[cfg(test)]
pub(crate) mod tests;
