//! A request in, an answer out: understands it through a protocol, has it carried out for whoever asks, renders what came of it,
//! adds CORS, and writes a log line for what was refused or went wrong.

use durable_objects::platform::error::{Error, Result};
use durable_objects::platform::telemetry::log_line::LogLine;
use http::Method;
use upload_protocols::{Asked, Head, Parsed, Protocol, address::BasePath, by_link, problem_page};
use upload_types::{
    api_error::ApiError,
    effect,
    operation::{Operation, Reply},
    switch::Effect,
    units::{UnixMs, UploadId},
};
use wasm_bindgen::prelude::wasm_bindgen;
use web_sys::{ReadableStream, Url};
use worker::{Context, Env, Headers, Request, Response, ResponseBuilder};

use crate::{
    access,
    config::{Config, Settings},
    context::RequestContext,
    handlers::{self, Answer, form::Surroundings},
    http::{cors, document, health, link_page, server_timing::Timings},
    log::{self, Stopwatch, now_ms},
    switch,
    transfer::relay::drain,
};

/// All names and values of the headers, and the address, together. The platform allows 128 KB; the largest that means anything
/// here is an `Upload-Metadata`.
const MAX_HEAD_BYTES: u32 = 32 * 1024;

#[wasm_bindgen]
extern "C" {
    /// What the reference says of a code, as JSON: `src/instance.js` has it.
    #[wasm_bindgen(js_name = quaysideError)]
    fn page_text(code: &str) -> Option<String>;
}

/// What is known of a request, however it ends.
#[derive(Default)]
struct Trace {
    /// Which upload it is about, once that has been understood.
    upload: Option<UploadId>,
    /// Where its time went.
    timings: Timings,
}

/// Answers one request. Faults are answered too: an error never leaves this function.
pub(crate) async fn answer(mut request: Request, env: Env, context: Context) -> Result<Response> {
    let watch = Stopwatch::start();
    let settings = Settings::of(&env);
    let url = Url::new(&request.inner().url())?;
    // On the host of public files nothing else is there: no link, no page, no protocol.
    let is_public = settings.is_of_public_files(&url);
    let base_path = if is_public { &BasePath::default() } else { &settings.base_path };
    let mut head = head(&request, &url, base_path)?;
    let link = if is_public { None } else { by_link::take(&mut head) };
    #[cfg(feature = "faults")]
    if head.path == "/faults" {
        durable_objects::platform::fault_injection::plan(request.json().await?);
        return Ok(Response::empty()?);
    }
    if !is_public && let Some(answer) = health::answer(&head, &env).await {
        return answer;
    }
    let protocol = if is_public { Protocol::PublicFiles } else { Protocol::of(&head) };
    let mut trace = Trace::default();
    let mut response = if head.method == Method::OPTIONS && !protocol.is_discovered() {
        Response::empty()?.with_status(204)
    } else {
        let config = settings.config();
        let limits = config.ok().map(|config| config.limits);
        let public_url = config.ok().and_then(|config| config.public_url.clone());
        let base_url = settings.base_path.below(&public_url.unwrap_or_else(|| url.origin()));
        let problems_url = settings.problems_url.clone().unwrap_or_else(|| format!("{base_url}{}", problem_page::PATH));
        // What is answered to a request that came by a link has addresses below the link: its client has nothing else to show.
        let base_url = base_url + link.as_deref().unwrap_or_default();
        let (base_url, problems_url) = (base_url.as_str(), problems_url.as_str());
        let asked = Asked { head: &head, limits, base_url, problems_url, now: UnixMs(now_ms()) };
        let page = link_page::answer(&head, link.as_deref()).map(Ok);
        let page = page.or_else(|| if is_public { None } else { problem_page::answer(&asked, page_text) });
        let handled = match (broken_off(&env), page) {
            (Some(fault_id), _) => response(without_body_of_head(&asked, protocol.fault(&asked, &fault_id, None))),
            (None, Some(page)) => {
                page.map_err(Error::from).and_then(|page| response(without_body_of_head(&asked, page)))
            }
            (None, None) => handle(protocol, &asked, &mut request, config, &env, &context, &mut trace).await,
        };
        match handled {
            Ok(response) => response,
            Err(Error::Refused(refusal)) => refused(protocol, &asked, &refusal, trace.upload, &watch)?,
            Err(Error::Fault(fault)) => faulted(protocol, &asked, &fault, trace.upload, &watch)?,
        }
    };
    if is_public {
        // Any page may show it and read it: nothing is sent along by which somebody would be known.
        response.headers_mut().set("access-control-allow-origin", "*")?;
        response.headers_mut().set("cross-origin-resource-policy", "cross-origin")?;
        return Ok(response);
    }
    response.headers_mut().set("server-timing", &trace.timings.header(&watch))?;
    cors::add(response.headers_mut(), &head, &settings.cors)?;
    Ok(response)
}

/// What is known of the request so far is in `trace`, also where it is refused or fails.
async fn handle(
    protocol: Protocol,
    asked: &Asked<'_>,
    request: &mut Request,
    config: Result<&Config, &ApiError>,
    env: &Env,
    execution: &Context,
    trace: &mut Trace,
) -> Result<Response> {
    if head_bytes(asked.head) > u64::from(MAX_HEAD_BYTES) {
        return Err(ApiError::HeadTooLarge { limit_bytes: MAX_HEAD_BYTES.into() }.into());
    }
    let parsed = protocol.parse(asked.head)?;
    let host = Url::new(&request.inner().url())?.origin();
    if let Parsed::Form(form) = &parsed {
        let (config, timings, host) = (config.map_err(Clone::clone)?, &trace.timings, host.as_str());
        taken(Effect::Changes, request.inner().body(), env, execution).await?;
        let around = Surroundings { config, env, execution, timings, host };
        return response(handlers::form::answer(form, asked, request.inner().body(), around).await?);
    }
    let is_unread = matches!(parsed, Parsed::Ready(_));
    let operation = understand(parsed, asked.head, request, config).await?;
    trace.upload = operation.upload_id();
    let config = config.map_err(Clone::clone)?;
    if let Some(effect) = effect::of(&operation) {
        taken(effect, request.inner().body().filter(|_| is_unread), env, execution).await?;
    }
    let access = access::identify(asked.head, &operation, config, &host, execution).await?;
    let address = asked.head.header("cf-connecting-ip");
    let context = RequestContext { config, env, execution, address, access: &access, timings: &trace.timings };
    match handlers::answer(operation, request.inner().body(), context).await {
        Ok(Answer::Outcome(outcome)) => response(protocol.reply(asked, &outcome)),
        Ok(Answer::Socket(response)) => Ok(response),
        // The client has it: nothing is said of it but that.
        Ok(Answer::Object(response, _)) if response.status_code() == 304 => Ok(response),
        Ok(Answer::Object(mut response, now)) => {
            for (name, value) in protocol.beside_content(asked, &now) {
                response.headers_mut().set(name, &value)?;
            }
            Ok(response)
        }
        Err(Error::Refused(refusal)) => {
            if let Some(outcome) = protocol.repeated(asked.head, &refusal) {
                return response(protocol.reply(asked, &outcome));
            }
            if let Some(consequence) = protocol.consequence(asked.head, &refusal) {
                let limited = access.for_unfinished();
                let ended = handlers::answer(consequence, None, RequestContext { access: &limited, ..context }).await;
                // Where this is refused too, the upload has ended meanwhile. Nothing that is complete is ended by a mistake.
                if let Err(fault @ Error::Fault(_)) = ended {
                    return Err(fault);
                }
            }
            Err(access.restate(refusal).into())
        }
        Err(fault) => Err(fault),
    }
}

/// Refuses what the switch does not let in, and reads the body of that away.
async fn taken(effect: Effect, body: Option<ReadableStream>, env: &Env, execution: &Context) -> Result<()> {
    let checked = switch::check(effect, env, execution).await;
    if checked.is_err() {
        drain(body).await?;
    }
    checked
}

async fn understand(
    parsed: Parsed,
    head: &Head,
    request: &Request,
    config: Result<&Config, &ApiError>,
) -> Result<Operation> {
    let (max_bytes, finish) = match parsed {
        Parsed::Ready(operation) => return Ok(*operation),
        Parsed::NeedsBody { max_bytes, finish } => (max_bytes, finish),
        Parsed::Form(_) => return Err("a form is carried out while it is read".into()),
    };
    // A request without a body need not say so.
    let is_bare = !head.headers.contains_key("content-length") && request.inner().body().is_none();
    let length =
        if is_bare { Some(0) } else { head.header("content-length").and_then(|text| text.parse::<u64>().ok()) };
    let Some(length) = length else { return Err(ApiError::LengthRequired.into()) };
    if length > u64::from(max_bytes) {
        return Err(ApiError::bad_request("body", format!("is larger than {max_bytes} bytes")).into());
    }
    let stalled_after = config.map_err(Clone::clone)?.stalled_after;
    let document = document::read(request.inner().body(), length, stalled_after).await?;
    Ok(finish(head, &document)?)
}

fn head_bytes(head: &Head) -> u64 {
    let headers = head.headers.length_bytes();
    (headers + head.path.len() + head.query.len()) as u64
}

fn head(request: &Request, url: &Url, base_path: &BasePath) -> Result<Head> {
    let pairs: Vec<(String, String)> = request.headers().into_iter().collect();
    Ok(Head {
        method: request.inner().method().parse().map_err(|_| "a method that is no token")?,
        // What lies outside the base path is no route.
        path: base_path.route(&url.pathname()).unwrap_or_default(),
        query: url.search().strip_prefix('?').unwrap_or_default().to_owned(),
        headers: upload_protocols::Headers::of(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()))),
    })
}

fn response(reply: Reply) -> Result<Response> {
    let headers = Headers::new();
    for (name, value) in &reply.headers {
        headers.set(name, value)?;
    }
    let builder = ResponseBuilder::new().with_status(reply.status).with_headers(headers);
    Ok(match reply.body {
        Some(body) => builder.fixed(body.into_bytes()),
        None => builder.empty(),
    })
}

fn refused(
    protocol: Protocol,
    asked: &Asked<'_>,
    refusal: &ApiError,
    upload: Option<UploadId>,
    watch: &Stopwatch,
) -> Result<Response> {
    log::info(&LogLine {
        event: "refused",
        upload_id: upload,
        status: Some(refusal.status()),
        code: Some(refusal.code()),
        bytes: refusal.uploaded_bytes(),
        duration_ms: Some(watch.elapsed_ms()),
        ..LogLine::default()
    });
    response(without_body_of_head(asked, protocol.problem(asked, refusal, upload)))
}

fn without_body_of_head(asked: &Asked<'_>, reply: Reply) -> Reply {
    let body = reply.body.filter(|_| asked.head.method != Method::HEAD);
    Reply { body, ..reply }
}

/// The id of the fault under which an instance before this one broke off with this request, as `entry.js` says it beside the
/// bindings, where no client can: the request is to be told so in its own words, and not to be tried again.
fn broken_off(env: &Env) -> Option<String> {
    env.var("BROKEN_OFF").ok().map(|fault_id| fault_id.to_string())
}

/// Our fault: the client is told an id under which the log says more.
fn faulted(
    protocol: Protocol,
    asked: &Asked<'_>,
    fault: &worker::Error,
    upload: Option<UploadId>,
    watch: &Stopwatch,
) -> Result<Response> {
    let mut random = [0; 8];
    // Without randomness the id is zeros, and the log line still there.
    let _ = getrandom::fill(&mut random);
    let fault_id = hex::encode(random);
    log::error(&LogLine {
        event: "fault",
        upload_id: upload,
        status: Some(500),
        code: Some(&fault_id),
        detail: Some(fault.to_string()),
        duration_ms: Some(watch.elapsed_ms()),
        ..LogLine::default()
    });
    response(without_body_of_head(asked, protocol.fault(asked, &fault_id, upload)))
}
