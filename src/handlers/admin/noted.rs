//! What the register knows of uploads, compared with how they stand: each one's own object says that, and is believed.

use std::cell::RefCell;

use durable_objects::platform::error::Error;
use durable_objects::rpc::{call, upload::ShowToAdmin};
use futures_util::future::LocalBoxFuture;
use upload_types::{
    admin::{Noted, NotedUpload},
    api_error::ApiError,
    upload::Snapshot,
};

use super::asker::Admin;
use crate::handlers::list;

/// Whether what was noted of an upload is so.
#[derive(Clone, Copy)]
pub(super) enum Standing {
    So,
    /// It may be so again.
    Unclear,
    Over,
}

/// Those of which it is so, in order, and those of which it is known to be over. What cannot be asked just now is neither.
pub(super) async fn stand(
    known: Vec<Noted>,
    standing: fn(&Snapshot) -> Standing,
    admin: Admin<'_>,
) -> (Vec<NotedUpload>, Vec<Noted>) {
    let (found, over) = (RefCell::new(vec![None; known.len()]), RefCell::new(Vec::new()));
    let asked = known.into_iter().enumerate().map(|(index, one)| -> LocalBoxFuture<'_, ()> {
        let (found, over) = (&found, &over);
        Box::pin(async move {
            let stands = match call(admin.objects, one.upload_id, &ShowToAdmin).await {
                Ok(view) => Some((standing(&view.snapshot), view.snapshot)),
                Err(Error::Refused(ApiError::UploadNotFound)) => None,
                Err(_) => return,
            };
            match stands {
                Some((Standing::So, snapshot)) => {
                    let Noted { owner, at, .. } = one;
                    found.borrow_mut()[index] = Some(NotedUpload { owner, at, snapshot });
                }
                Some((Standing::Unclear, _)) => {}
                Some((Standing::Over, _)) | None => over.borrow_mut().push(one),
            }
        })
    });
    list::ask_each(asked.collect()).await;
    (found.into_inner().into_iter().flatten().collect(), over.into_inner())
}
