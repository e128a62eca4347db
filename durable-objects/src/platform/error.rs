//! Why something did not succeed. There are two kinds, and `?` carries both: the client is refused, which it can mend, or something of
//! ours or of the platform's went wrong, which it cannot.

use std::fmt;

use upload_types::api_error::ApiError;
use wasm_bindgen::JsValue;

/// Why something did not succeed.
pub enum Error {
    /// The client is told so in the words of its protocol. Nothing that was counted has changed.
    Refused(ApiError),
    /// A fault. The client is told an id, under which the log says more.
    Fault(worker::Error),
}

/// With such an error, unless another is named.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Fault(fault) => fault.fmt(f),
        }
    }
}

/// In words, too: whoever asks for more than words gets it from the log.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {}

impl From<ApiError> for Error {
    fn from(refusal: ApiError) -> Self {
        Self::Refused(refusal)
    }
}

/// What is thrown to the platform is a fault, whatever it was.
impl From<Error> for worker::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused(refusal) => Self::RustError(refusal.to_string()),
            Error::Fault(fault) => fault,
        }
    }
}

/// Whatever the `worker` crate takes for an error is a fault.
macro_rules! faults {
    ($($cause:ty),*) => {
        $(impl From<$cause> for Error {
            fn from(cause: $cause) -> Self {
                Self::Fault(cause.into())
            }
        })*
    };
}

faults!(worker::Error, &str, String, JsValue, serde_json::Error);
