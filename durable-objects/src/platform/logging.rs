//! Where log lines go: one JSON object per line on the console, which `wrangler tail` and Workers Logs read, and one row of
//! metrics in Workers Analytics Engine. Where the binding `METRICS` is missing, there are lines and no rows; nothing depends on
//! either.

use std::cell::RefCell;

use crate::platform::telemetry::{data_point, log_line::LogLine};
use js_sys::{Array, Object, Reflect};
use upload_session::session::Session;
use upload_types::upload::Phase;
use wasm_bindgen::{JsCast, JsValue, prelude::wasm_bindgen};
use worker::{Env, console_error, console_log};

use crate::platform::clock::now;

/// Which binding of wrangler.toml leads to the dataset.
const METRICS_BINDING: &str = "METRICS";

#[wasm_bindgen]
extern "C" {
    /// <https://developers.cloudflare.com/analytics/analytics-engine/get-started/>
    #[derive(Clone)]
    type Dataset;

    #[wasm_bindgen(method, catch, js_name = writeDataPoint)]
    fn write_data_point(this: &Dataset, point: &JsValue) -> Result<(), JsValue>;
}

thread_local! {
    // Bindings are the same for all requests of an isolate.
    static DATASET: RefCell<Option<Dataset>> = const { RefCell::new(None) };
}

/// Says where metrics go, from now on. Called at every way in: it costs a look.
pub fn bind(env: &Env) {
    DATASET.with_borrow_mut(|dataset| {
        if dataset.is_none() {
            let found = Reflect::get(env, &METRICS_BINDING.into()).ok();
            *dataset = found.filter(JsValue::is_object).map(JsCast::unchecked_into);
        }
    });
}

/// A step that went as it should, or was refused.
pub fn info(line: &LogLine<'_>) {
    console_log!("{}", line.json());
    count(line);
}

/// A fault: somebody should look.
pub fn error(line: &LogLine<'_>) {
    console_error!("{}", line.json());
    count(line);
}

/// Something of ours went wrong, there.
pub(crate) fn fault(at: &str) -> LogLine<'_> {
    LogLine { event: "fault", code: Some(at), ..LogLine::default() }
}

/// An upload has come into another phase of its life.
pub(crate) fn phase(session: &Session) {
    let shown = session.snapshot();
    // Open it was from the start: it is so again.
    let event = if shown.phase == Phase::Open { "reopened" } else { shown.phase.name() };
    info(&LogLine {
        bytes: Some(shown.uploaded_bytes),
        duration_ms: Some(now().ms_since(shown.created_at)),
        detail: shown.reason,
        cost: session.ended_at().map(|_| shown.cost),
        ..LogLine::of(event, shown.id)
    });
}

/// Writing a row returns at once and cannot fail in a way that matters here: it is counted or it is not.
fn count(line: &LogLine<'_>) {
    let Some(dataset) = DATASET.with_borrow(Clone::clone) else { return };
    let row = data_point(line);
    let point = Object::new();
    let texts = |texts: &[String]| texts.iter().map(|text| JsValue::from_str(text)).collect::<Array>();
    let columns = [
        ("indexes", texts(&[row.index])),
        ("blobs", texts(&row.blobs)),
        ("doubles", row.doubles.iter().map(|number| JsValue::from_f64(*number)).collect()),
    ];
    for (name, values) in columns {
        let _ = Reflect::set(&point, &name.into(), &values);
    }
    let _ = dataset.write_data_point(&point);
}
