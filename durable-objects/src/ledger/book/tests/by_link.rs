//! Links that take one file: one upload for each, another where that came to nothing, none where the link was taken back.

use upload_types::upload_link::{LinkId, LinkUse};

use super::*;
use crate::rpc::ledger::RevokeLink;

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
