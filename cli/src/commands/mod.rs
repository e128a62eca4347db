//! The commands, one file each.

pub(crate) mod doctor;
pub(crate) mod get;
mod get_folder;
pub(crate) mod invite;
pub(crate) mod login;
pub(crate) mod put;
pub(crate) mod shell;
pub(crate) mod token;
pub(crate) mod uploads;
pub(crate) mod watch;

use std::sync::Arc;

use upload_types::units::UploadId;

use crate::api::UploadRef;
use crate::args::{Get, Global};
use crate::download::target::Existing;
use crate::failure::{Failure, Result};
use crate::upload::retry::Patience;

/// An upload that somebody named, opened by the token of whoever asks.
fn upload(text: &str) -> Result<UploadRef> {
    // People paste addresses, too.
    let id = text.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let id = UploadId::parse(id).ok_or_else(|| {
        Failure::usage(format!("`{text}` is no upload's id. One looks like 067e6162-3b6f-4ae2-a171-2470b63dff00"))
    })?;
    Ok(UploadRef { id, token: None })
}

/// How long trouble of a download is sat out, and who is told of it.
fn patience(global: &Global, get: &Get) -> Arc<Patience> {
    let is_quiet = global.quiet || global.json;
    Patience::new(get.retry_for, move |text| {
        if !is_quiet {
            crate::tell::tell(format_args!("{text}"));
        }
    })
}

/// What is done about a file that is there already.
fn existing(get: &Get) -> Existing {
    if get.force { Existing::WrittenOver } else { Existing::Kept }
}
