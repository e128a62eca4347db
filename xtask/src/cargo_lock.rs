//! What Cargo.lock has resolved: the version of one package.

use anyhow::{Context, Result};

use crate::project::Project;

/// The version of `package` in this repository's Cargo.lock.
pub(crate) fn locked_version(project: &Project, package: &str) -> Result<String> {
    let path = project.path("Cargo.lock");
    let lock = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    version_of(&lock, package).with_context(|| format!("Cargo.lock names no package {package}"))
}

/// The first `[[package]]` of that name. Its `name` line comes before its `version` line, always: cargo writes the file.
fn version_of(lock: &str, package: &str) -> Option<String> {
    let value =
        |line: &str, key: &str| Some(line.strip_prefix(key)?.strip_prefix(" = \"")?.strip_suffix('"')?.to_owned());
    let mut lines = lock.lines().skip_while(|line| value(line, "name").is_none_or(|name| name != package));
    lines.find_map(|line| value(line, "version"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str = r#"
version = 4

[[package]]
name = "wasm-bindgen-macro"
version = "0.2.7"

[[package]]
name = "wasm-bindgen"
version = "0.2.130"
source = "registry"
dependencies = [
 "cfg-if",
]
"#;

    #[test]
    fn finds_the_exact_name() {
        assert_eq!(version_of(LOCK, "wasm-bindgen").as_deref(), Some("0.2.130"));
        assert_eq!(version_of(LOCK, "wasm-bindgen-macro").as_deref(), Some("0.2.7"));
    }

    #[test]
    fn a_missing_package_is_no_version() {
        assert_eq!(version_of(LOCK, "wasm"), None);
        assert_eq!(version_of("", "wasm"), None);
    }
}
