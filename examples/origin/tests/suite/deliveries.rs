//! One event, delivered once, again, twice at the same time, and while its download takes long.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{Answer, Event, ObjectServer, Origin, sha256_hex};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR and so on";

#[tokio::test]
async fn a_completed_upload_is_fetched_checked_and_listed() {
    let server = ObjectServer::start([Answer::Whole(PNG.to_vec())]).await;
    let origin = Origin::start(&[]).await;
    let event = Event::completed(&server.url, PNG).with("contentType", "video/mp4");

    let answer = origin.deliver(event.delivery()).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.json::<Value>().await.unwrap(), json!({ "disposition": "keep" }));

    let mut upload = origin.json(&format!("/uploads/{}", event.upload_id)).await;
    assert_eq!(origin.json("/uploads").await, json!([upload.clone()]));
    for time in ["receivedAt", "storedAt"] {
        let text = upload[time].take();
        assert!(text.as_str().is_some_and(|text| text.len() == 24 && text.ends_with('Z')), "{time}: {text}");
    }
    assert_eq!(
        upload,
        json!({
            "uploadId": event.upload_id,
            "eventId": event.id,
            "owner": "anonymous",
            "fileName": "holiday.png",
            "fileSize": PNG.len(),
            "contentType": "video/mp4",
            "sniffedType": "image/png",
            "sha256": sha256_hex(PNG),
            "crc64nvme": event.body["data"]["digests"]["crc64nvme"],
            "etag": "0123456789abcdef-3",
            "file": origin.object(&event.upload_id),
            "state": "stored",
            "deliveries": 1,
            "receivedAt": null,
            "storedAt": null,
        })
    );
    assert_eq!(std::fs::read(origin.object(&event.upload_id)).unwrap(), PNG);
    assert_eq!(origin.objects(), [event.upload_id]);
}

#[tokio::test]
async fn a_repeated_delivery_is_counted_and_changes_nothing() {
    let server = ObjectServer::start([Answer::Whole(PNG.to_vec())]).await;
    let origin = Origin::start(&[("ORIGIN_DISPOSITION", "delete")]).await;
    let event = Event::completed(&server.url, PNG);
    let path = format!("/uploads/{}", event.upload_id);

    let mut first_record = Value::Null;
    for deliveries in 1..=3 {
        let answer = origin.deliver(event.delivery()).await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.json::<Value>().await.unwrap(), json!({ "disposition": "delete" }));
        let mut record = origin.json(&path).await;
        assert_eq!(record["deliveries"].take(), deliveries);
        if deliveries == 1 {
            first_record = record;
        } else {
            assert_eq!(record, first_record);
        }
    }
    assert_eq!(server.requests(), 1);
    assert_eq!(origin.json("/uploads").await.as_array().unwrap().len(), 1);
    assert_eq!(origin.json("/events").await.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn another_event_about_a_stored_upload_fetches_nothing() {
    let server = ObjectServer::start([Answer::Whole(PNG.to_vec())]).await;
    let origin = Origin::start(&[]).await;
    let event = Event::completed(&server.url, PNG);
    let mut again = event.clone();
    again.id = "evt_of_the_same_upload".to_owned();

    assert_eq!(origin.deliver(event.delivery()).await.status(), StatusCode::OK);
    assert_eq!(origin.deliver(again.delivery()).await.status(), StatusCode::OK);
    assert_eq!(server.requests(), 1);
    assert_eq!(origin.json(&format!("/uploads/{}", event.upload_id)).await["eventId"], event.id);
    assert_eq!(origin.json("/events").await[0]["eventId"], again.id);
}

#[tokio::test]
async fn deliveries_at_the_same_time_share_one_download() {
    let server = ObjectServer::start([Answer::Held(PNG.to_vec())]).await;
    let origin = Origin::start(&[]).await;
    let event = Event::completed(&server.url, PNG);

    let both = tokio::spawn(futures_util::future::join(
        origin.delivering(event.delivery()),
        origin.delivering(event.delivery()),
    ));
    server.requested(1).await;
    origin.json_once("/events", |events| events[0]["deliveries"] == 2).await;
    server.release();

    let (first, second) = both.await.unwrap();
    assert_eq!([first.unwrap().status(), second.unwrap().status()], [StatusCode::OK; 2]);
    assert_eq!(server.requests(), 1);
    assert_eq!(origin.json("/uploads").await.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn many_deliveries_of_many_events_download_each_once() {
    let server = ObjectServer::start([Answer::Whole(PNG.to_vec())]).await;
    let origin = Origin::start(&[]).await;
    let events: Vec<_> = (0..8).map(|_| Event::completed(&server.url, PNG)).collect();

    let deliveries = events.iter().cycle().take(64).map(|event| origin.delivering(event.delivery()));
    for answer in futures_util::future::join_all(deliveries).await {
        assert_eq!(answer.unwrap().status(), StatusCode::OK);
    }
    assert_eq!(server.requests(), 8);
    for upload in origin.json("/uploads").await.as_array().unwrap() {
        assert_eq!((upload["state"].as_str(), upload["deliveries"].as_u64()), (Some("stored"), Some(8)));
    }
}

#[tokio::test]
async fn a_long_download_goes_on_without_the_delivery_that_began_it() {
    let server = ObjectServer::start([Answer::Held(PNG.to_vec())]).await;
    let origin = Origin::start(&[("ORIGIN_WAIT_SECONDS", "0")]).await;
    let event = Event::completed(&server.url, PNG);
    let path = format!("/uploads/{}", event.upload_id);

    let answer = origin.deliver(event.delivery()).await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.headers()["retry-after"], "10");
    server.requested(1).await;
    // A second one while it runs is sent away the same.
    assert_eq!(origin.deliver(event.delivery()).await.status(), StatusCode::SERVICE_UNAVAILABLE);
    let pending = origin.json(&path).await;
    assert_eq!(
        (&pending["state"], &pending["file"], &pending["sha256"]),
        (&json!("pending"), &json!(null), &json!(null))
    );

    server.release();
    origin.json_once(&path, |upload| upload["state"] == "stored").await;
    assert_eq!(origin.deliver(event.delivery()).await.status(), StatusCode::OK);
    assert_eq!(server.requests(), 1);
}

#[tokio::test]
async fn other_events_are_recorded_and_acknowledged() {
    let origin = Origin::start(&[]).await;
    let kinds = ["upload.failed", "upload.expired", "upload.aborted", "upload.from_the_future"];
    for kind in kinds {
        let event = Event::other(kind);
        for deliveries in [1, 2] {
            assert_eq!(origin.deliver(event.delivery()).await.status(), StatusCode::OK);
            let listed = &origin.json("/events").await[0];
            assert_eq!((&listed["type"], &listed["deliveries"]), (&json!(kind), &json!(deliveries)));
            assert_eq!((&listed["eventId"], &listed["uploadId"]), (&json!(event.id), &json!(event.upload_id)));
        }
    }
    assert_eq!(origin.json("/events").await.as_array().unwrap().len(), kinds.len());
    assert_eq!(origin.json("/uploads").await, json!([]));
}
