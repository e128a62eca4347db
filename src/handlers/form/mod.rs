//! A form with files: it is read as it comes, and each file in it becomes an upload. A small file is stored once its end is there, in one
//! piece; of a larger one what has come is stored while more comes, as of any body without length.
//!
//! No upload of a form is complete before the whole form is there: then each is told how long it is, and what the fields say of it that stand
//! behind it. So a form that is broken off or malformed leaves nothing, and neither does one of which one file is refused and with it all.
//!
//! In production a request ends with its client. So that the end of a form is decided all the same, `entry.js` puts all of its request under
//! `waitUntil`: it goes on for 30 seconds at most, and what was not given up by then expires.
//!
//! A form that brings a piece of a file is no file: see `chunks`.

mod chunks;
mod files;
mod open;

use durable_objects::platform::error::{Error, Result};
use upload_protocols::{
    Asked, Head,
    form::{self, Fields, FileHead, FormRequest, TOKEN_FIELD},
};
use upload_types::{
    api_error::ApiError,
    operation::{Operation, Reply},
    units::ByteCount,
};
use web_sys::ReadableStream;

pub(crate) use self::open::Surroundings;
use self::{
    files::{Files, Stopped},
    open::{Form, without_files},
};
use crate::{
    access,
    config::Config,
    context::RequestContext,
    transfer::{form::Ahead, relay::drain},
};

/// Carries out a form.
pub(crate) async fn answer(
    request: &FormRequest,
    asked: &Asked<'_>,
    body: Option<ReadableStream>,
    around: Surroundings<'_>,
) -> Result<Reply> {
    let limit_bytes = around.config.limits.max_chunk_bytes;
    if request.body_bytes.is_some_and(|bytes| bytes > limit_bytes) {
        drain(body).await?;
        return Err(ApiError::ChunkTooLarge { limit_bytes }.into());
    }
    let mut form = Form::open(request, body.as_ref(), around.config.stalled_after)?;
    let replied = carry_out(&mut form, asked, around).await;
    if replied.is_err()
        && let Some(reader) = &mut form.reader
    {
        // Its sender, who is still sending, is to see the answer.
        reader.drain_form().await;
    }
    replied
}

/// No file that comes whole is longer than its form, so its parts need not be as large as those of the largest file that there may be: what is
/// gathered is a part, mostly.
fn bounded(config: &Config, body_bytes: Option<ByteCount>) -> Config {
    let mut config = config.clone();
    if let Some(bytes) = body_bytes {
        config.limits.max_upload_bytes = config.limits.max_upload_bytes.min(bytes);
    }
    config
}

async fn carry_out(form: &mut Form<'_>, asked: &Asked<'_>, around: Surroundings<'_>) -> Result<Reply> {
    let first = form.next_file().await?;
    // By here the form has said all that says who sends it, and nothing has been stored.
    let head = with_token(asked.head, &form.fields);
    if let Some(reply) = chunks::answer(form, first.as_ref(), &head, asked, around).await? {
        return Ok(reply);
    }
    let Some(first) = first else { return Err(without_files().into()) };
    let config = bounded(around.config, form.request.body_bytes);
    let around = Surroundings { config: &config, ..around };
    form.redirect(around.config)?;
    let create = form.request.creation(&head, &first, &form.fields, 0, None)?;
    let Surroundings { config, env, execution, timings, host } = around;
    let access = access::identify(&head, &Operation::Create(create), config, host, execution).await?;
    let address = asked.head.header("cf-connecting-ip");
    let context = RequestContext { config, env, execution, address, access: &access, timings };
    let mut files = Files::new(context);
    match store_all(form, first, &head, &mut files).await {
        Ok(redirect) => {
            let answers = files.complete(&form.fields).await?;
            Ok(form::reply(asked, form.request, &answers, redirect.as_deref()))
        }
        Err(stopped) => {
            let has_key = head.headers.contains_key("idempotency-key");
            // Under its key the same form may come again, and finds what has arrived of it.
            if !has_key {
                files.abort(&stopped).await;
            }
            match stopped {
                Stopped::ByFile(refused) => {
                    if let Some(reader) = &mut form.reader {
                        reader.drain_form().await;
                    }
                    Ok(form::refused_by(asked, &refused))
                }
                Stopped::By(error) => Err(match error {
                    Error::Refused(refusal) => access.restate(refusal).into(),
                    fault @ Error::Fault(_) => fault,
                }),
            }
        }
    }
}

/// Stores every file of the form. Says which page comes next.
async fn store_all(
    form: &mut Form<'_>,
    first: FileHead,
    head: &Head,
    files: &mut Files<'_>,
) -> Result<Option<String>, Stopped> {
    let mut next = Some(first);
    while let Some(file) = next {
        let ahead = files.store(form, file, head).await?;
        next = match ahead {
            Ahead::File(file) => Some(file),
            Ahead::Nothing => None,
            Ahead::Paused => form.next_file().await?,
        };
    }
    if files.are_none() {
        return Err(without_files().into());
    }
    // Nothing is complete yet: what the whole form says is looked at once more before anything is.
    form.fields.metadata("")?;
    Ok(form.redirect(files.config())?)
}

/// The head with the token that the form has brought, where no header has one.
fn with_token(head: &Head, fields: &Fields) -> Head {
    let mut head = head.clone();
    let token = fields.get(TOKEN_FIELD).map(|token| format!("Bearer {}", token.trim()));
    if let Some(token) = token
        && !head.headers.contains_key("authorization")
    {
        head.headers.insert("authorization", token);
    }
    head
}
