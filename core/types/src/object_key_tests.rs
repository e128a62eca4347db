//! Templates, names and marks, and whose is what.

use proptest::prelude::*;

use super::*;

const ID: &str = "067e6162-3b6f-4ae2-a171-2470b63dff00";
const OTHER: &str = "167e6162-3b6f-4ae2-a171-2470b63dff00";

fn id() -> UploadId {
    UploadId::parse(ID).unwrap()
}

fn parts<'a>(prefix: &'a str, owner: &'a str, file_name: &'a str) -> KeyParts<'a> {
    KeyParts { id: id(), prefix, owner, file_name, created_at: UnixMs(1_795_251_600_123) }
}

fn template(text: &str) -> KeyTemplate {
    KeyTemplate::parse(text).unwrap()
}

fn key(text: &str, file_name: &str) -> String {
    template(text).fill(&parts("acme/in/", "alice@example.com", file_name))
}

#[test]
fn a_template_is_filled_in() {
    for (text, expected) in [
        (DEFAULT_TEMPLATE, "uploads/acme/in/ID"),
        ("{prefix}{year}/{month}/{day}/{id}{.ext}", "acme/in/2026/11/21/ID.jpg"),
        ("{owner}/{date}-{id}", "acme/in/alice-example.com/2026-11-21-ID"),
        ("files/{prefix}{id}/{name}", "files/acme/in/ID/Holiday-in-Z-rich.JPG"),
        ("a=b/{prefix}{id}", "a=b/acme/in/ID"),
    ] {
        assert_eq!(key(text, "Holiday in Zürich.JPG"), expected.replace("ID", ID), "{text}");
    }
}

#[test]
fn what_is_no_template_is_named() {
    for wrong in [
        "",
        "uploads/",
        "{prefix}",
        "{ID}",
        "{id}{id}",
        "{id}/{name}/{name}",
        "/{id}",
        "{id}/",
        "a//{id}",
        "../{id}",
        "{prefix}/{id}",
        "{name}{prefix}{id}",
        "a{prefix}{id}",
        "ä/{id}",
        "{id} ",
        "{id}/{sha256}",
        "{id}{",
        "}{id}",
        "a\u{0}{id}",
    ] {
        assert!(KeyTemplate::parse(wrong).is_err(), "{wrong:?}");
    }
    assert!(KeyTemplate::parse(&format!("{}{{id}}", "a".repeat(246))).is_ok());
    assert!(KeyTemplate::parse(&format!("{}{{id}}", "a".repeat(247))).is_err());
}

#[test]
fn what_a_tenants_token_says_stays_below_the_tenant() {
    for (text, expected) in [
        ("{prefix}{id}", "uploads/acme/ID"),
        ("uploads/other/{prefix}{id}", "uploads/acme/other/ID"),
        ("{name}/{id}", "uploads/acme/other/ID"),
        ("uploads/{prefix}{id}", "uploads/acme/ID"),
    ] {
        let key = template(text).below_tenant().fill(&parts("acme/", "a", "other"));
        assert_eq!(key, expected.replace("ID", ID), "{text}");
    }
}

#[test]
fn a_name_is_one_segment_of_plain_characters() {
    for (name, expected) in [
        ("../../etc/passwd", "-..-etc-passwd"),
        (".htaccess", "htaccess"),
        ("a.tar.gz", "a.tar.gz"),
        ("日本語.pdf", "-.pdf"),
        ("日本語", "-"),
        ("", "-"),
        ("..", "-"),
        ("a.b c", "a.b-c"),
        ("a\r\nb?.png", "a-b-.png"),
        ("{id}", "-id-"),
    ] {
        assert_eq!(key("{prefix}{id}/{name}", name), format!("acme/in/{ID}/{expected}"), "{name:?}");
    }
    let long = key("{prefix}{id}/{name}", &format!("{}.jpeg", "x".repeat(300)));
    assert!(long.ends_with("xxx.jpeg") && long.len() == format!("acme/in/{ID}/").len() + 120, "{long}");
}

#[test]
fn there_is_room_for_all_that_may_be_filled_in() {
    let text = "{prefix}{owner}/{name}/{date}/{year}/{month}/{day}/{id}{.ext}";
    let text = format!("{text}{}", "a".repeat(MAX_TEMPLATE_BYTES - text.len()));
    let long = format!("{}.extension012345", "x".repeat(300));
    let key = template(&text).fill(&parts(&format!("{}/", "p".repeat(640)), &"o".repeat(255), &long));
    assert!(key.len() <= MAX_KEY_BYTES && key.contains(ID), "{}", key.len());
}

#[test]
fn no_object_lies_where_the_bytes_of_open_uploads_do() {
    for (text, parts) in [
        ("{owner}/{id}/{name}", parts("", "segments", "a")),
        ("{name}/{id}/x", parts("", "a", "segments")),
        ("{prefix}{id}", parts("segments/", "a", "a")),
        ("{id}", parts("segments/", "a", "a")),
        ("segments{.ext}/{id}", parts("", "a", "a")),
    ] {
        assert!(template(text).fill(&parts).starts_with("-segments/"), "{text}");
    }
}

#[test]
fn a_mark_stands_in_front_of_the_extension() {
    for (key, expected) in [
        ("uploads/ID", "uploads/ID-3"),
        ("a.b/ID.jpg", "a.b/ID-3.jpg"),
        ("a/ID/b.c.jpg", "a/ID/b.c-3.jpg"),
        ("a/ID/Report-v1.2-final", "a/ID/Report-v1.2-final-3"),
        // Behind the id alone: a name in front of it may be anybody's.
        ("a/b.ID", "a/b.ID-3"),
        ("a.b/c.ID/d", "a.b/c.ID/d-3"),
    ] {
        let key = key.replace("ID", ID);
        let marked = with_mark(&key, id(), '-', 3);
        assert_eq!(marked, expected.replace("ID", ID));
        assert!(marked.starts_with(&mark_prefix(&key, id(), '-')));
        assert!(is_marked(&marked, &key, id(), '-') && !is_marked(&marked, &key, id(), '.'));
        assert!(!is_marked(&key, &key, id(), '-'), "the object is no stray");
    }
}

proptest! {
    #[test]
    fn what_one_upload_sweeps_away_is_never_anothers(
        text in prop::sample::select(vec![
            DEFAULT_TEMPLATE, "{id}{.ext}", "{name}.{id}", "{id}/{name}", "{name}{id}{owner}", "{prefix}{name}-{id}", "{name}/{id}/x",
        ]),
        names in prop::array::uniform2("(ID|OTHER|segments|-1|[a-c.\\-/]){0,4}"),
        owners in prop::array::uniform2("(ID|OTHER|segments|[ab.\\-]){0,2}"),
        prefixes in prop::array::uniform2("((ID|OTHER|segments|a)(-1|-)?/){0,2}"),
    ) {
        let ids = [id(), UploadId::parse(OTHER).unwrap()];
        let said = |text: &String| text.replace("ID", ID).replace("OTHER", OTHER);
        let keys = [0, 1].map(|at| {
            let (prefix, owner, file_name) = (said(&prefixes[at]), said(&owners[at]), said(&names[at]));
            let parts = KeyParts { id: ids[at], ..parts(&prefix, &owner, &file_name) };
            template(text).fill(&parts)
        });
        for (at, other) in [(0, 1), (1, 0)] {
            let marks = ['-', '.'].map(|sign| with_mark(&keys[other], ids[other], sign, 1));
            for key in marks.into_iter().chain([keys[other].clone()]) {
                prop_assert!(!is_marked(&key, &keys[at], ids[at], '-'), "{key} {}", keys[at]);
                prop_assert!(!key.starts_with(OF_SEGMENTS), "{key}");
                prop_assert!(key.split('/').all(is_segment), "{key}");
            }
        }
    }
}
