//! `cargo xtask deploy --env NAME [--dry-run]`: checks everything about a deployment that can be checked here, says what is missing,
//! and deploys only when nothing is. What is deployed is wrangler.toml with what is one's own laid over it.
//!
//! With `--dry-run` no account is needed and nothing leaves this machine. Without it, wrangler is asked which secrets are set,
//! and then deploys. The last line says how it ended, and so does the exit code.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::Value;

use crate::deploy_rules::RULES;
use crate::deploy_settings::{OWN, Settings};
use crate::project::Project;
use crate::settings_read::{READERS, names_read, secrets_named};
use crate::test_counts::TestCounts;
use crate::{bundle, children, output, page, worker_build};

/// What Workers Free takes, gzipped, as Cloudflare documented it longest; Paid takes more.
const MAX_GZIPPED_BYTES: usize = 3 * 1024 * 1024;
/// Where wrangler puts what it would have uploaded.
const DRY_RUN_FOLDER: &str = "target/deploy-dry-run";

/// What the command line may change.
#[derive(Args)]
pub(crate) struct Options {
    /// Which environment of wrangler.toml
    #[arg(long, value_name = "NAME")]
    pub(crate) env: String,
    /// Stop before anything is sent
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Checks, and deploys.
pub(crate) fn command(project: &Project, options: &Options) -> Result<ExitCode> {
    let toml = std::fs::read_to_string(project.path("wrangler.toml")).context("reading wrangler.toml")?;
    let settings = Settings::read(project, &options.env)?;
    let mut counted = TestCounts::default();
    for (name, rule) in RULES {
        counted += checked(name, rule(&settings));
    }
    counted += checked(
        "the Worker reads every var and secret that wrangler.toml names, and no other",
        mirrored(project, &settings, &toml)?,
    );
    counted += checked(&format!("its names are your own, in {OWN}"), settings.placeholders());
    output::line(format_args!("the demo page is {}served", if serves_page(&settings) { "" } else { "not " }));
    output::line(format_args!(
        "secrets that it needs, to be set with `npx wrangler secret put NAME --env {}`: {}",
        settings.env,
        needed(&settings).join(", ")
    ));
    let configuration = settings.write(project)?;
    // What is wrong above would be deployed with the bundle: there is no need to build it first.
    if counted.failed == 0 {
        counted += built(project);
        counted += wrangler_accepts(project, &configuration, &settings.env);
    }
    if !options.dry_run && counted.failed == 0 {
        counted += checked("secrets are set", missing_secrets(project, &configuration, &settings)?);
    }
    if counted.failed > 0 {
        output::line(format_args!("not deployed: {counted}"));
        return Ok(ExitCode::FAILURE);
    }
    if options.dry_run {
        output::line(format_args!("{} could be deployed: {counted}", settings.env));
        return Ok(ExitCode::SUCCESS);
    }
    deploy(project, &configuration, &settings.env)
}

fn checked(name: &str, complaints: Vec<String>) -> TestCounts {
    let passed = complaints.is_empty();
    output::line(format_args!("{} {name}", if passed { "ok     " } else { "MISSING" }));
    for complaint in complaints {
        output::line(format_args!("        {complaint}"));
    }
    TestCounts::one(passed)
}

fn mirrored(project: &Project, settings: &Settings, toml: &str) -> Result<Vec<String>> {
    let mut read = BTreeSet::new();
    for reader in READERS {
        let source = std::fs::read_to_string(project.path(reader)).with_context(|| format!("reading {reader}"))?;
        read.extend(names_read(&source));
    }
    let mut named = secrets_named(toml);
    named.extend(settings.all["vars"].as_object().into_iter().flatten().map(|(name, _)| name.clone()));
    let mut complaints: Vec<_> = named.difference(&read).map(|name| format!("nothing reads {name}")).collect();
    complaints.extend(
        read.difference(&named).map(|name| format!("the Worker reads {name}, which wrangler.toml does not name")),
    );
    Ok(complaints)
}

/// Builds the bundle, and looks at it.
fn built(project: &Project) -> TestCounts {
    let complaints = worker_build::build(project).and_then(|_| {
        let wasm = bundle::release_wasm(project);
        let bytes = std::fs::read(&wasm).with_context(|| format!("reading {}", wasm.display()))?;
        let gzipped = bundle::gzipped_bytes(&bytes)?;
        output::line(format_args!("        {} gzipped", output::size(gzipped)));
        let mut complaints = Vec::new();
        if gzipped > MAX_GZIPPED_BYTES {
            complaints.push(format!("{} gzipped is above {}", output::size(gzipped), output::size(MAX_GZIPPED_BYTES)));
        }
        if bundle::has_faults(&bytes) {
            complaints.push("it has faults on purpose in it: build it without the feature `faults`".to_owned());
        }
        Ok(complaints)
    });
    checked(
        "the bundle builds, is small enough, and is a release",
        complaints.unwrap_or_else(|error| vec![format!("{error:#}")]),
    )
}

fn wrangler_accepts(project: &Project, configuration: &Path, env: &str) -> TestCounts {
    let arguments = ["deploy", "--dry-run", "--env", env, "--outdir", DRY_RUN_FOLDER];
    checked(
        "wrangler accepts it",
        wrangler(project, configuration, &arguments).err().map(|error| format!("{error:#}")).into_iter().collect(),
    )
}

/// Runs wrangler to its end; what it said, where it succeeded.
fn wrangler(project: &Project, configuration: &Path, arguments: &[&str]) -> Result<String> {
    let mut command = project.command(project.node_bin("wrangler"));
    command
        .args(arguments)
        .arg("--config")
        .arg(configuration)
        .env("WRANGLER_SEND_METRICS", "false")
        .env("NO_COLOR", "1");
    let finished = children::run_capturing(&command, |_, _| {})?;
    if !finished.status.success() {
        bail!("wrangler {} failed:\n{}", arguments.join(" "), finished.both.trim_end());
    }
    Ok(finished.out)
}

/// Asks the account.
fn missing_secrets(project: &Project, configuration: &Path, settings: &Settings) -> Result<Vec<String>> {
    let listed = wrangler(project, configuration, &["secret", "list", "--env", &settings.env, "--format", "json"])
        .context("asking for the secrets; is this the first deployment? `wrangler secret put` creates the Worker")?;
    Ok(not_listed(&needed(settings), &listed))
}

/// What the environment cannot do without. Tokens need a shared secret only where there are no public keys, and R2's S3 API its keys only
/// where it is used.
fn needed(settings: &Settings) -> Vec<String> {
    let is_set = |name: &&str| !settings.var(name).is_empty();
    let mut needed = vec!["WEBHOOK_SECRET", "DOWNLOAD_SECRET"];
    if !["TOKEN_PUBLIC_KEYS", "TOKEN_JWKS_URL", "TOKEN_ISSUERS"].iter().any(is_set) {
        needed.push("TOKEN_SECRETS");
    }
    if is_set(&"R2_S3_ENDPOINT") {
        needed.extend(["R2_ACCESS_KEY_ID", "R2_SECRET_ACCESS_KEY"]);
    }
    let named = ["EVENT_RECEIVERS", "SCANNER"].into_iter().flat_map(|setting| secrets_in(&settings.var(setting)));
    needed.into_iter().map(str::to_owned).chain(named).collect()
}

/// Those that the setting of receivers or of the scanner names. What is no JSON the Worker complains of.
fn secrets_in(setting: &str) -> Vec<String> {
    let said: Value = serde_json::from_str(setting).unwrap_or_default();
    let entries = said.as_array().cloned().unwrap_or_else(|| vec![said]);
    entries.iter().filter_map(|entry| entry["secret"].as_str()).map(str::to_owned).collect()
}

/// Whether the page is among what is deployed.
fn serves_page(settings: &Settings) -> bool {
    let either = if settings.here()["assets"].is_null() { &settings.all["assets"] } else { &settings.here()["assets"] };
    either["directory"].as_str().is_some_and(|folder| folder.trim_end_matches('/').ends_with(page::FOLDER))
}

fn not_listed(needed: &[String], listed: &str) -> Vec<String> {
    let secrets: Value = serde_json::from_str(listed).unwrap_or_default();
    let is_set = |name: &str| secrets.as_array().into_iter().flatten().any(|secret| secret["name"] == name);
    needed.iter().filter(|name| !is_set(name)).map(|name| format!("{name} is not set")).collect()
}

fn deploy(project: &Project, configuration: &Path, env: &str) -> Result<ExitCode> {
    let mut command = project.command(project.node_bin("wrangler"));
    command.args(["deploy", "--env", env, "--config"]).arg(configuration);
    let status = children::run(&command)?;
    output::line(if status.success() {
        "deployed; ask /readyz whether it is ready"
    } else {
        "wrangler did not deploy it"
    });
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(vars: &Value) -> Settings {
        Settings { all: serde_json::json!({ "env": { "x": { "vars": vars } } }), env: "x".to_owned() }
    }

    #[test]
    fn only_secrets_that_are_needed_are_asked_for() {
        let both = ["WEBHOOK_SECRET", "DOWNLOAD_SECRET"];
        assert_eq!(needed(&settings(&serde_json::json!({}))), [both[0], both[1], "TOKEN_SECRETS"]);
        assert_eq!(needed(&settings(&serde_json::json!({ "TOKEN_JWKS_URL": "https://keys.example" }))), both);
        assert_eq!(needed(&settings(&serde_json::json!({ "TOKEN_ISSUERS": "[{}]" }))), both);
        let presigned = serde_json::json!({ "TOKEN_PUBLIC_KEYS": "{}", "R2_S3_ENDPOINT": "https://r2.example" });
        assert_eq!(needed(&settings(&presigned)), [both[0], both[1], "R2_ACCESS_KEY_ID", "R2_SECRET_ACCESS_KEY"]);
        let told = serde_json::json!({
            "TOKEN_ISSUERS": "[{}]",
            "EVENT_RECEIVERS": r#"[{"name": "a", "url": "https://a.example", "secret": "SEARCH_SECRET"}, {"name": "b", "queue": "B"}]"#,
            "SCANNER": r#"{"url": "https://s.example", "secret": "SCANNER_SECRET"}"#,
        });
        assert_eq!(needed(&settings(&told)), [both[0], both[1], "SEARCH_SECRET", "SCANNER_SECRET"]);
    }

    #[test]
    fn secrets_that_are_not_set_are_named() {
        let listed = r#"[{"name":"WEBHOOK_SECRET","type":"secret_text"}]"#;
        let missing = |listed| not_listed(&needed(&settings(&serde_json::json!({}))), listed);
        assert_eq!(missing(listed), ["DOWNLOAD_SECRET is not set", "TOKEN_SECRETS is not set"]);
        assert_eq!(missing("wrangler has changed its answer").len(), 3);
    }

    #[test]
    fn the_demo_page_is_served_where_it_is_asked_for() {
        let with = |assets: Value| {
            let all =
                serde_json::json!({ "assets": { "directory": "build-page" }, "env": { "x": { "assets": assets } } });
            serves_page(&Settings { all, env: "x".to_owned() })
        };
        assert!(with(Value::Null), "what stands at the top is handed down");
        assert!(with(serde_json::json!({ "directory": "./build-page/" })));
        assert!(!with(serde_json::json!({ "directory": "deploy/no-page" })));
    }
}
