//! A form that brings a piece of a file, as libraries send them, or that announces one (FilePond). Its fields say so before the file begins.

use durable_objects::platform::error::{Error, Result};
use futures_util::future::{Either, select};
use upload_protocols::{
    Asked, Head,
    chunked_form::{self, Said},
    filepond,
    form::FileHead,
};
use upload_session::session::Continuation;
use upload_types::{
    api_error::ApiError,
    operation::{Append, Operation, Outcome, Reply},
    units::ByteCount,
};

use super::open::{Form, Surroundings};
use crate::{
    access,
    context::{HandlerResult, RequestContext, TransferContext},
    handlers::{append, await_object, create, keyed_chunk},
    transfer::{body::fixed_length, form::FormReader},
};

/// The answer to a form that is one of these; none to any other. `file` is what has begun in it.
pub(super) async fn answer(
    form: &mut Form<'_>,
    file: Option<&FileHead>,
    head: &Head,
    asked: &Asked<'_>,
    around: Surroundings<'_>,
) -> Result<Option<Reply>> {
    let operation = match file {
        None => filepond::creation(head, form.fields.pairs())?.map(Operation::Create),
        Some(file) => chunk(form, file, head).await?,
    };
    let Some(operation) = operation else { return Ok(None) };
    let Surroundings { config, env, execution, timings, host } = around;
    let access = access::identify(head, &operation, config, host, execution).await?;
    let address = head.header("cf-connecting-ip");
    let context = RequestContext { config, env, execution, address, access: &access, timings };
    let carried_out = match operation {
        Operation::Create(create) => {
            create::handle(create, context).await.map(|outcome| filepond::reply(asked, &outcome))
        }
        Operation::AppendKeyed(chunk) => match keyed_chunk::when_its_turn_comes(&chunk, context).await {
            Ok(append) => store(form, append, context).await.map(|outcome| chunked_form::reply(asked, &outcome)),
            Err(error) => Err(error),
        },
        _ => Err(Error::from("a form asks for nothing else")),
    };
    match carried_out {
        Ok(reply) => Ok(Some(reply)),
        Err(Error::Refused(refusal)) => Err(access.restate(refusal).into()),
        Err(fault) => Err(fault),
    }
}

/// The piece that comes in this form, if it is one.
async fn chunk(form: &mut Form<'_>, file: &FileHead, head: &Head) -> Result<Option<Operation>> {
    let (file_name, content_type) = (Some(file.name.as_str()).filter(|_| file.is_named), file.content_type.as_deref());
    let said = Said { head, fields: form.fields.pairs(), file_name, content_type };
    let Some(chunk) = chunked_form::recognize(&said)? else { return Ok(None) };
    let Some(reader) = &mut form.reader else { return Err(Error::from("a file is being read")) };
    let length = match (form.request.body_bytes, chunk.length) {
        (Some(form_bytes), said) => {
            let to_come = reader.bytes_to_come(form_bytes.get(), &form.request.boundary).await?;
            length(to_come, said)
        }
        (None, Some(said)) => said,
        (None, None) => return Err(ApiError::LengthRequired.into()),
    };
    Ok(Some(Operation::AppendKeyed(chunk.keyed(&said, length)?)))
}

/// How long a piece is. Behind the last boundary of a form the end of the line may be missing.
fn length(to_come: u64, said: Option<ByteCount>) -> ByteCount {
    const LINE_END_BYTES: u64 = 2;
    match said {
        Some(said) if said.get() == to_come + LINE_END_BYTES => said,
        _ => ByteCount::new(to_come).unwrap_or(ByteCount::MAX),
    }
}

/// Stores the piece, whose turn it is. The work goes on for a while when the client goes away.
async fn store(form: &mut Form<'_>, append: Append, context: RequestContext<'_>) -> HandlerResult {
    let wait = append.wait;
    if append.length.is_zero() {
        return append::handle(append, None, context).await;
    }
    let Some(mut reader) = form.reader.take() else { return Err(Error::from("a file is being read")) };
    let storing = context.storing()?;
    let (stored, reader) = context
        .run_with_wait_until(async move {
            let stored = flow(&mut reader, append, &storing).await;
            (stored, reader)
        })
        .await?;
    let broken = reader.broken();
    form.reader = Some(reader);
    // Where the form has stopped it, that is what its sender has to know.
    if let (Err(Error::Refused(_)), Err(refusal)) = (&stored, broken) {
        return Err(refusal.into());
    }
    await_object::wait_for_object(wait, stored?, context).await
}

/// The piece from the form into storage.
async fn flow(reader: &mut FormReader, append: Append, storing: &TransferContext) -> Result<Outcome> {
    let bytes = append.length.get();
    let (sink, readable) = fixed_length(bytes)?;
    let stored = Box::pin(append::store(append, Continuation::default(), Some(readable), storing));
    let flowing = Box::pin(reader.flow_into(&sink, bytes));
    match select(stored, flowing).await {
        Either::Left((stored, _)) => stored.map(|stored| stored.outcome),
        Either::Right((had_so_many, stored)) => match (stored.await, had_so_many) {
            (Err(Error::Refused(_)), Ok(false)) => Err(other_length(bytes).into()),
            (stored, _) => stored.map(|stored| stored.outcome),
        },
    }
}

fn other_length(bytes: u64) -> ApiError {
    ApiError::bad_request(
        "file",
        format!("has another length than {bytes} bytes, or something stands behind it in the form"),
    )
}
