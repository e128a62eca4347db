//! `quay invite`: an address that takes one file from whoever has it, and its end before its time.

use std::collections::BTreeMap;

use serde_json::json;
use upload_types::upload_link::LinkId;

use crate::args::{Global, Invite};
use crate::config;
use crate::failure::{Failure, Result};
use crate::results::print;

/// Makes one and prints its address; its id goes to where progress goes, since it is what takes the address back. Or takes one back.
pub(crate) async fn run(global: &Global, invite: &Invite) -> Result<u8> {
    let api = config::api(global).await?;
    if let Some(id) = &invite.revoke {
        let id = LinkId::parse(id).ok_or_else(|| {
            Failure::usage(format!(
                "`{id}` is no id of an invitation. One looks like 067e6162-3b6f-4ae2-a171-2470b63dff00"
            ))
        })?;
        let revoked = api.revoke_upload_link(id).await?;
        match revoked["uploadId"].as_str() {
            _ if global.json => print(revoked),
            Some(upload) => crate::tell::tell(format_args!(
                "It takes no file any more. Upload {upload} was begun by it: `quay rm {upload}` deletes that."
            )),
            None => crate::tell::tell(format_args!("It takes no file any more.")),
        }
        return Ok(0);
    }
    let metadata: BTreeMap<_, _> = invite.metadata.iter().cloned().collect();
    let wanted = json!({
        "expiresInSeconds": invite.expires.map(|expires| expires.as_secs()),
        "maxBytes": invite.max_size,
        "types": Some(&invite.types).filter(|types| !types.is_empty()),
        "metadata": metadata,
    });
    let made = api.upload_link(&wanted).await?;
    match (made["url"].as_str(), made["linkId"].as_str(), made["expiresAt"].as_str()) {
        (Some(url), Some(id), Some(until)) if !global.json => {
            print(url);
            if global.quiet {
                return Ok(0);
            }
            crate::tell::tell(format_args!(
                "It takes one file until {until}. `quay invite --revoke {id}` takes it back."
            ));
        }
        _ => print(made),
    }
    Ok(0)
}
