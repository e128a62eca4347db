//! Waiting inside an upload's object for something that another request or the alarm brings about. Others come in meanwhile.

use std::{
    cell::{Cell, RefCell},
    time::Duration,
};

use upload_session::session::Session;
use upload_types::{units::ByteCount, upload::Phase};
use worker::Delay;

use crate::platform::clock::now;

/// How long whoever asks where to go on waits for a running append.
const LAST_COMMIT_MS: u64 = 2_000;

/// How long whoever wants to hear of the object waits for it: 25 s, below the 30 s after which clients and proxies give up.
const OBJECT_MS: u64 = 25_000;

/// How long a chunk that came too early waits here for those in front of it at most, before its Worker asks again: as long as for the object.
const BYTES_MS: u64 = 25_000;

/// How often it is looked.
const POLL_MS: u64 = 20;

/// And for whoever follows a live upload, of whom there may be many.
const FOLLOWER_POLL_MS: u64 = 250;

/// A client that was cut off asks where to go on while its last part is still on its way into R2: what arrived shall count. So
/// whoever asks waits a moment for a running append to commit or give up.
pub(crate) async fn for_last_commit(session: &RefCell<Option<Session>>) {
    while_true(session, (LAST_COMMIT_MS, POLL_MS), &Session::is_appending).await;
}

/// Whoever has sent the last byte and is to be told only of the whole object waits here while R2 puts it together; and whoever
/// has asked for one to be composed, while its bytes are copied; and then while the application may have something to say about it, for at most
/// `result_ms`.
pub(crate) async fn for_object(session: &RefCell<Option<Session>>, result_ms: u64) {
    let lacks = |session: &Session| session.is_making_object() || session.awaits_result(now(), result_ms);
    while_true(session, (OBJECT_MS, POLL_MS), &lacks).await;
}

/// Until so many bytes count, or none can be added any more. Whether somebody has been appending meanwhile.
pub(crate) async fn for_bytes(session: &RefCell<Option<Session>>, bytes: ByteCount, longest_ms: u64) -> bool {
    let was_appended = Cell::new(false);
    let lacks = |session: &Session| {
        let lacks = session.phase() == Phase::Open && session.uploaded_bytes() < bytes;
        if lacks && session.is_heard_appending(now()) {
            was_appended.set(true);
        }
        lacks
    };
    while_true(session, (longest_ms.min(BYTES_MS), POLL_MS), &lacks).await;
    was_appended.get()
}

/// Until more of a live upload can be read than so much, or no more can come.
pub(crate) async fn for_growth(session: &RefCell<Option<Session>>, read: ByteCount, longest_ms: u64) {
    while_true(session, (longest_ms.min(BYTES_MS), FOLLOWER_POLL_MS), &|session| !session.has_grown_beyond(read)).await;
}

async fn while_true(
    session: &RefCell<Option<Session>>,
    (longest_ms, poll_ms): (u64, u64),
    holds: &dyn Fn(&Session) -> bool,
) {
    for _ in 0..longest_ms / poll_ms {
        if !session.borrow().as_ref().is_some_and(holds) {
            break;
        }
        Delay::from(Duration::from_millis(poll_ms)).await;
    }
}
