//! What the origin has, as JSON: `GET /uploads`, `GET /uploads/{uploadId}`, `GET /events`, newest first.
//!
//! Reads only, and asks nobody who they are: for people and tests on the same machine, and for the one web page that the
//! settings name. A real backend puts its own authentication in front.

use std::path::PathBuf;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::header::ACCESS_CONTROL_ALLOW_ORIGIN;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::map_response;
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use serde_json::json;

use crate::data_dir::DataDir;
use crate::event::UploadId;
use crate::log;
use crate::record::{self, EventRecord, UploadRecord};
use crate::store::Store;

#[derive(Clone)]
struct Listing {
    store: Store,
    data_dir: Arc<DataDir>,
}

/// A record and where its object is, once there is one.
#[derive(Serialize)]
struct Listed {
    #[serde(flatten)]
    record: UploadRecord,
    file: Option<PathBuf>,
}

/// `show_to` is the web page that may read the answers, if any.
pub(crate) fn routes(store: Store, data_dir: Arc<DataDir>, show_to: Option<HeaderValue>) -> Router {
    let allow = move |mut response: Response| {
        if let Some(page) = &show_to {
            response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, page.clone());
        }
        async { response }
    };
    Router::new()
        .route("/uploads", get(uploads))
        .route("/uploads/{upload_id}", get(upload))
        .route("/events", get(events))
        .layer(map_response(allow))
        .with_state(Listing { store, data_dir })
}

async fn uploads(State(listing): State<Listing>) -> Result<Json<Vec<Listed>>, StatusCode> {
    let records = listing.store.uploads().await.map_err(fault)?;
    Ok(Json(records.into_iter().map(|record| listing.listed(record)).collect()))
}

async fn upload(State(listing): State<Listing>, Path(id): Path<String>) -> Result<Json<Listed>, StatusCode> {
    // What is not an id names no upload.
    let id: UploadId = id.parse().map_err(|_| StatusCode::NOT_FOUND)?;
    let record = listing.store.upload(id).await.map_err(fault)?.ok_or(StatusCode::NOT_FOUND)?;
    Ok(Json(listing.listed(record)))
}

async fn events(State(listing): State<Listing>) -> Result<Json<Vec<EventRecord>>, StatusCode> {
    listing.store.events().await.map(Json).map_err(fault)
}

impl Listing {
    fn listed(&self, record: UploadRecord) -> Listed {
        let stored = record.state == record::State::Stored;
        let file = record.upload_id.parse().ok().filter(|_| stored).map(|id| self.data_dir.object(id));
        Listed { record, file }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn fault(error: anyhow::Error) -> StatusCode {
    log::warn("fault", json!({ "reason": format!("{error:#}") }));
    StatusCode::INTERNAL_SERVER_ERROR
}
