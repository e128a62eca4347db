//! Who may do what: what an application's token says, and which pages may ask. Pure; signatures of public keys are verified outside, with
//! what the platform has.
//!
//! * [`token`]: who may upload what, by word of the application.
//! * [`accept`]: what the application says of one upload, where it is asked before it is created.
//! * [`cors`]: which pages may ask, and what they may read.
//! * [`switch_cache`]: what a Worker remembers of what the service takes just now.
//! * [`signed_url`]: who may read one object, by word of whoever handed out its link.

#![forbid(unsafe_code)]

pub mod accept;
pub mod cors;
pub mod signed_url;
pub mod switch_cache;
pub mod token;
