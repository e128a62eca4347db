//! What the platform gives: errors, R2, the clock and the alarm, SQLite, sockets, queues, log lines, what rows cost; and faults, where they are built in.

pub mod background;
pub(crate) mod clock;
pub mod error;
pub mod fault_injection;
pub mod logging;
pub(crate) mod metering;
pub mod object_storage;
pub(crate) mod sockets;
pub(crate) mod sql;
pub mod telemetry;
pub(crate) mod transaction;
