//! One upload, from a file or a pipe to an object that is compared.
//!
//! * [`life`]: found or created, sent, waited for, compared; [`base`]: what its steps stand on; [`sent`]: what came of it.
//! * [`source`]: the file. [`digest`]: what it hashes to. [`chunk_queue`]: what is still to be sent. [`names`]: what it is called.
//! * [`transfer`]: chunks on their way, several at once. [`direct`]: one past the server. [`lane`]: how many. [`retry`]: when again.
//! * [`small`]: a small file, in one request. [`stream`]: what comes from a pipe, in chunks. [`live`]: what comes from one for hours, at once;
//!   [`spool`]: what of that does not count yet. [`positioned`]: reading and writing at a place in a file.

pub(crate) mod base;
pub(crate) mod chunk_queue;
pub(crate) mod digest;
mod direct;
pub(crate) mod lane;
pub(crate) mod life;
pub(crate) mod live;
pub(crate) mod names;
mod positioned;
pub(crate) mod retry;
pub(crate) mod sent;
mod small;
pub(crate) mod source;
pub(crate) mod spool;
pub(crate) mod stream;
mod transfer;
