//! What a deployment gives this Worker, apart from its settings: bindings that nothing works without, what may take its events, and a
//! runtime that is new enough.

use durable_objects::upload::enqueue::RECEIVERS_BINDING;
use js_sys::{Reflect, global};
use upload_types::bucket::{self, BucketName};
use wasm_bindgen::JsValue;
use worker::Env;

use crate::setting::Complaint;

/// Another Worker that events are told to, or, where this Worker is mounted in an application, a function of it: anything with a
/// `fetch`. It takes the place of what answers at `ORIGIN_WEBHOOK_URL`.
pub(crate) const ORIGIN: &str = "ORIGIN";

/// The same for whoever is asked before an upload is created. It takes the place of what answers at `ACCEPT_HOOK`.
pub(crate) const ACCEPT: &str = "ACCEPT";

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
pub(crate) fn all_bound(env: &Env) -> Result<(), Complaint> {
    let missing: Vec<_> = BINDINGS.iter().filter(|(name, _)| !is_bound(env, name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = missing.iter().map(|(name, kind)| format!("{name} ({kind})")).collect();
    let detail = format!("Bindings are missing from wrangler's configuration: {}.", names.join(", "));
    Err(Complaint(detail))
}

/// Says which binding is missing where there is no such bucket.
pub(crate) fn bucket_is_bound(bucket: &BucketName, env: &Env) -> Result<(), Complaint> {
    let (name, binding) = (bucket.as_str(), bucket::binding(bucket.as_str()));
    if has(env, &binding, "createMultipartUpload") {
        return Ok(());
    }
    Err(Complaint(
        ["The bucket ", name, " has no binding: wrangler's configuration has no R2 bucket ", &binding, "."].concat(),
    ))
}

/// Keeps an object alive while it waits for R2. On from the compatibility date 2026-10-01.
const KEEPS_OBJECTS_ALIVE: &str = "durable_object_io_tasks_prevent_eviction";

/// Whether the runtime does what is relied on. One that says nothing about itself is believed.
pub(crate) fn runtime_fits() -> Result<(), Complaint> {
    let flags = Reflect::get(&global(), &"Cloudflare".into())
        .and_then(|platform| Reflect::get(&platform, &"compatibilityFlags".into()));
    let Some(flags) = flags.ok().filter(JsValue::is_object) else {
        return Ok(());
    };
    if Reflect::get(&flags, &KEEPS_OBJECTS_ALIVE.into()).is_ok_and(|flag| flag.is_truthy()) {
        return Ok(());
    }
    let detail = "compatibility_date in wrangler's configuration is before 2026-10-01, or wrangler is too old to know that date: an object \
                  could be evicted while it waits for R2. Set 2026-10-01 or later, and use wrangler 4.146 or newer.";
    Err(Complaint(detail.to_owned()))
}

/// Whether a binding of this name is the Worker's own, and is for nobody else's messages.
pub(crate) fn is_own(name: &str) -> bool {
    name == RECEIVERS_BINDING || BINDINGS.iter().any(|(own, _)| *own == name)
}

/// Whether there is a binding of this name that can do this.
pub(crate) fn has(env: &Env, name: &str, method: &str) -> bool {
    let binding = Reflect::get(env, &name.into()).unwrap_or(JsValue::UNDEFINED);
    binding.is_object() && Reflect::get(&binding, &method.into()).is_ok_and(|method| method.is_function())
}

/// Whether there is such a binding.
pub(crate) fn is_bound(env: &Env, name: &str) -> bool {
    Reflect::get(env, &name.into()).is_ok_and(|binding| binding.is_object())
}
