//! In what order requests come to an upload's object: some wait before they are served.

use std::cell::Cell;

/// In what order those came that want to store a chunk or ask where to go on, since some wait before they are served. In memory
/// only: nobody who waits outlives it.
#[derive(Default)]
pub(crate) struct RequestOrder {
    newest: Cell<u64>,
    served: Cell<u64>,
}

impl RequestOrder {
    pub(crate) fn arrive(&self) -> u64 {
        self.newest.set(self.newest.get() + 1);
        self.newest.get()
    }

    /// Whether somebody who came later has been served.
    pub(crate) fn is_overtaken(&self, arrival: u64) -> bool {
        arrival < self.served.get()
    }

    pub(crate) fn serve(&self, arrival: u64) {
        self.served.set(self.served.get().max(arrival));
    }

    /// Whoever waits has lost: an offset is told that must stay true.
    pub(crate) fn overtake_all(&self) {
        self.serve(self.arrive());
    }
}
