//! Objects that are not what the event says, and downloads that do not get to the end.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{Answer, Event, ObjectServer, Origin, sha256_hex};

const TEXT: &[u8] = b"the quick brown fox jumps over the lazy dog";

/// Delivers twice: rejected both times, fetched once, nothing kept. Returns the reason.
async fn rejected(answer: Answer, event: impl FnOnce(Event) -> Event) -> String {
    let server = ObjectServer::start([answer]).await;
    // Rejected content is kept at Quayside, whatever is said of stored content.
    let origin = Origin::start(&[("ORIGIN_DISPOSITION", "delete")]).await;
    let event = event(Event::completed(&server.url, TEXT));
    for _ in 0..2 {
        let answer = origin.deliver(event.delivery()).await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.json::<Value>().await.unwrap(), json!({ "disposition": "keep" }));
    }
    assert_eq!(server.requests(), 1);
    assert_eq!(origin.objects(), [""; 0]);
    let upload = origin.json(&format!("/uploads/{}", event.upload_id)).await;
    assert_eq!((&upload["state"], &upload["file"]), (&json!("rejected"), &json!(null)));
    upload["reason"].as_str().unwrap().to_owned()
}

/// Delivers twice: 503 first, with nothing stored; stored then. Two downloads.
async fn passing(first: Answer) {
    let server = ObjectServer::start([first, Answer::Whole(TEXT.to_vec())]).await;
    let origin = Origin::start(&[]).await;
    let event = Event::completed(&server.url, TEXT);
    let path = format!("/uploads/{}", event.upload_id);

    assert_eq!(origin.deliver(event.delivery()).await.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(origin.json(&path).await["state"], "pending");
    assert_eq!(origin.objects(), [""; 0]);

    assert_eq!(origin.deliver(event.delivery()).await.status(), StatusCode::OK);
    let upload = origin.json(&path).await;
    assert_eq!((&upload["state"], &upload["deliveries"]), (&json!("stored"), &json!(2)));
    assert_eq!(origin.objects(), [event.upload_id.as_str()]);
    assert_eq!(std::fs::read(origin.object(&event.upload_id)).unwrap(), TEXT);
    assert_eq!(server.requests(), 2);
}

#[tokio::test]
async fn a_wrong_sha256_is_rejected() {
    let reason = rejected(Answer::Whole(TEXT.to_vec()), |event| event.with_digest("sha256", sha256_hex(b"else"))).await;
    assert_eq!(reason, format!("SHA-256 is {}, the event says {}", sha256_hex(TEXT), sha256_hex(b"else")));
}

#[tokio::test]
async fn a_wrong_crc_is_rejected_also_without_a_sha256() {
    let reason = rejected(Answer::Whole(TEXT.to_vec()), |event| {
        event.with_digest("sha256", Value::Null).with_digest("crc64nvme", "0123456789abcdef")
    })
    .await;
    assert!(reason.starts_with("CRC-64/NVME is ") && reason.ends_with("the event says 0123456789abcdef"), "{reason}");
}

#[tokio::test]
async fn one_flipped_bit_is_rejected() {
    let mut bytes = TEXT.to_vec();
    bytes[7] ^= 1;
    assert!(rejected(Answer::Whole(bytes), |event| event).await.starts_with("CRC-64/NVME is "));
}

#[tokio::test]
async fn a_wrong_size_is_rejected() {
    let reason = rejected(Answer::Whole(TEXT.to_vec()), |event| event.with("fileSize", 42)).await;
    assert_eq!(reason, "43 bytes, the event says 42");
    let reason = rejected(Answer::Whole(TEXT.to_vec()), |event| event.with("fileSize", 44)).await;
    assert_eq!(reason, "43 bytes, the event says 44");
}

#[tokio::test]
async fn more_bytes_than_the_event_says_are_rejected_as_they_come() {
    let reason = rejected(Answer::Unannounced(TEXT.to_vec()), |event| event.with("fileSize", 42)).await;
    assert_eq!(reason, "more bytes than the 42 of the event");
}

#[tokio::test]
async fn a_cut_download_is_tried_again() {
    passing(Answer::Cut(TEXT.to_vec())).await;
}

#[tokio::test]
async fn an_early_end_of_an_unannounced_length_is_tried_again() {
    passing(Answer::Unannounced(TEXT[..9].to_vec())).await;
}

#[tokio::test]
async fn an_unhappy_server_is_asked_again() {
    for status in [StatusCode::INTERNAL_SERVER_ERROR, StatusCode::FORBIDDEN, StatusCode::NOT_FOUND] {
        passing(Answer::Status(status)).await;
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_asked_again() {
    let server = ObjectServer::start([Answer::Whole(TEXT.to_vec())]).await;
    let origin = Origin::start(&[]).await;
    let event = Event::completed(&server.url, TEXT);
    // Reserved for nobody: connections are refused.
    let away = event.clone().with("downloadUrl", "http://127.0.0.1:1/upload/x/content");
    assert_eq!(origin.deliver(away.delivery()).await.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(origin.deliver(event.delivery()).await.status(), StatusCode::OK);
    assert_eq!(server.requests(), 1);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = ObjectServer::start([Answer::Whole(TEXT.to_vec())]).await;
    passing(Answer::Redirect(format!("{}/upload/x/content", elsewhere.url))).await;
    assert_eq!(elsewhere.requests(), 0);
}

#[tokio::test]
async fn an_empty_object_is_an_object() {
    let server = ObjectServer::start([Answer::Whole(Vec::new())]).await;
    let origin = Origin::start(&[]).await;
    let event = Event::completed(&server.url, b"");
    assert_eq!(origin.deliver(event.delivery()).await.status(), StatusCode::OK);
    let upload = origin.json(&format!("/uploads/{}", event.upload_id)).await;
    assert_eq!((&upload["state"], &upload["sha256"]), (&json!("stored"), &json!(sha256_hex(b""))));
}

#[tokio::test]
async fn a_large_object_arrives_whole() {
    let bytes: Vec<u8> = (0..20_000_000u32).map(|i| i.to_le_bytes()[i as usize % 3]).collect();
    let server = ObjectServer::start([Answer::Whole(bytes.clone())]).await;
    let origin = Origin::start(&[]).await;
    let event = Event::completed(&server.url, &bytes);
    assert_eq!(origin.deliver(event.delivery()).await.status(), StatusCode::OK);
    assert!(std::fs::read(origin.object(&event.upload_id)).unwrap() == bytes);
}

#[tokio::test]
async fn a_file_name_is_kept_and_never_a_path() {
    let server = ObjectServer::start([Answer::Whole(TEXT.to_vec())]).await;
    let origin = Origin::start(&[]).await;
    let long = "n".repeat(300);
    for name in ["../../etc/passwd", "/etc/passwd", "..", "", "a\u{0}b\n\u{1b}[31m", "🦭.png", long.as_str()] {
        let event = Event::completed(&server.url, TEXT).with("fileName", name);
        assert_eq!(origin.deliver(event.delivery()).await.status(), StatusCode::OK);
        let upload = origin.json(&format!("/uploads/{}", event.upload_id)).await;
        assert_eq!(upload["fileName"], name);
        assert_eq!(upload["file"], json!(origin.object(&event.upload_id)));
    }
    assert_eq!(origin.objects().len(), 7);
    assert!(origin.objects().iter().all(|name| uuid::Uuid::try_parse(name).is_ok()), "{:?}", origin.objects());
    let mut beside: Vec<_> =
        std::fs::read_dir(origin.directory.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    beside.sort();
    assert_eq!(beside, ["lock", "objects", "origin.db", "origin.db-shm", "origin.db-wal"]);
}
