//! The rules, against the wrangler.toml of this repository, which breaks none, and against one change each that breaks one.

use serde_json::json;

use super::*;
use crate::settings_read::{READERS, names_read, secrets_named};

const TOML: &str = include_str!("../../wrangler.toml");

fn settings(change: impl FnOnce(&mut Value)) -> Settings {
    let mut all: Value = toml::from_str(TOML).unwrap();
    change(&mut all);
    Settings { all, env: "production".to_owned() }
}

fn complaints(change: impl FnOnce(&mut Value)) -> Vec<String> {
    let settings = settings(change);
    RULES.iter().flat_map(|(_, rule)| rule(&settings)).collect()
}

#[test]
fn every_environment_as_it_is_committed_can_be_deployed() {
    for env in ["staging", "production"] {
        let settings = Settings { env: env.to_owned(), ..settings(|_| ()) };
        for (name, rule) in RULES {
            assert_eq!(rule(&settings), Vec::<String>::new(), "{env}: {name}");
        }
        assert_eq!(settings.placeholders().len(), 4, "{env}");
    }
}

#[test]
fn an_environment_that_does_not_exist_is_named() {
    let settings = Settings { env: "prod".to_owned(), ..settings(|_| ()) };
    assert_eq!(everything_is_there(&settings), ["there is no [env.prod] in wrangler.toml"]);
}

/// What is wrong, how it comes about, and what is said of it.
type Case = (&'static str, fn(&mut Value), &'static str);

#[test]
fn each_mistake_is_said() {
    are_said(&[
        ("an address missing", |all| drop(vars(all).remove("PUBLIC_URL")), "PUBLIC_URL is not a public https address"),
        ("no audience", |all| set(all, "TOKEN_AUDIENCE", ""), "TOKEN_AUDIENCE is empty"),
        ("workers.dev beside a route", |all| here(all)["workers_dev"] = true.into(), "past the zone's rules"),
        ("a var too many", |all| set(all, "MAX_CHUNKS", "1"), "MAX_CHUNKS is in"),
        (
            "rules that are no text",
            |all| drop(vars(all).insert("TOKEN_RULES".into(), json!({ "sub": "repo:octo-org/octo-repo:*" }))),
            "TOKEN_RULES is not text: put it between quotes",
        ),
        (
            "an issuer that is a number",
            |all| drop(vars(all).insert("TOKEN_ISSUER".into(), 7.into())),
            "TOKEN_ISSUER is not text",
        ),
        (
            "half an upload",
            |all| drop(vars(all).insert("QUOTA_OPEN_UPLOADS".into(), json!(0.5))),
            "QUOTA_OPEN_UPLOADS is not text",
        ),
        (
            "a number that JavaScript does not keep",
            |all| drop(vars(all).insert("QUOTA_OPEN_BYTES".into(), (1_u64 << 53).into())),
            "QUOTA_OPEN_BYTES is not text",
        ),
        ("a binding missing", |all| all["env"]["production"]["r2_buckets"] = Value::Array(vec![]), "lacks BUCKET"),
        (
            "development's bucket",
            |all| here(all)["r2_buckets"][0]["bucket_name"] = "quayside-uploads".into(),
            "development's too",
        ),
        (
            "no dead letters",
            |all| here(all)["queues"]["consumers"][0]["dead_letter_queue"] = Value::Null,
            "no dead_letter_queue",
        ),
        (
            "dead letters misnamed",
            |all| here(all)["queues"]["consumers"][0]["dead_letter_queue"] = "x".into(),
            "must end with",
        ),
        (
            "events in batches that wait for connections",
            |all| here(all)["queues"]["consumers"][0]["max_batch_size"] = 10.into(),
            "must not be above 4",
        ),
        ("a queue nobody reads", |all| here(all)["queues"]["consumers"] = Value::Array(vec![]), "not both"),
        (
            "a class without migration",
            |all| all["migrations"] = Value::Array(vec![]),
            "no migration creates UploadSession",
        ),
        ("anybody uploads", |all| set(all, "AUTH", "open"), "anybody could upload"),
        ("every page calls", |all| set(all, "CORS_ORIGINS", "*"), "every page"),
        ("an origin without scheme", |all| set(all, "CORS_ORIGINS", "app.example.com"), "is not `https://host`"),
        (
            "the origin on this machine",
            |all| set(all, "ORIGIN_WEBHOOK_URL", "http://127.0.0.1:8788/x"),
            "not a public https",
        ),
        (
            "an application that is asked on this machine",
            |all| set(all, "ACCEPT_HOOK", "http://localhost:3000/accept"),
            "ACCEPT_HOOK is not a public https",
        ),
        ("another address", |all| set(all, "PUBLIC_URL", "https://elsewhere.example.com"), "host of PUBLIC_URL"),
        (
            "an address with a path",
            |all| set(all, "PUBLIC_URL", "https://upload.example.com/api"),
            "goes into BASE_PATH",
        ),
        ("no logs", |all| all["observability"]["enabled"] = false.into(), "there would be no logs"),
        (
            "uploads that outlive their parts",
            |all| set(all, "UPLOAD_TTL_SECONDS", "604800"),
            "UPLOAD_TTL_SECONDS is not a number up to 561600",
        ),
        (
            "damaged files that outlive their uploads",
            |all| set(all, "REPAIR_TTL_SECONDS", "561601"),
            "REPAIR_TTL_SECONDS is not a number up to 561600",
        ),
        (
            "creations that are remembered longer than what they created",
            |all| set(all, "TOMBSTONE_TTL_SECONDS", "86399"),
            "TOMBSTONE_TTL_SECONDS is not a number of at least 86400",
        ),
        ("somebody who deletes", |all| set(all, "DELETE_COMPLETED", "anybody"), "neither \"claim\" nor \"owner\""),
        ("too much CPU", |all| all["limits"]["cpu_ms"] = 900_000.into(), "cpu_ms"),
    ]);
}

#[test]
fn so_is_each_of_the_host_of_public_files() {
    are_said(&[
        (
            "public files beside the API",
            |all| set(all, "PUBLIC_FILES_URL", "https://upload.example.com/"),
            "PUBLIC_FILES_URL has the host of PUBLIC_URL",
        ),
        (
            "public files beside the API, in other letters",
            |all| set(all, "PUBLIC_FILES_URL", "https://Upload.Example.com.:8443/"),
            "PUBLIC_FILES_URL has the host of PUBLIC_URL",
        ),
        (
            "public files beside the API on workers.dev",
            |all| {
                here(all)["workers_dev"] = true.into();
                here(all)["routes"] = json!([]);
                set(all, "PUBLIC_URL", "https://quayside.example.workers.dev");
                set(all, "PUBLIC_FILES_URL", "https://quayside.example.workers.dev");
            },
            "PUBLIC_FILES_URL has the host of PUBLIC_URL",
        ),
        (
            "public files that no route leads to",
            |all| set(all, "PUBLIC_FILES_URL", "https://files.example.com"),
            "no route has custom_domain and the host of PUBLIC_FILES_URL",
        ),
        (
            "public files in the open",
            |all| set(all, "PUBLIC_FILES_URL", "http://files.example.com"),
            "PUBLIC_FILES_URL is not a public https address",
        ),
    ]);
}

fn are_said(cases: &[Case]) {
    for (what, change, expected) in cases {
        let said = complaints(*change);
        assert!(said.iter().any(|complaint| complaint.contains(*expected)), "{what}: {said:?}");
    }
}

#[test]
fn a_number_without_quotes_is_the_number() {
    let said = complaints(|all| drop(vars(all).insert("QUOTA_OPEN_BYTES".into(), 1000.into())));
    assert_eq!(said, Vec::<String>::new());
    let said = complaints(|all| drop(vars(all).insert("UPLOAD_TTL_SECONDS".into(), 604_800.into())));
    assert!(said.iter().any(|complaint| complaint.contains("UPLOAD_TTL_SECONDS is not a number up to")), "{said:?}");
}

#[test]
fn a_bucket_that_drops_what_still_lives_is_said() {
    let rule = |age: u64| {
        let transition = json!({ "condition": { "type": "Age", "maxAge": age } });
        json!({ "rules": [{ "id": "drop", "abortMultipartUploadsTransition": transition }] }).to_string()
    };
    assert_eq!(lifecycle_complaints(&rule(604_800)), Vec::<String>::new());
    assert!(
        lifecycle_complaints(&rule(172_800)).iter().any(|said| said.contains("\"drop\"") && said.contains("172800"))
    );
    assert_eq!(lifecycle_complaints("{").len(), 1);
}

#[test]
fn the_rules_say_what_the_code_does() {
    let lifetime = include_str!("../../core/session/src/session/lifetime.rs");
    assert!(lifetime.contains(&format!("LATEST_END_MS: u64 = {};", grouped(LONGEST_LIFE_SECONDS * 1000))));
    let ledger = include_str!("../../core/session/src/retention.rs");
    assert!(ledger.contains(&format!("IDEMPOTENCY_MS: u64 = {};", grouped(SHORTEST_MEMORY_SECONDS * 1000))));
}

/// As Rust writes large numbers: `86_400_000`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(|group| String::from_utf8_lossy(group)).collect();
    groups.join("_")
}

fn here(all: &mut Value) -> &mut Value {
    &mut all["env"]["production"]
}

fn vars(all: &mut Value) -> &mut Map<String, Value> {
    all["env"]["production"]["vars"].as_object_mut().unwrap()
}

fn set(all: &mut Value, name: &str, value: &str) {
    all["env"]["production"]["vars"][name] = value.into();
}

#[test]
fn a_deployment_may_do_without_metrics_and_be_told_by_a_binding() {
    let said = complaints(|all| {
        let here = here(all).as_object_mut().unwrap();
        here.remove("analytics_engine_datasets");
        here.insert("services".to_owned(), json!([{ "binding": "ORIGIN", "service": "app" }]));
        vars(all).remove("ORIGIN_WEBHOOK_URL");
    });
    assert_eq!(said, Vec::<String>::new());
    let untold = complaints(|all| drop(vars(all).remove("ORIGIN_WEBHOOK_URL")));
    assert!(untold.iter().any(|said| said.contains("ORIGIN_WEBHOOK_URL is not a public https")), "{untold:?}");
}

#[test]
fn without_a_zone_the_worker_is_on_workers_dev() {
    let on = |url: &'static str| {
        complaints(move |all| {
            here(all)["workers_dev"] = true.into();
            here(all)["routes"] = Value::Array(vec![]);
            set(all, "PUBLIC_URL", url);
        })
    };
    assert_eq!(on("https://quayside-production.me.workers.dev"), Vec::<String>::new());
    assert!(on("https://upload.me.net").iter().any(|said| said.contains("its address on workers.dev")));
}

#[test]
fn below_a_path_the_worker_may_have_a_route_of_the_zone() {
    let with_route = |pattern: &'static str| {
        complaints(move |all| {
            set(all, "BASE_PATH", "/api/files/");
            here(all)["routes"] = json!([{ "pattern": pattern, "zone_name": "example.com" }]);
        })
    };
    assert_eq!(with_route("upload.example.com/api/files/*"), Vec::<String>::new());
    assert!(with_route("upload.example.com/api/*").iter().any(|said| said.contains("below BASE_PATH")));
}

#[test]
fn what_the_worker_reads_is_what_wrangler_toml_names() {
    let all: Value = toml::from_str(TOML).unwrap();
    let mut named = keys(&all["vars"]);
    named.extend(secrets_named(TOML));
    let sources = [
        include_str!("../../src/address_settings.rs"),
        include_str!("../../src/config.rs"),
        include_str!("../../src/receivers.rs"),
        include_str!("../../src/token_settings.rs"),
        include_str!("../../src/storage/s3.rs"),
    ];
    assert_eq!(sources.len(), READERS.len());
    assert_eq!(sources.into_iter().flat_map(names_read).collect::<BTreeSet<_>>(), named);
}
