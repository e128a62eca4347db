//! Where a request has its token: in `Authorization: Bearer` (RFC 6750, section 2.1); where a browser opens a WebSocket and can send no such
//! header, as a subprotocol; and, where the settings name one, in a header that a proxy adds (`TOKEN_HEADER`).
//!
//! What a proxy adds, it adds by the browser's cookie, whichever page has the browser send the request. So it counts only where that page is
//! our own or a listed one, else any page on the web could upload in its visitor's name.

use upload_protocols::Head;
use upload_types::api_error::ApiError;

use crate::token_settings::TokenSettings;

/// What a token that travels as a WebSocket subprotocol begins with.
const SUBPROTOCOL_PREFIX: &str = "bearer.";

/// The token, where there is one. What the request says itself counts before what a proxy adds. `host` is scheme and host of the request.
pub(super) fn token<'a>(
    head: &'a Head,
    settings: &TokenSettings,
    public_url: Option<&str>,
    host: &str,
) -> Result<Option<&'a str>, ApiError> {
    if let Some(token) = in_authorization(head).or_else(|| in_subprotocol(head)) {
        return Ok(Some(token));
    }
    let Some(token) = settings.header.as_ref().and_then(|name| head.header(name)) else { return Ok(None) };
    let own: Vec<_> = std::iter::once(host).chain(public_url).collect();
    if !settings.origins.trust_login(head.header("origin"), head.header("sec-fetch-site"), &own) {
        let detail = "The page that sends this request is neither of this host nor listed in CORS_ORIGINS, so the login that a proxy adds \
                      to it does not count. `*` lists nobody.";
        return Err(ApiError::NotPermitted { detail: detail.to_owned() });
    }
    Ok(Some(token.trim()))
}

pub(super) fn in_authorization(head: &Head) -> Option<&str> {
    let (scheme, token) = head.header("authorization")?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

fn in_subprotocol(head: &Head) -> Option<&str> {
    let is_socket = head.header("upgrade").is_some_and(|upgrade| upgrade.eq_ignore_ascii_case("websocket"));
    let offered = head.header("sec-websocket-protocol").filter(|_| is_socket)?;
    offered.split(',').find_map(|protocol| protocol.trim().strip_prefix(SUBPROTOCOL_PREFIX))
}
