//! How many uploads may be created in a minute, by one owner and from one address. Chunks are not counted: a fast uploader is
//! no attacker. Of the pieces that an upload is put together from one in a hundred is counted, by lot: so many may make one upload, and a
//! file that is sent in four pieces is one file.
//!
//! The platform counts, in each of its places for itself and approximately; the ledger's quotas are what is exact.

use durable_objects::platform::error::{Error, Result};
use js_sys::{Object, Promise, Reflect};
use upload_types::{api_error::ApiError, operation::Create, upload::Purpose};
use wasm_bindgen::{JsCast, JsValue, prelude::wasm_bindgen};
use wasm_bindgen_futures::JsFuture;

use crate::{access::Principal, context::RequestContext, setting::missing};

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

/// One in so many pieces is counted.
const PIECES_COUNTED_AS_ONE: u32 = 100;

/// Counts a creation, and refuses it where there were too many.
pub(crate) async fn count(create: &Create, creator: &Principal, context: RequestContext<'_>) -> Result<()> {
    if create.purpose == Purpose::Partial && lot()? != 0 {
        return Ok(());
    }
    // Whoever has a link must not use up what its owner may.
    let by = creator.link.as_ref().map_or_else(|| creator.owner.clone(), |link| format!("link {}", link.usage.id));
    count_one(&by, context).await
}

/// Counts something that costs as much as a creation, of this owner or of whoever else that is.
pub(crate) async fn count_one(by: &str, context: RequestContext<'_>) -> Result<()> {
    let (env, address) = (context.env, context.address.map(network));
    for (binding, key) in [(BY_OWNER, Some(by)), (BY_ADDRESS, address.as_deref())] {
        let Some(key) = key else { continue };
        let Ok(limiter) = env.rate_limiter(binding) else {
            return Err(ApiError::from(missing(binding, "is missing from [[ratelimits]] in wrangler.toml")).into());
        };
        if !may_go_on(&limiter.into(), key).await? {
            return Err(ApiError::RateLimited { retry_after_seconds: PERIOD_SECONDS }.into());
        }
    }
    Ok(())
}

/// A number below [`PIECES_COUNTED_AS_ONE`], as good as any other.
fn lot() -> Result<u32> {
    let mut random = [0; 4];
    getrandom::fill(&mut random).map_err(|error| Error::from(error.to_string()))?;
    Ok(u32::from_le_bytes(random) % PIECES_COUNTED_AS_ONE)
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
