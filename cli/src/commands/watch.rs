//! `quay watch`: how an upload stands, at every change, until it has ended. Where the connection ends before, it is made again.

use std::time::Duration;

use serde_json::Value;
use upload_types::upload::Phase;

use crate::api::documents::Status;
use crate::api::{Api, Refusal, UploadRef};
use crate::args::{Global, OneUpload};
use crate::commands::upload;
use crate::config;
use crate::failure::{Failure, Result};
use crate::progress::words::size;
use crate::results::print;
use crate::upload::retry::{Patience, Streak};

const PATIENCE: Duration = Duration::from_mins(10);
/// More than a status document has.
const MAX_EVENT_BYTES: usize = 1024 * 1024;

pub(crate) async fn run(global: &Global, one: &OneUpload) -> Result<u8> {
    let api = config::api(global).await?;
    let upload = upload(&one.id)?;
    let patience = Patience::new(PATIENCE, |text| crate::tell::tell(format_args!("{text}")));
    let mut streak = Streak::default();
    let mut last = String::new();
    loop {
        let mut show = |data: &str| -> Result<Option<Phase>> {
            let status: Status = serde_json::from_str(data)
                .map_err(|error| Failure::refused(format!("The server's answer is not understood: {error}.")))?;
            let line = if global.json { data.to_owned() } else { told(&status) };
            // A new connection says again how it stands.
            if line != last {
                print(&line);
                last = line;
            }
            Ok(status.is_over().then_some(status.state))
        };
        match follow(&api, &upload, &patience, &mut show).await? {
            Followed::ToTheEnd(Phase::Completed) => return Ok(0),
            Followed::ToTheEnd(_) => return Ok(3),
            Followed::UntilRefused(refusal) => patience.wait(refusal, &mut streak).await?,
        }
    }
}

/// How far an upload was followed.
enum Followed {
    ToTheEnd(Phase),
    UntilRefused(Refusal),
}

/// Until the upload has ended, or the connection.
async fn follow(
    api: &Api,
    upload: &UploadRef,
    patience: &Patience,
    show: &mut impl FnMut(&str) -> Result<Option<Phase>>,
) -> Result<Followed> {
    let mut answer = match api.events(upload).await {
        Ok(answer) => answer,
        Err(refusal) => return Ok(Followed::UntilRefused(refusal)),
    };
    let mut events = Events::default();
    loop {
        let block = match answer.block().await {
            // Also a heartbeat: somebody is there.
            Ok(Some(block)) => {
                patience.succeeded();
                block
            }
            Ok(None) => {
                let refusal = Refusal::passing("The server has ended the connection.".to_owned());
                return Ok(Followed::UntilRefused(refusal));
            }
            Err(refusal) => return Ok(Followed::UntilRefused(refusal)),
        };
        for data in events.take(&block) {
            if let Some(state) = show(&data)? {
                return Ok(Followed::ToTheEnd(state));
            }
        }
    }
}

fn told(status: &Status) -> String {
    let of = status.file_size.map(|bytes| format!(" of {}", size(bytes.get()))).unwrap_or_default();
    let reason = status.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    format!("{}: {}, {}{of}{reason}", status.file_name, status.state.name(), size(status.uploaded_bytes.get()))
}

/// The data of Server-Sent Events, out of bytes that come in any pieces.
#[derive(Default)]
struct Events {
    rest: Vec<u8>,
}

impl Events {
    fn take(&mut self, block: &[u8]) -> Vec<String> {
        self.rest.extend_from_slice(block);
        let mut events = Vec::new();
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            // The server writes each document into one line.
            if let Some(data) = line.trim_end().strip_prefix("data:")
                && serde_json::from_str::<Value>(data).is_ok()
            {
                events.push(data.trim_start().to_owned());
            }
        }
        if self.rest.len() > MAX_EVENT_BYTES {
            self.rest.clear();
        }
        events
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_found_in_whatever_pieces_they_come() {
        let text = b"id: 1\ndata: {\"a\":1}\n\n: a comment\nid: 2\ndata: {\"a\":2}\n\ndata: nonsense\n\n";
        let mut events = Events::default();
        let found: Vec<_> = text.chunks(3).flat_map(|block| events.take(block)).collect();
        assert_eq!(found, ["{\"a\":1}", "{\"a\":2}"]);
    }
}
