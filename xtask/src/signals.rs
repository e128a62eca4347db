//! Ctrl-C, and what else asks this program to end: SIGINT, SIGTERM, SIGHUP.

use std::thread;

use anyhow::{Context, Result};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// Calls `stop` at the first such signal, instead of ending at once. A second one ends this program at once; keepers
/// then still end what they keep.
pub(crate) fn on_stop(stop: impl FnOnce() + Send + 'static) -> Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).context("listening for Ctrl-C")?;
    thread::spawn(move || {
        let mut arrivals = signals.forever();
        if arrivals.next().is_some() {
            thread::spawn(stop);
        }
        if arrivals.next().is_some() {
            std::process::exit(130);
        }
    });
    Ok(())
}
