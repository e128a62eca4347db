//! What a problem's `type` leads to where `PROBLEMS_URL` says nothing else: for each code a page that says what has happened and what to
//! do, made of the one table of errors. HTML for a person, JSON for a program. It is about no upload and the same for everybody, so
//! anybody may read and keep it.

use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::Asked;
use upload_types::{
    api_error::{ApiError, Row, rows},
    json,
    operation::Reply,
};

/// Where the pages are: a code stands behind it.
pub const PATH: &str = "/problems/";

/// The code of the one error that is no refusal, and so no row of the table.
pub const FAULT: &str = "fault";

/// Its title.
pub(crate) const FAULT_TITLE: &str = "Something went wrong here";

/// How long a page may be kept: a day. What a code means never changes, only how it is said.
const KEPT: &str = "public, max-age=86400";

/// Nothing is loaded by a page, and nothing of the table can become more than text in it.
const CONTENT_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

const STYLE: &str = ":root{color-scheme:light dark}body{font:1rem/1.5 system-ui,sans-serif;max-width:42rem;margin:3rem auto;padding:0 1rem}\
                     h1{line-height:1.2}code{font-size:.95em}dt{margin-top:1.5rem}dd{margin:.25rem 0 0 1.5rem}";

/// All that is said of one code. The Worker has them as text (`docs/reference/errors.json`), which `tests/errors.rs` makes of the table.
#[derive(Debug, Serialize, Deserialize)]
pub struct Page {
    /// The code.
    pub code: String,
    /// A few words that never change.
    pub title: String,
    /// The HTTP status, in protocols that have none of their own for it.
    pub status: u16,
    /// What may have happened, each with what to do about it.
    pub cases: Vec<Case>,
}

/// One thing that may have happened.
#[derive(Debug, Serialize, Deserialize)]
pub struct Case {
    /// What has happened. Names of fields stand between backticks, here and in `advice`.
    pub cause: String,
    /// What a client does about it.
    pub advice: String,
}

impl Page {
    /// Those of the table, in its order, and that of a fault.
    pub fn all() -> Vec<Self> {
        let mut pages: Vec<Self> = Vec::new();
        for Row { cause, advice, sample } in rows() {
            let case = Case { cause: cause.trim().to_owned(), advice: advice.to_owned() };
            match pages.iter_mut().find(|page| page.code == sample.code()) {
                Some(page) => page.cases.push(case),
                None => pages.push(Self::new(sample.code(), sample.status(), sample.title(), case)),
            }
        }
        pages.push(Self::of_fault());
        pages
    }

    fn new(code: &str, status: u16, title: &str, case: Case) -> Self {
        Self { code: code.to_owned(), title: title.to_owned(), status, cases: vec![case] }
    }

    fn of_fault() -> Self {
        let cause = "Something of Quayside's or of the platform's failed, and it is not known whether the request was carried out.";
        let advice = "Ask for the offset and go on. Whoever runs the service finds more under `faultId` in the log.";
        Self::new(FAULT, 500, FAULT_TITLE, Case { cause: cause.to_owned(), advice: advice.to_owned() })
    }

    fn json(&self, problems_url: &str) -> String {
        let Self { code, title, status, cases } = self;
        json!({ "type": format!("{problems_url}{code}"), "code": code, "title": title, "status": status, "cases": cases })
            .to_string()
    }

    fn html(&self) -> String {
        let Self { code, status, title, cases } = self;
        let case = |case: &Case| format!("<dt>{}</dt>\n<dd>{}</dd>\n", marked_up(&case.cause), marked_up(&case.advice));
        let (title, cases) = (escaped(title), cases.iter().map(case).collect::<String>());
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>{title}</title>\n<style>{STYLE}</style>\n\
             <h1>{title}</h1>\n<p>The code <code>{code}</code>, with HTTP status {status}. What has happened, and what to do:</p>\n\
             <dl>\n{cases}</dl>\n</html>\n"
        )
    }
}

/// The answer, where a page is asked for. `text_of` has the text of each code's, as JSON.
pub fn answer(asked: &Asked<'_>, text_of: impl FnOnce(&str) -> Option<String>) -> Option<Result<Reply, ApiError>> {
    let code = asked.head.path.strip_prefix(PATH)?;
    if !matches!(asked.head.method, Method::GET | Method::HEAD) {
        return None;
    }
    let page = text_of(code).and_then(|text| json::from_str::<Page>(&text).ok());
    let Some(page) = page else { return Some(Err(ApiError::NoSuchProblem)) };
    let (media_type, body) = if wants_html(asked.head.header("accept").unwrap_or_default()) {
        ("text/html; charset=utf-8", page.html())
    } else {
        ("application/json", page.json(asked.problems_url))
    };
    let reply = Reply::empty(200)
        .with("content-type", media_type)
        .with("content-security-policy", CONTENT_POLICY)
        .with("cache-control", KEPT)
        .with("access-control-allow-origin", "*")
        .with("vary", "Accept");
    Some(Ok(Reply { body: Some(body), ..reply }))
}

/// Whether HTML is asked for by name, and JSON is not preferred (RFC 9110, section 12.5.1). Browsers name it; programs that take
/// anything get JSON.
pub(crate) fn wants_html(accept: &str) -> bool {
    let weight = |wanted: &str| {
        let weight_of = |range: &str| {
            let mut parts = range.split(';').map(str::trim);
            parts.next().filter(|name| name.eq_ignore_ascii_case(wanted))?;
            let said = parts.find_map(|parameter| parameter.strip_prefix("q="));
            Some(said.map_or(MOST_WEIGHT, |said| thousandths(said).unwrap_or(0)))
        };
        accept.split(',').filter_map(weight_of).max().unwrap_or(0)
    };
    weight("text/html") > 0 && weight("text/html") >= weight("application/json")
}

/// A weight of `1`: what a range has that says none.
const MOST_WEIGHT: u16 = 1000;

/// A weight: from `0` to `1`, with at most three decimals (RFC 9110, section 12.4.2).
fn thousandths(weight: &str) -> Option<u16> {
    let (whole, decimals) = weight.split_once('.').unwrap_or((weight, ""));
    let padded = (decimals.len() <= 3).then(|| format!("{whole}{decimals:0<3}"))?;
    padded.parse().ok().filter(|weight| *weight <= MOST_WEIGHT)
}

/// What stands between backticks is code.
fn marked_up(text: &str) -> String {
    let piece = |(at, piece): (usize, &str)| {
        let piece = escaped(piece);
        if at % 2 == 1 { format!("<code>{piece}</code>") } else { piece }
    };
    text.split('`').enumerate().map(piece).collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::sample::{self, body, header};

    fn text_of(code: &str) -> Option<String> {
        Page::all().iter().find(|page| page.code == code).map(|page| serde_json::to_string(page).unwrap())
    }

    fn page(path: &str, accept: &str) -> Result<Reply, ApiError> {
        let head = sample::head(Method::GET, path, &[("accept", accept)]);
        answer(&sample::asked(&head), text_of).unwrap()
    }

    #[test]
    fn every_code_has_a_page_that_says_what_to_do() {
        for Page { code, .. } in Page::all() {
            let reply = page(&format!("{PATH}{code}"), "*/*").unwrap();
            let body = body(&reply);
            assert_eq!((&body["code"], header(&reply, "content-type")), (&json!(code), Some("application/json")));
            assert_eq!(body["type"], format!("https://u.example/problems/{code}"));
            assert!(body["cases"].as_array().is_some_and(|cases| !cases.is_empty()), "{code}");
            let html = page(&format!("{PATH}{code}"), "text/html").unwrap().body.unwrap();
            assert!(html.contains(&format!("<code>{code}</code>")), "{html}");
            assert!(!html.contains('`') && html.matches("<code>").count() == html.matches("</code>").count(), "{html}");
        }
    }

    #[test]
    fn causes_of_one_code_share_a_page() {
        let body = body(&page("/problems/body-stalled", "application/json").unwrap());
        let advice: Vec<_> = body["cases"].as_array().unwrap().iter().map(|case| case["advice"].clone()).collect();
        assert_eq!(Value::from(advice), json!(["Go on at `uploadedBytes`.", "Send the document again."]));
    }

    #[test]
    fn who_names_html_gets_it_unless_json_is_preferred() {
        for (accept, html) in [
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", true),
            ("Text/HTML", true),
            ("text/html, application/json", true),
            ("text/html;q=0.5, application/json", false),
            ("text/html; q=0.25, application/json;q=0.3", false),
            ("text/html; q=0.125, application/json;q=0.12", true),
            ("text/html; q=0", false),
            ("text/html; q=0.000", false),
            ("text/html; q=much", false),
            ("application/json", false),
            ("text/*", false),
            ("*/*", false),
            ("", false),
        ] {
            assert_eq!(wants_html(accept), html, "{accept:?}");
        }
    }

    #[test]
    fn what_is_text_stays_text() {
        assert_eq!(marked_up("a < `b & \"c\"`."), "a &lt; <code>b &amp; &quot;c&quot;</code>.");
    }

    #[test]
    fn only_pages_that_are_there_are_found() {
        for unknown in ["/problems/", "/problems/offset", "/problems/offset-mismatch/x"] {
            assert_eq!(page(unknown, "text/html").unwrap_err(), ApiError::NoSuchProblem, "{unknown}");
        }
        for (method, path) in [(Method::GET, "/problem"), (Method::GET, "/problems"), (Method::POST, "/problems/fault")]
        {
            assert!(
                answer(&sample::asked(&sample::head(method.clone(), path, &[])), text_of).is_none(),
                "{method} {path}"
            );
        }
    }
}
