//! Answers that are not the one hoped for: what they mean, and whether it helps to ask again.

use std::error::Error as _;
use std::time::{Duration, SystemTime};

use serde::Deserialize;
use upload_types::api_error;

use crate::failure::Failure;

/// What to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Ask again, after a pause.
    Passing,
    /// The upload is no more: begin a new one.
    Gone,
    /// It would be refused again.
    Final,
}

/// Why a request did not succeed.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) verdict: Verdict,
    /// Of the answer; none where none came.
    pub(crate) status: Option<u16>,
    /// The problem's stable code; none where the answer was not Quayside's.
    pub(crate) code: Option<String>,
    pub(crate) message: String,
    /// How long the server wants to be left alone.
    pub(crate) retry_after: Option<Duration>,
    /// Somebody between here and the server may be the reason: a network that wants a sign-in first, a certificate of another.
    may_be_in_between: bool,
    /// The same server has answered rightly before.
    is_of_known_server: bool,
}

/// RFC 9457, as far as it is used here.
#[derive(Deserialize)]
struct Problem {
    r#type: String,
    #[serde(default)]
    code: Option<String>,
    title: String,
    #[serde(default)]
    detail: String,
}

impl Problem {
    /// Its stable code: said by itself, or else the end of the address of the page about it.
    fn code(&self) -> Option<&str> {
        self.code.as_deref().or_else(|| self.r#type.rsplit(['/', '#', '=']).next())
    }

    /// Others write such documents, too. Every one of ours has a code, of which this build may not know the newest.
    fn is_ours(&self) -> bool {
        self.code.is_some()
            || self.code().is_some_and(|code| api_error::rows().iter().any(|row| row.sample.code() == code))
    }
}

impl Refusal {
    /// What an answer means that is no success.
    pub(crate) fn of_answer(status: u16, headers: &reqwest::header::HeaderMap, body: &str) -> Self {
        let problem = serde_json::from_str::<Problem>(body).ok().filter(Problem::is_ours);
        let code = problem.as_ref().and_then(Problem::code).map(str::to_owned);
        let is_redirect = problem.is_none() && (300..400).contains(&status);
        // Networks that want a sign-in say so in this way, too, and so do proxies and firewalls.
        let is_closed_door = problem.is_none() && matches!(status, 401 | 403 | 407);
        let said = match &problem {
            Some(problem) => format!("{}. {}", problem.title, problem.detail),
            None if is_redirect => format!("Something other than Quayside answered {status}{}.", leads_to(headers)),
            None => format!("Something other than Quayside answered {status}."),
        };
        let hint = hint(status, problem.is_some());
        Self {
            verdict: verdict(status, code.as_deref()),
            status: Some(status),
            code,
            message: format!("{}{hint}", said.trim_end()),
            retry_after: retry_after(headers, SystemTime::now()),
            may_be_in_between: is_redirect || is_closed_door,
            is_of_known_server: false,
        }
    }

    /// No answer, or none that could be read.
    pub(crate) fn of_transport(error: &reqwest::Error) -> Self {
        let mut causes = Vec::new();
        let mut cause = error.source();
        while let Some(error) = cause {
            causes.push(error.to_string());
            cause = error.source();
        }
        let deepest = causes.last().cloned().unwrap_or_else(|| error.to_string());
        let is_tls =
            causes.iter().any(|cause| cause.contains("certificate") || cause.contains("received corrupt message"));
        if is_tls {
            let message = format!(
                "No TLS connection could be made: {deepest}. Check the address, this machine's clock and its certificates \
                 (SSL_CERT_FILE)."
            );
            return Self { verdict: Verdict::Final, may_be_in_between: true, ..Self::passing(message) };
        }
        let what = if error.is_connect() { "The server cannot be reached" } else { "The connection broke" };
        Self::passing(format!("{what}: {deepest}."))
    }

    /// A success whose body is not what it must be: a proxy's page, or a network's sign-in.
    pub(crate) fn of_stranger(status: u16) -> Self {
        let message = format!("Something other than Quayside answered {status}.");
        Self { status: Some(status), ..Self::passing(message) }
    }

    /// Something that may be over the next time.
    pub(crate) fn passing(message: String) -> Self {
        Self {
            verdict: Verdict::Passing,
            status: None,
            code: None,
            message,
            retry_after: None,
            may_be_in_between: false,
            is_of_known_server: false,
        }
    }

    /// What it means where the same server has answered rightly before: whoever is in between goes away again.
    pub(super) fn of_known_server(self) -> Self {
        let verdict = if self.may_be_in_between { Verdict::Passing } else { self.verdict };
        Self { verdict, is_of_known_server: true, ..self }
    }

    /// Whether the answer was not Quayside's own.
    pub(crate) fn is_strangers(&self) -> bool {
        self.status.is_some() && self.code.is_none()
    }

    /// Whether nothing says that there is a Quayside at all: then the address is wrong.
    pub(crate) fn is_of_no_quayside(&self) -> bool {
        self.is_strangers() && !self.is_of_known_server && !matches!(self.status, Some(429 | 500..))
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match refusal.verdict {
            Verdict::Passing => Self::resumable(refusal.message),
            Verdict::Gone | Verdict::Final => Self::refused(refusal.message),
        }
    }
}

fn verdict(status: u16, code: Option<&str>) -> Verdict {
    match (status, code) {
        (_, Some("body-cut-short" | "checksum-mismatch")) => Verdict::Passing,
        (_, Some("not-configured" | "direct-only" | "not-direct")) => Verdict::Final,
        (404 | 410, Some(_)) => Verdict::Gone,
        // A proxy in front of the server may soon find it again.
        (404 | 410, None) | (408 | 409 | 423 | 425 | 429 | 500.., _) => Verdict::Passing,
        _ => Verdict::Final,
    }
}

/// Who answers there, as far as it is another.
fn leads_to(headers: &reqwest::header::HeaderMap) -> String {
    let location = headers.get("location").and_then(|location| reqwest::Url::parse(location.to_str().ok()?).ok());
    let host = location.as_ref().and_then(reqwest::Url::host_str);
    host.map(|host| format!(" and points to {host}, perhaps to sign in there")).unwrap_or_default()
}

/// What helps, where the answer does not say it.
fn hint(status: u16, is_ours: bool) -> &'static str {
    match (status, is_ours) {
        (401 | 403, true) => " Give a token with --token or QUAY_TOKEN, or keep one with `quay login`.",
        (401 | 403 | 407, false) => " Perhaps the network wants a sign-in, or a proxy or firewall is in the way.",
        (413, false) => {
            " A proxy in front of the server probably refuses requests of this size: choose a smaller --chunk-size."
        }
        _ => "",
    }
}

/// `Retry-After` (RFC 9110, section 10.2.3): seconds, or a date. A date is compared with the server's own clock where it is known, since
/// this machine's may be years off.
fn retry_after(headers: &reqwest::header::HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let asked = text("retry-after")?;
    if let Ok(seconds) = asked.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let now = text("date").and_then(|date| httpdate::parse_http_date(date).ok()).unwrap_or(now);
    httpdate::parse_http_date(asked).ok().map(|at| at.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::{HeaderMap, HeaderValue};

    /// Of every error that the server knows: whether asking again helps. One that is new fails here until somebody has decided.
    #[test]
    fn every_error_of_the_server_has_a_verdict() {
        let passing = [
            "offset-mismatch",
            "superseded",
            "body-cut-short",
            "body-stalled",
            "overloaded",
            "storage-unavailable",
            "checksum-mismatch",
            "completing",
            "writers-pending",
            "busy",
            "chunk-too-early",
            "link-in-use",
            "rate-limited",
            "quota-exceeded",
            "keys-unavailable",
            "accept-hook-failed",
            "redelivered-recently",
            "too-many-watchers",
            "incomplete",
            "chunk-differs",
            "chunk-already-stored",
            "damaged",
            "not-damaged",
            "held",
            "not-held",
            "nothing-to-redeliver",
            "part-not-stored",
            "part-size-mismatch",
            "service-paused",
        ];
        for row in api_error::rows() {
            let (code, status) = (row.sample.code(), row.sample.status());
            let expected = match code {
                "upload-not-found" | "no-such-route" | "upload-gone" => Verdict::Gone,
                code if passing.contains(&code) => Verdict::Passing,
                _ => Verdict::Final,
            };
            assert_eq!(verdict(status, Some(code)), expected, "{code} {status}");
        }
    }

    #[test]
    fn a_code_is_known_wherever_its_page_is() {
        for document in [
            r#"{"type":"https://u.example/problems/busy","code":"busy","title":""}"#,
            r#"{"type":"https://iana.example/types#else","code":"busy","title":""}"#,
            r#"{"type":"https://u.example/problems/busy","title":""}"#,
            r#"{"type":"https://docs.example/errors#busy","title":""}"#,
            r#"{"type":"https://docs.example/errors?code=busy","title":""}"#,
        ] {
            let refusal = Refusal::of_answer(409, &HeaderMap::new(), document);
            assert_eq!(refusal.code.as_deref(), Some("busy"), "{document}");
        }
    }

    #[test]
    fn an_answer_of_somebody_else_is_said_to_be_that() {
        let refusal = Refusal::of_answer(413, &HeaderMap::new(), "<html>");
        assert!(refusal.is_strangers() && refusal.message.contains("--chunk-size"), "{}", refusal.message);
        assert_eq!(Refusal::of_answer(404, &HeaderMap::new(), "").verdict, Verdict::Passing);
        assert_eq!(Refusal::of_answer(502, &HeaderMap::new(), "").verdict, Verdict::Passing);
    }

    #[test]
    fn a_sign_in_page_is_an_outage_only_where_the_server_is_known() {
        let mut headers = HeaderMap::new();
        headers.insert("location", HeaderValue::from_static("https://portal.example/sign-in?from=u"));
        let refusal = Refusal::of_answer(302, &headers, "<html>");
        assert_eq!((refusal.verdict, refusal.is_of_no_quayside()), (Verdict::Final, true));
        assert!(refusal.message.contains("answered 302 and points to portal.example,"), "{}", refusal.message);
        let refusal = refusal.of_known_server();
        assert_eq!((refusal.verdict, refusal.is_of_no_quayside()), (Verdict::Passing, false));
        let too_large = Refusal::of_answer(413, &HeaderMap::new(), "<html>").of_known_server();
        assert_eq!(too_large.verdict, Verdict::Final, "what a proxy always refuses is no outage");
    }

    #[test]
    fn a_closed_door_is_an_outage_where_it_is_not_the_servers_own() {
        let of = |status, document: &str| Refusal::of_answer(status, &HeaderMap::new(), document);
        for status in [401, 403, 407] {
            for document in ["", "<html>", r#"{"type":"about:blank","title":"Forbidden"}"#] {
                let refusal = of(status, document);
                assert_eq!(
                    (refusal.verdict, refusal.is_of_no_quayside()),
                    (Verdict::Final, true),
                    "{status} {document}"
                );
                let refusal = refusal.of_known_server();
                assert_eq!((refusal.verdict, refusal.is_of_no_quayside()), (Verdict::Passing, false), "{status}");
                assert!(refusal.message.contains("sign-in"), "{}", refusal.message);
            }
        }
        for document in [
            r#"{"type":"https://u.example/problems/not-permitted","title":"The token is not for this"}"#,
            r#"{"type":"https://u.example/x","code":"of-a-newer-server","title":"No"}"#,
        ] {
            assert_eq!(of(403, document).of_known_server().verdict, Verdict::Final, "{document}");
        }
        let theirs = r#"{"type":"https://errors.example/1020","title":"Blocked","code":1020}"#;
        assert!(of(403, theirs).is_strangers(), "others number theirs");
    }

    #[test]
    fn the_date_to_come_again_is_by_the_servers_clock() {
        let mut headers = HeaderMap::new();
        let mut say = |name: &'static str, value: &'static str| headers.insert(name, HeaderValue::from_static(value));
        say("date", "Sun, 06 Nov 1994 08:49:37 GMT");
        say("retry-after", "Sun, 06 Nov 1994 08:49:47 GMT");
        assert_eq!(retry_after(&headers, SystemTime::now()), Some(Duration::from_secs(10)));
        headers.insert("retry-after", HeaderValue::from_static("7"));
        assert_eq!(retry_after(&headers, SystemTime::now()), Some(Duration::from_secs(7)));
        headers.insert("retry-after", HeaderValue::from_static("soon"));
        assert_eq!(retry_after(&headers, SystemTime::now()), None);
    }
}
