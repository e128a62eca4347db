//! Dialects: how HTTP says operations. A dialect turns a request's head into an [`Operation`] and an outcome into a
//! [`Reply`](crate::operation::Reply); it does no I/O and knows nothing of how uploads work inside.

pub mod json;

use http::{HeaderMap, Method};

use crate::{operation::Operation, refusal::Refusal};

/// A request without its body.
#[derive(Clone, Debug)]
pub struct Head {
    /// The method.
    pub method: Method,
    /// The path, as sent: nothing is decoded.
    pub path: String,
    /// What stands behind the `?`, as sent.
    pub query: String,
    /// The headers.
    pub headers: HeaderMap,
}

impl Head {
    /// A header as text; `None` where it is missing or not printable ASCII.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok().map(str::trim)
    }

    /// A parameter of the query, as sent.
    pub fn query_parameter(&self, name: &str) -> Option<&str> {
        self.query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value)
    }
}

/// What a dialect makes of a request's head.
#[derive(Debug)]
pub enum Parsed {
    /// All that was needed stood in the head.
    Ready(Box<Operation>),
    /// The body says the rest: read it, up to so many bytes, and ask again with it.
    NeedsBody {
        /// More than this is refused unread.
        max_bytes: u32,
        /// What to ask.
        finish: fn(&Head, &[u8]) -> Result<Operation, Refusal>,
    },
}
