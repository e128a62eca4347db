//! The kill switch, as this isolate knows it: read from the register in a task of its own, which goes on when the request that had it read has
//! gone. [`SwitchCache`] says when, and who waits. What one request waits for, the platform lets no other one wake: each looks now and then.

use std::{cell::RefCell, time::Duration};

use durable_objects::platform::background::run_behind;
use durable_objects::platform::error::Result;
use durable_objects::platform::telemetry::log_line::LogLine;
use durable_objects::rpc::{
    ObjectClient, call,
    register::{REGISTER, ReadSwitch},
};
use upload_access::switch_cache::{LONGEST_WAIT_MS, SwitchCache};
use upload_types::{
    switch::{Effect, Switch},
    units::UnixMs,
};
use worker::{Context, Delay, Env};

use crate::log::{self, now_ms};

/// How often whoever waits looks.
const POLL_MS: u64 = 10;

thread_local! {
    static CACHE: RefCell<SwitchCache> = RefCell::default();
}

/// Refuses what is not taken now.
pub(crate) async fn check(effect: Effect, env: &Env, context: &Context) -> Result<()> {
    if with(|cache| cache.is_due(now())) {
        read_behind(env, context);
    }
    // What only reads goes by what is known, unless that would refuse it: it may be long over.
    if effect != Effect::Reads || with(|cache| cache.known().check(effect, now()).is_err()) {
        wait().await;
    }
    Ok(with(|cache| cache.known().check(effect, now()))?)
}

/// It has been set so by this isolate, which knows it at once.
pub(crate) fn was_set(switch: &Switch) {
    with(|cache| cache.answered(now(), Some(switch.clone())));
}

async fn wait() {
    for _ in 0..LONGEST_WAIT_MS / POLL_MS {
        if !with(|cache| cache.is_awaited(now())) {
            return;
        }
        Delay::from(Duration::from_millis(POLL_MS)).await;
    }
    with(|cache| cache.waited_in_vain(now()));
}

/// Has it read. Crash here, or the platform ends the task: what is known stays, and it is read again after a while.
fn read_behind(env: &Env, context: &Context) {
    with(|cache| cache.asked(now()));
    let env = env.clone();
    let work = async move {
        let answer = read(&env).await;
        if let Err(error) = &answer {
            let line = LogLine { event: "switch_unread", ..LogLine::default() };
            log::error(&LogLine { detail: Some(error.to_string()), ..line });
        }
        with(|cache| cache.answered(now(), answer.ok()));
    };
    run_behind(context, Box::pin(work));
}

/// As the register has it.
pub(crate) async fn read(env: &Env) -> Result<Switch> {
    call(&ObjectClient::to_ledgers(env)?, REGISTER, &ReadSwitch).await
}

fn with<T>(work: impl FnOnce(&mut SwitchCache) -> T) -> T {
    CACHE.with_borrow_mut(work)
}

fn now() -> UnixMs {
    UnixMs(now_ms())
}
