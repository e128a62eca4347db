//! Answers to forms. What is said of each file is what the plain protocol says of it; beside that stands where it was in the form.

use serde_json::{Value, json};

use super::{AnswerFormat, FormRequest};
use crate::{Asked, plain};
use upload_types::{
    api_error::ApiError,
    json,
    operation::{Outcome, Reply},
    units::UploadId,
};

/// So many ids go along in an address: of 46 characters each that is 2.3 kB, and every browser takes 4.
const MAX_IDS_IN_ADDRESS: usize = 50;

/// What came of one file of a form.
#[derive(Clone, Debug)]
pub struct FileAnswer {
    /// The field that it was chosen in.
    pub field: String,
    /// What it is called.
    pub name: String,
    /// Its upload, where there is one.
    pub upload: Option<UploadId>,
    /// What came of it.
    pub result: Result<Outcome, ApiError>,
}

impl FileAnswer {
    fn plain_reply(&self, asked: &Asked<'_>) -> Reply {
        match &self.result {
            Ok(outcome) => plain::reply(asked, outcome),
            Err(refusal) => plain::problem(asked, refusal, self.upload),
        }
    }

    /// What is said of the file, and the document that says so.
    fn entry(&self, asked: &Asked<'_>) -> (Reply, Value) {
        let reply = self.plain_reply(asked);
        let said = reply.body.as_deref().and_then(|body| json::from_str(body).ok());
        let mut entry = said.unwrap_or_else(|| json!({}));
        if let Some(url) = entry.get("uploadUrl").cloned() {
            // Uppy's XHRUpload and others look for it under this name.
            entry["url"] = url;
        }
        entry["field"] = json!(self.field);
        entry["fileName"] = json!(self.name);
        entry["status"] = json!(reply.status);
        (reply, entry)
    }
}

/// The answer to a whole form. `redirect` is the page that comes next, where that may be shown.
pub fn reply(asked: &Asked<'_>, request: &FormRequest, files: &[FileAnswer], redirect: Option<&str>) -> Reply {
    let said: Vec<_> = files.iter().map(|file| file.entry(asked)).collect();
    let is_good = |status: u16| status < 300;
    let are_all_good = said.iter().all(|(reply, _)| is_good(reply.status));
    if let Some(redirect) = redirect {
        return Reply::empty(303)
            .with("location", with_results(redirect, asked, files))
            .with("cache-control", "no-store");
    }
    if request.answer == AnswerFormat::Id && are_all_good {
        let ids: Vec<_> = said.iter().map(|(_, entry)| id(entry)).collect();
        let mut reply =
            Reply::empty(201).with("content-type", "text/plain; charset=utf-8").with("cache-control", "no-store");
        reply.body = Some(ids.join("\n"));
        return reply;
    }
    let entries: Vec<_> = said.iter().map(|(_, entry)| entry.clone()).collect();
    let are_all_bad = said.iter().all(|(reply, _)| !is_good(reply.status));
    match &said[..] {
        // Of one it is said as the plain protocol says it, and of several that are all refused what is wrong with the first.
        [(first, entry), others @ ..] if others.is_empty() || are_all_bad => {
            let mut body = entry.clone();
            body["files"] = json!(entries);
            Reply { body: Some(body.to_string()), ..first.clone() }
        }
        _ => {
            let latest = said.iter().map(|(reply, _)| reply.status).max().unwrap_or(201);
            let status = if are_all_good { latest } else { 207 };
            let mut reply =
                Reply::empty(status).with("content-type", "application/json").with("cache-control", "no-store");
            reply.body = Some(json!({ "files": entries }).to_string());
            reply
        }
    }
}

/// The answer where one file has refused all of them.
pub fn refused_by(asked: &Asked<'_>, file: &FileAnswer) -> Reply {
    let (reply, entry) = file.entry(asked);
    Reply { body: Some(entry.to_string()), ..reply }
}

/// The id of the upload; of what was stored before, that of then.
fn id(entry: &Value) -> String {
    let id = entry.get("uploadId").or_else(|| entry.get("object")?.get("uploadId"));
    id.and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// The page's address, and what came of the form.
fn with_results(redirect: &str, asked: &Asked<'_>, files: &[FileAnswer]) -> String {
    let said = files.iter().map(|file| {
        let (reply, entry) = file.entry(asked);
        if reply.status < 300 { format!("uploadId={}", id(&entry)) } else { format!("error={}", code(&entry)) }
    });
    let said: Vec<_> = said.take(MAX_IDS_IN_ADDRESS).collect();
    let (page, fragment) =
        redirect.split_once('#').map_or((redirect, String::new()), |(page, rest)| (page, format!("#{rest}")));
    let joint = if page.contains('?') { '&' } else { '?' };
    format!("{page}{joint}{}{fragment}", said.join("&"))
}

/// The code of a problem.
fn code(problem: &Value) -> String {
    problem.get("code").and_then(Value::as_str).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use http::Method;
    use upload_types::upload::Phase;

    use super::*;
    use crate::{
        Head, Parsed, form,
        sample::{self, ID, body, header, snapshot},
    };

    fn good(phase: Phase) -> FileAnswer {
        let result = Ok(sample::created(snapshot(phase, 100), None));
        FileAnswer { field: "f".to_owned(), name: "a b.txt".to_owned(), upload: None, result }
    }

    fn bad() -> FileAnswer {
        let result = Err(ApiError::TypeNotAllowed { allowed: "image/*".to_owned() });
        FileAnswer { field: "g".to_owned(), name: "b".to_owned(), upload: None, result }
    }

    fn head(address: &str) -> Head {
        sample::head(Method::POST, address, &[("content-type", "multipart/form-data; boundary=b")])
    }

    fn answer(address: &str, files: &[FileAnswer], redirect: Option<&str>) -> Reply {
        let head = head(address);
        let Ok(Parsed::Form(request)) = form::parse(&head) else { panic!("{address}") };
        reply(&sample::asked(&head), &request, files, redirect)
    }

    #[test]
    fn one_file_is_answered_as_if_it_had_come_without_a_form() {
        let reply = answer("/upload", &[good(Phase::Completed)], None);
        assert_eq!(
            (reply.status, header(&reply, "location")),
            (201, Some(format!("https://u.example/upload/{ID}").as_str()))
        );
        let said = body(&reply);
        assert_eq!(
            (&said["uploadId"], &said["field"], &said["files"][0]["uploadId"]),
            (&json!(ID), &json!("f"), &json!(ID))
        );
        let reply = answer("/upload", &[bad()], None);
        assert_eq!((reply.status, header(&reply, "content-type")), (415, Some("application/problem+json")));
        let said = body(&reply);
        assert_eq!(
            (&said["fileName"], &said["status"], &said["files"][0]["field"]),
            (&json!("b"), &json!(415), &json!("g"))
        );
    }

    #[test]
    fn several_files_have_an_answer_each() {
        let both = answer("/upload", &[good(Phase::Completed), good(Phase::Completing)], None);
        assert_eq!((both.status, header(&both, "location")), (202, None));
        let some = answer("/upload", &[good(Phase::Completed), bad()], None);
        let said = body(&some);
        assert_eq!(
            (some.status, &said["files"][0]["status"], &said["files"][1]["status"]),
            (207, &json!(201), &json!(415))
        );
        assert!(said.get("uploadId").is_none());
        let none = answer("/upload", &[bad(), bad()], None);
        assert_eq!((none.status, body(&none)["files"].as_array().map(Vec::len)), (415, Some(2)));
        let head = head("/upload?atomic");
        let refused = refused_by(&sample::asked(&head), &bad());
        assert_eq!((refused.status, &body(&refused)["field"]), (415, &json!("g")));
    }

    #[test]
    fn the_id_alone_and_the_next_page() {
        let reply = answer("/upload?answer=id", &[good(Phase::Completed)], None);
        assert_eq!((reply.status, reply.body.as_deref()), (201, Some(ID)));
        assert_eq!(answer("/upload?answer=id", &[bad()], None).status, 415, "and what is wrong, in any case");
        for (page, files, expected) in [
            ("https://a.example/", vec![good(Phase::Completed)], format!("https://a.example/?uploadId={ID}")),
            (
                "https://a.example/?x=y#z",
                vec![good(Phase::Completing), bad()],
                format!("https://a.example/?x=y&uploadId={ID}&error=type-not-allowed#z"),
            ),
            ("https://a.example/", vec![good(Phase::Failed)], "https://a.example/?error=upload-gone".to_owned()),
        ] {
            let reply = answer("/upload", &files, Some(page));
            assert_eq!((reply.status, header(&reply, "location")), (303, Some(expected.as_str())));
        }
        let head = head("/upload");
        let elsewhere = Asked { problems_url: "https://docs.example/errors#", ..sample::asked(&head) };
        assert_eq!(
            with_results("https://a.example/", &elsewhere, &[bad()]),
            "https://a.example/?error=type-not-allowed"
        );
        let many = vec![good(Phase::Completed); 51];
        let location = answer("/upload", &many, Some("https://a.example/"));
        assert_eq!(header(&location, "location").unwrap().matches("uploadId=").count(), 50);
    }
}
