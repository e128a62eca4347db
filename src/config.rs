//! The settings of a deployment: every `[vars]` entry and secret of wrangler.toml, one to one, read into a type that can only
//! be right. What is missing or malformed is said by name, and nothing is taken until it is there.

use std::{str::FromStr, time::Duration};

use upload_core::{
    event::RetryPolicy,
    ledger::Quota,
    plan::Limits,
    refusal::Refusal,
    session::Policy,
    units::{ByteCount, MIB},
};
use worker::Env;

/// The shortest secret that signs download URLs.
const MIN_DOWNLOAD_SECRET_CHARACTERS: usize = 32;

/// The settings.
#[derive(Clone)]
pub(crate) struct Config {
    /// `AUTH`.
    pub(crate) auth: Auth,
    /// `PUBLIC_URL`, without a slash at its end; none where it is empty.
    pub(crate) public_url: Option<String>,
    /// `MAX_UPLOAD_BYTES` and `MAX_CHUNK_BYTES`.
    pub(crate) limits: Limits,
    /// `QUOTA_OPEN_UPLOADS`, `QUOTA_OPEN_BYTES` and `QUOTA_BYTES_PER_DAY`; zero is no bound.
    pub(crate) quota: Quota,
    /// `STALLED_BODY_SECONDS`.
    pub(crate) stalled_after: Duration,
    /// `UPLOAD_TTL_SECONDS`.
    pub(crate) upload_ttl_ms: u64,
    /// `TOMBSTONE_TTL_SECONDS`, `OUTBOX_RESEND_SECONDS`, and whether there is an origin.
    pub(crate) policy: Policy,
    /// `ORIGIN_WEBHOOK_URL`; none where it is empty.
    pub(crate) webhook_url: Option<String>,
    /// `WEBHOOK_TIMEOUT_SECONDS`.
    pub(crate) webhook_timeout_ms: u64,
    /// `DELIVERY_FIRST_DELAY_SECONDS` and `DELIVERY_MAX_ATTEMPTS`.
    pub(crate) retry: RetryPolicy,
    /// `DOWNLOAD_URL_TTL_SECONDS`.
    pub(crate) download_url_ttl_seconds: u64,
    /// The secret `WEBHOOK_SECRET`.
    pub(crate) webhook_secret: String,
    /// The secret `DOWNLOAD_SECRET`.
    pub(crate) download_secret: String,
}

/// Who may upload.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Auth {
    /// Anybody.
    Open,
    /// Nobody: no other way has been set up.
    Closed,
}

impl Config {
    /// Reads the settings; refuses naming the first that is missing or malformed.
    pub(crate) fn read(env: &Env) -> Result<Self, Refusal> {
        let webhook_url = Some(text(env, "ORIGIN_WEBHOOK_URL")?).filter(|url| !url.is_empty());
        let limits = Limits {
            max_upload_bytes: byte_count(env, "MAX_UPLOAD_BYTES")?,
            max_chunk_bytes: byte_count(env, "MAX_CHUNK_BYTES")?,
        };
        if limits.max_chunk_bytes.get() < 5 * MIB {
            return Err(missing("MAX_CHUNK_BYTES", "is below 5 MiB, the smallest part that R2 takes"));
        }
        Ok(Self {
            auth: if text(env, "AUTH")? == "open" { Auth::Open } else { Auth::Closed },
            public_url: Some(text(env, "PUBLIC_URL")?.trim_end_matches('/').to_owned()).filter(|url| !url.is_empty()),
            limits,
            quota: Quota {
                open_uploads: bound(env, "QUOTA_OPEN_UPLOADS")?,
                open_bytes: bound(env, "QUOTA_OPEN_BYTES")?,
                bytes_per_day: bound(env, "QUOTA_BYTES_PER_DAY")?,
            },
            stalled_after: Duration::from_millis(milliseconds(env, "STALLED_BODY_SECONDS")?),
            upload_ttl_ms: milliseconds(env, "UPLOAD_TTL_SECONDS")?,
            policy: Policy {
                tombstone_ms: milliseconds(env, "TOMBSTONE_TTL_SECONDS")?,
                resend_ms: milliseconds(env, "OUTBOX_RESEND_SECONDS")?,
                tell_origin: webhook_url.is_some(),
            },
            webhook_url,
            webhook_timeout_ms: milliseconds(env, "WEBHOOK_TIMEOUT_SECONDS")?,
            retry: RetryPolicy {
                first_delay_seconds: number(env, "DELIVERY_FIRST_DELAY_SECONDS")?,
                max_attempts: number(env, "DELIVERY_MAX_ATTEMPTS")?,
            },
            download_url_ttl_seconds: number(env, "DOWNLOAD_URL_TTL_SECONDS")?,
            webhook_secret: webhook_secret(env)?,
            download_secret: download_secret(env)?,
        })
    }
}

/// `CORS_ORIGINS`, apart from the rest, for answers that must have their headers even where the rest of the settings is wrong.
pub(crate) fn cors_origins(env: &Env) -> Vec<String> {
    text(env, "CORS_ORIGINS")
        .map(|origins| origins.split(',').map(|origin| origin.trim().to_owned()).collect())
        .unwrap_or_default()
}

/// A setting is missing or malformed.
pub(crate) fn missing(name: &str, complaint: &str) -> Refusal {
    Refusal::NotConfigured { detail: format!("{name} {complaint}.") }
}

/// A setting as text.
pub(crate) fn text(env: &Env, name: &str) -> Result<String, Refusal> {
    let value = env.var(name).map_err(|_| missing(name, "is missing from [vars] in wrangler.toml"))?;
    Ok(value.to_string().trim().to_owned())
}

/// A setting that is a whole number.
pub(crate) fn number<T: FromStr>(env: &Env, name: &str) -> Result<T, Refusal> {
    text(env, name)?.parse().map_err(|_| missing(name, "is not a whole number that fits"))
}

fn byte_count(env: &Env, name: &str) -> Result<ByteCount, Refusal> {
    ByteCount::new(number(env, name)?).ok_or_else(|| missing(name, "is above 2^53 - 1"))
}

fn milliseconds(env: &Env, name: &str) -> Result<u64, Refusal> {
    number::<u32>(env, name).map(|seconds| u64::from(seconds) * 1000)
}

fn bound(env: &Env, name: &str) -> Result<Option<u64>, Refusal> {
    number(env, name).map(|bound: u64| (bound > 0).then_some(bound))
}

fn secret(env: &Env, name: &str) -> Result<String, Refusal> {
    let hint = format!("is not set. Run `wrangler secret put {name}`; locally, `cargo xtask setup` writes .dev.vars");
    env.secret(name).map(|secret| secret.to_string()).map_err(|_| missing(name, &hint))
}

fn webhook_secret(env: &Env) -> Result<String, Refusal> {
    let secret = secret(env, "WEBHOOK_SECRET")?;
    match standardwebhooks::Webhook::new(&secret) {
        Ok(_) if secret.starts_with("whsec_") => Ok(secret),
        _ => Err(missing("WEBHOOK_SECRET", "is not `whsec_` and base64")),
    }
}

fn download_secret(env: &Env) -> Result<String, Refusal> {
    let secret = secret(env, "DOWNLOAD_SECRET")?;
    if secret.chars().count() < MIN_DOWNLOAD_SECRET_CHARACTERS {
        return Err(missing("DOWNLOAD_SECRET", "is shorter than 32 characters"));
    }
    Ok(secret)
}
