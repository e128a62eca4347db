//! Who may do what: what an application's token says, and which pages may ask. Pure; signatures of public keys are verified outside, with
//! what the platform has.
//!
//! * [`token`]: who may upload what, by word of the application.
//! * [`accept`]: what the application says of one upload, where it is asked before it is created.
//! * [`cors`]: which pages may ask, and what they may read.

#![forbid(unsafe_code)]

pub mod accept;
pub mod cors;
pub mod token;
