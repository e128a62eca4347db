//! `quay get`: an object, by its upload's id or by a signed link. A part of it that is here is gone on with, and the whole is compared with
//! the digest that the server gives.

use reqwest::Url;
use serde_json::json;
use upload_types::units::UploadId;

use crate::api::{Api, Content, credential::Credential};
use crate::args::{Get, Global};
use crate::commands::{existing, get_folder, patience};
use crate::config;
use crate::download::fetch;
use crate::download::target::{Expected, Got, Target};
use crate::failure::{Failure, Result};
use crate::progress::words::size;
use crate::results::print;

pub(crate) async fn run(global: &Global, get: Get) -> Result<u8> {
    let source = match (&get.manifest, &get.source) {
        (Some(manifest), _) => return get_folder::run(global, &get, manifest).await,
        (None, Some(source)) => source,
        (None, None) => return Err(Failure::usage("Name an upload's id, a link, or a --manifest.")),
    };
    let (api, content) = find(global, source).await?;
    let target = Target::of(get.output.as_deref(), existing(&get), Expected::default()).await?;
    let Got { path, bytes, crc64nvme } = fetch(&api, &content, target, &patience(global, &get)).await?;
    if global.json {
        print(json!({ "event": "finished", "file": path, "bytes": bytes, "crc64nvme": crc64nvme }));
    } else if !global.quiet {
        crate::tell::tell(format_args!("{path}: {}, compared", size(bytes)));
    }
    Ok(0)
}

/// An id is asked for at the endpoint; a link says itself where.
async fn find(global: &Global, text: &str) -> Result<(Api, Content)> {
    if let Some(id) = UploadId::parse(text) {
        return Ok((config::api(global).await?, Content::Of(id)));
    }
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let url = url.ok_or_else(|| Failure::usage(format!("`{text}` is neither an upload's id nor a link.")))?;
    // Nobody else's token goes to where a link leads.
    Ok((Api::new(&url.origin().ascii_serialization(), Credential::default())?, Content::At(url)))
}
