//! Starting, being killed, starting again, being asked to stop.

use std::sync::Arc;

use reqwest::StatusCode;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Answer, Event, ObjectServer, Origin, SECRET, SIGNATURE, run_to_its_end};

const BYTES: &[u8] = b"bytes that outlive a process";

#[tokio::test]
async fn records_outlive_a_kill() {
    let server = ObjectServer::start([Answer::Whole(BYTES.to_vec())]).await;
    let origin = Origin::start(&[]).await;
    let (event, other) = (Event::completed(&server.url, BYTES), Event::other("upload.expired"));
    assert_eq!(origin.deliver(event.delivery()).await.status(), StatusCode::OK);
    assert_eq!(origin.deliver(other.delivery()).await.status(), StatusCode::OK);
    let before = (origin.json("/uploads").await, origin.json("/events").await);

    let origin = Origin::start_on(origin.kill().await, &[]).await;
    assert_eq!((origin.json("/uploads").await, origin.json("/events").await), before);
    assert_eq!(origin.deliver(event.delivery()).await.status(), StatusCode::OK);
    assert_eq!(server.requests(), 1);
    assert_eq!(origin.json("/uploads").await[0]["deliveries"], 2);
}

#[tokio::test]
async fn a_kill_in_the_middle_of_a_download_heals_with_the_next_delivery() {
    let server = ObjectServer::start([Answer::Held(BYTES.to_vec()), Answer::Whole(BYTES.to_vec())]).await;
    let origin = Origin::start(&[]).await;
    let event = Event::completed(&server.url, BYTES);
    let path = format!("/uploads/{}", event.upload_id);

    let unanswered = tokio::spawn(origin.delivering(event.delivery()));
    server.requested(1).await;
    let directory = origin.kill().await;
    assert!(unanswered.await.unwrap().is_err());

    let origin = Origin::start_on(directory, &[]).await;
    assert_eq!(origin.json(&path).await["state"], "pending");
    assert_eq!(origin.deliver(event.delivery()).await.status(), StatusCode::OK);
    let upload = origin.json(&path).await;
    assert_eq!((&upload["state"], &upload["deliveries"]), (&json!("stored"), &json!(2)));
    assert_eq!(origin.objects(), [event.upload_id.as_str()]);
}

/// What is on disk when the process died after the rename and before the record, or in the middle of a longer attempt.
#[tokio::test]
async fn leftovers_of_a_dead_attempt_are_written_over() {
    let server = ObjectServer::start([Answer::Whole(BYTES.to_vec())]).await;
    let origin = Origin::start(&[]).await;
    let event = Event::completed(&server.url, BYTES);
    std::fs::write(origin.object(&event.upload_id), BYTES).unwrap();
    std::fs::write(origin.object(&format!("{}.part", event.upload_id)), [7; 1000]).unwrap();

    assert_eq!(origin.deliver(event.delivery()).await.status(), StatusCode::OK);
    assert_eq!(origin.objects(), [event.upload_id.as_str()]);
    assert_eq!(std::fs::read(origin.object(&event.upload_id)).unwrap(), BYTES);
}

#[tokio::test]
async fn asked_to_stop_it_sends_waiting_deliveries_away_and_ends() {
    let server = ObjectServer::start([Answer::Held(BYTES.to_vec()), Answer::Whole(BYTES.to_vec())]).await;
    let origin = Origin::start(&[("ORIGIN_WAIT_SECONDS", "3600")]).await;
    let event = Event::completed(&server.url, BYTES);
    let waiting = tokio::spawn(origin.delivering(event.delivery()));
    server.requested(1).await;

    origin.terminate();
    assert_eq!(waiting.await.unwrap().unwrap().status(), StatusCode::SERVICE_UNAVAILABLE);
    let directory = Arc::clone(&origin.directory);
    let (status, log) = origin.ended().await;
    assert!(status.success(), "{status}");
    assert!(log.last().unwrap().contains(r#""step":"stopped""#), "{log:?}");

    let origin = Origin::start_on(directory, &[]).await;
    assert_eq!(origin.deliver(event.delivery()).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn the_log_is_json_and_holds_no_secret() {
    let server = ObjectServer::start([Answer::Cut(BYTES.to_vec()), Answer::Whole(BYTES.to_vec())]).await;
    let origin = Origin::start(&[]).await;
    let event = Event::completed(&server.url, BYTES);
    let unreachable = format!("http://127.0.0.1:1/upload/x/content?signature={SIGNATURE}");
    let malformed = event.clone().with("downloadUrl", format!("gopher://x?signature={SIGNATURE}"));
    let mut unsigned = event.delivery();
    unsigned.signature = "v1,AAAA".to_owned();
    origin.deliver(unsigned).await;
    origin.deliver(malformed.delivery()).await;
    origin.deliver(event.clone().with("downloadUrl", unreachable).delivery()).await;
    origin.deliver(event.delivery()).await;
    origin.deliver(event.delivery()).await;
    origin.terminate();
    let (_, log) = origin.ended().await;

    let steps: Vec<Value> =
        log.iter().map(|line| serde_json::from_str::<Value>(line).expect(line)["step"].clone()).collect();
    assert_eq!(
        steps,
        [
            "listening",
            "refused",
            "refused",
            "failed",
            "answered",
            "failed",
            "answered",
            "stored",
            "answered",
            "stopped"
        ]
    );
    for secret in [SIGNATURE, SECRET, "signature="] {
        assert!(!log.iter().any(|line| line.contains(secret)), "{secret} is in the log: {log:#?}");
    }
}

#[tokio::test]
async fn a_wrong_secret_ends_the_start_with_a_sentence() {
    let directory = TempDir::new().unwrap();
    for (secret, expected) in [("", "WEBHOOK_SECRET is not set"), ("whsec_!", "WEBHOOK_SECRET is not base64")] {
        let output = run_to_its_end(&directory, &[("WEBHOOK_SECRET", secret)]).await;
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && message.starts_with(&format!("origin: {expected}")), "{message}");
    }
}

#[tokio::test]
async fn one_data_directory_has_one_origin() {
    let origin = Origin::start(&[]).await;
    let output = run_to_its_end(&origin.directory, &[]).await;
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && message.contains("is in use by another origin"), "{message}");
}

#[tokio::test]
async fn only_the_named_web_page_may_read_the_records() {
    let allowed = async |settings: &[(&str, &str)]| {
        let response = Origin::start(settings).await.get("/uploads").await;
        response.headers().get("access-control-allow-origin").map(|value| value.to_str().unwrap().to_owned())
    };
    assert_eq!(allowed(&[]).await, None);
    let page = "https://upload.example.com";
    assert_eq!(allowed(&[("ORIGIN_SHOW_TO", page)]).await.as_deref(), Some(page));
}
