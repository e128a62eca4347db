//! SQLite, as the ledger needs it: a few methods, so that its tests run the very same statements on the host.

use serde::de::DeserializeOwned;
use upload_types::units::{ByteCount, UnixMs};
use worker::{SqlStorageValue, Storage};

use crate::platform::sql::rows;
use crate::platform::{
    error::{Error, Result},
    metering::exec,
    transaction::transaction,
};

/// What stands for a `?`.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// A text.
    Text(String),
    /// A whole number, below 2^53 or near to its negative.
    Number(i64),
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Number(number.try_into().unwrap_or(i64::MAX))
    }
}

impl From<UnixMs> for Value {
    fn from(at: UnixMs) -> Self {
        at.0.into()
    }
}

impl From<ByteCount> for Value {
    fn from(bytes: ByteCount) -> Self {
        bytes.get().into()
    }
}

/// A database.
pub(crate) trait Database {
    /// The rows that a statement finds, or has changed and returns.
    fn rows<T: DeserializeOwned>(&self, statement: &str, values: Vec<Value>) -> Result<Vec<T>>;

    /// Runs a statement.
    fn run(&self, statement: &str, values: Vec<Value>) -> Result<()>;

    /// Runs `work`; either all that it wrote stays, or, where it returns an error, nothing.
    fn in_transaction(&self, work: impl FnMut() -> Result<()>) -> Result<()>;
}

impl Database for Storage {
    fn rows<T: DeserializeOwned>(&self, statement: &str, values: Vec<Value>) -> Result<Vec<T>> {
        rows(&self.sql(), statement, bound(values)?)
    }

    fn run(&self, statement: &str, values: Vec<Value>) -> Result<()> {
        exec(&self.sql(), statement, bound(values)?)
    }

    fn in_transaction(&self, work: impl FnMut() -> Result<()>) -> Result<()> {
        transaction(self, work)
    }
}

fn bound(values: Vec<Value>) -> Result<Vec<SqlStorageValue>> {
    let bound = values.into_iter().map(|value| match value {
        Value::Text(text) => Ok(text.into()),
        Value::Number(number) => SqlStorageValue::try_from_i64(number).map_err(Error::from),
    });
    bound.collect()
}
