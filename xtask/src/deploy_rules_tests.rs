//! The rules, against the wrangler.toml of this repository, which breaks none, and against one change each that breaks one.

use super::*;

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
        assert_eq!(placeholders(&settings).len(), 4, "{env}");
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
    let cases: [Case; 16] = [
        ("a var missing", |all| drop(vars(all).remove("MAX_CHUNK_BYTES")), "lacks MAX_CHUNK_BYTES"),
        ("a var too many", |all| set(all, "MAX_CHUNKS", "1"), "MAX_CHUNKS is in"),
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
        ("another address", |all| set(all, "PUBLIC_URL", "https://elsewhere.example.com"), "host of PUBLIC_URL"),
        ("no logs", |all| all["observability"]["enabled"] = false.into(), "there would be no logs"),
        ("too much CPU", |all| all["limits"]["cpu_ms"] = 900_000.into(), "cpu_ms"),
    ];
    for (what, change, expected) in cases {
        let said = complaints(change);
        assert!(said.iter().any(|complaint| complaint.contains(expected)), "{what}: {said:?}");
    }
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
fn names_are_found_where_they_are_read_and_where_they_are_written() {
    let read =
        names_read(r#"text(env, "AUTH")?; secret(env, "WEBHOOK_SECRET"); other("lower"); const X: &str = "A B";"#);
    assert_eq!(read, BTreeSet::from(["AUTH".to_owned(), "WEBHOOK_SECRET".to_owned()]));
    let named =
        secrets_named("x\n# Secrets (put them):\n# ONE_SECRET   says\n# OTHER_SECRET  says\n# While one is there\n");
    assert_eq!(named, BTreeSet::from(["ONE_SECRET".to_owned(), "OTHER_SECRET".to_owned()]));
}

#[test]
fn what_the_worker_reads_is_what_wrangler_toml_names() {
    let all: Value = toml::from_str(TOML).unwrap();
    let mut named = keys(&all["vars"]);
    named.extend(secrets_named(TOML));
    let sources = [include_str!("../../src/config.rs"), include_str!("../../src/direct/s3_bucket.rs")];
    assert_eq!(sources.len(), READERS.len());
    assert_eq!(sources.into_iter().flat_map(names_read).collect::<BTreeSet<_>>(), named);
}
