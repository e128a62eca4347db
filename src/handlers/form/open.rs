//! A form that is being read, and what it is carried out with.

use std::time::Duration;

use durable_objects::platform::error::Result;
use upload_protocols::form::{AnswerFormat, Fields, FileHead, FormRequest, REDIRECT_FIELD};
use upload_types::api_error::ApiError;
use web_sys::ReadableStream;
use worker::{Context, Env};

use crate::{config::Config, http::server_timing::Timings, transfer::form::FormReader};

/// What a form is carried out with, before it is known who sends it.
#[derive(Clone, Copy)]
pub(crate) struct Surroundings<'a> {
    /// The deployment's settings.
    pub(crate) config: &'a Config,
    /// The bindings.
    pub(crate) env: &'a Env,
    /// What keeps work alive when the client goes away.
    pub(crate) execution: &'a Context,
    /// Where its time goes.
    pub(crate) timings: &'a Timings,
    /// Scheme and host that were asked for.
    pub(crate) host: &'a str,
}

/// A form on its way.
pub(super) struct Form<'a> {
    pub(super) request: &'a FormRequest,
    pub(super) fields: Fields,
    /// None while a task of its own reads a file from it.
    pub(super) reader: Option<FormReader>,
}

impl<'a> Form<'a> {
    pub(super) fn open(
        request: &'a FormRequest,
        body: Option<&ReadableStream>,
        stalled_after: Duration,
    ) -> Result<Self> {
        let Some(body) = body else { return Err(without_files().into()) };
        let reader = FormReader::new(body, &request.boundary, stalled_after)?;
        Ok(Self { request, fields: Fields::default(), reader: Some(reader) })
    }

    pub(super) async fn next_file(&mut self) -> Result<Option<FileHead>> {
        let Some(reader) = &mut self.reader else { return Err("a file is being read".into()) };
        Ok(reader.next_file(&mut self.fields).await?)
    }

    /// Which page comes next: the one that the form or its address names, where that is listed; for a browser that shows what it gets, the
    /// first that is.
    pub(super) fn redirect(&self, config: &Config) -> Result<Option<String>, ApiError> {
        let named = self.fields.get(REDIRECT_FIELD).filter(|address| !address.is_empty());
        match named.or(self.request.redirect.as_deref()) {
            Some(address) if config.form_redirects.allow(address) => Ok(Some(address.to_owned())),
            Some(_) => {
                let detail = "is none of the pages in FORM_REDIRECTS, nor below one of them that ends with a slash";
                Err(ApiError::bad_request(REDIRECT_FIELD, detail))
            }
            None if self.request.answer == AnswerFormat::Page => Ok(config.form_redirects.first().map(str::to_owned)),
            None => Ok(None),
        }
    }
}

pub(super) fn without_files() -> ApiError {
    ApiError::bad_request("form", "has no file in it")
}
