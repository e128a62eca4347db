//! What browsers on other sites may do: the headers that say so, on every answer, and only to those that are listed.
//!
//! Tokens travel in a header that no browser sends by itself, so nothing here keeps an attacker's page from using somebody's
//! login; it keeps pages that nobody listed from reading answers.

use durable_objects::platform::error::Result;
use http::Method;
use upload_access::cors::{Allowed, Cors};
use upload_protocols::Head;
use worker::Headers;

/// What a browser's script may read.
const EXPOSE_HEADERS: &str = "Location, Upload-Offset, Upload-Length, Retry-After, ETag, Range, Content-Range, Accept-Ranges, \
     Upload-Metadata, Upload-Defer-Length, Upload-Concat, Upload-Complete, Upload-Incomplete, Upload-Expires, Upload-Result, \
     Upload-Limit, Upload-Draft-Interop-Version, Tus-Version, Tus-Resumable, Tus-Max-Size, Tus-Extension, \
     Tus-Checksum-Algorithm, Repr-Digest, Content-Disposition, WWW-Authenticate";

/// How long a browser may remember a preflight's answer, in seconds; browsers cap it at 2 hours.
const PREFLIGHT_MAX_AGE_SECONDS: &str = "7200";

/// Adds them to an answer.
pub(crate) fn add(headers: &mut Headers, head: &Head, allowed: &Cors) -> Result<()> {
    // Also where nothing is allowed: a cache must not hand one origin's answer to another.
    headers.append("vary", "Origin")?;
    let is_preflight = head.method == Method::OPTIONS;
    if is_preflight {
        headers.append("vary", "Access-Control-Request-Method, Access-Control-Request-Headers")?;
    }
    match head.header("origin").and_then(|origin| allowed.origins.allow(origin)) {
        None => return Ok(()),
        Some(Allowed::Anybody) => headers.set("access-control-allow-origin", "*")?,
        Some(Allowed::Origin(origin)) => {
            headers.set("access-control-allow-origin", origin)?;
            headers.set("access-control-allow-credentials", "true")?;
        }
    }
    headers.set("access-control-expose-headers", EXPOSE_HEADERS)?;
    if is_preflight {
        headers.set("access-control-allow-methods", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")?;
        headers.set("access-control-allow-headers", &allowed.headers.shown())?;
        headers.set("access-control-max-age", PREFLIGHT_MAX_AGE_SECONDS)?;
    }
    Ok(())
}
