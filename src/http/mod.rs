//! HTTP: a request in, an answer out.

pub(crate) mod cors;
pub(crate) mod document;
pub(crate) mod event_stream;
pub(crate) mod health;
pub(crate) mod link_page;
pub(crate) mod router;
pub(crate) mod server_timing;
pub(crate) mod status_queue;
