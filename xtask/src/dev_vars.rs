//! `.dev.vars`: the secrets of local development, in dotenv format, read by wrangler and by the origin.
//!
//! Written once, with fresh random values, readable by its owner only; never overwritten.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

use anyhow::{Context, Result, anyhow};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use crate::project::Project;
use crate::say::Step;

const FILE: &str = ".dev.vars";
const SECRET_BYTES: usize = 32;

/// Writes the file when it is missing.
pub(crate) fn ensure_written(project: &Project) -> Result<bool> {
    let path = project.path(FILE);
    if path.exists() {
        return Ok(false);
    }
    let step = Step::begin("writing .dev.vars with fresh secrets");
    let text = compose(&random_bytes()?, &random_bytes()?);
    // Renamed when whole, so that nobody ever reads half a secret.
    let partial = project.path(".dev.vars.partial");
    let context = || format!("writing {}", path.display());
    let _ = std::fs::remove_file(&partial);
    let mut file =
        std::fs::File::options().write(true).create_new(true).mode(0o600).open(&partial).with_context(context)?;
    file.write_all(text.as_bytes()).with_context(context)?;
    std::fs::rename(&partial, &path).with_context(context)?;
    step.done("");
    Ok(true)
}

/// The value of one name in the file.
pub(crate) fn read(project: &Project, name: &str) -> Result<String> {
    let path = project.path(FILE);
    let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    value_of(&text, name).with_context(|| {
        format!("{} has no {name}; remove the file, and `cargo xtask setup` writes a new one", path.display())
    })
}

fn random_bytes() -> Result<[u8; SECRET_BYTES]> {
    let mut bytes = [0; SECRET_BYTES];
    getrandom::fill(&mut bytes).map_err(|error| anyhow!("no random bytes: {error}"))?;
    Ok(bytes)
}

fn compose(webhook_secret: &[u8], download_secret: &[u8]) -> String {
    format!(
        "# Secrets for local development, made by `cargo xtask setup`. In production: `wrangler secret put NAME`.\n\
         WEBHOOK_SECRET=\"whsec_{}\"\n\
         DOWNLOAD_SECRET=\"{}\"\n",
        STANDARD.encode(webhook_secret),
        URL_SAFE_NO_PAD.encode(download_secret)
    )
}

/// The last assignment wins, as in dotenv. Quotes around a value are not part of it.
fn value_of(text: &str, name: &str) -> Option<String> {
    text.lines().rev().find_map(|line| {
        let line = line.trim();
        let assignment = line.strip_prefix("export ").unwrap_or(line);
        let value = assignment.strip_prefix(name)?.trim_start().strip_prefix('=')?.trim();
        let unquoted = ['"', '\''].iter().find_map(|&quote| value.strip_prefix(quote)?.strip_suffix(quote));
        Some(unquoted.unwrap_or(value).to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_composed_can_be_read() {
        let text = compose(&[0xfb; SECRET_BYTES], &[0xff; SECRET_BYTES]);
        let webhook = value_of(&text, "WEBHOOK_SECRET").unwrap();
        let encoded = webhook.strip_prefix("whsec_").unwrap();
        assert_eq!(STANDARD.decode(encoded).unwrap(), [0xfb; SECRET_BYTES]);
        assert!(value_of(&text, "DOWNLOAD_SECRET").unwrap().len() >= 32);
    }

    #[test]
    fn secrets_are_fresh() {
        assert_ne!(random_bytes().unwrap(), random_bytes().unwrap());
    }

    #[test]
    fn dotenv_lines_are_understood() {
        let text = "# A=no\nA=plain=value\n B = 'single' \nexport C=\"double\"\nAB=other\nA=last\n";
        for (name, expected) in [("A", Some("last")), ("B", Some("single")), ("C", Some("double")), ("D", None)] {
            assert_eq!(value_of(text, name).as_deref(), expected, "{name}");
        }
    }
}
