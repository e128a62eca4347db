//! `bindgen WASM FOLDER` writes `index.js`, the JavaScript around a compiled Worker, and `index_bg.wasm`, its wasm with bindings, into a folder.
//!
//! wasm-bindgen's library does it. Its command line tool brings an HTTP server and a client with it, and takes four times as long to compile.
//! What the wasm imports of the JavaScript is numbered then: the names that the library makes are 40 letters each, half of them a hash, and
//! nobody ever sees one. And what the `worker` crate exports for bindings that this Worker has not is left out.
//!
//! `bindgen --order WASM NAMED` says in what order that wasm's functions are to be ([`likeness`]).

mod likeness;

use std::path::Path;

use anyhow::{Context, ensure};
use wasm_bindgen_cli_support::Bindgen;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    let mut next = || arguments.next().context("usage: bindgen WASM FOLDER, or bindgen --order WASM NAMED");
    let (wasm, folder) = (next()?, next()?);
    if wasm == "--order" {
        return Ok(std::fs::write(next()?, likeness::named_by_likeness(std::fs::read(folder)?)?)?);
    }
    Bindgen::new()
        .input_path(wasm)
        .out_name("index")
        .module(true)?
        .typescript(false)
        // What `src/instance.js` needs to begin anew after a panic or a trap.
        .reset_state_function(true)
        .force_enable_abort_handler(true)
        .generate(&folder)?;
    number_imports(Path::new(&folder))
}

/// Classes of the `worker` crate, and of `wasm-streams` below it, of which nobody makes an object here.
const UNUSED: [&str; 5] =
    ["ContainerStartupOptions", "MinifyConfig", "R2Range", "IntoUnderlyingSink", "IntoUnderlyingByteSource"];

/// In the wasm, and in the object of the JavaScript that has a member for each.
fn number_imports(folder: &Path) -> anyhow::Result<()> {
    let (wasm, script) = (folder.join("index_bg.wasm"), folder.join("index.js"));
    let mut module = walrus::Module::from_file(&wasm)?;
    let mut text = std::fs::read_to_string(&script)?;
    for (number, import) in module.imports.iter_mut().enumerate() {
        let (name, numbered) = (format!("        {}: ", import.name), format!("i{number}"));
        ensure!(text.matches(&name).count() == 1, "{} is not one member of the imports", import.name);
        text = text.replace(&name, &format!("        {numbered}: "));
        import.name = numbered;
    }
    for class in UNUSED {
        ensure!(!text.contains(&format!("{class}.__wrap")), "there are objects of {class}");
        let of_class = class.to_lowercase();
        let exports = module.exports.iter().filter(|export| export.name.contains(&of_class));
        for export in exports.map(walrus::Export::id).collect::<Vec<_>>() {
            module.exports.delete(export);
        }
    }
    std::fs::write(script, text)?;
    module.emit_wasm_file(&wasm)
}
