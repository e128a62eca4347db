//! What an upload has cost: the operations that the platform charges for, counted by the upload's object while it works.
//!
//! The counts are kept with [`upload_session::session::UploadState`], so they are stored whenever that row is written anyway, and never
//! by a write of their own. What was counted since is lost when the object is put to sleep: of a sequential upload at
//! most what follows its newest attempt's begin; of a parallel one everything since its creation, of which
//! [`Cost::of_parallel_chunks`] then takes the place. The object of a direct upload sleeps while its parts are under way, so there the row
//! is written with every request that signs or records.
//!
//! Exact: rows, by SQLite's own counts, and requests to the upload's object, but for questions (status), which are the asker's.
//! By rule, not by measurement: what the owner's ledger does for an upload, as if each were created with a key; a queue's message, as
//! three operations; R2's list of the parts of a direct upload, as one. Not counted: parts of attempts that never came to their
//! commit, or were never recorded; that a creation brings its bytes along, which shows as two requests to the Worker where its
//! chunk has to ask for itself.

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

/// Counts of what is charged for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Cost {
    /// Requests to the Worker, and invocations by the queue.
    pub worker_requests: u64,
    /// Requests to Durable Objects, and alarms.
    pub object_requests: u64,
    /// Rows read from SQLite.
    pub rows_read: u64,
    /// Rows written, settings of the alarm among them.
    pub rows_written: u64,
    /// R2 operations that write or list.
    pub r2_class_a: u64,
    /// R2 operations that read.
    pub r2_class_b: u64,
    /// Writes, reads and deletions of messages.
    pub queue_operations: u64,
}

impl Cost {
    /// Nothing.
    pub const NONE: Self = Self {
        worker_requests: 0,
        object_requests: 0,
        rows_read: 0,
        rows_written: 0,
        r2_class_a: 0,
        r2_class_b: 0,
        queue_operations: 0,
    };

    /// Whether nothing was counted.
    pub fn is_none(&self) -> bool {
        *self == Self::NONE
    }

    /// What so many tries at chunks of a parallel upload have cost at least, of which so many are stored: a request, a
    /// begin and a row each; and a commit, a row and a part for each that is stored.
    pub fn of_parallel_chunks(tries: u64, stored: u64) -> Self {
        Self {
            worker_requests: tries,
            object_requests: tries + stored,
            rows_written: tries + stored,
            r2_class_a: stored,
            ..Self::NONE
        }
    }

    /// The larger of two counts of the same, one by one.
    #[must_use]
    pub fn at_least(self, other: Self) -> Self {
        Self {
            worker_requests: self.worker_requests.max(other.worker_requests),
            object_requests: self.object_requests.max(other.object_requests),
            rows_read: self.rows_read.max(other.rows_read),
            rows_written: self.rows_written.max(other.rows_written),
            r2_class_a: self.r2_class_a.max(other.r2_class_a),
            r2_class_b: self.r2_class_b.max(other.r2_class_b),
            queue_operations: self.queue_operations.max(other.queue_operations),
        }
    }
}

impl AddAssign for Cost {
    fn add_assign(&mut self, other: Self) {
        self.worker_requests += other.worker_requests;
        self.object_requests += other.object_requests;
        self.rows_read += other.rows_read;
        self.rows_written += other.rows_written;
        self.r2_class_a += other.r2_class_a;
        self.r2_class_b += other.r2_class_b;
        self.queue_operations += other.queue_operations;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_add_up() {
        let mut cost = Cost::of_parallel_chunks(3, 2);
        cost += Cost { rows_read: 7, r2_class_a: 1, ..Cost::NONE };
        let expected =
            Cost { worker_requests: 3, object_requests: 5, rows_read: 7, rows_written: 5, r2_class_a: 3, ..Cost::NONE };
        assert_eq!(cost, expected);
    }

    #[test]
    fn what_is_known_of_the_lanes_stands_in_for_what_was_forgotten() {
        let stored = Cost { rows_read: 9, rows_written: 4, ..Cost::NONE };
        let known = stored.at_least(Cost::of_parallel_chunks(2, 2));
        assert_eq!((known.rows_read, known.rows_written, known.r2_class_a), (9, 4, 2));
    }

    #[test]
    fn the_stored_form_is_read_back_also_where_a_count_is_missing() {
        let json = r#"{"workerRequests":1,"objectRequests":2,"rowsRead":3,"rowsWritten":4,"r2ClassA":5,"r2ClassB":6,"queueOperations":7}"#;
        let cost: Cost = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&cost).unwrap(), json);
        assert_eq!(serde_json::from_str::<Cost>(r#"{"rowsRead":3}"#).unwrap(), Cost { rows_read: 3, ..Cost::NONE });
    }
}
