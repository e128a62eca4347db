//! The macro that makes [`ApiError`](super::ApiError) and all that is known of each error out of the table.

/// Makes the enum, what it says in words, and one function for each column.
macro_rules! api_errors {
    ($(
        $(#[doc = $cause:literal])+
        $name:ident $({ $($field:ident: $type:ty),+ })? = $code:literal, $status:literal, $title:literal;
            detail: $detail:tt,
            advice: $advice:literal,
            $(offset: $offset:ident,)?
            $(header_named: $header_named:ident,)?
            $(members: { $($member:literal: $value:expr),+ },)?
            $(header: $header:expr,)?
            $(retry_after: $retry_after:expr,)?
            $(challenge: $challenge:expr,)?
    )+) => {
        /// Why a request was refused. A refused request has changed nothing that was counted.
        #[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
        #[serde(rename_all_fields = "camelCase", tag = "code")]
        #[allow(missing_docs, reason = "fields say by their names what they are")]
        pub enum ApiError {
            $($(#[doc = $cause])+ $name $({ $($field: $type),+ })?,)+
        }

        impl ApiError {
            /// The one of this name, as it was serialized.
            pub(super) fn of_fields(name: &str, fields: &mut Fields) -> Result<Self, serde_json::Error> {
                match name {
                    $(stringify!($name) => Ok(Self::$name $({ $($field: fields.take(stringify!($field))?),+ })?),)+
                    _ => Err(serde::de::Error::custom("an error that nobody knows")),
                }
            }

            /// Its stable code, the last segment of the problem's `type`.
            pub fn code(&self) -> &'static str {
                match self { $(Self::$name { .. } => $code,)+ }
            }

            /// The HTTP status that fits; a protocol with its own codes maps from the variant instead.
            pub fn status(&self) -> u16 {
                match self { $(Self::$name { .. } => $status,)+ }
            }

            /// A few words that never change for one code.
            pub fn title(&self) -> &'static str {
                match self { $(Self::$name { .. } => $title,)+ }
            }
        }

        #[allow(unused_variables, reason = "a column uses some of the fields")]
        impl ApiError {
            /// The true offset, where the refusal knows it.
            pub fn uploaded_bytes(&self) -> Option<ByteCount> {
                match self { $(Self::$name $({ $($field),+ })? => macros::optional!($(*$offset)?),)+ }
            }

            /// Which of the client's own headers is meant.
            pub fn header_named(&self) -> Option<NamedHeader> {
                match self { $(Self::$name $({ $($field),+ })? => macros::optional!($(NamedHeader::$header_named)?),)+ }
            }

            /// What else stands in the problem document.
            pub fn members(&self) -> Vec<(&'static str, serde_json::Value)> {
                match self {
                    $(Self::$name $({ $($field),+ })? => vec![$($(($member, serde_json::json!($value))),+)?],)+
                }
            }

            /// A header that goes with the answer.
            pub fn header(&self) -> Option<(&'static str, String)> {
                match self { $(Self::$name $({ $($field),+ })? => macros::optional!($($header)?),)+ }
            }

            /// When to try again, in seconds, where that helps and is known.
            pub fn retry_after_seconds(&self) -> Option<u32> {
                match self { $(Self::$name $({ $($field),+ })? => macros::optional!($($retry_after)?),)+ }
            }

            /// What a client that needs another token is told about it in `WWW-Authenticate`.
            pub fn challenge(&self) -> Option<String> {
                match self { $(Self::$name $({ $($field),+ })? => macros::optional!($($challenge)?),)+ }
            }
        }

        /// What is wrong and what helps, in a sentence for a person.
        #[allow(unused_variables, reason = "a sentence names some of the fields")]
        impl std::fmt::Display for ApiError {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self { $(Self::$name $({ $($field),+ })? => macros::sentence!(f, $detail),)+ }
            }
        }

        /// A row of the table, for the reference.
        pub struct Row {
            /// What has happened.
            pub cause: &'static str,
            /// What a client does about it.
            pub advice: &'static str,
            /// One such error, whatever is in its fields.
            pub sample: ApiError,
        }

        /// All rows, in their order.
        pub fn rows() -> Vec<Row> {
            vec![$(Row {
                cause: concat!($($cause),+),
                advice: $advice,
                sample: ApiError::$name $({ $($field: $crate::api_error::sample::Sample::sample()),+ })?,
            },)+]
        }
    };
}

/// What a column holds, where a row has it.
macro_rules! optional {
    () => {
        None
    };
    ($value:expr) => {
        Some($value)
    };
}

/// A sentence with fields in it, or an expression that makes one.
macro_rules! sentence {
    ($f:ident, $text:literal) => {
        write!($f, $text)
    };
    ($f:ident, $text:expr) => {
        $f.write_str(&$text)
    };
}

pub(super) use {api_errors, optional, sentence};
