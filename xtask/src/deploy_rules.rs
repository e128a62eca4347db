//! What must hold of an environment of wrangler.toml before it is deployed, as far as it can be told without an account: each rule
//! is a function from the settings to the complaints it has. A rule that cannot complain is no rule: each has a test.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::deploy_settings::Settings;

/// How the Worker tells the dead-letter queue from the other (`src/queue/mod.rs`).
const DEAD_LETTERS: &str = "dead-letters";
/// By the binding that writes to a queue, how many of its messages may come at once: a batch is one invocation, with six connections,
/// and whoever waits for one waits while its time runs (`src/queue/mod.rs`).
const LARGEST_BATCHES: [(&str, u64); 2] = [("EVENTS", 4), ("TASKS", 1)];
/// Lists of bindings, each with what names one and what it leads to.
const BINDINGS: [(&str, &str, &str); 7] = [
    ("r2_buckets", "binding", "bucket_name"),
    ("durable_objects.bindings", "name", "class_name"),
    ("queues.producers", "binding", "queue"),
    ("analytics_engine_datasets", "binding", "dataset"),
    ("ratelimits", "name", "namespace_id"),
    ("kv_namespaces", "binding", "id"),
    ("services", "binding", "service"),
];
/// Those of them that two environments must not share: what one stores or sends is not the other's.
const OWN: [&str; 2] = ["r2_buckets", "queues.producers"];
/// Where a Worker is that has no zone.
const WORKERS_DEV: &str = ".workers.dev";
/// What need not be bound: without it nothing is counted, and nothing else changes.
const OPTIONAL: &str = "METRICS";

/// A rule, and what it is called.
pub(crate) type Rule = (&'static str, fn(&Settings) -> Vec<String>);

/// The longest life of an unfinished upload, and the shortest memory of an ended one, in seconds: `core/session/src/session/lifetime.rs` and
/// `core/session/src/retention.rs`.
const LONGEST_LIFE_SECONDS: u64 = 561_600;
const SHORTEST_MEMORY_SECONDS: u64 = 86_400;

/// What R2 is told to drop by itself.
const LIFECYCLE: &str = include_str!("../../deploy/r2-lifecycle.json");

/// All of them.
pub(crate) const RULES: [Rule; 8] = [
    ("every binding is there, and every var is one", everything_is_there),
    ("every var is text, or a number where one is meant", vars_are_text),
    ("it shares no bucket and no queue with another environment", nothing_is_shared),
    ("queues have their consumers and a dead-letter queue", queues_are_consumed),
    ("migrations name every object's class", migrations_fit),
    ("limits, observability and the address are set", platform_is_set),
    ("nobody uploads, calls, deletes or is told by accident", vars_are_safe),
    ("uploads live and are remembered as long as is said", lifetimes_hold),
];

fn list<'a>(settings: &'a Value, path: &str) -> &'a [Value] {
    let found = path.split('.').fold(settings, |value, key| &value[key]);
    found.as_array().map_or(&[], Vec::as_slice)
}

fn names(settings: &Value, path: &str, key: &str) -> BTreeSet<String> {
    list(settings, path).iter().filter_map(|entry| entry[key].as_str()).map(str::to_owned).collect()
}

fn keys(value: &Value) -> BTreeSet<String> {
    value.as_object().map(Map::keys).into_iter().flatten().cloned().collect()
}

fn everything_is_there(settings: &Settings) -> Vec<String> {
    let env = &settings.env;
    if !settings.here().is_object() {
        return vec![format!("there is no [env.{env}] in wrangler.toml")];
    }
    // A var that is not there has its default.
    let (top, here) = (keys(&settings.all["vars"]), keys(&settings.here()["vars"]));
    let mut complaints: Vec<_> =
        here.difference(&top).map(|name| format!("{name} is in [env.{env}.vars] and not in [vars]")).collect();
    for (path, name, _) in BINDINGS {
        let (top, here) = (names(&settings.all, path, name), names(settings.here(), path, name));
        let missing = top.difference(&here).filter(|name| *name != OPTIONAL);
        complaints.extend(missing.map(|name| format!("[[env.{env}.{path}]] lacks {name}")));
    }
    complaints
}

fn vars_are_text(settings: &Settings) -> Vec<String> {
    settings.not_text().into_iter().map(|name| format!("{name} is not text: put it between quotes")).collect()
}

fn nothing_is_shared(settings: &Settings) -> Vec<String> {
    let environments = settings.all["env"].as_object().into_iter().flatten().filter(|(name, _)| **name != settings.env);
    let others = environments.map(|(name, env)| (name.as_str(), env)).chain([("development", &settings.all)]);
    let mut complaints = Vec::new();
    for (other, theirs) in others {
        for (path, _, resource) in BINDINGS.into_iter().filter(|(path, ..)| OWN.contains(path)) {
            let shared: Vec<_> = names(settings.here(), path, resource)
                .intersection(&names(theirs, path, resource))
                .map(|name| format!("{name} is {other}'s too"))
                .collect();
            complaints.extend(shared);
        }
    }
    complaints
}

fn queues_are_consumed(settings: &Settings) -> Vec<String> {
    let produced = names(settings.here(), "queues.producers", "queue");
    let consumed = names(settings.here(), "queues.consumers", "queue");
    let mut complaints: Vec<_> = produced
        .symmetric_difference(&consumed)
        .map(|queue| format!("{queue} is written or read, but not both"))
        .collect();
    for consumer in list(settings.here(), "queues.consumers") {
        let queue = consumer["queue"].as_str().unwrap_or_default();
        match consumer["dead_letter_queue"].as_str() {
            None if queue.ends_with(DEAD_LETTERS) => {}
            Some(dead) if dead.ends_with(DEAD_LETTERS) && produced.contains(dead) => {}
            None => {
                complaints
                    .push(format!("{queue} has no dead_letter_queue: after max_retries its messages are dropped"));
            }
            Some(dead) => complaints.push(format!(
                "{dead}: the name of a dead-letter queue must end with `{DEAD_LETTERS}`, and be a producer's"
            )),
        }
    }
    for (binding, limit) in LARGEST_BATCHES {
        let written = list(settings.here(), "queues.producers").iter().find(|producer| producer["binding"] == binding);
        let queue = written.map_or(&Value::Null, |producer| &producer["queue"]);
        let read = list(settings.here(), "queues.consumers").iter().find(|consumer| consumer["queue"] == *queue);
        if let Some(consumer) = read
            && consumer["max_batch_size"].as_u64().is_none_or(|size| size > limit)
        {
            complaints.push(format!("{queue}: max_batch_size must not be above {limit}"));
        }
    }
    complaints
}

fn migrations_fit(settings: &Settings) -> Vec<String> {
    let classes = names(settings.here(), "durable_objects.bindings", "class_name");
    let (mut created, mut tags, mut complaints) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
    for migration in list(&settings.all, "migrations") {
        if !tags.insert(migration["tag"].as_str().unwrap_or_default()) {
            complaints.push(format!("the migration {} is there twice", migration["tag"]));
        }
        let strings = |key: &str| -> Vec<String> {
            list(migration, key).iter().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        created.extend(strings("new_sqlite_classes"));
        for gone in strings("deleted_classes") {
            created.remove(&gone);
        }
        for renamed in list(migration, "renamed_classes") {
            created.remove(renamed["from"].as_str().unwrap_or_default());
            created.extend(renamed["to"].as_str().map(str::to_owned));
        }
    }
    complaints.extend(classes.difference(&created).map(|class| format!("no migration creates {class} with SQLite")));
    complaints.extend(created.difference(&classes).map(|class| format!("nothing is bound to the class {class}")));
    complaints
}

fn platform_is_set(settings: &Settings) -> Vec<String> {
    let either = |key: &str| if settings.here()[key].is_null() { &settings.all[key] } else { &settings.here()[key] };
    let public_url = settings.var("PUBLIC_URL");
    let host = host(&public_url);
    let routes = list(settings.here(), "routes");
    let mut complaints = Vec::new();
    let mut demand = |holds: bool, complaint: &str| {
        if !holds {
            complaints.push(complaint.to_owned());
        }
    };
    demand(
        either("limits")["cpu_ms"].as_u64().is_some_and(|ms| (1..=300_000).contains(&ms)),
        "limits.cpu_ms is not between 1 and 300000",
    );
    demand(either("observability")["enabled"] == true, "observability is not enabled: there would be no logs");
    demand(
        either("compatibility_date").as_str().is_some_and(|date| date >= "2026-10-01"),
        "compatibility_date is before 2026-10-01: objects that wait for R2 could be evicted",
    );
    let files_url = settings.var("PUBLIC_FILES_URL");
    if !files_url.is_empty() {
        let files_name = host_name(&files_url);
        demand(
            files_name != host_name(&public_url),
            "PUBLIC_FILES_URL has the host of PUBLIC_URL: files of strangers are handed out on a host of their own",
        );
        let leads_there =
            |pattern: &str| files_name.as_deref() == Some(pattern.trim_end_matches('.').to_ascii_lowercase().as_str());
        demand(
            routes
                .iter()
                .any(|route| route["custom_domain"] == true && route["pattern"].as_str().is_some_and(leads_there)),
            "no route has custom_domain and the host of PUBLIC_FILES_URL",
        );
    }
    if either("workers_dev") == true {
        demand(
            routes.is_empty() && host.is_some_and(|host| host.ends_with(WORKERS_DEV)),
            "workers_dev is true: with a route, the Worker would be reached past the zone's rules; without one, PUBLIC_URL must be its \
             address on workers.dev",
        );
        return complaints;
    }
    demand(either("workers_dev") == false, "workers_dev is neither true nor false");
    let base_path = settings.var("BASE_PATH");
    let base_path = base_path.trim_matches('/');
    if base_path.is_empty() {
        demand(
            routes.iter().any(|route| route["custom_domain"] == true && route["pattern"].as_str() == host),
            "no route has custom_domain and the host of PUBLIC_URL",
        );
    } else {
        // A custom domain is the Worker's alone; below a path it shares one, and has a route of the zone.
        let below = format!("{}/{base_path}/*", host.unwrap_or_default());
        demand(
            routes.iter().any(|route| route["pattern"] == below.as_str() || route["pattern"].as_str() == host),
            "no route leads to the host of PUBLIC_URL and everything below BASE_PATH, like app.example.com/api/files/*",
        );
    }
    complaints
}

fn vars_are_safe(settings: &Settings) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut demand = |holds: bool, complaint: String| {
        if !holds {
            complaints.push(complaint);
        }
    };
    demand(settings.var("AUTH") != "open", "AUTH is \"open\": anybody could upload".to_owned());
    // Another Worker, bound as ORIGIN, is told without the network.
    let is_told_by_binding = names(settings.here(), "services", "binding").contains("ORIGIN");
    for name in ["PUBLIC_URL", "PUBLIC_FILES_URL", "ORIGIN_WEBHOOK_URL", "ACCEPT_HOOK"] {
        let url = settings.var(name);
        let may_be_empty = match name {
            "ORIGIN_WEBHOOK_URL" => is_told_by_binding,
            // No public files, or an application that does not want to be asked.
            name => ["PUBLIC_FILES_URL", "ACCEPT_HOOK"].contains(&name),
        };
        if url.is_empty() && may_be_empty {
            continue;
        }
        let is_public = host(&url)
            .is_some_and(|host| host.contains('.') && !host.starts_with("127.") && !host.contains("localhost"));
        demand(is_public, format!("{name} is not a public https address: {url:?}"));
    }
    for (name, then) in [("PUBLIC_URL", ", which goes into BASE_PATH"), ("PUBLIC_FILES_URL", "")] {
        let url = settings.var(name);
        let url = url.trim_end_matches('/');
        demand(url.matches('/').count() <= 2, format!("{name} has a path{then}: {url:?}"));
    }
    let origins = settings.var("CORS_ORIGINS");
    let origins: Vec<_> = origins.split(',').map(str::trim).collect();
    demand(
        !origins.contains(&"*"),
        "CORS_ORIGINS is \"*\": every page on the web could upload with a visitor's token".to_owned(),
    );
    for origin in origins.into_iter().filter(|origin| !origin.is_empty() && *origin != "*") {
        demand(
            host(origin).is_some_and(|host| !host.contains('/')),
            format!("CORS_ORIGINS: {origin:?} is not `https://host`"),
        );
    }
    demand(
        ["claim", "owner"].contains(&settings.var("DELETE_COMPLETED").as_str()),
        "DELETE_COMPLETED is neither \"claim\" nor \"owner\"".to_owned(),
    );
    if settings.var("AUTH") == "token" {
        demand(!settings.var("TOKEN_AUDIENCE").is_empty(), "TOKEN_AUDIENCE is empty".to_owned());
    }
    complaints
}

fn lifetimes_hold(settings: &Settings) -> Vec<String> {
    let seconds = |name: &str| settings.var(name).parse::<u64>().ok();
    let mut complaints = Vec::new();
    if seconds("UPLOAD_TTL_SECONDS").is_none_or(|ttl| ttl > LONGEST_LIFE_SECONDS) {
        complaints.push(format!(
            "UPLOAD_TTL_SECONDS is not a number up to {LONGEST_LIFE_SECONDS} (6.5 days): R2 drops unfinished uploads after 7 days"
        ));
    }
    if seconds("REPAIR_TTL_SECONDS").is_none_or(|ttl| ttl > LONGEST_LIFE_SECONDS) {
        complaints.push(format!(
            "REPAIR_TTL_SECONDS is not a number up to {LONGEST_LIFE_SECONDS} (6.5 days), the longest life of an unfinished upload"
        ));
    }
    if seconds("TOMBSTONE_TTL_SECONDS").is_none_or(|ttl| ttl < SHORTEST_MEMORY_SECONDS) {
        complaints.push(format!(
            "TOMBSTONE_TTL_SECONDS is not a number of at least {SHORTEST_MEMORY_SECONDS} (a day): a creation that is repeated under \
             its Idempotency-Key must find what it created"
        ));
    }
    complaints.extend(lifecycle_complaints(LIFECYCLE));
    complaints
}

/// A rule of the bucket that drops unfinished uploads sooner than they end would take the parts of one that goes on.
fn lifecycle_complaints(lifecycle: &str) -> Vec<String> {
    let Ok(lifecycle) = serde_json::from_str::<Value>(lifecycle) else {
        return vec!["deploy/r2-lifecycle.json is no JSON".to_owned()];
    };
    let ages = list(&lifecycle, "rules").iter().filter_map(|rule| {
        let condition = &rule["abortMultipartUploadsTransition"]["condition"];
        Some((rule["id"].as_str().unwrap_or_default(), condition["maxAge"].as_u64()?))
    });
    let too_short = ages.filter(|(_, age)| *age <= LONGEST_LIFE_SECONDS);
    let complain = |(id, age)| {
        format!(
            "deploy/r2-lifecycle.json: {id:?} drops unfinished uploads after {age} s, which may live {LONGEST_LIFE_SECONDS} s"
        )
    };
    too_short.map(complain).collect()
}

/// The host of an https URL.
fn host(url: &str) -> Option<&str> {
    url.strip_prefix("https://")
        .map(|rest| rest.trim_end_matches('/'))
        .filter(|host| !host.is_empty())
        .map(|host| host.split('/').next().unwrap_or(host))
}

/// The name of the host of an https URL, as the Worker compares it: in small letters, without a port and a final dot.
fn host_name(url: &str) -> Option<String> {
    let host = host(url)?;
    let name = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
    Some(name.map_or(host, |(name, _)| name).trim_end_matches('.').to_ascii_lowercase())
}

#[cfg(test)]
#[path = "deploy_rules_tests.rs"]
mod tests;
