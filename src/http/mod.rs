//! HTTP: a request in, an answer out.

pub(crate) mod cors;
pub(crate) mod document;
pub(crate) mod event_stream;
pub(crate) mod health;
pub(crate) mod link_page;
mod public_files;
pub(crate) mod router;
pub(crate) mod server_timing;
pub(crate) mod status_queue;

use durable_objects::platform::error::Result;
use web_sys::Url;
use worker::{Context, Env, Request, Response};

use crate::config::Settings;

/// Answers one request, by the host that it came to. An error never leaves this function but where the platform gives an address that is none.
pub(crate) async fn answer(request: Request, env: Env, context: Context) -> Result<Response> {
    let settings = Settings::of(&env);
    let url = Url::new(&request.inner().url())?;
    if settings.is_of_public_files(&url) {
        return public_files::answer(&request, &url, &settings, &env, &context).await;
    }
    router::answer(request, &url, &settings, env, context).await
}
