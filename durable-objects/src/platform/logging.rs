//! Where log lines go: one JSON object per line on the console, which `wrangler tail` and Workers Logs read, and one row of
//! metrics in Workers Analytics Engine. Where the binding `METRICS` is missing, there are lines and no rows; nothing depends on
//! either. What every chunk would say is said as often as `LOG_CHUNKS` wants; there is always a row.

use std::cell::RefCell;

use crate::platform::telemetry::{data_point, log_line::LogLine};
use js_sys::{Array, Number, Object, Reflect};
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

/// The setting: of so many lines about chunks one is written; 0, none. The Worker refuses what is no whole number (`config`).
const LOG_CHUNKS: &str = "LOG_CHUNKS";

/// Where all of it goes.
struct Destinations {
    dataset: Option<Dataset>,
    /// Of so many lines about chunks one is written.
    chunks_a_line: u32,
    /// So many have not been since.
    unwritten: u32,
}

thread_local! {
    // Bindings are the same for all requests of an isolate.
    static DESTINATIONS: RefCell<Option<Destinations>> = const { RefCell::new(None) };
}

/// Says where lines and metrics go, from now on. Called at every way in: it costs a look.
pub fn bind(env: &Env) {
    DESTINATIONS.with_borrow_mut(|bound| {
        bound.get_or_insert_with(|| {
            let found = |name: &str| Reflect::get(env, &name.into()).unwrap_or_default();
            let dataset = Some(found(METRICS_BINDING)).filter(JsValue::is_object).map(JsCast::unchecked_into);
            let said = found(LOG_CHUNKS);
            // Without quotes it is a number.
            let number = || Number::from(said.as_f64()?).to_string_with_radix(10).ok().map(String::from);
            let said = said.as_string().or_else(number);
            let chunks_a_line = said.and_then(|text| text.trim().parse().ok()).unwrap_or_default();
            Destinations { dataset, chunks_a_line, unwritten: 0 }
        });
    });
}

/// A step that every chunk takes, and that went as it should: not worth its price to everybody.
pub fn chunk(line: &LogLine<'_>) {
    let is_written = DESTINATIONS.with_borrow_mut(|bound| {
        let Some(Destinations { chunks_a_line, unwritten, .. }) = bound else { return false };
        *unwritten += 1;
        let is_its_turn = *chunks_a_line > 0 && *unwritten >= *chunks_a_line;
        *unwritten %= (*chunks_a_line).max(1);
        is_its_turn
    });
    if is_written {
        console_log!("{}", line.json());
    }
    count(line);
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
    let dataset = DESTINATIONS.with_borrow(|bound| bound.as_ref().and_then(|bound| bound.dataset.clone()));
    let Some(dataset) = dataset else { return };
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
