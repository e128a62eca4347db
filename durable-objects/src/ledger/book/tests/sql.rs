//! A SQLite of the host, as the ledger sees its database. A row that is inserted, changed or deleted in a table without other indexes is
//! what the platform charges for as one written row; what is read is measured in the steps of SQLite's machine, which grow with the rows
//! that a statement visits.

use std::cell::Cell;

use rusqlite::{Connection, StatementStatus, types::ValueRef};
use serde::de::DeserializeOwned;

use crate::{
    ledger::database::{Database, Value},
    platform::error::Result,
};

/// A database, and the steps that it has made.
pub(crate) struct Host {
    connection: Connection,
    steps: Cell<u64>,
}

impl Host {
    /// An empty one.
    pub(crate) fn new() -> Self {
        Self { connection: Connection::open_in_memory().unwrap(), steps: Cell::default() }
    }

    /// How many tables of keys there are.
    pub(super) fn tables_of_creations(&self) -> u64 {
        self.number("SELECT count(*) AS number FROM sqlite_master WHERE name LIKE 'creation_%'")
    }

    /// How many links are remembered.
    pub(super) fn links(&self) -> u64 {
        self.number("SELECT count(*) AS number FROM upload_link")
    }

    fn number(&self, query: &str) -> u64 {
        let found: Vec<serde_json::Value> = self.rows(query, Vec::new()).unwrap();
        found[0]["number"].as_u64().unwrap()
    }

    /// How many rows have been written, and how many steps it took to do and to find what was asked.
    pub(crate) fn written_and_steps(&self) -> (u64, u64) {
        (self.connection.total_changes(), self.steps.get())
    }
}

fn parameters(values: &[Value]) -> Vec<rusqlite::types::Value> {
    let one = |value: &Value| match value {
        Value::Text(text) => text.clone().into(),
        Value::Number(number) => (*number).into(),
    };
    values.iter().map(one).collect()
}

impl Database for &Host {
    fn rows<T: DeserializeOwned>(&self, statement: &str, values: Vec<Value>) -> Result<Vec<T>> {
        let mut prepared = self.connection.prepare(statement).unwrap();
        let columns: Vec<String> = prepared.column_names().map(str::to_owned).collect();
        let mut found = prepared.query(rusqlite::params_from_iter(parameters(&values))).unwrap();
        let mut rows = Vec::new();
        while let Some(row) = found.next().unwrap() {
            let fields = columns.iter().enumerate().map(|(index, name)| {
                let value = match row.get_ref(index).unwrap() {
                    ValueRef::Integer(number) => number.into(),
                    ValueRef::Text(text) => std::str::from_utf8(text).unwrap().into(),
                    other => panic!("{other:?}"),
                };
                (name.clone(), value)
            });
            rows.push(serde_json::from_value(serde_json::Value::Object(fields.collect())).unwrap());
        }
        drop(found);
        let count = |status| u64::try_from(prepared.get_status(status)).unwrap();
        self.steps.set(self.steps.get() + count(StatementStatus::VmStep));
        Ok(rows)
    }

    fn run(&self, statement: &str, values: Vec<Value>) -> Result<()> {
        self.rows::<serde_json::Value>(statement, values).map(drop)
    }

    fn in_transaction(&self, mut work: impl FnMut() -> Result<()>) -> Result<()> {
        self.connection.execute_batch("SAVEPOINT s").unwrap();
        let done = work();
        self.connection.execute_batch(if done.is_ok() { "RELEASE s" } else { "ROLLBACK TO s; RELEASE s" }).unwrap();
        done
    }
}
