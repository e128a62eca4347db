//! Which files of one command have been sent, so that the same command does not send them again after it was interrupted. Forgotten once
//! all of them are there: the next time is a new upload.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::failure::Result;
use crate::state::{StateFolder, not_kept, private};
use crate::upload::{sent::Sent, source::Fingerprint};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    /// Of the file's own journal.
    name: String,
    fingerprint: Fingerprint,
    sent: Sent,
}

/// The files that earlier runs of this command have sent, and a place to add to.
pub(crate) struct Finished {
    path: Option<PathBuf>,
    file: Option<File>,
    known: HashMap<String, (Fingerprint, Sent)>,
}

impl Finished {
    pub(crate) fn open(state: &StateFolder, name: &str) -> Self {
        let path = state.path(&format!("{name}.finished"));
        let text = path.as_ref().and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Line>(line).ok());
        let known = lines.map(|Line { name, fingerprint, sent }| (name, (fingerprint, sent))).collect();
        Self { path, file: None, known }
    }

    /// What came of a file, where it was sent and has not changed since.
    pub(crate) fn find(&self, name: &str, fingerprint: &Fingerprint) -> Option<Sent> {
        self.known.get(name).filter(|(known, _)| known == fingerprint).map(|(_, sent)| sent.clone())
    }

    /// This one is there.
    pub(crate) fn add(&mut self, name: &str, fingerprint: &Fingerprint, sent: &Sent) -> Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        let line = Line { name: name.to_owned(), fingerprint: fingerprint.clone(), sent: sent.clone() };
        // A line of its own, also behind one that was cut off.
        let text = format!("\n{}", serde_json::to_string(&line).unwrap_or_default());
        let written = match &mut self.file {
            Some(file) => file.write_all(text.as_bytes()),
            None => private().create(true).append(true).open(path).and_then(|mut file| {
                file.write_all(text.as_bytes())?;
                self.file = Some(file);
                Ok(())
            }),
        };
        written.map_err(|error| not_kept(path, &error))
    }

    /// All are there.
    pub(crate) fn forget(mut self) {
        self.file = None;
        if let Some(path) = &self.path {
            // Where it stays, the next run finds files that are there already, and says so.
            let _ = std::fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upload::source::Source;
    use upload_types::units::UploadId;

    #[test]
    fn a_file_that_was_sent_is_not_sent_again_unless_it_has_changed() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::open(folder.path(), |complaint| panic!("{complaint}"));
        let path = folder.path().join("file");
        let fingerprint = |text: &str| {
            std::fs::write(&path, text).unwrap();
            Source::open(&path).unwrap().fingerprint
        };
        let (before, sent) = (fingerprint("abc"), Sent::example(UploadId::from_random_bytes([1; 16])));
        Finished::open(&state, "run").add("a", &before, &sent).unwrap();
        std::fs::OpenOptions::new()
            .append(true)
            .open(folder.path().join("run.finished"))
            .unwrap()
            .write_all(b"\n{\"cut")
            .unwrap();
        Finished::open(&state, "run").add("b", &before, &sent).unwrap();
        let finished = Finished::open(&state, "run");
        assert_eq!(finished.find("a", &before), Some(sent.clone()));
        assert_eq!(finished.find("b", &before), Some(sent));
        assert_eq!(finished.find("a", &fingerprint("abcd")), None);
        finished.forget();
        assert_eq!(Finished::open(&state, "run").find("a", &before), None);
    }
}
