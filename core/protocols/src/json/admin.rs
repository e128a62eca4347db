//! What whoever runs the service asks for and is told, below `/admin/`: everybody's uploads, what the origin never took, and the switch.
//!
//! | route | asks for |
//! |---|---|
//! | `GET /admin/owners` | who has ever created an upload |
//! | `GET /admin/uploads?owner=` | the uploads of one of them, as `GET /uploads` lists them to themselves |
//! | `GET`, `DELETE /admin/uploads/{id}`, `POST …/redeliver` | one upload, whosever it is |
//! | `GET /admin/held-uploads` | what is held, whosever it is, oldest first |
//! | `POST /admin/uploads/{id}/release`, `POST …/reject` | that what is held is handed out, or goes; `/upload/{id}/release` and `…/reject` are the same |
//! | `POST /admin/uploads/{id}/links` | a link to its object, also while it is held |
//! | `POST /admin/uploads/delete` | the end of many |
//! | `GET /admin/failed-deliveries`, `POST …/redeliver` | what the origin never took, and that it is sent again |
//! | `GET`, `PUT /admin/switch` | what the service takes just now |

use http::Method;
use serde_json::{Map, Value, json};

use super::{
    allow::allow,
    fields::{self, take},
    judge, link, list,
    shown::{batch, json_reply, listed, log, status},
};
use crate::{Asked, Head, Parsed, body_type};
use upload_types::{
    admin::{AdminOperation, AdminOutcome, NotedUpload, Redelivery},
    api_error::ApiError,
    bucket,
    operation::{Operation, Reply},
    switch::{MAX_REASON_CHARACTERS, MAX_SWITCH_SECONDS, Switch, SwitchMode, SwitchRequest},
    units::{UnixMs, UploadId},
};

/// What all of it is below.
pub(super) const PATH: &str = "/admin/";

/// The largest body of the switch: its reason, and room.
const MAX_SWITCH_BODY_BYTES: u32 = 8 * 1024;

/// So many events are sent again by one request: each is a question to its object and a message.
const MAX_REDELIVERED: usize = 100;

/// Owners have up to 255 bytes and no control characters: what is another name is nobody's.
const MAX_OWNER_BYTES: usize = 255;

const UPLOAD_IDS: &str = "uploadIds";

/// Where a list goes on: the `next` of the page before.
const CURSOR: &str = "cursor";

/// Understands a request's head; `route` is what stands behind [`PATH`].
pub(super) fn parse(head: &Head, route: &str) -> Result<Parsed, ApiError> {
    let ready = |operation| Ok(Parsed::Ready(Box::new(Operation::Admin(operation))));
    let with_body = |max_bytes, finish| {
        body_type::json(head)?;
        Ok(Parsed::NeedsBody { max_bytes, finish })
    };
    match route {
        "owners" => {
            allow(head, &[Method::GET])?;
            let after = head.query_text(CURSOR);
            if after.as_ref().is_some_and(|name| !is_owner(name)) {
                return Err(bad_cursor());
            }
            ready(AdminOperation::ListOwners(after))
        }
        "uploads" => {
            allow(head, &[Method::GET])?;
            let owner = head.query_text("owner").filter(|owner| is_owner(owner));
            let why = "is missing, or is no owner's name: up to 255 bytes without control characters";
            let owner = owner.ok_or_else(|| ApiError::bad_request("owner", why))?;
            ready(AdminOperation::ListUploads(owner, list::query(head)?))
        }
        "uploads/delete" => {
            allow(head, &[Method::POST])?;
            with_body(list::MAX_BODY_BYTES, deletion)
        }
        "held-uploads" => {
            allow(head, &[Method::GET])?;
            ready(AdminOperation::ListHeld(list::cursor(head)?))
        }
        "failed-deliveries" => {
            allow(head, &[Method::GET])?;
            ready(AdminOperation::ListFailedDeliveries(cursor(head.query_parameter(CURSOR))?))
        }
        "failed-deliveries/redeliver" => {
            allow(head, &[Method::POST])?;
            with_body(list::MAX_BODY_BYTES, redelivery)
        }
        "switch" if head.method == Method::PUT => with_body(MAX_SWITCH_BODY_BYTES, set_switch),
        "switch" => {
            allow(head, &[Method::GET, Method::PUT])?;
            ready(AdminOperation::ReadSwitch)
        }
        _ => {
            let rest = route.strip_prefix("uploads/").ok_or(ApiError::NoSuchRoute)?;
            let (id, action) = rest.split_once('/').unwrap_or((rest, ""));
            let id = UploadId::parse(id).ok_or(ApiError::NotAnUploadId)?;
            match action {
                "" => {
                    allow(head, &[Method::GET, Method::DELETE])?;
                    let is_end = head.method == Method::DELETE;
                    ready(if is_end { AdminOperation::Delete(id) } else { AdminOperation::Show(id) })
                }
                "redeliver" => {
                    allow(head, &[Method::POST])?;
                    ready(AdminOperation::Redeliver(id))
                }
                "release" | "reject" => judge::parse(head, id, action),
                "links" => {
                    allow(head, &[Method::POST])?;
                    with_body(link::MAX_BODY_BYTES, link::parse_admin)
                }
                _ => Err(ApiError::NoSuchRoute),
            }
        }
    }
}

fn is_owner(name: &str) -> bool {
    !name.is_empty() && name.len() <= MAX_OWNER_BYTES && !name.chars().any(char::is_control)
}

fn bad_cursor() -> ApiError {
    ApiError::bad_request(CURSOR, "is not the `next` of a list")
}

fn cursor(text: Option<&str>) -> Result<Option<UploadId>, ApiError> {
    text.map(|text| UploadId::parse(text).ok_or_else(bad_cursor)).transpose()
}

/// `{"uploadIds": ["…", "…"]}`.
fn deletion(head: &Head, body: &[u8]) -> Result<Operation, ApiError> {
    list::ids(fields::read(head, body, &[UPLOAD_IDS])?, list::MAX_DELETED)
        .map(|ids| Operation::Admin(AdminOperation::DeleteMany(ids)))
}

/// `{"uploadIds": ["…"]}`, or `{"all": true}`, and `"cursor"` where that goes on.
fn redelivery(head: &Head, body: &[u8]) -> Result<Operation, ApiError> {
    const ALL: &str = "all";
    let mut fields = fields::read(head, body, &[UPLOAD_IDS, ALL, CURSOR])?;
    let after = cursor(fields::text(&mut fields, CURSOR)?.as_deref())?;
    let which = match (fields::flag(&mut fields, ALL)?, fields.contains_key(UPLOAD_IDS)) {
        (true, true) => return Err(ApiError::bad_request(ALL, "and uploadIds: send one of them")),
        (true, false) => Redelivery::All(after),
        (false, _) if after.is_some() => return Err(ApiError::bad_request(CURSOR, "is for `all`")),
        (false, _) => Redelivery::These(list::ids(fields, MAX_REDELIVERED)?),
    };
    Ok(Operation::Admin(AdminOperation::RedeliverMany(which)))
}

/// `{"mode": "read-only", "reason": "…", "expiresInSeconds": 3600}`.
fn set_switch(head: &Head, body: &[u8]) -> Result<Operation, ApiError> {
    const MODE: &str = "mode";
    const REASON: &str = "reason";
    const SECONDS: &str = "expiresInSeconds";
    let mut fields = fields::read(head, body, &[MODE, REASON, SECONDS])?;
    let mode = fields::text(&mut fields, MODE)?.as_deref().and_then(SwitchMode::parse);
    let mode =
        mode.ok_or_else(|| ApiError::bad_request(MODE, "is none of `open`, `no-creations`, `read-only` and `closed`"))?;
    let reason = fields::text(&mut fields, REASON)?.filter(|reason| !reason.is_empty());
    let is_wrong = |text: &String| text.chars().count() > MAX_REASON_CHARACTERS || text.chars().any(char::is_control);
    if reason.as_ref().is_some_and(is_wrong) {
        let why = format!("is longer than {MAX_REASON_CHARACTERS} characters, or has control characters");
        return Err(ApiError::bad_request(REASON, why));
    }
    let expires_in_seconds = match take(&mut fields, SECONDS) {
        None => None,
        Some(_) if mode == SwitchMode::Open => {
            return Err(ApiError::bad_request(SECONDS, "is for what ends, and `open` does not"));
        }
        Some(value) => {
            let seconds = value.as_u64().filter(|seconds| (1..=MAX_SWITCH_SECONDS).contains(seconds));
            Some(seconds.ok_or_else(|| ApiError::bad_request(SECONDS, "is not 1 to 2592000 (30 days)"))?)
        }
    };
    Ok(Operation::Admin(AdminOperation::SetSwitch(SwitchRequest { mode, reason, expires_in_seconds })))
}

/// The answer to what was done.
pub(super) fn reply(asked: &Asked<'_>, outcome: &AdminOutcome) -> Reply {
    match outcome {
        AdminOutcome::Owners { owners, next } => page("owners", json!(owners), next.clone()),
        AdminOutcome::Upload(view) => {
            let (status, log) = (status(&view.snapshot), log(view.snapshot.id, &view.history));
            let mut upload = json!({ "owner": view.owner, "status": status, "log": log });
            bucket::show(&mut upload, &view.key);
            json_reply(200, &upload)
        }
        AdminOutcome::Redelivering(now) => {
            let url = format!("{}{PATH}uploads/{}", asked.base_url, now.id);
            json_reply(202, &json!({ "uploadId": now.id, "state": now.phase, "statusUrl": url }))
        }
        AdminOutcome::Judged(now) => json_reply(200, &status(now)),
        AdminOutcome::Held { uploads, next } => {
            let held = |one: &NotedUpload| {
                let mut upload = listed(asked, &one.snapshot);
                upload["owner"] = json!(one.owner);
                upload["reason"] = json!(one.snapshot.reason);
                upload
            };
            page("uploads", uploads.iter().map(held).collect(), next.map(|name| name.to_string()))
        }
        AdminOutcome::FailedDeliveries { uploads, next } => {
            page("uploads", uploads.iter().map(failed).collect(), next.map(|id| id.to_string()))
        }
        AdminOutcome::RedeliveredMany { uploads, left, next } => {
            let mut body = batch("redelivered", uploads);
            body["left"] = json!(left);
            if let Some(next) = next {
                body["next"] = json!(next);
            }
            json_reply(200, &body)
        }
        AdminOutcome::Switch(switch, now) => json_reply(200, &shown(switch, *now)),
    }
}

fn page(name: &str, entries: Value, next: Option<String>) -> Reply {
    let mut body = Map::new();
    body.insert(name.to_owned(), entries);
    if let Some(next) = next {
        body.insert("next".to_owned(), next.into());
    }
    json_reply(200, &body.into())
}

fn failed(upload: &NotedUpload) -> Value {
    let now = &upload.snapshot;
    json!({
        "uploadId": now.id,
        "owner": upload.owner,
        "failedAt": upload.at.rfc3339(),
        "state": now.phase,
        "fileName": now.file.name,
        "fileSize": now.plan.declared_bytes(),
    })
}

/// `mode` is what holds now. What has expired is not told any more.
fn shown(switch: &Switch, now: UnixMs) -> Value {
    let mode = switch.mode_at(now);
    let holds = mode == switch.mode;
    json!({
        "mode": mode,
        "reason": switch.reason.as_ref().filter(|_| holds),
        "expiresAt": switch.expires_at.filter(|_| holds).map(UnixMs::rfc3339),
        "changedAt": (switch.version > 0).then(|| switch.changed_at.rfc3339()),
        "changedBy": (switch.version > 0).then_some(&switch.changed_by),
    })
}

#[cfg(test)]
#[path = "admin_tests.rs"]
mod tests;
