//! `cargo xtask build`, and what runs the Worker on this machine: everything is made that is missing or old, as much as possible at the
//! same time.
//!
//! wrangler calls it at its start and after every change of a source. Two builds at once wait for each other, and the second finds
//! nothing left to do.

use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;

use anyhow::{Context, Result};

use crate::bundle::{self, Bundle};
use crate::project::Project;
use crate::{cargo_build, npm, output, page, rustup, setup};

/// The program that writes the JavaScript around the wasm.
const BINDGEN: &str = "bindgen";
/// The package and the program of the example origin.
pub(crate) const ORIGIN: &str = "origin";
/// The same of the command line.
pub(crate) const QUAY: &str = "quay";

/// Builds, and says how large the result is.
pub(crate) fn command(project: &Project) -> Result<()> {
    if build(project)? {
        let wasm = std::fs::read(bundle::release_wasm(project))?;
        let (plain, gzipped) = (output::size(wasm.len()), output::size(bundle::gzipped_bytes(&wasm)?));
        output::line(format_args!("the Worker: {plain} of wasm, {gzipped} gzipped"));
    } else {
        output::line("the Worker is up to date");
    }
    Ok(())
}

/// The Worker that is released, and its demo page. Says whether the Worker had to be built.
pub(crate) fn build(project: &Project) -> Result<bool> {
    make(project, &bundle::RELEASE, &[BINDGEN]).map(|(is_new, _)| is_new)
}

/// The Worker that can be made to fail.
pub(crate) fn build_with_faults(project: &Project) -> Result<bool> {
    make(project, &bundle::WITH_FAULTS, &[BINDGEN]).map(|(is_new, _)| is_new)
}

/// All that `dev` runs; the path of the origin's program.
pub(crate) fn everything(project: &Project) -> Result<PathBuf> {
    setup::for_running(project)?;
    let (_, programs) = make(project, &bundle::RELEASE, &[BINDGEN, ORIGIN])?;
    programs.into_iter().nth(1).context("cargo built no origin")
}

/// The same, and the command line; the paths of both programs.
pub(crate) fn everything_and_quay(project: &Project) -> Result<(PathBuf, PathBuf)> {
    setup::for_running(project)?;
    let (_, programs) = make(project, &bundle::RELEASE, &[BINDGEN, ORIGIN, QUAY])?;
    let mut programs = programs.into_iter().skip(1);
    programs.next().zip(programs.next()).context("cargo built no origin and no quay")
}

/// One of the three that are made at the same time.
enum Made {
    Page,
    Programs(Vec<PathBuf>),
    Wasm(PathBuf),
}

type Job = Box<dyn FnOnce(&Project) -> Result<Made> + Send>;

/// Makes a bundle, and programs for this machine, of which bindgen is the first. Where one fails, nobody waits for the others: they end
/// with this program.
fn make(project: &Project, bundle: &'static Bundle, names: &'static [&'static str]) -> Result<(bool, Vec<PathBuf>)> {
    let _lock = project.lock()?;
    rustup::ensure_wasm_target(project)?;
    let (sender, done) = mpsc::channel();
    let jobs: [Job; 3] = [
        Box::new(|project| {
            npm::ensure_installed(project)?;
            page::ensure_built(project).map(|_| Made::Page)
        }),
        Box::new(|project| {
            let programs = names.iter().map(|name| cargo_build::program(project, name));
            programs.collect::<Result<_>>().map(Made::Programs)
        }),
        Box::new(|project| bundle::compile(project, bundle).map(Made::Wasm)),
    ];
    for job in jobs {
        let (project, sender) = (project.clone(), sender.clone());
        thread::spawn(move || drop(sender.send(job(&project))));
    }
    drop(sender);
    let (mut programs, mut wasm) = (Vec::new(), PathBuf::new());
    for made in done {
        match made? {
            Made::Page => {}
            Made::Programs(paths) => programs = paths,
            Made::Wasm(path) => wasm = path,
        }
    }
    let bindgen = programs.first().context("cargo built no bindgen")?;
    Ok((bundle::package(project, bundle, &wasm, bindgen)?, programs))
}
