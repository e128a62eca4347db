//! Whether something that is made from files has to be made again. A stamp beside the rest of what is built holds the hash of all that
//! it was made from; it is written last, so what was interrupted leaves none that fits. No path outside the repository and no date is
//! in it: a copied clone has nothing to make again.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use crate::project::Project;

/// A stamp that does not fit: what it stands for has to be made.
pub(crate) struct Stale {
    path: PathBuf,
    hash: String,
}

/// `None` where every output is there and was made from these inputs, files and folders, as they are now.
pub(crate) fn stale(project: &Project, name: &str, inputs: &[PathBuf], outputs: &[PathBuf]) -> Result<Option<Stale>> {
    let mut hasher = Sha256::new();
    for path in inputs.iter().map(|input| files_below(input)).collect::<Result<Vec<_>>>()?.concat() {
        let bytes = std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        let relative = path.strip_prefix(project.root()).unwrap_or(Path::new(""));
        hasher.update(format!("{}\0{}\0", relative.display(), bytes.len()));
        hasher.update(bytes);
    }
    let stale = Stale { path: project.path("target").join(name), hash: hex::encode(hasher.finalize()) };
    let fits = std::fs::read_to_string(&stale.path).is_ok_and(|stamped| stamped == stale.hash);
    Ok((!fits || !outputs.iter().all(|output| output.is_file())).then_some(stale))
}

impl Stale {
    /// It is made.
    pub(crate) fn renew(self) -> Result<()> {
        std::fs::write(&self.path, self.hash).with_context(|| format!("writing {}", self.path.display()))
    }
}

/// Every file below a folder, or the file itself, in order.
pub(crate) fn files_below(path: &Path) -> Result<Vec<PathBuf>> {
    if path.is_file() {
        return Ok(vec![path.to_path_buf()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).with_context(|| format!("reading {}", path.display()))? {
        files.extend(files_below(&entry?.path())?);
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_made_of_the_same_files_is_not_made_again() {
        let root = std::env::temp_dir().join(format!("quayside-stamp-{}", std::process::id()));
        for folder in ["xtask", "target", "sources"] {
            std::fs::create_dir_all(root.join(folder)).unwrap();
        }
        for file in ["wrangler.toml", "xtask/Cargo.toml", "sources/a"] {
            std::fs::write(root.join(file), "1").unwrap();
        }
        let project = Project::around(&root).unwrap();
        let look = || stale(&project, "x.stamp", &[root.join("sources")], &[root.join("output")]).unwrap();
        look().unwrap().renew().unwrap();
        assert!(look().is_some(), "there is no output");
        std::fs::write(root.join("output"), "").unwrap();
        assert!(look().is_none(), "all is as it was");
        std::fs::write(root.join("sources/a"), "2").unwrap();
        assert!(look().is_some(), "a file is another");
        std::fs::write(root.join("sources/a"), "1").unwrap();
        assert!(look().is_none(), "it is what it was, whatever its date");
        std::fs::write(root.join("sources/b"), "").unwrap();
        assert!(look().is_some(), "there is a file more");
        std::fs::remove_dir_all(root).unwrap();
    }
}
