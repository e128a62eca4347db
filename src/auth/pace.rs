//! How many uploads may be created in a minute, by one owner and from one address. Chunks are not counted: a fast uploader is
//! no attacker.
//!
//! The platform counts, in each of its places for itself and approximately; the ledger's quotas are what is exact.

use durable_objects::fault::Result;
use js_sys::{Object, Promise, Reflect};
use upload_core::refusal::Refusal;
use wasm_bindgen::{JsCast, JsValue, prelude::wasm_bindgen};
use wasm_bindgen_futures::JsFuture;
use worker::Env;

use crate::config::missing;

#[wasm_bindgen]
extern "C" {
    /// Bound here because the `worker` crate reads the one flag of its answer by way of serde, whose errors bring the writing of
    /// floating-point numbers along.
    type Limiter;
    #[wasm_bindgen(method, catch)]
    fn limit(this: &Limiter, options: &Object) -> Result<Promise, JsValue>;
}

/// Which bindings of wrangler.toml count. Their limits are set there.
const BY_OWNER: &str = "CREATIONS_BY_OWNER";
const BY_ADDRESS: &str = "CREATIONS_BY_ADDRESS";

/// The period of both bindings in wrangler.toml, in seconds.
const PERIOD_SECONDS: u32 = 60;

/// Counts a creation, and refuses it where there were too many.
pub(crate) async fn count(env: &Env, owner: &str, address: Option<&str>) -> Result<std::result::Result<(), Refusal>> {
    let address = address.map(network);
    for (binding, key) in [(BY_OWNER, Some(owner)), (BY_ADDRESS, address.as_deref())] {
        let Some(key) = key else { continue };
        let Ok(limiter) = env.rate_limiter(binding) else {
            return Ok(Err(missing(binding, "is missing from [[ratelimits]] in wrangler.toml")));
        };
        if !may_go_on(&limiter.into(), key).await? {
            return Ok(Err(Refusal::RateLimited { retry_after_seconds: PERIOD_SECONDS }));
        }
    }
    Ok(Ok(()))
}

async fn may_go_on(limiter: &JsValue, key: &str) -> Result<bool> {
    let options = Object::new();
    Reflect::set(&options, &"key".into(), &key.into())?;
    let outcome = JsFuture::from(limiter.unchecked_ref::<Limiter>().limit(&options)?).await?;
    Ok(Reflect::get(&outcome, &"success".into())?.is_truthy())
}

/// An IPv6 user has a whole /64 to come from.
fn network(address: &str) -> String {
    match address.parse::<std::net::Ipv6Addr>() {
        Ok(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
        Err(_) => address.to_owned(),
    }
}
