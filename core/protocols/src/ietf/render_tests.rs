//! Outcomes and refusals, and what is answered, case by case.

use std::collections::BTreeMap;

use http::Method;

use super::*;
use upload_types::{plan::Plan, units::MIB, upload::FileInfo};

const ID: &str = "067e6162-3b6f-4ae2-a171-2470b63dff00";

fn id() -> UploadId {
    UploadId::parse(ID).unwrap()
}

fn limits() -> Limits {
    Limits { max_upload_bytes: ByteCount::new(1000 * MIB).unwrap(), max_chunk_bytes: ByteCount::new(95 * MIB).unwrap() }
}

fn head(method: Method, path: &str, headers: &[(&'static str, &str)]) -> Head {
    Head { method, path: path.to_owned(), query: String::new(), headers: crate::Headers::of(headers.iter().copied()) }
}

fn asked(head: &Head) -> Asked<'_> {
    Asked { limits: Some(limits()), ..crate::sample::asked(head) }
}

fn object() -> ObjectFacts {
    ObjectFacts { key: "k".to_owned(), etag: "e".to_owned(), crc64nvme: Crc64Nvme(1), sha256: None, result: None }
}

fn snapshot(phase: Phase, offset: u32) -> Snapshot {
    Snapshot {
        id: id(),
        phase,
        reason: None,
        uploaded_bytes: offset.into(),
        offset: offset.into(),
        missing: Vec::new(),
        received_chunks_bitmap: None,
        plan: Plan::new(Mode::Sequential, Some(100.into()), None, limits()).unwrap(),
        file: FileInfo {
            name: "file".to_owned(),
            content_type: None,
            metadata: BTreeMap::new(),
            sha256: None,
            crc64nvme: None,
            memo: None,
        },
        completes: upload_types::chunk::Completion::WhenWhole,
        cost: upload_types::cost::Cost::NONE,
        created_at: UnixMs(0),
        expires_at: UnixMs(1_060_999),
        delivery: None,
        deleted_at: None,
        live: None,
        public_url: None,
        quota_warning: None,
        held: false,
        receivers: Vec::new(),
        object: (phase == Phase::Completed).then(object),
    }
}

fn header<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
    reply.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
}

fn body(reply: &Reply) -> serde_json::Value {
    serde_json::from_str(reply.body.as_deref().unwrap()).unwrap()
}

#[test]
fn an_offset_retrieval_says_all_that_the_draft_asks_for() {
    let head = head(Method::HEAD, &format!("/files/{ID}"), &[]);
    let reply = reply(&asked(&head), &Outcome::Probed(snapshot(Phase::Open, 25)));
    assert_eq!(
        reply,
        Reply::empty(204)
            .with(COMPLETE, "?0")
            .with(OFFSET, "25")
            .with(LENGTH, "100")
            .with(LIMIT, "max-size=1048576000, max-append-size=99614720, max-age=60")
            .with("cache-control", "no-store")
    );
}

#[test]
fn a_length_that_nobody_has_said_is_not_said_either() {
    let head = head(Method::HEAD, &format!("/files/{ID}"), &[]);
    let mut open_ended = snapshot(Phase::Open, 25);
    open_ended.plan.open_ended = true;
    assert_eq!(header(&reply(&asked(&head), &Outcome::Probed(open_ended)), LENGTH), None);
}

#[test]
fn the_final_answer_is_the_same_whoever_gets_it() {
    let head = head(Method::POST, "/files", &[]);
    let created = Outcome::Created { snapshot: snapshot(Phase::Completed, 100), limits: limits(), upload_token: None };
    let appended = Outcome::Appended {
        id: id(),
        uploaded_bytes: 100.into(),
        file_bytes: Some(100.into()),
        expires_at: UnixMs(7),
        phase: Phase::Completed,
        object: Some(object()),
    };
    let first = reply(&asked(&head), &created);
    assert_eq!(first, reply(&asked(&head), &appended));
    assert_eq!((first.status, header(&first, COMPLETE), header(&first, OFFSET)), (200, Some("?1"), Some("100")));
    assert_eq!(header(&first, "repr-digest"), Some("crc64nvme=:AAAAAAAAAAE=:"));
    assert_eq!(body(&first)["location"], format!("https://u.example/files/{ID}"));
    assert_eq!(body(&first)["uploadId"], ID);
}

#[test]
fn what_is_open_is_created_and_appended_to() {
    let head = head(Method::POST, "/files", &[]);
    let created = reply(
        &asked(&head),
        &Outcome::Created { snapshot: snapshot(Phase::Open, 5), limits: limits(), upload_token: None },
    );
    assert_eq!((created.status, header(&created, COMPLETE), header(&created, OFFSET)), (201, Some("?0"), Some("5")));
    assert_eq!(header(&created, "location"), Some(format!("https://u.example/files/{ID}").as_str()));
    let appended = Outcome::Appended {
        id: id(),
        uploaded_bytes: 30.into(),
        file_bytes: None,
        expires_at: UnixMs(1_001_000),
        phase: Phase::Open,
        object: None,
    };
    let appended = reply(&asked(&head), &appended);
    assert_eq!(
        (appended.status, header(&appended, COMPLETE), header(&appended, OFFSET)),
        (204, Some("?0"), Some("30"))
    );
    assert!(header(&appended, LIMIT).is_some_and(|limit| limit.ends_with("max-age=1")));
    assert_eq!(header(&appended, LENGTH), None);
}

#[test]
fn while_the_object_is_made_no_offset_is_told() {
    let head = |method, path: &str| head(method, path, &[]);
    let upload = format!("/files/{ID}");
    let created = Outcome::Created { snapshot: snapshot(Phase::Completing, 100), limits: limits(), upload_token: None };
    let appended = Outcome::Appended {
        id: id(),
        uploaded_bytes: 100.into(),
        file_bytes: Some(100.into()),
        expires_at: UnixMs(7),
        phase: Phase::Verifying,
        object: None,
    };
    for (method, path, outcome, status) in [
        // Published clients begin a new upload after a HEAD that is answered 503.
        (Method::HEAD, upload.as_str(), Outcome::Probed(snapshot(Phase::Completing, 100)), 423),
        (Method::GET, &upload, Outcome::Status(snapshot(Phase::Verifying, 100)), 503),
        (Method::PATCH, &upload, appended, 503),
        // And send everything again after a creation that is refused.
        (Method::POST, "/files", created, 201),
    ] {
        let reply = reply(&asked(&head(method, path)), &outcome);
        assert_eq!((reply.status, header(&reply, "retry-after")), (status, Some("1")), "{outcome:?}");
        assert_eq!((header(&reply, OFFSET), header(&reply, COMPLETE)), (None, Some("?0")), "{outcome:?}");
        assert_eq!(header(&reply, "location").is_some(), status == 201, "{outcome:?}");
    }
    let head = head(Method::HEAD, &upload);
    let failed = reply(&asked(&head), &Outcome::Probed(snapshot(Phase::Failed, 100)));
    assert_eq!((failed.status, header(&failed, COMPLETE), header(&failed, OFFSET)), (410, Some("?1"), None));
}

#[test]
fn problems_have_the_types_of_the_draft() {
    let sized = ("content-length", "5");
    let append = head(Method::PATCH, &format!("/files/{ID}"), &[(OFFSET, "25000000"), sized]);
    let mismatch = ApiError::OffsetMismatch { uploaded_bytes: 12_500_000.into(), is_whole: false };
    let refused = problem(&asked(&append), &mismatch, Some(id()));
    assert_eq!(
        (refused.status, header(&refused, COMPLETE), header(&refused, OFFSET)),
        (409, Some("?0"), Some("12500000"))
    );
    assert_eq!(header(&refused, "content-type"), Some("application/problem+json"));
    let body_of = body(&refused);
    assert_eq!(body_of["type"], "https://iana.org/assignments/http-problem-types#mismatching-upload-offset");
    assert_eq!((&body_of["expected-offset"], &body_of["provided-offset"]), (&json!(12_500_000), &json!(25_000_000)));

    let inconsistent = "https://iana.org/assignments/http-problem-types#inconsistent-upload-length";
    let (length, offset) = (ByteCount::from(9), ByteCount::from(5));
    let declared = ApiError::InconsistentLength { file_bytes: length, uploaded_bytes: offset };
    let beyond = ApiError::BeyondDeclaredLength { file_bytes: length, uploaded_bytes: offset };
    let contradicting = ApiError::bad_request(LENGTH_NAME, "contradicts");
    let at_5 = head(Method::PATCH, &format!("/files/{ID}"), &[(OFFSET, "5"), sized]);
    for refusal in [&declared, &beyond, &contradicting] {
        let refused = problem(&asked(&at_5), refusal, Some(id()));
        assert_eq!((refused.status, header(&refused, COMPLETE)), (400, Some("?0")), "{refusal:?}");
        assert_eq!((&body(&refused)["type"], &body(&refused)["status"]), (&json!(inconsistent), &json!(400)));
    }
    for refusal in [&declared, &beyond] {
        assert_eq!(
            problem(&asked(&append), refusal, Some(id())).status,
            409,
            "the offset is wrong before the length is"
        );
        let unsized_at_0 = head(Method::PATCH, &format!("/files/{ID}"), &[(OFFSET, "0")]);
        assert_eq!(
            problem(&asked(&unsized_at_0), refusal, Some(id())).status,
            400,
            "the offset was right when it began"
        );
    }
}

#[test]
fn other_problems() {
    let append = head(Method::PATCH, &format!("/files/{ID}"), &[]);
    let creation = head(Method::POST, "/files", &[]);
    for (head, refusal, status, complete, offset) in [
        (&append, ApiError::UnsupportedMediaType { expected: "x".to_owned() }, 415, "?0", None),
        (&creation, ApiError::bad_request("Content-Type", "x"), 400, "?0", None),
        (&append, ApiError::ChecksumMismatch { uploaded_bytes: 5.into() }, 422, "?0", Some("5")),
        (&creation, ApiError::ChecksumMismatch { uploaded_bytes: 0.into() }, 422, "?0", None),
        (&append, ApiError::FileDigestMismatch { actual: "00".to_owned(), kept: false }, 422, "?1", None),
        (&append, ApiError::ChunkTooLarge { limit_bytes: 5.into() }, 413, "?0", None),
        (&creation, ApiError::UploadTooLarge { limit_bytes: 5.into() }, 413, "?0", None),
        (&append, ApiError::Completing, 503, "?0", None),
        (&append, ApiError::LengthRequired, 411, "?0", None),
    ] {
        let refused = problem(&asked(head), &refusal, None);
        assert_eq!((refused.status, body(&refused)["status"].as_u64()), (status, Some(status.into())), "{refusal:?}");
        assert_eq!((header(&refused, COMPLETE), header(&refused, OFFSET)), (Some(complete), offset), "{refusal:?}");
        assert!(header(&refused, LIMIT).is_some(), "{refusal:?}");
        assert_eq!(header(&refused, "accept-patch").is_some(), status == 415, "{refusal:?}");
    }
}

#[test]
fn what_passes_never_makes_whoever_asks_for_the_offset_start_over() {
    for interop in ["4", "6", "8"] {
        let head = head(Method::HEAD, &format!("/files/{ID}"), &[("upload-draft-interop-version", interop)]);
        for reply in [
            super::super::fault(&asked(&head), "f", None),
            super::super::problem(&asked(&head), &ApiError::KeysUnavailable, None),
            super::super::problem(&asked(&head), &ApiError::StorageUnavailable { uploaded_bytes: 5.into() }, None),
        ] {
            assert_eq!((reply.status, header(&reply, COMPLETE)), (423, Some("?0")), "{interop}");
            assert!(header(&reply, "retry-after").is_some() && header(&reply, LIMIT).is_some());
            assert_eq!(header(&reply, "upload-draft-interop-version"), Some(interop));
        }
    }
    let append = head(Method::PATCH, &format!("/files/{ID}"), &[]);
    assert_eq!(super::super::fault(&asked(&append), "f", None).status, 500);
}

#[test]
fn discovery_says_limits_and_how_to_append() {
    assert_eq!(
        discovery(&limits()),
        [
            (LIMIT, "max-size=1048576000, max-append-size=99614720".to_owned()),
            ("accept-patch", "application/partial-upload".to_owned())
        ]
    );
}
