//! The setting `EVENT_RECEIVERS`: a JSON list of who hears of uploads beside the origin. What is wrong with it is said with the entry that
//! it is about, in words that stand behind the setting's name. Whether bindings and secrets are there, whoever has them looks.
//!
//! ```json
//! [{"name": "search", "url": "https://search.example.com/events", "secret": "SEARCH_SECRET", "kinds": ["upload.completed"]},
//!  {"name": "thumbnails", "queue": "THUMBNAILS"}]
//! ```

use serde_json::{Map, Value};

use crate::{
    event::EventKind,
    receivers::{MAX_NAME_BYTES, MAX_RECEIVERS, ORIGIN_NAME, SCANNER_NAME},
};

/// The fields of an entry.
const FIELDS: [&str; 6] = ["name", "url", "queue", "service", "secret", "kinds"];

/// An entry that can be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it is called.
    pub name: String,
    /// How it is reached.
    pub way: Way,
    /// The name of the secret with which what it is told is signed. There is one wherever the way is an address, and none where it is a
    /// queue.
    pub secret: Option<String>,
    /// What it hears of.
    pub kinds: Vec<EventKind>,
}

/// How a receiver is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// At this address, over the network.
    Url(String),
    /// By the queue that is bound under this name.
    Queue(String),
    /// By the service that is bound under this name.
    Service(String),
}

impl Entry {
    /// What a service that is reached by a binding finds as its host: no host has a `_`.
    pub fn host(&self) -> Option<String> {
        matches!(self.way, Way::Service(_)).then(|| self.name.replace('_', "-"))
    }
}

/// Reads the setting. Nothing is a list without entries.
pub fn parse(setting: &str) -> Result<Vec<Entry>, String> {
    if setting.is_empty() {
        return Ok(Vec::new());
    }
    let Ok(Value::Array(listed)) = upload_types::json::from_str::<Value>(setting) else {
        return Err("is not a JSON list: [{\"name\": …, \"url\": …, \"secret\": …, \"kinds\": […]}]".to_owned());
    };
    if listed.len() > MAX_RECEIVERS {
        return Err(format!("has {} entries, and may have {MAX_RECEIVERS}", listed.len()));
    }
    let mut entries: Vec<Entry> = Vec::new();
    for (at, value) in listed.iter().enumerate() {
        let entry = entry(value).map_err(|complaint| format!("entry {at}{}: {complaint}", shown_name(value)))?;
        if entries.iter().any(|before| before.name == entry.name) {
            return Err(format!("entry {at}: there is another receiver called {}", entry.name));
        }
        let host = entry.host();
        if let Some(other) = entries.iter().find(|before| host.is_some() && before.host() == host) {
            let (host, other, name) = (host.unwrap_or_default(), &other.name, &entry.name);
            return Err(format!(
                "entry {at} ({name}): https://{host}/ would be its address and that of {other}: give one of them another name"
            ));
        }
        entries.push(entry);
    }
    Ok(entries)
}

/// Reads the setting `SCANNER`: whoever looks at what is held. Nothing is nobody.
///
/// ```json
/// {"url": "https://scanner.example.com/", "secret": "SCANNER_SECRET"}
/// ```
pub fn scanner(setting: &str) -> Result<Option<Entry>, String> {
    if setting.is_empty() {
        return Ok(None);
    }
    let said = upload_types::json::from_str::<Value>(setting).ok();
    let Some(Value::Object(fields)) = said.filter(|said| said["queue"].is_null()) else {
        return Err("is not a JSON object with `url` and `secret`, or with `service`".to_owned());
    };
    let known = ["url", "service", "secret"];
    if let Some(unknown) = fields.keys().find(|name| !known.contains(&name.as_str())) {
        return Err(format!("{unknown:.64} is none of its fields, which are {}", known.join(", ")));
    }
    let (way, secret) = (way(&fields)?, text(&fields, "secret")?.map(str::to_owned));
    if secret.is_none() && matches!(way, Way::Url(_)) {
        return Err("secret is missing: the name of the secret with which it is asked".to_owned());
    }
    Ok(Some(Entry { name: SCANNER_NAME.to_owned(), way, secret, kinds: vec![EventKind::Held] }))
}

fn shown_name(entry: &Value) -> String {
    entry["name"].as_str().filter(|name| is_name(name)).map_or_else(String::new, |name| format!(" ({name})"))
}

fn entry(value: &Value) -> Result<Entry, String> {
    let fields = value.as_object().ok_or("is no object")?;
    if let Some(unknown) = fields.keys().find(|name| !FIELDS.contains(&name.as_str())) {
        return Err(format!("{unknown:.64} is none of its fields, which are {}", FIELDS.join(", ")));
    }
    let name = text(fields, "name")?.ok_or("name is missing")?;
    if !is_name(name) {
        return Err(format!("name is not one of 1 to {MAX_NAME_BYTES} characters of a-z, 0-9, - and _"));
    }
    if name == ORIGIN_NAME {
        return Err(format!("name is {ORIGIN_NAME}, which ORIGIN_WEBHOOK_URL and the binding ORIGIN have"));
    }
    if name == SCANNER_NAME {
        return Err(format!("name is {SCANNER_NAME}, which the setting SCANNER has"));
    }
    let way = way(fields)?;
    let secret = text(fields, "secret")?.map(str::to_owned);
    match (&way, &secret) {
        (Way::Url(_), None) => {
            return Err("secret is missing: the name of the secret with which its events are signed".to_owned());
        }
        (Way::Queue(_), Some(_)) => {
            return Err("secret is of no use: a message of a queue has no signature".to_owned());
        }
        _ => {}
    }
    Ok(Entry { name: name.to_owned(), way, secret, kinds: kinds(fields)? })
}

fn is_name(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
    (1..=MAX_NAME_BYTES).contains(&name.len()) && name.bytes().all(is_allowed)
}

fn text<'a>(fields: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, String> {
    match fields.get(name) {
        None => Ok(None),
        Some(Value::String(text)) if !text.is_empty() => Ok(Some(text)),
        Some(_) => Err(format!("{name} is not text, or is empty")),
    }
}

fn way(fields: &Map<String, Value>) -> Result<Way, String> {
    let of = |name| text(fields, name).map(|text| text.map(str::to_owned));
    match (of("url")?, of("queue")?, of("service")?) {
        (Some(url), None, None) => Ok(Way::Url(url)),
        (None, Some(binding), None) => Ok(Way::Queue(binding)),
        (None, None, Some(binding)) => Ok(Way::Service(binding)),
        _ => Err("it has not exactly one of url, queue and service".to_owned()),
    }
}

/// Whoever does not say what it hears of, hears of all that is told without being asked for. Whoever hears on the way hears of the completion,
/// which says the rest.
fn kinds(fields: &Map<String, Value>) -> Result<Vec<EventKind>, String> {
    let all = || EventKind::ALL.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(", ");
    let Some(listed) = fields.get("kinds") else {
        return Ok(EventKind::ALL.into_iter().filter(|kind| kind.is_told_unasked()).collect());
    };
    let listed = listed.as_array().filter(|listed| !listed.is_empty());
    let listed = listed.ok_or_else(|| format!("kinds is not a list of some of {}", all()))?;
    let mut kinds = Vec::new();
    for one in listed {
        let known = EventKind::ALL.into_iter().find(|kind| one.as_str() == Some(kind.name()));
        let shown = one.to_string();
        let kind = known.ok_or_else(|| format!("kinds has {shown:.64}, which is none of {}", all()))?;
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    if kinds.contains(&EventKind::Progressed) && !kinds.contains(&EventKind::Completed) {
        return Err("kinds has upload.progressed without upload.completed, which says the rest".to_owned());
    }
    Ok(kinds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_is_read() {
        let entries = parse(
            r#"[{"name": "search", "url": "https://a.example/e", "secret": "S", "kinds": ["upload.completed", "upload.completed"]},
                {"name": "thumbs", "queue": "THUMBS", "kinds": ["upload.created"]}, {"name": "a_b-2", "service": "APP"}]"#,
        );
        let entry = |name: &str, way, secret: Option<&str>, kinds: &[EventKind]| Entry {
            name: name.to_owned(),
            way,
            secret: secret.map(str::to_owned),
            kinds: kinds.to_vec(),
        };
        let expected = vec![
            entry("search", Way::Url("https://a.example/e".to_owned()), Some("S"), &[EventKind::Completed]),
            entry("thumbs", Way::Queue("THUMBS".to_owned()), None, &[EventKind::Created]),
            entry(
                "a_b-2",
                Way::Service("APP".to_owned()),
                None,
                &[&EventKind::ALL[2..8], &[EventKind::Rejected][..]].concat(),
            ),
        ];
        assert_eq!(entries, Ok(expected));
        assert_eq!((parse(""), parse("[]")), (Ok(Vec::new()), Ok(Vec::new())));
    }

    #[test]
    fn the_scanner_is_one_that_answers() {
        let scanner =
            |setting: &str| scanner(setting).map(|entry| entry.map(|entry| (entry.name, entry.way, entry.secret)));
        let (name, secret) = ("scanner".to_owned(), Some("S".to_owned()));
        let url = Way::Url("https://a.example/".to_owned());
        assert_eq!(
            scanner(r#"{"url":"https://a.example/","secret":"S"}"#),
            Ok(Some((name.clone(), url, secret.clone())))
        );
        let service = Way::Service("A".to_owned());
        assert_eq!(scanner(r#"{"service":"A"}"#), Ok(Some((name, service, None))));
        assert_eq!(scanner(""), Ok(None));
        for (setting, complaint) in [
            ("https://a.example/", "is not a JSON object"),
            ("[]", "is not a JSON object"),
            (r#"{"queue":"A"}"#, "is not a JSON object"),
            (r#"{"url":"https://a.example/"}"#, "secret is missing"),
            (r#"{"secret":"S"}"#, "exactly one of"),
            (r#"{"url":"https://a.example/","service":"A"}"#, "exactly one of"),
            (r#"{"service":"A","kinds":[]}"#, "kinds is none of its fields"),
        ] {
            let told = scanner(setting).expect_err(setting);
            assert!(told.contains(complaint), "{told}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_its_entry() {
        let good = r#"{"name": "a", "queue": "A"}"#;
        let many = format!("[{}]", [good; 9].join(","));
        let twice = format!("[{good}, {good}]");
        let alike = r#"[{"name": "a-b", "service": "A"}, {"name": "a_b", "service": "B"}]"#;
        for (setting, complaint) in [
            ("search", "is not a JSON list"),
            (r#"{"name": "a", "queue": "A"}"#, "is not a JSON list"),
            (&many, "has 9 entries, and may have 8"),
            (&twice, "entry 1: there is another receiver called a"),
            (alike, "entry 1 (a_b): https://a-b/ would be its address and that of a-b: give one of them another name"),
            ("[7]", "entry 0: is no object"),
            (r#"[{"queue": "A"}]"#, "entry 0: name is missing"),
            (r#"[{"name": "A b", "queue": "A"}]"#, "entry 0: name is not one of 1 to 32 characters"),
            (r#"[{"name": "origin", "queue": "A"}]"#, "entry 0 (origin): name is origin, which ORIGIN_WEBHOOK_URL"),
            (r#"[{"name": "scanner", "queue": "A"}]"#, "entry 0 (scanner): name is scanner, which the setting SCANNER"),
            (r#"[{"name": "a"}]"#, "entry 0 (a): it has not exactly one of url, queue and service"),
            (r#"[{"name": "a", "queue": "A", "service": "B"}]"#, "exactly one of"),
            (r#"[{"name": "a", "url": "https://a.example"}]"#, "entry 0 (a): secret is missing"),
            (r#"[{"name": "a", "queue": "A", "secret": "S"}]"#, "a message of a queue has no signature"),
            (r#"[{"name": "a", "queue": 7}]"#, "queue is not text"),
            (r#"[{"name": "a", "queue": "A", "urls": ""}]"#, "urls is none of its fields, which are name, url, queue"),
            (
                r#"[{"name": "a", "queue": "A", "kinds": ["upload.progressed"]}]"#,
                "entry 0 (a): kinds has upload.progressed without",
            ),
            (r#"[{"name": "a", "queue": "A", "kinds": []}]"#, "kinds is not a list of some of upload.created, upload"),
            (r#"[{"name": "a", "queue": "A", "kinds": ["completed"]}]"#, r#"kinds has "completed", which is none of"#),
        ] {
            let told = parse(setting).expect_err(setting);
            assert!(told.contains(complaint), "{told}");
        }
    }
}
