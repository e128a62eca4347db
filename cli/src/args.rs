//! The command line, as `--help` shows it.

#![allow(clippy::doc_markdown, rustdoc::bare_urls, reason = "these are texts for a terminal")]

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;
use upload_types::live::MIN_TELL_EVERY_BYTES;

use crate::examples;
use crate::values::{LivePermit, bucket, live_permit, silence, time};

/// Uploads that go on where they were interrupted, into a Quayside deployment.
#[derive(Debug, Parser)]
#[command(name = "quay", version, max_term_width = 100, after_help = examples::QUAY)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Clone, Debug, Args)]
pub(crate) struct Global {
    /// Where the server is, such as https://upload.example.com
    #[arg(long, global = true, env = "QUAY_ENDPOINT", value_name = "URL", value_hint = ValueHint::Url)]
    pub(crate) endpoint: Option<String>,
    /// The upload token, where the server wants one
    #[arg(long, global = true, env = "QUAY_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
    /// A command that prints a token; it is run again when that has expired
    #[arg(long, global = true, env = "QUAY_TOKEN_COMMAND", value_name = "COMMAND", conflicts_with = "token")]
    pub(crate) token_command: Option<String>,
    /// The file with endpoint and token, in place of the user's own
    #[arg(long, global = true, env = "QUAY_CONFIG", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) config: Option<PathBuf>,
    /// Say everything as JSON, one document per line
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Say only what has failed, and results
    #[arg(long, short, global = true, conflicts_with = "json")]
    pub(crate) quiet: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Send files, folders, or what comes from a pipe
    Put(Put),
    /// Get what was uploaded, going on where an earlier try has ended, and compare it
    Get(Get),
    /// List the open uploads
    Ls,
    /// Say what is used of the quotas
    Usage,
    /// Print an address of a finished file that needs no token, for whoever is to have it
    Link(Link),
    /// Print an address that takes one file, for somebody who is to send it and has no token
    Invite(Invite),
    /// Say how uploads stand
    Status(Uploads),
    /// Follow an upload until it has ended
    Watch(OneUpload),
    /// Delete uploads
    Rm(Uploads),
    /// Say what has happened to an upload
    Log(OneUpload),
    /// Mint an upload token, for development and operators
    Token(Token),
    /// Keep an endpoint and a token for the next commands
    Login(Login),
    /// Ask a deployment what it can do, and say in plain words what is wrong
    Doctor(Doctor),
    /// Print what makes a shell complete commands
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Write the manual pages into a folder
    Man {
        /// The folder
        #[arg(value_hint = ValueHint::DirPath)]
        folder: PathBuf,
    },
}

#[allow(clippy::struct_excessive_bools, reason = "these are flags of a command line")]
#[derive(Debug, Args)]
#[command(after_help = examples::PUT)]
pub(crate) struct Put {
    /// Files and folders; `-` is standard input
    #[arg(required = true, value_name = "FILE", value_hint = ValueHint::AnyPath)]
    pub(crate) paths: Vec<PathBuf>,
    /// What the server calls it, where that is not the file's own name; for one file, or standard input
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// The media type of all files
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) content_type: Option<String>,
    /// Something that your server is told with each file; can be given several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    pub(crate) metadata: Vec<(String, String)>,
    /// Of folders, send only what matches; can be given several times
    #[arg(long, value_name = "GLOB")]
    pub(crate) include: Vec<String>,
    /// Of folders, leave out what matches; can be given several times
    #[arg(long, value_name = "GLOB")]
    pub(crate) exclude: Vec<String>,
    /// Hash each file first, and do not send what the server has already
    #[arg(long)]
    pub(crate) dedup: bool,
    /// Send chunks to R2 itself, past the server, where the deployment allows it
    #[arg(long)]
    pub(crate) direct: bool,
    /// Send standard input as it comes, for hours; what is not confirmed yet is kept on disk
    #[arg(long)]
    pub(crate) live: bool,
    /// With --live: how much may wait on disk; then the input has to
    #[arg(long, value_name = "BYTES", default_value = "1G", value_parser = size, requires = "live")]
    pub(crate) spool: u64,
    /// With --live: your server is told each time that so many bytes are new, such as 64M; 8M or more
    #[arg(long, value_name = "BYTES", value_parser = told_size, requires = "live")]
    pub(crate) tell_every: Option<u64>,
    /// With --live: when nothing has come for so long, what the server has is the whole, such as 60s; 24h is the most, and what is meant without it
    #[arg(long, value_name = "TIME", value_parser = silence, requires = "live")]
    pub(crate) end_after: Option<Duration>,
    /// Write what came of each file into this file, as JSON
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) manifest: Option<PathBuf>,
    /// Send no more than so many bytes in a second, such as 500k or 2M
    #[arg(long, value_name = "BYTES", value_parser = size)]
    pub(crate) limit_rate: Option<u64>,
    /// The size of a chunk, such as 16M; the server may choose another
    #[arg(long, value_name = "BYTES", value_parser = size)]
    pub(crate) chunk_size: Option<u64>,
    /// How many requests at once, at most
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub(crate) parallel: u8,
    /// How long trouble is sat out while nothing succeeds, such as 30s, 10m or 2h
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = time)]
    pub(crate) retry_for: Duration,
    /// Begin again, whatever an earlier run has sent
    #[arg(long)]
    pub(crate) restart: bool,
}

#[derive(Debug, Args)]
#[command(after_help = examples::GET)]
pub(crate) struct Get {
    /// An upload's id, or a signed link to its content
    #[arg(required_unless_present = "manifest")]
    pub(crate) source: Option<String>,
    /// Get all files of this manifest, which `quay put --manifest` has written, each where it was
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "source")]
    pub(crate) manifest: Option<PathBuf>,
    /// Where to put it; `-` is standard output. Otherwise here, under its own name. Of a manifest, the folder
    #[arg(long, short, value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub(crate) output: Option<PathBuf>,
    /// Write over a file that is there already
    #[arg(long)]
    pub(crate) force: bool,
    /// How long trouble is sat out while nothing succeeds
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = time)]
    pub(crate) retry_for: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct Link {
    /// The upload's id
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    /// How long it is good, such as 10m, 1h or 7d; the server has a default
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) expires: Option<Duration>,
    /// A browser shows the file, where it is a picture, sound, a film or plain text
    #[arg(long)]
    pub(crate) inline: bool,
    /// What the file is called, where that is not the name that it was sent with
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Invite {
    /// The largest file, such as 500M
    #[arg(long, value_name = "BYTES", value_parser = size)]
    pub(crate) max_size: Option<u64>,
    /// What the file may be, such as image/png or image/*; can be given several times
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) types: Vec<String>,
    /// Until when it takes a file, such as 10m, 1h or 7d; a day without it
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) expires: Option<Duration>,
    /// Something that your server is told with the file; can be given several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    pub(crate) metadata: Vec<(String, String)>,
    /// Take back the one with this id, in place of making one
    #[arg(long, value_name = "ID", conflicts_with_all = ["max_size", "types", "expires", "metadata"])]
    pub(crate) revoke: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Uploads {
    /// The uploads' ids
    #[arg(required = true, value_name = "ID")]
    pub(crate) ids: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct OneUpload {
    /// The upload's id
    #[arg(value_name = "ID")]
    pub(crate) id: String,
}

#[derive(Debug, Args)]
#[command(after_help = examples::TOKEN)]
pub(crate) struct Token {
    /// Whose uploads they will be
    #[arg(long, value_name = "OWNER")]
    pub(crate) sub: String,
    /// How it is signed
    #[arg(long, value_enum, default_value_t = SigningAlgorithm::Hs256)]
    pub(crate) algorithm: SigningAlgorithm,
    /// The file with the key: for HS256 as in TOKEN_SECRETS, `kid:secret`; otherwise a PKCS #8 private key in PEM
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, required_unless_present = "secrets")]
    pub(crate) key_file: Option<PathBuf>,
    /// The secrets themselves, of which the first signs
    #[arg(long, env = "TOKEN_SECRETS", hide_env_values = true, hide = true)]
    pub(crate) secrets: Option<String>,
    /// The key's name, for ES256 and EdDSA
    #[arg(long, value_name = "KID")]
    pub(crate) kid: Option<String>,
    /// The deployment's TOKEN_AUDIENCE
    #[arg(long, default_value = "quayside", value_name = "AUDIENCE")]
    pub(crate) audience: String,
    /// How long it is good
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = time)]
    pub(crate) expires_in: Duration,
    /// The largest file
    #[arg(long, value_name = "BYTES", value_parser = size)]
    pub(crate) max_bytes: Option<u64>,
    /// What files may be, such as image/*; can be given several times
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) types: Vec<String>,
    /// What stands for {prefix} in the object's key, such as customers/42/
    #[arg(long, value_name = "PREFIX")]
    pub(crate) key_prefix: Option<String>,
    /// What the object's key is made of, such as photos/{year}/{id}{.ext}
    #[arg(long, value_name = "TEMPLATE")]
    pub(crate) object_key: Option<String>,
    /// What your server is told, which the client cannot change; can be given several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    pub(crate) metadata: Vec<(String, String)>,
    /// The bucket that its files lie in, where the deployment has several
    #[arg(long, value_name = "NAME", value_parser = bucket)]
    pub(crate) bucket: Option<String>,
    /// What is uploaded with it is held until somebody has looked at it
    #[arg(long)]
    pub(crate) hold: bool,
    /// Everybody gets what is uploaded with it, on the host of public files
    #[arg(long)]
    pub(crate) public: bool,
    /// Whether what has no length when it is created is a live upload: true, false, or after how much silence it ends, such as 60s
    #[arg(long, value_name = "true|false|TIME", value_parser = live_permit)]
    pub(crate) live: Option<LivePermit>,
    /// It may delete uploads that are complete
    #[arg(long)]
    pub(crate) delete: bool,
    /// It is for whoever runs the service, named by --sub: it opens everybody's uploads, and uploads nothing
    #[arg(long, value_name = "SCOPE", conflicts_with_all = ["max_bytes", "types", "key_prefix", "object_key", "bucket", "metadata", "hold", "public", "live", "delete"])]
    pub(crate) scope: Option<Scope>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scope {
    /// All routes below /admin/
    Admin,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SigningAlgorithm {
    /// A secret that is shared with the deployment
    #[value(name = "HS256")]
    Hs256,
    /// ECDSA on P-256
    #[value(name = "ES256")]
    Es256,
    /// Ed25519
    #[value(name = "EdDSA")]
    EdDsa,
}

#[derive(Debug, Args)]
#[command(after_help = examples::LOGIN)]
pub(crate) struct Login {
    /// Where the server is
    #[arg(value_name = "URL", value_hint = ValueHint::Url)]
    pub(crate) url: String,
}

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Where the server is, if not the endpoint that is kept
    #[arg(value_name = "URL", value_hint = ValueHint::Url)]
    pub(crate) url: Option<String>,
    /// A site whose pages are to upload, such as https://app.example.com
    #[arg(long, value_name = "ORIGIN")]
    pub(crate) origin: Option<String>,
}

fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("it is not of the form KEY=VALUE")?;
    if key.is_empty() {
        return Err("the key is empty".to_owned());
    }
    Ok((key.to_owned(), value.to_owned()))
}

/// A number of bytes, with `k`, `M`, `G` or `T` behind it, which are binary.
fn size(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let shift = match &text[digits.len()..] {
        "" => 0,
        "k" | "K" | "KiB" => 10,
        "m" | "M" | "MiB" => 20,
        "g" | "G" | "GiB" => 30,
        "t" | "T" | "TiB" => 40,
        _ => return Err("it is not a size such as 500k, 2M or 1G".to_owned()),
    };
    let number: u64 = digits.parse().map_err(|_| "it is not a size such as 500k, 2M or 1G")?;
    let bytes = number.checked_mul(1 << shift).filter(|bytes| *bytes > 0);
    bytes.ok_or_else(|| "it is zero, or too large".to_owned())
}

/// The same where it is as much as a server tells of at a time.
fn told_size(text: &str) -> Result<u64, String> {
    let bytes = size(text)?;
    if bytes < MIN_TELL_EVERY_BYTES { Err("it is less than 8M".to_owned()) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn sizes_and_times_are_understood_or_refused() {
        assert_eq!(["1", "500k", "2M", "1GiB"].map(|text| size(text).unwrap()), [1, 512_000, 2 << 20, 1 << 30]);
        for wrong in ["", "0", "k", "1.5M", "-1", "1 M", "99999999999T"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
        assert_eq!(["8M", "8388608", "1G"].map(|text| told_size(text).unwrap()), [8 << 20, 8 << 20, 1 << 30]);
        for wrong in ["7M", "8388607", "0", "often"] {
            assert!(told_size(wrong).is_err(), "{wrong}");
        }
        assert_eq!(time("90s").unwrap(), Duration::from_secs(90));
        assert_eq!(time("2h").unwrap(), Duration::from_hours(2));
        for wrong in ["", "5", "m", "1w", "99999999999999999999s"] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
        assert_eq!(key_value("a=b=c").unwrap(), ("a".to_owned(), "b=c".to_owned()));
        assert!(key_value("a").is_err() && key_value("=b").is_err());
    }
}
