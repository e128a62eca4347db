//! The infrastructure that `deploy/` offers, as far as it can be checked without Terraform: every file parses as HCL; every resource
//! has the attributes that the provider's documentation requires, and none that it does not know; whatever is named is declared;
//! and what is said twice, in wrangler.toml or in JSON, is said the same way.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

fn root() -> PathBuf {
    // Where the test is run, which may be a copy of where it was compiled.
    PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap()).parent().unwrap().to_path_buf()
}

/// All files as one module, which is what Terraform makes of a folder: for each kind of block, its blocks by their labels.
fn module() -> Value {
    let mut module = json!({});
    for entry in fs::read_dir(root().join("deploy/terraform")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "tf") {
            let text = fs::read_to_string(&path).unwrap();
            let file: Value = hcl::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            merge(&mut module, file);
        }
    }
    module
}

fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}

/// What the provider's documentation says of the resources that are used: a name with `!` is required, an object has attributes of its
/// own, and a list of one object is a list of such. (docs/resources of terraform-provider-cloudflare 5; `rules` of a ruleset: what
/// its schema has of what is used, and the neighbours that could be meant instead.)
fn schema() -> Value {
    let age = json!({ "condition!": { "max_age!": 0, "type!": "" } });
    json!({
        "cloudflare_r2_bucket": { "account_id!": "", "name!": "", "jurisdiction": "", "location": "", "storage_class": "" },
        "cloudflare_r2_bucket_lifecycle": {
            "account_id!": "", "bucket_name!": "", "jurisdiction": "",
            "rules": [{
                "id!": "", "enabled!": true, "conditions!": { "prefix!": "" },
                "abort_multipart_uploads_transition": age, "delete_objects_transition": age,
                "storage_class_transitions": [{ "condition!": age["condition!"], "storage_class!": "" }],
            }],
        },
        "cloudflare_r2_bucket_cors": {
            "account_id!": "", "bucket_name!": "", "jurisdiction": "",
            "rules": [{
                "allowed!": { "methods!": [], "origins!": [], "headers": [] },
                "id": "", "expose_headers": [], "max_age_seconds": 0,
            }],
        },
        "cloudflare_queue": {
            "queue_name!": "", "account_id": "",
            "settings": { "delivery_delay": 0, "delivery_paused": true, "message_retention_period": 0 },
        },
        "cloudflare_ruleset": {
            "kind!": "", "name!": "", "phase!": "", "zone_id": "", "account_id": "", "description": "",
            "rules": [{
                "action": "", "expression": "", "description": "", "enabled": true, "ref": "", "logging": { "enabled!": true },
                "action_parameters": {
                    "phases": [], "products": [], "ruleset": "", "rulesets": [],
                    "request_body_buffering": "", "response_body_buffering": "", "bic": true, "security_level": "",
                },
                "ratelimit": {
                    "characteristics!": [], "period!": 0, "counting_expression": "", "mitigation_timeout": 0,
                    "requests_per_period": 0, "requests_to_origin": true, "score_per_period": 0,
                },
            }],
        },
    })
}

/// What any resource may have beside its own attributes.
const META: [&str; 5] = ["count", "for_each", "depends_on", "lifecycle", "provider"];

fn complaints(at: &str, known: &Value, given: &Value) -> Vec<String> {
    match (known, given) {
        // An expression: what it gives is not known here.
        (_, Value::String(text)) if text.starts_with("${") => Vec::new(),
        (Value::Array(known), Value::Array(given)) => match known.first() {
            Some(known) => given.iter().flat_map(|given| complaints(at, known, given)).collect(),
            None if given.iter().all(Value::is_string) => Vec::new(),
            None => vec![format!("{at} is a list of texts")],
        },
        (Value::Object(known), Value::Object(given)) => {
            let find = |name: &str| known.get(name).or_else(|| known.get(&format!("{name}!")));
            let required = known.keys().filter_map(|name| name.strip_suffix('!'));
            let mut found: Vec<_> =
                required.filter(|name| !given.contains_key(*name)).map(|name| format!("{at} lacks {name}")).collect();
            for (name, value) in given.iter().filter(|(name, _)| !META.contains(&name.as_str())) {
                match find(name) {
                    Some(known) => found.extend(complaints(&format!("{at}.{name}"), known, value)),
                    None => found.push(format!("{at} has no {name}")),
                }
            }
            found
        }
        (Value::String(_), Value::String(_))
        | (Value::Number(_), Value::Number(_))
        | (Value::Bool(_), Value::Bool(_)) => Vec::new(),
        (_, given) => vec![format!("{at} is {given}, which is of another type")],
    }
}

fn resource_complaints(module: &Value) -> Vec<String> {
    let schema = schema();
    let mut found = Vec::new();
    for (kind, named) in module["resource"].as_object().unwrap() {
        for (name, resource) in named.as_object().unwrap() {
            match schema.get(kind) {
                Some(known) => found.extend(complaints(&format!("{kind}.{name}"), known, resource)),
                None => found.push(format!("{kind} is in no table")),
            }
        }
    }
    found
}

#[test]
fn every_resource_is_as_the_provider_documents_it() {
    let module = module();
    assert_eq!(resource_complaints(&module), Vec::<String>::new());
    let kinds: BTreeSet<_> = module["resource"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(kinds.len(), 5, "every resource of the table is used: {kinds:?}");
    let provider = &module["terraform"]["required_providers"]["cloudflare"];
    assert_eq!((&provider["source"], &provider["version"]), (&json!("cloudflare/cloudflare"), &json!("~> 5.20")));
}

/// How it comes about, and what is said of it.
type Mistake = (fn(&mut Value), &'static str);

#[test]
fn a_resource_that_is_not_is_found() {
    let mistakes: [Mistake; 5] = [
        (|all| all["resource"]["cloudflare_queue"]["events"] = json!({ "name": "x" }), "lacks queue_name"),
        (|all| all["resource"]["cloudflare_queue"]["events"]["name"] = json!("x"), "has no name"),
        (|all| all["resource"]["cloudflare_workers_queue"] = json!({ "x": {} }), "is in no table"),
        (|all| drop(rule(all)["conditions"].take()), "conditions"),
        (|all| rule(all)["enabled"] = json!("yes"), "another type"),
    ];
    for (mistake, expected) in mistakes {
        let mut module = module();
        mistake(&mut module);
        let found = resource_complaints(&module);
        assert!(found.iter().any(|complaint| complaint.contains(expected)), "{expected}: {found:?}");
    }
}

fn rule(module: &mut Value) -> &mut Value {
    &mut module["resource"]["cloudflare_r2_bucket_lifecycle"]["uploads"]["rules"][0]
}

#[test]
fn whatever_is_named_is_declared() {
    let module = module();
    let text = module.to_string();
    let mut named = 0;
    for (prefix, declared) in [("var.", &module["variable"]), ("local.", &module["locals"])] {
        for after in text.split(prefix).skip(1) {
            let name: String = after.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            assert!(!declared[&name].is_null(), "{prefix}{name} is not declared");
            named += 1;
        }
    }
    for after in text.split("${cloudflare_").skip(1) {
        let mut parts = after.split(|c: char| !(c.is_alphanumeric() || c == '_'));
        let (kind, name) = (parts.next().unwrap(), parts.next().unwrap());
        assert!(
            !module["resource"][format!("cloudflare_{kind}")][name].is_null(),
            "cloudflare_{kind}.{name} is not there"
        );
        named += 1;
    }
    assert!(named > 15, "{named} names were looked at");
}

#[test]
fn names_and_ages_agree_with_wrangler_toml() {
    let module = module();
    let wrangler: Value = toml::from_str(&fs::read_to_string(root().join("wrangler.toml")).unwrap()).unwrap();
    let production = &wrangler["env"]["production"];
    let resource = |kind: &str, name: &str| module["resource"][kind][name].clone();
    let in_production = |value: &Value| value.as_str().unwrap().replace("${var.environment}", "production");
    assert_eq!(module["variable"]["environment"]["default"], "production");
    assert_eq!(
        in_production(&resource("cloudflare_r2_bucket", "uploads")["name"]),
        production["r2_buckets"][0]["bucket_name"].as_str().unwrap()
    );
    let queues = ["events", "tasks", "dead_letters"]
        .map(|name| in_production(&resource("cloudflare_queue", name)["queue_name"]));
    let bound = [0, 1, 2].map(|index| production["queues"]["producers"][index]["queue"].as_str().unwrap().to_owned());
    assert_eq!(queues, bound);
    assert_eq!(module["variable"]["host"]["default"], production["routes"][0]["pattern"]);
    assert_eq!(module["variable"]["app_origins"]["default"][0], production["vars"]["CORS_ORIGINS"]);

    let rule = &resource("cloudflare_r2_bucket_lifecycle", "uploads")["rules"][0];
    let seconds = rule["abort_multipart_uploads_transition"]["condition"]["max_age"].as_u64().unwrap();
    // Where an environment says nothing else, it is the default.
    let defaults = fs::read_to_string(root().join("src/defaults.rs")).unwrap();
    let default = defaults.split("(\"UPLOAD_TTL_SECONDS\", \"").nth(1).and_then(|rest| rest.split('"').next());
    let ttl = production["vars"]["UPLOAD_TTL_SECONDS"].as_str().or(default);
    let ttl_seconds: u64 = ttl.unwrap().parse().unwrap();
    assert!(seconds > ttl_seconds, "an upload of {ttl_seconds} s would lose its parts after {seconds} s");
    assert!(seconds <= 7 * 86_400, "R2 itself takes 7 days");
}

/// What a plan's rules may name, as Cloudflare's pages on rate limiting and bots have it: fields in rules that limit rates, how many of
/// these there are, and phases that a rule may skip.
const PLANS: [(&str, &[&str], &[&str]); 3] = [
    ("free", &["uri.path"], &["http_ratelimit", "http_request_firewall_managed"]),
    ("pro", &["uri.path", "host"], &["http_ratelimit", "http_request_firewall_managed", "http_request_sbfm"]),
    (
        "business",
        &["uri.path", "host", "request.method"],
        &["http_ratelimit", "http_request_firewall_managed", "http_request_sbfm"],
    ),
];

/// The fields in an expression of rules, without `http.` and, of the path, `request.`; `local.` is looked up.
fn fields(expression: &str, locals: &Value) -> BTreeSet<String> {
    let mut whole = expression.to_owned();
    while let Some((before, rest)) = whole.split_once("${local.") {
        let (name, after) = rest.split_once('}').unwrap();
        whole = format!("{before}{}{after}", locals[name].as_str().unwrap());
    }
    let words = whole.split(|c: char| !(c.is_ascii_alphanumeric() || "._".contains(c)));
    let fields = words.filter_map(|word| word.strip_prefix("http."));
    fields
        .map(|field| field.strip_prefix("request.").filter(|rest| *rest == "uri.path").unwrap_or(field).to_owned())
        .collect()
}

fn texts(list: &Value) -> BTreeSet<&str> {
    list.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

fn plan_complaints(module: &Value) -> Vec<String> {
    let (locals, ruleset) = (&module["locals"], &module["resource"]["cloudflare_ruleset"]);
    let limits = &ruleset["limit_creations"]["rules"];
    let mut found = Vec::new();
    if limits.as_array().unwrap().len() > 1 {
        found.push("Free has one rule that limits rates".to_owned());
    }
    for (plan, known, skippable) in PLANS {
        let expression = locals["creation"][plan].as_str().unwrap_or_default();
        let named = fields(expression, locals);
        if !named.contains("uri.path") {
            found.push(format!("{plan}: creations are not told by their path: {expression}"));
        }
        found.extend(
            named.iter().filter(|name| !known.contains(&name.as_str())).map(|name| format!("{plan} has no {name}")),
        );
        let skipped = texts(&locals["skipped"][plan]);
        found.extend(
            skipped
                .into_iter()
                .filter(|phase| !skippable.contains(phase))
                .map(|phase| format!("{plan} has no {phase}")),
        );
        // What the Worker lets one address create in ten seconds; by any method, each creation may come with a question before it.
        let least = if known.contains(&"request.method") { 4000 } else { 8000 };
        if locals["creations"][plan].as_u64().is_none_or(|most| most <= least) {
            found.push(format!("{plan} blocks what the Worker would answer"));
        }
    }
    found
}

#[test]
fn each_plan_has_rules_that_it_can_have() {
    let module = module();
    assert_eq!(plan_complaints(&module), Vec::<String>::new());
    let rules = &module["resource"]["cloudflare_ruleset"];
    assert_eq!(rules["limit_creations"]["rules"][0]["expression"], "${local.creation[var.plan]}");
    assert_eq!(
        rules["limit_creations"]["rules"][0]["ratelimit"]["requests_per_period"],
        "${local.creations[var.plan]}"
    );
    assert_eq!(rules["skip_for_chunks"]["rules"][0]["action_parameters"]["phases"], "${local.skipped[var.plan]}");
    let plans: BTreeSet<_> = PLANS.iter().map(|(plan, ..)| *plan).collect();
    for name in ["creation", "creations", "skipped"] {
        let here: BTreeSet<_> = module["locals"][name].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(here, plans, "{name}");
    }
    let accepted = module["variable"]["plan"]["validation"]["condition"].as_str().unwrap();
    assert!(plans.iter().all(|plan| accepted.contains(&format!("\"{plan}\""))), "{accepted}");
    assert!(module["variable"]["plan"]["default"].is_null(), "nobody has a plan without having said it");
}

#[test]
fn a_rule_that_a_plan_cannot_have_is_found() {
    let mistakes: [Mistake; 4] = [
        (|all| all["locals"]["creation"]["free"] = all["locals"]["creation"]["pro"].clone(), "free has no host"),
        (
            |all| all["locals"]["creation"]["pro"] = all["locals"]["creation"]["business"].clone(),
            "pro has no request.method",
        ),
        (|all| all["locals"]["skipped"]["free"] = json!(["http_request_sbfm"]), "free has no http_request_sbfm"),
        (|all| all["locals"]["creations"]["free"] = json!(5000), "free blocks"),
    ];
    for (mistake, expected) in mistakes {
        let mut module = module();
        mistake(&mut module);
        let found = plan_complaints(&module);
        assert!(found.iter().any(|complaint| complaint.contains(expected)), "{expected}: {found:?}");
    }
}

#[test]
fn the_files_for_wrangler_say_the_same() {
    let module = module();
    let read = |name: &str| -> Value {
        serde_json::from_str(&fs::read_to_string(root().join("deploy").join(name)).unwrap()).unwrap()
    };
    let lifecycle = &module["resource"]["cloudflare_r2_bucket_lifecycle"]["uploads"]["rules"];
    assert_eq!(read("r2-lifecycle.json")["rules"], camel_case(lifecycle));
    let mut cors = camel_case(&module["resource"]["cloudflare_r2_bucket_cors"]["uploads"]["rules"]);
    cors[0]["allowed"]["origins"] = module["variable"]["app_origins"]["default"].clone();
    assert_eq!(read("r2-cors.json")["rules"], cors);
}

#[test]
fn the_rules_by_age_are_the_same_one_and_such_as_there_are() {
    let rules: Value =
        serde_json::from_str(&fs::read_to_string(root().join("deploy/r2-lifecycle-by-age.json")).unwrap()).unwrap();
    let module = module();
    let committed = camel_case(&module["resource"]["cloudflare_r2_bucket_lifecycle"]["uploads"]["rules"]);
    assert_eq!(rules["rules"][0], committed[0], "unfinished uploads go as ever");
    let known = schema()["cloudflare_r2_bucket_lifecycle"]["rules"].clone();
    let found = complaints("rules", &camel_case(&known), &rules["rules"]);
    assert!(found.is_empty(), "{found:?}");
    // Nothing of what begins with a segment or a piece of an upload that goes on may be taken away.
    for rule in rules["rules"].as_array().unwrap().iter().skip(1) {
        let prefix = rule["conditions"]["prefix"].as_str().unwrap();
        assert!(prefix.starts_with("uploads/") && prefix.len() > "uploads/".len(), "{prefix}");
    }
}

/// As the API writes names, which wrangler takes.
fn camel_case(value: &Value) -> Value {
    match value {
        Value::Object(object) => object.iter().map(|(key, value)| (camel(key), camel_case(value))).collect(),
        Value::Array(list) => list.iter().map(camel_case).collect(),
        other => other.clone(),
    }
}

fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |name, word| name + &word[..1].to_uppercase() + &word[1..])
}
