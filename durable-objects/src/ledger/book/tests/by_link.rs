//! Links that take one file: one upload for each, another where that came to nothing, none where the link was taken back.

use upload_types::upload_link::{LinkId, LinkUse};

use super::*;
use crate::rpc::ledger::{FindLink, ReleaseLink, RevokeLink};

const UNTIL: UnixMs = UnixMs(START.0 + DAY_MS);

fn link(number: u8) -> LinkUse {
    LinkUse { id: LinkId::from_random_bytes([number; 16]), until: UNTIL, instead_of: None }
}

fn by(link: LinkUse, admit: Admit) -> Admit {
    Admit { link: Some(link), ..admit }
}

fn revoke(scene: &Scene<'_>, id: LinkId, now: UnixMs) -> Option<UploadId> {
    let arm = |at| {
        scene.alarm.set(Some(at));
        Ok(())
    };
    scene.ledger.revoke(&RevokeLink { id, until: UNTIL }, now, &arm).unwrap()
}

#[test]
fn a_link_opens_one_upload_whoever_comes_with_it() {
    let host = Host::new();
    let mut scene = Scene::new(&host);
    let (first, second) = (by(link(1), scene.asked(START)), by(link(1), scene.asked(START)));
    let name = scene.opened(&first, START);
    assert_eq!(scene.admit(&second, START), Ok(Admission::LinkUsed(name)));
    assert_eq!(scene.opened(&first, START), name, "the answer was lost");
    scene.opened(&by(link(2), scene.asked(START)), START);
    scene.opened(&scene.asked(START), START);
    // Its upload has ended, which says nothing of the link.
    scene.settle(name, START);
    scene.waken();
    assert_eq!(scene.admit(&second, START), Ok(Admission::LinkUsed(name)));
}

#[test]
fn another_upload_takes_the_place_of_one_that_came_to_nothing() {
    let host = Host::new();
    let scene = Scene::new(&host);
    let name = scene.opened(&by(link(1), scene.asked(START)), START);
    scene.settle(name, START);
    let instead = LinkUse { instead_of: Some(name.upload_id), ..link(1) };
    let (one, other) = (by(instead, scene.asked(START)), by(instead, scene.asked(START)));
    let second = scene.opened(&one, START);
    assert_eq!(scene.admit(&other, START), Ok(Admission::LinkUsed(second)), "both have seen that the first is gone");
}

#[test]
fn a_link_that_was_taken_back_opens_nothing_and_what_it_has_opened_stays_known() {
    let host = Host::new();
    let mut scene = Scene::new(&host);
    assert_eq!(revoke(&scene, link(1).id, START), None, "before anybody has come with it");
    assert_eq!(scene.admit(&by(link(1), scene.asked(START)), START), Ok(Admission::LinkRevoked));
    let name = scene.opened(&by(link(2), scene.asked(START)), START);
    for _ in 0..2 {
        assert_eq!(revoke(&scene, link(2).id, START), Some(name.upload_id));
        scene.waken();
    }
    let again = LinkUse { instead_of: Some(name.upload_id), ..link(2) };
    assert_eq!(scene.admit(&by(again, scene.asked(START)), START), Ok(Admission::LinkRevoked));
}

#[test]
fn a_refused_creation_uses_nothing_up() {
    let host = Host::new();
    let scene = Scene::new(&host);
    let full = Quota { open_uploads: Some(0), ..Quota::default() };
    let without_room = Admit { quota: full, ..by(link(1), scene.asked(START)) };
    refused(scene.admit(&without_room, START));
    scene.opened(&by(link(1), scene.asked(START)), START);
}

#[test]
fn it_is_remembered_until_the_link_is_over_and_costs_two_rows() {
    let host = Host::new();
    let scene = Scene::new(&host);
    scene.opened(&scene.asked(START), START);
    let (before, _) = host.written_and_steps();
    let name = scene.opened(&by(link(1), scene.asked(START)), START);
    let (after, _) = host.written_and_steps();
    assert_eq!(after - before, 2, "the entry and the link");
    let late = UnixMs(UNTIL.0 - 1);
    assert_eq!(scene.admit(&by(link(1), scene.asked(late)), late), Ok(Admission::LinkUsed(name)));
    let (_, last) = scene.ring_to_the_end();
    assert!(last >= UNTIL);
    assert_eq!(host.links(), 0);
}

#[test]
fn a_link_whose_time_is_over_opens_nothing_also_where_it_is_forgotten() {
    let host = Host::new();
    let scene = Scene::new(&host);
    let begun = by(link(1), scene.asked(START));
    let name = scene.opened(&begun, START);
    assert_eq!(scene.admit(&by(link(1), scene.asked(UNTIL)), UNTIL), Err(ApiError::LinkExpired));
    scene.ring_to_the_end();
    let long_after = UNTIL.plus_ms(9 * DAY_MS);
    for instead_of in [None, Some(name.upload_id)] {
        let late = by(LinkUse { instead_of, ..link(1) }, scene.asked(long_after));
        assert_eq!(scene.admit(&late, long_after), Err(ApiError::LinkExpired));
    }
}

#[test]
fn a_creation_that_never_was_is_not_revived_past_its_link() {
    let host = Host::new();
    let scene = Scene::new(&host);
    // Each is admitted, and dies before its upload is there.
    let first = |number: u8| scene.opened(&by(link(number), keyed(scene.asked(START), &format!("{number}"))), START);
    let again = |number: u8, never: EntryName| {
        let again = keyed(scene.asked(START), &format!("{number}"));
        scene.admit(&Admit { instead_of: Some(never.upload_id), ..by(link(number), again) }, START)
    };
    let one = first(1);
    assert_eq!(again(1, one), Ok(Admission::Opened(one)), "nobody else has come by the link");
    let two = first(2);
    let other = LinkUse { instead_of: Some(two.upload_id), ..link(2) };
    let second = scene.opened(&by(other, scene.asked(START)), START);
    assert_eq!(again(2, two), Ok(Admission::LinkUsed(second)));
    let three = first(3);
    revoke(&scene, link(3).id, START);
    assert_eq!(again(3, three), Ok(Admission::LinkRevoked));
}

#[test]
fn nobody_is_told_to_end_an_upload_for_one_that_has_no_room() {
    let host = Host::new();
    let scene = Scene::new(&host);
    let quota = Quota { open_uploads: Some(1), open_bytes: Some(100), ..Quota::default() };
    let asked = |bytes: u32| {
        let admit = by(link(1), scene.asked(START));
        Admit { quota, entry: Entry { bytes: bytes.into(), ..admit.entry }, ..admit }
    };
    let name = scene.opened(&asked(60), START);
    assert_eq!(scene.admit(&asked(60), START), Ok(Admission::LinkUsed(name)), "once the first one has ended");
    refused(scene.admit(&asked(101), START));
}

#[test]
fn a_link_whose_upload_was_never_created_is_free_at_once() {
    let host = Host::new();
    let scene = Scene::new(&host);
    let name = scene.opened(&by(link(1), scene.asked(START)), START);
    let released = |upload| scene.ledger.release(&ReleaseLink { id: link(1).id, upload }).unwrap();
    released(UploadId::from_random_bytes([9; 16]));
    assert_eq!(scene.ledger.find_link(&FindLink(link(1).id)).unwrap(), Some(Admission::LinkUsed(name)));
    released(name.upload_id);
    assert_eq!(scene.ledger.find_link(&FindLink(link(1).id)).unwrap(), None);
    let second = scene.opened(&by(link(1), scene.asked(START)), START);
    revoke(&scene, link(1).id, START);
    released(second.upload_id);
    assert_eq!(scene.ledger.find_link(&FindLink(link(1).id)).unwrap(), Some(Admission::LinkRevoked));
}
