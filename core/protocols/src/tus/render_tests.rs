//! Answers of tus, as tables.

use std::collections::BTreeMap;

use http::Method;

use super::*;
use crate::Head;
use upload_types::{
    integrity::Crc64Nvme,
    plan::Plan,
    units::{ByteCount, UploadId},
    upload::{FileInfo, ObjectFacts},
};

const BASE_URL: &str = "https://u.example";

const LIMITS: Limits = Limits {
    max_upload_bytes: match ByteCount::new(1 << 33) {
        Some(bytes) => bytes,
        None => ByteCount::ZERO,
    },
    max_chunk_bytes: match ByteCount::new(95 << 20) {
        Some(bytes) => bytes,
        None => ByteCount::ZERO,
    },
};

fn snapshot(phase: Phase, declared: Option<u32>, offset: u32, memo: Option<&str>) -> Snapshot {
    let file = FileInfo {
        name: "file".to_owned(),
        content_type: None,
        metadata: BTreeMap::new(),
        sha256: None,
        crc64nvme: None,
        memo: memo.map(str::to_owned),
    };
    Snapshot {
        id: UploadId::parse("067e6162-3b6f-4ae2-a171-2470b63dff00").unwrap(),
        phase,
        reason: None,
        uploaded_bytes: offset.into(),
        offset: offset.into(),
        missing: Vec::new(),
        received_chunks_bitmap: None,
        plan: Plan::new(Mode::Sequential, declared.map(ByteCount::from), None, LIMITS).unwrap(),
        file,
        completes: upload_types::chunk::Completion::WhenWhole,
        cost: upload_types::cost::Cost::NONE,
        created_at: UnixMs(0),
        expires_at: UnixMs(784_111_777_999),
        delivery: None,
        deleted_at: None,
        live: None,
        public_url: None,
        quota_warning: None,
        held: false,
        receivers: Vec::new(),
        object: (phase == Phase::Completed).then(|| ObjectFacts {
            key: "key".to_owned(),
            etag: "etag".to_owned(),
            crc64nvme: Crc64Nvme(0),
            sha256: None,
            result: None,
        }),
    }
}

fn answer(outcome: &Outcome) -> (u16, BTreeMap<&'static str, String>) {
    let head = Head {
        method: Method::HEAD,
        path: "/files".to_owned(),
        query: String::new(),
        headers: crate::Headers::default(),
    };
    let reply = reply(
        &Asked { limits: Some(LIMITS), base_url: BASE_URL, now: UnixMs(0), ..crate::sample::asked(&head) },
        outcome,
    );
    let headers: BTreeMap<_, _> = reply.headers.into_iter().filter(|(name, _)| *name != "content-type").collect();
    (reply.status, headers)
}

#[track_caller]
fn assert_answer(outcome: &Outcome, status: u16, headers: &[(&'static str, &str)]) {
    let expected = headers.iter().copied().chain([("tus-resumable", "1.0.0")]);
    let expected = expected.map(|(name, value)| (name, value.to_owned())).collect();
    assert_eq!(answer(outcome), (status, expected));
}

const EXPIRES: (&str, &str) = ("upload-expires", "Sun, 06 Nov 1994 08:49:37 GMT");
const NO_STORE: (&str, &str) = ("cache-control", "no-store");

#[test]
fn how_an_upload_stands() {
    let probed = |phase, declared, offset, memo| Outcome::Probed(snapshot(phase, declared, offset, memo));
    assert_answer(
        &probed(Phase::Open, Some(100), 0, None),
        200,
        &[("upload-offset", "0"), ("upload-length", "100"), NO_STORE, EXPIRES],
    );
    assert_answer(
        &probed(Phase::Open, None, 70, Some(r#"{"uploadMetadata":"a, b Yg=="}"#)),
        200,
        &[("upload-offset", "70"), ("upload-defer-length", "1"), ("upload-metadata", "a, b Yg=="), NO_STORE, EXPIRES],
    );
    assert_answer(
        &probed(Phase::Completed, Some(100), 100, None),
        200,
        &[("upload-offset", "100"), ("upload-length", "100"), NO_STORE],
    );
}

#[test]
fn what_the_application_has_to_say_is_json_in_ascii() {
    let mut whole = snapshot(Phase::Completed, Some(100), 100, None);
    whole.object.as_mut().unwrap().result = Some(r#"{"name":"é\n𝄞\""}"#.to_owned());
    let (_, headers) = answer(&Outcome::Probed(whole.clone()));
    assert_eq!(headers["upload-result"], r#"{"name":"\u00e9\n\ud834\udd1e\""}"#);
    let longer = |letters: usize| {
        let mut whole = whole.clone();
        whole.object.as_mut().unwrap().result = Some(format!("\"{}\"", "é".repeat(letters)));
        answer(&Outcome::Probed(whole)).1.contains_key("upload-result")
    };
    assert!(longer(682) && !longer(683), "six characters for each, and two quotes");
    let object = whole.object.clone();
    let (id, phase, uploaded_bytes) = (whole.id, whole.phase, whole.uploaded_bytes);
    let appended =
        Outcome::Appended { id, uploaded_bytes, file_bytes: None, expires_at: whole.expires_at, phase, object };
    assert_eq!(answer(&appended).1["upload-result"], headers["upload-result"]);
}

#[test]
fn all_bytes_are_told_only_where_the_object_is_there() {
    for phase in [Phase::Completing, Phase::Verifying, Phase::Open] {
        let snapshot = snapshot(phase, Some(100), 100, None);
        assert_answer(&Outcome::Probed(snapshot.clone()), 423, &[("retry-after", "1"), NO_STORE]);
        let (status, headers) = answer(&Outcome::Status(snapshot.clone()));
        assert_eq!((status, headers.get("upload-offset")), (204, None));
        let (status, headers) = answer(&Outcome::Created { snapshot, limits: LIMITS, upload_token: None });
        assert_eq!((status, headers.get("upload-offset")), (201, None));
    }
}

#[test]
fn partials_and_what_is_put_together() {
    let partial = Some(r#"{"uploadConcat":"partial"}"#);
    assert_answer(
        &Outcome::Probed(snapshot(Phase::Open, Some(100), 7, partial)),
        200,
        &[("upload-offset", "7"), ("upload-length", "100"), ("upload-concat", "partial"), NO_STORE, EXPIRES],
    );
    let list = "final;/files/a /files/b";
    let memo = r#"{"uploadMetadata":"a YQ==","uploadConcat":"final;/files/a /files/b"}"#;
    let (concat, metadata, length) = (("upload-concat", list), ("upload-metadata", "a YQ=="), ("upload-length", "100"));
    let probed = |phase, declared, offset| Outcome::Probed(snapshot(phase, declared, offset, Some(memo)));
    assert_answer(&probed(Phase::Open, None, 0), 200, &[concat, metadata, NO_STORE, EXPIRES]);
    assert_answer(&probed(Phase::Open, Some(100), 50), 200, &[concat, metadata, length, NO_STORE, EXPIRES]);
    assert_answer(&probed(Phase::Completing, Some(100), 100), 200, &[concat, metadata, length, NO_STORE]);
    assert_answer(
        &probed(Phase::Completed, Some(100), 100),
        200,
        &[("upload-offset", "100"), concat, metadata, length, NO_STORE],
    );
    let shown = Outcome::Status(snapshot(Phase::Open, Some(100), 50, Some(memo)));
    assert_answer(&shown, 204, &[concat, metadata, length, NO_STORE, EXPIRES]);
    let location = ("location", "https://u.example/files/067e6162-3b6f-4ae2-a171-2470b63dff00");
    for (phase, offset, headers) in [
        (Phase::Open, 50, vec![location, ("retry-after", "1"), EXPIRES]),
        (Phase::Completing, 100, vec![location, ("retry-after", "1")]),
        (Phase::Completed, 100, vec![location, ("upload-offset", "100")]),
    ] {
        let snapshot = snapshot(phase, Some(100), offset, Some(memo));
        assert_answer(&Outcome::Created { snapshot, limits: LIMITS, upload_token: None }, 201, &headers);
    }
}

#[test]
fn a_deleted_object_is_gone() {
    let completed = snapshot(Phase::Completed, Some(100), 100, None);
    let taken = Snapshot { deleted_at: Some(UnixMs(7)), ..completed.clone() };
    assert_eq!(answer(&Outcome::Probed(taken)), answer(&Outcome::Probed(completed)), "whoever has taken it away");
}

#[test]
fn a_new_upload() {
    let created = |phase, declared, offset| Outcome::Created {
        snapshot: snapshot(phase, declared, offset, None),
        limits: LIMITS,
        upload_token: None,
    };
    let location = ("location", "https://u.example/files/067e6162-3b6f-4ae2-a171-2470b63dff00");
    assert_answer(&created(Phase::Open, Some(100), 5), 201, &[location, ("upload-offset", "5"), EXPIRES]);
    assert_answer(&created(Phase::Open, None, 0), 201, &[location, ("upload-offset", "0"), EXPIRES]);
    assert_answer(&created(Phase::Completed, Some(100), 100), 201, &[location, ("upload-offset", "100")]);
}

#[test]
fn a_chunk_taken() {
    let appended = |phase| Outcome::Appended {
        id: snapshot(phase, None, 0, None).id,
        uploaded_bytes: 100.into(),
        file_bytes: Some(100.into()),
        expires_at: UnixMs(784_111_777_999),
        phase,
        object: None,
    };
    assert_answer(&appended(Phase::Open), 204, &[("upload-offset", "100"), EXPIRES]);
    assert_answer(&appended(Phase::Completed), 204, &[("upload-offset", "100")]);
    assert_answer(&appended(Phase::Completing), 423, &[("retry-after", "1"), NO_STORE]);
}

#[test]
fn terminated_and_discovered() {
    assert_answer(&Outcome::Cancelled, 204, &[]);
    assert_answer(
        &Outcome::Discovered(LIMITS),
        204,
        &[
            ("tus-version", "1.0.0"),
            ("tus-extension", EXTENSIONS),
            ("tus-max-size", "8589934592"),
            ("tus-checksum-algorithm", "md5,sha1,sha256,sha384,sha512,crc32,crc32c,crc64nvme"),
            // Of the other protocol at this address.
            ("upload-limit", "max-size=8589934592, max-append-size=99614720"),
            ("accept-patch", "application/partial-upload"),
        ],
    );
}
