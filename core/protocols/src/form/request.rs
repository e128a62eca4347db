//! Requests of the form protocol: which they are, what their heads say, and the uploads that a form's files are.

use http::Method;

use super::{Boundary, Fields, FileHead};
use crate::{Head, Parsed, body_type, idempotency, numbers::byte_count};
use upload_types::{
    api_error::ApiError,
    json,
    live::Liveness,
    operation::{Create, Operation},
    plan::{Chunking, Mode},
    repair::OnMismatch,
    units::{ByteCount, UploadId},
    upload::{FileInfo, Purpose},
};

/// Where forms are posted.
const PATH: &str = "/upload";

/// The largest body of a wish to take a file back: an id, or the answer that the id stands in.
const MAX_REVERT_BYTES: u32 = 4096;

/// What a form is answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerFormat {
    /// JSON.
    Json,
    /// The id alone, a line for each file.
    Id,
    /// For a browser without script, which shows what it gets: another page, where one is known.
    Page,
}

/// What the head of a form says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormRequest {
    /// What its parts are told apart by.
    pub boundary: Boundary,
    /// How long the body is, where that is said.
    pub body_bytes: Option<ByteCount>,
    /// Whether one refused file refuses all.
    pub is_atomic: bool,
    /// Which page comes next, where the address says so.
    pub redirect: Option<String>,
    /// What the answer is to be.
    pub answer: AnswerFormat,
}

/// Whether a request is a form with files, or is about one.
pub fn is_spoken(head: &Head) -> bool {
    let is_form = || body_type::media_type(head).as_deref() == Some("multipart/form-data");
    head.path == PATH && (head.method == Method::DELETE || head.method == Method::POST && is_form())
}

/// Understands a request's head.
pub fn parse(head: &Head) -> Result<Parsed, ApiError> {
    if head.method == Method::DELETE {
        return Ok(Parsed::NeedsBody { max_bytes: MAX_REVERT_BYTES, finish: revert });
    }
    if let Some(coding) = head.header("content-encoding").filter(|coding| !coding.eq_ignore_ascii_case("identity")) {
        let expected = format!("the form as it is, without `Content-Encoding: {coding}`");
        return Err(ApiError::UnsupportedMediaType { expected });
    }
    for (name, shown) in [("content-digest", "Content-Digest"), ("repr-digest", "Repr-Digest"), ("digest", "Digest")] {
        if head.headers.contains_key(name) {
            let detail = "would be of the form, of which only the files are kept. Send a file that has a digest as the body of its own request";
            return Err(ApiError::bad_request(shown, detail));
        }
    }
    Ok(Parsed::Form(Box::new(FormRequest {
        boundary: Boundary::of(head)?,
        body_bytes: head.header("content-length").map(|text| byte_count("Content-Length", text)).transpose()?,
        is_atomic: is_atomic(head)?,
        redirect: head.query_text("redirect").filter(|address| !address.is_empty()),
        answer: answer_format(head)?,
    })))
}

impl FormRequest {
    /// The upload that a file of the form becomes: the `index`th, which has so many bytes, where that is known.
    pub fn creation(
        &self,
        head: &Head,
        file: &FileHead,
        fields: &Fields,
        index: usize,
        file_bytes: Option<ByteCount>,
    ) -> Result<Create, ApiError> {
        let said = format!(
            "{} {}?{}\n{}\n{:?}\n{:?}",
            head.method, head.path, head.query, file.field, file.name, file.content_type
        );
        let mut idempotency = idempotency::parse(head, said.as_bytes())?;
        if let Some(idempotency) = &mut idempotency {
            idempotency.key = format!("{}\n{index}", idempotency.key);
        }
        Ok(Create {
            mode: Mode::Sequential,
            file: FileInfo {
                name: file.name.clone(),
                content_type: file.content_type.clone(),
                metadata: fields.metadata(&file.field)?,
                sha256: None,
                crc64nvme: None,
                memo: None,
            },
            file_bytes,
            chunking: Chunking::Unspoken,
            purpose: Purpose::File,
            idempotency,
            on_mismatch: OnMismatch::Fail,
            live: Liveness::Never,
        })
    }
}

fn is_atomic(head: &Head) -> Result<bool, ApiError> {
    let mut pairs = head.query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    match pairs.find(|(name, _)| *name == "atomic").map(|(_, value)| value) {
        None | Some("0" | "false") => Ok(false),
        Some("" | "1" | "true") => Ok(true),
        _ => Err(ApiError::bad_request("atomic", "is neither true nor false")),
    }
}

fn answer_format(head: &Head) -> Result<AnswerFormat, ApiError> {
    match head.query_parameter("answer") {
        Some("json") => return Ok(AnswerFormat::Json),
        Some("id") => return Ok(AnswerFormat::Id),
        Some(_) => return Err(ApiError::bad_request("answer", "is neither `json` nor `id`")),
        None => {}
    }
    // The first of those that it names; a browser that shows a page names HTML first, and a script `*/*`.
    let first = head.header("accept").unwrap_or_default().split([',', ';']).next().unwrap_or_default().trim();
    Ok(match first.to_ascii_lowercase().as_str() {
        "text/html" => AnswerFormat::Page,
        "text/plain" => AnswerFormat::Id,
        _ => AnswerFormat::Json,
    })
}

/// A file is taken back: the body is its id, or the whole answer to its form, whichever its page has kept.
fn revert(_: &Head, body: &[u8]) -> Result<Operation, ApiError> {
    let text = String::from_utf8_lossy(body);
    let answer: Option<serde_json::Value> = json::from_str(&text).ok();
    let id =
        answer.as_ref().and_then(|answer| answer.get("uploadId").unwrap_or(answer).as_str()).unwrap_or(text.trim());
    let id = UploadId::parse(id).ok_or_else(|| {
        ApiError::bad_request("body", "is not the id of an upload. To delete one by its address, DELETE /upload/{id}")
    })?;
    Ok(Operation::Cancel(id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{self, ID};

    fn ask(address: &str, headers: &[(&'static str, &str)]) -> Result<FormRequest, ApiError> {
        let form = [("content-type", "multipart/form-data; boundary=b")];
        let head = sample::head(Method::POST, address, &[&form, headers].concat());
        assert!(is_spoken(&head), "{address}");
        match parse(&head)? {
            Parsed::Form(request) => Ok(*request),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_form_is_posted_and_nothing_else_is_one() {
        for (method, path, content_type, expected) in [
            (Method::POST, "/upload", "Multipart/Form-Data; boundary=b", true),
            (Method::POST, "/upload", "multipart/mixed; boundary=b", false),
            (Method::POST, "/upload", "image/png", false),
            (Method::PUT, "/upload", "multipart/form-data; boundary=b", false),
            (Method::POST, "/upload/init", "multipart/form-data; boundary=b", false),
            (Method::POST, "/files", "multipart/form-data; boundary=b", false),
            (Method::DELETE, "/upload", "text/plain", true),
            (Method::DELETE, "/upload/x", "text/plain", false),
        ] {
            let head = sample::head(method.clone(), path, &[("content-type", content_type)]);
            assert_eq!(is_spoken(&head), expected, "{method} {path} {content_type}");
        }
    }

    #[test]
    fn what_the_address_and_the_headers_say() {
        let plain = ask("/upload", &[]).unwrap();
        assert_eq!(
            (plain.is_atomic, plain.answer, plain.redirect, plain.body_bytes),
            (false, AnswerFormat::Json, None, None)
        );
        let full = ask("/upload?atomic&redirect=https%3A%2F%2Fa.example%2Fthanks%3Fa%3Db", &[("content-length", "7")])
            .unwrap();
        assert_eq!((full.is_atomic, full.body_bytes), (true, Some(7.into())));
        assert_eq!(full.redirect.as_deref(), Some("https://a.example/thanks?a=b"));
        for (address, atomic) in
            [("/upload?atomic=true", true), ("/upload?a=b&atomic=1", true), ("/upload?atomic=false", false)]
        {
            assert_eq!(ask(address, &[]).unwrap().is_atomic, atomic, "{address}");
        }
        for (address, accept, answer) in [
            ("/upload", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8", AnswerFormat::Page),
            ("/upload", "text/plain", AnswerFormat::Id),
            ("/upload", "application/json, text/plain, */*", AnswerFormat::Json),
            ("/upload?answer=id", "*/*", AnswerFormat::Id),
            ("/upload?answer=json", "text/html", AnswerFormat::Json),
        ] {
            assert_eq!(ask(address, &[("accept", accept)]).unwrap().answer, answer, "{address} {accept}");
        }
    }

    #[test]
    fn what_would_be_overlooked_is_refused() {
        for (address, header, field) in [
            ("/upload?atomic=maybe", ("x", ""), "atomic"),
            ("/upload?answer=xml", ("x", ""), "answer"),
            ("/upload", ("content-length", "many"), "Content-Length"),
            ("/upload", ("repr-digest", "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:"), "Repr-Digest"),
        ] {
            match ask(address, &[header]) {
                Err(ApiError::BadRequest { field: named, .. }) => assert_eq!(named, field),
                other => panic!("{address} {header:?}: {other:?}"),
            }
        }
        let coded = ask("/upload", &[("content-encoding", "gzip")]);
        assert!(matches!(coded, Err(ApiError::UnsupportedMediaType { .. })), "{coded:?}");
    }

    #[test]
    fn a_file_becomes_an_upload_of_its_own_with_a_key_of_its_own() {
        let head = sample::head(Method::POST, "/upload", &[("idempotency-key", "k")]);
        let request = ask("/upload", &[]).unwrap();
        let file = |name: &str| FileHead {
            field: "f".to_owned(),
            name: name.to_owned(),
            is_named: true,
            content_type: Some("image/png".to_owned()),
        };
        let mut fields = Fields::default();
        fields.add("album".to_owned(), "7".to_owned());
        let of = |name: &str, index| request.creation(&head, &file(name), &fields, index, None).unwrap();
        let create = of("a", 0);
        assert_eq!((create.file.name.as_str(), create.file.content_type.as_deref()), ("a", Some("image/png")));
        assert_eq!((create.file.metadata["album"].as_str(), create.file.metadata["formField"].as_str()), ("7", "f"));
        assert_eq!(create.idempotency, of("a", 0).idempotency);
        assert_ne!(create.idempotency.as_ref().unwrap().key, of("a", 1).idempotency.unwrap().key);
        assert_ne!(create.idempotency.unwrap().request, of("b", 0).idempotency.unwrap().request);
    }

    #[test]
    fn a_file_is_taken_back_by_whatever_its_page_has_kept() {
        let head = sample::head(Method::DELETE, "/upload", &[]);
        let Ok(Parsed::NeedsBody { finish, .. }) = parse(&head) else { panic!() };
        for body in
            [ID.to_owned(), format!(" {ID}\n"), format!("{ID:?}"), format!("{{\"uploadId\": \"{ID}\", \"files\": []}}")]
        {
            assert_eq!(finish(&head, body.as_bytes()), Ok(Operation::Cancel(UploadId::parse(ID).unwrap())), "{body}");
        }
        for wrong in ["", "{}", "null", "[]", "1", "x", &ID[1..]] {
            assert!(matches!(finish(&head, wrong.as_bytes()), Err(ApiError::BadRequest { .. })), "{wrong}");
        }
    }
}
