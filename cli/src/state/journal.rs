//! How to go on with one file: what was asked of the server, which upload came of it, and how far the file has been hashed. One JSON
//! document per line; a later line stands for an earlier one of its kind.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::api::documents::{CreateRequest, Created};
use crate::failure::Result;
use crate::state::{StateFolder, not_kept, private};
use crate::upload::{digest::Hashed, source::Fingerprint};

/// Another version begins again.
const VERSION: u32 = 1;

/// What a run begins with, before it has asked for anything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Intent {
    version: u32,
    /// For whoever looks into the folder; as well as it can be shown.
    path: String,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) idempotency_key: String,
    pub(crate) request: CreateRequest,
}

impl Intent {
    pub(crate) fn new(path: String, fingerprint: Fingerprint, request: CreateRequest, idempotency_key: String) -> Self {
        Self { version: VERSION, path, fingerprint, idempotency_key, request }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Line {
    Intent(Intent),
    Created(Created),
    Hashed(Hashed),
}

/// What is known of earlier runs.
#[derive(Debug)]
pub(crate) struct Remembered {
    pub(crate) intent: Intent,
    pub(crate) created: Option<Created>,
    pub(crate) hashed: Hashed,
}

/// The file in which it is kept; none where there is no folder.
pub(crate) struct Journal {
    path: Option<PathBuf>,
    file: Option<File>,
}

impl Journal {
    pub(crate) fn of(state: &StateFolder, name: &str) -> Self {
        Self { path: state.path(&format!("{name}.jsonl")), file: None }
    }

    /// What earlier runs have left, if that can be gone on with.
    pub(crate) fn read(&self) -> Option<Remembered> {
        let text = std::fs::read_to_string(self.path.as_ref()?).ok()?;
        // A line that was cut off, or that has been overtaken by what is behind it.
        let mut lines = text.lines().map_while(|line| serde_json::from_str(line).ok());
        let Some(Line::Intent(intent)) = lines.next() else { return None };
        if intent.version != VERSION {
            return None;
        }
        let mut remembered = Remembered { intent, created: None, hashed: Hashed::default() };
        for line in lines {
            match line {
                Line::Intent(_) => return None,
                Line::Created(created) => remembered.created = Some(created),
                Line::Hashed(hashed) => remembered.hashed = hashed,
            }
        }
        Some(remembered)
    }

    /// Begins anew. From here on the creation is repeated, not made a second time.
    pub(crate) fn begin(&mut self, intent: &Intent) -> Result<()> {
        self.write(&[Line::Intent(intent.clone())])
    }

    /// Goes on with what was read.
    pub(crate) fn go_on(&mut self, remembered: &Remembered) -> Result<()> {
        let created = remembered.created.clone().map(Line::Created);
        let lines: Vec<_> = [Line::Intent(remembered.intent.clone())]
            .into_iter()
            .chain(created)
            .chain([Line::Hashed(remembered.hashed.clone())])
            .collect();
        self.write(&lines)
    }

    pub(crate) fn created(&mut self, created: &Created) -> Result<()> {
        self.append(&Line::Created(created.clone()))
    }

    pub(crate) fn hashed(&mut self, hashed: &Hashed) -> Result<()> {
        self.append(&Line::Hashed(hashed.clone()))
    }

    /// There is nothing to go on with any more.
    pub(crate) fn remove(&mut self) {
        self.file = None;
        if let Some(path) = &self.path {
            // Where it stays, the next run finds an upload that is complete, and begins anew.
            let _ = std::fs::remove_file(path);
        }
    }

    /// All lines at once, in place of the old file.
    fn write(&mut self, lines: &[Line]) -> Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        let fresh = path.with_extension("new");
        let text: String = lines.iter().map(text_of).collect();
        let written = private().create(true).truncate(true).write(true).open(&fresh).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            std::fs::rename(&fresh, path)?;
            Ok(file)
        });
        self.file = Some(written.map_err(|error| not_kept(path, &error))?);
        Ok(())
    }

    fn append(&mut self, line: &Line) -> Result<()> {
        let (Some(file), Some(path)) = (&mut self.file, &self.path) else { return Ok(()) };
        file.write_all(text_of(line).as_bytes()).map_err(|error| not_kept(path, &error))
    }
}

fn text_of(line: &Line) -> String {
    // Maps with text for keys, and nothing that could fail.
    let mut text = serde_json::to_string(line).unwrap_or_default();
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upload::source::Source;
    use std::collections::BTreeMap;
    use upload_types::units::{ByteCount, UploadId};

    fn intent(folder: &std::path::Path) -> Intent {
        let path = folder.join("file");
        std::fs::write(&path, "abc").unwrap();
        let request = CreateRequest {
            file_name: "file".to_owned(),
            file_size: 3_u32.into(),
            content_type: None,
            chunk_size: None,
            parallel: false,
            direct: false,
            sha256: None,
            metadata: BTreeMap::new(),
        };
        let fingerprint = Source::open(&path).unwrap().fingerprint;
        Intent::new("file".to_owned(), fingerprint, request, "key".to_owned())
    }

    #[test]
    fn what_was_kept_is_read_again_also_where_the_last_line_was_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::open(folder.path(), |complaint| panic!("{complaint}"));
        let created = Created {
            upload_id: UploadId::from_random_bytes([1; 16]),
            chunk_size: ByteCount::from(5_u32),
            upload_token: Some("qut_x".to_owned()),
        };
        let mut journal = Journal::of(&state, "name");
        assert!(journal.read().is_none());
        let intent = intent(folder.path());
        journal.begin(&intent).unwrap();
        journal.created(&created).unwrap();
        journal.hashed(&Hashed::default()).unwrap();
        let remembered = Journal::of(&state, "name").read().unwrap();
        assert_eq!((remembered.intent, remembered.created), (intent, Some(created.clone())));

        let path = folder.path().join("name.jsonl");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, &text[..text.len() - 10]).unwrap();
        let remembered = Journal::of(&state, "name").read().unwrap();
        assert_eq!((remembered.created, remembered.hashed), (Some(created), Hashed::default()));
        for nothing in
            ["", "{", "null\n", "{\"hashed\":{\"bytes\":0,\"sha256\":null,\"crc64nvme\":\"0000000000000000\"}}\n"]
        {
            std::fs::write(&path, nothing).unwrap();
            assert!(Journal::of(&state, "name").read().is_none(), "{nothing}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_may_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::open(&folder.path().join("state"), |complaint| panic!("{complaint}"));
        Journal::of(&state, "name").begin(&intent(folder.path())).unwrap();
        let mode = |path: &str| std::fs::metadata(folder.path().join(path)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("state"), mode("state/name.jsonl")), (0o700, 0o600));
    }
}
