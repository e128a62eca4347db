//! What went wrong with the platform, small: a [`worker::Error`] behind a pointer. Every `?` moves its error, there are hundreds
//! of them, and moved whole it is some 60 bytes each time.

use std::{fmt, ops::Deref};

use wasm_bindgen::JsValue;

/// What the platform said.
pub struct Error(Box<worker::Error>);

/// With such an error, unless another is named.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Deref for Error {
    type Target = worker::Error;

    fn deref(&self) -> &worker::Error {
        &self.0
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {}

impl From<Error> for worker::Error {
    fn from(error: Error) -> Self {
        *error.0
    }
}

impl From<worker::Error> for Error {
    #[inline(never)]
    fn from(error: worker::Error) -> Self {
        Self(Box::new(error))
    }
}

/// What a `worker::Error` is made of is one of these as well.
macro_rules! from {
    ($($cause:ty),*) => {
        $(impl From<$cause> for Error {
            #[inline(never)]
            fn from(cause: $cause) -> Self {
                Self(Box::new(cause.into()))
            }
        })*
    };
}

from!(&str, String, JsValue, serde_json::Error);
