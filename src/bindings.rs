//! What a deployment binds this Worker to, apart from its settings: what nothing works without, and what may take its events.

use js_sys::Reflect;
use upload_types::api_error::ApiError;
use worker::Env;

/// Another Worker that events are told to, or, where this Worker is mounted in an application, a function of it: anything with a
/// `fetch`. It takes the place of what answers at `ORIGIN_WEBHOOK_URL`.
pub(crate) const ORIGIN: &str = "ORIGIN";

/// What nothing works without, and what it is bound to.
const BINDINGS: [(&str, &str); 8] = [
    ("BUCKET", "an R2 bucket"),
    ("UPLOAD_SESSIONS", "the Durable Object class UploadSession"),
    ("OWNER_LEDGERS", "the Durable Object class OwnerLedger"),
    ("EVENTS", "a producer of the queue of events"),
    ("TASKS", "a producer of the queue of tasks"),
    ("DEAD_LETTERS", "a producer of the dead-letter queue"),
    ("CREATIONS_BY_OWNER", "a rate limit"),
    ("CREATIONS_BY_ADDRESS", "a rate limit"),
];

/// Names all bindings that are missing.
pub(crate) fn all_bound(env: &Env) -> Result<(), ApiError> {
    let missing: Vec<_> = BINDINGS.iter().filter(|(name, _)| !is_bound(env, name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = missing.iter().map(|(name, kind)| format!("{name} ({kind})")).collect();
    let detail = format!("Bindings are missing from wrangler's configuration: {}.", names.join(", "));
    Err(ApiError::NotConfigured { detail })
}

/// Whether there is such a binding.
pub(crate) fn is_bound(env: &Env, name: &str) -> bool {
    Reflect::get(env, &name.into()).is_ok_and(|binding| binding.is_object())
}
