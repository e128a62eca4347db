//! Faults on purpose: every call to R2, to the queue and to an object passes through [`around`], where a test can make it
//! fail before it happens, fail after it happened, or hang. Without the cargo feature `faults`, which no release has,
//! `around` is the call and nothing else.

#[cfg(not(feature = "faults"))]
/// Makes the call.
pub async fn around<T, E: Into<crate::platform::error::Error>>(
    _point: &str,
    call: impl Future<Output = Result<T, E>>,
) -> crate::platform::error::Result<T> {
    call.await.map_err(Into::into)
}

#[cfg(feature = "faults")]
pub use planned::{Rule, around, plan};

#[cfg(feature = "faults")]
mod planned {
    use std::{cell::RefCell, time::Duration};

    use crate::platform::error::{Error, Result};
    use serde::Deserialize;
    use wasm_bindgen::JsValue;
    use worker::Delay;

    /// How long a call hangs before it fails.
    const HANG: Duration = Duration::from_secs(5);

    /// How long a slow one takes.
    const SLOW: Duration = Duration::from_secs(2);

    /// One fault.
    #[derive(Deserialize)]
    pub struct Rule {
        /// At which calls: `r2.complete`, `queue.send`, `object.commit`, …; `r2.` is every call to R2.
        point: String,
        /// At the n-th of them from now on, counted from 1.
        nth: u32,
        /// How.
        kind: Kind,
        /// The R2 error code in the message; 10001 where none is said.
        code: Option<u32>,
    }

    #[derive(Clone, Copy, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Kind {
        /// It fails and has not happened.
        Before,
        /// It has happened and fails.
        After,
        /// It has not happened and fails after a long while.
        Hang,
        /// It happens after a while.
        Slow,
        /// It fails and has not happened, since an object has too much to do.
        Overloaded,
        /// The code around it breaks off, as it would at a mistake of ours.
        Panic,
    }

    thread_local! {
        // The Worker and its objects share an isolate under `wrangler dev`, and so this.
        static RULES: RefCell<Vec<Rule>> = const { RefCell::new(Vec::new()) };
    }

    /// Adds faults to come; an empty list takes all away.
    pub fn plan(rules: Vec<Rule>) {
        RULES.with_borrow_mut(|planned| if rules.is_empty() { planned.clear() } else { planned.extend(rules) });
    }

    /// Makes the call, unless it is one that was chosen to fail.
    ///
    /// # Panics
    /// Where that is what was chosen.
    pub async fn around<T, E: Into<Error>>(point: &str, call: impl Future<Output = Result<T, E>>) -> Result<T> {
        let Some((kind, code)) = due(point) else { return call.await.map_err(Into::into) };
        match kind {
            Kind::Before => {}
            Kind::Overloaded => {
                // What the platform throws then says so in a property.
                let error = js_sys::Error::new(&format!("{point}: overloaded on purpose"));
                js_sys::Reflect::set(&error, &"overloaded".into(), &true.into())?;
                worker::console_log!(r#"{{"event":"fault_injected","code":"{point}"}}"#);
                return Err(JsValue::from(error).into());
            }
            Kind::After => drop(call.await.map_err(Into::into)?),
            Kind::Hang => Delay::from(HANG).await,
            Kind::Slow => {
                Delay::from(SLOW).await;
                return call.await.map_err(Into::into);
            }
            #[allow(clippy::panic, reason = "it is what is to be seen")]
            Kind::Panic => panic!("a fault on purpose"),
        }
        worker::console_log!(r#"{{"event":"fault_injected","code":"{point}"}}"#);
        Err(Error::from(format!("{point}: a fault on purpose ({code})")))
    }

    fn due(point: &str) -> Option<(Kind, u32)> {
        RULES.with_borrow_mut(|rules| {
            let mut fired = None;
            for rule in rules.iter_mut().filter(|rule| point.starts_with(&rule.point)) {
                rule.nth = rule.nth.saturating_sub(1);
                if rule.nth == 0 && fired.is_none() {
                    fired = Some((rule.kind, rule.code.unwrap_or(10_001)));
                }
            }
            rules.retain(|rule| rule.nth > 0);
            fired
        })
    }
}
