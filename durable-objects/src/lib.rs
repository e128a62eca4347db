//! The Durable Objects: one for each upload, one for each owner (the ledger).
//!
//! An upload's object is the lock that keeps its file right. What makes it one:
//!
//! * **One decision at a time.** Between reading the session ([`upload_session::session::Session`]) and storing what a decision changes there
//!   is no `await`, so no two decisions are taken on the same facts. Being single-threaded would not be enough: while the object waits
//!   for R2, other requests come in. (*Input gates* hold others back only during storage operations:
//!   <https://blog.cloudflare.com/durable-objects-easy-fast-correct-choose-three/>.)
//! * **Nothing is said before it is stored.** The platform holds every answer back until the writes before it are durable (*output
//!   gate*, same source). So an offset that a client has heard survives any crash.
//! * **Fencing.** Bytes are written by Workers, outside the object. Each has a lease with an attempt number; a commit under an older number
//!   is refused, and a part number is used again only once its last writer has surely ended. A writer that was thought dead can do no
//!   harm ([`upload_session::session`]).
//! * **Duties follow from facts.** What is left to do, such as completing the multipart upload or handing an event to the queue, is derived
//!   from what is stored, and so is the time of the alarm. A crash loses no duty.
//!
//! Where things are:
//!
//! * [`upload`]: the object of an upload. `commands` says who answers each command; `create`, `begin`, `presigned` and `repair` carry out the larger
//!   ones; `queries` answers from the session alone; `storage` talks to R2; `tables` and `facts` are its SQL; `alarm` and `arming` its
//!   alarm; `watchers` its sockets; `history` what has happened to it.
//! * `ledger`: the object of an owner: what is open, what is stored, what is left of the quota. `book` has the rules on any SQLite, `tables` the SQL.
//! * [`rpc`]: the commands of both, as the Worker sends them. The only way in.
//! * [`platform`]: errors, R2, the clock, SQL, transactions, queues, log lines, faults that tests inject.
//!
//! No request body passes through an object, and no rule stands here: rules are in `upload-session`. The classes are public for the runtime's
//! sake: they must be named in the root package, or they silently vanish from the wasm.

mod ledger;
pub mod platform;
pub mod rpc;
pub mod upload;

pub use ledger::OwnerLedger;
pub use upload::UploadSession;
