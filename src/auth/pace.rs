//! How many uploads may be created in a minute, by one owner and from one address. Chunks are not counted: a fast uploader is
//! no attacker.
//!
//! The platform counts, in each of its places for itself and approximately; the ledger's quotas are what is exact.

use durable_objects::fault::Result;
use upload_core::refusal::Refusal;
use worker::Env;

use crate::config::missing;

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
        if !limiter.limit(key.to_owned()).await?.success {
            return Ok(Err(Refusal::RateLimited { retry_after_seconds: PERIOD_SECONDS }));
        }
    }
    Ok(Ok(()))
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
