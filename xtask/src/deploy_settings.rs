//! The settings of a deployment: wrangler.toml, with wrangler.own.toml laid over it, which git overlooks. Whoever deploys puts names and
//! values of their own there, so that an upgrade has no file to merge.
//!
//! A table is laid over a table, name by name; anything else, a list too, takes the place of what was there.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::project::Project;
use crate::settings_page;

const COMMITTED: &str = "wrangler.toml";
/// Where the settings of one's own stand.
pub(crate) const OWN: &str = "wrangler.own.toml";
/// What wrangler is given: both in one.
const MERGED: &str = "target/deploy/wrangler.json";
const DEFAULTS: &str = include_str!("../../src/defaults.rs");
/// What stands in the names that everybody has to replace.
const PLACEHOLDER: &str = "example.com";

/// 2^53 - 1: what JavaScript keeps of a larger one may be another.
const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// The settings, and one of their environments.
pub(crate) struct Settings {
    /// All of them.
    pub(crate) all: Value,
    /// The name of the environment.
    pub(crate) env: String,
}

impl Settings {
    /// As they stand in both files.
    pub(crate) fn read(project: &Project, env: &str) -> Result<Self> {
        let mut all = parsed(&project.path(COMMITTED))?;
        let own = project.path(OWN);
        if own.is_file() {
            lay_over(&mut all, own_environments(&own)?);
        }
        Ok(Self { all, env: env.to_owned() })
    }

    /// The environment.
    pub(crate) fn here(&self) -> &Value {
        &self.all["env"][&self.env]
    }

    /// A var of the environment, or its default; empty where there is none, and where it is one of [`Self::not_text`].
    pub(crate) fn var(&self, name: &str) -> String {
        let text = match self.here()["vars"].get(name) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            Some(_) => String::new(),
            None => settings_page::pairs(DEFAULTS).remove(name).unwrap_or_default(),
        };
        text.trim().to_owned()
    }

    /// The vars of the environment that the Worker refuses as it does in `src/setting.rs`: each is text, or, where its default is a number,
    /// a whole number without quotes.
    pub(crate) fn not_text(&self) -> Vec<&str> {
        let defaults = settings_page::pairs(DEFAULTS);
        let is_number = |name: &str| defaults.get(name).is_some_and(|default| default.parse::<u64>().is_ok());
        let is_read = |(name, value): &(&String, &Value)| {
            value.is_string() || is_number(name) && value.as_u64().is_some_and(|number| number <= MAX_SAFE_INTEGER)
        };
        let vars = self.here()["vars"].as_object().into_iter().flatten();
        vars.filter(|var| !is_read(var)).map(|(name, _)| name.as_str()).collect()
    }

    /// Writes them for wrangler; the path of the file. Paths in it are made absolute, and nothing is built by wrangler: it is built.
    pub(crate) fn write(&self, project: &Project) -> Result<PathBuf> {
        let mut all = self.all.clone();
        make_absolute(project.root(), &mut all);
        let path = project.path(MERGED);
        std::fs::create_dir_all(path.parent().unwrap_or(project.root()))?;
        std::fs::write(&path, format!("{all:#}\n")).with_context(|| format!("writing {}", path.display()))?;
        Ok(path)
    }

    /// The names of this environment that are still those of the example. Nothing is wrong with them but that they are nobody's.
    pub(crate) fn placeholders(&self) -> Vec<String> {
        let routes = self.here()["routes"].as_array().into_iter().flatten();
        let patterns = routes.filter_map(|route| Some(("route", route["pattern"].as_str().or(route.as_str())?)));
        let vars = self.here()["vars"].as_object().into_iter().flatten();
        let values = vars.filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)));
        let named = patterns.chain(values).filter(|(_, value)| is_placeholder(value));
        named.map(|(name, value)| format!("{name} = {value:?} is still the example's")).collect()
    }
}

fn parsed(path: &Path) -> Result<Value> {
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    toml::from_str(&text).with_context(|| format!("{} cannot be read", path.display()))
}

/// What stands outside an environment would change development, too, and say nothing of a deployment.
fn own_environments(path: &Path) -> Result<Value> {
    let own = parsed(path)?;
    for (name, value) in own.as_object().into_iter().flatten() {
        ensure!(
            name == "env" && value.is_object(),
            "{OWN} has {name}, which is no environment: put it below [env.production]"
        );
    }
    Ok(own)
}

fn lay_over(below: &mut Value, above: Value) {
    match (below, above) {
        (Value::Object(below), Value::Object(above)) => {
            for (name, value) in above {
                lay_over(below.entry(name).or_insert(Value::Null), value);
            }
        }
        (below, above) => *below = above,
    }
}

fn make_absolute(root: &Path, all: &mut Value) {
    let absolute = |path: &mut Value| {
        if let Some(relative) = path.as_str() {
            *path = json!(root.join(relative));
        }
    };
    if let Some(table) = all.as_object_mut() {
        table.remove("build");
        table.entry("main").and_modify(absolute);
    }
    let mut places = vec!["/assets/directory".to_owned()];
    places.extend(all["env"].as_object().into_iter().flatten().map(|(env, _)| format!("/env/{env}/assets/directory")));
    for place in places {
        if let Some(path) = all.pointer_mut(&place) {
            absolute(path);
        }
    }
}

/// Whether the name is in it as a whole: `upload.myexample.com` is somebody's.
fn is_placeholder(value: &str) -> bool {
    let is_of_a_name = |c: char| c.is_ascii_alphanumeric() || c == '-';
    value.match_indices(PLACEHOLDER).any(|(at, found)| {
        let after = &value[at + found.len()..];
        let goes_on = after.strip_prefix('.').unwrap_or(after);
        !value[..at].ends_with(is_of_a_name) && !goes_on.starts_with(is_of_a_name)
    })
}

#[cfg(test)]
#[path = "deploy_settings_tests.rs"]
mod tests;
