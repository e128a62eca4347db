//! What a shell and a manual need: completions and pages, made of the command line itself.

use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::args::Cli;
use crate::failure::{Failure, Result};
use crate::results;

/// Prints what makes this shell complete commands.
pub(crate) fn completions(shell: Shell) -> u8 {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "quay", &mut text);
    results::write(&text);
    0
}

/// Writes `quay.1`, `quay-put.1`, … into a folder.
pub(crate) fn man(folder: &Path) -> Result<u8> {
    let written = std::fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(Cli::command(), folder));
    written.map_err(|error| Failure::usage(format!("{} cannot be written: {error}.", folder.display())))?;
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_its_page() {
        let folder = tempfile::tempdir().unwrap();
        man(folder.path()).unwrap();
        for page in ["quay.1", "quay-put.1", "quay-doctor.1"] {
            assert!(std::fs::read_to_string(folder.path().join(page)).unwrap().contains(".TH quay"), "{page}");
        }
    }
}
