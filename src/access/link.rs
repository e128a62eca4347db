//! Whoever comes by a link that takes one file: who that is, and what it opens. What such a link has begun it can finish, also after its time;
//! nothing else of its owner's can be seen or changed with it.

use upload_access::token::upload_link::{self, UploadLink};
use upload_protocols::Head;
use upload_session::session::DeleteRight;
use upload_types::{
    api_error::ApiError,
    caller::{Caller, TokenHash},
    operation::{Create, Operation},
    units::UnixMs,
    upload::Purpose,
    upload_link::{LinkFacts, LinkUse},
};

use super::{Access, ByLink, Principal, presented};
use crate::config::Config;

/// The token of a link, where the request has one.
pub(super) fn presented(head: &Head) -> Option<&str> {
    presented::in_authorization(head).filter(|token| upload_link::is_one(token))
}

/// Finds out whose link it is, and whether it is for this.
pub(super) fn identify(token: &str, operation: &Operation, config: &Config, now: UnixMs) -> Result<Access, ApiError> {
    let UploadLink { id, owner, until, permit, metadata } =
        upload_link::read(token, &config.download_secrets).ok_or(ApiError::LinkInvalid)?;
    if !is_for(operation) {
        let detail = "A link takes one file, and opens nothing else.".to_owned();
        return Err(ApiError::NotPermitted { detail });
    }
    let hash = TokenHash::of(token);
    let usage = LinkUse { id, until, instead_of: None };
    let link = Some(ByLink { usage, facts: LinkFacts { id, metadata } });
    let principal = Some(Principal { owner, permit, token: Some(hash), link });
    // What was begun under a name can be gone on with for as long as it lives.
    let (creator, composer) = if now < until { (principal, None) } else { (None, principal) };
    let (caller, delete_right) = (Caller::Creator(hash), DeleteRight::Unfinished);
    Ok(Access { caller, creator, composer, delete_right, is_by_link: true, admin: None })
}

/// Whether it is about one file that comes. Several that become one are several uploads, of which a link opens one.
fn is_for(operation: &Operation) -> bool {
    match operation {
        Operation::Create(create) | Operation::CreateWith(create, _) | Operation::CreateWithUnsized(create, ..) => {
            is_whole(create)
        }
        Operation::Append(_)
        | Operation::AppendUnsized(_)
        | Operation::AppendKeyed(_)
        | Operation::FindKeyed(_)
        | Operation::Probe(..)
        | Operation::Status(_)
        | Operation::Watch(_)
        | Operation::Manifest(_)
        | Operation::Repair(..)
        | Operation::Complete(_)
        | Operation::Cancel(_)
        | Operation::Direct(..)
        | Operation::Discover
        | Operation::Download(_)
        | Operation::PublicFile(_) => true,
        Operation::Compose(..)
        | Operation::List(_)
        | Operation::DeleteMany(_)
        | Operation::Describe(..)
        | Operation::History(_)
        | Operation::Usage
        | Operation::WatchAll
        | Operation::Redeliver(..)
        | Operation::Link(..)
        | Operation::CreateUploadLink(_)
        | Operation::Admin(_)
        | Operation::RevokeUploadLink(_)
        | Operation::Content(_) => false,
    }
}

fn is_whole(create: &Create) -> bool {
    create.purpose == Purpose::File
}
