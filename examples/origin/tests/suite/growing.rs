//! A recording that goes on: each range behind the one before, whatever breaks, and the object in the end.

use reqwest::StatusCode;

use crate::support::{Answer, Event, ObjectServer, Origin};

const BYTES: &[u8] = b"a talk that has only just begun, and goes on for a while";

async fn status(origin: &Origin, event: &Event) -> StatusCode {
    origin.deliver(event.delivery()).await.status()
}

fn grown(origin: &Origin, event: &Event) -> Option<Vec<u8>> {
    std::fs::read(origin.object(&format!("{}.growing", event.upload_id))).ok()
}

#[tokio::test]
async fn each_range_is_appended_once_and_the_object_takes_the_place_of_all() {
    let server = ObjectServer::start([
        Answer::Ranges(BYTES.to_vec()),
        Answer::Ranges(BYTES.to_vec()),
        Answer::Whole(BYTES.to_vec()),
    ])
    .await;
    let origin = Origin::start(&[]).await;
    let upload = Event::completed(&server.url, BYTES);
    for (from, to) in [(0, 10), (0, 10), (10, 25), (0, 10)] {
        assert_eq!(status(&origin, &upload.progressed(from, to)).await, StatusCode::OK);
    }
    assert_eq!((grown(&origin, &upload).as_deref(), server.requests()), (Some(&BYTES[..25]), 2));
    assert_eq!(status(&origin, &upload).await, StatusCode::OK);
    assert_eq!(origin.objects(), std::slice::from_ref(&upload.upload_id));
    // A late copy begins no file anew.
    assert_eq!(status(&origin, &upload.progressed(10, 25)).await, StatusCode::OK);
    assert_eq!((origin.objects().len(), server.requests()), (1, 3));
}

#[tokio::test]
async fn what_broke_off_is_fetched_again_at_its_place() {
    let server = ObjectServer::start([
        Answer::Ranges(BYTES.to_vec()),
        Answer::RangeCut(BYTES.to_vec()),
        Answer::Status(StatusCode::NOT_FOUND),
        // It does not know ranges: what it sends would be at the wrong place.
        Answer::Whole(BYTES.to_vec()),
        Answer::Ranges(BYTES.to_vec()),
    ])
    .await;
    let origin = Origin::start(&[]).await;
    let upload = Event::completed(&server.url, BYTES);
    assert_eq!(status(&origin, &upload.progressed(0, 10)).await, StatusCode::OK);
    for _ in 0..3 {
        assert_eq!(status(&origin, &upload.progressed(10, 40)).await, StatusCode::SERVICE_UNAVAILABLE);
    }
    let origin = Origin::start_on(origin.kill().await, &[]).await;
    assert_eq!(status(&origin, &upload.progressed(10, 40)).await, StatusCode::OK);
    assert_eq!(grown(&origin, &upload).as_deref(), Some(&BYTES[..40]));
}

#[tokio::test]
async fn what_was_lost_is_fetched_with_what_is_new() {
    let server = ObjectServer::start([Answer::Ranges(BYTES.to_vec())]).await;
    let origin = Origin::start(&[]).await;
    let upload = Event::completed(&server.url, BYTES);
    assert_eq!(status(&origin, &upload.progressed(30, 50)).await, StatusCode::OK);
    assert_eq!(grown(&origin, &upload).as_deref(), Some(&BYTES[..50]));
    assert_eq!(status(&origin, &upload.aborted()).await, StatusCode::OK);
    assert_eq!(grown(&origin, &upload), None, "of what was given up nothing is kept");
}
