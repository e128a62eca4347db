//! Downloads: an object comes, is gone on with where it was interrupted, and compared.
//!
//! * [`target`]: where it goes. [`names`]: what it is called. [`namesakes`]: which names are the same. [`safe_path`]: where a file of a folder may go.

mod names;
mod namesakes;
pub(crate) mod safe_path;
pub(crate) mod target;

use std::path::Path;

use reqwest::StatusCode;
use upload_types::integrity::{Crc64Nvme, RunningSha256, Sha256Digest};
use upload_types::units::ByteCount;

use crate::api::{Answer, Api, Content, Refusal};
use crate::failure::Result;
use crate::upload::retry::{Patience, Streak};
use target::{Got, READ_BYTES, Target, declared};

/// Gets all of it, or what is missing.
pub(crate) async fn fetch(api: &Api, content: &Content, mut target: Target, patience: &Patience) -> Result<Got> {
    let mut streak = Streak::default();
    loop {
        let failed = match api.content(content, target.offset(), target.etag()).await {
            // Whatever has an object of ours says its digest.
            Ok(answer) if declared(answer.headers()).is_none() => answer.strangers(),
            Ok(answer) => match receive(&mut target, answer).await? {
                None => return target.finish().await,
                Some(refusal) => refusal,
            },
            Err(refusal) if refusal.status == Some(416) && target.offset() > 0 => {
                // Of another object, or whole already.
                target.begin_again()?;
                continue;
            }
            Err(refusal) => refusal,
        };
        if target.has_moved() {
            patience.succeeded();
            streak = Streak::default();
        }
        patience.wait(failed, &mut streak).await?;
    }
}

/// Takes what comes. `None` once it is whole, or why it is not.
async fn receive(target: &mut Target, mut answer: Answer) -> Result<Option<Refusal>> {
    answer.is_right();
    target.open(answer.headers(), answer.status() == StatusCode::PARTIAL_CONTENT)?;
    loop {
        match answer.block().await {
            Ok(Some(block)) => target.write(&block).await?,
            Ok(None) => return Ok(None),
            Err(refusal) => return Ok(Some(refusal)),
        }
    }
}

/// Whether a file that is here has these bytes, by every digest that is known of them.
pub(crate) fn is_there(path: &Path, bytes: u64, crc64nvme: Crc64Nvme, sha256: Option<Sha256Digest>) -> bool {
    use std::io::Read;
    let is_file = std::fs::symlink_metadata(path).is_ok_and(|found| found.is_file() && found.len() == bytes);
    let Some(mut file) = is_file.then(|| std::fs::File::open(path).ok()).flatten() else { return false };
    let mut crc = Crc64Nvme::default();
    let mut running = sha256.and_then(|_| RunningSha256::resume(None));
    let mut buffer = vec![0; READ_BYTES];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return crc == crc64nvme && running.and_then(|running| running.save().digest()) == sha256,
            Ok(read) => {
                if let Some(running) = &mut running {
                    running.update(&buffer[..read]);
                }
                let length = ByteCount::new(read as u64).unwrap_or(ByteCount::MAX);
                crc = crc.followed_by(Crc64Nvme::of(&buffer[..read]), length);
            }
            Err(_) => return false,
        }
    }
}
