//! Questions about no upload, from a load balancer, a program or a person: `GET /healthz`, whether the Worker runs at all; `GET /readyz`,
//! whether it could take an upload: its settings are right, and everything that it is bound to answers; `GET /openapi.json`, how the
//! JSON protocol is spoken. None says more of the deployment than a refused upload would.
//!
//! `readyz` costs one read of R2 and two questions to objects that exist for nobody and store nothing.

use durable_objects::platform::{
    error::{Error, Result},
    object_storage::ObjectStorage,
};
use durable_objects::rpc::{ObjectClient, call, ledger::ListUploads, upload::Status};
use durable_objects::upload::enqueue::{EVENTS_BINDING, TASKS_BINDING};
use http::Method;
use serde_json::{Map, Value, json};
use upload_protocols::Head;
use upload_types::{api_error::ApiError, caller::Caller, ledger::ListQuery, units::UploadId};
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};
use worker::{Env, Response};

use crate::{config::Settings, queue::DEAD_LETTER_BINDING, setting::Complaints, storage::s3::S3Bucket};

/// Nobody's: an upload, an owner, an object.
const NOBODY: &str = "readyz";

#[wasm_bindgen]
extern "C" {
    /// The JSON protocol, for machines: `src/instance.js` has it.
    #[wasm_bindgen(catch, js_name = quaysideDescription)]
    fn description_text() -> std::result::Result<String, JsValue>;
}

/// The answer, where it was one of these questions.
pub(crate) async fn answer(head: &Head, env: &Env) -> Option<Result<Response>> {
    match (head.path.as_str(), &head.method) {
        ("/healthz", &Method::GET | &Method::HEAD) => Some(said(200, &json!({ "status": "alive" }))),
        ("/readyz", &Method::GET | &Method::HEAD) => Some(ready(env).await),
        ("/openapi.json", &Method::GET | &Method::HEAD) => Some(description()),
        _ => None,
    }
}

/// The same for everybody, so that any page may read it.
fn description() -> Result<Response> {
    let mut response = Response::ok(description_text()?)?;
    response.headers_mut().set("content-type", "application/json")?;
    response.headers_mut().set("access-control-allow-origin", "*")?;
    Ok(response)
}

async fn ready(env: &Env) -> Result<Response> {
    let found = [
        ("settings", settings(env).map_err(|refusal| refusal.to_string())),
        ("bucket", told(bucket(env).await)),
        ("uploads", told(uploads(env).await)),
        ("ledgers", told(ledgers(env).await)),
        ("events", told(env.queue(EVENTS_BINDING).map(drop).map_err(Into::into))),
        ("tasks", told(env.queue(TASKS_BINDING).map(drop).map_err(Into::into))),
        ("deadLetters", told(env.queue(DEAD_LETTER_BINDING).map(drop).map_err(Into::into))),
    ];
    let is_ready = found.iter().all(|(_, check)| check.is_ok());
    let mut checks = Map::new();
    for (name, check) in found {
        checks.insert(name.to_owned(), json!(check.err().unwrap_or("ok".to_owned())));
    }
    let status = if is_ready { "ready" } else { "not ready" };
    said(if is_ready { 200 } else { 503 }, &json!({ "status": status, "checks": checks }))
}

/// Everything that is wrong with them.
fn settings(env: &Env) -> Result<(), ApiError> {
    let mut wrong = Complaints::default();
    let settings = Settings::of(env);
    if let Some(config) = wrong.hear(settings.config().map_err(Into::into)) {
        wrong.hear(config.is_safe());
    }
    wrong.hear(S3Bucket::is_whole_or_unset(env).map_err(|error| (&error).into()));
    wrong.all()
}

/// An error says what is wrong to whoever reads the log; here it is enough that something is.
fn told(check: Result<()>) -> Result<(), String> {
    check.map_err(|_| "does not answer".to_owned())
}

async fn bucket(env: &Env) -> Result<()> {
    ObjectStorage::open(env)?.head(NOBODY).await?;
    Ok(())
}

async fn uploads(env: &Env) -> Result<()> {
    let nobody = UploadId::from_random_bytes([0; 16]);
    match call(&ObjectClient::to_uploads(env, Caller::System)?, nobody, &Status).await {
        Err(Error::Refused(ApiError::UploadNotFound)) => Ok(()),
        Err(fault @ Error::Fault(_)) => Err(fault),
        _ => Err("an upload that nobody has created".into()),
    }
}

async fn ledgers(env: &Env) -> Result<()> {
    // A ledger that was never written is an empty one.
    call(&ObjectClient::to_ledgers(env)?, NOBODY, &ListUploads(ListQuery::default())).await.map(drop)
}

fn said(status: u16, body: &Value) -> Result<Response> {
    let mut response = Response::from_json(body)?.with_status(status);
    response.headers_mut().set("cache-control", "no-store")?;
    Ok(response)
}
