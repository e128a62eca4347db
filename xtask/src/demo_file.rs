//! The file that `demo` uploads: the one it was given, or a generated one; its size, its hash, pieces of it.

use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};

use crate::say;

const GENERATED_BYTES: u64 = 100 * 1024 * 1024;
const BUFFER_BYTES: usize = 1024 * 1024;

/// A file whose content does not change while it is uploaded.
pub(crate) struct DemoFile {
    path: PathBuf,
    /// Its size when it was opened.
    pub(crate) size_bytes: u64,
}

impl DemoFile {
    /// The file at `path`.
    pub(crate) fn open(path: PathBuf) -> Result<Self> {
        let metadata = std::fs::metadata(&path).with_context(|| format!("opening {}", path.display()))?;
        ensure!(metadata.is_file(), "{} is not a file", path.display());
        Ok(Self { path, size_bytes: metadata.len() })
    }

    /// 100 MiB that look random and are the same every time.
    pub(crate) fn generate(folder: &Path) -> Result<Self> {
        let path = folder.join("generated.bin");
        let context = || format!("writing {}", path.display());
        let mut out = BufWriter::with_capacity(BUFFER_BYTES, File::create(&path).with_context(context)?);
        let mut state = 0x9e37_79b9_7f4a_7c15;
        for _ in 0..GENERATED_BYTES / 8 {
            state = xorshift(state);
            out.write_all(&state.to_le_bytes()).with_context(context)?;
        }
        out.flush().with_context(context)?;
        Self::open(path)
    }

    /// The name without folders.
    pub(crate) fn name(&self) -> String {
        self.path.file_name().map_or_else(|| "file".to_owned(), |name| name.to_string_lossy().into_owned())
    }

    /// The bytes from `offset` on, at most `length_bytes` of them.
    pub(crate) fn read(&self, offset: u64, length_bytes: u64) -> Result<Vec<u8>> {
        let context = || format!("reading {}", self.path.display());
        let wanted = length_bytes.min(self.size_bytes.saturating_sub(offset));
        let mut file = File::open(&self.path).with_context(context)?;
        file.seek(SeekFrom::Start(offset)).with_context(context)?;
        let mut bytes = vec![0; usize::try_from(wanted)?];
        file.read_exact(&mut bytes).with_context(context)?;
        Ok(bytes)
    }

    /// The SHA-256 of the whole, in hexadecimal.
    pub(crate) fn sha256(&self) -> Result<String> {
        let context = || format!("reading {}", self.path.display());
        let mut file = File::open(&self.path).with_context(context)?;
        let mut hash = Sha256::new();
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            match file.read(&mut buffer).with_context(context)? {
                0 => return Ok(hex::encode(hash.finalize())),
                read => hash.update(&buffer[..read]),
            }
        }
    }

    /// `holiday.mp4, 100 MiB`.
    pub(crate) fn describe(&self) -> String {
        format!("{}, {}", self.name(), say::size(self.size_bytes))
    }
}

fn xorshift(mut state: u64) -> u64 {
    state ^= state << 13;
    state ^= state >> 7;
    state ^ state << 17
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file_of(name: &str, content: &[u8]) -> DemoFile {
        let path = std::env::temp_dir().join(format!("quayside-{}-{name}", std::process::id()));
        std::fs::write(&path, content).unwrap();
        DemoFile::open(path).unwrap()
    }

    #[test]
    fn pieces_end_at_the_end_of_the_file() {
        let file = file_of("pieces", b"0123456789");
        assert_eq!(file.read(0, 4).unwrap(), b"0123");
        assert_eq!(file.read(8, 4).unwrap(), b"89");
        assert_eq!(file.read(10, 4).unwrap(), b"");
        std::fs::remove_file(file.path).unwrap();
    }

    #[test]
    fn the_hash_is_that_of_the_content() {
        let file = file_of("hash", b"abc");
        assert_eq!(file.sha256().unwrap(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        std::fs::remove_file(file.path).unwrap();
    }

    #[test]
    fn a_folder_is_no_file() {
        assert!(DemoFile::open(std::env::temp_dir()).is_err());
    }
}
