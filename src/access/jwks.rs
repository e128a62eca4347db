//! Public keys from a JWKS URL. Each isolate remembers them by itself; [`JwksCache`] says for how long, and who waits for what.
//!
//! The set is fetched in a task of its own, which goes on when the request that had it fetched has gone. Other requests wait for it by
//! looking now and then, each by a timer of its own: what one request waits for, the platform lets no other one wake.

use std::{cell::RefCell, time::Duration};

use durable_objects::platform::error::Result;
use durable_objects::platform::telemetry::log_line::LogLine;
use futures_util::future::{Either, select};
use upload_access::token::{
    Key, KeySet,
    jwks_cache::{FETCH_TIMEOUT_MS, JwksCache, Sought},
};
use upload_types::units::UnixMs;
use worker::{AbortController, AbortSignal, Context, Delay, Fetch, Method, Request};

use crate::{
    http::bounded_body,
    log::{self, now_ms},
};

/// No set of ours is larger.
const MAX_BYTES: usize = 64 * 1024;

/// How often whoever waits looks.
const POLL: Duration = Duration::from_millis(20);

/// What came of looking for a key.
pub(super) enum Found {
    /// It is there.
    Key(Key),
    /// It is not.
    NoSuchKey,
    /// There are no keys to look among, or it may be among newer ones that could not be had.
    Unavailable,
}

thread_local! {
    static CACHE: RefCell<JwksCache> = RefCell::default();
}

/// Looks for a key among those at this URL. Waits for them only where the key is not among those that are known.
pub(super) async fn find(url: &str, context: &Context, find: impl Fn(&KeySet) -> Option<Key>) -> Found {
    if let Some(key) = look(&find) {
        if is_due(Sought::Known) {
            fetch_behind(url, context);
        }
        return Found::Key(key);
    }
    if is_due(Sought::Unknown) {
        fetch_behind(url, context);
    }
    while CACHE.with_borrow(|cache| cache.is_in_flight(now())) {
        Delay::from(POLL).await;
    }
    match look(&find) {
        Some(key) => Found::Key(key),
        None if CACHE.with_borrow(|cache| cache.keys(now()).is_none() || cache.has_failed()) => Found::Unavailable,
        None => Found::NoSuchKey,
    }
}

fn look(find: impl Fn(&KeySet) -> Option<Key>) -> Option<Key> {
    CACHE.with_borrow(|cache| cache.keys(now()).and_then(find))
}

fn is_due(sought: Sought) -> bool {
    CACHE.with_borrow(|cache| cache.is_due(now(), sought))
}

fn now() -> UnixMs {
    UnixMs(now_ms())
}

/// Has the set fetched. Crash here, or the platform ends the task: nobody waits for it any longer than for one that hangs.
fn fetch_behind(url: &str, context: &Context) {
    CACHE.with_borrow_mut(|cache| cache.asked(now()));
    let url = url.to_owned();
    context.wait_until(async move {
        let answer = fetch(&url).await;
        if let Err(complaint) = &answer {
            log::error(&LogLine { event: "jwks_unavailable", detail: Some(complaint.clone()), ..LogLine::default() });
        }
        CACHE.with_borrow_mut(|cache| cache.answered(now(), answer.ok()));
    });
}

async fn fetch(url: &str) -> Result<KeySet, String> {
    let controller = AbortController::default();
    let signal = controller.signal();
    let timeout = Delay::from(Duration::from_millis(FETCH_TIMEOUT_MS));
    let body = match select(Box::pin(read(url, &signal)), timeout).await {
        Either::Left((body, _)) => body.map_err(|error| error.to_string()),
        Either::Right(((), read)) => {
            drop(read);
            Err("did not answer in time".to_owned())
        }
    };
    if body.is_err() {
        // Nobody reads what may still come.
        controller.abort();
    }
    let json = String::from_utf8(body?).map_err(|_| "is not text".to_owned())?;
    KeySet::of_jwks(&json).map_err(str::to_owned)
}

/// The answer's body, or what is wrong with the answer.
async fn read(url: &str, signal: &AbortSignal) -> Result<Vec<u8>> {
    let request = Request::new(url, Method::Get)?;
    let mut response = Fetch::Request(request).send_with_signal(signal).await?;
    match response.status_code() {
        200 => bounded_body::read(&mut response, MAX_BYTES).await?.ok_or_else(|| "is larger than 64 KiB".into()),
        status => Err(format!("answered {status}").into()),
    }
}
