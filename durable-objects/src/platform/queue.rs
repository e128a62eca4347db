//! Sending to a queue. The `worker` crate makes JavaScript of a message by way of serde, with a serializer of its own; here the
//! message is JSON already, as everything else that travels.

use js_sys::{Object, Promise, Reflect};
use wasm_bindgen::{JsCast, JsValue, prelude::wasm_bindgen};
use wasm_bindgen_futures::JsFuture;
use worker::Env;

use crate::platform::error::Result;

#[wasm_bindgen]
extern "C" {
    type Queue;
    #[wasm_bindgen(method, catch)]
    fn send(this: &Queue, message: &JsValue, options: &Object) -> Result<Promise, JsValue>;
}

/// Sends a message, which travels as JSON, to the queue of this binding.
pub async fn send(env: &Env, binding: &str, message: &JsValue) -> Result<()> {
    let queue = JsValue::from(env.queue(binding)?);
    let options = Object::new();
    Reflect::set(&options, &"contentType".into(), &"json".into())?;
    JsFuture::from(queue.unchecked_ref::<Queue>().send(message, &options)?).await?;
    Ok(())
}
