//! What was completed is deleted: before it was told, while it is fetched, after it was stored, and again.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{Answer, Event, ObjectServer, Origin};

const BYTES: &[u8] = b"bytes that nobody wants any more";

async fn acknowledged(origin: &Origin, event: &Event) -> Value {
    let answer = origin.deliver(event.delivery()).await;
    assert_eq!(answer.status(), StatusCode::OK);
    answer.json().await.unwrap()
}

async fn state(origin: &Origin, event: &Event) -> Value {
    origin.json(&format!("/uploads/{}", event.upload_id)).await["state"].take()
}

#[tokio::test]
async fn what_was_stored_is_removed_and_stays_so() {
    let server = ObjectServer::start([Answer::Whole(BYTES.to_vec())]).await;
    let origin = Origin::start(&[]).await;
    let completed = Event::completed(&server.url, BYTES);
    acknowledged(&origin, &completed).await;
    assert_eq!(origin.objects(), std::slice::from_ref(&completed.upload_id));
    for _ in 0..2 {
        assert_eq!(acknowledged(&origin, &completed.deleted()).await, json!({}));
        assert_eq!((state(&origin, &completed).await, origin.objects().len()), (json!("deleted"), 0));
    }
    let record = origin.json(&format!("/uploads/{}", completed.upload_id)).await;
    assert_eq!(
        (&record["file"], &record["eventId"]),
        (&Value::Null, &json!(completed.id)),
        "what it was is known still"
    );
    // A late copy of the event of its completion.
    assert_eq!(acknowledged(&origin, &completed).await, json!({ "disposition": "keep" }));
    assert_eq!((state(&origin, &completed).await, server.requests()), (json!("deleted"), 1));
}

#[tokio::test]
async fn what_this_origin_never_heard_of_is_deleted_too() {
    let server = ObjectServer::start([Answer::Whole(BYTES.to_vec())]).await;
    let origin = Origin::start(&[]).await;
    let completed = Event::completed(&server.url, BYTES);
    std::fs::write(origin.object(&format!("{}.part", completed.upload_id)), "left by an attempt that died").unwrap();
    assert_eq!(acknowledged(&origin, &completed.deleted()).await, json!({}));
    assert_eq!((state(&origin, &completed).await, origin.objects().len()), (json!("deleted"), 0));
    acknowledged(&origin, &completed).await;
    assert_eq!((state(&origin, &completed).await, server.requests()), (json!("deleted"), 0), "it comes too late");
}

#[tokio::test]
async fn what_is_being_fetched_is_removed_when_it_has_come() {
    let server = ObjectServer::start([Answer::Held(BYTES.to_vec())]).await;
    let origin = Origin::start(&[]).await;
    let completed = Event::completed(&server.url, BYTES);
    let fetching = tokio::spawn(origin.delivering(completed.delivery()));
    server.requested(1).await;
    acknowledged(&origin, &completed.deleted()).await;
    server.release();
    assert_eq!(fetching.await.unwrap().unwrap().status(), StatusCode::OK);
    assert_eq!((state(&origin, &completed).await, origin.objects().len()), (json!("deleted"), 0));
}
