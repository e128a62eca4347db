//! Protocols: how HTTP says operations. A protocol turns a request's head into an [`Operation`] and an outcome into a
//! [`Reply`](upload_types::operation::Reply); it does no I/O and knows nothing of how uploads work inside.
//!
//! * `json`: our own, below `/upload`.
//! * `companion`: what `@uppy/aws-s3` asks of a Companion, below `/s3`.
//! * `tus`: tus 1.0.0, below `/files`.
//! * `ietf`: Resumable Uploads for HTTP, at the same addresses.
//! * `plain`: a file as the body of one request, at `/upload` and below `/upload/new`.
//! * `form`: forms with files (`multipart/form-data`), at `/upload`.
//! * `google`: the resumable uploads of Google Cloud Storage, where its clients send them below `/upload`.
//! * `chunked_form`: pieces of a file as upload libraries for web pages send them, at `/upload`.
//! * `filepond`: FilePond's own chunks, at `/upload`.
//!
//! `public_file` is none: what is asked for on the host of public files. And `hls` is how a player reads a recording: where it can be cut, and the playlist that says so.
//!
//! What was not done every protocol answers with a `problem`; `problem_page` is what its `type` leads to.

#![forbid(unsafe_code)]

pub mod address;
mod body_type;
pub mod by_link;
mod byte_sequences;
pub mod chunked_form;
pub mod companion;
mod content_range;
pub mod digest;
mod disposition;
mod file_words;
pub mod filepond;
pub mod form;
pub mod google;
mod headers;
pub mod hls;
mod idempotency;
pub mod ietf;
pub mod json;
mod live;
mod numbers;
pub mod plain;
mod problem;
pub mod problem_page;
pub mod public_file;
#[cfg(test)]
mod sample;
pub mod tus;
mod whole_body;

pub use headers::Headers;
use http::Method;
use percent_encoding::percent_decode_str;
use problem::Problem;

use upload_types::{
    api_error::ApiError,
    operation::{Operation, Outcome, Reply},
    plan::Limits,
    preconditions::Conditions,
    units::{UnixMs, UploadId},
    upload::{Phase, Snapshot},
};

/// Where `tus` and `ietf` live: uploads are created here, and are below it.
pub const FILES_PATH: &str = "/files";

/// A request without its body.
#[derive(Clone, Debug)]
pub struct Head {
    /// The method.
    pub method: Method,
    /// The route that the path names below `BASE_PATH`: see [`BasePath::route`](crate::address::BasePath::route). One that lies
    /// outside is empty, and no route.
    pub path: String,
    /// What stands behind the `?`, as sent.
    pub query: String,
    /// The headers.
    pub headers: Headers,
}

impl Head {
    /// A header as text; `None` where it is missing or not printable ASCII.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(headers::printable).map(str::trim)
    }

    /// A header that is there, as text; empty where it is not printable ASCII, so that it is refused rather than overlooked.
    fn present(&self, name: &str) -> Option<&str> {
        self.headers.contains_key(name).then(|| self.header(name).unwrap_or(""))
    }

    /// What the request says of the object that it asks for.
    fn conditions(&self) -> Conditions {
        let said = |name: &str| self.header(name).map(str::to_owned);
        Conditions {
            if_match: said("if-match"),
            if_unmodified_since: said("if-unmodified-since"),
            if_none_match: said("if-none-match"),
            if_modified_since: said("if-modified-since"),
            if_range: said("if-range"),
            range: said("range").filter(|_| self.method != Method::HEAD),
            follow: self.query_flag("follow"),
        }
    }

    /// A parameter of the query, as sent.
    pub fn query_parameter(&self, name: &str) -> Option<&str> {
        self.query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value)
    }

    /// Whether a parameter is there, with any value but `false` or 0, or with none.
    fn query_flag(&self, name: &str) -> bool {
        let mut pairs = self.query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        pairs.any(|(key, value)| key == name && !matches!(value, "false" | "0"))
    }

    /// All parameters of the query as text, in order, as those of a form.
    fn query_fields(&self) -> Vec<(String, String)> {
        let text = |part: &str| percent_decode_str(&part.replace('+', " ")).decode_utf8_lossy().into_owned();
        let pairs = self.query.split('&').filter(|pair| !pair.is_empty());
        pairs
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(name, value)| (text(name), text(value)))
            .collect()
    }

    /// A parameter of the query as text, in which `+` is a space as forms have it; what is no UTF-8 is replaced.
    fn query_text(&self, name: &str) -> Option<String> {
        let spaced = self.query_parameter(name)?.replace('+', " ");
        Some(percent_decode_str(&spaced).decode_utf8_lossy().into_owned())
    }
}

/// What a protocol makes of a request's head.
#[derive(Debug)]
pub enum Parsed {
    /// All that was needed stood in the head.
    Ready(Box<Operation>),
    /// The body says the rest: read it, up to so many bytes, and ask again with it.
    NeedsBody {
        /// More than this is refused unread.
        max_bytes: u32,
        /// What to ask.
        finish: fn(&Head, &[u8]) -> Result<Operation, ApiError>,
    },
    /// The body is a form with files: it says the rest while it is carried out.
    Form(Box<form::FormRequest>),
}

/// A way of saying operations in HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// [`json`].
    Json,
    /// [`companion`].
    Companion,
    /// [`tus`].
    Tus,
    /// [`ietf`].
    Ietf,
    /// [`plain`].
    Plain,
    /// [`form`].
    Form,
    /// [`google`].
    Google,
    /// [`chunked_form`], where there is no form around the piece.
    ChunkedForm,
    /// [`filepond`].
    FilePond,
    /// None: what is asked for on the host of public files, which is told by nothing in the request's head ([`public_file`]).
    PublicFiles,
}

/// What a protocol that has no repair says of an upload that waits for one: to its clients it has failed.
fn without_repair(refusal: &ApiError) -> ApiError {
    match refusal {
        ApiError::Damaged { reason } => ApiError::UploadGone { phase: Phase::Failed, reason: reason.clone() },
        other => other.clone(),
    }
}

/// What an answer answers, and what it may say of the deployment.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The request.
    pub head: &'a Head,
    /// What the deployment allows; none where its settings could not be read.
    pub limits: Option<Limits>,
    /// What every address in the answer begins with: scheme, host and `BASE_PATH`.
    pub base_url: &'a str,
    /// What a problem's `type` begins with; the code is put behind it as it is.
    pub problems_url: &'a str,
    /// When it is answered.
    pub now: UnixMs,
}

impl Asked<'_> {
    /// The address of an upload in the JSON protocol.
    fn upload_url(&self, id: UploadId) -> String {
        format!("{}/upload/{id}", self.base_url)
    }

    /// Its address in the other protocols.
    fn file_url(&self, id: UploadId) -> String {
        format!("{}{FILES_PATH}/{id}", self.base_url)
    }
}

impl Protocol {
    /// The protocol that a request speaks. Below `/upload` its address says so. Below `/files` its headers say so. Without any, a request that would change bytes is
    /// taken for tus, which requires its version in every request and says so; one that asks or cancels for the draft's,
    /// which requires none.
    pub fn of(head: &Head) -> Self {
        let is_file = head.path.strip_prefix(FILES_PATH).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        if head.path.strip_prefix(companion::PATH).is_some_and(|rest| rest.starts_with('/')) {
            return Self::Companion;
        }
        if google::is_spoken(head) {
            return Self::Google;
        }
        if filepond::is_spoken(head) {
            return Self::FilePond;
        }
        if chunked_form::is_spoken(head) {
            return Self::ChunkedForm;
        }
        if form::is_spoken(head) {
            return Self::Form;
        }
        if plain::is_spoken(head) {
            return Self::Plain;
        }
        if !is_file {
            return Self::Json;
        }
        let has = |name: &str| head.headers.contains_key(name);
        if has("tus-resumable") {
            return Self::Tus;
        }
        if ietf::is_spoken(head) {
            return Self::Ietf;
        }
        match head.method {
            Method::GET | Method::HEAD | Method::DELETE => Self::Ietf,
            _ => Self::Tus,
        }
    }

    /// Whether it answers OPTIONS itself; in the others that is a browser's preflight and nothing else.
    pub fn is_discovered(self) -> bool {
        matches!(self, Self::Tus | Self::Ietf | Self::PublicFiles)
    }

    /// Understands a request's head.
    pub fn parse(self, head: &Head) -> Result<Parsed, ApiError> {
        match self.read(head)? {
            Parsed::Ready(operation) => {
                live::noted(head, *operation).map(|operation| Parsed::Ready(Box::new(operation)))
            }
            parsed => Ok(parsed),
        }
    }

    fn read(self, head: &Head) -> Result<Parsed, ApiError> {
        match self {
            Self::Json => json::parse(head),
            Self::Companion => companion::parse(head),
            Self::Tus => tus::parse(head),
            Self::Ietf => ietf::parse(head),
            Self::Plain => plain::parse(head),
            Self::Form => form::parse(head),
            Self::Google => google::parse(head),
            Self::ChunkedForm => chunked_form::parse(head),
            Self::FilePond => filepond::parse(head),
            Self::PublicFiles => public_file::parse(head),
        }
    }

    /// The answer to what was done.
    pub fn reply(self, asked: &Asked<'_>, outcome: &Outcome) -> Reply {
        match self {
            Self::Json | Self::PublicFiles => json::reply(asked, outcome),
            Self::Companion => companion::reply(asked, outcome),
            Self::Tus => tus::reply(asked, outcome),
            Self::Ietf => ietf::reply(asked, outcome),
            Self::Plain | Self::Form => plain::reply(asked, outcome),
            Self::Google => google::reply(asked, outcome),
            Self::ChunkedForm => chunked_form::reply(asked, outcome),
            Self::FilePond => filepond::reply(asked, outcome),
        }
    }

    /// The answer to what was not done.
    pub fn problem(self, asked: &Asked<'_>, refusal: &ApiError, upload: Option<UploadId>) -> Reply {
        match self {
            Self::Json | Self::PublicFiles => json::problem(asked, refusal, upload),
            Self::Companion => companion::problem(asked, refusal, upload),
            Self::Tus => tus::problem(asked, &without_repair(refusal), upload),
            Self::Ietf => ietf::problem(asked, &without_repair(refusal), upload),
            Self::Plain => plain::problem(asked, &without_repair(refusal), upload),
            Self::Google => google::problem(asked, &without_repair(refusal), upload),
            // What a form is of, is known only once it is read: its refusals have what libraries show of one.
            Self::Form | Self::ChunkedForm => chunked_form::problem(asked, &without_repair(refusal), upload),
            Self::FilePond => filepond::problem(asked, &without_repair(refusal), upload),
        }
    }

    /// What was asked for has been done before, where a request is refused so: it comes again, since its answer was lost.
    pub fn repeated(self, head: &Head, refusal: &ApiError) -> Option<Outcome> {
        match self {
            Self::Json | Self::Companion | Self::Form | Self::Google => json::repeated(head, refusal),
            // Two say that an upload which was cancelled is not there, and the others cancel none.
            Self::Tus | Self::Ietf | Self::Plain | Self::ChunkedForm | Self::FilePond | Self::PublicFiles => None,
        }
    }

    /// What must be done besides, where a request was refused so.
    pub fn consequence(self, head: &Head, refusal: &ApiError) -> Option<Operation> {
        match self {
            Self::Json
            | Self::Companion
            | Self::Tus
            | Self::Plain
            | Self::Form
            | Self::Google
            | Self::ChunkedForm
            | Self::FilePond
            | Self::PublicFiles => None,
            Self::Ietf => ietf::consequence(head, refusal),
        }
    }

    /// What is said of the upload beside its object's bytes, as headers.
    pub fn beside_content(self, asked: &Asked<'_>, snapshot: &Snapshot) -> Vec<(&'static str, String)> {
        match self {
            Self::Json
            | Self::Companion
            | Self::Tus
            | Self::Plain
            | Self::Form
            | Self::Google
            | Self::ChunkedForm
            | Self::FilePond
            | Self::PublicFiles => Vec::new(),
            Self::Ietf => ietf::content_headers(asked, snapshot),
        }
    }

    /// The answer where something of ours went wrong.
    pub fn fault(self, asked: &Asked<'_>, fault_id: &str, upload: Option<UploadId>) -> Reply {
        match self {
            Self::Json
            | Self::Companion
            | Self::Plain
            | Self::Form
            | Self::Google
            | Self::ChunkedForm
            | Self::FilePond
            | Self::PublicFiles => Problem::of_fault(asked, fault_id, upload).reply(),
            Self::Tus => tus::fault(asked, fault_id, upload),
            Self::Ietf => ietf::fault(asked, fault_id, upload),
        }
    }
}
