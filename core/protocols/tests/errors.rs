//! The reference of errors, made of the table: docs/reference/errors.md and errors.json, and the codes that the SDK knows.
//!
//! A test compares them with what is there. To write them anew:
//! `UPDATE_REFERENCE=1 cargo test -p upload-protocols --test errors`.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::Path,
};

use http::Method;
use serde_json::json;
use upload_protocols::{
    Asked, Head, Protocol,
    problem_page::{FAULT, Page},
};
use upload_types::{
    api_error::{ApiError, Row, rows},
    units::UnixMs,
};

/// What stands above the codes.
const INTRODUCTION: &str = r#"# Errors

<!-- Made of core/types/src/api_error/table.rs. To change it: edit the table, then
`UPDATE_REFERENCE=1 cargo test -p upload-protocols --test errors`. -->

What was not done is answered with a problem document (RFC 9457, `application/problem+json`), in every protocol. `code` is one of those
below; it never changes its meaning. `type` is the address of a page about it, which each deployment has itself, below `/problems/`, for
people (HTML) and for programs (JSON); a deployment that has its own says so by [`PROBLEMS_URL`](configuration.md#where-it-is). So a
program goes by `code`, and not by where the page is. A request that is refused has changed nothing that was counted, except that
whole parts of a body that broke may count: `uploadedBytes` says so.

```json
{
  "type": "https://upload.example.com/problems/offset-mismatch",
  "code": "offset-mismatch",
  "title": "The chunk does not begin at the accepted offset",
  "status": 409,
  "detail": "16777216 bytes have been accepted; send the chunk that begins there.",
  "uploadId": "067e6162-3b6f-4ae2-a171-2470b63dff00",
  "uploadedBytes": 16777216,
  "field": "X-Upload-Offset"
}
```

| member | says |
|---|---|
| `uploadId` | which upload it is about, where that has been understood |
| `uploadedBytes` | the true offset; for a parallel upload, how many bytes count |
| `field` | the header or field that is wrong, by the name that the client's protocol has for it |
| `limitBytes`, `fileSize`, `chunkSize`, `chunk`, `missingBytes` | the number that the sentence in `detail` is about |
| `state` | where the upload is in its life |
| `repairable` | whether the bytes of the file are kept to be repaired |
| `applicationCode` | your application's own word for why it refuses ([`refused-by-application`](#refused-by-application)) |
| `faultId` | under which id the log says more ([`fault`](#fault)) |

Beside the document stand `Retry-After` and `WWW-Authenticate` where they help; in tus and the IETF draft also `Upload-Offset`. Where a
client of tus or the draft asks for its offset by `HEAD` and the status would be 500 or more, it is 423 with `Retry-After`: published
clients begin a new upload after anything else. The draft has problem types of its own for two of the codes, and they stand in `type`
there, with ours in `code`. A plain body is answered as JSON is, but that `incomplete` is 503 where sending it again helps, and a file that failed is 422. A form too, and a refused form or chunk of one has
`success: false` and `error` beside, which upload libraries show; there `completing`, `busy` and `superseded` are 503. Resumable.js, which repeats whatever it is not told to leave, hears 400 where another would hear a status that does not pass. In Google's protocol `offset-mismatch` is 308 with `Range`, `completing` and `busy` are 503, and an
`error` with code and message stands beside.
"#;

/// The one error that is no refusal.
fn fault() -> String {
    let pages = Page::all();
    let Some(Page { code, status, title, cases }) = pages.iter().find(|page| page.code == FAULT) else {
        return String::new();
    };
    let case = &cases[0];
    format!(
        "\n## {code}\n\n{title}. **{status}** in every protocol.\n\n- {}\n  - *What to do:* {}\n",
        case.cause, case.advice
    )
}

/// What the Worker has its pages from: by code.
fn errors_json() -> String {
    let pages: BTreeMap<_, _> = Page::all().into_iter().map(|page| (page.code.clone(), page)).collect();
    format!("{:#}\n", json!(pages))
}

fn status(protocol: Protocol, refusal: &ApiError) -> u16 {
    let head = Head {
        method: Method::PATCH,
        path: "/files/067e6162-3b6f-4ae2-a171-2470b63dff00".to_owned(),
        query: String::new(),
        headers: upload_protocols::Headers::default(),
    };
    let asked = Asked { head: &head, limits: None, base_url: "", problems_url: "/", now: UnixMs(0) };
    protocol.problem(&asked, refusal, None).status
}

/// Its status in every protocol.
fn statuses(refusal: &ApiError) -> String {
    let [json, tus, ietf] = [Protocol::Json, Protocol::Tus, Protocol::Ietf].map(|protocol| status(protocol, refusal));
    if json == tus && json == ietf {
        return format!("**{json}** in every protocol.");
    }
    format!("**{json}** in JSON, **{tus}** in tus, **{ietf}** in the IETF draft.")
}

/// What stands in its document, or beside it, and not in every one.
fn extras(refusal: &ApiError) -> Vec<String> {
    let offset = refusal.uploaded_bytes().map(|_| "`uploadedBytes`".to_owned());
    let field = refusal.header_named().map(|_| "`field`".to_owned());
    let members = refusal.members().into_iter().map(|(name, _)| format!("`{name}`"));
    let retry_after = refusal.retry_after_seconds().map(|_| "`Retry-After`".to_owned());
    let challenge = refusal.challenge().map(|_| "`WWW-Authenticate`".to_owned());
    let header = refusal.header().map(|(name, _)| {
        let words = name.split('-').map(|word| word[..1].to_uppercase() + &word[1..]);
        format!("`{}`", words.collect::<Vec<_>>().join("-").replace("Etag", "ETag"))
    });
    offset.into_iter().chain(field).chain(members).chain(retry_after).chain(challenge).chain(header).collect()
}

fn errors_md() -> String {
    let rows = rows();
    let mut text = vec![INTRODUCTION.to_owned()];
    let mut written = BTreeSet::new();
    for first in &rows {
        let code = first.sample.code();
        if !written.insert(code) {
            continue;
        }
        let same_code: Vec<&Row> = rows.iter().filter(|row| row.sample.code() == code).collect();
        text.push(format!("\n## {code}\n\n{}. {}\n", first.sample.title(), statuses(&first.sample)));
        let mut said: Vec<String> = Vec::new();
        for extra in same_code.iter().flat_map(|row| extras(&row.sample)) {
            if !said.contains(&extra) {
                said.push(extra);
            }
        }
        if !said.is_empty() {
            text.push(format!("With {}.\n", said.join(", ")));
        }
        text.push("\n".to_owned());
        for row in same_code {
            text.push(format!("- {}\n  - *What to do:* {}\n", row.cause.trim(), row.advice));
        }
    }
    text.concat() + &fault()
}

fn problem_codes_ts() -> String {
    let codes: BTreeSet<&str> = rows().iter().map(|row| row.sample.code()).chain([FAULT]).collect();
    let mut text = "// The codes of problem documents, as docs/reference/errors.md explains them. Made of core/types/src/api_error/table.rs.\n\n\
                    export type ProblemCode =\n"
        .to_owned();
    let lines: Vec<String> = codes.iter().map(|code| format!("  | \"{code}\"")).collect();
    text.push_str(&lines.join("\n"));
    text + ";\n"
}

#[test]
fn the_reference_and_the_sdk_say_what_the_table_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for (file, made) in [
        ("docs/reference/errors.md", errors_md()),
        ("docs/reference/errors.json", errors_json()),
        ("client/src/problem_codes.ts", problem_codes_ts()),
    ] {
        let path = root.join(file);
        if env::var_os("UPDATE_REFERENCE").is_some() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, &made).unwrap();
        }
        let is = fs::read_to_string(&path).unwrap_or_default();
        assert!(is == made, "{file} is stale: UPDATE_REFERENCE=1 cargo test -p upload-protocols --test errors");
    }
}

#[test]
fn errors_of_one_code_have_one_status_and_title() {
    let rows = rows();
    for row in &rows {
        let same = rows.iter().find(|other| other.sample.code() == row.sample.code()).unwrap();
        assert_eq!(row.sample.status(), same.sample.status(), "{}", row.sample.code());
        assert_eq!(row.sample.title(), same.sample.title(), "{}", row.sample.code());
    }
}

#[test]
fn codes_are_words_and_statuses_are_refusals() {
    for Row { sample, advice, cause } in rows() {
        assert!(sample.code().bytes().all(|byte| byte == b'-' || byte.is_ascii_lowercase()), "{}", sample.code());
        assert!((400..600).contains(&sample.status()), "{}", sample.code());
        for sentence in [cause, advice, &sample.to_string()] {
            assert!(!sentence.trim().is_empty(), "{}", sample.code());
        }
        assert!(advice.ends_with('.') && cause.ends_with('.'), "{}", sample.code());
    }
}
