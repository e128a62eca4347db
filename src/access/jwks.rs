//! Public keys from JWKS URLs, one set for each. Each isolate remembers them by itself; [`JwksCache`] says for how long, and who waits for
//! what.
//!
//! The set is fetched in a task of its own, which goes on when the request that had it fetched has gone. Other requests wait for it by
//! looking now and then, each by a timer of its own: what one request waits for, the platform lets no other one wake.

use std::{cell::RefCell, time::Duration};

use durable_objects::platform::error::Result;
use durable_objects::platform::telemetry::log_line::LogLine;
use futures_util::future::{Either, select};
use upload_access::token::{
    Key, KeySet, TokenFault,
    keys::jwks_cache::{FETCH_TIMEOUT_MS, JwksCache, Sought},
};
use upload_types::units::UnixMs;
use worker::{AbortController, AbortSignal, Context, Delay, Fetch};

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
    /// It is not, or must not be used.
    Fault(TokenFault),
    /// There are no keys to look among, or it may be among newer ones that could not be had.
    Unavailable,
}

thread_local! {
    /// By URL. There are as many as there are issuers in the settings.
    static CACHES: RefCell<Vec<(String, JwksCache)>> = RefCell::default();
}

/// Looks for a key among those at this URL. Waits for them only where the key is not among those that are known.
pub(super) async fn find(url: &str, context: &Context, find: impl Fn(&KeySet) -> Result<Key, TokenFault>) -> Found {
    let look = || with(url, |cache| cache.keys(now()).map_or(Err(TokenFault::UnknownKey), &find));
    match look() {
        Err(TokenFault::UnknownKey) => {}
        known => {
            if is_due(url, Sought::Known) {
                fetch_behind(url, context);
            }
            return known.map_or_else(Found::Fault, Found::Key);
        }
    }
    if is_due(url, Sought::Unknown) {
        fetch_behind(url, context);
    }
    while with(url, |cache| cache.is_in_flight(now())) {
        Delay::from(POLL).await;
    }
    match look() {
        Err(TokenFault::UnknownKey) if with(url, |cache| cache.keys(now()).is_none() || cache.has_failed()) => {
            Found::Unavailable
        }
        found => found.map_or_else(Found::Fault, Found::Key),
    }
}

fn with<T>(url: &str, work: impl FnOnce(&mut JwksCache) -> T) -> T {
    CACHES.with_borrow_mut(|caches| {
        let index = caches.iter().position(|(known, _)| known == url).unwrap_or_else(|| {
            caches.push((url.to_owned(), JwksCache::default()));
            caches.len() - 1
        });
        work(&mut caches[index].1)
    })
}

fn is_due(url: &str, sought: Sought) -> bool {
    with(url, |cache| cache.is_due(now(), sought))
}

fn now() -> UnixMs {
    UnixMs(now_ms())
}

/// Has the set fetched. Crash here, or the platform ends the task: nobody waits for it any longer than for one that hangs.
fn fetch_behind(url: &str, context: &Context) {
    with(url, |cache| cache.asked(now()));
    let url = url.to_owned();
    context.wait_until(async move {
        let answer = fetch(&url).await;
        if let Err(complaint) = &answer {
            let detail = Some(format!("{url} {complaint}"));
            log::error(&LogLine { event: "jwks_unavailable", detail, ..LogLine::default() });
        }
        with(&url, |cache| cache.answered(now(), answer.ok()));
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
    let init = web_sys::RequestInit::new();
    // Whoever can answer for this address alone may say which keys are good: nobody that it sends to, and never without TLS.
    init.set_redirect(web_sys::RequestRedirect::Manual);
    let request = web_sys::Request::new_with_str_and_init(url, &init)?;
    let mut response = Fetch::Request(request.into()).send_with_signal(signal).await?;
    match response.status_code() {
        200 => bounded_body::read(&mut response, MAX_BYTES).await?.ok_or_else(|| "is larger than 64 KiB".into()),
        status => Err(format!("answered {status}").into()),
    }
}
