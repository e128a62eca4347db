//! `.dev.vars`: the secrets of local development, in dotenv format, read by wrangler and by the origin.
//!
//! Written with fresh random values, readable by its owner only. What is in it is never overwritten; what is missing, because
//! it is older than a setting, is added.

use std::fmt::Write as _;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

use anyhow::{Context, Result, anyhow};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use crate::output::Step;
use crate::project::Project;

const FILE: &str = ".dev.vars";
const SECRET_BYTES: usize = 32;
/// What the key of local tokens is called.
const DEV_KID: &str = "dev";

/// Adds what is missing, and touches nothing that is there.
pub(crate) fn ensure_written(project: &Project) -> Result<bool> {
    let path = project.path(FILE);
    let context = || format!("writing {}", path.display());
    let old = match std::fs::read_to_string(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        read => read.with_context(|| format!("reading {}", path.display()))?,
    };
    let text = completed(&old, random_bytes)?;
    if text == old {
        return Ok(false);
    }
    let step = Step::begin("writing .dev.vars with fresh secrets");
    // Renamed when whole, so that nobody ever reads half a secret.
    let partial = project.path(".dev.vars.partial");
    let _ = std::fs::remove_file(&partial);
    let mut file =
        std::fs::File::options().write(true).create_new(true).mode(0o600).open(&partial).with_context(context)?;
    file.write_all(text.as_bytes()).with_context(context)?;
    std::fs::rename(&partial, &path).with_context(context)?;
    step.end(true);
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

/// The text, with a line for each name that it has none for.
fn completed(old: &str, random: impl Fn() -> Result<[u8; SECRET_BYTES]>) -> Result<String> {
    let mut text = old.to_owned();
    if text.is_empty() {
        text.push_str("# Local development, made by `cargo xtask setup`. In production: `wrangler secret put NAME`.\n");
    } else if !text.ends_with('\n') {
        text.push('\n');
    }
    let plain = || random().map(|bytes| URL_SAFE_NO_PAD.encode(bytes));
    let lines: [(&str, String); 5] = [
        ("WEBHOOK_SECRET", format!("whsec_{}", STANDARD.encode(random()?))),
        ("DOWNLOAD_SECRET", plain()?),
        ("TOKEN_SECRETS", format!("{DEV_KID}:{}", plain()?)),
        // Nobody but this machine reaches what `wrangler dev` serves, and this file is never deployed.
        ("AUTH", "open".to_owned()),
        ("CORS_ORIGINS", "*".to_owned()),
    ];
    for (name, value) in lines {
        if value_of(old, name).is_none() {
            writeln!(text, "{name}=\"{value}\"")?;
        }
    }
    Ok(text)
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
    fn what_is_written_can_be_read() {
        let text = completed("", || Ok([0xfb; SECRET_BYTES])).unwrap();
        let webhook = value_of(&text, "WEBHOOK_SECRET").unwrap();
        let encoded = webhook.strip_prefix("whsec_").unwrap();
        assert_eq!(STANDARD.decode(encoded).unwrap(), [0xfb; SECRET_BYTES]);
        assert!(value_of(&text, "DOWNLOAD_SECRET").unwrap().len() >= 32);
        let tokens = value_of(&text, "TOKEN_SECRETS").unwrap();
        assert!(tokens.strip_prefix("dev:").unwrap().len() >= 32);
    }

    #[test]
    fn what_is_there_stays_and_what_is_missing_is_added() {
        let old = "WEBHOOK_SECRET=mine\nAUTH=token";
        let text = completed(old, || Ok([1; SECRET_BYTES])).unwrap();
        assert!(text.starts_with("WEBHOOK_SECRET=mine\nAUTH=token\nDOWNLOAD_SECRET="), "{text}");
        assert_eq!(value_of(&text, "WEBHOOK_SECRET").as_deref(), Some("mine"));
        assert_eq!(value_of(&text, "AUTH").as_deref(), Some("token"));
        assert_eq!(completed(&text, || Ok([2; SECRET_BYTES])).unwrap(), text, "and nothing is added twice");
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
