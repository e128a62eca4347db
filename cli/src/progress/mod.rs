//! What is said while a command works. All of it shows bytes that the server has confirmed. Results go to stdout, everything else to stderr.

mod bars;
mod json;
mod lines;
pub(crate) mod report;
pub(crate) mod style;
pub(crate) mod words;
