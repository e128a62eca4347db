//! What is stored, letter by letter. Objects written by older builds are read by newer ones: when one of these changes, the
//! schema number in `durable-objects/src/upload/facts.rs` does too, and what was stored before can be read still.

use super::*;
use crate::{event::Delivery, receivers::Receiver};

fn pinned<T: serde::Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug>(value: &T, json: &str) {
    let written: serde_json::Value = serde_json::to_value(value).unwrap();
    assert_eq!(written, serde_json::from_str::<serde_json::Value>(json).unwrap());
    assert_eq!(&serde_json::from_str::<T>(json).unwrap(), value);
}

#[test]
fn spec() {
    let mut spec = super::spec(Mode::Sequential, PART);
    spec.file.sha256 = Some(Sha256Digest([0xab; 32]));
    spec.file.metadata.insert("album".to_owned(), "2026".to_owned());
    let sha256 = "ab".repeat(32);
    pinned(
        &spec,
        &format!(
            r#"{{"id":"01010101-0101-4101-8101-010101010101","owner":"anonymous",
                "key":"uploads/01010101-0101-4101-8101-010101010101",
                "file":{{"name":"a","content_type":null,"metadata":{{"album":"2026"}},"sha256":"{sha256}","crc64nvme":null}},
                "plan":{{"mode":"sequential","file_bytes":8388608,"chunk_bytes":8388608,"part_bytes":8388608}},
                "public_url":"https://upload.example.com","created_at":0,
                "policy":{{"ttl_ms":86400000,"tombstone_ms":86400000,"resend_ms":60000,"tell_origin":true}}}}"#
        ),
    );
}

/// Of a file that was put in one go the part is a text in the row of its upload; of all others it is a row of its own.
#[test]
fn the_part_of_a_file_that_was_put_in_one_go() {
    let part = StoredPart {
        number: 1,
        end: ByteCount::new(PART).unwrap(),
        stored_at: UnixMs(7),
        etag: "e".to_owned(),
        crc64nvme: Crc64Nvme(7),
        sha256_so_far: None,
        digest: None,
    };
    pinned(
        &part,
        r#"{"number":1,"end":8388608,"stored_at":7,"etag":"e","crc64nvme":"0000000000000007","sha256_so_far":null,"digest":null}"#,
    );
}

#[test]
fn birth_of_a_partial_and_of_what_is_put_together() {
    let mut spec = super::spec(Mode::Sequential, PART);
    let purpose_of = |spec: &UploadSpec| serde_json::to_value(spec).unwrap()["purpose"].clone();
    spec.purpose = Purpose::Partial;
    assert_eq!(purpose_of(&spec), "partial");
    spec.purpose = Purpose::Composition(vec![spec.id]);
    assert_eq!(purpose_of(&spec), serde_json::json!({ "composition": ["01010101-0101-4101-8101-010101010101"] }));
    let written = serde_json::to_string(&spec).unwrap();
    assert_eq!(serde_json::from_str::<UploadSpec>(&written).unwrap(), spec);
}

#[test]
fn what_is_rare_in_progress_and_plan() {
    let mut s = session(2 * PART);
    s.progress.kept_until = Some(UnixMs(7));
    s.progress.plan = Some(Plan { guessed: true, open_ended: true, ..s.plan() });
    let written = serde_json::to_value(&s.progress).unwrap();
    assert_eq!((&written["kept_until"], &written["plan"]["guessed"]), (&7.into(), &true.into()));
    assert_eq!(serde_json::from_value::<UploadState>(written).unwrap(), s.progress);
}

#[test]
fn a_ledger_that_fails() {
    let mut s = session(0);
    let change = s.assembled(NOW, "etag".to_owned(), Crc64Nvme(7));
    s.apply(change);
    let change = s.postponed(NOW, Job::NotifyLedger, "a failure");
    s.apply(change);
    pinned(&s.progress.ledger_backoff, r#"{"failures":1,"not_before":2000}"#);
    let written = serde_json::to_value(&s.progress).unwrap();
    assert_eq!(serde_json::from_value::<UploadState>(written).unwrap(), s.progress);
}

#[test]
fn what_waits_for_its_multipart_upload_and_what_has_it_since() {
    let spec = UploadSpec { fits_request: true, ..super::spec(Mode::Sequential, 2 * PART) };
    let written = serde_json::to_value(&spec).unwrap();
    assert_eq!((&written["fits_request"], written.get("multipart_id")), (&true.into(), None));
    assert_eq!(serde_json::from_value::<UploadSpec>(written).unwrap(), spec);
    let mut s = create_without_multipart(spec);
    pinned(&s.progress.storage, r#""deferred""#);
    let decision = s.begin_opened(NOW, begin(0, PART), Some("late"));
    take(&mut s, decision).unwrap();
    pinned(&s.progress.storage, r#"{"multipart":{"id":"late"}}"#);
    for (storage, json) in [
        (Storage::Empty, r#""empty""#),
        (Storage::SingleObject { counted: None }, r#"{"single_object":{}}"#),
        (Storage::SingleObject { counted: Some(7) }, r#"{"single_object":{"counted":7}}"#),
        (Storage::Shared, r#""shared""#),
        (Storage::opened("late", 3), r#"{"multipart":{"id":"late","puts_before":3}}"#),
    ] {
        pinned(&storage, json);
    }
    assert_eq!(serde_json::from_value::<UploadState>(serde_json::to_value(&s.progress).unwrap()).unwrap(), s.progress);
}

#[test]
fn progress_while_open() {
    let mut s = session(2 * PART);
    start(&mut s, 0, PART).unwrap();
    pinned(
        &s.progress,
        r#"{"phase":"open","reason":null,"ended_at":null,
            "lease":{"attempt":1,"first_number":1,"last_number":10000,"numbers_before":0,"reserved_parts":1,"from":0,"to":8388608,"all_or_nothing":false,"begun_at":1000,
                     "takeovers":0,"state":"held"},
            "etag":null,"crc64nvme":null,"holds_storage":true,"leftovers":"none","storage":{"multipart":{"id":"multipart"}},"owes_ledger":false,
            "seen_at":0,"job_failures":0,"job_not_before":0}"#,
    );
}

#[test]
fn progress_and_delivery_when_ended() {
    let mut s = session(0);
    let change = s.assembled(NOW, "etag".to_owned(), Crc64Nvme(7));
    s.apply(change);
    pinned(
        &s.progress,
        r#"{"phase":"completed","reason":null,"ended_at":1000,"lease":null,"etag":"etag","crc64nvme":"0000000000000007",
            "holds_storage":true,"leftovers":"none","storage":"empty","owes_ledger":true,"seen_at":0,"job_failures":0,
            "job_not_before":1000}"#,
    );
    pinned(&s.outbox, r#"[{"kind":"completed","occurred_at":1000,"state":"queued","attempts":0,"next_send_at":1000}]"#);
}

#[test]
fn what_another_receiver_is_told() {
    let receivers = vec![Receiver { name: "search".to_owned(), kinds: vec![EventKind::Completed] }];
    let mut s =
        create(UploadSpec { receivers: Receivers::new(receivers), ..super::spec(Mode::Sequential, 0) }).unwrap();
    let change = s.assembled(NOW, "etag".to_owned(), Crc64Nvme(7));
    s.apply(change);
    let other = s.outbox.iter().find(|delivery| !delivery.receiver.is_origin()).unwrap().clone();
    pinned(
        &other,
        r#"{"receiver":1,"kind":"completed","occurred_at":1000,"state":"queued","attempts":0,"next_send_at":1000}"#,
    );
    let taken = Delivery { discard: true, ..s.outbox.last().unwrap().clone() };
    let written = serde_json::to_value(&taken).unwrap();
    assert_eq!((&written["discard"], written.get("receiver")), (&true.into(), None), "the origin is not named");
}
