//! Deliveries that are not believed or not understood: nothing is recorded, nothing fetched.

use reqwest::StatusCode;
use serde_json::json;

use crate::support::{Answer, Delivery, Event, ObjectServer, Origin};

const BYTES: &[u8] = b"never fetched";

async fn refused(delivery: impl FnOnce(Event) -> Delivery) -> StatusCode {
    let server = ObjectServer::start([Answer::Whole(BYTES.to_vec())]).await;
    let origin = Origin::start(&[]).await;
    let status = origin.deliver(delivery(Event::completed(&server.url, BYTES))).await.status();
    assert_eq!(server.requests(), 0);
    assert_eq!(origin.json("/events").await, json!([]));
    assert_eq!(origin.json("/uploads").await, json!([]));
    assert_eq!(origin.objects(), [""; 0]);
    status
}

#[tokio::test]
async fn a_wrong_signature() {
    let another = Delivery::signed("evt_1", "{}".to_owned(), 0).signature;
    let status = refused(|event| Delivery { signature: another, ..event.delivery() }).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let status = refused(|event| Delivery { signature: String::new(), ..event.delivery() }).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn anything_changed_after_signing() {
    let status = refused(|event| Delivery { id: "evt_other".to_owned(), ..event.delivery() }).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let status = refused(|event| {
        let delivery = event.delivery();
        Delivery { timestamp: delivery.timestamp - 1, ..delivery }
    })
    .await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let status = refused(|event| {
        let delivery = event.delivery();
        // Not even a space: the signature is of the bytes, not of what they mean.
        Delivery { body: format!("{} ", delivery.body), ..delivery }
    })
    .await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_delivery_from_another_time() {
    assert_eq!(refused(|event| event.delivery_of_age(301)).await, StatusCode::UNAUTHORIZED);
    assert_eq!(refused(|event| event.delivery_of_age(-330)).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_body_that_is_no_event() {
    for body in ["", "nonsense", "[]", r#"{"data":{}}"#, r#"{"type":"upload.completed","data":{}}"#] {
        let status = refused(|event| Delivery::signed(&event.id, body.to_owned(), 0)).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
    }
}

#[tokio::test]
async fn an_upload_id_that_is_no_uuid() {
    for id in ["../../etc/passwd", "", "x"] {
        assert_eq!(refused(|event| event.with("uploadId", id).delivery()).await, StatusCode::BAD_REQUEST, "{id}");
    }
}

#[tokio::test]
async fn a_body_that_is_too_large() {
    let status = refused(|event| event.with("fileName", "n".repeat(1024 * 1024)).delivery()).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn what_is_not_there() {
    let origin = Origin::start(&[]).await;
    assert_eq!(origin.get("/healthz").await.text().await.unwrap(), "ok");
    for path in ["/uploads/0199b2c3-0000-7000-8000-000000000001", "/uploads/..%2F..%2Fetc%2Fpasswd", "/else"] {
        assert_eq!(origin.get(path).await.status(), StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(origin.get("/webhooks/quayside").await.status(), StatusCode::METHOD_NOT_ALLOWED);
}
