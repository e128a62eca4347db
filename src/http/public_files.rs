//! The host of public files (`PUBLIC_FILES_URL`): everybody gets a file that is public, and nothing else is there. No token is looked at, no
//! protocol is spoken, and what is found says nothing of its upload.

use durable_objects::platform::error::{Error, Result};
use upload_protocols::{Asked, Head, Protocol, address::BasePath, public_file};
use upload_types::{
    api_error::ApiError,
    switch::Effect,
    units::{UnixMs, UploadId},
};
use web_sys::Url;
use worker::{Context, Env, Request, Response};

use super::router::{
    MAX_HEAD_BYTES, addresses, broken_off, faulted, head, head_bytes, refused, response, taken, without_body_of_head,
};
use crate::{
    access::Access,
    config::Settings,
    context::RequestContext,
    handlers::download,
    http::server_timing::Timings,
    log::{Stopwatch, now_ms},
};

/// Answers one request. Any page may read the answer, and show what is in it: nothing is sent along by which somebody would be known.
pub(super) async fn answer(
    request: &Request,
    url: &Url,
    settings: &Settings,
    env: &Env,
    execution: &Context,
) -> Result<Response> {
    let watch = &Stopwatch::start();
    let head = head(request, url, &BasePath::default())?;
    let (base_url, problems_url) = addresses(settings, url);
    let (base_url, problems_url) = (base_url.as_str(), problems_url.as_str());
    let asked = Asked { head: &head, limits: None, base_url, problems_url, now: UnixMs(now_ms()) };
    let mut upload = None;
    let handled = match broken_off(env) {
        Some(fault_id) => response(without_body_of_head(&asked, Protocol::Json.fault(&asked, &fault_id, None))),
        None => serve(&head, request, settings, env, execution, &mut upload).await,
    };
    let response = match handled {
        Ok(response) => response,
        Err(Error::Refused(refusal)) => refused(Protocol::Json, &asked, &refusal, upload, watch)?,
        Err(Error::Fault(fault)) => faulted(Protocol::Json, &asked, &fault, upload, watch)?,
    };
    response.headers().set("access-control-allow-origin", "*")?;
    response.headers().set("cross-origin-resource-policy", "cross-origin")?;
    Ok(response)
}

async fn serve(
    head: &Head,
    request: &Request,
    settings: &Settings,
    env: &Env,
    execution: &Context,
    upload: &mut Option<UploadId>,
) -> Result<Response> {
    if head_bytes(head) > u64::from(MAX_HEAD_BYTES) {
        return Err(ApiError::HeadTooLarge { limit_bytes: MAX_HEAD_BYTES.into() }.into());
    }
    let wanted = public_file::parse(head)?;
    *upload = Some(wanted.id);
    let config = settings.config().map_err(Clone::clone)?;
    taken(Effect::Reads, request.inner().body(), env, execution).await?;
    let (access, timings) = (Access::system(), Timings::default());
    let context = RequestContext { config, env, execution, address: None, access: &access, timings: &timings };
    Ok(download::serve_everybody(&wanted, context).await?.0)
}
