//! The page of a link that takes one file, as one document: `src/link_page` and what it needs of the SDK. It has its policy in itself, which
//! names its one script by its hash, so nothing else runs in it.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};

use crate::children;
use crate::project::Project;

/// What it is made of, besides the SDK.
pub(crate) const SOURCE: &str = "src/link_page";
/// The SDK's share.
pub(crate) const SDK: &str = "client/src";
/// As the Worker imports it.
pub(crate) const NAME: &str = "link_page.html";

/// What stands in the document for what is put there.
const POLICY: &str = "POLICY";
const SCRIPT: &str = "SCRIPT";

/// Writes it into this folder.
pub(crate) fn build(project: &Project, folder: &Path) -> Result<()> {
    let script = folder.join("link_page.js");
    let mut esbuild = project.command(project.node_bin("esbuild"));
    esbuild
        .arg(project.path(SOURCE).join("page.ts"))
        .args(["--bundle", "--minify", "--format=esm", "--target=es2022"])
        .arg(format!("--outfile={}", script.display()));
    let finished = children::run_capturing(&esbuild, |_, _| {})?;
    ensure!(finished.status.success(), "the page of links cannot be bundled:\n{}", finished.both.trim_end());
    let text = read(&script)?;
    // The end of the element is the one thing that a script must not have in it.
    let text = text.trim().replace("</script", "<\\/script");
    let hash = STANDARD.encode(Sha256::digest(&text));
    let policy = format!(
        "default-src 'none'; script-src 'sha256-{hash}'; style-src 'unsafe-inline'; connect-src 'self'; form-action 'self'; base-uri 'none'"
    );
    let page = read(&project.path(SOURCE).join("page.html"))?;
    for place in [POLICY, SCRIPT] {
        ensure!(page.matches(place).count() == 1, "src/link_page/page.html has not one place for {place}");
    }
    let page = page.replace(POLICY, &policy).replace(SCRIPT, &text);
    std::fs::write(folder.join(NAME), page).with_context(|| format!("writing {NAME}"))
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))
}
