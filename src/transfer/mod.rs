//! Bytes of a body on their way into storage.

pub(crate) mod attempt;
pub(crate) mod body;
pub(crate) mod error;
pub(crate) mod form;
pub(crate) mod gathering;
pub(crate) mod given;
pub(crate) mod held;
pub(crate) mod idle_timeout;
pub(crate) mod pipeline;
pub(crate) mod prefix;
pub(crate) mod relay;
pub(crate) mod renewal;
