//! The settings, all from the environment, all read once. A setting that makes no sense ends the start with a sentence
//! that names it; the secret itself is never repeated.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, bail};
use axum::http::HeaderValue;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use standardwebhooks::Webhook;

/// Standard Webhooks asks for 24 to 64 random bytes.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// Everything that can be set.
pub(crate) struct Config {
    /// `ORIGIN_LISTEN`: address and port to listen on; port 0 takes a free one. Default 127.0.0.1:8788.
    pub(crate) listen: SocketAddr,
    /// `ORIGIN_DATA_DIR`: where files and records are kept, made absolute. Default `.state/origin`.
    pub(crate) data_dir: PathBuf,
    /// `WEBHOOK_SECRET`: what the Worker signs with, `whsec_` and base64. Required. While it is replaced there may be two, with
    /// a space between them: either is believed.
    pub(crate) verifiers: Vec<Webhook>,
    /// `ORIGIN_DISPOSITION`: what the Worker shall do with its copy once we have ours. Default keep.
    pub(crate) disposition: Disposition,
    /// `ORIGIN_WAIT_SECONDS`: how long a delivery waits for its download before it is sent away to come again. Below
    /// the Worker's `WEBHOOK_TIMEOUT_SECONDS`. Default 25.
    pub(crate) wait: Duration,
    /// `ORIGIN_SHOW_TO`: which web page may read the records, as a browser says it: scheme, host and port. Default none.
    pub(crate) show_to: Option<HeaderValue>,
}

/// What the answer to a delivery says about the staged object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Disposition {
    /// Quayside keeps the object until its own rules remove it.
    Keep,
    /// Quayside may delete the object: we have it.
    Delete,
}

impl FromStr for Disposition {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        match text {
            "keep" => Ok(Self::Keep),
            "delete" => Ok(Self::Delete),
            other => bail!("`{other}` is neither `keep` nor `delete`"),
        }
    }
}

impl Config {
    /// Reads the process's environment.
    pub(crate) fn from_env() -> anyhow::Result<Self> {
        Self::read(|name| std::env::var(name).ok())
    }

    /// An empty setting counts as a missing one.
    fn read(setting: impl Fn(&str) -> Option<String>) -> anyhow::Result<Self> {
        let setting = |name: &str| setting(name).filter(|value| !value.is_empty());
        let or = |name: &str, default: &str| setting(name).unwrap_or_else(|| default.to_owned());
        let data_dir = PathBuf::from(or("ORIGIN_DATA_DIR", ".state/origin"));
        Ok(Self {
            listen: or("ORIGIN_LISTEN", "127.0.0.1:8788").parse().context("ORIGIN_LISTEN is not `address:port`")?,
            data_dir: std::path::absolute(data_dir).context("ORIGIN_DATA_DIR")?,
            verifiers: verifiers(setting("WEBHOOK_SECRET").as_deref())?,
            disposition: or("ORIGIN_DISPOSITION", "keep").parse().context("ORIGIN_DISPOSITION")?,
            wait: Duration::from_secs(
                or("ORIGIN_WAIT_SECONDS", "25").parse().context("ORIGIN_WAIT_SECONDS is not a whole number")?,
            ),
            show_to: setting("ORIGIN_SHOW_TO")
                .map(|page| HeaderValue::from_str(&page).context("ORIGIN_SHOW_TO is no web origin"))
                .transpose()?,
        })
    }
}

const FORM: &str = "it must be the secret that the Worker signs with: `whsec_` and 24 to 64 bytes in base64";

fn verifiers(secrets: Option<&str>) -> anyhow::Result<Vec<Webhook>> {
    let secrets = secrets.with_context(|| format!("WEBHOOK_SECRET is not set; {FORM}"))?;
    secrets.split([' ', ',']).filter(|secret| !secret.is_empty()).map(verifier).collect()
}

fn verifier(secret: &str) -> anyhow::Result<Webhook> {
    let encoded = secret.strip_prefix("whsec_").with_context(|| format!("WEBHOOK_SECRET lacks its prefix; {FORM}"))?;
    // The decoder's own error would quote a character of the secret.
    let Ok(key) = STANDARD.decode(encoded) else { bail!("WEBHOOK_SECRET is not base64; {FORM}") };
    if !SECRET_BYTES.contains(&key.len()) {
        bail!("WEBHOOK_SECRET has {} bytes; {FORM}", key.len());
    }
    Ok(Webhook::from_bytes(key)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

    fn read(settings: &[(&str, &str)]) -> anyhow::Result<Config> {
        Config::read(|name| settings.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn defaults() {
        let config = read(&[("WEBHOOK_SECRET", SECRET), ("ORIGIN_LISTEN", "")]).unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:8788");
        assert!(config.data_dir.is_absolute() && config.data_dir.ends_with(".state/origin"));
        assert_eq!((config.disposition, config.wait.as_secs()), (Disposition::Keep, 25));
    }

    #[test]
    fn two_secrets_are_two_verifiers() {
        let both = format!("{SECRET} whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        assert_eq!(read(&[("WEBHOOK_SECRET", &both)]).unwrap().verifiers.len(), 2);
        assert!(read(&[("WEBHOOK_SECRET", &format!("{SECRET} nonsense"))]).is_err());
    }

    #[test]
    fn a_refusal_names_the_setting_and_keeps_the_secret() {
        let cases: [(&[(&str, &str)], &str); 8] = [
            (&[], "WEBHOOK_SECRET is not set"),
            (&[("WEBHOOK_SECRET", "")], "WEBHOOK_SECRET is not set"),
            (&[("WEBHOOK_SECRET", "C2FVsBQIhrscChlQIMV+b5sSYspob7oD")], "WEBHOOK_SECRET lacks its prefix"),
            (&[("WEBHOOK_SECRET", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7o")], "WEBHOOK_SECRET is not base64"),
            (&[("WEBHOOK_SECRET", "whsec_C2FVsBQI")], "WEBHOOK_SECRET has 6 bytes"),
            (&[("WEBHOOK_SECRET", SECRET), ("ORIGIN_LISTEN", "8788")], "ORIGIN_LISTEN"),
            (&[("WEBHOOK_SECRET", SECRET), ("ORIGIN_DISPOSITION", "burn")], "ORIGIN_DISPOSITION"),
            (&[("WEBHOOK_SECRET", SECRET), ("ORIGIN_WAIT_SECONDS", "-1")], "ORIGIN_WAIT_SECONDS"),
        ];
        for (settings, expected) in cases {
            let Err(error) = read(settings) else { panic!("{settings:?} was accepted") };
            let message = format!("{error:#}");
            assert!(message.contains(expected), "{settings:?}: {message}");
            assert!(!message.contains("C2FV"), "{settings:?} leaks the secret: {message}");
        }
    }
}
