//! `cargo xtask release`: what is published, made and checked, in `target/packages/`: npm's and Python's packages, bills of materials,
//! the notes of this version, and the checksums of all of it. Publishes nothing.
//!
//! The version stands in Cargo.toml (`workspace.package`), and a release is refused where a manifest says another.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::output::{self, Step};
use crate::project::Project;
use crate::rustup::WASM_TARGET;
use crate::{bundle, children, quay_release, setup, worker_build};

const FOLDER: &str = "target/packages";
/// Where Python's build tool is installed.
const PYTHON_ENVIRONMENT: &str = "target/python-build";
/// Each is a folder with a package.json.
const NPM_PACKAGES: [&str; 4] = ["packages/quayside", "client", "packages/server", "packages/create-quayside"];
/// What carries the command line.
const CLI_PACKAGE: &str = "packages/quay";
const CLI_PROGRAM_PACKAGE: &str = "quayside-cli-linux-x64";
const PYTHON_PACKAGE: &str = "packages/python";
/// What its template depends on.
const TEMPLATE: &str = "packages/create-quayside/template/package.json";

/// Makes all of it.
pub(crate) fn command(project: &Project) -> Result<()> {
    let version = version_everywhere(project)?;
    setup::for_running(project)?;
    worker_build::build(project)?;
    bundle::release_is_small(project)?;
    let folder = project.path(FOLDER);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    let program = quay_release::build(project)?;
    std::fs::copy(&program, folder.join(quay_release::file_name(&version)))
        .with_context(|| format!("copying {}", program.display()))?;
    for package in npm_packages_of_all() {
        let mut pack = project.command("npm");
        pack.args(["pack", "--silent", "--pack-destination"]).arg(&folder).current_dir(project.path(package));
        output(&format!("npm pack, {package}"), &pack)?;
    }
    python(project, &folder)?;
    for (name, bill) in bills(project, &version)? {
        write(&folder.join(name), &format!("{bill:#}\n"))?;
    }
    write(&folder.join("RELEASE_NOTES.md"), &notes(&read(&project.path("CHANGELOG.md"))?, &version)?)?;
    let sums = checksums(&folder)?;
    write(&folder.join("SHA256SUMS"), &sums)?;
    output::line(sums.trim_end());
    output::line(format_args!("version {version} is in {FOLDER}"));
    Ok(())
}

fn npm_packages_of_all() -> impl Iterator<Item = &'static str> {
    NPM_PACKAGES.into_iter().chain(quay_release::NPM_PACKAGES)
}

/// The version, where every manifest says the same.
pub(crate) fn version_everywhere(project: &Project) -> Result<String> {
    let manifest: toml::Table = read(&project.path("Cargo.toml"))?.parse()?;
    let version = manifest["workspace"]["package"]["version"].as_str().context("Cargo.toml has no version")?.to_owned();
    for folder in npm_packages_of_all() {
        let path = project.path(folder).join("package.json");
        let found: Value = serde_json::from_str(&read(&path)?)?;
        ensure!(
            found["version"] == version.as_str(),
            "{} says version {}, not {version}",
            path.display(),
            found["version"]
        );
    }
    let template: Value = serde_json::from_str(&read(&project.path(TEMPLATE))?)?;
    for name in ["quayside", "quayside-client", "quayside-server"] {
        let wanted = format!("^{version}");
        ensure!(template["dependencies"][name] == wanted.as_str(), "{TEMPLATE} does not ask for {name} {wanted}");
    }
    let cli: Value = serde_json::from_str(&read(&project.path(CLI_PACKAGE).join("package.json"))?)?;
    let asked = &cli["optionalDependencies"][CLI_PROGRAM_PACKAGE];
    ensure!(*asked == version.as_str(), "{CLI_PACKAGE} asks for version {asked} of its program, not {version}");
    let python: toml::Table = read(&project.path(PYTHON_PACKAGE).join("pyproject.toml"))?.parse()?;
    let wanted = python_version(&version);
    ensure!(python["project"]["version"].as_str() == Some(&wanted), "pyproject.toml does not say version {wanted}");
    Ok(version)
}

/// As PEP 440 writes it: `1.0.0-rc.1` is `1.0.0rc1`.
fn python_version(version: &str) -> String {
    match version.split_once('-') {
        Some((release, suffix)) => {
            format!("{release}{}", suffix.replacen("alpha", "a", 1).replacen("beta", "b", 1).replace('.', ""))
        }
        None => version.to_owned(),
    }
}

fn python(project: &Project, folder: &Path) -> Result<()> {
    let environment = project.path(PYTHON_ENVIRONMENT);
    let program = environment.join("bin/python");
    if !program.is_file() {
        let mut make = Command::new("python3");
        make.args(["-m", "venv"]).arg(&environment);
        output("python3 -m venv", &make)?;
        let mut install = Command::new(&program);
        install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "build==1.6.1"]);
        output("pip install build", &install)?;
    }
    let package = project.path(PYTHON_PACKAGE);
    std::fs::copy(project.path("LICENSE"), package.join("LICENSE"))?;
    let mut build = Command::new(&program);
    build.args(["-m", "build", "--outdir"]).arg(folder).arg(&package);
    output("python -m build", &build)?;
    Ok(())
}

/// `CycloneDX` documents, by file name: of the Worker's crates, and of the packages that have dependencies.
fn bills(project: &Project, version: &str) -> Result<Vec<(String, Value)>> {
    let tree = |package: &str, target: &str| {
        let mut tree = project.command("cargo");
        tree.args(["tree", "--locked", "-p", package, "--target", target, "--edges", "normal"]);
        tree.args(["--prefix", "none", "--no-dedupe", "--format", "{p}|{l}"]);
        output("cargo tree", &tree).map(|tree| crates(&tree))
    };
    let lock: Value = serde_json::from_str(&read(&project.path("package-lock.json"))?)?;
    let made = [
        ("quayside", tree("quayside", WASM_TARGET)?),
        ("quay", tree("quay", quay_release::TARGET)?),
        ("quayside-client", npm_packages(&lock, "client")),
        ("quayside-server", npm_packages(&lock, "packages/server")),
    ];
    Ok(made.map(|(name, components)| (format!("{name}-{version}.cdx.json"), bill(name, version, &components))).into())
}

fn bill(name: &str, version: &str, components: &[Value]) -> Value {
    json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": { "component": { "type": "application", "name": name, "version": version } },
        "components": components,
    })
}

fn component(kind: &str, name: &str, version: &str, license: &str) -> Value {
    json!({
        "type": "library",
        "name": name,
        "version": version,
        // The one character of npm's names that an address has another meaning for.
        "purl": format!("pkg:{kind}/{}@{version}", name.replace('@', "%40")),
        "licenses": [{ "expression": license }],
    })
}

/// Of lines like `serde v1.0.0|MIT OR Apache-2.0`. What is of this repository has its path in the line, and is no component.
fn crates(tree: &str) -> Vec<Value> {
    let lines: BTreeSet<&str> = tree.lines().filter(|line| !line.contains(" (/")).collect();
    let made = |line: &str| {
        let (package, license) = line.split_once('|')?;
        let (name, version) = package.split_once(" v")?;
        let version = version.split_whitespace().next()?;
        Some(component("cargo", name, version, &license.replace('/', " OR ")))
    };
    lines.into_iter().filter_map(made).collect()
}

/// What a folder's package needs where it is installed, as package-lock.json has it.
fn npm_packages(lock: &Value, folder: &str) -> Vec<Value> {
    let packages = &lock["packages"];
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(path) = open.pop() {
        for name in packages[&path]["dependencies"].as_object().into_iter().flat_map(|names| names.keys()) {
            if let Some(path) = installed(packages, &path, name)
                && found.insert(path.clone(), name.clone()).is_none()
            {
                open.push(path);
            }
        }
    }
    let text = |path: &str, field: &str| packages[path][field].as_str().unwrap_or("NOASSERTION").to_owned();
    found.iter().map(|(path, name)| component("npm", name, &text(path, "version"), &text(path, "license"))).collect()
}

/// Where Node finds a package, asked from another one: in its own `node_modules`, or in that of a folder above it.
fn installed(packages: &Value, from: &str, name: &str) -> Option<String> {
    let mut folder = Some(from);
    while let Some(above) = folder {
        let path =
            if above.is_empty() { format!("node_modules/{name}") } else { format!("{above}/node_modules/{name}") };
        if packages.get(&path).is_some() {
            return Some(path);
        }
        folder = (!above.is_empty()).then(|| above.rfind("/node_modules/").map_or("", |at| &above[..at]));
    }
    None
}

/// What CHANGELOG.md says of this version; while there is no section of it, what is not released yet.
fn notes(changelog: &str, version: &str) -> Result<String> {
    let sections = changelog.split("\n## ").skip(1);
    let section = |title: &str| sections.clone().find(|section| section.trim_start_matches('[').starts_with(title));
    let section =
        section(version).or_else(|| section("Unreleased")).context("CHANGELOG.md has no section of this version")?;
    let (_, text) = section.split_once('\n').context("the section of this version is empty")?;
    Ok(format!("# Quayside {version}\n\n{}\n", text.trim()))
}

/// As `sha256sum` writes them.
fn checksums(folder: &Path) -> Result<String> {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    paths.sort();
    let mut sums = String::new();
    for path in paths {
        let bytes = std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        writeln!(sums, "{}  {name}", hex::encode(Sha256::digest(&bytes)))?;
    }
    Ok(sums)
}

/// Runs it as a step; what it prints on standard output.
fn output(title: &str, command: &Command) -> Result<String> {
    let step = Step::begin(title);
    let finished = children::run_capturing(command, |_, line| step.detail(line))?;
    if !finished.status.success() {
        step.end(false);
        bail!("{title} failed:\n{}", finished.both.trim_end());
    }
    step.end(true);
    Ok(finished.out)
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_written_as_each_registry_wants_them() {
        for (version, expected) in [("1.0.0", "1.0.0"), ("1.0.0-rc.1", "1.0.0rc1"), ("2.1.0-beta.3", "2.1.0b3")] {
            assert_eq!(python_version(version), expected);
        }
    }

    #[test]
    fn every_manifest_says_the_same_version() {
        version_everywhere(&Project::find().unwrap()).unwrap();
    }

    #[test]
    fn links_in_a_package_lead_somewhere_where_it_is_published() {
        let project = Project::find().unwrap();
        for folder in NPM_PACKAGES.into_iter().chain([PYTHON_PACKAGE]) {
            let text = read(&project.path(folder).join("README.md")).unwrap();
            for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
                assert!(link.starts_with("https://") || link.starts_with('#'), "{folder}: {link}");
            }
        }
    }

    #[test]
    fn notes_are_the_section_of_the_version() {
        let log = "# Changelog\n\n## Unreleased\n\n- new\n\n## 1.0.0 - 2026-11-29\n\n- old\n";
        assert_eq!(notes(log, "1.0.0").unwrap(), "# Quayside 1.0.0\n\n- old\n");
        assert_eq!(notes(log, "1.1.0").unwrap(), "# Quayside 1.1.0\n\n- new\n");
        assert!(notes("# Changelog\n", "1.0.0").is_err());
    }

    fn purls(components: &[Value]) -> Vec<&str> {
        components.iter().map(|component| component["purl"].as_str().unwrap()).collect()
    }

    #[test]
    fn crates_are_what_others_have_made() {
        let tree = "quayside v1.0.0 (/home/me/quayside)|Apache-2.0\nserde v1.0.2|MIT/Apache-2.0\n\
                    serde v1.0.2|MIT/Apache-2.0\nderive v1.0.0 (proc-macro)|MIT\n";
        let found = crates(tree);
        assert_eq!(purls(&found), ["pkg:cargo/derive@1.0.0", "pkg:cargo/serde@1.0.2"]);
        assert_eq!(found[1]["licenses"][0]["expression"], "MIT OR Apache-2.0");
    }

    #[test]
    fn npm_packages_are_found_as_node_finds_them() {
        let lock = json!({ "packages": {
            "client": { "dependencies": { "a": "^1", "@s/b": "^2" }, "devDependencies": { "d": "^1" } },
            "node_modules/a": { "version": "1.0.0", "license": "MIT", "dependencies": { "c": "^3" } },
            "node_modules/a/node_modules/c": { "version": "3.0.0", "license": "ISC" },
            "node_modules/c": { "version": "9.0.0" },
            "client/node_modules/@s/b": { "version": "2.0.0", "dependencies": { "c": "^9", "a": "^1" } },
            "node_modules/d": { "version": "1.0.0" },
        }});
        let found = npm_packages(&lock, "client");
        assert_eq!(purls(&found), ["pkg:npm/%40s/b@2.0.0", "pkg:npm/a@1.0.0", "pkg:npm/c@3.0.0", "pkg:npm/c@9.0.0"]);
        assert_eq!(found[2]["licenses"][0]["expression"], "ISC");
    }
}
