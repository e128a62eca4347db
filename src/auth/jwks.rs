//! Public keys from a JWKS URL. Each isolate remembers them by itself; [`JwksCache`] says for how long.

use std::{cell::RefCell, time::Duration};

use durable_objects::fault::Result;
use futures_util::future::{Either, select};
use upload_core::{
    log_line::LogLine,
    token::{JwksCache, Key, KeySet},
    units::UnixMs,
};
use worker::{AbortController, Delay, Fetch, Method, Request};

use crate::log;

/// How long a request with a token waits for the keys.
const TIMEOUT: Duration = Duration::from_secs(5);

/// No set of ours is larger.
const MAX_BYTES: usize = 64 * 1024;

/// What came of looking for a key.
pub(super) enum Found {
    /// It is there.
    Key(Key),
    /// It is not.
    NoSuchKey,
    /// There are no keys to look among.
    Unavailable,
}

thread_local! {
    static CACHE: RefCell<JwksCache> = RefCell::default();
}

/// Looks for a key among those at this URL, fetching them where that is due.
pub(super) async fn find(url: &str, now: UnixMs, find: impl Fn(&KeySet) -> Option<Key>) -> Result<Found> {
    let look = || CACHE.with_borrow(|cache| cache.keys(now).map(&find));
    let is_due = |is_key_unknown| CACHE.with_borrow(|cache| cache.is_due(now, is_key_unknown));
    if is_due(false) {
        refresh(url, now).await;
    }
    let mut found = look();
    if matches!(found, Some(None)) && is_due(true) {
        refresh(url, now).await;
        found = look();
    }
    Ok(match found {
        Some(Some(key)) => Found::Key(key),
        Some(None) => Found::NoSuchKey,
        None => Found::Unavailable,
    })
}

async fn refresh(url: &str, now: UnixMs) {
    let answer = fetch(url).await;
    if let Err(complaint) = &answer {
        log::error(&LogLine { event: "jwks_unavailable", detail: Some(complaint.clone()), ..LogLine::default() });
    }
    CACHE.with_borrow_mut(|cache| cache.answered(now, answer.ok()));
}

async fn fetch(url: &str) -> std::result::Result<KeySet, String> {
    let request = Request::new(url, Method::Get).map_err(|error| error.to_string())?;
    let controller = AbortController::default();
    let signal = controller.signal();
    let call = Box::pin(async {
        let mut response =
            Fetch::Request(request).send_with_signal(&signal).await.map_err(|error| error.to_string())?;
        match response.status_code() {
            200 => response.bytes().await.map_err(|error| error.to_string()),
            status => Err(format!("answered {status}")),
        }
    });
    let bytes = match select(call, Delay::from(TIMEOUT)).await {
        Either::Left((bytes, _)) => bytes?,
        Either::Right(((), call)) => {
            drop(call);
            controller.abort();
            return Err("did not answer in time".to_owned());
        }
    };
    if bytes.len() > MAX_BYTES {
        return Err("is larger than 64 KiB".to_owned());
    }
    let json = std::str::from_utf8(&bytes).map_err(|_| "is not text".to_owned())?;
    KeySet::of_jwks(json).map_err(str::to_owned)
}
