//! What the command line is told that is more than a word or a number: times, silences, and terms of a token.

use std::time::Duration;

use upload_types::bucket::BucketName;
use upload_types::live::MAX_END_AFTER_SECONDS;

/// What a token says of live uploads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LivePermit {
    /// Each is one that may be, or none is.
    Every(bool),
    /// Each is, and so much silence ends it.
    Until(Duration),
}

pub(crate) fn live_permit(said: &str) -> Result<LivePermit, String> {
    said.parse().map(LivePermit::Every).or_else(|_| silence(said).map(LivePermit::Until))
}

pub(crate) fn bucket(said: &str) -> Result<String, String> {
    BucketName::parse(said)
        .map(|name| name.as_str().to_owned())
        .ok_or_else(|| "it is no name of up to 32 small letters, digits and dashes, a letter first".to_owned())
}

/// The same as a time, after which a live input has ended.
pub(crate) fn silence(text: &str) -> Result<Duration, String> {
    let silence = time(text)?;
    let is_one = (1..=MAX_END_AFTER_SECONDS).contains(&silence.as_secs());
    if is_one { Ok(silence) } else { Err("it is not between 1s and 24h".to_owned()) }
}

/// A time with `s`, `m`, `h` or `d` behind it.
pub(crate) fn time(text: &str) -> Result<Duration, String> {
    const WRONG: &str = "it is not a time such as 30s, 10m, 2h or 7d";
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let seconds = match &text[digits.len()..] {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err(WRONG.to_owned()),
    };
    let number: u64 = digits.parse().map_err(|_| WRONG)?;
    number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(|| WRONG.to_owned())
}
