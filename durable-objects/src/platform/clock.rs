//! Time, as an object has it: the clock, and its one alarm.

use crate::platform::error::Result;
use upload_types::units::UnixMs;
use worker::{Date, State};

use crate::platform::metering::count_alarm;

/// Now.
pub(crate) fn now() -> UnixMs {
    UnixMs(Date::now().as_millis())
}

/// Sets the object's alarm. May be called inside a transaction: the call takes effect with it, at once.
pub(crate) fn set_alarm(state: &State, at: Option<UnixMs>) -> Result<()> {
    let Some(at) = at else { return Ok(()) };
    #[allow(clippy::cast_precision_loss)] // milliseconds since 1970 are far below 2^53
    let date = js_sys::Date::new(&wasm_bindgen::JsValue::from_f64(at.0 as f64));
    // The promise is not awaited: the platform holds every answer back until the write behind it is durable.
    let promise = state.storage().as_raw().set_alarm(date, wasm_bindgen::JsValue::UNDEFINED.into());
    count_alarm();
    promise.map(drop).map_err(Into::into)
}
