//! The settings that say where things are: under which address this Worker is reached, below which path, on which host there are public files
//! and for how long caches keep them, and where errors are explained.

use upload_protocols::address::{self, BasePath};
use web_sys::Url;
use worker::Env;

use crate::setting::{Complaint, missing, number, text};

/// So long caches keep anything: a year (RFC 2616, section 14.21, and what browsers have made of it).
const LONGEST_MAX_AGE_SECONDS: u32 = 31_536_000;

pub(crate) fn public_url(env: &Env) -> Result<Option<String>, Complaint> {
    const NAME: &str = "PUBLIC_URL";
    address::public_url(&text(env, NAME)?).map_err(|complaint| missing(NAME, complaint))
}

/// Where public files are: on a host that has nothing else, so not that of `PUBLIC_URL`, which must be known for that.
pub(crate) fn public_files(env: &Env, public_url: Option<&str>) -> Result<Option<String>, Complaint> {
    const NAME: &str = "PUBLIC_FILES_URL";
    let complaint = |_| missing(NAME, "is not a scheme and a host like https://files.example.com");
    let url = address::public_url(&text(env, NAME)?).map_err(complaint)?;
    let Some(host) = url.as_deref().map(|url| host_name(url).ok_or("")).transpose().map_err(complaint)? else {
        return Ok(None);
    };
    match public_url.and_then(host_name) {
        None => Err(missing(NAME, "is set, and PUBLIC_URL is not")),
        Some(own) if own == host => {
            Err(missing(NAME, "has the host of PUBLIC_URL: files of strangers are handed out on a host of their own"))
        }
        Some(_) => Ok(url),
    }
}

/// The name of the host in an address. One that ends with a dot is the same.
pub(crate) fn host_name(url: &str) -> Option<String> {
    Url::new(url).ok().map(|url| url.hostname().trim_end_matches('.').to_owned())
}

pub(crate) fn public_max_age(env: &Env) -> Result<u32, Complaint> {
    const NAME: &str = "PUBLIC_FILES_MAX_AGE_SECONDS";
    let seconds = number(env, NAME)?;
    if seconds > LONGEST_MAX_AGE_SECONDS {
        return Err(missing(NAME, "is above 31536000, a year, which is for ever to caches"));
    }
    Ok(seconds)
}

pub(crate) fn problems_url(env: &Env) -> Result<Option<String>, Complaint> {
    const NAME: &str = "PROBLEMS_URL";
    address::problems_url(&text(env, NAME)?).map_err(|complaint| missing(NAME, complaint))
}

pub(crate) fn base_path(env: &Env) -> Result<BasePath, Complaint> {
    const NAME: &str = "BASE_PATH";
    BasePath::parse(&text(env, NAME)?).map_err(|complaint| missing(NAME, complaint))
}
