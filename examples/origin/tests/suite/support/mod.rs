//! The three sides of every test: [`Origin`] (the program), [`ObjectServer`] (Quayside's downloads), [`Event`] (its
//! webhooks).

mod event;
mod object_server;
mod origin;

use std::time::Duration;

pub(crate) use event::{Delivery, Event, SECRET, SIGNATURE, sha256_hex};
pub(crate) use object_server::{Answer, ObjectServer};
pub(crate) use origin::{Origin, run_to_its_end};

/// When a test gives up waiting for something that will not come.
pub(crate) const GIVE_UP: Duration = Duration::from_mins(1);

/// An HTTP client that goes nowhere but where it is told.
pub(crate) fn http_client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().timeout(GIVE_UP).build().unwrap()
}
