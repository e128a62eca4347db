//! The ledger on a SQLite of the host: what it admits and remembers, and what that costs.

mod by_link;
mod finished;
pub(crate) mod sql;

use std::cell::Cell;

use upload_session::{quota::Quota, retention::ENTRY_GRACE_MS};
use upload_types::{
    integrity::{Crc64Nvme, Sha256Digest},
    ledger::{Idempotency, ListQuery},
};

use self::sql::Host;
use super::*;

const DAY_MS: u64 = 86_400_000;
const START: UnixMs = UnixMs(1_800_000_000_000);

/// An owner's ledger, a clock, and the alarm.
struct Scene<'a> {
    ledger: Ledger<&'a Host>,
    host: &'a Host,
    alarm: Cell<Option<UnixMs>>,
    alarms: Cell<u64>,
    made: Cell<u32>,
}

impl<'a> Scene<'a> {
    fn new(host: &'a Host) -> Self {
        Self { ledger: Ledger::new(host), host, alarm: Cell::default(), alarms: Cell::default(), made: Cell::default() }
    }

    /// The same rows, and nothing in memory.
    fn waken(&mut self) {
        self.ledger = Ledger::new(self.host);
    }

    /// What nobody has asked for before.
    fn asked(&self, now: UnixMs) -> Admit {
        self.made.set(self.made.get() + 1);
        let mut random = [0; 16];
        random[..4].copy_from_slice(&self.made.get().to_be_bytes());
        let name = EntryName { created_at: now, upload_id: UploadId::from_random_bytes(random) };
        let drop_at = now.plus_ms(DAY_MS + ENTRY_GRACE_MS);
        Admit {
            entry: Entry { name, kind: EntryKind::File, bytes: 10.into(), drop_at },
            sha256: None,
            idempotency: None,
            quota: Quota::default(),
            takes_over: Vec::new(),
            instead_of: None,
            ended: None,
            link: None,
            owner: "alice".to_owned(),
        }
    }

    fn admit(&self, admit: &Admit, now: UnixMs) -> Result<Admission, ApiError> {
        let arm = |at| {
            self.alarm.set(Some(at));
            self.alarms.set(self.alarms.get() + 1);
            Ok(())
        };
        refusal_or(self.ledger.admit(admit, now, &arm))
    }

    fn opened(&self, admit: &Admit, now: UnixMs) -> EntryName {
        match self.admit(admit, now) {
            Ok(Admission::Opened(name)) => name,
            other => panic!("{other:?}"),
        }
    }

    fn settle(&self, name: EntryName, now: UnixMs) {
        self.settle_with(&CloseUpload::entry(name, None), now);
    }

    fn settle_with(&self, settle: &CloseUpload, now: UnixMs) {
        let arm = |at| {
            self.alarm.set(Some(at));
            Ok(())
        };
        self.ledger.settle(settle, now, &arm).unwrap();
    }

    fn open_ids(&self, now: UnixMs) -> Vec<UploadId> {
        self.ledger.list(&ListQuery::default(), now).unwrap().entries.iter().map(|name| name.upload_id).collect()
    }

    /// Has the alarm ring for as long as it is set, and says how often it did.
    fn ring_to_the_end(&self) -> (u32, UnixMs) {
        let (mut times, mut last) = (0, UnixMs(0));
        while let Some(at) = self.alarm.take() {
            times += 1;
            last = at;
            self.alarm.set(self.ledger.sweep(at).unwrap());
            assert!(times < 1000, "it never ends");
        }
        (times, last)
    }
}

/// The answer or the refusal; a fault ends the test.
fn refusal_or<T>(answer: Result<T>) -> Result<T, ApiError> {
    answer.map_err(|error| match error {
        Error::Refused(refusal) => refusal,
        Error::Fault(fault) => panic!("{fault}"),
    })
}

fn keyed(admit: Admit, key: &str) -> Admit {
    let request = Sha256Digest::of(b"the same request");
    Admit { idempotency: Some(Idempotency { key: key.to_owned(), request }), ..admit }
}

fn refused(answer: Result<Admission, ApiError>) -> String {
    match answer {
        Err(ApiError::QuotaExceeded { quota, .. }) => quota,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_creation_is_remembered_under_its_key_for_a_day() {
    let host = Host::new();
    let mut scene = Scene::new(&host);
    let first = keyed(scene.asked(START), "key");
    let name = scene.opened(&first, START);
    assert_eq!(scene.admit(&first, START), Ok(Admission::Opened(name)), "the answer was lost");
    for later_ms in [1, DAY_MS / 2, DAY_MS - 1] {
        scene.waken();
        let now = START.plus_ms(later_ms);
        let again = keyed(scene.asked(now), "key");
        assert_eq!(scene.admit(&again, now), Ok(Admission::Repeated(name.upload_id)), "{later_ms}");
        let request = Sha256Digest::of(b"another request");
        let other = Admit { idempotency: Some(Idempotency { key: "key".to_owned(), request }), ..scene.asked(now) };
        assert_eq!(scene.admit(&other, now), Err(ApiError::IdempotencyMismatch));
    }
    let later = START.plus_ms(DAY_MS);
    let anew = keyed(scene.asked(later), "key");
    assert_eq!(scene.opened(&anew, later), anew.entry.name);
}

#[test]
fn an_id_is_gone_on_with_where_its_upload_never_was_and_never_used_again_where_it_was() {
    let host = Host::new();
    let scene = Scene::new(&host);
    let first = keyed(scene.asked(START), "died early");
    let name = scene.opened(&first, START);
    let later = START.plus_ms(60_000);
    let again = Admit { instead_of: Some(name.upload_id), ..keyed(scene.asked(later), "died early") };
    assert_eq!(scene.opened(&again, later), name, "there is an entry, so there never was an upload");
    assert_eq!(scene.open_ids(later), [name.upload_id], "one entry");

    scene.settle(name, later);
    let fresh = Admit { instead_of: Some(name.upload_id), ..keyed(scene.asked(later), "died early") };
    assert_eq!(scene.opened(&fresh, later), fresh.entry.name, "the upload has been, and been forgotten");
    assert_eq!(scene.admit(&fresh, later), Ok(Admission::Opened(fresh.entry.name)), "also when it is said twice");
    let racing = Admit { instead_of: Some(name.upload_id), ..keyed(scene.asked(later), "died early") };
    let taken = Admission::Repeated(fresh.entry.name.upload_id);
    assert_eq!(scene.admit(&racing, later), Ok(taken), "somebody else was faster");
    assert_eq!(scene.open_ids(later), [fresh.entry.name.upload_id]);
}

#[test]
fn the_key_of_an_upload_that_has_ended_is_free_before_its_object_has_told_the_ledger() {
    let host = Host::new();
    let scene = Scene::new(&host);
    let quota = Quota { open_uploads: Some(1), bytes_per_day: Some(100), ..Quota::default() };
    let asked = |now| Admit { quota, ..keyed(scene.asked(now), "given up") };
    let name = scene.opened(&asked(START), START);
    let later = START.plus_ms(1_000);
    assert_eq!(
        scene.admit(&asked(later), later),
        Ok(Admission::Repeated(name.upload_id)),
        "nobody says that it has ended"
    );

    let [anew, racing] = [(); 2].map(|()| Admit { ended: Some(name.upload_id), ..asked(later) });
    assert_eq!(scene.opened(&anew, later), anew.entry.name, "it takes no room any more");
    assert_eq!(scene.admit(&anew, later), Ok(Admission::Opened(anew.entry.name)), "also when it is said twice");
    let taken = Ok(Admission::Repeated(anew.entry.name.upload_id));
    assert_eq!(scene.admit(&racing, later), taken, "somebody else was faster");
    assert_eq!(scene.admit(&asked(later), later), taken);
    assert_eq!(refused(scene.admit(&Admit { quota, ..scene.asked(later) }, later)), "open uploads");

    // What it had been charged with ahead is given back by its object, whenever that comes.
    scene.settle_with(&CloseUpload::entry(name, Some(ByteCount::ZERO)), later);
    assert_eq!(scene.open_ids(later), [anew.entry.name.upload_id]);
    scene.settle(anew.entry.name, later);
    let rest = Admit { quota, entry: Entry { bytes: 90.into(), ..scene.asked(later).entry }, ..scene.asked(later) };
    scene.opened(&rest, later);
}

#[test]
fn what_is_open_is_counted_in_step_whatever_is_in_memory() {
    let host = Host::new();
    let mut scene = Scene::new(&host);
    let quota = Quota { open_uploads: Some(3), open_bytes: Some(100), ..Quota::default() };
    let bounded = |scene: &Scene<'_>, bytes: u32| {
        let admit = scene.asked(START);
        Admit { quota, entry: Entry { bytes: bytes.into(), ..admit.entry }, ..admit }
    };
    for round in 0..2 {
        let names: Vec<_> = [10, 20, 30].map(|bytes| scene.opened(&bounded(&scene, bytes), START)).into();
        assert_eq!(refused(scene.admit(&bounded(&scene, 1), START)), "open uploads");
        scene.settle(names[0], START);
        if round == 0 {
            scene.waken();
        }
        assert_eq!(refused(scene.admit(&bounded(&scene, 51), START)), "bytes of open uploads");
        let last = scene.opened(&bounded(&scene, 50), START);
        scene.settle(last, START);
        scene.settle(last, START);
        names[1..].iter().for_each(|name| scene.settle(*name, START));
    }
    assert!(scene.open_ids(START).is_empty());
}

#[test]
fn what_is_overdue_refuses_nobody() {
    let host = Host::new();
    let scene = Scene::new(&host);
    let quota = Quota { open_uploads: Some(1), ..Quota::default() };
    scene.opened(&Admit { quota, ..scene.asked(START) }, START);
    let soon = START.plus_ms(1000);
    assert_eq!(refused(scene.admit(&Admit { quota, ..scene.asked(soon) }, soon)), "open uploads");
    let overdue = START.plus_ms(DAY_MS + ENTRY_GRACE_MS);
    scene.opened(&Admit { quota, ..scene.asked(overdue) }, overdue);
}

#[test]
fn partials_count_until_the_upload_that_names_them_is_admitted_and_are_listed_by_nobody() {
    let host = Host::new();
    let scene = Scene::new(&host);
    let quota = Quota { open_uploads: Some(2), open_bytes: Some(100), bytes_per_day: Some(100), ..Quota::default() };
    let asked = |bytes: u32, kind| {
        let admit = scene.asked(START);
        Admit { quota, entry: Entry { bytes: bytes.into(), kind, ..admit.entry }, ..admit }
    };
    let partials: Vec<_> =
        [30, 30, 30].map(|bytes| scene.opened(&asked(bytes, EntryKind::Partial), START)).into_iter().collect();
    assert_eq!(refused(scene.admit(&asked(11, EntryKind::Partial), START)), "bytes of open uploads");
    assert_eq!(refused(scene.admit(&asked(90, EntryKind::File), START)), "bytes of open uploads");
    // One of them twice: it was charged once.
    let takes_over = [&partials[..], &partials[..1]].concat();
    let whole = scene.opened(&Admit { takes_over: takes_over.clone(), ..asked(90, EntryKind::File) }, START);
    assert_eq!(scene.open_ids(START), [whole.upload_id]);
    let again = Admit { takes_over, ..asked(90, EntryKind::File) };
    assert_eq!(refused(scene.admit(&again, START)), "bytes of open uploads", "they count for one upload only");
    scene.settle(whole, START);
    assert_eq!(refused(scene.admit(&asked(11, EntryKind::File), START)), "bytes per day");
    scene.opened(&asked(10, EntryKind::File), START);
}

#[test]
fn an_upload_of_unknown_length_is_charged_as_it_grows_and_corrected_when_it_ends() {
    let host = Host::new();
    let mut scene = Scene::new(&host);
    let quota = Quota { open_bytes: Some(100), bytes_per_day: Some(100), ..Quota::default() };
    let admit = scene.asked(START);
    let growing = Admit { quota, entry: Entry { bytes: 0.into(), ..admit.entry }, ..admit };
    let name = scene.opened(&growing, START);
    let charge = |scene: &Scene<'_>, bytes: u32| {
        refusal_or(scene.ledger.charge(&Charge { name, bytes: bytes.into(), quota }, START))
    };
    assert_eq!(charge(&scene, 60), Ok(()));
    assert_eq!(charge(&scene, 60), Ok(()), "said twice, it counts once");
    scene.waken();
    assert!(charge(&scene, 101).is_err());
    assert_eq!(charge(&scene, 100), Ok(()));
    let other = Admit { quota, ..scene.asked(START) };
    assert_eq!(refused(scene.admit(&other, START)), "bytes of open uploads");
    scene.settle_with(&CloseUpload::entry(name, Some(85.into())), START);
    assert_eq!(charge(&scene, 1000), Ok(()), "what has ended counts for nothing");
    let rest = |scene: &Scene<'_>, bytes: u32| {
        let admit = scene.asked(START);
        scene.admit(&Admit { quota, entry: Entry { bytes: bytes.into(), ..admit.entry }, ..admit }, START)
    };
    assert_eq!(refused(rest(&scene, 16)), "bytes per day");
    assert!(rest(&scene, 15).is_ok());
}

#[test]
fn stored_bytes_are_known_while_they_are_of_use_and_not_for_ever() {
    let host = Host::new();
    let scene = Scene::new(&host);
    let sha256 = Sha256Digest::of(b"bytes");
    let first = scene.asked(START);
    let name = scene.opened(&first, START);
    let object = StoredObject {
        sha256,
        upload_id: name.upload_id,
        key: "key".to_owned(),
        etag: "etag".to_owned(),
        crc64nvme: Crc64Nvme::default(),
        file_size: 10.into(),
    };
    let stored = CloseUpload { sha256: Some(sha256), object: Some(object.clone()), ..CloseUpload::entry(name, None) };
    scene.settle_with(&stored, START);
    let ask = |now| scene.admit(&Admit { sha256: Some(sha256), ..scene.asked(now) }, now);
    let known = Ok(Admission::Known(object.clone()));
    // Each use remembers it for thirty days more.
    for days in [1, 29, 58, 87, 116] {
        assert_eq!(ask(START.plus_ms(days * DAY_MS)), known, "day {days}");
    }
    assert!(matches!(ask(START.plus_ms((116 + 60) * DAY_MS)), Ok(Admission::Opened(_))));

    scene.settle_with(&stored, START);
    let another = CloseUpload { sha256: Some(sha256), ..CloseUpload::entry(scene.asked(START).entry.name, None) };
    scene.settle_with(&another, START);
    assert_eq!(ask(START), known, "another upload that said the same SHA-256 has ended");
    scene.settle_with(&CloseUpload { name, ..another }, START);
    assert!(matches!(ask(START), Ok(Admission::Opened(_))), "its object is gone");
}

#[test]
fn the_list_has_pages_and_none_is_left_out() {
    let host = Host::new();
    let scene = Scene::new(&host);
    let mut made: Vec<EntryName> = Vec::new();
    for number in 0..1003 {
        // Several at the same instant.
        let now = START.plus_ms(number / 3);
        made.push(scene.opened(&scene.asked(now), now));
    }
    made.sort_unstable();
    made.reverse();
    let (mut listed, mut after, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = scene.ledger.list(&ListQuery { after, ..ListQuery::default() }, START).unwrap();
        listed.extend(page.entries);
        pages += 1;
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!((listed == made, pages), (true, 11));
}

/// Creates so many uploads with keys and ends them; what it wrote, and how many steps it took.
fn cost_of(uploads: u32, quota: Quota) -> (u64, u64) {
    let host = Host::new();
    let scene = Scene::new(&host);
    let mut names = Vec::new();
    for number in 0..uploads {
        let now = START.plus_ms(number.into());
        let admit = Admit { quota, ..keyed(scene.asked(now), &format!("key {number}")) };
        names.push(scene.opened(&admit, now));
    }
    assert_eq!(scene.alarms.get(), 1, "one alarm for all creations of a day");
    let now = START.plus_ms(uploads.into());
    for name in names {
        scene.settle(name, now);
    }
    let (rings, last) = scene.ring_to_the_end();
    assert!(rings <= 2 && last.ms_since(START) <= 3 * DAY_MS, "{rings} rings");
    assert_eq!(host.tables_of_creations(), 0, "nothing is left of the keys");
    host.written_and_steps()
}

#[test]
fn what_creations_cost_grows_as_they_do_and_no_faster() {
    let (many, much) = (Some(1 << 40), Some(1 << 50));
    let everything = Quota { open_uploads: many, open_bytes: much, bytes_per_day: much, ..Quota::default() };
    for (quota, rows_each) in [(Quota::default(), 3), (everything, 4)] {
        let ((few_rows, few_steps), (many_rows, many_steps)) = (cost_of(1_000, quota), cost_of(10_000, quota));
        // An entry, a key and the entry's end; and the day where that is counted.
        assert!(few_rows <= 1_000 * rows_each + 10 && many_rows <= 10_000 * rows_each + 10, "{few_rows}, {many_rows}");
        assert!(many_steps < 11 * few_steps, "{few_steps} steps for 1,000, {many_steps} for 10,000");
    }
}

#[test]
fn an_admission_that_is_asked_again_counts_once() {
    let host = Host::new();
    let scene = Scene::new(&host);
    let quota = Quota { open_uploads: Some(1), ..Quota::default() };
    let admit = Admit { quota, ..scene.asked(START) };
    for asked in ["first", "again, since the answer was lost"] {
        assert_eq!(scene.admit(&admit, START), Ok(Admission::Opened(admit.entry.name)), "{asked}");
    }
    assert_eq!(refused(scene.admit(&Admit { quota, ..scene.asked(START) }, START)), "open uploads");
}
