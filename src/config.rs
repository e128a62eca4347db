//! The settings of a deployment: every `[vars]` entry and secret of wrangler.toml, one to one, read into a type that can only
//! be right. A setting that is not there has its default (`defaults`). A secret or a binding that is missing, and what is malformed, is
//! said by name, and nothing is taken until it is right.

use std::{cell::OnceCell, rc::Rc, str::FromStr, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use upload_core::{
    address::{self, BasePath},
    api_error::ApiError,
    cors::{AllowedHeaders, AllowedOrigins, Cors},
    event::RetryPolicy,
    ledger::{IDEMPOTENCY_MS, Quota},
    media_types::MediaTypes,
    plan::Limits,
    session::{LATEST_END_MS, Policy},
    token::{KeySet, Secret},
    units::{ByteCount, MIB},
};
use worker::Env;

use crate::{bindings, defaults};

/// What `ORIGIN` is asked for where `ORIGIN_WEBHOOK_URL` does not say it.
const SERVICE_URL: &str = "https://origin/webhooks/quayside";

/// How many secrets of one kind may be active: the newest, and the one before it.
const MAX_ACTIVE_SECRETS: usize = 2;

/// The settings as they are, right or wrong.
pub(crate) struct Settings {
    /// All of them, or what is wrong with the first that is.
    config: Result<Config, ApiError>,
    /// `CORS_ORIGINS` and `CORS_HEADERS`, apart from the rest, for answers that must have their headers even where the rest is
    /// wrong. A list that cannot be read allows nobody, and nothing beside our own headers.
    pub(crate) cors: Cors,
    /// `BASE_PATH`, apart from the rest for the same reason. One that cannot be read is none.
    pub(crate) base_path: BasePath,
}

impl Settings {
    /// Those of this deployment. They are read once: an isolate serves one version of a Worker, whose settings never change.
    pub(crate) fn of(env: &Env) -> Rc<Self> {
        thread_local! {
            static READ: OnceCell<Rc<Settings>> = const { OnceCell::new() };
        }
        READ.with(|read| Rc::clone(read.get_or_init(|| Rc::new(Self::read(env)))))
    }

    fn read(env: &Env) -> Self {
        let (origins, headers) = (cors_origins(env).unwrap_or_default(), cors_headers(env).unwrap_or_default());
        let base_path = base_path(env).unwrap_or_default();
        Self { config: Config::read(env), cors: Cors { origins, headers }, base_path }
    }

    /// All of them, where they are right.
    pub(crate) fn config(&self) -> Result<&Config, &ApiError> {
        self.config.as_ref()
    }
}

/// The settings.
#[derive(Clone)]
pub(crate) struct Config {
    /// `AUTH`.
    pub(crate) auth: Auth,
    /// `PUBLIC_URL`, without a slash at its end; none where it is empty.
    pub(crate) public_url: Option<String>,
    /// `BASE_PATH`.
    pub(crate) base_path: BasePath,
    /// `MAX_UPLOAD_BYTES` and `MAX_CHUNK_BYTES`.
    pub(crate) limits: Limits,
    /// `QUOTA_OPEN_UPLOADS`, `QUOTA_OPEN_BYTES` and `QUOTA_BYTES_PER_DAY`; zero is no bound.
    pub(crate) quota: Quota,
    /// `STALLED_BODY_SECONDS`.
    pub(crate) stalled_after: Duration,
    /// `UPLOAD_TTL_SECONDS`, `TOMBSTONE_TTL_SECONDS`, `OUTBOX_RESEND_SECONDS`, `REPAIR_TTL_SECONDS`, and whether there is an origin.
    pub(crate) policy: Policy,
    /// `DELETE_COMPLETED`.
    pub(crate) delete_completed: DeleteCompleted,
    /// The binding `ORIGIN`, or `ORIGIN_WEBHOOK_URL`; none where neither is there.
    pub(crate) origin: Option<Origin>,
    /// `WEBHOOK_TIMEOUT_SECONDS`.
    pub(crate) webhook_timeout_ms: u64,
    /// `DELIVERY_FIRST_DELAY_SECONDS` and `DELIVERY_MAX_ATTEMPTS`.
    pub(crate) retry: RetryPolicy,
    /// `DOWNLOAD_URL_TTL_SECONDS`.
    pub(crate) download_url_ttl_seconds: u64,
    /// `ALLOWED_TYPES`; none where it is empty.
    pub(crate) types: Option<MediaTypes>,
    /// The secret `WEBHOOK_SECRET`: one, or the newest and the one before it. Each signs every event.
    pub(crate) webhook_secrets: Vec<Secret>,
    /// The secret `DOWNLOAD_SECRET`: one, or the newest and the one before it. The first signs, and both verify.
    pub(crate) download_secrets: Vec<Secret>,
}

/// Whom events are told.
#[derive(Clone)]
pub(crate) enum Origin {
    /// Whoever answers at this address.
    Url(String),
    /// The binding `ORIGIN`, asked for this address.
    Service(String),
}

impl Origin {
    /// The address that is asked for.
    pub(crate) fn url(&self) -> &str {
        match self {
            Self::Url(url) | Self::Service(url) => url,
        }
    }
}

/// Who may upload.
#[derive(Clone)]
pub(crate) enum Auth {
    /// Anybody on this machine.
    Open,
    /// Whoever has a token.
    Tokens(TokenSettings),
}

/// Who may delete an upload that is complete, where tokens are needed.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum DeleteCompleted {
    /// Whoever has a token in which the application says so.
    Claim,
    /// Any token of its owner that has not expired.
    Owner,
}

/// Which tokens are good.
#[derive(Clone)]
pub(crate) struct TokenSettings {
    /// `TOKEN_AUDIENCE`.
    pub(crate) audience: String,
    /// The secret `TOKEN_SECRETS`, and `TOKEN_PUBLIC_KEYS`.
    pub(crate) keys: KeySet,
    /// `TOKEN_JWKS_URL`; none where it is empty.
    pub(crate) jwks_url: Option<String>,
}

impl Config {
    /// What is wrong with them only where others rely on it: on a deployed Worker.
    pub(crate) fn is_safe(&self) -> Result<(), ApiError> {
        if self.policy.tombstone_ms < IDEMPOTENCY_MS {
            let least = IDEMPOTENCY_MS / 1000;
            let why =
                format!("is below {least}, a day: creations are remembered so long, and must find what they created");
            return Err(missing("TOMBSTONE_TTL_SECONDS", &why));
        }
        Ok(())
    }

    /// Reads the settings; refuses naming the first that is missing or malformed.
    fn read(env: &Env) -> Result<Self, ApiError> {
        bindings::all_bound(env)?;
        cors_origins(env)?;
        cors_headers(env)?;
        let origin = origin(env)?;
        let public_url = public_url(env)?;
        // What is signed and stored never takes its host from a request: whoever sends one chooses that.
        if matches!(origin, Some(Origin::Url(_))) && public_url.is_none() {
            let hint = "is empty, and ORIGIN_WEBHOOK_URL is not: events have links in them. Set it to the scheme and the host under \
                        which this Worker is reached, like https://upload.example.com";
            return Err(missing("PUBLIC_URL", hint));
        }
        let limits = Limits {
            max_upload_bytes: byte_count(env, "MAX_UPLOAD_BYTES")?,
            max_chunk_bytes: byte_count(env, "MAX_CHUNK_BYTES")?,
        };
        if limits.max_chunk_bytes.get() < 5 * MIB {
            return Err(missing("MAX_CHUNK_BYTES", "is below 5 MiB, the smallest part that R2 takes"));
        }
        let config = Self {
            auth: auth(env)?,
            public_url,
            base_path: base_path(env)?,
            limits,
            quota: Quota {
                open_uploads: bound(env, "QUOTA_OPEN_UPLOADS")?,
                open_bytes: bound(env, "QUOTA_OPEN_BYTES")?,
                bytes_per_day: bound(env, "QUOTA_BYTES_PER_DAY")?,
            },
            stalled_after: stalled_after(env)?,
            policy: Policy {
                ttl_ms: upload_ttl(env)?,
                tombstone_ms: milliseconds(env, "TOMBSTONE_TTL_SECONDS")?,
                resend_ms: milliseconds(env, "OUTBOX_RESEND_SECONDS")?,
                tell_origin: origin.is_some(),
                repair_ms: repair_ttl(env)?,
            },
            delete_completed: delete_completed(env)?,
            origin,
            webhook_timeout_ms: milliseconds(env, "WEBHOOK_TIMEOUT_SECONDS")?,
            retry: RetryPolicy {
                first_delay_seconds: number(env, "DELIVERY_FIRST_DELAY_SECONDS")?,
                max_attempts: number(env, "DELIVERY_MAX_ATTEMPTS")?,
            },
            download_url_ttl_seconds: number(env, "DOWNLOAD_URL_TTL_SECONDS")?,
            types: types(env)?,
            webhook_secrets: webhook_secrets(env)?,
            download_secrets: download_secrets(env)?,
        };
        config.times_hold().map(|()| config)
    }

    /// Refuses times with which a promise would not hold. On the machine itself (`AUTH = "open"`) they may be as short as somebody wants
    /// to see them pass.
    fn times_hold(&self) -> Result<(), ApiError> {
        if matches!(self.auth, Auth::Tokens(_)) && self.policy.tombstone_ms < IDEMPOTENCY_MS {
            let complaint = "is below a day (86400), for which an Idempotency-Key is remembered: a creation that is repeated \
                             would upload a file again that is there";
            return Err(missing("TOMBSTONE_TTL_SECONDS", complaint));
        }
        Ok(())
    }
}

fn origin(env: &Env) -> Result<Option<Origin>, ApiError> {
    let url = Some(text(env, "ORIGIN_WEBHOOK_URL")?).filter(|url| !url.is_empty());
    Ok(if bindings::is_bound(env, bindings::ORIGIN) {
        Some(Origin::Service(url.unwrap_or_else(|| SERVICE_URL.to_owned())))
    } else {
        url.map(Origin::Url)
    })
}

fn stalled_after(env: &Env) -> Result<Duration, ApiError> {
    const NAME: &str = "STALLED_BODY_SECONDS";
    match milliseconds(env, NAME)? {
        0 => Err(missing(NAME, "is 0: every body would be refused at once")),
        stalled_after_ms => Ok(Duration::from_millis(stalled_after_ms)),
    }
}

/// What would be promised and could not be kept is refused at each upload.
fn upload_ttl(env: &Env) -> Result<u64, ApiError> {
    const NAME: &str = "UPLOAD_TTL_SECONDS";
    let ttl_ms = milliseconds(env, NAME)?;
    if ttl_ms > LATEST_END_MS {
        let longest = LATEST_END_MS / 1000;
        let why = format!("is above {longest} (6.5 days): R2 drops unfinished uploads 7 days after they were created");
        return Err(missing(NAME, &why));
    }
    Ok(ttl_ms)
}

/// Zero switches it off. What is kept ends with the upload's longest life at the latest.
fn repair_ttl(env: &Env) -> Result<u64, ApiError> {
    const NAME: &str = "REPAIR_TTL_SECONDS";
    let ttl_ms = milliseconds(env, NAME)?;
    if ttl_ms > LATEST_END_MS {
        let longest = LATEST_END_MS / 1000;
        return Err(missing(NAME, &format!("is above {longest} (6.5 days), the longest life of an unfinished upload")));
    }
    Ok(ttl_ms)
}

fn delete_completed(env: &Env) -> Result<DeleteCompleted, ApiError> {
    match text(env, "DELETE_COMPLETED")?.as_str() {
        "claim" => Ok(DeleteCompleted::Claim),
        "owner" => Ok(DeleteCompleted::Owner),
        _ => Err(missing("DELETE_COMPLETED", "is neither \"claim\" nor \"owner\"")),
    }
}

fn cors_origins(env: &Env) -> Result<AllowedOrigins, ApiError> {
    const NAME: &str = "CORS_ORIGINS";
    AllowedOrigins::parse(&text(env, NAME)?).map_err(|complaint| missing(NAME, complaint))
}

fn cors_headers(env: &Env) -> Result<AllowedHeaders, ApiError> {
    const NAME: &str = "CORS_HEADERS";
    AllowedHeaders::parse(&text(env, NAME)?).map_err(|complaint| missing(NAME, complaint))
}

fn public_url(env: &Env) -> Result<Option<String>, ApiError> {
    const NAME: &str = "PUBLIC_URL";
    address::public_url(&text(env, NAME)?).map_err(|complaint| missing(NAME, complaint))
}

fn base_path(env: &Env) -> Result<BasePath, ApiError> {
    const NAME: &str = "BASE_PATH";
    BasePath::parse(&text(env, NAME)?).map_err(|complaint| missing(NAME, complaint))
}

fn auth(env: &Env) -> Result<Auth, ApiError> {
    match text(env, "AUTH")?.as_str() {
        "open" => Ok(Auth::Open),
        "token" => token_settings(env).map(Auth::Tokens),
        _ => Err(missing("AUTH", "is neither \"token\" nor \"open\"")),
    }
}

fn token_settings(env: &Env) -> Result<TokenSettings, ApiError> {
    let audience = text(env, "TOKEN_AUDIENCE")?;
    if audience.is_empty() {
        return Err(missing("TOKEN_AUDIENCE", "is empty"));
    }
    let secrets = env.secret("TOKEN_SECRETS").map(|secrets| secrets.to_string()).unwrap_or_default();
    let secrets = KeySet::of_secrets(&secrets).map_err(|complaint| missing("TOKEN_SECRETS", complaint))?;
    let public = Some(text(env, "TOKEN_PUBLIC_KEYS")?).filter(|json| !json.is_empty());
    let public = public.map(|json| KeySet::of_jwks(&json)).transpose();
    let public = public.map_err(|complaint| missing("TOKEN_PUBLIC_KEYS", complaint))?.unwrap_or_default();
    let jwks_url = Some(text(env, "TOKEN_JWKS_URL")?).filter(|url| !url.is_empty());
    // Whoever can change the answer on its way can mint tokens.
    if jwks_url.as_ref().is_some_and(|url| !url.starts_with("https://") && !url.starts_with("http://127.0.0.1:")) {
        return Err(missing("TOKEN_JWKS_URL", "does not begin with https://"));
    }
    let keys = secrets.and(public);
    if keys.is_empty() && jwks_url.is_none() {
        let hint = "is not set, and neither is TOKEN_PUBLIC_KEYS or TOKEN_JWKS_URL: nobody could upload. Run `wrangler secret \
                    put TOKEN_SECRETS` and give it `<kid>:<at least 32 random characters>`; locally, `cargo xtask setup` \
                    writes .dev.vars";
        return Err(missing("TOKEN_SECRETS", hint));
    }
    Ok(TokenSettings { audience, keys, jwks_url })
}

fn types(env: &Env) -> Result<Option<MediaTypes>, ApiError> {
    const NAME: &str = "ALLOWED_TYPES";
    let list = text(env, NAME)?;
    if list.is_empty() {
        return Ok(None);
    }
    MediaTypes::parse(list.split(',')).map(Some).map_err(|complaint| missing(NAME, complaint))
}

/// A setting that is missing, or is not what it must be.
pub(crate) fn missing(name: &str, complaint: &str) -> ApiError {
    ApiError::NotConfigured { detail: format!("{name} {complaint}.") }
}

/// A setting as text.
pub(crate) fn text(env: &Env, name: &str) -> Result<String, ApiError> {
    let value = env.var(name).ok().map(|value| value.to_string()).or_else(|| defaults::of(name).map(str::to_owned));
    let value = value.ok_or_else(|| missing(name, "is missing from [vars] in wrangler.toml"))?;
    Ok(value.trim().to_owned())
}

/// A setting that is a whole number.
pub(crate) fn number<T: FromStr>(env: &Env, name: &str) -> Result<T, ApiError> {
    text(env, name)?.parse().map_err(|_| missing(name, "is not a whole number that fits"))
}

fn byte_count(env: &Env, name: &str) -> Result<ByteCount, ApiError> {
    ByteCount::new(number(env, name)?).ok_or_else(|| missing(name, "is above 2^53 - 1"))
}

fn milliseconds(env: &Env, name: &str) -> Result<u64, ApiError> {
    number::<u32>(env, name).map(|seconds| u64::from(seconds) * 1000)
}

fn bound(env: &Env, name: &str) -> Result<Option<u64>, ApiError> {
    number(env, name).map(|bound: u64| (bound > 0).then_some(bound))
}

fn secret(env: &Env, name: &str) -> Result<String, ApiError> {
    let hint = format!("is not set. Run `wrangler secret put {name}`; locally, `cargo xtask setup` writes .dev.vars");
    env.secret(name).map(|secret| secret.to_string()).map_err(|_| missing(name, &hint))
}

/// A secret that may be two, with a space or a comma between them while one takes the other's place.
fn active_secrets(env: &Env, name: &str) -> Result<Vec<String>, ApiError> {
    let text = secret(env, name)?;
    let secrets: Vec<_> = text.split([',', ' ', '\n']).filter(|one| !one.is_empty()).map(str::to_owned).collect();
    match secrets.len() {
        0 => Err(missing(name, "is empty")),
        count if count > MAX_ACTIVE_SECRETS => Err(missing(name, "has more than two secrets")),
        _ => Ok(secrets),
    }
}

/// Standard Webhooks, "Secrets": `whsec_` and 24 to 64 bytes in base64.
fn webhook_secrets(env: &Env) -> Result<Vec<Secret>, ApiError> {
    const NAME: &str = "WEBHOOK_SECRET";
    let key = |text: &String| STANDARD.decode(text.strip_prefix("whsec_")?).ok().and_then(Secret::of_webhooks);
    let secrets = active_secrets(env, NAME)?.iter().map(key).collect::<Option<_>>();
    secrets.ok_or_else(|| missing(NAME, "is not `whsec_` and 24 to 64 bytes in base64"))
}

fn download_secrets(env: &Env) -> Result<Vec<Secret>, ApiError> {
    const NAME: &str = "DOWNLOAD_SECRET";
    let secrets = active_secrets(env, NAME)?.into_iter().map(Secret::new).collect::<Option<_>>();
    secrets.ok_or_else(|| missing(NAME, "is shorter than 32 characters"))
}
