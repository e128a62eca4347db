//! `bindgen WASM FOLDER`: writes `index.js`, the JavaScript around a compiled Worker, and `index_bg.wasm`, its wasm with bindings, into a folder.
//!
//! wasm-bindgen's library does it. Its command line tool brings an HTTP server and a client with it, and takes four times as long to compile.

use anyhow::Context;
use wasm_bindgen_cli_support::Bindgen;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    let (wasm, folder) = arguments.next().zip(arguments.next()).context("usage: bindgen WASM FOLDER")?;
    Bindgen::new()
        .input_path(wasm)
        .out_name("index")
        .module(true)?
        .typescript(false)
        // What `src/instance.js` needs to begin anew after a panic or a trap.
        .reset_state_function(true)
        .force_enable_abort_handler(true)
        .generate(folder)
}
