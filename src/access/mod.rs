//! Whose request it is, and what it may.
//!
//! A request says who it comes from by a token in `Authorization: Bearer`, or, where a browser opens a WebSocket and can send no
//! such header, as a subprotocol. There is the application's token, a JWT, and the token of one upload, which the answer to its
//! creation brings. Neither is ever in a URL. Whether an upload is the caller's to ask about, the upload's object decides.
//!
//! * [`jwks`]: public keys that are fetched. [`signature`]: the platform's check of a signature. [`pace`]: how many uploads may be
//!   created in a minute.

pub(crate) mod rate_limit;
pub(crate) mod signed_url;
pub(crate) mod web_crypto;

pub(crate) mod jwks;

use std::{cell::Cell, net::IpAddr};

use durable_objects::platform::error::Result;
use durable_objects::platform::telemetry::log_line::LogLine;
use upload_access::token::{Claims, Key, KeySet, TokenFault, Unverified, UploadPolicy, upload_token};
use upload_protocols::Head;
use upload_session::session::DeleteRight;
use upload_types::{
    api_error::ApiError,
    caller::{Caller, TokenHash},
    operation::Operation,
    units::UnixMs,
    upload::Purpose,
};
use web_sys::Url;
use worker::Context;

use crate::{
    config::{Auth, Config, DeleteCompleted, TokenSettings},
    log::{self, now_ms},
};

/// The owner of every upload where anybody may upload.
const ANYBODY: &str = "anonymous";

/// What a token that travels as a WebSocket subprotocol begins with.
const SUBPROTOCOL_PREFIX: &str = "bearer.";

/// Who asks, and what may be created.
#[derive(Clone)]
pub(crate) struct Access {
    /// Who asks.
    pub(crate) caller: Caller,
    /// What may be created, by whom that may create anything.
    creator: Option<Principal>,
    /// What may be put together from what was created before, by whom that may do no more.
    composer: Option<Principal>,
    /// What may be deleted of the uploads that are the caller's.
    pub(crate) delete_right: DeleteRight,
}

/// Somebody who may create uploads.
#[derive(Clone)]
pub(crate) struct Principal {
    /// Whose they will be.
    pub(crate) owner: String,
    /// What they may be.
    pub(crate) permit: UploadPolicy,
    /// The token, to be known again. None where anybody may upload.
    pub(crate) token: Option<TokenHash>,
}

impl Access {
    /// Of a signed URL, or of nobody: whatever is asked under it has been allowed before, or needs no leave.
    fn system() -> Self {
        Self { caller: Caller::System, creator: None, composer: None, delete_right: DeleteRight::Unfinished }
    }

    /// The same, for whoever must not end what is complete.
    pub(crate) fn for_unfinished(&self) -> Self {
        Self { delete_right: DeleteRight::Unfinished, ..self.clone() }
    }

    /// Who may create uploads for this purpose. Whose token has expired may still put together what was created with it: the
    /// pieces themselves see to that.
    pub(crate) fn creator(&self, purpose: &Purpose) -> Result<&Principal, ApiError> {
        let composer = self.composer.as_ref().filter(|_| matches!(purpose, Purpose::Composition(_)));
        self.lister().or_else(|refusal| composer.ok_or(refusal))
    }

    /// Who may list the uploads that are theirs.
    pub(crate) fn lister(&self) -> Result<&Principal, ApiError> {
        self.creator.as_ref().ok_or_else(|| match self.caller {
            Caller::Creator(_) => ApiError::TokenExpired,
            _ => ApiError::NotPermitted { detail: "The token is for one upload, and for nothing else.".to_owned() },
        })
    }

    /// Whose names for uploads are the caller's: also those of whoever could create until the token expired, since what was created with it
    /// may still be finished. Whether it was, the upload knows.
    pub(crate) fn namer(&self) -> Result<&Principal, ApiError> {
        self.lister().or_else(|refusal| self.composer.as_ref().ok_or(refusal))
    }

    /// What the caller is told instead, whose token has expired: that there is no such upload would make it give up, and a new
    /// token may be all it needs. Nothing is given away: it is told the same of uploads that there never were.
    pub(crate) fn restate(&self, refusal: ApiError) -> ApiError {
        match (&self.caller, refusal) {
            (Caller::Creator(_), ApiError::UploadNotFound) => ApiError::TokenExpired,
            (_, refusal) => refusal,
        }
    }
}

/// Finds out who asks for this operation. `host` is scheme and host of the request; `context` keeps what is fetched for its sake.
pub(crate) async fn identify(
    head: &Head,
    operation: &Operation,
    config: &Config,
    host: &str,
    context: &Context,
) -> Result<Access> {
    // What may be uploaded is no secret, and a signed URL says itself what it is for: it is looked at before anything else.
    if matches!(operation, Operation::Discover | Operation::Download(_)) {
        return Ok(Access::system());
    }
    match &config.auth {
        Auth::Open => Ok(anybody(host)?),
        Auth::Tokens(settings) => match presented(head) {
            None => Err(ApiError::Unauthorized.into()),
            Some(token) if upload_token::is_one(token) => Ok(holder(token, operation, config)?),
            Some(token) => by_token(token, settings, config.delete_completed, context).await,
        },
    }
}

/// `Authorization: Bearer <token>` (RFC 6750, section 2.1), or a subprotocol `bearer.<token>` of a WebSocket.
fn presented(head: &Head) -> Option<&str> {
    let by_header = head.header("authorization").and_then(|header| {
        let (scheme, token) = header.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
    });
    let is_socket = || head.header("upgrade").is_some_and(|upgrade| upgrade.eq_ignore_ascii_case("websocket"));
    by_header.or_else(|| {
        let offered = head.header("sec-websocket-protocol").filter(|_| is_socket())?;
        offered.split(',').find_map(|protocol| protocol.trim().strip_prefix(SUBPROTOCOL_PREFIX))
    })
}

/// `AUTH = "open"` is for the machine that it runs on. No request from elsewhere has such a host: the network in front of a
/// deployed Worker would not know where to send it.
fn anybody(host: &str) -> Result<Access, ApiError> {
    if !is_loopback(host) {
        let detail = "AUTH is \"open\", which is for local development only, and this is no local host. Set AUTH to \
                      \"token\" in [vars] of wrangler.toml.";
        return Err(ApiError::NotConfigured { detail: detail.to_owned() });
    }
    say_once_that_it_is_open();
    let owner = ANYBODY.to_owned();
    let creator = Principal { owner: owner.clone(), permit: UploadPolicy::default(), token: None };
    let delete_right = DeleteRight::Completed;
    Ok(Access { caller: Caller::Owner(owner), creator: Some(creator), composer: None, delete_right })
}

fn is_loopback(host: &str) -> bool {
    let Ok(url) = Url::new(host) else { return false };
    let host = url.hostname();
    let ip = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    ip.map_or_else(|_| host == "localhost" || host.ends_with(".localhost"), |ip| ip.is_loopback())
}

fn say_once_that_it_is_open() {
    thread_local! {
        static SAID: Cell<bool> = const { Cell::new(false) };
    }
    if !SAID.replace(true) {
        let detail = "AUTH is \"open\": anybody who reaches this machine may upload. For local development only.";
        log::info(&LogLine { event: "auth_open", detail: Some(detail.to_owned()), ..LogLine::default() });
    }
}

/// The token of an upload opens that upload, whatever else the request is about.
fn holder(token: &str, operation: &Operation, config: &Config) -> Result<Access, ApiError> {
    let Some(upload) = operation.upload_id() else {
        return Err(ApiError::NotPermitted { detail: "An upload's token is for that upload only.".to_owned() });
    };
    if upload_token::is_of(token, &config.download_secrets, upload) {
        let (caller, delete_right) = (Caller::Holder { upload, owner: None }, DeleteRight::Unfinished);
        Ok(Access { caller, creator: None, composer: None, delete_right })
    } else {
        // Also said of an upload's token that was altered: it cannot be told from another's.
        Err(ApiError::UploadNotFound)
    }
}

async fn by_token(
    text: &str,
    settings: &TokenSettings,
    delete_completed: DeleteCompleted,
    context: &Context,
) -> Result<Access> {
    let claims = match Unverified::parse(text) {
        Ok(token) => {
            let genuine = match key_of(&token, settings, context).await? {
                None => Err(TokenFault::UnknownKey),
                Some(Key::Secret(secret)) => token.signed_with(&secret),
                Some(Key::Public(key)) => {
                    let is_right = web_crypto::verify(&key, &token.signature, token.signed.as_bytes()).await?;
                    token.verified_by_platform(is_right)
                }
            };
            genuine.and_then(|genuine| genuine.claims(&settings.audience, UnixMs(now_ms())))
        }
        Err(fault) => Err(fault),
    };
    let hash = TokenHash::of(text);
    let creator = |owner, permit| Some(Principal { owner, permit, token: Some(hash) });
    match claims {
        Ok(Claims { owner, permit, upload: Some(upload) }) => {
            let delete_right = delete_right(permit.delete);
            let caller = Caller::Holder { upload, owner: Some(owner) };
            Ok(Access { caller, creator: None, composer: None, delete_right })
        }
        Ok(Claims { owner, permit, upload: None }) => {
            let delete_right = delete_right(permit.delete || delete_completed == DeleteCompleted::Owner);
            let caller = Caller::Owner(owner.clone());
            Ok(Access { caller, creator: creator(owner, permit), composer: None, delete_right })
        }
        Err(TokenFault::Expired(claims)) => {
            let Claims { owner, permit, upload } = *claims;
            let composer = creator(owner, permit).filter(|_| upload.is_none());
            // That its application once allowed more is over, too.
            let delete_right = DeleteRight::Unfinished;
            Ok(Access { caller: Caller::Creator(hash), creator: None, composer, delete_right })
        }
        Err(fault) => Err(ApiError::InvalidToken { detail: fault.to_string() }.into()),
    }
}

fn delete_right(completed_too: bool) -> DeleteRight {
    if completed_too { DeleteRight::Completed } else { DeleteRight::Unfinished }
}

/// The key that this token names. None where there is no such key; refused where it may be among those that could not be fetched.
async fn key_of(token: &Unverified<'_>, settings: &TokenSettings, context: &Context) -> Result<Option<Key>> {
    let find = |keys: &KeySet| keys.find(token).ok().cloned();
    match (find(&settings.keys), &settings.jwks_url) {
        (Some(key), _) => Ok(Some(key)),
        (None, None) => Ok(None),
        (None, Some(url)) => match jwks::find(url, context, find).await {
            jwks::Found::Key(key) => Ok(Some(key)),
            jwks::Found::NoSuchKey => Ok(None),
            jwks::Found::Unavailable => Err(ApiError::KeysUnavailable.into()),
        },
    }
}
