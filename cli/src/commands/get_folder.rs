//! `quay get --manifest`: all files that `quay put --manifest` has sent, each where it was below a folder, each compared with what was sent.
//! What is there already is not got again, so the same command goes on.

use std::path::Path;
use std::sync::Mutex;

use futures_util::StreamExt;
use serde_json::json;

use crate::api::{Api, Content};
use crate::args::{Get, Global};
use crate::commands::{existing, patience};
use crate::config;
use crate::download::safe_path::{Claims, SafePath};
use crate::download::target::{Expected, Got, Target};
use crate::download::{fetch, is_there};
use crate::failure::{Failure, Result, exit_code_of};
use crate::manifest::{self, Entry};
use crate::progress::words::{files, plain, size};
use crate::results::print;

/// So many files at once.
const FILES_AT_ONCE: usize = 8;

/// What came of a file.
enum Came {
    Now(Got),
    /// It was there.
    Earlier,
}

pub(crate) async fn run(global: &Global, get: &Get, manifest: &Path) -> Result<u8> {
    let api = config::api(global).await?;
    let entries = manifest::read(manifest)?;
    let root = get.output.as_deref().unwrap_or(Path::new("."));
    if root.as_os_str() == "-" {
        return Err(Failure::usage("The files of a manifest go into a folder, not to standard output."));
    }
    let claims = Mutex::new(Claims::below(root));
    let getting = entries.iter().map(|entry| {
        let (api, claims) = (&api, &claims);
        async move { (entry, get_one(global, get, api, entry, root, claims).await) }
    });
    let mut coming = futures_util::stream::iter(getting).buffer_unordered(FILES_AT_ONCE);
    let (mut got_files, mut got_bytes, mut earlier_files, mut failed) = (0_usize, 0, 0_usize, Vec::new());
    while let Some((entry, came)) = coming.next().await {
        match came {
            Ok(Came::Now(got)) => {
                got_files += 1;
                got_bytes += got.bytes;
                say_got(global, entry, &got);
            }
            Ok(Came::Earlier) => earlier_files += 1,
            Err(failure) => {
                say_failed(global, entry, &failure);
                failed.push(failure.kind);
            }
        }
    }
    if global.json {
        print(json!({
            "event": "end",
            "gotFiles": got_files,
            "earlierFiles": earlier_files,
            "failedFiles": failed.len(),
            "bytes": got_bytes,
        }));
    } else if !global.quiet {
        let failed = failed.len();
        crate::tell::tell(format_args!(
            "{} got, {}; {earlier_files} there before; {failed} not got",
            files(got_files),
            size(got_bytes)
        ));
    }
    Ok(exit_code_of(failed))
}

async fn get_one(
    global: &Global,
    get: &Get,
    api: &Api,
    entry: &Entry,
    root: &Path,
    claims: &Mutex<Claims>,
) -> Result<Came> {
    let id = entry.upload_id.ok_or_else(|| Failure::refused("It was not sent, so it cannot be got."))?;
    let place = SafePath::parse(entry.exact_path()).ok_or_else(|| {
        let hint = format!("`quay get {id} -o FILE` gets it to where you say.");
        Failure::usage(format!("Its path leads out of the folder, so it was left out: {hint}"))
    })?;
    claims.lock().unwrap_or_else(std::sync::PoisonError::into_inner).claim(&place)?;
    let path = place.place_in(root)?;
    if let (Some(bytes), Some(crc64nvme)) = (entry.bytes, entry.crc64nvme) {
        let (path, sha256) = (path.clone(), entry.sha256);
        let looking = tokio::task::spawn_blocking(move || is_there(&path, bytes, crc64nvme, sha256));
        if looking.await.unwrap_or_default() {
            return Ok(Came::Earlier);
        }
    }
    let expected = Expected { crc64nvme: entry.crc64nvme, sha256: entry.sha256 };
    let target = Target::of(Some(&path), existing(get), expected).await?;
    fetch(api, &Content::Of(id), target, &patience(global, get)).await.map(Came::Now)
}

fn say_got(global: &Global, entry: &Entry, got: &Got) {
    if global.json {
        print(json!({
            "event": "finished",
            "file": entry.path,
            "uploadId": entry.upload_id,
            "bytes": got.bytes,
            "crc64nvme": got.crc64nvme,
        }));
    } else if !global.quiet {
        crate::tell::tell(format_args!("{}: {}, compared", plain(&got.path), size(got.bytes)));
    }
}

fn say_failed(global: &Global, entry: &Entry, failure: &Failure) {
    if global.json {
        print(json!({ "event": "failed", "file": entry.path, "message": failure.message }));
    } else {
        crate::tell::tell(format_args!("{}: {failure}", plain(&entry.path)));
    }
}
