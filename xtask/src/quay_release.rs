//! The command line, as it is released: one program for any Linux on x86-64, linked statically, and the npm package that carries it.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use crate::project::Project;
use crate::worker_build::QUAY;
use crate::{cargo_build, rustup};

/// The packages of npm: what people install, and the program for the one platform that is built here.
pub(crate) const NPM_PACKAGES: [&str; 2] = ["packages/quay-linux-x64", "packages/quay"];
/// Where the first of them takes it from.
const PACKED: &str = "packages/quay-linux-x64/dist";
pub(crate) const TARGET: &str = "x86_64-unknown-linux-musl";

/// Builds the program, puts it where npm packs it, and says where it is.
pub(crate) fn build(project: &Project) -> Result<PathBuf> {
    rustup::ensure_target(project, TARGET)?;
    let program = cargo_build::program_for(project, QUAY, TARGET)?;
    let bytes = std::fs::read(&program).with_context(|| format!("reading {}", program.display()))?;
    ensure!(is_static(&bytes), "{} is not linked statically: it would not run on any Linux", program.display());
    let folder = project.path(PACKED);
    std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    let packed = folder.join(QUAY);
    std::fs::copy(&program, &packed).with_context(|| format!("copying {}", program.display()))?;
    Ok(packed)
}

/// Whether it is a 64-bit ELF program that asks for no interpreter, and so for no shared library: what `ldd` calls statically linked.
fn is_static(program: &[u8]) -> bool {
    const INTERPRETER: u64 = 3;
    let number = |at: usize, bytes: usize| {
        let field = program.get(at..at + bytes)?;
        Some(field.iter().rev().fold(0_u64, |number, byte| number << 8 | u64::from(*byte)))
    };
    let is_elf = program.starts_with(b"\x7fELF\x02\x01");
    let kinds = || {
        let (table, entry_bytes, entries) = (number(32, 8)?, number(54, 2)?, number(56, 2)?);
        let kind = |entry| number(usize::try_from(table + entry * entry_bytes).ok()?, 4);
        (0..entries).map(kind).collect::<Option<Vec<_>>>()
    };
    is_elf && kinds().is_some_and(|kinds| !kinds.is_empty() && !kinds.contains(&INTERPRETER))
}

/// What it is called among what is released.
pub(crate) fn file_name(version: &str) -> String {
    format!("{QUAY}-{version}-{TARGET}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(all(target_os = "linux", target_pointer_width = "64"))]
    fn a_program_that_needs_shared_libraries_is_not_taken_for_a_static_one() {
        let this_one = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert!(!is_static(&this_one));
        assert!(!is_static(b"#!/bin/sh\n") && !is_static(&this_one[..40]) && !is_static(&[]));
    }

    #[test]
    fn a_program_without_an_interpreter_is_static() {
        let mut program = vec![0; 64 + 56];
        program[..6].copy_from_slice(b"\x7fELF\x02\x01");
        (program[32], program[54], program[56], program[64]) = (64, 56, 1, 1);
        assert!(is_static(&program));
        program[64] = 3;
        assert!(!is_static(&program));
    }
}
