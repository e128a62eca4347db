//! Whose request it is, and what it may.
//!
//! A request says who it comes from by a token ([`presented`] says where it may be). There is the application's token or that of its
//! identity provider, a JWT, and the token of one upload, which the answer to its creation brings. Neither is ever in a URL. And there are
//! links, which are URLs and say the same of one file ([`link`]). Whether an
//! upload is the caller's to ask about, the upload's object decides.
//!
//! * [`jwks`]: public keys that are fetched. [`web_crypto`]: the platform's check of a signature. [`rate_limit`]: how many uploads may be
//!   created in a minute.

pub(crate) mod rate_limit;
pub(crate) mod web_crypto;

pub(crate) mod jwks;
mod link;
mod presented;

use std::{cell::Cell, net::IpAddr};

use durable_objects::platform::error::{Error, Result};
use durable_objects::platform::telemetry::log_line::LogLine;
pub(crate) use upload_access::signed_url;
use upload_access::token::{Claims, Issuer, Issuers, Key, KeySet, TokenFault, Unverified, UploadPolicy, upload_token};
use upload_protocols::Head;
use upload_session::session::DeleteRight;
use upload_types::{
    api_error::ApiError,
    caller::{Caller, TokenHash},
    ledger::Idempotency,
    operation::Operation,
    units::UnixMs,
    upload::Purpose,
    upload_link::{LinkFacts, LinkUse},
};
use web_sys::Url;
use worker::Context;

use crate::{
    config::{Auth, Config, DeleteCompleted},
    log::{self, now_ms},
};

/// The owner of every upload where anybody may upload.
const ANYBODY: &str = "anonymous";

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
    /// Whether the caller has a link, and no token.
    is_by_link: bool,
    /// Who runs the service and asks: the `sub` of the token.
    admin: Option<String>,
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
    /// The link that they came by, which takes one file.
    pub(crate) link: Option<ByLink>,
}

/// A link that somebody came by.
#[derive(Clone)]
pub(crate) struct ByLink {
    /// How it counts.
    pub(crate) usage: LinkUse,
    /// What the origin is told of it.
    pub(crate) facts: LinkFacts,
}

impl Principal {
    /// What the ledger knows a creation by: whoever came by a link has names of their own, which are no other link's and not the owner's;
    /// and what is held, everybody's, or in a bucket of its own, by word of the token is nothing that another token goes on with. No header has these signs.
    pub(crate) fn named(&self, given: &Idempotency) -> Idempotency {
        let mut name = given.clone();
        if let Some(link) = &self.link {
            name.key = format!("{}@{}", given.key, link.usage.id);
        }
        if self.permit.hold {
            name.key.push('‡');
        }
        if self.permit.public == Some(true) {
            name.key.push('§');
        }
        if let Some(bucket) = &self.permit.bucket {
            name.key.push('¶');
            name.key.push_str(bucket.as_str());
        }
        name
    }
}

impl Access {
    /// Of a signed URL, or of nobody: whatever is asked under it has been allowed before, or needs no leave.
    fn system() -> Self {
        Self {
            caller: Caller::System,
            creator: None,
            composer: None,
            delete_right: DeleteRight::Unfinished,
            is_by_link: false,
            admin: None,
        }
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

    /// Who may list the uploads that are theirs, and make links in their name. Whoever has a link is refused that before ([`link`]).
    pub(crate) fn lister(&self) -> Result<&Principal, ApiError> {
        self.creator.as_ref().ok_or_else(|| match (&self.caller, self.is_by_link) {
            (Caller::Creator(_), true) => ApiError::LinkExpired,
            (Caller::Creator(_), false) => ApiError::TokenExpired,
            _ => ApiError::NotPermitted { detail: "The token is for one upload, and for nothing else.".to_owned() },
        })
    }

    /// Who runs the service. The one place where that is asked: nothing below `/admin/` is carried out without.
    pub(crate) fn admin(&self) -> Result<&str, ApiError> {
        self.admin.as_deref().ok_or_else(|| {
            if let Caller::Creator(_) = self.caller {
                return ApiError::TokenExpired;
            }
            let detail = "This is for whoever runs the service: it takes a token with `scope: admin`.".to_owned();
            ApiError::NotPermitted { detail }
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
            (Caller::Creator(_), ApiError::UploadNotFound) if !self.is_by_link => ApiError::TokenExpired,
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
    // What may be uploaded is no secret, what is public is everybody's, and a signed URL says itself what it is for: it is looked at before
    // anything else.
    if matches!(operation, Operation::Discover | Operation::Download(_) | Operation::PublicFile(_)) {
        return Ok(Access::system());
    }
    if let Some(link) = link::presented(head) {
        if let Auth::Open = config.auth {
            // Also with a link.
            anybody(host)?;
        }
        return Ok(link::identify(link, operation, config, UnixMs(now_ms()))?);
    }
    match &config.auth {
        Auth::Open => Ok(anybody(host)?),
        Auth::Tokens(settings) => match presented::token(head, settings, config.public_url.as_deref(), host)? {
            None => Err(ApiError::Unauthorized.into()),
            Some(token) if upload_token::is_one(token) => Ok(holder(token, operation, config)?),
            Some(token) => by_token(token, operation, &settings.issuers, config.delete_completed, context).await,
        },
    }
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
    let creator = Principal { owner: owner.clone(), permit: UploadPolicy::default(), token: None, link: None };
    let delete_right = DeleteRight::Completed;
    Ok(Access {
        caller: Caller::Owner(owner),
        creator: Some(creator),
        composer: None,
        delete_right,
        is_by_link: false,
        admin: None,
    })
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
        Ok(Access { caller, creator: None, composer: None, delete_right, is_by_link: false, admin: None })
    } else {
        // Also said of an upload's token that was altered: it cannot be told from another's.
        Err(ApiError::UploadNotFound)
    }
}

async fn by_token(
    text: &str,
    operation: &Operation,
    issuers: &Issuers,
    delete_completed: DeleteCompleted,
    context: &Context,
) -> Result<Access> {
    let believed = believed(text, issuers, context).await?;
    let hash = TokenHash::of(text);
    let creator = |owner, permit| Some(Principal { owner, permit, token: Some(hash), link: None });
    match believed {
        Believed::Good(Claims { owner, is_admin: true, .. }) => match operation {
            Operation::Admin(_) => Ok(Access { admin: Some(owner), ..Access::system() }),
            // Whoever runs the service has no uploads: else one token would be both, and used for the wrong thing by mistake.
            _ => Err(ApiError::AdminToken.into()),
        },
        Believed::Good(Claims { owner, permit, upload: Some(upload), .. }) => {
            let delete_right = delete_right(permit.delete);
            let caller = Caller::Holder { upload, owner: Some(owner) };
            Ok(Access { caller, creator: None, composer: None, delete_right, is_by_link: false, admin: None })
        }
        Believed::Good(Claims { owner, permit, upload: None, .. }) => {
            let delete_right = delete_right(permit.delete || delete_completed == DeleteCompleted::Owner);
            let caller = Caller::Owner(owner.clone());
            let creator = creator(owner, permit);
            Ok(Access { caller, creator, composer: None, delete_right, is_by_link: false, admin: None })
        }
        Believed::Expired(claims) => {
            let Claims { owner, permit, upload, is_admin } = claims;
            let composer = creator(owner, permit).filter(|_| upload.is_none() && !is_admin);
            // That its application once allowed more is over, too.
            let delete_right = DeleteRight::Unfinished;
            Ok(Access {
                caller: Caller::Creator(hash),
                creator: None,
                composer,
                delete_right,
                is_by_link: false,
                admin: None,
            })
        }
    }
}

/// A genuine token of an issuer of ours.
enum Believed {
    /// What it says.
    Good(Claims),
    /// What it said while it was good.
    Expired(Claims),
}

/// What the token says, once it is believed. Any fault but its age is refused here, in the words of its issuer.
async fn believed(text: &str, issuers: &Issuers, context: &Context) -> Result<Believed> {
    let parsed = Unverified::parse(text).and_then(|token| issuers.of(&token).map(|issuer| (token, issuer)));
    let (token, issuer) = parsed.map_err(|fault| invalid(fault.to_string()))?;
    let genuine = match key_of(&token, issuer, context).await? {
        Key::Secret(secret) => token.signed_with(&secret),
        Key::Public(key) => {
            let is_right = web_crypto::verify(&key, &token.signature, token.signed.as_bytes()).await?;
            token.verified_by_platform(is_right)
        }
    };
    match genuine.and_then(|genuine| genuine.claims(issuer, UnixMs(now_ms()))) {
        Ok(claims) => Ok(Believed::Good(claims)),
        Err(TokenFault::Expired(claims)) => Ok(Believed::Expired(*claims)),
        Err(fault) => Err(invalid(issuer.told(&fault))),
    }
}

fn invalid(detail: String) -> Error {
    ApiError::InvalidToken { detail }.into()
}

fn delete_right(completed_too: bool) -> DeleteRight {
    if completed_too { DeleteRight::Completed } else { DeleteRight::Unfinished }
}

/// The key that this token names. Refused, where it has none, and where it may be among those that could not be fetched.
async fn key_of(token: &Unverified<'_>, issuer: &Issuer, context: &Context) -> Result<Key> {
    let find = |keys: &KeySet| keys.find(token).cloned();
    let found = match (find(&issuer.keys), &issuer.jwks_url) {
        (Err(TokenFault::UnknownKey), Some(url)) => match jwks::find(url, context, find).await {
            jwks::Found::Key(key) => Ok(key),
            jwks::Found::Fault(fault) => Err(fault),
            jwks::Found::Unavailable => return Err(ApiError::KeysUnavailable.into()),
        },
        (found, _) => found,
    };
    found.map_err(|fault| invalid(issuer.told(&fault)))
}
