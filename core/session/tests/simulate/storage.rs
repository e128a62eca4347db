//! R2, by its documented rules: a part that is stored again replaces the old one, completion takes parts of one size but for the last and
//! compares ETags, a key takes one write a second, and a multipart upload may be gone.

use std::collections::BTreeMap;

use upload_session::{
    alarm::{CountedPart, Deletion},
    session::is_put,
    storage_fault::StorageFault,
};

use crate::content::Content;

/// The limit on writes to one key: <https://developers.cloudflare.com/r2/platform/limits/>.
const WRITE_EVERY_MS: u64 = 1_000;

/// An object.
#[derive(Clone, Debug)]
struct Stored {
    content: Content,
    written_at: u64,
}

/// What R2 has.
#[derive(Clone, Debug, Default)]
pub(crate) struct Storage {
    opened: u64,
    multiparts: BTreeMap<String, BTreeMap<u16, Content>>,
    objects: BTreeMap<String, Stored>,
}

impl Storage {
    /// Opens a multipart upload.
    pub(crate) fn open(&mut self) -> String {
        self.opened += 1;
        let id = format!("multipart-{}", self.opened);
        self.multiparts.insert(id.clone(), BTreeMap::new());
        id
    }

    /// Stores a part; its ETag.
    pub(crate) fn store_part(&mut self, id: &str, number: u16, content: Content) -> Result<String, StorageFault> {
        let parts = self.multiparts.get_mut(id).ok_or(StorageFault::Gone)?;
        let etag = content.etag();
        parts.insert(number, content);
        Ok(etag)
    }

    /// The part of this number.
    pub(crate) fn part(&self, id: &str, number: u16) -> Option<&Content> {
        self.multiparts.get(id)?.get(&number)
    }

    /// Puts an object; its ETag.
    pub(crate) fn put(&mut self, now: u64, key: &str, content: Content) -> Result<String, StorageFault> {
        let is_too_soon = self.objects.get(key).is_some_and(|stored| now < stored.written_at + WRITE_EVERY_MS);
        if is_too_soon {
            return Err(StorageFault::Retry);
        }
        let etag = content.etag();
        self.objects.insert(key.to_owned(), Stored { content, written_at: now });
        Ok(etag)
    }

    /// What is under this key.
    pub(crate) fn object(&self, key: &str) -> Option<&Content> {
        self.objects.get(key).map(|stored| &stored.content)
    }

    /// The keys of all objects, and how many multipart uploads are unfinished.
    pub(crate) fn left(&self) -> (Vec<&str>, usize) {
        (self.objects.keys().map(String::as_str).collect(), self.multiparts.len())
    }

    /// Puts the object together: all of it, or nothing happens.
    pub(crate) fn complete(
        &mut self,
        now: u64,
        id: &str,
        key: &str,
        listed: &[CountedPart],
    ) -> Result<(String, u64), StorageFault> {
        let parts = self.multiparts.get(id).ok_or(StorageFault::Gone)?;
        let found = |part: &CountedPart| parts.get(&part.number).filter(|stored| stored.etag() == part.etag);
        let found: Option<Vec<&Content>> = listed.iter().map(found).collect();
        let found = found.ok_or(StorageFault::Damaged)?;
        let (last, others) = found.split_last().ok_or(StorageFault::Misfit)?;
        let is_fitting = |part: &&Content| part.bytes() == others[0].bytes() && part.bytes() >= last.bytes();
        if !others.iter().all(is_fitting) {
            return Err(StorageFault::Misfit);
        }
        let whole = found.iter().fold(Content::default(), |whole, part| whole.then(part));
        let bytes = whole.bytes();
        let etag = self.put(now, key, whole)?;
        self.multiparts.remove(id);
        Ok((etag, bytes))
    }

    /// Lets go of something.
    pub(crate) fn delete(&mut self, deletion: &Deletion) {
        match deletion {
            Deletion::Below { prefix } => self.objects.retain(|key, _| !key.starts_with(prefix)),
            Deletion::Puts { key: of, upload, except } => {
                self.objects.retain(|key, _| key == except || !is_put(key, of, *upload));
            }
            Deletion::Objects(keys) => self.objects.retain(|key, _| !keys.contains(key)),
            Deletion::Multipart { multipart_id, .. } => self.lose(multipart_id),
        }
    }

    /// A multipart upload is gone.
    pub(crate) fn lose(&mut self, id: &str) {
        self.multiparts.remove(id);
    }
}
