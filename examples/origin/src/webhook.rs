//! `POST /webhooks/quayside`: is it really Quayside, what does it say, what do we answer.
//!
//! | answer | when | Quayside then |
//! |---|---|---|
//! | 200 `{"disposition": …}` | the object is stored, or rejected for good | is done, may delete its copy |
//! | 200 `{}` | `upload.deleted`: the file is gone here too, and the record says so | is done |
//! | 200 `{}` | `upload.progressed`: the new bytes are in the growing file, on disk | tells what comes next |
//! | 200 `{}` | any other event | is done |
//! | 503, with `Retry-After` while the download runs | not yet, or not this time | delivers again |
//! | 500 | the record could not be read or written | delivers again |
//! | 400, 401, 413 | not an event, not signed by Quayside or too long ago, too large | delivers again, in vain |
//!
//! The order is what matters: nothing in a body is believed before the signature has been checked, on the bytes as they
//! came; nothing is done before the event is on record; 200 is said only when there is nothing left to do.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::json;
use standardwebhooks::{HEADER_WEBHOOK_ID, Webhook};

use crate::config::Disposition;
use crate::event::{CompletedUpload, Event, GrowingUpload, News, UploadId};
use crate::growing::Growing;
use crate::intake::{Intake, Outcome};
use crate::log;
use crate::store::Store;

/// The largest event. They have about a kilobyte; metadata may make it more.
const BODY_BYTES_MAX: usize = 1024 * 1024;
/// After these there is no object.
const ENDINGS: [&str; 3] = ["upload.failed", "upload.expired", "upload.aborted"];
/// What a delivery is told that came while the download was running.
const RETRY_AFTER_SECONDS: &str = "10";

/// What it takes to answer a delivery.
pub(crate) struct Inbox {
    /// Any of them is enough: one, or two while the secret is replaced.
    pub(crate) verifiers: Vec<Webhook>,
    pub(crate) store: Store,
    pub(crate) intake: Arc<Intake>,
    pub(crate) growing: Growing,
    pub(crate) disposition: Disposition,
    /// How long a delivery waits for its download.
    pub(crate) wait: Duration,
}

pub(crate) fn routes(inbox: Inbox) -> Router {
    Router::new()
        .route("/webhooks/quayside", post(receive))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(Arc::new(inbox))
}

async fn receive(State(inbox): State<Arc<Inbox>>, headers: HeaderMap, body: Bytes) -> Response {
    // Also checks that the timestamp is at most five minutes off, so that nobody can replay an old delivery for long.
    if !inbox.verifiers.iter().any(|verifier| verifier.verify(&body, &headers).is_ok()) {
        return refused(StatusCode::UNAUTHORIZED, "not signed by Quayside, or too long ago");
    }
    let id = headers.get(HEADER_WEBHOOK_ID).and_then(|id| id.to_str().ok()).unwrap_or_default();
    match Event::parse(id, &body) {
        Ok(event) => inbox.take(event).await,
        Err(error) => refused(StatusCode::BAD_REQUEST, &error.to_string()),
    }
}

impl Inbox {
    async fn take(&self, event: Event) -> Response {
        let started = Instant::now();
        // Dying before this: Quayside got no answer and delivers again. Dying after it: the same, and then `deliveries`
        // says 2 and the upload is `pending`.
        let deliveries = match self.store.record_delivery(&event).await {
            Ok(deliveries) => deliveries,
            Err(error) => return fault(&error),
        };
        let (upload_id, response) = match event.news {
            News::Progressed(upload) => (Some(upload.id.to_string()), self.grow(*upload).await),
            // Of what failed or was given up nothing is kept.
            News::Other { upload_id } if ENDINGS.contains(&event.kind.as_str()) => {
                let response = self.stop_growing(upload_id.as_deref().and_then(|id| id.parse().ok())).await;
                (upload_id, response.unwrap_or_else(|| Json(json!({})).into_response()))
            }
            News::Other { upload_id } => (upload_id, Json(json!({})).into_response()),
            News::Completed(upload) => (Some(upload.described.id.to_string()), self.take_in(*upload).await),
            News::Deleted(upload) => (Some(upload.id.to_string()), self.take_out(upload.id).await),
        };
        // Dying before the answer has left: the next delivery finds the record and is answered from it.
        log::info(
            "answered",
            json!({
                "eventId": event.id, "type": event.kind, "uploadId": upload_id, "deliveries": deliveries,
                "status": response.status().as_u16(), "durationMs": log::millis(started),
            }),
        );
        response
    }

    /// A late copy of what was told of a recording that has ended changes nothing.
    async fn grow(&self, upload: GrowingUpload) -> Response {
        let has_ended = match self.store.upload(upload.id).await {
            Ok(record) => record.is_some(),
            Err(error) => return fault(&error),
        };
        if has_ended {
            return Json(json!({})).into_response();
        }
        match self.growing.append(&upload).await {
            Ok(true) => Json(json!({})).into_response(),
            Ok(false) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
            Err(error) => fault(&error),
        }
    }

    /// The upload has ended: its growing file goes. What is wrong, if anything is.
    async fn stop_growing(&self, id: Option<UploadId>) -> Option<Response> {
        self.growing.end(id?).await.err().map(|error| fault(&error))
    }

    async fn take_in(&self, upload: CompletedUpload) -> Response {
        let id = upload.described.id;
        let disposition = match self.intake.take(upload, self.wait).await {
            Ok(Outcome::Stored) => self.disposition,
            // Somebody may want to see what was wrong with it. Of what was deleted Quayside has nothing either.
            Ok(Outcome::Rejected | Outcome::Deleted) => Disposition::Keep,
            Ok(Outcome::Failed) => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
            Ok(Outcome::Running) => {
                return (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, RETRY_AFTER_SECONDS)]).into_response();
            }
            Err(error) => return fault(&error),
        };
        // Dying here, or before it is removed: the next delivery finds the record, and removes it.
        let wrong = self.stop_growing(Some(id)).await;
        wrong.unwrap_or_else(|| Json(json!({ "disposition": disposition })).into_response())
    }

    /// That it is deleted is on record by now.
    async fn take_out(&self, id: UploadId) -> Response {
        match self.intake.remove(id).await {
            Ok(()) => self.stop_growing(Some(id)).await.unwrap_or_else(|| Json(json!({})).into_response()),
            Err(error) => fault(&error),
        }
    }
}

/// The sender's doing: what we were given is not to be believed or understood.
fn refused(status: StatusCode, reason: &str) -> Response {
    log::warn("refused", json!({ "status": status.as_u16(), "reason": reason }));
    (status, Json(json!({ "error": reason }))).into_response()
}

/// Our own doing. The reason is for our log, not for the network.
fn fault(error: &anyhow::Error) -> Response {
    log::warn("fault", json!({ "reason": format!("{error:#}") }));
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}
