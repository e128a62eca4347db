//! `cargo xtask` begins here: where xtask has to be compiled, which takes some time on a fresh clone, a line says so first. Then cargo
//! runs it, in the place of this program.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    // cargo puts both programs into the same folder.
    if !std::env::current_exe().is_ok_and(|path| path.with_file_name("xtask").is_file()) {
        println!("- compiling `cargo xtask` itself, once …");
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let error = Command::new(cargo)
        .args(["run", "--quiet", "--package", "xtask", "--"])
        .args(std::env::args_os().skip(1))
        .exec();
    eprintln!("error: cargo could not be run: {error}");
    ExitCode::FAILURE
}
