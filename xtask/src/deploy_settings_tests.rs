//! Settings of one's own, over those that are committed.

use super::*;

struct Clone {
    project: Project,
}

impl Clone {
    /// A folder that looks like a clone, with these two files in it.
    fn with(name: &str, committed: &str, own: &str) -> Self {
        let root = std::env::temp_dir().join(format!("quayside settings {name} {}", std::process::id()));
        std::fs::create_dir_all(root.join("xtask")).unwrap();
        std::fs::write(root.join("xtask/Cargo.toml"), "").unwrap();
        std::fs::write(root.join(COMMITTED), committed).unwrap();
        std::fs::write(root.join(OWN), own).unwrap();
        Self { project: Project::around(&root).unwrap() }
    }
}

impl Drop for Clone {
    fn drop(&mut self) {
        std::fs::remove_dir_all(self.project.root()).unwrap();
    }
}

const COMMITTED_TEXT: &str = include_str!("../../wrangler.toml");
const MINE: &str = r#"
[env.production]
routes = [{ pattern = "up.mine.net", custom_domain = true }]

[env.production.assets]
directory = "build-page"

[env.production.vars]
PUBLIC_URL = "https://up.mine.net"
CORS_ORIGINS = "https://mine.net"
ORIGIN_WEBHOOK_URL = "https://api.mine.net/uploads"
QUOTA_OPEN_UPLOADS = "50"
"#;

#[test]
fn what_is_ones_own_is_laid_over_what_is_committed_and_wrangler_is_given_both() {
    let clone = Clone::with("over", COMMITTED_TEXT, MINE);
    let settings = Settings::read(&clone.project, "production").unwrap();
    assert_eq!(settings.placeholders(), Vec::<String>::new());
    assert_eq!(settings.var("QUOTA_OPEN_UPLOADS"), "50");
    assert_eq!(settings.var("R2_S3_BUCKET"), "quayside-production-uploads", "what is not one's own stays");
    assert_eq!(settings.var("UPLOAD_TTL_SECONDS"), "86400", "the default");
    let staging = Settings::read(&clone.project, "staging").unwrap();
    assert_eq!(staging.placeholders().len(), 4, "another environment is as it was");

    let merged: Value =
        serde_json::from_str(&std::fs::read_to_string(settings.write(&clone.project).unwrap()).unwrap()).unwrap();
    assert_eq!(merged["build"], Value::Null);
    assert_eq!(merged["main"], json!(clone.project.path("build/entry.js")));
    assert_eq!(merged["env"]["production"]["assets"]["directory"], json!(clone.project.path("build-page")));
    assert_eq!(merged["env"]["staging"]["assets"]["directory"], json!(clone.project.path("deploy/no-page")));
    assert_eq!(merged["env"]["production"]["routes"][0]["pattern"], "up.mine.net");
}

#[test]
fn a_setting_outside_an_environment_is_refused_by_name() {
    let clone = Clone::with("outside", COMMITTED_TEXT, "[vars]\nAUTH = \"open\"\n");
    let error = Settings::read(&clone.project, "production").err().unwrap();
    assert!(error.to_string().contains("wrangler.own.toml has vars"), "{error}");
    let clone = Clone::with("broken", COMMITTED_TEXT, "[env.production\n");
    let error = Settings::read(&clone.project, "production").err().unwrap();
    assert!(error.to_string().contains("wrangler.own.toml cannot be read"), "{error}");
}

#[test]
fn only_the_examples_own_names_are_the_examples() {
    for value in [
        "example.com",
        "https://upload.example.com",
        "a, https://*.example.com",
        "https://example.com/hook",
        "example.com.",
    ] {
        assert!(is_placeholder(value), "{value}");
    }
    for value in ["https://upload.myexample.com", "my-example.com", "example.com.au", "example.community", ""] {
        assert!(!is_placeholder(value), "{value}");
    }
}

#[test]
fn no_environment_says_what_is_the_default_or_serves_the_demo_page() {
    let all: Value = toml::from_str(COMMITTED_TEXT).unwrap();
    let defaults = settings_page::pairs(DEFAULTS);
    let environments = all["env"].as_object().unwrap();
    assert_eq!(environments.len(), 2);
    for (env, settings) in environments {
        for (name, value) in settings["vars"].as_object().unwrap() {
            assert_ne!(defaults.get(name).map(String::as_str), value.as_str(), "{env}: {name}");
        }
        assert_eq!(settings["assets"]["directory"], "deploy/no-page", "{env}");
    }
    let files: Vec<_> = std::fs::read_dir(Project::find().unwrap().path("deploy/no-page")).unwrap().collect();
    assert_eq!(files.len(), 1, "robots.txt");
}
