//! `ctx.storage.transactionSync`, which the `worker` crate does not bind.
//!
//! Writes of an object without an `await` between them become durable together, but they are *not* undone when one of them
//! fails: the ones before it stay. A synchronous transaction undoes them.
//! <https://developers.cloudflare.com/durable-objects/api/sqlite-storage-api/#transactionsync>

use crate::platform::error::{Error, Result};
use wasm_bindgen::{JsCast, JsValue, prelude::wasm_bindgen};
use worker::Storage;

#[wasm_bindgen]
extern "C" {
    type SyncStorage;

    #[wasm_bindgen(method, catch, js_name = transactionSync)]
    fn transaction_sync(
        this: &SyncStorage,
        body: &mut dyn FnMut() -> Result<JsValue, JsValue>,
    ) -> Result<JsValue, JsValue>;
}

/// Runs `body`; either all that it wrote stays, or, where it returns an error, nothing, and the error comes back.
pub(crate) fn transaction(storage: &Storage, mut body: impl FnMut() -> Result<()>) -> Result<()> {
    let raw: &JsValue = storage.as_raw().as_ref();
    let ran = raw.unchecked_ref::<SyncStorage>().transaction_sync(&mut || {
        body().map(|()| JsValue::UNDEFINED).map_err(|error| worker::Error::from(error).into())
    });
    ran.map(drop).map_err(Error::from)
}
