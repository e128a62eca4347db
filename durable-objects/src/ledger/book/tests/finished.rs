//! Files that are there: each is listed and counted once, from when its upload says so until it says that it is gone.

use upload_types::ledger::{Listed, Listing};

use super::*;
use crate::rpc::ledger::ReadUsage;

fn finished(name: EntryName, file_name: &str, bytes: u32) -> CloseUpload {
    let file_name = file_name.to_owned();
    CloseUpload::entry(name, None).listed(Listing::Finished { file_name, bytes: bytes.into() })
}

fn gone(name: EntryName) -> CloseUpload {
    CloseUpload::entry(name, None).listed(Listing::Gone)
}

/// Creates an upload that leaves a file of this name.
fn stored(scene: &Scene<'_>, file_name: &str, now: UnixMs) -> EntryName {
    let name = scene.opened(&scene.asked(now), now);
    scene.settle_with(&finished(name, file_name, 10), now);
    name
}

fn listed(scene: &Scene<'_>, listed: Listed, prefix: &str) -> Vec<EntryName> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let query = ListQuery { after, listed, prefix: prefix.to_owned() };
        let page = scene.ledger.list(&query, START).unwrap();
        assert!(page.next.is_none() || page.entries.len() == 100, "pages are full");
        all.extend(page.entries);
        after = page.next;
        if after.is_none() {
            return all;
        }
    }
}

/// Bytes and files stored, and bytes open.
fn usage(scene: &Scene<'_>) -> (u64, u64, u64) {
    let usage = scene.ledger.report(&ReadUsage(Quota::default()), START).unwrap();
    (usage.stored_bytes.used, usage.stored_objects, usage.open_bytes.used)
}

#[test]
fn what_is_open_and_what_is_finished_is_one_list_of_which_either_can_be_had_alone() {
    let host = Host::new();
    let scene = Scene::new(&host);
    assert!(listed(&scene, Listed::All, "").is_empty(), "before there is any table");
    let (mut open, mut done) = (Vec::new(), Vec::new());
    for number in 0..450 {
        // Several at the same instant.
        let now = START.plus_ms(number / 4);
        if number % 3 == 0 {
            open.push(scene.opened(&scene.asked(now), now));
        } else {
            done.push(stored(&scene, "a", now));
        }
    }
    let newest_first = |mut names: Vec<EntryName>| {
        names.sort_unstable();
        names.reverse();
        names
    };
    assert!(listed(&scene, Listed::All, "") == newest_first([&open[..], &done[..]].concat()));
    assert!(listed(&scene, Listed::Open, "") == newest_first(open));
    assert!(listed(&scene, Listed::Completed, "") == newest_first(done));
}

#[test]
fn nothing_in_a_prefix_means_anything_but_itself() {
    let host = Host::new();
    let scene = Scene::new(&host);
    let names = ["100%.txt", "100_.txt", "100x.txt", "'); DROP TABLE finished_upload; --", "ünï/🏖.jpg", "a*[b]?", "A"];
    let made = names.map(|name| stored(&scene, name, START));
    for (prefix, found) in [
        ("100", &[0, 1, 2][..]),
        ("100%", &[0]),
        ("100_", &[1]),
        ("'", &[3]),
        ("ü", &[4]),
        ("ünï/🏖", &[4]),
        ("u\u{308}", &[]),
        ("a*[b]?", &[5]),
        ("a", &[5]),
        ("A", &[6]),
        ("A\0", &[]),
        ("AA", &[]),
        ("\0", &[]),
    ] {
        let mut ids: Vec<_> = found.iter().map(|index| made[*index]).collect();
        ids.sort_unstable();
        ids.reverse();
        assert_eq!(listed(&scene, Listed::Completed, prefix), ids, "{prefix:?}");
    }
    // Open uploads have no names here: whoever asks them leaves some out.
    let open = scene.opened(&scene.asked(START), START);
    assert_eq!(listed(&scene, Listed::All, "nothing"), [open]);
}

#[test]
fn a_file_is_counted_once_however_often_it_is_said() {
    let host = Host::new();
    let mut scene = Scene::new(&host);
    let name = scene.opened(&scene.asked(START), START);
    assert_eq!(usage(&scene), (0, 0, 10));
    for _ in 0..2 {
        scene.settle_with(&finished(name, "a", 10), START);
        scene.settle_with(&finished(name, "a", 10), START);
        // Somebody who knows nothing of the file says that it is open no longer.
        scene.settle(name, START);
        assert_eq!(usage(&scene), (10, 1, 0));
        scene.waken();
    }
    let (before, _) = host.written_and_steps();
    scene.settle_with(&finished(name, "a", 10), START);
    assert_eq!(host.written_and_steps().0, before, "what is known costs nothing");
    let other = stored(&scene, "b", START);
    for _ in 0..2 {
        scene.settle_with(&gone(name), START);
        assert_eq!(usage(&scene), (10, 1, 0));
        assert_eq!(listed(&scene, Listed::All, ""), [other]);
        scene.waken();
    }
    // It was never finished, and never open either.
    scene.settle_with(&gone(scene.asked(START).entry.name), START);
    assert_eq!(usage(&scene), (10, 1, 0));
}

#[test]
fn the_quota_of_what_is_stored_counts_what_is_open_and_a_deletion_gives_room_back() {
    let host = Host::new();
    let mut scene = Scene::new(&host);
    let quota = Quota { stored_bytes: Some(100), stored_bytes_soft: Some(80), ..Quota::default() };
    let asked = |bytes: u32| {
        let admit = scene.asked(START);
        Admit { quota, entry: Entry { bytes: bytes.into(), ..admit.entry }, ..admit }
    };
    let asks: Vec<Admit> = [60, 20, 21, 20, 1, 40, 60].map(asked).into();
    let admitted = |scene: &Scene<'_>, admit: &Admit| match scene.admit(admit, START) {
        Ok(Admission::Opened(_)) => Ok(None),
        Ok(Admission::OpenedBeyond(_, warning)) => {
            assert_eq!((warning.soft_limit, warning.limit), (Some(80), Some(100)));
            Ok(Some(warning.used))
        }
        Err(refusal) => Err(refused(Err(refusal))),
        other => panic!("{other:?}"),
    };
    let no_room = Err("bytes stored".to_owned());
    assert_eq!(admitted(&scene, &asks[0]), Ok(None));
    scene.settle_with(&finished(asks[0].entry.name, "a", 60), START);
    assert_eq!(admitted(&scene, &asks[1]), Ok(None));
    assert_eq!(admitted(&scene, &asks[2]), no_room, "what is open is to be stored");
    assert_eq!(admitted(&scene, &asks[3]), Ok(Some(100)));
    scene.waken();
    assert_eq!(admitted(&scene, &asks[4]), no_room);
    // An upload of unknown length that would grow beyond it is refused as well.
    let charge = Charge { name: asks[3].entry.name, bytes: 21.into(), quota };
    assert!(refusal_or(scene.ledger.charge(&charge, START)).is_err());
    scene.settle(asks[3].entry.name, START);
    assert_eq!(admitted(&scene, &asks[5]), no_room);
    scene.settle_with(&gone(asks[0].entry.name), START);
    assert_eq!(admitted(&scene, &asks[6]), Ok(None), "20 are open");
}

#[test]
fn a_file_costs_a_row_when_it_is_there_and_one_when_it_is_gone() {
    let host = Host::new();
    let scene = Scene::new(&host);
    stored(&scene, "the first has tables made", START);
    let (before, _) = host.written_and_steps();
    let name = stored(&scene, "a", START);
    let (there, _) = host.written_and_steps();
    assert_eq!(there - before, 3, "its entry, the entry's end, the file");
    scene.settle_with(&gone(name), START);
    assert_eq!(host.written_and_steps().0 - there, 1);
}

#[test]
fn a_page_costs_what_it_shows_however_much_there_is() {
    let steps_of = |files: u32| {
        let host = Host::new();
        let scene = Scene::new(&host);
        for number in 0..files {
            stored(&scene, "a", START.plus_ms(number.into()));
        }
        let (_, before) = host.written_and_steps();
        scene.ledger.list(&ListQuery { listed: Listed::All, ..ListQuery::default() }, START).unwrap();
        host.written_and_steps().1 - before
    };
    let (few, many) = (steps_of(200), steps_of(4_000));
    assert!(many < few + few / 5, "{few} steps of 200, {many} of 4,000");
}
