//! A bundle: the Worker as wrangler uploads it, in a folder.
//!
//! cargo compiles the wasm, `xtask/bindgen` writes the JavaScript around it, wasm-opt makes it small, and esbuild puts the JavaScript and
//! `src/instance.js` into one file, with the page of links.
//!
//! There are two: `build/`, and, `build-faults/`, the same Worker with the cargo feature `faults`, which tests can make fail. Each is compiled
//! in a folder of its own, so that building one never makes the other old.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::output::Step;
use crate::project::Project;
use crate::{cargo_build, children, link_page, stamp};

/// What only a Worker that can be made to fail has in it: the name of a log line.
const MARK_OF_FAULTS: &str = "fault_injected";

/// The most that the released Worker's wasm may have when it is compressed. The platform takes 3 MB; what size costs is the first
/// request after a pause, which waits for it to be compiled, some milliseconds.
const MOST_GZIPPED_BYTES: u64 = 700_000;

/// The wasm that wrangler uploads.
const WASM: &str = "index_bg.wasm";
/// The JavaScript around it, and the module that wrangler enters by.
const SCRIPTS: [&str; 2] = ["index.js", "entry.js"];

/// What the Worker serves about itself, which `src/instance.js` imports.
const REFERENCE: &str = "docs/reference";
const SERVED: [&str; 2] = ["openapi.json", "errors.json"];

/// How wasm-opt makes it small.
///
/// `-ocimfs`, `-aimfs`, `-fimfs`: what is called stays a function of its own unless it is tiny: LLVM has put together what belongs
/// together, and longer functions compress worse. `--low-memory-unused`: the first KiB is the far end of the stack, where nothing is
/// addressed from below. No `local-cse`: what it keeps in a local instead of computing it again is less code, and compresses worse. No `memory-packing`: zeros compress to
/// nothing, and what stands between the pieces of data does not.
const OPTIMISING: &str = "-Os -ocimfs 0 -aimfs 3 -fimfs 5 --low-memory-unused --skip-pass=local-cse --skip-pass=memory-packing --coalesce-locals --reorder-locals --strip-debug --strip-producers";
/// What it may use: what the compiler uses, and the exceptions of bindings that catch. Nothing that workerd may not know yet.
const WASM_FEATURES: [&str; 8] = [
    "simd",
    "mutable-globals",
    "sign-ext",
    "nontrapping-float-to-int",
    "bulk-memory",
    "multivalue",
    "reference-types",
    "exception-handling",
];

/// One way to build the Worker.
pub(crate) struct Bundle {
    folder: &'static str,
    /// Further arguments for cargo.
    arguments: &'static [&'static str],
    title: &'static str,
}

pub(crate) const RELEASE: Bundle = Bundle { folder: "build", arguments: &[], title: "compiling the Worker to wasm" };

pub(crate) const WITH_FAULTS: Bundle = Bundle {
    folder: "build-faults",
    arguments: &["--features", "faults", "--target-dir", "target/faults"],
    title: "compiling the Worker with faults to wasm",
};

/// The wasm as the compiler makes it.
pub(crate) fn compile(project: &Project, bundle: &Bundle) -> Result<PathBuf> {
    cargo_build::wasm(project, "quayside", bundle.arguments, bundle.title)
}

/// Bindings, optimising, bundling, unless that was done with this wasm.
pub(crate) fn package(project: &Project, bundle: &Bundle, wasm: &Path, bindgen: &Path) -> Result<bool> {
    let folder = project.path(bundle.folder);
    // Cargo.lock has the version of bindgen's library. The program itself is another with each way to compile it.
    let sources = [
        "src/instance.js",
        "src/entry.js",
        link_page::SOURCE,
        link_page::SDK,
        "Cargo.lock",
        "package-lock.json",
        "xtask/bindgen/src",
        "xtask/src/bundle.rs",
        "xtask/src/link_page.rs",
    ];
    let served = SERVED.map(|name| project.path(REFERENCE).join(name));
    let inputs = [&sources.map(|source| project.path(source))[..], &served, &[wasm.to_path_buf()]].concat();
    let outputs = SCRIPTS.iter().chain([&WASM]).map(|name| folder.join(name)).collect::<Vec<_>>();
    let Some(stale) = stamp::stale(project, &format!("{}.stamp", bundle.folder), &inputs, &outputs)? else {
        return Ok(false);
    };
    let step = Step::begin("packaging the Worker");
    let packed = pack(project, wasm, bindgen, &folder);
    step.end(packed.is_ok());
    packed.and_then(|()| stale.renew()).map(|()| true)
}

fn pack(project: &Project, wasm: &Path, bindgen: &Path, folder: &Path) -> Result<()> {
    let staging = project.path("target/package");
    let _ = std::fs::remove_dir_all(&staging);
    std::fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    run(project, bindgen, &[wasm.as_os_str(), staging.as_os_str()])?;
    let (bound, small) = (staging.join(WASM), staging.join("small.wasm"));
    let optimising: Vec<_> = OPTIMISING.split(' ').map(str::to_owned).collect();
    let features = WASM_FEATURES.map(|feature| format!("--enable-{feature}"));
    let paths = [bound.display().to_string(), "-o".to_owned(), small.display().to_string()];
    run(project, &project.node_bin("wasm-opt"), &[&paths[..], &optimising, &features].concat())?;
    let named = staging.join("named.wasm");
    run(project, bindgen, &["--order".as_ref(), small.as_os_str(), named.as_os_str()])?;
    let paths = [named.display().to_string(), "-o".to_owned(), small.display().to_string()];
    let ordering = ["--reorder-functions-by-name", "--strip-debug"].map(str::to_owned);
    run(project, &project.node_bin("wasm-opt"), &[&paths[..], &ordering, &features].concat())?;
    std::fs::copy(project.path("src/instance.js"), staging.join("instance.js"))?;
    link_page::build(project, &staging)?;
    for name in SERVED {
        std::fs::copy(project.path(REFERENCE).join(name), staging.join(name))?;
    }
    let script = staging.join("bundle.js");
    let bundling = [
        "--bundle",
        "--minify",
        "--format=esm",
        "--loader:.html=text",
        "--external:./index_bg.wasm",
        "--external:cloudflare:*",
    ];
    let ends = [staging.join("instance.js").display().to_string(), format!("--outfile={}", script.display())];
    run(project, &project.node_bin("esbuild"), &[&bundling.map(str::to_owned)[..], &ends].concat())?;
    // wasm-bindgen imports the source of a module, which is what an import of wasm gives on Workers.
    let text = std::fs::read_to_string(&script)?.replace("import source ", "import ");
    std::fs::write(folder.join("index.js"), text)?;
    std::fs::copy(project.path("src/entry.js"), folder.join("entry.js"))?;
    std::fs::rename(small, folder.join(WASM)).context("putting the wasm in place")
}

fn run(project: &Project, program: &Path, arguments: &[impl AsRef<std::ffi::OsStr>]) -> Result<()> {
    let mut command = project.command(program);
    let finished = children::run_capturing(command.args(arguments), |_, _| {})?;
    if !finished.status.success() {
        bail!("{} failed:\n{}", program.display(), finished.both.trim_end());
    }
    Ok(())
}

/// Fails where the Worker that is released could be made to fail, or where this could not be told.
pub(crate) fn release_is_plain(project: &Project) -> Result<()> {
    for (bundle, expected) in [(&WITH_FAULTS, true), (&RELEASE, false)] {
        let path = project.path(bundle.folder).join(WASM);
        let wasm = std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        let says = if expected { "has no" } else { "has" };
        ensure!(has_faults(&wasm) == expected, "{} {says} {MARK_OF_FAULTS} in it", bundle.folder);
    }
    Ok(())
}

/// Fails where the released Worker has grown beyond its limit.
pub(crate) fn release_is_small(project: &Project) -> Result<()> {
    let gzipped_bytes = gzipped_bytes(&std::fs::read(release_wasm(project))?)?;
    let holds = u64::try_from(gzipped_bytes)? <= MOST_GZIPPED_BYTES;
    ensure!(holds, "the Worker has {gzipped_bytes} bytes gzipped; it may have {MOST_GZIPPED_BYTES}");
    Ok(())
}

/// Whether this wasm is of a Worker that can be made to fail.
pub(crate) fn has_faults(wasm: &[u8]) -> bool {
    wasm.windows(MARK_OF_FAULTS.len()).any(|window| window == MARK_OF_FAULTS.as_bytes())
}

/// The wasm that is released.
pub(crate) fn release_wasm(project: &Project) -> PathBuf {
    project.path(RELEASE.folder).join(WASM)
}

/// How many bytes these are, gzipped.
pub(crate) fn gzipped_bytes(bytes: &[u8]) -> Result<usize> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?.len())
}
