//! Public keys from JWKS URLs, one set for each. Each isolate remembers them by itself; [`JwksCache`] says for how long, and who waits for
//! what.
//!
//! The set is fetched in a task of its own, which goes on when the request that had it fetched has gone. Other requests wait for it by
//! looking now and then, each by a timer of its own: what one request waits for, the platform lets no other one wake.

use std::{cell::RefCell, time::Duration};

use durable_objects::platform::background::run_behind;
use durable_objects::platform::error::Result;
use durable_objects::platform::telemetry::log_line::LogLine;
use upload_access::token::{
    Key, KeySet, TokenFault,
    keys::jwks_cache::{FETCH_TIMEOUT_MS, JwksCache, Sought},
};
use upload_types::units::UnixMs;
use worker::{Context, Delay};

use crate::{
    exchange::{self, Answer, Via},
    log::{self, now_ms},
};

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
    let work = async move {
        let answer = fetch(&url).await;
        if let Err(complaint) = &answer {
            let detail = Some(format!("{url} {complaint}"));
            log::error(&LogLine { event: "jwks_unavailable", detail, ..LogLine::default() });
        }
        with(&url, |cache| cache.answered(now(), answer.ok()));
    };
    run_behind(context, Box::pin(work));
}

async fn fetch(url: &str) -> Result<KeySet, String> {
    // Whoever can answer for this address alone may say which keys are good, and never without TLS.
    let request = exchange::request("GET", url, None).map_err(|error| error.to_string())?;
    let answer = exchange::send(request, Via::Network, FETCH_TIMEOUT_MS, |status| status == 200).await?;
    match answer {
        answer @ Answer { status: 200, .. } => KeySet::of_jwks(&answer.text()?).map_err(str::to_owned),
        Answer { status, .. } => Err(format!("answered {status}")),
    }
}
